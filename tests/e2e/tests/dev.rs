//! `alchemiser dev`: schedules, by the real binary and the real clock.
//!
//! A schedule that had a time a few minutes ago, and a state directory that was
//! last looked at before that, are what is left behind by a machine that was
//! switched off: the time is made up for at once, and nobody has to wait.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use e2e::{Account, Alchemiser, Dev, Project, State, workspace};
use jiff::{ToSpan as _, Unit, Zoned, civil::Weekday};
use serde_json::Value;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// The routes, in which the schedule has another expression.
fn scheduled(expression: &str) -> Project {
    let shipped = fs::read_to_string(workspace().join("routes.toml")).unwrap();
    let routes = shipped.replace("cron(35 9 ? * MON-FRI *)", expression);
    assert_ne!(routes, shipped);
    Project::new().file("routes.toml", routes)
}

/// The program with the schedule switched on, on a venue that is open at
/// whatever time this test is run.
fn always_open(project: &Project) -> Alchemiser {
    let alchemiser = project.alchemiser().with("DAILY_TRADING", "true");
    alchemiser.with("PAPER__ALWAYS_OPEN", "true")
}

/// A time that has come, in New York, to the minute.
fn minutes_ago(minutes: i64) -> Zoned {
    let now = Zoned::now().in_tz("America/New_York").unwrap();
    let minute = now.round(Unit::Minute).unwrap();
    minute.checked_sub(minutes.minutes()).unwrap()
}

/// The expression that fires at one time only.
fn once(at: &Zoned) -> String {
    at.strftime("cron(%-M %-H %-d %-m ? %Y)").to_string()
}

/// As if `dev` had run on the state directory until an hour ago.
fn last_up_an_hour_ago(alchemiser: &Alchemiser, state: &State) {
    let mut dev = Dev::start(alchemiser, state, &[]);
    dev.wait_for("next");
    dev.stop();
    go_back(state);
}

fn go_back(state: &State) {
    state.change("UPDATE schedules SET until = (unixepoch() - 3600) * 1000000");
}

/// The bundled prices as if the last of them were of a session.
fn prices_until(project: &Project, session: &str) -> String {
    let bundled = fs::read_to_string(workspace().join("data/closes.csv")).unwrap();
    let (heading, rows) = bundled.split_once('\n').unwrap();
    let mut date: jiff::civil::Date = session.parse().unwrap();
    let mut moved = Vec::new();
    for row in rows.lines().rev() {
        let (_, closes) = row.split_once(',').unwrap();
        moved.push(format!("{date},{closes}\n"));
        date = date.yesterday().unwrap();
        while matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
            date = date.yesterday().unwrap();
        }
    }
    moved.reverse();
    project.write(
        "prices/closes.csv",
        format!("{heading}\n{}", moved.concat()),
    );
    let instruments = fs::read(workspace().join("data/instruments.toml")).unwrap();
    project.write("prices/instruments.toml", instruments);
    project.path().join("prices").display().to_string()
}

/// Learns from a refusal which session is the last.
fn last_session(alchemiser: &Alchemiser) -> String {
    let state = State::new();
    last_up_an_hour_ago(alchemiser, &state);
    let mut dev = Dev::start(alchemiser, &state, &[]);
    let refused = dev.wait_for("refused");
    assert_eq!(refused["error"]["class"], "StalePrices");
    dev.stop();
    assert_eq!(state.account(), None);
    // The owner is told, and nothing else happened.
    let archive = state.archive(alchemiser);
    assert_eq!(archive.lines().count(), 1, "{archive}");
    assert!(archive.contains("ErrorNotificationRequested"), "{archive}");
    refused["error"]["last_session"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A project with fresh prices whose schedule had a time a few minutes ago.
struct Missed {
    project: Project,
    data: String,
    workflow: String,
}

impl Missed {
    fn new() -> Self {
        let at = minutes_ago(10);
        let project = scheduled(&once(&at));
        let session = last_session(&always_open(&project));
        let data = prices_until(&project, &session);
        let workflow = format!("dev-paper-{session}-{}", at.strftime("%H%M"));
        Self {
            project,
            data,
            workflow,
        }
    }

    fn alchemiser(&self) -> Alchemiser {
        always_open(&self.project)
    }

    /// A state directory on which the time was missed.
    fn state(&self) -> State {
        let state = State::new();
        last_up_an_hour_ago(&self.alchemiser(), &state);
        state
    }

    fn start(&self, state: &State) -> Dev {
        Dev::start(&self.alchemiser(), state, &["--data", &self.data])
    }

    /// Works until the workflow has ended.
    fn finish(&self, state: &State) -> Vec<Value> {
        let mut dev = self.start(state);
        let begin = Instant::now();
        while !self.has_ended(state) {
            assert!(begin.elapsed() < PATIENCE, "{:#?}", dev.lines());
            assert!(dev.is_at_work(), "{:#?}", dev.lines());
        }
        dev.stop()
    }

    fn has_ended(&self, state: &State) -> bool {
        let shown = state.call(&self.alchemiser(), ["workflow", "list", "--json"]);
        if !shown.status.success() {
            return false;
        }
        let workflows = shown.lines();
        assert!(workflows.len() <= 1, "{workflows:#?}");
        let is_ours = |workflow: &Value| {
            assert_eq!(workflow["workflow"], self.workflow);
            workflow["state"] == "completed"
        };
        workflows.iter().any(is_ours)
    }

    fn outcome(&self, state: &State) -> Outcome {
        Outcome {
            archive: state.archive(&self.alchemiser()),
            account: state.account(),
            orders: state.orders(),
            ledger: state.ledger(),
            dead_letters: state.dead_letters(),
        }
    }
}

/// Everything that must be as if nothing had happened.
#[derive(Debug, PartialEq)]
struct Outcome {
    archive: String,
    account: Option<Account>,
    orders: Vec<Value>,
    ledger: Vec<Value>,
    dead_letters: Vec<Value>,
}

fn happened<'a>(lines: &'a [Value], what: &str) -> Vec<&'a Value> {
    let is_it = |line: &&Value| line["happened"] == what;
    lines.iter().filter(is_it).collect()
}

