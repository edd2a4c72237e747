//! Instants and trading days.

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An instant, to the microsecond; written in UTC with six fractional digits
/// (`2022-12-28T21:00:00.000000Z`), so that equal instants have equal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

/// A trading day, `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionDate(Date);

/// The text is no instant or no date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 instant.
    #[error("`{0}` is not an instant such as `2022-12-28T21:00:00Z`")]
    Timestamp(String),
    /// Not a calendar date.
    #[error("`{0}` is not a date such as `2022-12-28`")]
    Date(String),
}

impl Timestamp {
    /// Anything finer than a microsecond is cut off.
    pub fn new(instant: jiff::Timestamp) -> Self {
        // Cutting off keeps the value in jiff's range: it moves towards the
        // epoch.
        Self(jiff::Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant))
    }

    /// RFC 3339 with `Z` or an offset; an instant without either is taken as
    /// UTC.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::new(instant));
        }
        text.parse::<DateTime>()
            .ok()
            .and_then(|naive| naive.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map(|zoned| Self::new(zoned.timestamp()))
            .ok_or_else(|| TimeError::Timestamp(text.to_owned()))
    }

    /// For arithmetic and time zones.
    pub fn instant(self) -> jiff::Timestamp {
        self.0
    }

    /// The instant some time later; stays at the end of time if that is past it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::new(self.0.saturating_add(duration).unwrap_or(self.0))
    }

    /// Time from `earlier` to here, in milliseconds; negative if it is later.
    pub fn milliseconds_since(self, earlier: Self) -> i64 {
        self.0.as_millisecond() - earlier.0.as_millisecond()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.6}", self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl SessionDate {
    /// The trading day of a calendar date.
    pub fn new(date: Date) -> Self {
        Self(date)
    }

    /// `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        // jiff would also read a date out of a longer text.
        let refused = || TimeError::Date(text.to_owned());
        if text.len() != "2022-12-28".len() {
            return Err(refused());
        }
        text.parse().map(Self).map_err(|_| refused())
    }

    /// For calendar arithmetic.
    pub fn date(self) -> Date {
        self.0
    }
}

impl fmt::Display for SessionDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.to_string())
    }
}

impl fmt::Debug for SessionDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for SessionDate {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SessionDate {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        Self::parse(&text)
    }
}

impl From<SessionDate> for String {
    fn from(date: SessionDate) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn instants_have_one_spelling() {
        for text in [
            "2022-12-28T21:00:00Z",
            "2022-12-28T21:00:00+00:00",
            "2022-12-28T16:00:00-05:00",
            "2022-12-28T21:00:00",
            "2022-12-28T21:00:00.0000009Z",
        ] {
            assert_eq!(
                Timestamp::parse(text).unwrap().to_string(),
                "2022-12-28T21:00:00.000000Z"
            );
        }
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn dates_are_whole() {
        assert_eq!(
            SessionDate::parse("2022-12-28").unwrap().to_string(),
            "2022-12-28"
        );
        for text in [
            "2022-12-32",
            "2022-12-28T10:00:00",
            "22-12-28",
            "20221228",
            "2022-1-2",
        ] {
            assert!(SessionDate::parse(text).is_err(), "{text}");
        }
    }
}
