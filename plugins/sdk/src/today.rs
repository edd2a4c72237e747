//! The market as of the session under evaluation.

use crate::error::{Error, Result};
use crate::market::{Market, Part, Score, Session};
use std::fmt;

/// The market as of the session under evaluation: its prices and everything
/// before, nothing after.
///
/// A symbol that the data set does not have is an error of the class `NoData`,
/// fewer bars than needed `InsufficientHistory`, a value that is no finite
/// number `NonFinite`. An evaluation hands them on with `?`.
///
/// The indicators have the names of the strategy language, and mean the same:
/// windows count the symbol's own bars, today's included; returns, volatility
/// of returns and drawdown are in percent.
#[derive(Clone, Copy)]
pub struct Today<'a> {
    market: &'a dyn Market,
    session: Session,
    depth: u32,
}

impl<'a> Today<'a> {
    /// A market as of a session.
    #[must_use]
    pub fn new(market: &'a dyn Market, session: Session) -> Self {
        Self {
            market,
            session,
            depth: 0,
        }
    }

    /// The market by handles, for strategies that ask so much that looking up
    /// symbols by name counts.
    #[must_use]
    pub fn market(&self) -> &'a dyn Market {
        self.market
    }

    /// The number of today's session; the first of the data set is 0.
    #[must_use]
    pub fn session(&self) -> Session {
        self.session
    }

    /// Today's date, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> String {
        self.market.date(self.session)
    }

    /// The market as of some sessions ago, to ask what an indicator was then.
    /// Requirements count back from today: the average of 20 closes as of 5
    /// sessions ago needs the last 25.
    ///
    /// # Errors
    /// `InsufficientHistory` when the data set begins later.
    pub fn ago(&self, sessions: u32) -> Result<Self> {
        match self.session.checked_sub(sessions) {
            Some(session) => Ok(Self { session, ..*self }),
            None => Err(Error {
                need: Some(sessions),
                have: Some(self.session),
                ..Error::new(
                    "InsufficientHistory",
                    format!(
                        "before today there are {} of the {sessions} sessions that are needed",
                        self.session
                    ),
                )
            }),
        }
    }

    /// How many bars a symbol has, today's included.
    ///
    /// # Errors
    /// `NoData`.
    pub fn bars(&self, symbol: &str) -> Result<u32> {
        Ok(self.market.bars(self.market.find(symbol)?, self.session))
    }

    /// How many sessions ago the symbol's last bar was: 0 when it has one
    /// today, more when its price is an old one.
    ///
    /// # Errors
    /// `NoData`, or `InsufficientHistory` when it has no bar yet.
    pub fn age(&self, symbol: &str) -> Result<u32> {
        let symbol = self.market.find(symbol)?;
        let last = self.market.last_bar(symbol, self.session)?;
        // A bar is never later than the session that was asked for.
        Ok(self.session.saturating_sub(last))
    }

    /// A symbol's last close, today's if it has one.
    ///
    /// # Errors
    /// See [`Today`].
    pub fn close(&self, symbol: &str) -> Result<f64> {
        self.market.close(self.market.find(symbol)?, self.session)
    }

    /// A symbol's last `count` closes, oldest first.
    ///
    /// # Errors
    /// See [`Today`].
    pub fn closes(&self, symbol: &str, count: u32) -> Result<Vec<f64>> {
        self.market
            .closes(self.market.find(symbol)?, self.session, count)
    }

    /// An indicator by its name in the strategy language; without a window its
    /// default.
    ///
    /// # Errors
    /// `ArgumentError` for an unknown name or a window out of range; else see
    /// [`Today`].
    pub fn indicator(&self, name: &str, symbol: &str, window: Option<u32>) -> Result<f64> {
        let symbol = self.market.find(symbol)?;
        let series = self.market.indicator(name, symbol, window)?;
        self.market.value(series, self.session)
    }
}

