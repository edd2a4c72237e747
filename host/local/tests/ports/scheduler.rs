//! The scheduler, by a clock that is set by hand.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{ErrorDetail, EventType, Timestamp};
use alchemiser_local::{
    Commands, EventFilter, Happened, Outcome, Queries, Scheduler, StateDirectory,
};
use alchemiser_rules::{Routes, Schedule};
use alchemiser_worker::{Given, StoreError};
use async_trait::async_trait;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DAILY: &str = "cron(35 9 ? * MON-FRI *)";

fn routes_with(schedules: &[(&str, &str, &str)]) -> Arc<Routes> {
    let mut text = "[targets]\ncommand.kind = \"command\"\nnotifier.kind = \"handler\"\n\
        [[rule]]\nname = \"tell\"\npattern = { source = [{ prefix = \"\" }] }\ntarget = \"notifier\"\n"
        .to_owned();
    for (name, expression, more) in schedules {
        text.push_str(&format!(
            "[[schedule]]\nname = \"{name}\"\nexpression = \"{expression}\"\n\
             time_zone = \"America/New_York\"\ntarget = \"command\"\nmax_age_seconds = 3600\n{more}\n"
        ));
    }
    Arc::new(Routes::parse(&text, "routes.toml").unwrap())
}

fn daily() -> Arc<Routes> {
    routes_with(&[("daily", DAILY, "")])
}

/// Starts a workflow for each time, once, as those who know the workflows do;
/// answers something else for times that it is told of.
#[derive(Default)]
struct Orders {
    /// How often each time was asked for.
    asked: Mutex<BTreeMap<String, u32>>,
    answers: Mutex<BTreeMap<String, Given>>,
}

