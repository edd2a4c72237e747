//! Between Rust values and columns.

use alchemiser_events::{Timestamp, Transported};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};
use serde::Serialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::time::Duration;

/// An instant as it is stored.
pub(crate) fn micros(instant: Timestamp) -> i64 {
    instant.instant().as_microsecond()
}

/// The instant some time after another, as it is stored.
pub(crate) fn micros_after(instant: Timestamp, duration: Duration) -> i64 {
    let duration = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    micros(instant).saturating_add(duration)
}

/// A stored instant.
pub(crate) fn instant(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    let micros: i64 = row.get(column)?;
    jiff::Timestamp::from_microsecond(micros)
        .map(Timestamp::new)
        .map_err(|error| unreadable(row, column, error))
}

/// A stored instant that may be absent.
pub(crate) fn optional_instant(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    micros.map(|_| instant(row, column)).transpose()
}

/// A value that is stored as the text that it also has in events: names,
/// amounts, states.
pub(crate) fn text<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let text: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(text).map_err(|error| unreadable(row, column, error))
}

/// A value that is stored as JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(row, column, error))
}

/// An event that is stored as it was transported.
pub(crate) fn transported(row: &Row<'_>, column: &str) -> Result<Transported> {
    let detail = row.get_ref(column)?.as_str()?;
    Transported::parse(detail).map_err(|error| unreadable(row, column, error))
}

/// A value that is stored as JSON and may be absent.
pub(crate) fn optional_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<Option<T>> {
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|_| json(row, column))
        .transpose()
}

/// JSON to store.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

fn unreadable(
    row: &Row<'_>,
    column: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let index = row.as_ref().column_index(column).unwrap_or_default();
    Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}