/// The indicators of the strategy language. Each is
/// [`indicator`](Today::indicator) with its name.
impl Today<'_> {
    /// `current-price`: the last close.
    ///
    /// # Errors
    /// See [`Today`].
    pub fn current_price(&self, symbol: &str) -> Result<f64> {
        self.indicator("current-price", symbol, None)
    }

    /// `moving-average-price`: the mean of the last `window` closes.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn moving_average_price(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("moving-average-price", symbol, Some(window))
    }

    /// `exponential-moving-average-price`: the mean of all closes, weighted by
    /// α = 2/(window + 1) for the last and (1 − α) times as much for each one
    /// before. It needs all history.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn exponential_moving_average_price(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("exponential-moving-average-price", symbol, Some(window))
    }

    /// `stdev-price`: the sample standard deviation of the last `window` closes.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn stdev_price(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("stdev-price", symbol, Some(window))
    }

    /// `max-drawdown`: the largest fall from a high within the last `window`
    /// closes, in percent, not negative.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn max_drawdown(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("max-drawdown", symbol, Some(window))
    }

    /// `moving-average-return`: the mean of the last `window` returns, in
    /// percent. It needs one close more.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn moving_average_return(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("moving-average-return", symbol, Some(window))
    }

    /// `cumulative-return`: the return over `window` sessions, in percent. It
    /// needs one close more.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn cumulative_return(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("cumulative-return", symbol, Some(window))
    }

    /// `stdev-return`: the sample standard deviation of the last `window`
    /// returns, in percent, not annualised. It needs one close more.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn stdev_return(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("stdev-return", symbol, Some(window))
    }

    /// `rsi`: Wilder's relative strength index, 0 to 100. It needs all history.
    ///
    /// # Errors
    /// See [`Today::indicator`].
    pub fn rsi(&self, symbol: &str, window: u32) -> Result<f64> {
        self.indicator("rsi", symbol, Some(window))
    }
}

/// Why the weights come out as they do, for whoever reads the report. It never
/// influences the answer, and costs nothing when nobody asks: a text given as
/// `format_args!(…)` is composed only then.
impl Today<'_> {
    /// Whether anybody will read explanations.
    #[must_use]
    pub fn explanation_wanted(&self) -> bool {
        self.market.explanation_wanted()
    }

    /// Whether one number is above another; explained as a condition.
    #[must_use]
    pub fn is_above(&self, text: impl fmt::Display, left: f64, right: f64) -> bool {
        self.condition(text, left, right, left > right)
    }

    /// Whether one number is below another; explained as a condition.
    #[must_use]
    pub fn is_below(&self, text: impl fmt::Display, left: f64, right: f64) -> bool {
        self.condition(text, left, right, left < right)
    }

    /// Explains a condition by its two sides, and answers whether it holds.
    #[must_use]
    pub fn condition(&self, text: impl fmt::Display, left: f64, right: f64, holds: bool) -> bool {
        if self.explanation_wanted() {
            let text = text.to_string();
            self.market
                .explain_condition(self.depth, None, &text, left, right, holds);
        }
        holds
    }

    /// Explains a selection: candidates by rank, of which the first `chosen`
    /// were taken.
    pub fn explain_selection(&self, text: impl fmt::Display, ranking: &[Score], chosen: usize) {
        if self.explanation_wanted() {
            let chosen = u32::try_from(chosen).unwrap_or(u32::MAX);
            let text = text.to_string();
            self.market
                .explain_selection(self.depth, None, &text, ranking, chosen);
        }
    }

    /// Explains how the whole is divided.
    pub fn explain_division(&self, text: impl fmt::Display, parts: &[Part]) {
        if self.explanation_wanted() {
            let text = text.to_string();
            self.market.explain_division(self.depth, None, &text, parts);
        }
    }

    /// Explains anything else.
    pub fn explain_note(&self, text: impl fmt::Display) {
        if self.explanation_wanted() {
            self.market
                .explain_note(self.depth, None, &text.to_string());
        }
    }

    /// The same market; what is explained through it is shown as part of what
    /// was explained before.
    #[must_use]
    pub fn nested(&self) -> Self {
        Self {
            depth: self.depth.saturating_add(1),
            ..*self
        }
    }
}

impl fmt::Debug for Today<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Today")
            .field("session", &self.session)
            .field("date", &self.date())
            .finish_non_exhaustive()
    }
}

/// Candidates by their score, largest first; of equals the one that came first.
///
/// ```
/// use alchemiser_sdk::{Score, rank};
///
/// let ranking = rank(["SPY", "TLT", "GLD"], |symbol| Ok(symbol.len() as f64))?;
/// assert_eq!(ranking[0], Score::new("SPY", 3.0));
/// # Ok::<(), alchemiser_sdk::Error>(())
/// ```
///
/// # Errors
/// Those of `score`, and `NonFinite` for a score that is not a finite number.
pub fn rank<S: AsRef<str>>(
    candidates: impl IntoIterator<Item = S>,
    mut score: impl FnMut(&str) -> Result<f64>,
) -> Result<Vec<Score>> {
    let mut ranking = Vec::new();
    for candidate in candidates {
        let name = candidate.as_ref();
        let value = score(name)?;
        if !value.is_finite() {
            return Err(Error::non_finite(format!("the score of `{name}`")));
        }
        ranking.push(Score::new(name, value));
    }
    // The sort is stable. Zero has a sign that is not to count.
    ranking.sort_by(|left, right| (right.value + 0.0).total_cmp(&(left.value + 0.0)));
    Ok(ranking)
}