impl Orders {
    fn answer(&self, at: &str, given: Option<Given>) {
        let mut answers = self.answers.lock().unwrap();
        match given {
            Some(given) => answers.insert(at.to_owned(), given),
            None => answers.remove(at),
        };
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl Commands for Orders {
    async fn give(&self, schedule: &Schedule, at: Timestamp) -> Result<Given, StoreError> {
        let time = at.instant().to_string();
        let answer = self.answers.lock().unwrap().get(&time).cloned();
        let mut asked = self.asked.lock().unwrap();
        let times = asked
            .entry(format!("{} {time}", schedule.name))
            .or_default();
        *times += 1;
        Ok(answer.unwrap_or_else(|| {
            let workflow = correlation(&time);
            if *times == 1 {
                Given::Started(workflow)
            } else {
                Given::StartedBefore(workflow)
            }
        }))
    }
}

/// A state directory, and who works on it.
struct Site {
    path: tempfile::TempDir,
    clock: Arc<ManualClock>,
    orders: Arc<Orders>,
}

impl Site {
    fn new(now: &str) -> Self {
        let site = Self {
            path: scratch(),
            clock: ManualClock::new(),
            orders: Arc::default(),
        };
        site.clock.set(now);
        site
    }

    async fn scheduler(&self, routes: &Arc<Routes>) -> Scheduler {
        let directory = self.directory();
        let bus = directory.bus(Arc::clone(routes));
        let orders = Arc::clone(&self.orders);
        Scheduler::open(&bus, routes.schedules(), orders)
            .await
            .unwrap()
    }

    fn directory(&self) -> StateDirectory {
        open(self.path.path(), &self.clock)
    }

    fn queries(&self) -> Queries {
        StateDirectory::open_existing(self.path.path()).unwrap()
    }

    /// Sets the clock, looks, and tells what happened in short.
    async fn look(&self, scheduler: &mut Scheduler, now: &str) -> Vec<String> {
        self.clock.set(now);
        told(scheduler).await
    }
}

async fn told(scheduler: &mut Scheduler) -> Vec<String> {
    let happened = scheduler.look().await.unwrap();
    happened.iter().map(short).collect()
}

fn short(happened: &Happened) -> String {
    let time = |at: &Timestamp| at.instant().strftime("%m-%d %H:%M").to_string();
    match happened {
        Happened::Given { at, given, .. } => match given {
            Given::Started(_) => format!("started {}", time(at)),
            Given::StartedBefore(_) => format!("before {}", time(at)),
            Given::Skipped(reason) => format!("skipped {}: {reason}", time(at)),
            Given::Refused(error) => format!("refused {}: {}", time(at), error.message),
            Given::NotNow(_) => panic!("{happened:?}"),
        },
        Happened::Waits { at, reason, .. } => format!("waits {}: {reason}", time(at)),
        Happened::Missed { missed, .. } => format!("missed {missed}"),
        Happened::SetBack { .. } => "set back".to_owned(),
        Happened::Next { at, .. } => format!("next {}", at.as_ref().map_or("never".into(), time)),
    }
}

fn events(site: &Site) -> Vec<(EventType, String)> {
    let events = site.queries().events(&EventFilter::default()).unwrap();
    let named = |record: &alchemiser_local::EventRecord| {
        let header = record.event.header();
        (record.event.event_type(), header.correlation_id.to_string())
    };
    events.iter().map(named).collect()
}

fn last(site: &Site) -> (Outcome, String) {
    let records = site.queries().schedules().unwrap();
    let last = records[0].last.clone().unwrap();
    (last.outcome, last.detail)
}

#[tokio::test]
async fn a_new_schedule_begins_now_and_fires_at_its_time() {
    let site = Site::new("2026-11-23T14:36:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    // Its time of today had passed when it was first seen.
    assert_eq!(told(&mut scheduler).await, ["next 11-24 14:35"]);
    assert_eq!(
        site.look(&mut scheduler, "2026-11-24T14:34:59Z").await,
        [""; 0]
    );
    assert_eq!(
        site.look(&mut scheduler, "2026-11-24T14:35:00Z").await,
        ["started 11-24 14:35", "next 11-25 14:35"]
    );
    assert_eq!(told(&mut scheduler).await, [""; 0]);
    assert_eq!(
        last(&site),
        (Outcome::Started, "2026-11-24T14:35:00Z".to_owned())
    );
    assert_eq!(events(&site), []);
}

#[tokio::test]
async fn a_restart_in_the_same_minute_starts_nothing_again() {
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    site.look(&mut scheduler, "2026-11-23T14:35:00Z").await;
    drop(scheduler);
    let mut scheduler = site.scheduler(&daily()).await;
    assert_eq!(told(&mut scheduler).await, ["next 11-24 14:35"]);
    assert_eq!(site.orders.asked().len(), 1);
}

/// As when it is killed between starting the workflow and noting so.
#[tokio::test]
async fn what_was_started_and_not_noted_is_found_started() {
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    told(&mut scheduler).await;
    let at = Timestamp::parse("2026-11-23T14:35:00Z").unwrap();
    site.orders.give(&daily().schedules()[0], at).await.unwrap();
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:35:01Z").await,
        ["before 11-23 14:35", "next 11-24 14:35"]
    );
    assert_eq!(last(&site).0, Outcome::StartedBefore);
}

#[tokio::test]
async fn after_an_absence_the_latest_time_is_made_up_for_and_the_others_are_told() {
    let site = Site::new("2026-11-18T14:00:00Z");
    drop(site.scheduler(&daily()).await);
    site.clock.set("2026-11-23T15:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    assert_eq!(
        told(&mut scheduler).await,
        [
            "missed 3 times, from 2026-11-18T14:35:00.000000Z to 2026-11-20T14:35:00.000000Z",
            "started 11-23 14:35",
            "next 11-24 14:35",
        ]
    );
    // The owner is told of what was missed.
    let warning = "daily-2026-11-20T14:35:00Z".to_owned();
    assert_eq!(
        events(&site),
        [(EventType::SystemNotificationRequested, warning)]
    );
    assert_eq!(site.orders.asked(), ["daily 2026-11-23T14:35:00Z"]);
}

#[tokio::test]
async fn what_is_too_old_is_never_made_up_for() {
    let site = Site::new("2026-11-23T14:00:00Z");
    drop(site.scheduler(&daily()).await);
    site.clock.set("2026-11-23T15:35:01Z");
    let mut scheduler = site.scheduler(&daily()).await;
    assert_eq!(
        told(&mut scheduler).await,
        [
            "missed nobody was there at 2026-11-23T14:35:00.000000Z",
            "next 11-24 14:35"
        ]
    );
    assert_eq!(site.orders.asked(), [""; 0]);
    assert_eq!(last(&site).0, Outcome::Missed);
}

#[tokio::test]
async fn what_was_changed_or_switched_on_again_has_missed_nothing() {
    let at_ten = routes_with(&[("daily", "cron(0 10 ? * MON-FRI *)", "")]);
    let off = routes_with(&[("daily", DAILY, "enabled = false")]);
    for meanwhile in [at_ten, off] {
        let site = Site::new("2026-11-18T14:00:00Z");
        drop(site.scheduler(&daily()).await);
        site.clock.set("2026-11-23T14:36:00Z");
        drop(site.scheduler(&meanwhile).await);
        let mut scheduler = site.scheduler(&daily()).await;
        assert_eq!(told(&mut scheduler).await, ["next 11-24 14:35"]);
        assert_eq!(site.orders.asked(), [""; 0]);
    }
}

#[tokio::test]
async fn rates_go_on_where_they_were() {
    let routes = routes_with(&[("often", "rate(10 minutes)", "")]);
    let site = Site::new("2026-11-23T14:00:37Z");
    let mut scheduler = site.scheduler(&routes).await;
    assert_eq!(told(&mut scheduler).await, ["next 11-23 14:10"]);
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:10:00Z").await,
        ["started 11-23 14:10", "next 11-23 14:20"]
    );
    drop(scheduler);
    site.clock.set("2026-11-23T14:24:00Z");
    let mut scheduler = site.scheduler(&routes).await;
    assert_eq!(
        told(&mut scheduler).await,
        ["started 11-23 14:20", "next 11-23 14:30"]
    );
}

#[tokio::test]
async fn what_cannot_be_done_at_the_moment_waits_until_it_is_too_old() {
    let time = "2026-11-23T14:35:00Z";
    let busy = || Some(Given::NotNow("another one has not ended".to_owned()));
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    told(&mut scheduler).await;
    site.orders.answer(time, busy());
    assert_eq!(
        site.look(&mut scheduler, time).await,
        ["waits 11-23 14:35: another one has not ended"]
    );
    // It is told once.
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:36:00Z").await,
        [""; 0]
    );
    site.orders.answer(time, None);
    // The time was asked for before, so that these orders take it for started.
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:37:00Z").await,
        ["before 11-23 14:35", "next 11-24 14:35"]
    );

    let time = "2026-11-24T14:35:00Z";
    site.orders.answer(time, busy());
    site.look(&mut scheduler, time).await;
    assert_eq!(
        site.look(&mut scheduler, "2026-11-24T15:35:01Z").await,
        [
            "refused 11-24 14:35: it could not be done within 3600 s: another one has not ended",
            "next 11-25 14:35"
        ]
    );
    let told = (
        EventType::ErrorNotificationRequested,
        "daily-2026-11-24T14:35:00Z".to_owned(),
    );
    assert_eq!(events(&site), [told]);
}

