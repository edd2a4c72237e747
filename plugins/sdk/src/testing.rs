//! Native tests of a strategy, without the sandbox.
//!
//! ```
//! use alchemiser_sdk::testing::TestMarket;
//! use alchemiser_sdk::{Files, Market, Requirement, Result, Session, Strategy, Weight};
//!
//! /// All in `SPY` while it closes above its three-day average.
//! struct Trend;
//!
//! impl Strategy for Trend {
//!     type Parameters = ();
//!
//!     fn load(_: (), _: &Files) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn requirements(&self) -> Vec<Requirement> {
//!         vec![Requirement::last("SPY", 3)]
//!     }
//!
//!     fn evaluate(&mut self, market: &dyn Market, as_of: Session) -> Result<Vec<Weight>> {
//!         let spy = market.find("SPY")?;
//!         let close = market.close(spy, as_of)?;
//!         let average = market.indicator("moving-average-price", spy, Some(3))?;
//!         let average = market.value(average, as_of)?;
//!         market.explain_condition(0, None, "SPY above its average", close, average, close > average);
//!         Ok(if close > average { vec![Weight::new("SPY", 1.0)] } else { vec![] })
//!     }
//! }
//!
//! let market = TestMarket::new().symbol("SPY", [100.0, 101.0, 102.0, 90.0]);
//!
//! let early = market.evaluate(&mut Trend, 1).unwrap_err();
//! assert_eq!((early.need, early.have), (Some(3), Some(2)));
//! assert_eq!(market.evaluate(&mut Trend, 2)?, [Weight::new("SPY", 1.0)]);
//! assert_eq!(market.evaluate(&mut Trend, 3)?, []);
//!
//! // The same in two steps, to look at the explanation.
//! let view = market.as_of(3);
//! Trend.evaluate(&view, 3)?;
//! assert_eq!(view.explanations()[0].text(), "SPY above its average");
//! # Ok::<(), alchemiser_sdk::Error>(())
//! ```
#![cfg(not(target_arch = "wasm32"))]

use crate::error::{Error, Place, Result};
use crate::market::{Market, Part, Score, Series, Session, SymbolHandle};
use crate::strategy::{Requirement, Strategy, Weight};
use alchemiser_indicators::{EvaluationError, Indicator, Specification};
use std::cell::RefCell;

/// Prices for tests.
///
/// Sessions are numbered from 0 and all symbols begin at the first; a session
/// without a bar is `None`. Dates are the weekdays from 2018-01-01 unless
/// [`from_csv`](Self::from_csv) gives others.
#[derive(Debug, Default)]
pub struct TestMarket {
    dates: Option<Vec<String>>,
    symbols: Vec<History>,
    /// Series opened so far; a [`Series`] is a place in here.
    series: RefCell<Vec<OpenedSeries>>,
}

#[derive(Debug)]
struct History {
    name: String,
    closes: Vec<f64>,
    /// For each session, how many closes are up to and including it.
    counts: Vec<u32>,
}

#[derive(Debug)]
struct OpenedSeries {
    symbol: SymbolHandle,
    values: alchemiser_indicators::Series,
}

/// One call of an `explain_…` function.
#[derive(Clone, Debug, PartialEq)]
pub enum Explanation {
    /// [`Market::explain_condition`]
    Condition {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The condition.
        text: String,
        /// Its left operand.
        left: f64,
        /// Its right operand.
        right: f64,
        /// Whether it held.
        holds: bool,
    },
    /// [`Market::explain_selection`]
    Selection {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The selection.
        text: String,
        /// The candidates by rank.
        ranking: Vec<Score>,
        /// How many of them were taken.
        chosen: u32,
    },
    /// [`Market::explain_division`]
    Division {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// What divides.
        text: String,
        /// The parts, in the order in which they were given.
        parts: Vec<Part>,
    },
    /// [`Market::explain_note`]
    Note {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The note.
        text: String,
    },
}

impl Explanation {
    /// The text of any of them.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Condition { text, .. }
            | Self::Selection { text, .. }
            | Self::Division { text, .. }
            | Self::Note { text, .. } => text,
        }
    }
}

