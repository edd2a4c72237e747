//! Prices for tests.

use super::view::AsOf;
use super::{canonical, random_walk, to_u32};
use crate::error::Result;
use crate::market::{Session, SymbolHandle};
use crate::strategy::Strategy;
use crate::weights::Weights;
use std::cell::RefCell;
use std::path::Path;

/// Prices for tests.
///
/// Sessions are numbered from 0 and all symbols begin at the first; a session
/// without a bar is `None`. Dates are the weekdays from 2018-01-01 unless the
/// market is told others.
#[derive(Debug, Default)]
pub struct TestMarket {
    dates: Dates,
    pub(super) symbols: Vec<History>,
    /// Series opened so far; a [`Series`](crate::Series) is a place in here.
    pub(super) series: RefCell<Vec<OpenedSeries>>,
}

#[derive(Clone, Debug)]
enum Dates {
    Listed(Vec<String>),
    /// Weekdays from one on.
    From(jiff::civil::Date),
}

impl Default for Dates {
    fn default() -> Self {
        Self::From(jiff::civil::date(2018, 1, 1))
    }
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) name: String,
    pub(super) closes: Vec<f64>,
    /// For each session, how many closes are up to and including it.
    pub(super) counts: Vec<u32>,
}

impl History {
    fn new(name: &str, closes: impl Iterator<Item = Option<f64>>) -> Self {
        let mut history = Self {
            name: canonical(name),
            closes: Vec::new(),
            counts: Vec::new(),
        };
        for close in closes {
            history.closes.extend(close);
            history.counts.push(to_u32(history.closes.len()));
        }
        history
    }

    /// The closes session by session.
    fn bars(&self) -> impl Iterator<Item = Option<f64>> {
        let mut before = 0;
        self.counts.iter().map(move |&count| {
            let is_new = count > std::mem::replace(&mut before, count);
            is_new.then(|| self.closes[count as usize - 1])
        })
    }
}

#[derive(Debug)]
pub(super) struct OpenedSeries {
    pub(super) symbol: SymbolHandle,
    pub(super) values: alchemiser_indicators::Series,
}

impl TestMarket {
    /// A market without symbols.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a symbol and its closes, one for each session from the first; `f64`
    /// or, where sessions have no bar, `Option<f64>`.
    ///
    /// # Panics
    /// The symbol is there already.
    #[must_use]
    pub fn symbol<C: Into<Option<f64>>>(
        mut self,
        name: &str,
        closes: impl IntoIterator<Item = C>,
    ) -> Self {
        let history = History::new(name, closes.into_iter().map(Into::into));
        let is_there = self.symbols.iter().any(|other| other.name == history.name);
        assert!(!is_there, "the market has `{name}` already");
        self.symbols.push(history);
        self
    }

    /// The same with weekdays from a date on, such as `2024-01-02`.
    ///
    /// # Panics
    /// The text is no date.
    #[must_use]
    pub fn starting(mut self, first: &str) -> Self {
        let first = first
            .parse()
            .unwrap_or_else(|error| panic!("`{first}` is no date: {error}"));
        self.dates = Dates::From(first);
        self
    }

    /// Symbols that walk at random from 100; see [`random_walk`].
    #[must_use]
    pub fn random_walk(seed: u64, sessions: usize, symbols: &[&str]) -> Self {
        symbols.iter().fold(Self::new(), |market, symbol| {
            market.symbol(symbol, random_walk(seed, symbol, sessions))
        })
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
            dates: Dates::Listed(dates),
            ..Self::default()
        };
        headings[1..]
            .iter()
            .zip(columns)
            .fold(market, |market, (name, column)| market.symbol(name, column))
    }

    /// Reads a table from a file; see [`from_csv`](Self::from_csv). A relative
    /// path is one from the folder of the plugin's crate, where `cargo test`
    /// runs.
    ///
    /// # Panics
    /// The file cannot be read, or the table has another form.
    #[must_use]
    pub fn from_csv_file(file: impl AsRef<Path>) -> Self {
        let file = file.as_ref();
        match std::fs::read_to_string(file) {
            Ok(table) => Self::from_csv(&table),
            Err(error) => panic!("cannot read {}: {error}", file.display()),
        }
    }

    /// How many sessions there are; the last is one less.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        let longest = self.symbols.iter().map(|history| history.counts.len());
        longest.max().map_or(0, to_u32)
    }

    /// The date of a session, `YYYY-MM-DD`.
    ///
    /// # Panics
    /// There is no such session.
    #[must_use]
    pub fn date(&self, session: Session) -> String {
        match &self.dates {
            Dates::Listed(dates) => dates[session as usize].clone(),
            Dates::From(first) => weekday(*first, session).to_string(),
        }
    }

    /// The last session on or before a date, such as `2022-12-28`.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn session(&self, date: &str) -> Session {
        // Dates of this form are in the order of their texts.
        let mut sessions = (0..self.sessions()).rev();
        sessions
            .find(|session| self.date(*session).as_str() <= date)
            .unwrap_or_else(|| panic!("there is no session on or before {date}"))
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
        AsOf::new(self, session)
    }

    /// Evaluates a strategy as of a session, as the host does: it may look only
    /// at what its requirements name.
    ///
    /// # Errors
    /// Those of the strategy.
    ///
    /// # Panics
    /// There is no such session, or the strategy looks at what it may not, or
    /// holds what is not among its requirements.
    pub fn evaluate<S: Strategy>(&self, strategy: &mut S, as_of: Session) -> Result<Weights> {
        let view = self.as_of(as_of).restricted_to(strategy.requirements());
        let weights = strategy.evaluate(&view.today())?;
        for weight in weights.iter() {
            view.declared(&canonical(&weight.symbol));
        }
        Ok(weights)
    }

    /// The same market with other bars after a session. For each symbol there is
    /// a function that makes a bar of the session's number and the bar there.
    pub(super) fn with_later<F: Fn(usize, Option<f64>) -> Option<f64>>(
        &self,
        session: Session,
        change: impl Fn(&str) -> F,
    ) -> Self {
        let changed = |history: &History| {
            let change = change(&history.name);
            let bars = history.bars().enumerate().map(|(place, bar)| {
                if place > session as usize {
                    change(place, bar)
                } else {
                    bar
                }
            });
            History::new(&history.name, bars)
        };
        Self {
            dates: self.dates.clone(),
            symbols: self.symbols.iter().map(changed).collect(),
            series: RefCell::default(),
        }
    }

    /// The same market, ending with a session.
    pub(super) fn until(&self, session: Session) -> Self {
        let cut = |history: &History| {
            History::new(&history.name, history.bars().take(session as usize + 1))
        };
        Self {
            dates: self.dates.clone(),
            symbols: self.symbols.iter().map(cut).collect(),
            series: RefCell::default(),
        }
    }
}

