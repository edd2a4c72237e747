//! Names of rules and targets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {MAXIMUM_LENGTH} letters, digits, `.`, `-` or `_`, and `{0}` is not")]
pub struct NameError(String);

/// EventBridge's limit for names of rules and ids of targets.
const MAXIMUM_LENGTH: usize = 64;

fn is_name(text: &str) -> bool {
    (1..=MAXIMUM_LENGTH).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

macro_rules! name {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the characters and the length.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                if is_name(&text) { Ok(Self(text)) } else { Err(NameError(text)) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a rule, without any prefix or suffix for a stage.
    RuleName
}

name! {
    /// The name of what a rule sends events to.
    TargetName
}

name! {
    /// The name of a schedule, without any prefix or suffix for a stage.
    ScheduleName
}

/// Why a text is no name of an event bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bus is named by 1 to 256 letters, digits, `/`, `.`, `-` or `_`, and `{0}` is not")]
pub struct BusNameError(String);

/// The name of an event bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusName(String);

impl BusName {
    /// Checks the characters and the length.
    ///
    /// # Errors
    ///
    /// A name that EventBridge does not take.
    pub fn new(text: impl Into<String>) -> Result<Self, BusNameError> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
        if (1..=256).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(BusNameError(text))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BusName {
    fn default() -> Self {
        Self("alchemiser-trading-events".to_owned())
    }
}

impl fmt::Display for BusName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}
