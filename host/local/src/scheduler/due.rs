//! Which times of a schedule have come.

use alchemiser_events::Timestamp;
use alchemiser_rules::Schedule;

/// Missed times that are counted one by one. After a longer absence nobody
/// wants to know the number, and it would take long to find out.
const MOST: u32 = 1000;

/// What has become due since a schedule was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Times that passed and are not made up for.
    pub(super) missed: Option<Missed>,
    /// The latest time, unless it is too old.
    pub(super) latest: Option<Timestamp>,
}

/// Times that passed without a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: u32,
    /// Whether there were more than were counted.
    pub more: bool,
    /// The first one.
    pub first: Timestamp,
    /// The last one that was counted.
    pub last: Timestamp,
}

/// The first time of a schedule after an instant. `since` is when it was first
/// seen, from which a rate counts.
pub(super) fn next_after(
    schedule: &Schedule,
    since: Timestamp,
    after: Timestamp,
) -> Option<Timestamp> {
    schedule
        .expression
        .next_after(after.instant(), &schedule.zone, since.instant())
        .map(Timestamp::new)
}

/// The oldest time that is still made up for.
pub(super) fn oldest(schedule: &Schedule, now: Timestamp) -> Timestamp {
    let oldest = now.instant().saturating_sub(schedule.retry.max_age);
    // A day before the beginning of time.
    oldest.map_or(now, Timestamp::new)
}

/// What has become due after `until`, up to now. However far apart these are,
/// the times looked at are bounded.
pub(super) fn due(schedule: &Schedule, since: Timestamp, until: Timestamp, now: Timestamp) -> Due {
    let oldest = oldest(schedule, now);
    let mut due = Due::default();
    let mut after = until;
    while let Some(at) = next_after(schedule, since, after).filter(|at| *at <= now) {
        if let Some(earlier) = due.latest.replace(at) {
            due.miss(earlier);
        }
        after = at;
        if let Some(missed) = &mut due.missed
            && missed.count >= MOST
            && !missed.more
            && after < oldest
        {
            missed.more = true;
            after = oldest;
        }
    }
    if let Some(late) = due.latest.take_if(|at| *at < oldest) {
        due.miss(late);
    }
    due
}