/// Missed, made up for, and not done again; killed at any moment; by two at a
/// time.
#[test]
fn a_missed_time_is_made_up_for_once() {
    let missed = Missed::new();
    let state = missed.state();
    let begin = Instant::now();
    let lines = missed.finish(&state);
    let length = begin.elapsed();
    let started = happened(&lines, "started");
    assert_eq!(started.len(), 1, "{lines:#?}");
    assert_eq!(started[0]["workflow"], missed.workflow);
    let ended = happened(&lines, "ended");
    assert_eq!(ended.len(), 1, "{lines:#?}");
    assert_eq!(ended[0]["state"], "completed");
    let expected = missed.outcome(&state);
    assert!(!expected.orders.is_empty());
    assert_eq!(expected.archive.lines().count(), 6);

    // Not again after a restart, and not even if it were forgotten.
    let lines = missed.start(&state).stop();
    assert_eq!(happened(&lines, "started").len(), 0, "{lines:#?}");
    go_back(&state);
    let mut dev = missed.start(&state);
    dev.wait_for("started-before");
    dev.stop();
    assert_eq!(missed.outcome(&state), expected);
    let list = state.call(&missed.alchemiser(), ["rules", "schedules", "--json"]);
    let schedule = list.exits(0).line();
    assert_eq!(schedule["last"]["outcome"], "started-before");
    assert_eq!(schedule["last"]["detail"], missed.workflow);

    // Killed at any moment.
    let mut hits = 0;
    for number in 1..=8 {
        let state = missed.state();
        let mut dev = missed.start(&state);
        dev.wait_for("ready");
        thread::sleep(length.mul_f64(f64::from(number * number) / 128.0));
        hits += usize::from(dev.told("ended").is_none());
        drop(dev);
        missed.finish(&state);
        assert_eq!(missed.outcome(&state), expected, "kill {number}");
    }
    eprintln!("{hits} of 8 kills hit a workflow of {length:?}");
    assert!(hits > 0, "every kill comes too late to prove anything");

    // Two processes at a time.
    let state = missed.state();
    let other = missed.start(&state);
    let mut lines = missed.finish(&state);
    lines.extend(other.stop());
    assert_eq!(happened(&lines, "started").len(), 1, "{lines:#?}");
    assert_eq!(happened(&lines, "ended").len(), 1, "{lines:#?}");
    assert_eq!(missed.outcome(&state), expected);
}

/// 03:00 in New York is before the opening of every day.
#[test]
fn nothing_is_started_while_the_market_is_closed() {
    let night = minutes_ago(0);
    let mut night = night.with().hour(3).minute(0).second(0).build().unwrap();
    if night > minutes_ago(1) {
        night = night.yesterday().unwrap();
    }
    let project = scheduled(&once(&night));
    let routes = fs::read_to_string(project.path().join("routes.toml")).unwrap();
    let (before, after) = routes.split_at(routes.find("[[schedule]]").unwrap());
    let after = after.replacen("max_age_seconds = 3600", "max_age_seconds = 86400", 1);
    let project = project.file("routes.toml", format!("{before}{after}"));
    let alchemiser = project.alchemiser().with("DAILY_TRADING", "true");
    let state = State::new();
    let mut dev = Dev::start(&alchemiser, &state, &[]);
    dev.wait_for("next");
    dev.stop();
    state.change("UPDATE schedules SET until = (unixepoch() - 90000) * 1000000");

    let mut dev = Dev::start(&alchemiser, &state, &[]);
    let skipped = dev.wait_for("skipped");
    let reason = skipped["reason"].as_str().unwrap();
    assert!(reason.starts_with("market closed: "), "{reason}");
    dev.stop();
    assert_eq!(state.archive(&alchemiser), "");
}

