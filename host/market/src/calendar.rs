//! The sessions of a data set, by number and by date.

use alchemiser_events::{SessionDate, Timestamp};
use jiff::tz::TimeZone;
use std::fmt;

/// The number of a session: trading days of the data set, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u32);

/// The trading days of a data set, ascending: all dates on which any symbol has
/// a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    dates: Vec<SessionDate>,
}

/// The date is not a session of the data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{date} is not a session of the data{}", Neighbours(*.before, *.after))]
pub struct NotASession {
    /// The date asked for.
    pub date: SessionDate,
    /// The last session before it.
    pub before: Option<SessionDate>,
    /// The first session after it.
    pub after: Option<SessionDate>,
}

impl Calendar {
    /// `dates` may be in any order and hold repetitions.
    pub(crate) fn new(mut dates: Vec<SessionDate>) -> Self {
        // The dates are long ascending runs, which the stable sort merges.
        dates.sort();
        dates.dedup();
        Self { dates }
    }

    /// The date of every session; its place is the session's number.
    #[must_use]
    pub fn dates(&self) -> &[SessionDate] {
        &self.dates
    }

    /// The last session; `None` if there are no sessions at all.
    #[must_use]
    pub fn last(&self) -> Option<Session> {
        self.dates.len().checked_sub(1).map(numbered)
    }

    /// The date of a session; `None` if there is no such session.
    #[must_use]
    pub fn date(&self, session: Session) -> Option<SessionDate> {
        self.dates.get(session.0 as usize).copied()
    }

    /// The session on exactly this date.
    ///
    /// # Errors
    /// There is none; the error names the nearest.
    pub fn session(&self, date: SessionDate) -> Result<Session, NotASession> {
        self.dates
            .binary_search(&date)
            .map(numbered)
            .map_err(|place| NotASession {
                date,
                before: place.checked_sub(1).map(|place| self.dates[place]),
                after: self.dates.get(place).copied(),
            })
    }

    /// The last session on or before a date.
    #[must_use]
    pub fn on_or_before(&self, date: SessionDate) -> Option<Session> {
        let sessions = self.dates.partition_point(|session| *session <= date);
        sessions.checked_sub(1).map(numbered)
    }

    /// The sessions from one date to another, both included.
    pub fn between(
        &self,
        from: SessionDate,
        to: SessionDate,
    ) -> impl ExactSizeIterator<Item = Session> + use<> {
        let first = self.dates.partition_point(|session| *session < from);
        let end = self.dates.partition_point(|session| *session <= to);
        (first..end.max(first)).map(numbered)
    }

    /// The sessions up to and including one, with their dates.
    pub(crate) fn until(
        &self,
        last: Session,
    ) -> impl Iterator<Item = (Session, SessionDate)> + use<'_> {
        let numbered_dates = self.dates.iter().enumerate();
        numbered_dates
            .map(|(place, date)| (numbered(place), *date))
            .take_while(move |(session, _)| *session <= last)
    }

    /// The last session that had closed at an instant.
    #[must_use]
    pub fn last_closed(&self, at: Timestamp) -> Option<Session> {
        let closed = self
            .dates
            .partition_point(|session| closing_time(*session) <= at);
        closed.checked_sub(1).map(numbered)
    }
}

/// When a session closes: 16:00 in New York. Shortened sessions close earlier,
/// which no daily price tells; 16:00 is late enough for all.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "the time zone database is compiled in, and holds New York; \
              16:00 exists on every date there, and is an instant"
)]
pub fn closing_time(session: SessionDate) -> Timestamp {
    let new_york = TimeZone::get("America/New_York").expect("New York is in the database");
    let close = session
        .date()
        .at(16, 0, 0, 0)
        .to_zoned(new_york)
        .expect("16:00 is an instant");
    Timestamp::new(close.timestamp())
}

/// A session number from a place in the list of dates. There are fewer dates
/// in jiff's calendar than numbers in a `u32`.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
pub(crate) fn numbered(place: usize) -> Session {
    Session(place as u32)
}

struct Neighbours(Option<SessionDate>, Option<SessionDate>);

impl fmt::Display for Neighbours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(before), Some(after)) => {
                write!(formatter, "; the nearest are {before} and {after}")
            }
            (Some(last), None) => write!(formatter, ", which ends on {last}"),
            (None, Some(first)) => write!(formatter, ", which begins on {first}"),
            (None, None) => write!(formatter, ", which has none"),
        }
    }
}
