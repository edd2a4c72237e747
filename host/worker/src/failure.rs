//! Why a step could not be taken.

use crate::ports::StoreError;
use alchemiser_broker::BrokerError;
use alchemiser_events::{ErrorDetail, UnpackError};
use std::collections::BTreeMap;
use std::fmt;

/// Why a step could not be taken, and whether another attempt may succeed.
///
/// An attempt either asks for a retry and emits nothing, or fails for good;
/// then the dispatcher ends the workflow.
///
/// A failure that *halts* is neither: it says nothing of the delivery, since
/// its worker cannot work at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    detail: Box<ErrorDetail>,
    halts: bool,
}

impl Failure {
    /// Another attempt would fail the same way.
    pub fn permanent(class: &str, message: impl fmt::Display) -> Self {
        Self::new(class, message, false)
    }

    /// Another attempt may succeed.
    pub fn transient(class: &str, message: impl fmt::Display) -> Self {
        Self::new(class, message, true)
    }

    fn new(class: &str, message: impl fmt::Display, retryable: bool) -> Self {
        ErrorDetail {
            class: class.to_owned(),
            message: message.to_string(),
            retryable,
            context: BTreeMap::new(),
        }
        .into()
    }

    /// The same failure with one more thing to know about it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail
            .context
            .insert(name.to_owned(), value.to_string());
        self
    }

    /// The failure as events carry it.
    pub fn detail(&self) -> &ErrorDetail {
        &self.detail
    }

    /// Whether nothing can be done until somebody puts the machine right.
    pub(crate) fn halts(&self) -> bool {
        self.halts
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.detail.class, self.detail.message)
    }
}

impl From<ErrorDetail> for Failure {
    fn from(detail: ErrorDetail) -> Self {
        Self {
            detail: Box::new(detail),
            halts: false,
        }
    }
}

impl From<Failure> for ErrorDetail {
    fn from(failure: Failure) -> Self {
        *failure.detail
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        Self {
            halts: matches!(error, BrokerError::Unusable(_)),
            ..Self::new("BrokerError", &error, error.is_retryable())
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            // They stay so until somebody mends them.
            StoreError::Damaged(_) => Self::permanent("DamagedContent", error),
            StoreError::TooLarge(_) => Self::permanent("PayloadTooLarge", error),
            StoreError::Contradiction(_) => Self::permanent("Contradiction", error),
            StoreError::Conflict(_) | StoreError::Unavailable(_) => {
                Self::transient("StoreError", error)
            }
            StoreError::Unusable(_) => Self {
                halts: true,
                ..Self::transient("StoreError", error)
            },
        }
    }
}

impl From<UnpackError> for Failure {
    fn from(error: UnpackError) -> Self {
        Self::permanent("DamagedContent", error)
    }
}
