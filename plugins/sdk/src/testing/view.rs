//! A market as a strategy sees it.

use super::explanation::Explanation;
use super::market::{History, OpenedSeries, TestMarket};
use super::{canonical, to_u32};
use crate::error::{Error, Place, Result};
use crate::market::{Market, Part, Score, Series, Session, SymbolHandle};
use crate::requirement::Requirement;
use crate::today::Today;
use alchemiser_indicators::{EvaluationError, Indicator, Specification};
use std::cell::RefCell;

/// A [`TestMarket`] as of a session. It panics where the host would end the
/// call: when it is asked for a later session or an undeclared history.
#[derive(Debug)]
pub struct AsOf<'a> {
    market: &'a TestMarket,
    session: Session,
    /// `None` allows everything up to the session.
    requirements: Option<Vec<Requirement>>,
    explanations: RefCell<Vec<Explanation>>,
}

impl<'a> AsOf<'a> {
    pub(super) fn new(market: &'a TestMarket, session: Session) -> Self {
        Self {
            market,
            session,
            requirements: None,
            explanations: RefCell::default(),
        }
    }

    /// The same for a strategy that may look at no more than it declared.
    pub(super) fn restricted_to(self, requirements: Vec<Requirement>) -> Self {
        Self {
            requirements: Some(requirements),
            ..self
        }
    }

    /// What a strategy is given.
    #[must_use]
    pub fn today(&self) -> Today<'_> {
        Today::new(self, self.session)
    }

    /// What has been explained so far.
    #[must_use]
    pub fn explanations(&self) -> Vec<Explanation> {
        self.explanations.borrow().clone()
    }

    fn history(&self, symbol: SymbolHandle) -> &History {
        let history = self.market.symbols.get(symbol.0 as usize);
        history.unwrap_or_else(|| panic!("{symbol:?} was never handed out"))
    }

    /// The closes up to and including a session.
    fn seen(&self, symbol: SymbolHandle, session: Session) -> &[f64] {
        assert!(
            session <= self.session,
            "look-ahead: session {session} was asked for while session {} was evaluated",
            self.session
        );
        let history = self.history(symbol);
        let counts = &history.counts;
        let count = counts.get(session as usize).or(counts.last());
        &history.closes[..count.copied().unwrap_or(0) as usize]
    }

    /// The count of closes at a session, if the last `need` of them are there.
    fn check(&self, symbol: SymbolHandle, session: Session, need: u32) -> Result<u32> {
        let have = count(self.seen(symbol, session));
        let name = &self.history(symbol).name;
        if let Some(bars) = self.declared(name) {
            assert!(
                self.is_declared(symbol, have, need, bars),
                "`{name}` is declared with its last {bars} bars and more were needed"
            );
        }
        if have < need {
            return Err(Error::insufficient_history(name, need, have));
        }
        Ok(have)
    }

    /// Whether the last `need` of the first `have` closes are among the last
    /// `bars` as of the session under evaluation.
    fn is_declared(&self, symbol: SymbolHandle, have: u32, need: u32, bars: u32) -> bool {
        let all = count(self.seen(symbol, self.session));
        let first_declared = all.saturating_sub(bars);
        let undeclared = have > 0 && have <= first_declared
            || have
                .checked_sub(need)
                .is_some_and(|first| first < first_declared);
        need <= bars && !undeclared
    }

    /// How many of a symbol's last bars are declared; `None` means all.
    pub(super) fn declared(&self, name: &str) -> Option<u32> {
        let requirements = self.requirements.as_ref()?;
        let bars = requirements
            .iter()
            .filter(|requirement| canonical(&requirement.symbol) == name)
            .map(|requirement| requirement.sessions.unwrap_or(u32::MAX))
            .max()
            .unwrap_or_else(|| panic!("`{name}` is not among the requirements"));
        (bars < u32::MAX).then_some(bars)
    }
}

