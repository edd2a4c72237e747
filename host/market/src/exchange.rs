//! When the stock exchanges of the United States trade.
//!
//! Holidays and half days follow from rules, and what was proclaimed at short
//! notice stands in a table. The rules are those in force today, with the
//! changes since 2000; before that year they were others, and for too distant a
//! year they are a guess. A broker's own calendar knows better what will be.

use alchemiser_events::{SessionDate, Timestamp};
use jiff::civil::{Date, Time, Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use std::fmt;

/// The years that the rules are for.
pub const FIRST_YEAR: i16 = 2000;
/// See [`FIRST_YEAR`].
pub const LAST_YEAR: i16 = 2099;

const OPENS: Time = time(9, 30, 0, 0);
pub(crate) const CLOSES: Time = time(16, 0, 0, 0);
const CLOSES_EARLY: Time = time(13, 0, 0, 0);

/// What a venue does on a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradingDay {
    /// It trades between these times.
    Open(Hours),
    /// It does not trade.
    Closed(Closure),
}

/// The regular trading hours of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The first instant.
    pub opens: Timestamp,
    /// The instant of the closing auction.
    pub closes: Timestamp,
    /// Why it closes early, if it does.
    pub half_day: Option<&'static str>,
}

/// Why a venue is closed for a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closure {
    /// It is a Saturday or a Sunday.
    Weekend,
    /// A holiday by this name, or the day on which it is observed.
    Holiday(&'static str),
    /// Proclaimed for this reason.
    Proclaimed(&'static str),
    /// The venue does not say.
    Unstated,
}

/// A date for which no rules are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the calendar of the exchanges is known here from {FIRST_YEAR} to {LAST_YEAR}, and {date} is not"
)]
pub struct BeyondCalendar {
    /// The date asked for.
    pub date: SessionDate,
}

impl TradingDay {
    /// Why there is no trading at an instant of the day; `None` while there is.
    /// The instant of the closing auction belongs to the day.
    #[must_use]
    pub fn closed_at(&self, at: Timestamp) -> Option<String> {
        match self {
            Self::Closed(closure) => Some(closure.to_string()),
            Self::Open(hours) if at < hours.opens => {
                Some(format!("it opens at {}", on_the_wall(hours.opens)))
            }
            Self::Open(hours) if at > hours.closes => {
                let closed = format!("it closed at {}", on_the_wall(hours.closes));
                Some(match hours.half_day {
                    Some(reason) => format!("{closed}, {reason}"),
                    None => closed,
                })
            }
            Self::Open(_) => None,
        }
    }

    /// Whether there is trading at all.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(self, Self::Open(_))
    }
}

impl fmt::Display for Closure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Weekend => "weekend",
            Self::Holiday(name) | Self::Proclaimed(name) => name,
            Self::Unstated => "no session",
        })
    }
}

/// What the exchanges do on a date.
///
/// # Errors
/// The date is not in the years that the rules are for.
pub fn trading_day(session: SessionDate) -> Result<TradingDay, BeyondCalendar> {
    let date = session.date();
    if !(FIRST_YEAR..=LAST_YEAR).contains(&date.year()) {
        return Err(BeyondCalendar { date: session });
    }
    if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
        return Ok(TradingDay::Closed(Closure::Weekend));
    }
    if let Some(reason) = proclaimed(date) {
        return Ok(TradingDay::Closed(Closure::Proclaimed(reason)));
    }
    if let Some(name) = holiday(date) {
        return Ok(TradingDay::Closed(Closure::Holiday(name)));
    }
    let half_day = half_day(date);
    Ok(TradingDay::Open(Hours {
        opens: instant(date, OPENS),
        closes: instant(date, half_day.map_or(CLOSES, |_| CLOSES_EARLY)),
        half_day,
    }))
}

/// The exchanges' date and time of day at an instant.
#[must_use]
pub fn exchange_time(at: Timestamp) -> Zoned {
    at.instant().to_zoned(new_york())
}

/// The exchanges' date at an instant.
#[must_use]
pub fn exchange_date(at: Timestamp) -> SessionDate {
    SessionDate::new(exchange_time(at).date())
}

#[expect(
    clippy::expect_used,
    reason = "the time zone database is compiled in, and holds New York"
)]
fn new_york() -> TimeZone {
    TimeZone::get("America/New_York").expect("New York is in the database")
}

/// The clock in New York is changed at 02:00, so that the times of day that
/// are asked for here exist once on every date.
#[expect(
    clippy::expect_used,
    reason = "dates that a clock can show are within the range of instants, a day at its ends aside, \
              which no session is on"
)]
pub(crate) fn instant(date: Date, time: Time) -> Timestamp {
    let zoned = date.to_datetime(time).to_zoned(new_york());
    Timestamp::new(zoned.expect("the time of day is an instant").timestamp())
}

/// `HH:MM` in New York.
fn on_the_wall(at: Timestamp) -> String {
    exchange_time(at).strftime("%H:%M").to_string()
}

