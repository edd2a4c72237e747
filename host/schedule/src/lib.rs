//! When a schedule fires: the `cron(…)` and `rate(…)` expressions of Amazon
//! EventBridge Scheduler, and the times that follow from them.
//!
//! [`Expression`] reads either kind; [`Expression::next_after`] gives the first
//! time after an instant. What the documentation of EventBridge Scheduler does
//! not promise is refused, so that an expression that is accepted here is
//! accepted there.
//!
//! *Invariant:* this crate does no I/O and reads no clock.

mod cron;
mod field;
mod mistake;
mod rate;
mod zone;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use cron::Cron;
pub use mistake::{ExpressionError, ExpressionMistake};
pub use rate::Rate;
pub use zone::{Zone, ZoneError};

/// When a schedule fires, to the minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    kind: Kind,
}

/// The two kinds of expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the calendar and the clock on the wall.
    Cron(Cron),
    /// At equal distances from a start.
    Rate(Rate),
}

impl Expression {
    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after `after` at which it fires; none when there is no
    /// further one.
    ///
    /// `cron(…)` goes by the clock on the wall of `zone`: a time that the clock
    /// skips in spring is skipped, and of a time that it shows twice in autumn
    /// the first counts. `rate(…)` fires at `start` and then at equal
    /// distances; a day is 24 hours, whatever the clock shows.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &Zone, start: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Cron(cron) => cron.next_after(after, zone),
            Kind::Rate(rate) => rate.next_after(after, start),
        }
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    /// Reads `cron(…)` or `rate(…)`.
    ///
    /// # Errors
    ///
    /// Every mistake in it, each with its place.
    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let within = |name: &str| {
            let inner = text
                .strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')?;
            Some((inner, name.len() + 1))
        };
        let kind = if let Some((fields, offset)) = within("cron") {
            Kind::Cron(Cron::parse(fields, offset)?)
        } else if let Some((rate, offset)) = within("rate") {
            Kind::Rate(Rate::parse(rate, offset)?)
        } else {
            return Err(ExpressionMistake {
                span: 0..text.len(),
                message: format!("`{text}` is neither `cron(…)` nor `rate(…)`"),
                advice: "write `cron(35 9 ? * MON-FRI *)` (minutes, hours, day of month, month, \
                         day of week, year) or `rate(5 minutes)`"
                    .to_owned(),
            }
            .into());
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
