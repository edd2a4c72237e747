//! The trait that a strategy implements.

use crate::error::{Error, Result};
use crate::market::{Market, Session};
use serde::de::DeserializeOwned;

/// A symbol whose prices the strategy may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Ticker, as written in the data set.
    pub symbol: String,
    /// How many of the symbol's own bars, counted back from the session under
    /// evaluation; `None` is all history.
    pub sessions: Option<u32>,
}

impl Requirement {
    /// All history of a symbol.
    pub fn all(symbol: impl Into<String>) -> Self {
        Self {
            symbol: symbol.into(),
            sessions: None,
        }
    }

    /// The symbol's last `sessions` bars.
    pub fn last(symbol: impl Into<String>, sessions: u32) -> Self {
        Self {
            symbol: symbol.into(),
            sessions: Some(sessions),
        }
    }
}

/// A share of the portfolio, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Ticker.
    pub symbol: String,
    /// Share, 0 to 1; those of an answer add up to at most 1.
    pub weight: f64,
}

impl Weight {
    /// A share of the portfolio.
    pub fn new(symbol: impl Into<String>, weight: f64) -> Self {
        Self {
            symbol: symbol.into(),
            weight,
        }
    }
}

/// The files that the book names for the strategy, in the book's order.
#[derive(Clone, Debug, Default)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

impl Files {
    /// The only file, or an error that says how many there are.
    pub fn only(&self) -> Result<(&str, &[u8])> {
        match self.0.as_slice() {
            [(name, content)] => Ok((name, content)),
            files => Err(Error::parameter(
                "file",
                format!("exactly one file is needed, and {} were given", files.len()),
            )),
        }
    }
}

/// Turns prices into target weights.
///
/// The same instance is asked for one session after the other; the answer must
/// depend on the session alone, not on the calls before it.
pub trait Strategy: Sized + 'static {
    /// The strategy's parameters in the book. Use
    /// `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error.
    type Parameters: DeserializeOwned;

    /// Reads parameters and files. Prices are not available here.
    fn load(parameters: Self::Parameters, files: &Files) -> Result<Self>;

    /// Every symbol that any evaluation may look at.
    fn requirements(&self) -> Vec<Requirement>;

    /// The weights as of a session; what they leave of 1 stays uninvested.
    fn evaluate(&mut self, market: &dyn Market, as_of: Session) -> Result<Vec<Weight>>;
}

/// Parses a strategy's parameters, naming the key that is wrong.
pub fn parse_parameters<P: DeserializeOwned>(json: &str) -> Result<P> {
    serde_json::from_str(json).map_err(|error| {
        // serde_json closes its messages with a place in the JSON text, which
        // the author of `book.toml` never sees.
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Error::parameter("parameters", message)
    })
}

pub(crate) mod guest {
    use super::{Files, Strategy, parse_parameters};
    use crate::bindings::strategy::exports::alchemiser::plugin::evaluator;
    use crate::market::HostMarket;
    use std::cell::RefCell;
    use std::marker::PhantomData;

    /// Adapts a [`Strategy`] to the generated `evaluator` interface.
    pub struct StrategyGuest<S>(PhantomData<S>);

    /// The generated resource: one loaded strategy.
    pub struct StrategyResource<S>(RefCell<S>);

    impl<S: Strategy> evaluator::Guest for StrategyGuest<S> {
        type Strategy = StrategyResource<S>;

        fn load(
            parameters: String,
            files: Vec<(String, Vec<u8>)>,
        ) -> Result<evaluator::Strategy, evaluator::Error> {
            crate::panic::report_panics!(strategy);
            let parameters = parse_parameters(&parameters)?;
            let strategy = S::load(parameters, &Files(files))?;
            Ok(evaluator::Strategy::new(StrategyResource(RefCell::new(
                strategy,
            ))))
        }
    }

    impl<S: Strategy> evaluator::GuestStrategy for StrategyResource<S> {
        fn requirements(&self) -> Vec<evaluator::Requirement> {
            self.0
                .borrow()
                .requirements()
                .into_iter()
                .map(|requirement| evaluator::Requirement {
                    symbol: requirement.symbol,
                    sessions: requirement.sessions,
                })
                .collect()
        }

        fn evaluate(&self, as_of: u32) -> Result<Vec<evaluator::Weight>, evaluator::Error> {
            let weights = self.0.borrow_mut().evaluate(&HostMarket, as_of)?;
            Ok(weights
                .into_iter()
                .map(|weight| evaluator::Weight {
                    symbol: weight.symbol,
                    weight: weight.weight,
                })
                .collect())
        }
    }
}