#[tokio::test]
async fn refusals_are_told_to_the_owner_and_skips_are_not() {
    let (first, second) = ("2026-11-23T14:35:00Z", "2026-11-24T14:35:00Z");
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    told(&mut scheduler).await;
    site.orders.answer(
        first,
        Some(Given::Skipped("market closed: weekend".to_owned())),
    );
    site.orders.answer(
        second,
        Some(Given::Refused(ErrorDetail {
            class: "StalePrices".to_owned(),
            message: "the prices end on 2026-11-20".to_owned(),
            retryable: false,
            context: BTreeMap::new(),
        })),
    );
    assert_eq!(
        site.look(&mut scheduler, first).await,
        [
            "skipped 11-23 14:35: market closed: weekend",
            "next 11-24 14:35"
        ]
    );
    assert_eq!(
        last(&site),
        (Outcome::Skipped, "market closed: weekend".to_owned())
    );
    assert_eq!(events(&site), []);
    assert_eq!(
        site.look(&mut scheduler, second).await,
        [
            "refused 11-24 14:35: the prices end on 2026-11-20",
            "next 11-25 14:35"
        ]
    );
    assert_eq!(events(&site).len(), 1);
    // The event goes where the rules say.
    let directory = site.directory();
    assert_eq!(directory.queries().unwrap().counts().unwrap().pending, 1);
}

