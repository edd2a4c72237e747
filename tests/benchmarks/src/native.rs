//! A strategy file evaluated natively, on the same market as in the sandbox.

use alchemiser_market::{DataError, Market, ReadError, SeriesHandle, Session, SymbolHandle, View};
use alchemiser_sdk::{Error, Requirement, Result, Strategy, Today, Weights};
use dsl::Dsl;
use std::cell::RefCell;
use std::sync::Arc;

/// A strategy file with prices.
pub struct Native {
    strategy: Dsl,
    market: NativeMarket,
}

impl Native {
    /// Reads a file that is known to be right.
    ///
    /// # Panics
    /// It is not.
    #[must_use]
    pub fn load(text: &str) -> Dsl {
        match Dsl::read(text.as_bytes()) {
            Ok(strategy) => strategy,
            Err(problems) => panic!("{problems:?}"),
        }
    }

    /// Gives a strategy prices.
    #[must_use]
    pub fn bind(strategy: Dsl, market: Arc<Market>) -> Self {
        let requirements: Vec<_> = strategy.requirements().iter().map(requirement).collect();
        let view = RefCell::new(View::new(market, &requirements));
        Self {
            strategy,
            market: NativeMarket(view),
        }
    }

    /// The weights as of a session.
    ///
    /// # Errors
    /// The strategy's own.
    pub fn evaluate(&mut self, session: Session) -> Result<Weights> {
        if let Err(error) = self.market.0.borrow_mut().advance(session) {
            panic!("{error}");
        }
        self.strategy.evaluate(&Today::new(&self.market, session.0))
    }
}

#[expect(clippy::expect_used, reason = "the language spells symbols rightly")]
fn requirement(requirement: &Requirement) -> alchemiser_market::Requirement {
    alchemiser_market::Requirement {
        symbol: requirement.symbol.parse().expect("it is a symbol"),
        sessions: requirement.sessions,
    }
}

/// What the sandbox's imports answer, without the border between.
struct NativeMarket(RefCell<View>);

fn error(error: ReadError) -> Error {
    match error {
        ReadError::Data(error) => {
            let message = error.to_string();
            match error {
                DataError::NoData { symbol } => Error::no_data(symbol.as_str()),
                DataError::InsufficientHistory { symbol, need, have } => {
                    Error::insufficient_history(symbol.as_str(), need, have)
                }
                DataError::NonFinite { what } => Error::non_finite(what),
                other => Error::new(other.class(), message),
            }
        }
        ReadError::Violation(violation) => panic!("{violation}"),
    }
}

impl alchemiser_sdk::Market for NativeMarket {
    fn find(&self, name: &str) -> Result<alchemiser_sdk::SymbolHandle> {
        let found = self.0.borrow().find(name).map_err(error)?;
        Ok(alchemiser_sdk::SymbolHandle(found.0))
    }

    fn date(&self, session: u32) -> String {
        match self.0.borrow().date(Session(session)) {
            Ok(date) => date.to_string(),
            Err(violation) => panic!("{violation}"),
        }
    }

    fn bars(&self, symbol: alchemiser_sdk::SymbolHandle, session: u32) -> u32 {
        let view = self.0.borrow();
        match view.bars(SymbolHandle(symbol.0), Session(session)) {
            Ok(bars) => bars,
            Err(violation) => panic!("{violation}"),
        }
    }

    fn last_bar(&self, symbol: alchemiser_sdk::SymbolHandle, session: u32) -> Result<u32> {
        let view = self.0.borrow();
        view.last_bar(SymbolHandle(symbol.0), Session(session))
            .map(|session| session.0)
            .map_err(error)
    }

    fn close(&self, symbol: alchemiser_sdk::SymbolHandle, session: u32) -> Result<f64> {
        let view = self.0.borrow();
        view.close(SymbolHandle(symbol.0), Session(session))
            .map_err(error)
    }

    fn closes(
        &self,
        symbol: alchemiser_sdk::SymbolHandle,
        session: u32,
        count: u32,
    ) -> Result<Vec<f64>> {
        let view = self.0.borrow();
        view.closes(SymbolHandle(symbol.0), Session(session), count)
            .map(<[f64]>::to_vec)
            .map_err(error)
    }

    fn indicator(
        &self,
        name: &str,
        symbol: alchemiser_sdk::SymbolHandle,
        window: Option<u32>,
    ) -> Result<alchemiser_sdk::Series> {
        let mut view = self.0.borrow_mut();
        view.indicator(name, SymbolHandle(symbol.0), window)
            .map(|series| alchemiser_sdk::Series(series.0))
            .map_err(error)
    }

    fn value(&self, series: alchemiser_sdk::Series, session: u32) -> Result<f64> {
        let view = self.0.borrow();
        view.value(SeriesHandle(series.0), Session(session))
            .map_err(error)
    }

    fn values(&self, series: &[alchemiser_sdk::Series], session: u32) -> Vec<f64> {
        let series: Vec<SeriesHandle> =
            series.iter().map(|series| SeriesHandle(series.0)).collect();
        match self.0.borrow().values(&series, Session(session)) {
            Ok(values) => values,
            Err(violation) => panic!("{violation}"),
        }
    }
}
