//! `cron(minutes hours day-of-month month day-of-week year)`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::AmbiguousOffset;

use crate::field::{DAY_OF_MONTH, DAY_OF_WEEK, HOURS, MINUTES, MONTH, Numbers, Written, YEAR};
use crate::mistake::{ExpressionError, ExpressionMistake};
use crate::zone::Zone;

/// Fires whenever the clock on the wall shows what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Numbers,
    hours: Numbers,
    days: Days,
    months: Numbers,
    years: Numbers,
}

/// Which days of a month: by their number or by their weekday.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// `1,15`, or `*` in either field.
    OfMonth(Numbers),
    /// `L`
    Last,
    /// `LW`: the last of Monday to Friday.
    LastWorkday,
    /// `15W`: the day of Monday to Friday nearest to it within the month.
    NearestWorkday(u16),
    /// `MON-FRI`; 1 is Sunday.
    OfWeek(Numbers),
    /// `6L`: the last Friday.
    LastOfWeekday(Weekday),
    /// `6#3`: the third Friday.
    NthOfWeekday(Weekday, i8),
}

impl Cron {
    /// Reads the fields, which begin at `offset` of the expression.
    pub(crate) fn parse(text: &str, offset: usize) -> Result<Self, ExpressionError> {
        let whole = Written { text, offset };
        let fields: Vec<Written<'_>> = whole
            .split(' ')
            .filter(|field| !field.text.is_empty())
            .collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            let advice = "they are minutes, hours, day of month, month, day of week and year, as \
                          in `cron(35 9 ? * MON-FRI *)`";
            let message = format!("six fields are needed, and there are {}", fields.len());
            return Err(whole.mistake(message, advice).into());
        };

        // Each field is read, so that all mistakes are found.
        let mut mistakes = Vec::new();
        let mut note = |result: Result<Numbers, ExpressionMistake>| {
            result.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let minutes = note(MINUTES.parse(minutes));
        let hours = note(HOURS.parse(hours));
        let months = note(MONTH.parse(month));
        let years = note(YEAR.parse(year));
        let days = Days::parse(day_of_month, day_of_week)
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let (Some(minutes), Some(hours), Some(days), Some(months), Some(years)) =
            (minutes, hours, days, months, years)
        else {
            mistakes.sort_by_key(|mistake| mistake.span.start);
            return Err(ExpressionError { mistakes });
        };
        let cron = Self {
            minutes,
            hours,
            days,
            months,
            years,
        };
        if cron.dates_from(Date::MIN).next().is_none() {
            return Err(whole
                .mistake("such a day never comes", "choose another day or month")
                .into());
        }
        Ok(cron)
    }

    pub(crate) fn next_after(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let zone = zone.time_zone();
        // Times on the wall are tried in their order. Each stands for the first
        // instant at which the clock shows it, and those come in the same
        // order; so nothing before the present time on the wall can be meant.
        self.times_from(zone.to_datetime(after))
            .filter_map(|time| match zone.to_ambiguous_timestamp(time).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
                AmbiguousOffset::Gap { .. } => None,
            })
            .find(|instant| *instant > after)
    }

    /// The times on the wall that are meant, from the minute of one on.
    fn times_from(&self, first: DateTime) -> impl Iterator<Item = DateTime> {
        self.dates_from(first.date()).flat_map(move |date| {
            let begin = if date == first.date() {
                (first.hour(), first.minute())
            } else {
                (0, 0)
            };
            self.hours
                .from(begin.0.unsigned_abs().into())
                .flat_map(move |hour| {
                    self.minutes.from(0).filter_map(move |minute| {
                        // Within the fields' limits, so that both fit.
                        let time = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
                        (time >= begin).then(|| date.at(time.0, time.1, 0, 0))
                    })
                })
        })
    }

    /// The days that are meant, from one on.
    fn dates_from(&self, first: Date) -> impl Iterator<Item = Date> {
        let first_year = u16::try_from(first.year()).unwrap_or(0);
        self.years
            .from(first_year)
            .filter_map(|year| i16::try_from(year).ok())
            .flat_map(move |year| {
                self.months
                    .from(1)
                    .filter_map(|month| i8::try_from(month).ok())
                    .map(move |month| date(year, month, 1))
            })
            .filter(move |month| month.last_of_month() >= first)
            .flat_map(|month| {
                let days = month.days_in_month();
                (1..=days).filter_map(move |day| month.with().day(day).build().ok())
            })
            .filter(move |date| *date >= first && self.days.contains(*date))
    }
}

