//! Kills the real binary, at random moments and between any two steps, and
//! holds what it leaves behind to what an undisturbed run leaves.
//!
//! `KILLS` kills are spread over these tests, 200 unless the environment says
//! otherwise:
//!
//! ```text
//! KILLS=2000 cargo nextest run --release --workspace -E 'binary(crash)' --no-capture
//! ```
//!
//! A kill that came too late, when the process had ended by itself, does not
//! count. Each test prints its seed when it fails; `SEED` brings it back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod binaries;
mod moments;
mod outcome;
mod points;
mod together;

use alchemiser_fail_points::VARIABLE;
use e2e::{Alchemiser, Project, State};
use fastrand::Rng;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Sessions in which the book sells and buys.
const DATES: [&str; 4] = ["2020-03-12", "2020-03-13", "2020-03-16", "2020-03-17"];

/// Longer than any run takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many of all kills fall to a test, of which this is the share in a hundred.
fn kills(share: usize) -> usize {
    let all = std::env::var("KILLS").map_or(200, |kills| kills.parse().unwrap());
    (all * share).div_ceil(100)
}

/// A new random sequence, unless `SEED` asks for an old one; the seed is shown
/// when the test fails.
fn random() -> Rng {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("SEED={seed}");
    Rng::with_seed(seed)
}

/// The shipped project, in which failures are tried again at once and for as
/// long as it takes.
fn persistent() -> Project {
    let routes = std::fs::read_to_string(e2e::workspace().join("routes.toml")).unwrap();
    let persistent = routes.replace("retry_attempts = 3", "retry_attempts = 185");
    assert_ne!(persistent, routes);
    Project::new()
        .file("routes.toml", persistent)
        .settings("retry = { base_ms = 1, cap_ms = 20 }")
}

/// The same with something to happen at fail points.
fn with_plan(alchemiser: &Alchemiser, plan: &str) -> Alchemiser {
    alchemiser.clone().with_fail_points().with(VARIABLE, plan)
}

/// How a process ended that may have been killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    ByItself(i32),
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::ByItself(code),
            (None, Some(9)) => Self::Killed,
            (None, signal) => panic!("ended by signal {signal:?}"),
        }
    }
}

fn start(state: &State, alchemiser: &Alchemiser, date: &str) -> Child {
    alchemiser.start(state.arguments(["run", "--date", date]))
}

/// Waits for an end that must come.
fn end(mut run: Child) -> End {
    let begin = Instant::now();
    loop {
        if let Some(status) = run.try_wait().unwrap() {
            return status.into();
        }
        if begin.elapsed() > PATIENCE {
            let _ = run.kill();
            let _ = run.wait();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a process after some time, unless it ends before.
fn kill_after(mut run: Child, time: Duration) -> End {
    thread::sleep(time);
    // It is not reaped yet, so that the kill cannot hit a stranger.
    run.kill().unwrap();
    run.wait().unwrap().into()
}

/// The time since `begin` at which the database was there.
fn wait_for_the_database(state: &State, begin: Instant) -> Duration {
    let database = state.path().join("alchemiser.db");
    while !database.exists() {
        assert!(begin.elapsed() < PATIENCE, "it makes no database");
        thread::sleep(Duration::from_micros(200));
    }
    begin.elapsed()
}
