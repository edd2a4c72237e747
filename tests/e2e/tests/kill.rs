//! Whatever moment the process is killed at, starting it again brings the
//! workflow to the end that it would have had.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use e2e::{Account, Alchemiser, Prices, State};
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// Everything that must be as if nothing had happened.
#[derive(Debug, PartialEq)]
struct Outcome {
    archive: String,
    account: Option<Account>,
    ledger: Vec<Value>,
    orders: Vec<Value>,
    dead_letters: Vec<Value>,
}

impl Outcome {
    fn of(state: &State, alchemiser: &Alchemiser) -> Self {
        Self {
            archive: state.archive(alchemiser),
            account: state.account(),
            ledger: state.ledger(),
            orders: state.orders(),
            dead_letters: state.dead_letters(),
        }
    }
}

/// How long an undisturbed run takes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Until it has made its database.
    database: Duration,
    /// Until it ends.
    end: Duration,
}

impl Pace {
    /// Runs a date and takes the time.
    fn measure(state: &State, alchemiser: &Alchemiser, date: &str) -> Self {
        let mut run = alchemiser.start(state.arguments(["run", "--date", date]));
        let begin = Instant::now();
        let database = wait_for_the_database(state, begin);
        assert!(run.wait().unwrap().success());
        Self {
            database,
            end: begin.elapsed(),
        }
    }
}

/// The time since `begin` at which the database was there.
fn wait_for_the_database(state: &State, begin: Instant) -> Duration {
    let database = state.path().join("alchemiser.db");
    while !database.exists() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_micros(200));
    }
    begin.elapsed()
}

/// From what moment on a kill is timed.
#[derive(Clone, Copy)]
enum Since {
    /// The start of the process: hits its preparations as well.
    Start,
    /// The making of the database: hits what it writes.
    Database,
}

/// Starts a run, and kills it at a random moment. Whether it was still running.
fn kill(
    state: &State,
    alchemiser: &Alchemiser,
    date: &str,
    pace: Pace,
    since: Since,
    random: &mut Rng,
) -> bool {
    let mut run = alchemiser.start(state.arguments(["run", "--date", date]));
    let begin = Instant::now();
    let length = match since {
        Since::Start => pace.end,
        Since::Database => {
            wait_for_the_database(state, begin);
            pace.end - pace.database
        }
    };
    thread::sleep(length.mul_f64(random.f64()));
    let running = run.try_wait().unwrap().is_none();
    // It is not reaped yet, so that the kill cannot hit a stranger.
    run.kill().unwrap();
    run.wait().unwrap();
    running
}

/// A new random sequence; the seed is shown when the test fails.
fn random() -> Rng {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    Rng::with_seed(seed)
}

/// Adds up which steps of a workflow took more than one attempt.
fn count_interrupted(
    counts: &mut BTreeMap<String, usize>,
    state: &State,
    alchemiser: &Alchemiser,
    date: &str,
) {
    let workflow = format!("dev-paper-{date}-1600");
    let trace = state.call(alchemiser, ["events", "trace", &workflow, "--json"]);
    for event in trace.exits(0).lines() {
        for delivery in event["deliveries"].as_array().unwrap() {
            if delivery["attempts"].as_u64().unwrap() > 1 {
                let target = delivery["target"].as_str().unwrap().to_owned();
                *counts.entry(target).or_default() += 1;
            }
        }
    }
}

#[test]
fn a_killed_run_is_brought_to_its_end() {
    const DATE: &str = "2022-12-28";
    const KILLS: usize = 30;
    let alchemiser = Alchemiser::shipped();
    let undisturbed = State::new();
    let pace = Pace::measure(&undisturbed, &alchemiser, DATE);
    let expected = Outcome::of(&undisturbed, &alchemiser);
    assert_eq!(expected.archive.lines().count(), 6);
    assert!(!expected.orders.is_empty());

    let mut random = random();
    let mut hits = 0;
    let mut interrupted = BTreeMap::new();
    for number in 0..KILLS {
        let state = State::new();
        let since = if number % 2 == 0 {
            Since::Start
        } else {
            Since::Database
        };
        if kill(&state, &alchemiser, DATE, pace, since, &mut random) {
            hits += 1;
        }
        let _ = state.run(&alchemiser, DATE).exits(0);
        assert_eq!(Outcome::of(&state, &alchemiser), expected, "{pace:?}");
        count_interrupted(&mut interrupted, &state, &alchemiser, DATE);
    }
    eprintln!("{hits} of {KILLS} kills hit, and interrupted {interrupted:?}; {pace:?}");
    assert!(
        hits >= KILLS / 3,
        "most kills come too late to prove anything"
    );
    assert!(!interrupted.is_empty(), "no kill hit a step");
}

/// The same state, killed over and over while it goes through several sessions.
#[test]
fn a_state_survives_many_kills() {
    let alchemiser = Alchemiser::shipped();
    let dates = Prices::bundled().sessions(6, "2020-03-17");
    let undisturbed = State::new();
    let paces: Vec<Pace> = dates
        .iter()
        .map(|date| Pace::measure(&undisturbed, &alchemiser, date))
        .collect();
    let expected = Outcome::of(&undisturbed, &alchemiser);
    assert_eq!(expected.archive.lines().count(), 6 * dates.len());

    let mut random = random();
    let mut hits = 0;
    let mut interrupted = BTreeMap::new();
    let state = State::new();
    for (date, pace) in dates.iter().zip(&paces) {
        for _ in 0..random.usize(3..6) {
            if kill(&state, &alchemiser, date, *pace, Since::Start, &mut random) {
                hits += 1;
            }
        }
        let _ = state.run(&alchemiser, date).exits(0);
        count_interrupted(&mut interrupted, &state, &alchemiser, date);
    }
    assert_eq!(Outcome::of(&state, &alchemiser), expected, "{paces:?}");
    eprintln!("{hits} kills hit, and interrupted {interrupted:?}; {paces:?}");
    assert!(hits > 0, "every kill comes too late to prove anything");
}

/// What a killed process left unfinished is finished first, even if the next
/// one is asked for another session.
#[test]
fn the_next_session_waits_for_the_one_before() {
    const DATES: [&str; 2] = ["2020-03-16", "2020-03-17"];
    let alchemiser = Alchemiser::shipped();
    let undisturbed = State::new();
    let paces = DATES.map(|date| Pace::measure(&undisturbed, &alchemiser, date));
    let expected = Outcome::of(&undisturbed, &alchemiser);

    let mut random = random();
    let finished_first = (0..100).any(|_| {
        let state = State::new();
        kill(
            &state,
            &alchemiser,
            DATES[0],
            paces[0],
            Since::Database,
            &mut random,
        );
        let next = state
            .call(&alchemiser, ["run", "--date", DATES[1]])
            .exits(0);
        let outcome = Outcome::of(&state, &alchemiser);
        // Killed before its first event, the first session never was.
        if outcome.archive.contains(DATES[0]) {
            assert_eq!(outcome, expected, "{paces:?}");
        }
        next.stdout
            .contains(&format!("Finishing dev-paper-{}-1600 first", DATES[0]))
    });
    assert!(
        finished_first,
        "no kill hit between the first event and the last"
    );
}