#[tokio::test]
async fn of_two_processes_one_starts_and_both_go_on() {
    let site = Site::new("2026-11-23T14:00:00Z");
    let routes = daily();
    let mut one = site.scheduler(&routes).await;
    let mut other = site.scheduler(&routes).await;
    told(&mut one).await;
    told(&mut other).await;
    assert_eq!(
        site.look(&mut one, "2026-11-23T14:35:00Z").await,
        ["started 11-23 14:35", "next 11-24 14:35"]
    );
    assert_eq!(told(&mut other).await, ["next 11-24 14:35"]);
    assert_eq!(site.orders.asked.lock().unwrap().values().sum::<u32>(), 1);

    // At the same instant both ask, and one of them starts it.
    site.clock.set("2026-11-24T14:35:00Z");
    let (one, other) = tokio::join!(one.look(), other.look());
    let all: Vec<Happened> = one.unwrap().into_iter().chain(other.unwrap()).collect();
    let is_start = |happened: &&Happened| {
        matches!(
            happened,
            Happened::Given {
                given: Given::Started(_),
                ..
            }
        )
    };
    assert_eq!(all.iter().filter(is_start).count(), 1, "{all:#?}");
    assert_eq!(last(&site).0, Outcome::Started);
}

#[tokio::test]
async fn a_clock_that_is_corrected_a_little_changes_nothing() {
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    site.look(&mut scheduler, "2026-11-23T14:35:00Z").await;
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:34:30Z").await,
        [""; 0]
    );
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:35:00Z").await,
        [""; 0]
    );
}

/// A clock that was years ahead must not silence a schedule for years, and what
/// comes a second time must not start a second time.
#[tokio::test]
async fn a_clock_that_is_set_back_starts_nothing_twice_and_stops_nothing() {
    let site = Site::new("2026-11-23T14:00:00Z");
    let mut scheduler = site.scheduler(&daily()).await;
    site.look(&mut scheduler, "2026-11-23T14:35:00Z").await;
    let ahead = site.look(&mut scheduler, "2031-11-24T14:36:00Z").await;
    assert!(ahead[0].starts_with("missed more than"), "{ahead:?}");
    assert_eq!(ahead[1..], ["started 11-24 14:35", "next 11-25 14:35"]);

    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:30:00Z").await,
        ["set back", "next 11-23 14:35"]
    );
    // In another process as well.
    drop(scheduler);
    let mut scheduler = site.scheduler(&daily()).await;
    assert_eq!(
        site.look(&mut scheduler, "2026-11-23T14:35:00Z").await,
        ["before 11-23 14:35", "next 11-24 14:35"]
    );
    assert_eq!(
        site.look(&mut scheduler, "2026-11-24T14:35:00Z").await,
        ["started 11-24 14:35", "next 11-25 14:35"]
    );
}

#[tokio::test]
async fn it_works_until_it_is_told_to_stop() {
    let site = Site::new("2026-11-23T14:34:59Z");
    let scheduler = site.scheduler(&daily()).await;
    let stop = tokio::sync::Notify::new();
    let clock = Arc::clone(&site.clock);
    let tell = |happened: Happened| match short(&happened).as_str() {
        "next 11-23 14:35" => clock.advance(Duration::from_secs(1)),
        "next 11-24 14:35" => stop.notify_one(),
        other => assert_eq!(other, "started 11-23 14:35"),
    };
    scheduler.run_until(stop.notified(), tell).await.unwrap();
    assert_eq!(site.orders.asked().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the clock and the processes do: no time starts twice, and none
    /// starts that is not the schedule's, or has not come, or is too old.
    #[test]
    fn no_time_starts_twice(steps in prop::collection::vec((-7_200_i64..14_400, 0_u8..4), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let routes = routes_with(&[("often", "cron(0/20 * * * ? *)", "")]);
            let site = Site::new("2026-03-08T05:00:00Z");
            let mut schedulers = [site.scheduler(&routes).await, site.scheduler(&routes).await];
            let mut started = Vec::new();
            for (seconds, action) in steps {
                site.clock.shift(seconds);
                let number = usize::from(action % 2);
                if action > 1 {
                    schedulers[number] = site.scheduler(&routes).await;
                }
                let now = alchemiser_local::Clock::now(site.clock.as_ref());
                for happened in schedulers[number].look().await.unwrap() {
                    if let Happened::Given { at, given: Given::Started(_), .. } = happened {
                        assert!(at <= now && now.milliseconds_since(at) <= 3_600_000);
                        assert_eq!(at.instant().as_second() % 1_200, 0);
                        started.push(at);
                    }
                }
            }
            let count = started.len();
            started.sort();
            started.dedup();
            assert_eq!(started.len(), count);
        });
    }
}
