//! What is accepted, what is refused and why, and when it fires.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_schedule::{Expression, Zone};
use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};
use proptest::prelude::*;

/// The next times after one, as the clock on the wall shows them.
fn upcoming(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let expression: Expression = expression.parse().unwrap();
    let zone: Zone = zone.parse().unwrap();
    let start = format!("{after}[{zone}]")
        .parse::<Zoned>()
        .unwrap()
        .timestamp();
    let mut after = start;
    std::iter::from_fn(|| {
        after = expression.next_after(after, &zone, start)?;
        Some(
            after
                .to_zoned(zone.time_zone().clone())
                .strftime("%F %H:%M %:z")
                .to_string(),
        )
    })
    .take(count)
    .collect()
}

#[test]
fn times_follow_from_the_fields() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "cron(35 9 ? * MON-FRI *)",
            "2022-12-23T09:35",
            &["2022-12-26 09:35", "2022-12-27 09:35"],
        ),
        (
            "cron(0/15 8-9 * * ? *)",
            "2022-01-01T08:50",
            &["2022-01-01 09:00", "2022-01-01 09:15"],
        ),
        (
            "cron(*/20 * * * ? *)",
            "2022-01-01T00:20",
            &["2022-01-01 00:40", "2022-01-01 01:00"],
        ),
        (
            "cron(5,1 0 1 1/6 ? *)",
            "2022-01-01T00:01",
            &["2022-01-01 00:05", "2022-07-01 00:01"],
        ),
        (
            "cron(10-30/10 0 1 1 ? *)",
            "2021-06-01T00:00",
            &["2022-01-01 00:10", "2022-01-01 00:20"],
        ),
        (
            "cron(0 12 L * ? *)",
            "2024-02-01T00:00",
            &["2024-02-29 12:00", "2024-03-31 12:00"],
        ),
        // 31 July 2022 is a Sunday; 30 April a Saturday.
        (
            "cron(0 12 LW 4,7 ? *)",
            "2022-01-01T00:00",
            &["2022-04-29 12:00", "2022-07-29 12:00"],
        ),
        // 1 October 2022 is a Saturday, and September is no part of October.
        (
            "cron(0 12 1W 10 ? *)",
            "2022-01-01T00:00",
            &["2022-10-03 12:00", "2023-10-02 12:00"],
        ),
        (
            "cron(0 12 15W * ? 2022)",
            "2022-04-20T00:00",
            &["2022-05-16 12:00", "2022-06-15 12:00"],
        ),
        (
            "cron(0 12 31W * ? *)",
            "2022-07-20T00:00",
            &["2022-07-29 12:00", "2022-08-31 12:00"],
        ),
        (
            "cron(0 12 31 * ? *)",
            "2022-03-31T12:00",
            &["2022-05-31 12:00", "2022-07-31 12:00"],
        ),
        (
            "cron(0 12 29 2 ? *)",
            "2022-01-01T00:00",
            &["2024-02-29 12:00", "2028-02-29 12:00"],
        ),
        // 1 is Sunday, not Monday.
        (
            "cron(0 0 ? * 1 *)",
            "2022-12-01T00:00",
            &["2022-12-04 00:00", "2022-12-11 00:00"],
        ),
        (
            "cron(0 0 ? * L *)",
            "2022-12-01T00:00",
            &["2022-12-03 00:00", "2022-12-10 00:00"],
        ),
        (
            "cron(0 0 ? * 6L *)",
            "2022-12-01T00:00",
            &["2022-12-30 00:00", "2023-01-27 00:00"],
        ),
        (
            "cron(0 0 ? * FRI#3 *)",
            "2022-12-01T00:00",
            &["2022-12-16 00:00", "2023-01-20 00:00"],
        ),
        (
            "cron(0 0 ? * TUE#5 *)",
            "2022-12-01T00:00",
            &["2023-01-31 00:00", "2023-05-30 00:00"],
        ),
        (
            "cron(0 0 ? JAN MON,WED 2023-2024)",
            "2023-01-29T00:00",
            &["2023-01-30 00:00", "2024-01-01 00:00"],
        ),
        ("cron(0 0 1 1 ? 2023)", "2023-01-01T00:00", &[]),
        (
            "rate(90 minutes)",
            "2022-12-01T00:00",
            &["2022-12-01 01:30", "2022-12-01 03:00"],
        ),
        (
            "rate(1 day)",
            "2022-12-01T00:00",
            &["2022-12-02 00:00", "2022-12-03 00:00"],
        ),
    ];
    for (expression, after, expected) in table {
        let expected: Vec<String> = expected
            .iter()
            .map(|time| format!("{time} +00:00"))
            .collect();
        assert_eq!(
            upcoming(expression, "UTC", after, 2),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn a_time_that_the_clock_skips_is_skipped() {
    assert_eq!(
        upcoming(
            "cron(30 2 * * ? *)",
            "America/New_York",
            "2023-03-11T00:00",
            3
        ),
        [
            "2023-03-11 02:30 -05:00",
            "2023-03-13 02:30 -04:00",
            "2023-03-14 02:30 -04:00"
        ]
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_fires_once() {
    assert_eq!(
        upcoming(
            "cron(30 1 * * ? *)",
            "America/New_York",
            "2023-11-04T12:00",
            2
        ),
        ["2023-11-05 01:30 -04:00", "2023-11-06 01:30 -05:00"]
    );
    // In the hour that comes a second time nothing fires.
    assert_eq!(
        upcoming(
            "cron(0/30 * * * ? *)",
            "America/New_York",
            "2023-11-05T00:30",
            4
        ),
        [
            "2023-11-05 01:00 -04:00",
            "2023-11-05 01:30 -04:00",
            "2023-11-05 02:00 -05:00",
            "2023-11-05 02:30 -05:00",
        ]
    );
}

#[test]
fn a_schedule_keeps_its_time_on_the_wall_and_a_rate_its_distance() {
    assert_eq!(
        upcoming(
            "cron(35 9 ? * MON-FRI *)",
            "America/New_York",
            "2023-03-10T09:35",
            1
        ),
        ["2023-03-13 09:35 -04:00"]
    );
    assert_eq!(
        upcoming("rate(1 day)", "America/New_York", "2023-03-11T09:35", 1),
        ["2023-03-12 10:35 -04:00"]
    );
}

#[test]
fn a_rate_fires_at_its_start_first() {
    let rate: Expression = "rate(5 minutes)".parse().unwrap();
    let start: Timestamp = "2022-12-01T00:00:00Z".parse().unwrap();
    let before: Timestamp = "2022-11-30T00:00:00Z".parse().unwrap();
    assert_eq!(rate.next_after(before, &Zone::UTC, start), Some(start));
}

/// Each refusal names the place and what to do.
#[test]
fn what_eventbridge_refuses_is_refused() {
    let table = [
        ("daily", "daily", "neither `cron(…)` nor `rate(…)`"),
        (
            "cron(0 9 * * *)",
            "0 9 * * *",
            "six fields are needed, and there are 5",
        ),
        (
            "cron(0 9 * * MON *)",
            "MON",
            "days are given by month and by week",
        ),
        ("cron(0 9 ? * ? *)", "?", "both fields for days are `?`"),
        (
            "cron(60 9 ? * MON *)",
            "60",
            "`60` is no value of the minutes field",
        ),
        ("cron(0 24 ? * MON *)", "24", "it takes 0 to 23"),
        (
            "cron(? 9 ? * MON *)",
            "?",
            "`?` does not stand in the minutes field",
        ),
        ("cron(0 9 0 * ? *)", "0", "it takes 1 to 31"),
        ("cron(0 9 ? * 0 *)", "0", "it takes 1 to 7 or SUN to SAT"),
        (
            "cron(0 9 ? * mon *)",
            "mon",
            "`mon` is no value of the day of week field",
        ),
        (
            "cron(0 9 ? * MON/2 *)",
            "MON/2",
            "`/` does not stand in the day of week field",
        ),
        (
            "cron(0 9 ? * FRI-MON *)",
            "FRI-MON",
            "write two: `FRI-SAT,SUN-MON`",
        ),
        ("cron(0 22-4 * * ? *)", "22-4", "write two: `22-23,0-4`"),
        (
            "cron(0/0 9 * * ? *)",
            "0",
            "a step is a whole number from 1 to 59",
        ),
        (
            "cron(0,,1 9 * * ? *)",
            "",
            "a value is missing in the minutes field",
        ),
        ("cron(+1 9 * * ? *)", "+1", "no value of the minutes field"),
        ("cron(0 9 1,L * ? *)", "1,L", "stands alone in its field"),
        (
            "cron(0 9 ? * 3#1,6#3 *)",
            "3#1,6#3",
            "stands alone in its field",
        ),
        (
            "cron(0 9 ? * MON#6 *)",
            "MON#6",
            "write 1 to 5 after the `#`",
        ),
        ("cron(0 9 * * ? 1969)", "1969", "it takes 1970 to 2199"),
        (
            "cron(0 9 30 2 ? *)",
            "0 9 30 2 ? *",
            "such a day never comes",
        ),
        (
            "cron(0 9 31W 2 ? *)",
            "0 9 31W 2 ? *",
            "such a day never comes",
        ),
        ("rate(5)", "5", "write `rate(5 minutes)`"),
        ("rate(0 minutes)", "0", "no whole number above 0"),
        ("rate(-5 minutes)", "-5", "no whole number above 0"),
        ("rate(00 minutes)", "00", "no whole number above 0"),
        ("rate(36526 days)", "36526", "more than a hundred years"),
        (
            "rate(99999999999999999999 minutes)",
            "99999999999999999999",
            "more than a hundred years",
        ),
        ("rate(1 minutes)", "minutes", "write `rate(1 minute)`"),
        ("rate(5 minute)", "minute", "write `rate(5 minutes)`"),
        ("rate(5 mins)", "mins", "did you mean `minutes`?"),
        (
            "rate(5 weeks)",
            "weeks",
            "rates are in minutes, hours or days",
        ),
    ];
    for (text, place, message) in table {
        let error = text.parse::<Expression>().unwrap_err();
        assert_eq!(error.mistakes.len(), 1, "{text}: {error}");
        assert_eq!(
            &text[error.mistakes[0].span.clone()],
            place,
            "{text}: {error}"
        );
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = "cron(60 24 1 JANUARY MON 1900)"
        .parse::<Expression>()
        .unwrap_err();
    assert_eq!(error.mistakes.len(), 5, "{error}");
}

#[test]
fn zones_go_by_their_names() {
    for (name, nearest) in [
        ("America/NewYork", Some("America/New_York")),
        ("america/new_york", Some("America/New_York")),
        ("New York", Some("America/New_York")),
        ("Frobnia", None),
    ] {
        assert_eq!(
            name.parse::<Zone>().unwrap_err().nearest.as_deref(),
            nearest,
            "{name}"
        );
    }
    assert_eq!(
        "Europe/London".parse::<Zone>().unwrap().name(),
        "Europe/London"
    );
    assert_eq!("UTC".parse::<Zone>().unwrap().name(), "UTC");
}

/// A field as text, and the numbers that it stands for.
fn numbers(minimum: u16, maximum: u16) -> impl Strategy<Value = (String, Vec<u16>)> {
    let range = (minimum..=maximum).prop_flat_map(move |first| (Just(first), first..=maximum));
    prop_oneof![
        Just(("*".to_owned(), (minimum..=maximum).collect())),
        prop::collection::vec(minimum..=maximum, 1..4).prop_map(|numbers| {
            let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            (texts.join(","), numbers)
        }),
        range.prop_map(|(first, last)| (format!("{first}-{last}"), (first..=last).collect())),
        (minimum..=maximum, 1_u16..10).prop_map(move |(first, step)| {
            (
                format!("{first}/{step}"),
                (first..=maximum).step_by(step.into()).collect(),
            )
        }),
    ]
}

/// What a naive reader of the fields would say of one minute.
struct Naive {
    minutes: Vec<u16>,
    hours: Vec<u16>,
    days_of_month: Vec<u16>,
    months: Vec<u16>,
    days_of_week: Vec<u16>,
}

impl Naive {
    fn means(&self, time: DateTime) -> bool {
        let has = |numbers: &[u16], number: i8| numbers.contains(&u16::try_from(number).unwrap());
        has(&self.minutes, time.minute())
            && has(&self.hours, time.hour())
            && has(&self.days_of_month, time.day())
            && has(&self.months, time.month())
            && has(&self.days_of_week, time.weekday().to_sunday_one_offset())
    }
}

proptest! {
    /// The next time is after, is meant by the fields, and is the first such:
    /// no minute between is meant, save one that the clock showed before.
    #[test]
    fn the_next_time_is_the_first_that_is_meant(
        (minutes, hours) in (numbers(0, 59), numbers(0, 23)),
        (day, by_week) in prop_oneof![
            (numbers(1, 31), Just(false)),
            (numbers(1, 7), Just(true)),
        ],
        months in numbers(1, 12),
        after in 1_600_000_000_i64..1_800_000_000,
        zone in prop_oneof![
            Just("UTC"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("Africa/Cairo"),
        ],
    ) {
        prop_assume!(!by_week || !day.0.contains('/'));
        let (of_month, of_week) = if by_week { ("?", day.0.as_str()) } else { (day.0.as_str(), "?") };
        let text = format!("cron({} {} {of_month} {} {of_week} *)", minutes.0, hours.0, months.0);
        let naive = Naive {
            minutes: minutes.1,
            hours: hours.1,
            days_of_month: if by_week { (1..=31).collect() } else { day.1.clone() },
            months: months.1,
            days_of_week: if by_week { day.1 } else { (1..=7).collect() },
        };
        // 30 February never comes.
        let expression = text.parse::<Expression>();
        prop_assume!(expression.is_ok());
        let expression = expression.unwrap();
        let zone: Zone = zone.parse().unwrap();
        let after = Timestamp::from_second(after).unwrap();
        let next = expression.next_after(after, &zone, after).unwrap();
        let wall = |instant: Timestamp| zone.time_zone().to_datetime(instant);
        // Whether the clock shows this time for the first time.
        let first = |instant: Timestamp| {
            zone.time_zone().to_ambiguous_timestamp(wall(instant)).earlier().unwrap() == instant
        };

        prop_assert!(next > after);
        prop_assert!(naive.means(wall(next)), "{text}: {}", wall(next));
        prop_assert!(first(next));
        let minute = 60 - after.as_second().rem_euclid(60);
        let between = (after.as_second() + minute..next.as_second()).step_by(60);
        // A year of minutes is looked at, which is more than most are away.
        for second in between.take(366 * 24 * 60) {
            let instant = Timestamp::from_second(second).unwrap();
            prop_assert!(!(naive.means(wall(instant)) && first(instant)), "{text}: {}", wall(instant));
        }
    }
}
