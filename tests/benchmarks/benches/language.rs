//! What strategy files cost: in the sandbox, against the same code compiled
//! natively, in one run.
//!
//! Both sides take turns, and of several turns the fastest counts: whatever
//! else the machine does only ever adds. Time is that of the processor, since
//! everything runs on one thread. Arguments pick files by name.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use alchemiser_market::{CsvSource, Market, Session};
use alchemiser_sandbox::{Plugin, StrategyRequest};
use benchmarks::generator::{self, Generated, Size};
use benchmarks::native::Native;
use benchmarks::sandboxed::{Sandboxed, plugin, request};
use nix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// Five years.
const SESSIONS: u32 = 1_260;

/// Turns of each side.
const TURNS: u32 = 5;

fn main() {
    let market = Arc::new(
        CsvSource::new(test_support::workspace().join("data"))
            .read()
            .unwrap(),
    );
    let cache = tempfile::tempdir().unwrap();
    let dsl = plugin("dsl", 256 * MIB, cache.path());

    sizes(&dsl, &market, cache.path());
    if is_wanted("neighbours") {
        neighbours(&dsl);
    }
    if is_wanted("book") {
        book(&dsl, &market);
    }
}

/// The time that this thread has run.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// The last five years of a market.
fn sessions(market: &Market) -> impl Iterator<Item = Session> {
    let end = u32::try_from(market.calendar().dates().len()).unwrap();
    (end - SESSIONS..end).map(Session)
}

/// How long the parts of a run over all sessions took.
#[derive(Clone, Copy)]
struct Times {
    load: Duration,
    /// Load and the first session, the past of groups included.
    cold: Duration,
    /// A later session, on average.
    warm: Duration,
    /// Everything.
    whole: Duration,
}

impl Times {
    const NONE: Self = Self {
        load: Duration::MAX,
        cold: Duration::MAX,
        warm: Duration::MAX,
        whole: Duration::MAX,
    };

    fn measure<L, S>(
        market: &Market,
        load: impl FnOnce() -> L,
        bind: impl FnOnce(L) -> S,
        evaluate: impl Fn(&mut S, Session),
    ) -> Self {
        let start = now();
        let loaded = load();
        let loading = now() - start;
        let mut strategy = bind(loaded);
        let mut sessions = sessions(market);
        evaluate(&mut strategy, sessions.next().unwrap());
        let cold = now() - start;
        sessions.for_each(|session| evaluate(&mut strategy, session));
        let whole = now() - start;
        Self {
            load: loading,
            cold,
            warm: (whole - cold) / (SESSIONS - 1),
            whole,
        }
    }

    fn or_faster(self, other: Self) -> Self {
        Self {
            load: self.load.min(other.load),
            cold: self.cold.min(other.cold),
            warm: self.warm.min(other.warm),
            whole: self.whole.min(other.whole),
        }
    }
}

fn natively(market: &Arc<Market>, text: &str) -> Times {
    Times::measure(
        market,
        || Native::load(text),
        |strategy| Native::bind(strategy, Arc::clone(market)),
        |strategy, session| {
            strategy.evaluate(session).unwrap();
        },
    )
}

fn sandboxed(plugin: &Plugin, market: &Arc<Market>, request: &StrategyRequest) -> Times {
    Times::measure(
        market,
        || Sandboxed::load(plugin, request).unwrap(),
        |strategy| Sandboxed::bind(strategy, Arc::clone(market)),
        |strategy, session| {
            strategy.evaluate(session).unwrap();
        },
    )
}

fn sizes(dsl: &Plugin, market: &Arc<Market>, cache: &Path) {
    println!("One file, {SESSIONS} sessions. Sandbox, native, and how often the one is the other:");
    println!();
    println!(
        "{:>20} {:>7} {:>9}  {:<28} {:<28} {:<28} {:<28} {:>7}",
        "file",
        "forms",
        "different",
        "load",
        "load and first date",
        "next date",
        "all dates",
        "memory"
    );
    for (name, file) in [
        ("2 KB", generator::file(1, Size::SMALL)),
        ("10 KB", generator::file(2, Size::MEDIUM)),
        ("100 KB", generator::file(3, Size::LARGE)),
        ("2.2 MB", generator::file(4, Size::HUGE)),
        ("nesting 220", generator::ladder()),
    ] {
        if !is_wanted(name) {
            continue;
        }
        let request = request(&file.text);
        let mut native = Times::NONE;
        let mut sandbox = Times::NONE;
        for _ in 0..TURNS {
            native = native.or_faster(natively(market, &file.text));
            sandbox = sandbox.or_faster(sandboxed(dsl, market, &request));
        }
        println!(
            "{:>11} {:>8} {:>7} {:>9}  {:<28} {:<28} {:<28} {:<28} {:>7}",
            name,
            file.text.len(),
            file.nodes,
            file.distinct,
            pair(sandbox.load, native.load),
            pair(sandbox.cold, native.cold),
            pair(sandbox.warm, native.warm),
            pair(sandbox.whole, native.whole),
            memory(market, &file, cache),
        );
    }
}