/// The weekday that is some weekdays after the first weekday on or after a date.
fn weekday(first: jiff::civil::Date, weekdays: u32) -> jiff::civil::Date {
    let days = |count: u32| jiff::Span::new().days(count);
    let place = u32::from(first.weekday().to_monday_zero_offset().unsigned_abs());
    let monday = first.saturating_sub(days(place));
    // From a Saturday or Sunday on, it is the next Monday.
    let (weeks, place) = if place > 4 { (1, 0) } else { (0, place) };
    let weekdays = weeks * 5 + place + weekdays;
    monday.saturating_add(days(weekdays / 5 * 7 + weekdays % 5))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use crate::testing::Explanation;
    use crate::{Error, Files, Market as _, NoParameters, Requirement, Today};

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
    fn dates_are_weekdays() {
        let market = TestMarket::random_walk(1, 20, &["SPY"]);
        let dates = |market: &TestMarket, sessions: [u32; 3]| sessions.map(|it| market.date(it));
        assert_eq!(
            dates(&market, [0, 4, 5]),
            ["2018-01-01", "2018-01-05", "2018-01-08"]
        );
        let market = market.starting("2024-01-04");
        assert_eq!(
            dates(&market, [0, 1, 2]),
            ["2024-01-04", "2024-01-05", "2024-01-08"]
        );
        let market = market.starting("2024-01-06");
        assert_eq!(
            dates(&market, [0, 4, 5]),
            ["2024-01-08", "2024-01-12", "2024-01-15"]
        );
        assert_eq!(market.session("2024-01-14"), 4);
        assert_eq!(market.session("2030-01-01"), 19);
    }

    #[test]
    fn a_table_from_a_file() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/closes.csv");
        let market = TestMarket::from_csv_file(file);
        assert_eq!(market.date(market.session("2022-12-27")), "2022-12-27");
    }

    #[test]
    fn what_is_earlier_stays_when_the_rest_changes() {
        let market = market();
        let bars =
            |market: &TestMarket, symbol: usize| market.symbols[symbol].bars().collect::<Vec<_>>();
        let doubled = market.with_later(1, |_| |_, bar: Option<f64>| bar.map(|bar| 2.0 * bar));
        assert_eq!(bars(&doubled, 0), [100.0, 101.0, 204.0, 206.0].map(Some));
        assert_eq!(bars(&doubled, 1), [None, Some(20.0), None, Some(44.0)]);
        let cut = market.until(1);
        assert_eq!((cut.sessions(), bars(&cut, 1)), (2, vec![None, Some(20.0)]));
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
        type Parameters = NoParameters;

        fn load(_: NoParameters, _: &Files) -> Result<Self> {
            Ok(Self(0, 0))
        }

        fn requirements(&self) -> Vec<Requirement> {
            vec![Requirement::last("SPY", self.0)]
        }

        fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
            let closes = today.closes("SPY", self.1)?;
            Weights::nothing().with("SPY", closes[0] / 1000.0)
        }
    }

    #[test]
    fn a_declared_history() {
        assert_eq!(
            market().evaluate(&mut Needs(3, 3), 3),
            Weights::nothing().with("SPY", 0.101)
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
    #[should_panic(expected = "`TLT` is not among the requirements")]
    fn an_undeclared_holding() {
        struct Elsewhere;

        impl Strategy for Elsewhere {
            type Parameters = NoParameters;

            fn load(_: NoParameters, _: &Files) -> Result<Self> {
                Ok(Self)
            }

            fn requirements(&self) -> Vec<Requirement> {
                vec![Requirement::all("SPY")]
            }

            fn evaluate(&mut self, _: &Today<'_>) -> Result<Weights> {
                Weights::all_in("TLT")
            }
        }
        let _ = market().evaluate(&mut Elsewhere, 1);
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
