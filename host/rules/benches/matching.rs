//! Events a second that a rule set takes, beside the rate at which `serde_json`
//! parses the same bytes into a `Value`, measured in turn on one core; and how
//! long it takes to fill the set, and how large it is.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod workload;

use std::hint::black_box;
use std::time::Duration;

use alchemiser_rules::{Pattern, RuleSet, Scratch};
use serde_json::Value;
use workload::Workload;

/// Measurements of each kind; the median is told.
const ROUNDS: usize = 5;

/// Events in a turn.
const TURN: usize = 2000;

fn main() {
    // Threads started later would share the core; there are none.
    #[cfg(target_os = "linux")]
    {
        let mut core = nix::sched::CpuSet::new();
        core.set(0).unwrap();
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &core).unwrap();
    }
    let Workload { events, rules } = Workload::new();
    let bytes: usize = events.iter().map(String::len).sum();
    println!(
        "{} events of {} bytes\n",
        events.len(),
        bytes / events.len()
    );
    println!("| rules | add | memory | matches | events/s | parsed/s | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for (name, patterns) in &rules {
        let add = median(|| elapsed(|| drop(black_box(filled(patterns)))));
        let set = filled(patterns);
        let mut scratch = Scratch::default();
        let mut rounds: Vec<(Duration, Duration)> = Vec::new();
        let mut matches = 0;
        for _ in 0..ROUNDS {
            let (mut matched, mut parsed) = (Duration::ZERO, Duration::ZERO);
            matches = 0;
            // In short turns, so that both meet the machine in the same mood.
            for turn in events.chunks(TURN) {
                matched += elapsed(|| {
                    for event in turn {
                        let matching = set.matching(event.as_bytes(), &mut scratch).unwrap();
                        matches += black_box(matching.len());
                    }
                });
                parsed += elapsed(|| {
                    for event in turn {
                        black_box(serde_json::from_str::<Value>(event).unwrap());
                    }
                });
            }
            rounds.push((matched, parsed));
        }
        let matched = middle(rounds.iter().map(|(matched, _)| *matched).collect());
        let parsed = middle(rounds.iter().map(|(_, parsed)| *parsed).collect());
        let rate = |time: Duration| events.len() as f64 / time.as_secs_f64();
        println!(
            "| {name} | {:.1} ms | {} KiB | {matches} | {:.0} | {:.0} | {:.2} |",
            add.as_secs_f64() * 1e3,
            set.memory() / 1024,
            rate(matched),
            rate(parsed),
            rate(matched) / rate(parsed),
        );
    }
}

fn filled(patterns: &[String]) -> RuleSet<usize> {
    let mut rules = RuleSet::new();
    for (index, pattern) in patterns.iter().enumerate() {
        rules.insert(index, &Pattern::from_json(pattern).unwrap());
    }
    rules
}

/// How long some work keeps the processor busy; where that cannot be told, how
/// long it takes.
fn elapsed(work: impl FnOnce()) -> Duration {
    let start = now();
    work();
    now() - start
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock).unwrap().into()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    middle((0..ROUNDS).map(|_| measure()).collect())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