impl Days {
    /// Reads the two fields for days, exactly one of which is `?`.
    fn parse(of_month: Written<'_>, of_week: Written<'_>) -> Result<Self, ExpressionMistake> {
        match (of_month.text, of_week.text) {
            ("?", "?") => Err(of_week.mistake(
                "both fields for days are `?`",
                "write `*` here for every day",
            )),
            (_, "?") => Self::of_month(of_month),
            ("?", _) => Self::of_week(of_week),
            _ => Err(of_week.mistake(
                "days are given by month and by week",
                "write `?` in the one of both fields that does not matter",
            )),
        }
    }

    fn of_month(field: Written<'_>) -> Result<Self, ExpressionMistake> {
        match field.text {
            "L" => return Ok(Self::Last),
            "LW" => return Ok(Self::LastWorkday),
            _ => {}
        }
        if let Some(day) = field.text.strip_suffix('W') {
            let day = Written { text: day, ..field };
            return DAY_OF_MONTH.number(day).map(Self::NearestWorkday);
        }
        if field.text.contains(['L', 'W']) {
            return Err(stands_alone(field, "`L`, `LW` or `15W`"));
        }
        DAY_OF_MONTH.parse(field).map(Self::OfMonth)
    }

    fn of_week(field: Written<'_>) -> Result<Self, ExpressionMistake> {
        if field.text == "L" {
            // The last day of the week, which begins with Sunday.
            let saturday = Written {
                text: "SAT",
                ..field
            };
            return DAY_OF_WEEK.parse(saturday).map(Self::OfWeek);
        }
        if field.text.contains(',') && field.text.contains('#') {
            return Err(stands_alone(field, "`6#3` (the third Friday)"));
        }
        if let Some((day, nth)) = field.text.split_once('#') {
            let day = weekday(Written { text: day, ..field })?;
            let nth = match nth {
                "1" => 1,
                "2" => 2,
                "3" => 3,
                "4" => 4,
                "5" => 5,
                _ => {
                    let message = format!("a month has no week number `{nth}`");
                    return Err(field.mistake(message, "write 1 to 5 after the `#`"));
                }
            };
            return Ok(Self::NthOfWeekday(day, nth));
        }
        if let Some(day) = field.text.strip_suffix('L')
            && !field.text.contains(',')
        {
            return weekday(Written { text: day, ..field }).map(Self::LastOfWeekday);
        }
        DAY_OF_WEEK.parse(field).map(Self::OfWeek)
    }

    fn contains(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(days) => days.contains(date.day().unsigned_abs().into()),
            Self::Last => date == date.last_of_month(),
            Self::LastWorkday => date == workday_near(date.last_of_month()),
            Self::NearestWorkday(day) => i8::try_from(*day)
                .ok()
                .and_then(|day| date.with().day(day).build().ok())
                .is_some_and(|day| date == workday_near(day)),
            Self::OfWeek(days) => {
                let day = date.weekday().to_sunday_one_offset();
                days.contains(day.unsigned_abs().into())
            }
            Self::LastOfWeekday(weekday) => {
                date.weekday() == *weekday && date.day() > date.days_in_month() - 7
            }
            Self::NthOfWeekday(weekday, nth) => {
                date.weekday() == *weekday && (date.day() - 1) / 7 + 1 == *nth
            }
        }
    }
}

/// The day of Monday to Friday that is nearest, in the same month.
fn workday_near(date: Date) -> Date {
    let away = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if date == date.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    // Two days from a date of the years 1970 to 2199 is a date too.
    date.saturating_add(jiff::Span::new().days(away))
}

fn weekday(written: Written<'_>) -> Result<Weekday, ExpressionMistake> {
    let number = DAY_OF_WEEK.number(written)?;
    i8::try_from(number)
        .ok()
        .and_then(|number| Weekday::from_sunday_one_offset(number).ok())
        .ok_or_else(|| written.mistake("this is no weekday", "write SUN to SAT"))
}

fn stands_alone(field: Written<'_>, what: &str) -> ExpressionMistake {
    field.mistake(
        format!("`{}` combines what EventBridge does not", field.text),
        format!("{what} stands alone in its field; make a second schedule for other days"),
    )
}
