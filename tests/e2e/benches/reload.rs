//! How long a change takes to be put to work by `alchemiser dev`:
//!
//! ```text
//! cargo bench -p e2e --bench reload
//! ```
//!
//! From the moment that a save is complete until the line can be read which
//! says that it is in force, with its weights; beside it what the program
//! itself says it took, for Rust without the build. Dev waits 30 ms for a save
//! to be over, and that is part of all numbers.
//!
//! A component that was not compiled before has the functions of one that was,
//! as most functions of a plugin are the same after an edit; how it is when some
//! are not shows in the program's own time for Rust.
//!
//! `EDITS=10` makes fewer edits than a hundred.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use e2e::{Alchemiser, Dev, News, Project, State, another_build, plugins, workspace};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How often to look for the line.
const LOOK: Duration = Duration::from_micros(200);

/// Between two edits: what is done after one is told is no part of the next.
const PAUSE: Duration = Duration::from_millis(50);

/// The same after a build, which cargo is asked about once more.
const PAUSE_OF_CARGO: Duration = Duration::from_secs(1);

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let edits = std::env::var("EDITS").map_or(100, |edits| edits.parse().unwrap());
    println!("load average before: {}", load());
    println!(
        "{:<24} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8}  goal",
        "milliseconds", "edits", "p50", "p95", "max", "own p50", "own p95"
    );
    files(edits);
    components(edits);
    sources(edits.div_ceil(5));
    println!("load average after:  {}", load());
}

/// The shipped project, of which strategy files and the book are edited.
fn files(edits: usize) {
    let (trend, book) = (
        shipped("strategies/trend.clj"),
        shipped("strategies/book.toml"),
    );
    let project = Project::new();
    let mut work = Work::start(&project.alchemiser());
    work.measure(
        "strategy file",
        edits,
        PAUSE,
        "50 + 30, p95 100 + 30",
        |number| {
            let window = format!(":window {}", 100 + number);
            project.write(
                "strategies/trend.clj",
                trend.replace(":window 200", &window),
            );
        },
    );
    work.measure(
        "book.toml",
        edits,
        PAUSE,
        "50 + 30, p95 100 + 30",
        |number| {
            let share = format!("weight = 0.0{}", 1000 + number);
            project.write(
                "strategies/book.toml",
                book.replace("weight = 0.30", &share),
            );
        },
    );
}

/// A plugin is replaced, by builds that are compiled to machine code and by
/// two whose machine code was kept.
fn components(edits: usize) {
    let momentum = fs::read(plugins().join("momentum.wasm")).unwrap();
    let project = Project::new().plugin("momentum", &momentum);
    let cache = tempfile::tempdir().unwrap();
    let mut work = Work::start(&caching(project.alchemiser(), &cache));
    let replace = |mark: usize| {
        let build = another_build(&momentum, u32::try_from(mark).unwrap());
        // Written where nobody looks, so that all that is seen is the renaming.
        project.write("elsewhere/momentum.wasm", build);
        let path = |folder: &str| project.path().join(folder).join("momentum.wasm");
        fs::rename(path("elsewhere"), path("plugins")).unwrap();
    };
    work.measure("component, not compiled", edits, PAUSE, "100", replace);
    // The last two edits went by these.
    let known = |number: usize| replace(edits.saturating_sub(2) + number % 2);
    work.measure("component, compiled", edits, PAUSE, "100", known);
}

/// The source of a plugin is edited, and cargo has built all that it needs.
fn sources(edits: usize) {
    let project = Project::new().plugin("momentum", &[]);
    project.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"plugins/*\"]\n",
    );
    project.write("Cargo.lock", shipped("Cargo.lock"));
    let sdk = workspace().join("plugins/sdk");
    let manifest = format!(
        "[package]\nname = \"momentum\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\
         [dependencies]\nalchemiser-sdk.path = {sdk:?}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n"
    );
    project.write("plugins/momentum/Cargo.toml", manifest);
    let source = shipped("plugins/momentum/src/lib.rs");
    let save = |number: usize| {
        let lookback = format!("    {}\n", 1_000 + number);
        let edited = source.replacen("    126\n", &lookback, 1);
        assert_ne!(edited, source, "a constant is edited");
        project.write("plugins/momentum/src/lib.rs", edited);
    };
    save(0);
    // What the SDK needs is built once for all runs.
    let target = plugins().join("../reload").display().to_string();
    let cache = tempfile::tempdir().unwrap();
    let alchemiser = caching(project.alchemiser(), &cache).with("CARGO_TARGET_DIR", &target);
    let _ = alchemiser.call(["plugin", "build", "momentum"]).exits(0);

    let mut work = Work::start(&alchemiser);
    // It builds at its start, and would have this edit wait for that.
    work.edit(|| save(edits + 1));
    thread::sleep(PAUSE_OF_CARGO);
    work.measure("Rust source", edits, PAUSE_OF_CARGO, "2500", |number| {
        save(number + 1);
    });
}

/// With a cache of its own: it finds no machine code that other runs compiled.
fn caching(alchemiser: Alchemiser, cache: &TempDir) -> Alchemiser {
    alchemiser.with("XDG_CACHE_HOME", &cache.path().display().to_string())
}

/// A file of the workspace.
fn shipped(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// How much else the machine has to do, where the system says it.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".to_owned());
    let averages = load.split_whitespace().take(3);
    averages.collect::<Vec<_>>().join(" ")
}

/// `dev` at work.
struct Work {
    dev: Dev,
    news: News,
    _state: State,
}

/// How long an edit took.
struct Took {
    /// Until its line could be read.
    seen: Duration,
    /// What the line says.
    own: Duration,
}

impl Work {
    fn start(alchemiser: &Alchemiser) -> Self {
        let state = State::new();
        let mut dev = Dev::start(alchemiser, &state, &[]);
        dev.wait_for("ready");
        let news = dev.news();
        Self {
            dev,
            news,
            _state: state,
        }
    }

    /// Makes edits one after the other, and prints how long they took.
    fn measure(
        &mut self,
        what: &str,
        edits: usize,
        pause: Duration,
        goal: &str,
        save: impl Fn(usize),
    ) {
        let mut seen = Vec::new();
        let mut own = Vec::new();
        for number in 0..edits {
            thread::sleep(pause);
            let took = self.edit(|| save(number));
            seen.push(took.seen);
            own.push(took.own);
        }
        println!(
            "{what:<24} {edits:>5} {:>8.1} {:>8.1} {:>8.1} {:>8.0} {:>8.0}  {goal}",
            percentile(&mut seen, 50),
            percentile(&mut seen, 95),
            percentile(&mut seen, 100),
            percentile(&mut own, 50),
            percentile(&mut own, 95),
        );
    }

    /// Makes an edit, and waits until it is in force.
    fn edit(&mut self, save: impl FnOnce()) -> Took {
        save();
        let saved = Instant::now();
        loop {
            let lines = self.news.lines();
            let seen = saved.elapsed();
            for line in lines {
                assert_ne!(line["happened"], "kept", "{line:#}");
                if line["happened"] == "reloaded" {
                    let own = Duration::from_millis(line["milliseconds"].as_u64().unwrap());
                    return Took { seen, own };
                }
            }
            assert!(
                self.dev.is_at_work() && seen < PATIENCE,
                "an edit was not put to work"
            );
            thread::sleep(LOOK);
        }
    }
}

/// In milliseconds; the nearest rank.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times[rank - 1].as_secs_f64() * 1e3
}