/// Closures that follow from no rule.
fn proclaimed(date: Date) -> Option<&'static str> {
    const ATTACKS: &str = "the attacks of September 11";
    const HURRICANE: &str = "Hurricane Sandy";
    const MOURNING: &str = "national day of mourning";
    Some(match (date.year(), date.month(), date.day()) {
        (2001, 9, 11..=14) => ATTACKS,
        (2012, 10, 29 | 30) => HURRICANE,
        (2004, 6, 11) | (2007, 1, 2) | (2018, 12, 5) | (2025, 1, 9) => MOURNING,
        _ => return None,
    })
}

/// The holiday that is observed on a day from Monday to Friday.
fn holiday(day: Date) -> Option<&'static str> {
    let year = day.year();
    // A Saturday's holiday is observed on the Friday before, a Sunday's on the
    // Monday after. For New Year's Day that Friday is of another year, and the
    // exchanges are open.
    let observed = |month, of_month| {
        let holiday = date(year, month, of_month);
        let away = match holiday.weekday() {
            Weekday::Saturday => -1,
            Weekday::Sunday => 1,
            _ => 0,
        };
        day == holiday.saturating_add(away.days())
    };
    let nth = |month, weekday, nth| nth_weekday(year, month, weekday, nth) == Some(day);
    if observed(1, 1) {
        Some("New Year's Day")
    } else if nth(1, Weekday::Monday, 3) {
        Some("Martin Luther King Jr. Day")
    } else if nth(2, Weekday::Monday, 3) {
        Some("Washington's Birthday")
    } else if day == easter(year).saturating_sub(2.days()) {
        Some("Good Friday")
    } else if nth(5, Weekday::Monday, -1) {
        Some("Memorial Day")
    } else if year >= 2022 && observed(6, 19) {
        Some("Juneteenth")
    } else if observed(7, 4) {
        Some("Independence Day")
    } else if nth(9, Weekday::Monday, 1) {
        Some("Labor Day")
    } else if nth(11, Weekday::Thursday, 4) {
        Some("Thanksgiving Day")
    } else if observed(12, 25) {
        Some("Christmas Day")
    } else {
        None
    }
}

/// The first, second, … weekday of a month; -1 is the last.
fn nth_weekday(year: i16, month: i8, weekday: Weekday, nth: i8) -> Option<Date> {
    date(year, month, 1).nth_weekday_of_month(nth, weekday).ok()
}

/// Why the exchanges close at 13:00 on a day that is no holiday.
fn half_day(day: Date) -> Option<&'static str> {
    use Weekday::{Friday, Wednesday};
    let weekday = day.weekday();
    let thanksgiving = nth_weekday(day.year(), 11, Weekday::Thursday, 4);
    match (day.month(), day.day()) {
        (11, _) if thanksgiving.is_some_and(|thursday| day == thursday.saturating_add(1.day())) => {
            Some("the day after Thanksgiving")
        }
        // On a Friday it is Christmas Day, observed.
        (12, 24) => Some("Christmas Eve"),
        (12, 26) if day.year() == 2003 => Some("the day after Christmas"),
        // Until 2012 a Wednesday was followed by Independence Day, and the
        // Friday after that was the half day.
        (7, 3) if day.year() >= 2013 || weekday != Wednesday => {
            Some("the day before Independence Day")
        }
        (7, 5) if day.year() < 2013 && weekday == Friday => Some("the day after Independence Day"),
        _ => None,
    }
}