impl Due {
    fn miss(&mut self, at: Timestamp) {
        let missed = self.missed.get_or_insert(Missed {
            count: 0,
            more: false,
            first: at,
            last: at,
        });
        missed.count += 1;
        missed.last = at;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alchemiser_rules::Routes;
    use std::time::Instant;

    fn schedule(expression: &str, more: &str) -> Schedule {
        let text = format!(
            "[targets]\ncommand.kind = \"command\"\nlog.kind = \"log\"\n\
             [[rule]]\nname = \"a\"\npattern = {{ source = [\"a\"] }}\ntarget = \"log\"\n\
             [[schedule]]\nname = \"s\"\nexpression = \"{expression}\"\ntarget = \"command\"\n{more}"
        );
        let routes = Routes::parse(&text, "routes.toml").unwrap();
        routes.schedules()[0].clone()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    const NEW_YORK: &str = "time_zone = \"America/New_York\"\nmax_age_seconds = 3600";
    const SINCE: &str = "2026-01-01T00:00:00Z";

    /// The latest time, how many were missed, the first and the last of them.
    fn looked(schedule: &Schedule, until: &str, now: &str) -> String {
        let due = due(schedule, at(SINCE), at(until), at(now));
        let latest = due
            .latest
            .map_or("none".to_owned(), |at| at.instant().to_string());
        match due.missed {
            None => latest,
            Some(missed) => format!(
                "{latest}, missed {}{}: {} to {}",
                missed.count,
                if missed.more { "+" } else { "" },
                missed.first.instant(),
                missed.last.instant()
            ),
        }
    }

    #[test]
    fn a_time_is_due_from_its_instant_on_until_it_is_too_old() {
        let daily = schedule("cron(35 9 ? * MON-FRI *)", NEW_YORK);
        let monday = "2026-11-23T14:35:00Z";
        for (now, due) in [
            ("2026-11-23T14:34:59.999999Z", "none".to_owned()),
            ("2026-11-23T14:35:00Z", monday.to_owned()),
            ("2026-11-23T15:35:00Z", monday.to_owned()),
            (
                "2026-11-23T15:35:01Z",
                format!("none, missed 1: {monday} to {monday}"),
            ),
        ] {
            assert_eq!(looked(&daily, "2026-11-20T14:35:00Z", now), due, "{now}");
            assert_eq!(looked(&daily, monday, now), "none", "it was given");
        }
    }

    #[test]
    fn only_the_latest_of_several_is_made_up_for() {
        let daily = schedule("cron(35 9 ? * MON-FRI *)", NEW_YORK);
        assert_eq!(
            looked(&daily, "2026-11-18T14:35:00Z", "2026-11-23T15:00:00Z"),
            "2026-11-23T14:35:00Z, missed 2: 2026-11-19T14:35:00Z to 2026-11-20T14:35:00Z"
        );
        assert_eq!(
            looked(&daily, "2026-11-18T14:35:00Z", "2026-11-21T15:00:00Z"),
            "none, missed 2: 2026-11-19T14:35:00Z to 2026-11-20T14:35:00Z"
        );
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_due() {
        let daily = schedule("cron(35 9 ? * MON-FRI *)", NEW_YORK);
        for now in [
            "2026-11-23T14:34:59Z",
            "2026-11-20T14:35:00Z",
            "1971-01-01T00:00:00Z",
        ] {
            assert_eq!(looked(&daily, "2026-11-23T14:35:00Z", now), "none");
        }
    }

    /// 02:30 does not exist on the 8th of March; 01:30 does twice on the 1st of
    /// November.
    #[test]
    fn changes_of_the_clock_skip_and_repeat_nothing() {
        let spring = schedule("cron(30 2 * * ? *)", NEW_YORK);
        assert_eq!(
            looked(&spring, "2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"),
            "2026-03-09T06:30:00Z"
        );
        let autumn = schedule("cron(30 1 * * ? *)", NEW_YORK);
        let first = "2026-11-01T05:30:00Z";
        assert_eq!(
            looked(&autumn, "2026-10-31T05:30:00Z", "2026-11-01T06:30:00Z"),
            first
        );
        assert_eq!(looked(&autumn, first, "2026-11-01T07:00:00Z"), "none");
        let open = schedule("cron(35 9 * * ? *)", NEW_YORK);
        assert_eq!(
            looked(&open, "2026-03-07T14:35:00Z", "2026-03-08T13:35:00Z"),
            "2026-03-08T13:35:00Z"
        );
    }

    #[test]
    fn rates_count_from_when_they_were_first_seen() {
        let often = schedule("rate(5 minutes)", "max_age_seconds = 60");
        assert_eq!(looked(&often, SINCE, "2026-01-01T00:04:59Z"), "none");
        assert_eq!(
            looked(&often, SINCE, "2026-01-01T00:05:30Z"),
            "2026-01-01T00:05:00Z"
        );
        assert_eq!(
            looked(&often, SINCE, "2026-01-01T00:11:01Z"),
            "none, missed 2: 2026-01-01T00:05:00Z to 2026-01-01T00:10:00Z"
        );
    }

    /// A laptop that slept, or a clock that jumped by a century.
    #[test]
    fn a_long_absence_is_looked_through_at_once() {
        let begin = Instant::now();
        for expression in [
            "rate(1 minute)",
            "cron(* * * * ? *)",
            "cron(* 9 ? * MON-FRI *)",
        ] {
            let often = schedule(expression, "");
            let due = due(&often, at(SINCE), at(SINCE), at("2126-01-01T12:00:00Z"));
            let missed = due.missed.unwrap();
            assert!(missed.more && missed.count < 3_000, "{missed:?}");
            assert!(due.latest.unwrap() >= at("2126-01-01T09:59:00Z"));
        }
        let once = schedule("cron(0 9 1 1 ? 2030)", "");
        assert_eq!(
            looked(&once, SINCE, "2126-01-01T12:00:00Z"),
            "none, missed 1: 2030-01-01T09:00:00Z to 2030-01-01T09:00:00Z"
        );
        assert!(begin.elapsed().as_secs() < 5);
    }
}
