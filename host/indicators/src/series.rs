//! The values of an indicator at every point of a series.

use crate::specification::Specification;

/// Why an indicator has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Fewer points than needed.
    #[error("{need} closes are needed and there are {have}")]
    InsufficientHistory {
        /// Points needed.
        need: u32,
        /// Points there.
        have: u32,
    },
    /// The result is not a finite number.
    #[error("{specification} is not a finite number")]
    NonFinite {
        /// What was computed.
        specification: Specification,
    },
}

/// The values of an indicator at every point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    specification: Specification,
    points: u32,
    /// Values from the first point that has one. Those that are not finite
    /// stay inside: reading one is an error.
    values: Vec<f64>,
}

impl Series {
    /// `values[i]` belongs to the point number `need + i`, counted from 1.
    pub(crate) fn new(specification: Specification, points: u32, values: Vec<f64>) -> Self {
        Self {
            specification,
            points,
            values,
        }
    }

    /// What was computed.
    #[must_use]
    pub fn specification(&self) -> Specification {
        self.specification
    }

    /// How many points have a value, finite or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no point has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value when `count` points have been seen, that is, at the `count`-th
    /// point.
    ///
    /// # Errors
    /// [`EvaluationError::InsufficientHistory`] when `count` is less than the
    /// indicator needs, or more than the points that the series was made from;
    /// [`EvaluationError::NonFinite`].
    #[inline]
    pub fn at(&self, count: u32) -> Result<f64, EvaluationError> {
        let need = self.specification.need();
        let value = count
            .checked_sub(need)
            .and_then(|index| self.values.get(index as usize));
        match value {
            Some(value) if value.is_finite() => Ok(*value),
            Some(_) => Err(EvaluationError::NonFinite {
                specification: self.specification,
            }),
            None => Err(EvaluationError::InsufficientHistory {
                need: need.max(count),
                have: count.min(self.points),
            }),
        }
    }
}