/// Others may work on the same directory meanwhile.
#[test]
fn a_run_and_queries_work_beside_it() {
    let project = scheduled("cron(0 3 1 1 ? 2199)");
    let alchemiser = always_open(&project);
    let state = State::new();
    let mut dev = Dev::start(&alchemiser, &state, &[]);
    let next = dev.wait_for("next");
    assert_eq!(next["at"], "2199-01-01T08:00:00.000000Z");

    for date in ["2022-12-27", "2022-12-28"] {
        let run = state.run(&alchemiser, date).exits(0).line();
        assert_eq!(run["state"], "completed", "{run}");
    }
    let trace = ["events", "trace", "dev-paper-2022-12-28-1600", "--json"];
    assert_eq!(state.call(&alchemiser, trace).exits(0).lines().len(), 6);
    for query in [
        ["workflow", "list"],
        ["dlq", "list"],
        ["rules", "schedules"],
    ] {
        let _ = state.call(&alchemiser, query).exits(0);
    }
    let dry = ["dlq", "redrive", "--all", "--dry-run"];
    let _ = state.call(&alchemiser, dry).exits(0);
    let lines = dev.stop();

    let alone = State::new();
    for date in ["2022-12-27", "2022-12-28"] {
        let _ = alone.run(&alchemiser, date).exits(0);
    }
    assert_eq!(
        state.archive(&alchemiser),
        alone.archive(&alchemiser),
        "{lines:#?}"
    );
    assert_eq!(state.account(), alone.account());
    assert_eq!(state.orders(), alone.orders());
}

/// What a killed run left unfinished is finished by `dev`.
#[test]
fn what_was_begun_elsewhere_is_finished() {
    const DATE: &str = "2022-12-28";
    let alchemiser = Alchemiser::shipped();
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    let length = undisturbed.run(&alchemiser, DATE).duration;
    let unfinished = (0..100).find_map(|number| {
        let state = State::new();
        let mut run = alchemiser.start(state.arguments(["run", "--date", DATE]));
        while !state.path().join("alchemiser.db").exists() {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(length.mul_f64(f64::from(number % 20) / 20.0));
        run.kill().unwrap();
        run.wait().unwrap();
        let listed = state.call(&alchemiser, ["workflow", "list", "--json"]);
        let lines = if listed.status.success() {
            listed.lines()
        } else {
            Vec::new()
        };
        lines
            .iter()
            .any(|line| line["state"] != "completed")
            .then_some(state)
    });
    let state = unfinished.expect("one of many kills hits");
    let mut dev = Dev::start(&alchemiser, &state, &[]);
    let ended = dev.wait_for("ended");
    assert_eq!(ended["state"], "completed");
    dev.stop();
    assert_eq!(state.archive(&alchemiser), undisturbed.archive(&alchemiser));
    assert_eq!(state.account(), undisturbed.account());
}

/// Without anything prepared: the clock comes to the next minute.
#[test]
fn a_time_comes_by_itself() {
    let project = scheduled("rate(1 minute)");
    let alchemiser = always_open(&project);
    let state = State::new();
    let mut dev = Dev::start(&alchemiser, &state, &[]);
    let next = dev.wait_for("next");
    let refused = dev.wait_for("refused");
    assert_eq!(refused["at"], next["at"]);
    assert_eq!(refused["error"]["class"], "StalePrices");
    let time = |line: &Value, field: &str| -> jiff::Timestamp {
        line[field].as_str().unwrap().parse().unwrap()
    };
    let late = time(&refused, "time").duration_since(time(&refused, "at"));
    assert!((0..30).contains(&late.as_secs()), "{refused}");
    dev.signal("INT");
    assert_eq!(dev.wait().code(), Some(0));
}

#[test]
fn a_command_that_there_is_not_is_told_at_once() {
    let shipped = fs::read_to_string(workspace().join("routes.toml")).unwrap();
    let routes = shipped.replace("mode = \"trade\"", "mode = \"pnl\"");
    let project = Project::new().file("routes.toml", routes);
    let alchemiser = project.alchemiser();
    let state = State::new();
    let enabled = alchemiser.clone().with("DAILY_TRADING", "true");
    let refused = state.call(&enabled, ["dev"]).exits(2);
    let mistake = "schedule `daily-trading`: `input`: unknown value `pnl`; known here: `trade`";
    assert!(refused.stderr.contains(mistake), "{}", refused.stderr);
    assert!(!state.path().exists());
    let check = enabled.call(["rules", "check", "--json"]).exits(1).lines();
    assert_eq!(check[0]["finding"], "unknown-command");
    assert_eq!(check[0]["schedule"], "daily-trading");
    assert_eq!(check[0]["message"], mistake);

    // Disabled schedules count as absent.
    let _ = alchemiser.call(["rules", "check"]).exits(0);
    Dev::start(&alchemiser, &state, &[]).stop();
}
