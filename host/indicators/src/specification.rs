//! An indicator with its window, and its evaluation.

use crate::indicator::Indicator;
use crate::recursive::{Recursion, exponential_means, relative_strengths};
use crate::series::{EvaluationError, Series};
use crate::windowed::{
    drawdown, drawdown_of_returns, drawdowns, drawdowns_of_returns, growth, growths, mean, means,
    scale, standard_deviation, standard_deviations,
};
use std::fmt;

/// An indicator with its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Specification {
    indicator: Indicator,
    /// 1 if the indicator takes none.
    window: u32,
}

/// The window does not suit the indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The indicator takes no window.
    #[error("`{indicator}` takes no window")]
    NotTaken {
        /// The indicator.
        indicator: Indicator,
    },
    /// The window is too small.
    #[error("the window of `{indicator}` is {window}; it must be at least {minimum}")]
    TooSmall {
        /// The indicator.
        indicator: Indicator,
        /// The window as given.
        window: u32,
        /// The smallest window.
        minimum: u32,
    },
}

impl Specification {
    /// The last close.
    pub const CLOSE: Self = Self {
        indicator: Indicator::CurrentPrice,
        window: 1,
    };

    /// An indicator with a window, or with its default window.
    ///
    /// # Errors
    /// The window is smaller than [`Indicator::minimum_window`], or there is
    /// one for an indicator that takes none.
    pub fn new(indicator: Indicator, window: Option<u32>) -> Result<Self, WindowError> {
        let window = match (indicator.minimum_window(), window) {
            (None, None) => 1,
            (None, Some(_)) => return Err(WindowError::NotTaken { indicator }),
            (Some(minimum), Some(window)) if window < minimum => {
                return Err(WindowError::TooSmall {
                    indicator,
                    window,
                    minimum,
                });
            }
            (Some(_), Some(window)) => window,
            (Some(minimum), None) => indicator.default_window().unwrap_or(minimum),
        };
        Ok(Self { indicator, window })
    }

    /// The indicator.
    #[must_use]
    pub fn indicator(self) -> Indicator {
        self.indicator
    }

    /// The window; `None` if the indicator takes none.
    #[must_use]
    pub fn window(self) -> Option<u32> {
        self.indicator.minimum_window().map(|_| self.window)
    }

    /// How many closes a value needs at least.
    #[must_use]
    pub fn need(self) -> u32 {
        self.indicator.need(self.window)
    }

    /// The value at the last of the closes, which are given oldest first. A
    /// recursive indicator needs all closes there are, the others only the last
    /// [`need`](Self::need).
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub fn evaluate(self, closes: &[f64]) -> Result<f64, EvaluationError> {
        self.check_history(count(closes))?;
        if self.indicator.is_recursive() {
            return self.series(closes).at(count(closes));
        }
        let seen = last(closes, self.need());
        let window = self.window as usize;
        let returns = seen.windows(2).map(|pair| pair[1] / pair[0] - 1.0);
        let value = match self.indicator {
            Indicator::CurrentPrice => seen[0],
            Indicator::MovingAveragePrice => mean(seen.iter().copied()),
            Indicator::StandardDeviationPrice => standard_deviation(seen.iter().copied()),
            Indicator::MaximumDrawdown => drawdown(seen.iter().copied()) * 100.0,
            Indicator::MovingAverageReturn => mean(returns) * 100.0,
            Indicator::CumulativeReturn => (seen[window] / seen[0] - 1.0) * 100.0,
            Indicator::StandardDeviationReturn => {
                standard_deviation(returns.map(|change| 100.0 * change))
            }
            // Answered above.
            Indicator::ExponentialMovingAveragePrice | Indicator::RelativeStrengthIndex => f64::NAN,
        };
        self.finite(seen, value)
    }

    /// The values at every close, oldest first.
    #[must_use]
    pub fn series(self, closes: &[f64]) -> Series {
        let points = count(closes);
        if points < self.need() {
            return Series::new(self, points, Vec::new());
        }
        let window = self.window as usize;
        let mut values = match self.indicator {
            Indicator::CurrentPrice => closes.to_vec(),
            Indicator::MovingAveragePrice => means(closes, window),
            Indicator::ExponentialMovingAveragePrice => exponential_means(closes, self.window),
            Indicator::StandardDeviationPrice => standard_deviations(closes, window),
            Indicator::MaximumDrawdown => drawdowns(closes, window),
            Indicator::MovingAverageReturn => means(&returns(closes), window),
            Indicator::CumulativeReturn => closes
                .iter()
                .zip(&closes[window..])
                .map(|(from, to)| to / from - 1.0)
                .collect(),
            Indicator::StandardDeviationReturn => {
                let mut percent = returns(closes);
                scale(&mut percent, |change| 100.0 * change);
                standard_deviations(&percent, window)
            }
            Indicator::RelativeStrengthIndex => relative_strengths(closes, self.window),
        };
        if matches!(
            self.indicator,
            Indicator::MaximumDrawdown
                | Indicator::MovingAverageReturn
                | Indicator::CumulativeReturn
        ) {
            scale(&mut values, |share| share * 100.0);
        }
        blank(
            closes,
            self.need(),
            self.indicator.is_recursive(),
            &mut values,
        );
        Series::new(self, points, values)
    }

    /// The indicator point by point, if it is recursive.
    #[must_use]
    pub fn recursion(self) -> Option<Recursion> {
        Recursion::new(self, self.window)
    }

