//! Why a plugin could not answer.

use std::fmt;

/// The result of a plugin's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// A place in a strategy file; line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// Why a plugin could not answer.
///
/// `class` is the stable name that programs match on. The constructors cover
/// the classes that the host and the strategy language use; a plugin may add
/// classes of its own with [`Error::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Stable name, `UpperCamelCase`.
    pub class: String,
    /// For the person who reads it: what happened, and what to do.
    pub message: String,
    /// Where in a file, if it is about one.
    pub place: Option<Place>,
    /// The symbol that it is about.
    pub symbol: Option<String>,
    /// Bars needed.
    pub need: Option<u32>,
    /// Bars there.
    pub have: Option<u32>,
    /// The operator, parameter or quantity that it is about.
    pub what: Option<String>,
}

impl Error {
    /// An error of any class.
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            message: message.into(),
            place: None,
            symbol: None,
            need: None,
            have: None,
            what: None,
        }
    }

    /// A parameter is missing or makes no sense.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            what: Some(name.into()),
            ..Self::new("ParameterError", message)
        }
    }

    /// The data set does not have the symbol.
    pub fn no_data(symbol: impl Into<String>) -> Self {
        let symbol = symbol.into();
        Self {
            message: format!("there are no prices for `{symbol}`"),
            symbol: Some(symbol),
            ..Self::new("NoData", "")
        }
    }

    /// Fewer bars than needed.
    pub fn insufficient_history(symbol: impl Into<String>, need: u32, have: u32) -> Self {
        let symbol = symbol.into();
        let bars = if have == 1 { "bar" } else { "bars" };
        Self {
            message: format!("`{symbol}` has {have} {bars} and {need} are needed"),
            symbol: Some(symbol),
            need: Some(need),
            have: Some(have),
            ..Self::new("InsufficientHistory", "")
        }
    }

    /// A result that is not a finite number.
    pub fn non_finite(what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            message: format!("{what} is not a finite number"),
            what: Some(what),
            ..Self::new("NonFinite", "")
        }
    }

    /// The same error, with the place in a file where it arose.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(formatter, "{line}:{column}: ")?;
        }
        write!(formatter, "{}: {}", self.class, self.message)
    }
}

impl std::error::Error for Error {}

/// The generated error types of the two worlds have the same fields.
macro_rules! convert {
    ($world:ident) => {
        impl From<Error> for crate::bindings::$world::alchemiser::plugin::types::Error {
            fn from(error: Error) -> Self {
                Self {
                    class: error.class,
                    message: error.message,
                    line: error.place.map(|place| place.line),
                    column: error.place.map(|place| place.column),
                    symbol: error.symbol,
                    need: error.need,
                    have: error.have,
                    what: error.what,
                }
            }
        }
    };
}
convert!(strategy);
convert!(portfolio);

impl From<crate::bindings::strategy::alchemiser::plugin::types::Error> for Error {
    fn from(error: crate::bindings::strategy::alchemiser::plugin::types::Error) -> Self {
        Self {
            class: error.class,
            message: error.message,
            place: error
                .line
                .zip(error.column)
                .map(|(line, column)| Place { line, column }),
            symbol: error.symbol,
            need: error.need,
            have: error.have,
            what: error.what,
        }
    }
}
