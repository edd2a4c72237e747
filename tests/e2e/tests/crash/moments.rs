//! Kills at random moments: of the release, and of the program over a broker
//! and a disk that fail.

use crate::outcome::Outcome;
use crate::{
    DATES, End, PATIENCE, end, kill_after, kills, persistent, random, start, wait_for_the_database,
    with_plan,
};
use e2e::{Alchemiser, State};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
        let begin = Instant::now();
        let run = start(state, alchemiser, date);
        let database = wait_for_the_database(state, begin);
        assert_eq!(end(run), End::ByItself(0));
        Self {
            database,
            end: begin.elapsed(),
        }
    }
}

/// A state that goes through the sessions, killed over and over.
struct Walk<'a> {
    /// The program for an attempt that may be killed, by a random number.
    alchemiser: &'a dyn Fn(u32) -> Alchemiser,
    /// Whether an attempt may end by itself and in failure.
    may_fail: bool,
    paces: &'a [Pace],
    hits: usize,
    interrupted: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn go(&mut self, random: &mut Rng) -> State {
        let state = State::new();
        for (number, (date, pace)) in DATES.iter().zip(self.paces).enumerate() {
            let mut left = random.usize(3..7);
            while left > 0 {
                let run = start(&state, &(self.alchemiser)(random.u32(..)), date);
                // The first has nothing to open yet; half of the others are hit
                // in their preparations as well.
                let (from, until) = match (number, random.bool()) {
                    (0, _) | (_, true) => (Duration::ZERO, pace.end),
                    (_, false) => (pace.database.min(pace.end), pace.end),
                };
                let time = from + (until - from).mul_f64(random.f64());
                match kill_after(run, time) {
                    End::Killed => {
                        self.hits += 1;
                        left -= 1;
                    }
                    End::ByItself(0) => left = 0,
                    End::ByItself(code) => self.failed(code),
                }
            }
            self.finish(&state, date, random);
        }
        state
    }

    fn failed(&self, code: i32) {
        assert!(
            self.may_fail && code == 1,
            "it failed by itself, with {code}"
        );
    }

    /// Until it succeeds.
    fn finish(&mut self, state: &State, date: &str, random: &mut Rng) {
        let begin = Instant::now();
        loop {
            match end(start(state, &(self.alchemiser)(random.u32(..)), date)) {
                End::ByItself(0) => break,
                End::ByItself(code) => self.failed(code),
                End::Killed => panic!("nobody kills it"),
            }
            assert!(begin.elapsed() < PATIENCE, "it never succeeds");
        }
        let targets = "SELECT target FROM deliveries JOIN events ON event = events.position
                       WHERE attempts > failures + 1 AND correlation_id LIKE '%-' || ?1 || '-%'";
        for target in state.rows(&targets.replace("?1", &format!("'{date}'")), |row| {
            row.get::<_, String>(0)
        }) {
            *self.interrupted.entry(target).or_default() += 1;
        }
    }
}

/// Walks until there were as many kills as wanted; each must lead to the
/// outcome of an undisturbed walk.
fn survives(wanted: usize, alchemiser: &dyn Fn(u32) -> Alchemiser, may_fail: bool) {
    let begin = Instant::now();
    let undisturbed = State::new();
    let calm = Alchemiser::shipped();
    let paces = DATES.map(|date| Pace::measure(&undisturbed, &calm, date));
    let expected = Outcome::of(&undisturbed);
    assert!(expected.has_both_sides());

    let mut random = random();
    let mut walk = Walk {
        alchemiser,
        may_fail,
        paces: &paces,
        hits: 0,
        interrupted: BTreeMap::new(),
    };
    let mut walks = 0;
    while walk.hits < wanted {
        let state = walk.go(&mut random);
        Outcome::of(&state).must_be(&expected, &format!("{paces:?}"));
        walks += 1;
    }
    eprintln!(
        "{} kills in {walks} walks of {} sessions and {} orders, of which these cut a step short: \
         {:?}; {:.1} s",
        walk.hits,
        DATES.len(),
        expected.orders(),
        walk.interrupted,
        begin.elapsed().as_secs_f64()
    );
    assert!(!walk.interrupted.is_empty(), "no kill hit a step");
}

#[test]
fn the_release_survives_kills_at_any_moment() {
    let alchemiser = Alchemiser::shipped();
    survives(kills(25), &|_| alchemiser.clone(), false);
}

/// Orders that do not arrive, answers that are lost, a broker that is slow, a
/// disk that is full.
#[test]
fn failures_of_broker_and_disk_change_nothing() {
    let project = persistent();
    let alchemiser = project.alchemiser();
    let plan = |seed| {
        format!(
            "seed={seed};broker-asked=fail%2;order-sent=fail%15;order-taken=fail%15;\
             after-claim=wait:5%10;blob-written=fail%1;transaction-begun=fail%1"
        )
    };
    survives(kills(15), &|seed| with_plan(&alchemiser, &plan(seed)), true);
}