    /// How many of the latest returns [`evaluate_returns`](Self::evaluate_returns)
    /// looks at; `None` means all of them.
    #[must_use]
    pub fn returns_needed(self) -> Option<u32> {
        match self.indicator {
            Indicator::MovingAverageReturn
            | Indicator::StandardDeviationReturn
            | Indicator::CumulativeReturn => Some(self.window),
            // Between w points lie w − 1 returns.
            Indicator::MaximumDrawdown => Some(self.window - 1),
            Indicator::CurrentPrice
            | Indicator::MovingAveragePrice
            | Indicator::ExponentialMovingAveragePrice
            | Indicator::StandardDeviationPrice
            | Indicator::RelativeStrengthIndex => None,
        }
    }

    /// The value for something that has returns but no closes, such as a
    /// portfolio, at the last of the returns. 0.01 is a return of 1 %.
    ///
    /// Points are those of an index: 100 before the first return, then × (1 + r)
    /// for each; k returns make k + 1 points, and history is counted in points.
    /// The indicators on returns and `max-drawdown` look only at the last
    /// [`returns_needed`](Self::returns_needed); the others are evaluated on
    /// the index and need all returns there are.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub fn evaluate_returns(self, returns: &[f64]) -> Result<f64, EvaluationError> {
        self.check_history(count(returns).saturating_add(1))?;
        let seen = match self.returns_needed() {
            Some(needed) => last(returns, needed),
            None => returns,
        };
        let value = match self.indicator {
            Indicator::MovingAverageReturn => mean(seen.iter().copied()) * 100.0,
            Indicator::StandardDeviationReturn => {
                standard_deviation(seen.iter().map(|change| 100.0 * change))
            }
            Indicator::CumulativeReturn => (growth(seen) - 1.0) * 100.0,
            Indicator::MaximumDrawdown => drawdown_of_returns(seen) * 100.0,
            Indicator::CurrentPrice
            | Indicator::MovingAveragePrice
            | Indicator::ExponentialMovingAveragePrice
            | Indicator::StandardDeviationPrice
            | Indicator::RelativeStrengthIndex => return self.evaluate(&index(returns)),
        };
        self.finite(seen, value)
    }

    /// The values at every point of the index of a series of returns; see
    /// [`evaluate_returns`](Self::evaluate_returns).
    #[must_use]
    pub fn series_of_returns(self, returns: &[f64]) -> Series {
        let points = count(returns).saturating_add(1);
        if points < self.need() {
            return Series::new(self, points, Vec::new());
        }
        let window = self.window as usize;
        let mut values = match self.indicator {
            Indicator::MovingAverageReturn => {
                let mut values = means(returns, window);
                scale(&mut values, |mean| mean * 100.0);
                values
            }
            Indicator::StandardDeviationReturn => {
                let percent: Vec<f64> = returns.iter().map(|change| 100.0 * change).collect();
                standard_deviations(&percent, window)
            }
            Indicator::CumulativeReturn => {
                let mut values = growths(returns, window);
                scale(&mut values, |growth| (growth - 1.0) * 100.0);
                values
            }
            Indicator::MaximumDrawdown => {
                let mut values = drawdowns_of_returns(returns, window - 1);
                scale(&mut values, |share| share * 100.0);
                values
            }
            Indicator::CurrentPrice
            | Indicator::MovingAveragePrice
            | Indicator::ExponentialMovingAveragePrice
            | Indicator::StandardDeviationPrice
            | Indicator::RelativeStrengthIndex => return self.series(&index(returns)),
        };
        blank(returns, self.need() - 1, false, &mut values);
        Series::new(self, points, values)
    }

    /// A value that was made of finite points and is finite itself. The formulas
    /// alone would not do; see [`blank`].
    fn finite(self, points: &[f64], value: f64) -> Result<f64, EvaluationError> {
        if value.is_finite() && points.iter().all(|point| point.is_finite()) {
            Ok(value)
        } else {
            let specification = self;
            Err(EvaluationError::NonFinite { specification })
        }
    }

    fn check_history(self, have: u32) -> Result<(), EvaluationError> {
        let need = self.need();
        if have < need {
            return Err(EvaluationError::InsufficientHistory { need, have });
        }
        Ok(())
    }
}

impl fmt::Display for Specification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.indicator.fmt(formatter)?;
        match self.window() {
            Some(window) => write!(formatter, " {window}"),
            None => Ok(()),
        }
    }
}

/// rₜ = pₜ/pₜ₋₁ − 1, one fewer than the points.
fn returns(points: &[f64]) -> Vec<f64> {
    points
        .windows(2)
        .map(|pair| pair[1] / pair[0] - 1.0)
        .collect()
}

/// The index of a series of returns: 100, then × (1 + r) for each.
fn index(returns: &[f64]) -> Vec<f64> {
    let mut level = 100.0;
    std::iter::once(level)
        .chain(returns.iter().map(|change| {
            level *= 1.0 + change;
            level
        }))
        .collect()
}

/// Marks the values that an input which is not finite went into. The formulas
/// alone would not do: a comparison drops what is not a number, and a division
/// by infinity is finite.
///
/// The value number i comes from `width` inputs beginning with the number i, or
/// from all inputs up to the last of these if it is recursive.
fn blank(inputs: &[f64], width: u32, recursive: bool, values: &mut [f64]) {
    for place in (0..inputs.len()).filter(|&place| !inputs[place].is_finite()) {
        let first = (place + 1).saturating_sub(width as usize);
        let end = if recursive { values.len() } else { place + 1 };
        let end = end.min(values.len());
        if first < end && width > 0 {
            values[first..end].fill(f64::NAN);
        }
    }
}

fn last(values: &[f64], count: u32) -> &[f64] {
    &values[values.len().saturating_sub(count as usize)..]
}

fn count(values: &[f64]) -> u32 {
    u32::try_from(values.len()).unwrap_or(u32::MAX)
}
