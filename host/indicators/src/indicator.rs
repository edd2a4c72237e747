//! The indicators by name.

use std::fmt;
use std::str::FromStr;

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The unit of the closes.
    Price,
    /// Percent: 1.5 means 1.5 %.
    Percent,
    /// 0 to 100.
    Oscillator,
}

/// An indicator of the strategy language.
///
/// In the formulas p₁…pₘ are the closes, oldest first, w is the window and
/// rₜ = pₜ/pₜ₋₁ − 1. The value is that at pₘ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Indicator {
    /// `current-price`: pₘ. It takes no window.
    CurrentPrice,
    /// `moving-average-price`: mean of the last w closes.
    MovingAveragePrice,
    /// `exponential-moving-average-price`: E₁ = p₁, then
    /// Eₜ = α·pₜ + (1−α)·Eₜ₋₁ with α = 2/(w+1). It runs from the first close
    /// and is answered from the w-th on.
    ExponentialMovingAveragePrice,
    /// `stdev-price`: sample standard deviation (divisor w−1) of the last w
    /// closes.
    StandardDeviationPrice,
    /// `max-drawdown`: the largest of 1 − pₜ/max(p up to t) within the last w
    /// closes, × 100. Never negative for positive closes.
    MaximumDrawdown,
    /// `moving-average-return`: mean of the last w rₜ, × 100.
    MovingAverageReturn,
    /// `cumulative-return`: (pₘ/pₘ₋w − 1) × 100.
    CumulativeReturn,
    /// `stdev-return`: sample standard deviation (divisor w−1) of the last w
    /// 100·rₜ. Not annualised.
    StandardDeviationReturn,
    /// `rsi`: Wilder's relative strength index (*New Concepts in Technical
    /// Trading Systems*, 1978). With gains g = max(pₜ−pₜ₋₁, 0) and losses
    /// l = max(pₜ₋₁−pₜ, 0): the averages G and L start as the means of the
    /// first w changes, then G ← (G·(w−1) + g)/w, L likewise; the value is
    /// 100·G/(G+L), and 50 when both are 0. It runs from the first close.
    RelativeStrengthIndex,
}

impl Indicator {
    /// Every indicator.
    pub const ALL: [Self; 9] = [
        Self::CurrentPrice,
        Self::MovingAveragePrice,
        Self::ExponentialMovingAveragePrice,
        Self::StandardDeviationPrice,
        Self::MaximumDrawdown,
        Self::MovingAverageReturn,
        Self::CumulativeReturn,
        Self::StandardDeviationReturn,
        Self::RelativeStrengthIndex,
    ];

    /// The operator's name in the strategy language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentPrice => "current-price",
            Self::MovingAveragePrice => "moving-average-price",
            Self::ExponentialMovingAveragePrice => "exponential-moving-average-price",
            Self::StandardDeviationPrice => "stdev-price",
            Self::MaximumDrawdown => "max-drawdown",
            Self::MovingAverageReturn => "moving-average-return",
            Self::CumulativeReturn => "cumulative-return",
            Self::StandardDeviationReturn => "stdev-return",
            Self::RelativeStrengthIndex => "rsi",
        }
    }

    /// The window when none is given; `None` if the indicator takes none.
    #[must_use]
    pub fn default_window(self) -> Option<u32> {
        match self {
            Self::CurrentPrice => None,
            Self::MovingAveragePrice => Some(200),
            Self::ExponentialMovingAveragePrice => Some(12),
            Self::StandardDeviationPrice | Self::StandardDeviationReturn => Some(6),
            Self::MaximumDrawdown | Self::CumulativeReturn => Some(60),
            Self::MovingAverageReturn => Some(21),
            Self::RelativeStrengthIndex => Some(14),
        }
    }

    /// The smallest window; `None` if the indicator takes none.
    #[must_use]
    pub fn minimum_window(self) -> Option<u32> {
        match self {
            Self::CurrentPrice => None,
            // One value has no sample deviation.
            Self::StandardDeviationPrice | Self::StandardDeviationReturn => Some(2),
            _ => Some(1),
        }
    }

    /// How many closes a value with this window needs at least. The window is
    /// not looked at if the indicator takes none.
    #[must_use]
    pub fn need(self, window: u32) -> u32 {
        match self {
            Self::CurrentPrice => 1,
            Self::MovingAveragePrice
            | Self::ExponentialMovingAveragePrice
            | Self::StandardDeviationPrice
            | Self::MaximumDrawdown => window,
            // w changes lie between w + 1 closes. Saturating is harmless: no
            // history is that long.
            Self::MovingAverageReturn
            | Self::CumulativeReturn
            | Self::StandardDeviationReturn
            | Self::RelativeStrengthIndex => window.saturating_add(1),
        }
    }

    /// Whether a value depends on all closes since the first, not only on the
    /// last [`need`](Self::need) of them.
    #[must_use]
    pub fn is_recursive(self) -> bool {
        matches!(
            self,
            Self::ExponentialMovingAveragePrice | Self::RelativeStrengthIndex
        )
    }

    /// What the values are measured in.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::CurrentPrice
            | Self::MovingAveragePrice
            | Self::ExponentialMovingAveragePrice
            | Self::StandardDeviationPrice => Unit::Price,
            Self::MaximumDrawdown
            | Self::MovingAverageReturn
            | Self::CumulativeReturn
            | Self::StandardDeviationReturn => Unit::Percent,
            Self::RelativeStrengthIndex => Unit::Oscillator,
        }
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Indicator {
    type Err = UnknownIndicator;

    fn from_str(name: &str) -> Result<Self, UnknownIndicator> {
        Self::ALL
            .into_iter()
            .find(|indicator| indicator.name() == name)
            .ok_or_else(|| UnknownIndicator {
                name: name.to_owned(),
            })
    }
}

/// There is no indicator of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no indicator `{name}`; there are {}", Indicator::ALL.map(Indicator::name).join(", "))]
pub struct UnknownIndicator {
    /// The name as given.
    pub name: String,
}
