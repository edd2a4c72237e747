//! Time zones by their names.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{self, TimeZone};

use alchemiser_suggest::nearest;

/// A time zone of the IANA database, such as `America/New_York`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// There is no time zone of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`")]
pub struct ZoneError {
    name: String,
    /// The name that was most likely meant.
    pub nearest: Option<String>,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        // Only zones with names are made.
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Its offsets.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    /// Finds a zone by its name, upper and lower case as in the database:
    /// EventBridge takes no other.
    fn from_str(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZone::get(name).ok();
        match zone.filter(|zone| zone.iana_name() == Some(name)) {
            Some(zone) => Ok(Self(zone)),
            None => Err(ZoneError {
                name: name.to_owned(),
                nearest: meant(name),
            }),
        }
    }
}

/// The zone whose name is nearest, upper and lower case aside; a bare city is
/// enough.
fn meant(name: &str) -> Option<String> {
    let name = name.to_lowercase().replace(' ', "_");
    let known: Vec<(String, String)> = tz::db()
        .available()
        .map(|known| (known.to_string().to_lowercase(), known.to_string()))
        .collect();
    let city = known
        .iter()
        .map(|(lowercase, _)| lowercase.as_str())
        .find(|known| *known == name || known.rsplit('/').next() == Some(&name));
    let likeliest =
        city.or_else(|| nearest(&name, known.iter().map(|(known, _)| known.as_str())))?;
    known
        .iter()
        .find_map(|(lowercase, known)| (lowercase == likeliest).then(|| known.clone()))
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
