//! Indicators that depend on all points since the first.

use crate::indicator::Indicator;
use crate::series::EvaluationError;
use crate::specification::Specification;

/// A recursive indicator that is given its points one by one.
///
/// What it answers is the same to the last bit as what
/// [`Specification::series`] holds for the point, so that a series that grows
/// need not be computed from its beginning.
#[derive(Clone, Debug)]
pub struct Recursion {
    specification: Specification,
    state: State,
    points: u32,
    /// Whether all points so far were finite: no later one can heal that.
    is_finite: bool,
}

#[derive(Clone, Debug)]
enum State {
    ExponentialMean(ExponentialMean),
    RelativeStrength(RelativeStrength),
}

impl Recursion {
    /// `None` if the indicator is not recursive.
    pub(crate) fn new(specification: Specification, window: u32) -> Option<Self> {
        let state = match specification.indicator() {
            Indicator::ExponentialMovingAveragePrice => {
                State::ExponentialMean(ExponentialMean::new(window))
            }
            Indicator::RelativeStrengthIndex => {
                State::RelativeStrength(RelativeStrength::new(window))
            }
            _ => return None,
        };
        Some(Self {
            specification,
            state,
            points: 0,
            is_finite: true,
        })
    }

    /// What is computed.
    #[must_use]
    pub fn specification(&self) -> Specification {
        self.specification
    }

    /// Goes on to the next point, and answers the value there.
    ///
    /// # Errors
    /// See [`EvaluationError`]. The next point may have a value again.
    pub fn push(&mut self, point: f64) -> Result<f64, EvaluationError> {
        self.points = self.points.saturating_add(1);
        self.is_finite &= point.is_finite();
        let value = match &mut self.state {
            State::ExponentialMean(mean) => mean.push(point),
            State::RelativeStrength(strength) => strength.push(point),
        };
        let need = self.specification.need();
        if self.points < need {
            let have = self.points;
            return Err(EvaluationError::InsufficientHistory { need, have });
        }
        if !self.is_finite || !value.is_finite() {
            let specification = self.specification;
            return Err(EvaluationError::NonFinite { specification });
        }
        Ok(value)
    }
}

/// Exponential moving averages from the `window`-th point on.
pub(crate) fn exponential_means(points: &[f64], window: u32) -> Vec<f64> {
    let mut mean = ExponentialMean::new(window);
    let means = points.iter().map(|point| mean.push(*point));
    means.skip(window as usize - 1).collect()
}

/// Wilder's relative strength index from the point number `window` + 1 on.
pub(crate) fn relative_strengths(points: &[f64], window: u32) -> Vec<f64> {
    let mut strength = RelativeStrength::new(window);
    let strengths = points.iter().map(|point| strength.push(*point));
    strengths.skip(window as usize).collect()
}

#[derive(Clone, Debug)]
struct ExponentialMean {
    /// Of a new point.
    weight: f64,
    average: Option<f64>,
}

impl ExponentialMean {
    fn new(window: u32) -> Self {
        Self {
            weight: 2.0 / (f64::from(window) + 1.0),
            average: None,
        }
    }

    fn push(&mut self, point: f64) -> f64 {
        let average = match self.average {
            Some(average) => self.weight * point + (1.0 - self.weight) * average,
            None => point,
        };
        self.average = Some(average);
        average
    }
}

#[derive(Clone, Debug)]
struct RelativeStrength {
    previous: Option<f64>,
    gains: WilderAverage,
    losses: WilderAverage,
}

impl RelativeStrength {
    fn new(window: u32) -> Self {
        Self {
            previous: None,
            gains: WilderAverage::new(window),
            losses: WilderAverage::new(window),
        }
    }

    /// The value; it means nothing before there were enough points.
    fn push(&mut self, point: f64) -> f64 {
        let Some(previous) = self.previous.replace(point) else {
            return f64::NAN;
        };
        let change = point - previous;
        let gain = self.gains.push(change.max(0.0));
        let loss = self.losses.push((-change).max(0.0));
        let both = gain + loss;
        if both == 0.0 {
            50.0
        } else {
            100.0 * gain / both
        }
    }
}

/// Wilder's moving average: it starts as the mean of the first `window` values
/// and moves towards each later one by 1/`window` of the distance.
#[derive(Clone, Debug)]
struct WilderAverage {
    width: f64,
    /// Values until the average starts.
    missing: u32,
    /// Until then the sum of the values.
    average: f64,
}

impl WilderAverage {
    fn new(window: u32) -> Self {
        Self {
            width: f64::from(window),
            missing: window,
            average: 0.0,
        }
    }

    fn push(&mut self, value: f64) -> f64 {
        if self.missing == 0 {
            self.average = (self.average * (self.width - 1.0) + value) / self.width;
        } else {
            self.average += value;
            self.missing -= 1;
            if self.missing == 0 {
                self.average /= self.width;
            }
        }
        self.average
    }
}