impl TestMarket {
    /// A market without symbols.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a symbol and its closes, one for each session from the first; `f64`
    /// or, where sessions have no bar, `Option<f64>`.
    #[must_use]
    pub fn symbol<C: Into<Option<f64>>>(
        mut self,
        name: &str,
        closes: impl IntoIterator<Item = C>,
    ) -> Self {
        let mut history = History {
            name: canonical(name),
            closes: Vec::new(),
            counts: Vec::new(),
        };
        for close in closes {
            history.closes.extend(close.into());
            history.counts.push(count(&history.closes));
        }
        self.symbols.push(history);
        self
    }

    /// Reads a table: a line of headings, `date` and the symbols, then a line
    /// for each session. An empty cell is a session without a bar.
    ///
    /// # Panics
    /// The table has another form; the message names the line.
    #[must_use]
    pub fn from_csv(table: &str) -> Self {
        let mut rows = table
            .lines()
            .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>())
            .enumerate()
            .filter(|(_, row)| row != &[""]);
        let (_, headings) = rows.next().unwrap_or_else(|| panic!("the table is empty"));
        let mut dates = Vec::new();
        let mut columns = vec![Vec::<Option<f64>>::new(); headings.len() - 1];
        for (line, row) in rows {
            let line = line + 1;
            assert!(
                row.len() == headings.len(),
                "line {line} has {} cells and the first line has {}",
                row.len(),
                headings.len()
            );
            dates.push(row[0].to_owned());
            for (column, cell) in columns.iter_mut().zip(&row[1..]) {
                let close = (!cell.is_empty()).then(|| {
                    cell.parse()
                        .unwrap_or_else(|_| panic!("line {line}: `{cell}` is not a number"))
                });
                column.push(close);
            }
        }
        let market = Self {
            dates: Some(dates),
            ..Self::default()
        };
        headings[1..]
            .iter()
            .zip(columns)
            .fold(market, |market, (name, column)| market.symbol(name, column))
    }

    /// How many sessions there are; the last is one less.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        let longest = self.symbols.iter().map(|history| history.counts.len());
        longest.max().map_or(0, to_u32)
    }

    /// The market as of a session, with all history of all symbols.
    ///
    /// # Panics
    /// There is no such session.
    #[must_use]
    pub fn as_of(&self, session: Session) -> AsOf<'_> {
        assert!(
            session < self.sessions(),
            "the market has {} sessions; {session} is past its end",
            self.sessions()
        );
        AsOf {
            market: self,
            session,
            requirements: None,
            explanations: RefCell::default(),
        }
    }

    /// Evaluates a strategy as of a session, as the host does: it may look only
    /// at what its requirements name.
    ///
    /// # Errors
    /// Those of the strategy.
    ///
    /// # Panics
    /// There is no such session, or the strategy looks at what it may not.
    pub fn evaluate<S: Strategy>(&self, strategy: &mut S, as_of: Session) -> Result<Vec<Weight>> {
        let view = AsOf {
            requirements: Some(strategy.requirements()),
            ..self.as_of(as_of)
        };
        strategy.evaluate(&view, as_of)
    }
}

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

