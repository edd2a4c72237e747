//! The sessions of a data set, by number and by date.

use crate::exchange;
use alchemiser_events::{SessionDate, Timestamp};
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
pub fn closing_time(session: SessionDate) -> Timestamp {
    exchange::instant(session.date(), exchange::CLOSES)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn date(text: &str) -> SessionDate {
        text.parse().unwrap()
    }

    fn calendar() -> Calendar {
        Calendar::new(
            ["2022-12-28", "2022-12-23", "2022-12-27", "2022-12-23"]
                .map(date)
                .to_vec(),
        )
    }

    #[test]
    fn sessions_ascend_once_each() {
        let calendar = calendar();
        assert_eq!(
            calendar.dates(),
            ["2022-12-23", "2022-12-27", "2022-12-28"].map(date)
        );
        assert_eq!(calendar.last(), Some(Session(2)));
        assert_eq!(calendar.date(Session(1)), Some(date("2022-12-27")));
        assert_eq!(calendar.date(Session(3)), None);
    }

    #[test]
    fn sessions_by_date() {
        let calendar = calendar();
        for (text, on_or_before, exact) in [
            (
                "2022-12-22",
                None,
                Err("2022-12-22 is not a session of the data, which begins on 2022-12-23"),
            ),
            ("2022-12-23", Some(0), Ok(0)),
            (
                "2022-12-25",
                Some(0),
                Err(
                    "2022-12-25 is not a session of the data; the nearest are 2022-12-23 and 2022-12-27",
                ),
            ),
            ("2022-12-28", Some(2), Ok(2)),
            (
                "2023-01-03",
                Some(2),
                Err("2023-01-03 is not a session of the data, which ends on 2022-12-28"),
            ),
        ] {
            assert_eq!(calendar.on_or_before(date(text)), on_or_before.map(Session));
            let session = calendar
                .session(date(text))
                .map_err(|error| error.to_string());
            assert_eq!(session, exact.map(Session).map_err(ToOwned::to_owned));
        }
        let none = Calendar::new(Vec::new());
        assert_eq!(none.last(), None);
        assert_eq!(
            none.session(date("2022-12-22")).unwrap_err().to_string(),
            "2022-12-22 is not a session of the data, which has none"
        );
    }

    #[test]
    fn sessions_between_dates() {
        let calendar = calendar();
        for (from, to, expected) in [
            ("2022-12-01", "2022-12-27", vec![0, 1]),
            ("2022-12-24", "2022-12-31", vec![1, 2]),
            ("2022-12-28", "2022-12-23", vec![]),
        ] {
            let sessions = calendar.between(date(from), date(to));
            assert_eq!(
                sessions.map(|session| session.0).collect::<Vec<_>>(),
                expected
            );
        }
    }

    /// 16:00 in New York is 20:00 UTC in summer and 21:00 in winter.
    #[test]
    fn closing_times_follow_daylight_saving_time() {
        for (session, instant) in [
            ("2022-03-11", "2022-03-11T21:00:00Z"),
            ("2022-03-14", "2022-03-14T20:00:00Z"),
            ("2022-11-04", "2022-11-04T20:00:00Z"),
            ("2022-11-07", "2022-11-07T21:00:00Z"),
        ] {
            assert_eq!(
                closing_time(date(session)),
                Timestamp::parse(instant).unwrap()
            );
        }
    }

    #[test]
    fn a_session_has_closed_at_its_closing_time() {
        let calendar = calendar();
        for (instant, closed) in [
            ("2022-12-23T20:59:59Z", None),
            ("2022-12-23T21:00:00Z", Some(0)),
            ("2022-12-26T12:00:00Z", Some(0)),
            ("2022-12-27T20:59:59.999999Z", Some(0)),
            ("2022-12-27T21:00:00Z", Some(1)),
            ("2030-01-01T00:00:00Z", Some(2)),
        ] {
            let instant = Timestamp::parse(instant).unwrap();
            assert_eq!(calendar.last_closed(instant), closed.map(Session));
        }
    }
}