impl Market for AsOf<'_> {
    fn find(&self, name: &str) -> Result<SymbolHandle> {
        let name = canonical(name);
        self.declared(&name);
        let mut symbols = self.market.symbols.iter();
        match symbols.position(|history| history.name == name) {
            Some(place) => Ok(SymbolHandle(to_u32(place))),
            None => Err(Error::no_data(name)),
        }
    }

    fn date(&self, session: Session) -> String {
        assert!(
            session <= self.session,
            "look-ahead: the date of session {session}"
        );
        self.market.date(session)
    }

    fn bars(&self, symbol: SymbolHandle, session: Session) -> u32 {
        match self.check(symbol, session, 0) {
            Ok(bars) => bars,
            Err(error) => unreachable!("no bar is needed: {error}"),
        }
    }

    fn last_bar(&self, symbol: SymbolHandle, session: Session) -> Result<Session> {
        let have = self.check(symbol, session, 1)?;
        // Counts ascend; the first session with this one has the bar.
        let counts = &self.history(symbol).counts;
        Ok(to_u32(counts.partition_point(|count| *count < have)))
    }

    fn close(&self, symbol: SymbolHandle, session: Session) -> Result<f64> {
        Ok(self.closes(symbol, session, 1)?[0])
    }

    fn closes(&self, symbol: SymbolHandle, session: Session, count: u32) -> Result<Vec<f64>> {
        let have = self.check(symbol, session, count)?;
        let seen = self.seen(symbol, session);
        Ok(seen[(have - count) as usize..].to_vec())
    }

    fn indicator(&self, name: &str, symbol: SymbolHandle, window: Option<u32>) -> Result<Series> {
        let argument = |message| Error {
            what: Some(name.to_owned()),
            ..Error::new("ArgumentError", message)
        };
        let indicator: Indicator =
            name.parse()
                .map_err(|error: alchemiser_indicators::UnknownIndicator| {
                    argument(error.to_string())
                })?;
        let specification =
            Specification::new(indicator, window).map_err(|error| argument(error.to_string()))?;
        let history = self.history(symbol);
        if let Some(bars) = self.declared(&history.name) {
            assert!(
                !indicator.is_recursive(),
                "`{name}` runs from the first bar of `{}`, of which only the last {bars} are declared",
                history.name
            );
        }
        let mut opened = self.market.series.borrow_mut();
        let place = opened.iter().position(|series| {
            series.symbol == symbol && series.values.specification() == specification
        });
        let place = place.unwrap_or_else(|| {
            opened.push(OpenedSeries {
                symbol,
                values: specification.series(&history.closes),
            });
            opened.len() - 1
        });
        Ok(Series(to_u32(place)))
    }

    fn value(&self, series: Series, session: Session) -> Result<f64> {
        let opened = self.market.series.borrow();
        let OpenedSeries { symbol, values } = opened_series(&opened, series);
        let name = &self.history(*symbol).name;
        let have = self.check(*symbol, session, values.specification().need())?;
        values.at(have).map_err(|error| match error {
            EvaluationError::InsufficientHistory { need, have } => {
                Error::insufficient_history(name, need, have)
            }
            EvaluationError::NonFinite { specification } => {
                Error::non_finite(format!("{specification} of `{name}`"))
            }
        })
    }

    fn values(&self, series: &[Series], session: Session) -> Vec<f64> {
        let opened = self.market.series.borrow();
        let value = |series: &Series| {
            let OpenedSeries { symbol, values } = opened_series(&opened, *series);
            let have = count(self.seen(*symbol, session));
            let need = values.specification().need();
            let declared = self.declared(&self.history(*symbol).name);
            if declared.is_some_and(|bars| !self.is_declared(*symbol, have, need, bars)) {
                return f64::NAN;
            }
            values.at(have).unwrap_or(f64::NAN)
        };
        series.iter().map(value).collect()
    }

    fn explanation_wanted(&self) -> bool {
        true
    }

    fn explain_condition(
        &self,
        depth: u32,
        at: Option<Place>,
        text: &str,
        left: f64,
        right: f64,
        holds: bool,
    ) {
        self.explanations.borrow_mut().push(Explanation::Condition {
            depth,
            at,
            text: text.to_owned(),
            left,
            right,
            holds,
        });
    }

    fn explain_selection(
        &self,
        depth: u32,
        at: Option<Place>,
        text: &str,
        ranking: &[Score],
        chosen: u32,
    ) {
        self.explanations.borrow_mut().push(Explanation::Selection {
            depth,
            at,
            text: text.to_owned(),
            ranking: ranking.to_vec(),
            chosen,
        });
    }

    fn explain_division(&self, depth: u32, at: Option<Place>, text: &str, parts: &[Part]) {
        self.explanations.borrow_mut().push(Explanation::Division {
            depth,
            at,
            text: text.to_owned(),
            parts: parts.to_vec(),
        });
    }

    fn explain_note(&self, depth: u32, at: Option<Place>, text: &str) {
        self.explanations.borrow_mut().push(Explanation::Note {
            depth,
            at,
            text: text.to_owned(),
        });
    }
}

fn opened_series(opened: &[OpenedSeries], series: Series) -> &OpenedSeries {
    opened
        .get(series.0 as usize)
        .unwrap_or_else(|| panic!("{series:?} was never handed out"))
}

fn count(closes: &[f64]) -> u32 {
    to_u32(closes.len())
}