/// Whether the arguments name it, or nothing.
fn is_wanted(name: &str) -> bool {
    let mut names = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .peekable();
    names.peek().is_none() || names.any(|argument| argument == name)
}

/// The memory that a file takes in the sandbox over all sessions.
fn memory(market: &Arc<Market>, file: &Generated, cache: &Path) -> String {
    let request = request(&file.text);
    let fits = |mebibytes: usize| {
        let dsl = plugin("dsl", mebibytes * MIB, cache);
        let Ok(loaded) = Sandboxed::load(&dsl, &request) else {
            return false;
        };
        let mut strategy = Sandboxed::bind(loaded, Arc::clone(market));
        sessions(market).all(|session| strategy.evaluate(session).is_ok())
    };
    let (mut too_small, mut enough) = (1, 256);
    while enough - too_small > 1 {
        let middle = usize::midpoint(enough, too_small);
        if fits(middle) {
            enough = middle;
        } else {
            too_small = middle;
        }
    }
    let times = (enough * MIB) as f64 / file.text.len() as f64;
    if times < 100.0 {
        format!("{enough} MiB, {times:.0}×")
    } else {
        format!("{enough} MiB")
    }
}

fn pair(sandbox: Duration, native: Duration) -> String {
    let ratio = sandbox.as_secs_f64() / native.as_secs_f64();
    format!("{} {} {ratio:.2}×", text(sandbox), text(native))
}

fn text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}

/// The strategy files that come with the project, session by session: all are
/// asked as of one session before any is as of the next.
fn book(dsl: &Plugin, market: &Arc<Market>) {
    let folder = test_support::workspace().join("strategies");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "clj"))
        .collect();
    files.sort();
    let whole = (0..TURNS)
        .map(|_| {
            let start = now();
            let mut book: Vec<Sandboxed> = files
                .iter()
                .map(|file| {
                    let text = std::fs::read_to_string(file).unwrap();
                    let strategy = Sandboxed::load(dsl, &request(&text)).unwrap();
                    Sandboxed::bind(strategy, Arc::clone(market))
                })
                .collect();
            for session in sessions(market) {
                for strategy in &mut book {
                    strategy.evaluate(session).unwrap();
                }
            }
            now() - start
        })
        .min()
        .unwrap();
    println!();
    println!(
        "The project's own {} files, {SESSIONS} sessions: {} in all, {} a session",
        files.len(),
        text(whole),
        text(whole / SESSIONS)
    );
}

fn neighbours(dsl: &Plugin) {
    let requests: Vec<StrategyRequest> = (0..100)
        .map(|seed| request(&generator::file(1000 + seed, Size::MEDIUM).text))
        .collect();
    println!();
    println!("Files of 10 KB side by side on one market, {SESSIONS} sessions each:");
    println!();
    for count in [1, 10, 100] {
        let whole = (0..TURNS)
            .map(|_| {
                // Nothing is known of this market yet.
                let market = Arc::new(
                    CsvSource::new(test_support::workspace().join("data"))
                        .read()
                        .unwrap(),
                );
                let start = now();
                for request in &requests[..count] {
                    let strategy = Sandboxed::load(dsl, request).unwrap();
                    let mut strategy = Sandboxed::bind(strategy, Arc::clone(&market));
                    sessions(&market).for_each(|session| {
                        strategy.evaluate(session).unwrap();
                    });
                }
                now() - start
            })
            .min()
            .unwrap();
        let each = whole / u32::try_from(count).unwrap();
        println!(
            "{count:>11} {:>12} in all, {:>9} each",
            text(whole),
            text(each)
        );
    }
}