impl AsOf<'_> {
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
    fn declared(&self, name: &str) -> Option<u32> {
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
        match &self.market.dates {
            Some(dates) => dates[session as usize].clone(),
            None => {
                let days = session / 5 * 7 + session % 5;
                let monday = jiff::civil::date(2018, 1, 1);
                monday
                    .saturating_add(jiff::Span::new().days(days))
                    .to_string()
            }
        }
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

/// Symbols are spelt in upper case, with `.` between share classes.
fn canonical(name: &str) -> String {
    name.to_ascii_uppercase().replace('/', ".")
}

fn count(closes: &[f64]) -> u32 {
    to_u32(closes.len())
}

#[expect(clippy::expect_used, reason = "tests do not have that many prices")]
fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a number of closes")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    fn market() -> TestMarket {
        TestMarket::new()
            .symbol("SPY", [100.0, 101.0, 102.0, 103.0])
            .symbol("brk/b", [None, Some(20.0), None, Some(22.0)])
    }

    #[test]
    fn prices_as_of_a_session() {
        let market = market();
        let view = market.as_of(2);
        let spy = view.find("SPY").unwrap();
        let berkshire = view.find("BRK.B").unwrap();
        assert_eq!(view.close(spy, 1), Ok(101.0));
        assert_eq!(view.closes(spy, 2, 2), Ok(vec![101.0, 102.0]));
        assert_eq!((view.bars(berkshire, 0), view.bars(berkshire, 2)), (0, 1));
        assert_eq!(view.close(berkshire, 2), Ok(20.0));
        assert_eq!(
            view.close(berkshire, 0),
            Err(Error::insufficient_history("BRK.B", 1, 0))
        );
        assert_eq!(view.find("QQQ"), Err(Error::no_data("QQQ")));
        assert_eq!(view.date(0), "2018-01-01");
    }

    #[test]
    fn indicators_are_computed_once() {
        let market = market();
        let view = market.as_of(3);
        let spy = view.find("SPY").unwrap();
        let mean = view
            .indicator("moving-average-price", spy, Some(2))
            .unwrap();
        assert_eq!(
            view.indicator("moving-average-price", spy, Some(2)),
            Ok(mean)
        );
        assert_eq!(view.value(mean, 3), Ok(102.5));
        assert_eq!(view.value(mean, 1), Ok(100.5));
        assert_eq!(
            view.value(mean, 0),
            Err(Error::insufficient_history("SPY", 2, 1))
        );
        for (name, window) in [("macd", None), ("rsi", Some(0))] {
            assert_eq!(
                view.indicator(name, spy, window).unwrap_err().class,
                "ArgumentError"
            );
        }
    }

    #[test]
    fn a_table_brings_its_dates() {
        let market = TestMarket::from_csv("date,SPY,QQQ\n2022-12-27,1,\n2022-12-28,2,3.5\n");
        assert_eq!(market.sessions(), 2);
        let view = market.as_of(1);
        assert_eq!(view.date(1), "2022-12-28");
        assert_eq!(view.bars(view.find("QQQ").unwrap(), 1), 1);
    }

    #[test]
    #[should_panic(expected = "line 3 has 1 cells")]
    fn a_table_with_a_short_line() {
        let _ = TestMarket::from_csv("date,SPY\n2022-12-27,1\n2022-12-28\n");
    }

    #[test]
    #[should_panic(expected = "look-ahead")]
    fn a_later_session() {
        let market = market();
        let view = market.as_of(1);
        let _ = view.close(view.find("SPY").unwrap(), 2);
    }

    /// Needs as many closes as its two numbers say, on a declared history of
    /// the first of them.
    struct Needs(u32, u32);

    impl Strategy for Needs {
        type Parameters = ();

        fn load((): (), _: &crate::Files) -> Result<Self> {
            Ok(Self(0, 0))
        }

        fn requirements(&self) -> Vec<Requirement> {
            vec![Requirement::last("SPY", self.0)]
        }

        fn evaluate(&mut self, market: &dyn Market, as_of: Session) -> Result<Vec<Weight>> {
            let closes = market.closes(market.find("SPY")?, as_of, self.1)?;
            Ok(vec![Weight::new("SPY", closes[0] / 1000.0)])
        }
    }

    #[test]
    fn a_declared_history() {
        assert_eq!(
            market().evaluate(&mut Needs(3, 3), 3),
            Ok(vec![Weight::new("SPY", 0.101)])
        );
        assert_eq!(
            market().evaluate(&mut Needs(3, 3), 1),
            Err(Error::insufficient_history("SPY", 3, 2))
        );
    }

    #[test]
    #[should_panic(expected = "`SPY` is declared with its last 2 bars")]
    fn an_undeclared_history() {
        let _ = market().evaluate(&mut Needs(2, 3), 3);
    }

    #[test]
    fn explanations_are_kept() {
        let market = market();
        let view = market.as_of(0);
        assert!(view.explanation_wanted());
        view.explain_note(1, None, "nothing to hold");
        assert_eq!(
            view.explanations(),
            [Explanation::Note {
                depth: 1,
                at: None,
                text: "nothing to hold".to_owned()
            }]
        );
    }
}