/// Easter Sunday of a year, by the anonymous Gregorian algorithm (*Nature*,
/// 20 April 1876).
fn easter(year: i16) -> Date {
    let (century, of_century) = (year / 100, year % 100);
    let golden = year % 19;
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let full_moon = (19 * golden + century - century / 4 - correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - full_moon - of_century % 4) % 7;
    let late = (golden + 11 * full_moon + 22 * weekday) / 451;
    date(year, 3, 22).saturating_add((full_moon + weekday - 7 * late).days())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> TradingDay {
        trading_day(text.parse().unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The dates are those that the exchanges announced.
    #[test]
    fn holidays() {
        for (dates, name) in [
            (
                &[
                    "2001-01-01",
                    "2006-01-02",
                    "2012-01-02",
                    "2023-01-02",
                    "2026-01-01",
                ][..],
                "New Year's Day",
            ),
            (
                &["2000-01-17", "2024-01-15", "2026-01-19"],
                "Martin Luther King Jr. Day",
            ),
            (
                &["2000-02-21", "2024-02-19", "2026-02-16"],
                "Washington's Birthday",
            ),
            (
                &[
                    "2000-04-21",
                    "2008-03-21",
                    "2011-04-22",
                    "2024-03-29",
                    "2025-04-18",
                    "2026-04-03",
                    "2027-03-26",
                ],
                "Good Friday",
            ),
            (&["2000-05-29", "2024-05-27", "2026-05-25"], "Memorial Day"),
            (
                &[
                    "2022-06-20",
                    "2023-06-19",
                    "2024-06-19",
                    "2026-06-19",
                    "2027-06-18",
                ],
                "Juneteenth",
            ),
            (
                &[
                    "2000-07-04",
                    "2004-07-05",
                    "2020-07-03",
                    "2021-07-05",
                    "2026-07-03",
                ],
                "Independence Day",
            ),
            (&["2000-09-04", "2024-09-02", "2026-09-07"], "Labor Day"),
            (
                &["2000-11-23", "2024-11-28", "2026-11-26"],
                "Thanksgiving Day",
            ),
            (
                &[
                    "2000-12-25",
                    "2004-12-24",
                    "2010-12-24",
                    "2021-12-24",
                    "2022-12-26",
                    "2027-12-24",
                ],
                "Christmas Day",
            ),
        ] {
            for date in dates {
                assert_eq!(
                    day(date),
                    TradingDay::Closed(Closure::Holiday(name)),
                    "{date}"
                );
            }
        }
        assert_eq!(
            day("2025-01-09"),
            TradingDay::Closed(Closure::Proclaimed("national day of mourning"))
        );
        assert_eq!(day("2026-11-21"), TradingDay::Closed(Closure::Weekend));
    }

    /// What looks like a holiday and is none.
    #[test]
    fn sessions() {
        for date in [
            "2010-12-31", // New Year's Day 2011 is a Saturday.
            "2021-12-31",
            "2021-06-18", // Juneteenth came a year later.
            "2020-10-12", // Columbus Day.
            "2022-11-11", // Veterans Day.
            "2001-09-17",
            "2012-10-31",
        ] {
            assert!(day(date).is_session(), "{date}");
        }
    }

    #[test]
    fn half_days() {
        let closes = |date: &str| match day(date) {
            TradingDay::Open(hours) => exchange_time(hours.closes).strftime("%H:%M").to_string(),
            TradingDay::Closed(closure) => closure.to_string(),
        };
        for date in [
            "2001-11-23",
            "2024-11-29",
            "2026-11-27", // after Thanksgiving
            "2002-12-24",
            "2015-12-24",
            "2024-12-24",
            "2026-12-24", // Christmas Eve
            "2003-12-26", // once
            "2000-07-03",
            "2003-07-03",
            "2001-07-03",
            "2013-07-03",
            "2019-07-03",
            "2024-07-03",
            "2025-07-03",
            "2002-07-05", // before 2013 the Friday after a Thursday's holiday
        ] {
            assert_eq!(closes(date), "13:00", "{date}");
        }
        for date in [
            "2002-07-03",
            "2013-07-05",
            "2020-07-02",
            "2021-07-02",
            "2026-07-02", // no half days
            "2004-12-23",
            "2021-12-23",
            "2024-12-26",
            "2025-12-26",
            "2024-12-31",
        ] {
            assert_eq!(closes(date), "16:00", "{date}");
        }
    }

    #[test]
    fn trading_hours_go_by_new_york() {
        for (date, instant, closed) in [
            (
                "2026-03-06",
                "2026-03-06T14:29:59Z",
                Some("it opens at 09:30"),
            ),
            ("2026-03-06", "2026-03-06T14:30:00Z", None),
            ("2026-03-09", "2026-03-09T13:30:00Z", None), // clocks were changed
            ("2026-03-09", "2026-03-09T20:00:00Z", None),
            (
                "2026-03-09",
                "2026-03-09T20:00:01Z",
                Some("it closed at 16:00"),
            ),
            ("2026-11-27", "2026-11-27T18:00:00Z", None),
            (
                "2026-11-27",
                "2026-11-27T18:01:00Z",
                Some("it closed at 13:00, the day after Thanksgiving"),
            ),
            (
                "2026-11-26",
                "2026-11-26T15:00:00Z",
                Some("Thanksgiving Day"),
            ),
            ("2026-11-28", "2026-11-28T15:00:00Z", Some("weekend")),
        ] {
            assert_eq!(
                day(date).closed_at(at(instant)).as_deref(),
                closed,
                "{instant}"
            );
        }
        assert_eq!(
            exchange_date(at("2026-11-28T04:59:59Z")).to_string(),
            "2026-11-27"
        );
    }

    #[test]
    fn other_years_are_not_guessed() {
        for date in ["1999-12-31", "2100-01-04"] {
            let refused = trading_day(date.parse().unwrap()).unwrap_err();
            assert!(refused.to_string().contains("2000 to 2099"), "{refused}");
        }
    }

    #[test]
    fn easter_sundays() {
        for (year, month, of_month) in [
            (2000, 4, 23),
            (2008, 3, 23),
            (2011, 4, 24),
            (2019, 4, 21),
            (2024, 3, 31),
            (2025, 4, 20),
            (2038, 4, 25),
            (2049, 4, 18),
            (2076, 4, 19),
            (2099, 4, 12),
        ] {
            assert_eq!(easter(year), date(year, month, of_month));
        }
    }
}
