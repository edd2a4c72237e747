//! Changes are put to work by `alchemiser dev` while deliveries go on.
//!
//! `SWAPS=1000` makes the check for leaks longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use e2e::{Alchemiser, Dev, Project, State, another_build, plugins, workspace};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A strategy file that holds one symbol.
fn holds(symbol: &str) -> String {
    format!("(defsymphony \"One\" {{}} (asset \"{symbol}\"))\n")
}

/// The same, long enough to be written in several steps.
fn holds_at_length(symbol: &str) -> String {
    let line = ";; What is read up to here says nothing yet.\n";
    line.repeat(2_000) + &holds(symbol)
}

/// A book of so many strategies, each of which has a tenth.
fn book(strategies: u32) -> String {
    let entry = |number| {
        format!("[[strategy]]\nname = \"s{number}\"\nfile = \"trend.clj\"\nweight = 0.1\n\n")
    };
    (1..=strategies).map(entry).collect()
}

/// A file of a project, and ways to save it.
struct Saved(PathBuf);

impl Saved {
    fn of(project: &Project, name: &str) -> Self {
        Self(project.path().join(name))
    }

    /// Over what is there.
    fn over(&self, content: &str) {
        fs::write(&self.0, content).unwrap();
    }

    /// Over what is there, in steps, as a slow program or network does.
    fn in_steps(&self, content: &str) {
        let mut file = File::create(&self.0).unwrap();
        let middle = content.len() / 2;
        file.write_all(&content.as_bytes()[..middle]).unwrap();
        file.flush().unwrap();
        thread::sleep(Duration::from_millis(7));
        file.write_all(&content.as_bytes()[middle..]).unwrap();
    }

    /// Beside it, to be renamed, as most editors do; with what they leave
    /// behind meanwhile.
    fn by_renaming(&self, content: &str) {
        let beside = |end: &str| PathBuf::from(format!("{}{end}", self.0.display()));
        fs::write(beside(".swp"), "not for others").unwrap();
        fs::write(beside("~"), content).unwrap();
        fs::rename(beside("~"), &self.0).unwrap();
        fs::remove_file(beside(".swp")).unwrap();
    }

    /// Removed first.
    fn anew(&self, content: &str) {
        fs::remove_file(&self.0).unwrap();
        fs::write(&self.0, content).unwrap();
    }
}

/// Saves a file, and answers what is told of that.
#[track_caller]
fn save(dev: &mut Dev, project: &Project, name: &str, content: impl AsRef<[u8]>) -> Value {
    let before = dev.lines().len();
    project.write(name, content);
    dev.wait_until(before, name, |line| {
        ["reloaded", "kept"]
            .map(Value::from)
            .contains(&line["happened"])
    })
}

#[track_caller]
fn takes(dev: &mut Dev, project: &Project, name: &str, content: impl AsRef<[u8]>) -> Value {
    let told = save(dev, project, name, content);
    assert_eq!(told["happened"], "reloaded", "{told:#}");
    assert_eq!(told["files"], json!([name]), "{told:#}");
    told
}

#[track_caller]
fn refuses(dev: &mut Dev, project: &Project, name: &str, content: impl AsRef<[u8]>) -> String {
    let told = save(dev, project, name, content);
    assert_eq!(told["happened"], "kept", "{told:#}");
    format!(
        "{}: {}",
        told["error"]["class"].as_str().unwrap(),
        told["error"]["message"].as_str().unwrap()
    )
}

fn strategy<'a>(told: &'a Value, name: &str) -> &'a Value {
    let strategies = told["strategies"].as_array().unwrap();
    let is_it = |strategy: &&Value| strategy["strategy"] == name;
    strategies.iter().find(is_it).unwrap()
}

fn shipped(name: &str) -> Vec<u8> {
    fs::read(plugins().join(format!("{name}.wasm"))).unwrap()
}

#[test]
fn every_kind_of_file_is_put_to_work() {
    let momentum = shipped("momentum");
    let project = Project::new().plugin("momentum", &momentum);
    let alchemiser = project.alchemiser();
    let state = State::new();
    let mut dev = Dev::start(&alchemiser, &state, &[]);
    dev.wait_for("ready");

    let told = takes(&mut dev, &project, "strategies/trend.clj", holds("KO"));
    let trend = strategy(&told, "trend");
    assert_eq!(trend["after"]["weights"], json!({"KO": "1"}));
    assert_ne!(trend["before"]["weights"], trend["after"]["weights"]);
    assert_eq!(told["strategies"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(told["session"], "2022-12-28");
    assert_ne!(told["targets"]["before"], told["targets"]["after"]);

    let shipped_book = fs::read_to_string(workspace().join("strategies/book.toml")).unwrap();
    let book = shipped_book.replace("weight = 0.30", "weight = 0.10");
    let told = takes(&mut dev, &project, "strategies/book.toml", &book);
    let trend = strategy(&told, "trend");
    assert_eq!(trend["before"]["share"], "0.3");
    assert_eq!(trend["after"]["share"], "0.1");

    let told = takes(
        &mut dev,
        &project,
        "plugins/momentum.wasm",
        another_build(&momentum, 1),
    );
    let strategy = strategy(&told, "momentum");
    assert_ne!(strategy["before"]["sha256"], strategy["after"]["sha256"]);
    assert_eq!(strategy["before"]["weights"], strategy["after"]["weights"]);
    let build = strategy["after"]["sha256"].clone();

    let rebalance = another_build(&shipped("rebalance"), 1);
    takes(&mut dev, &project, "plugins/rebalance.wasm", rebalance);

    let routes = fs::read_to_string(workspace().join("routes.toml")).unwrap();
    let other = routes.replace("cron(35 9 ? * MON-FRI *)", "cron(45 9 ? * MON-FRI *)");
    takes(&mut dev, &project, "routes.toml", &other);

    // What runs now says which build made it.
    let run = state.run(&alchemiser, "2022-12-28").exits(0);
    let workflow = run.line()["workflow"].as_str().unwrap().to_owned();
    let signal = &state.events(&alchemiser, &workflow)[1];
    let strategies = &signal["signals_data"]["strategies"];
    assert!(
        strategies.as_array().unwrap().iter().any(|strategy| {
            strategy["strategy_id"] == "momentum" && strategy["produced_by"]["sha256"] == build
        }),
        "{build}: {strategies:#}"
    );
    dev.stop();
}

#[test]
fn what_is_not_fit_is_not_put_to_work() {
    let momentum = shipped("momentum");
    let project = Project::new().plugin("momentum", &momentum);
    let state = State::new();
    let mut dev = Dev::start(&project.alchemiser(), &state, &[]);
    dev.wait_for("ready");
    let trend = fs::read_to_string(workspace().join("strategies/trend.clj")).unwrap();
    let book = fs::read_to_string(workspace().join("strategies/book.toml")).unwrap();
    let routes = fs::read_to_string(workspace().join("routes.toml")).unwrap();
    let without_a_rule = routes.replace(
        "name = \"signal-generated\"\n",
        "name = \"signal-generated\"\nenabled = false\n",
    );
    let named_otherwise = routes.replace("name = \"trade-executed\"", "name = \"trades-executed\"");

    let mut messages = Vec::new();
    let bad: [(&str, Vec<u8>, Vec<u8>); 9] = [
        (
            "strategies/trend.clj",
            trend[..trend.len() / 2].into(),
            trend.clone().into(),
        ),
        (
            "strategies/trend.clj",
            holds("NOWHERE").into(),
            trend.clone().into(),
        ),
        (
            "strategies/book.toml",
            book.replace("plugin =", "plugn =").into(),
            book.clone().into(),
        ),
        (
            "strategies/book.toml",
            book.replace("lookback = 126", "lookback = 0").into(),
            book.clone().into(),
        ),
        ("strategies/book.toml", Vec::new(), book.clone().into()),
        (
            "plugins/momentum.wasm",
            momentum[..momentum.len() / 2].into(),
            momentum.clone(),
        ),
        (
            "plugins/rebalance.wasm",
            momentum.clone(),
            shipped("rebalance"),
        ),
        ("routes.toml", without_a_rule.into(), routes.clone().into()),
        ("routes.toml", named_otherwise.into(), routes.into()),
    ];
    for (name, content, good) in bad {
        let message = refuses(&mut dev, &project, name, content);
        messages.push(format!("{name}\n  {message}"));
        // Going back is nothing to tell. A change that is seen says that it was
        // noticed.
        project.write(name, good);
        let told = takes_share(&mut dev, &project, &book);
        assert_eq!(told["happened"], "reloaded", "{told:#}");
    }
    insta::with_settings!({filters => vec![
        (r"(byte|bytes) \d+", "$1 [NUMBER]"),
        (r"\(\d+ bytes\)", "([NUMBER] bytes)"),
        (r"build [0-9a-f]{12}", "build [DIGEST]"),
    ]}, {
        insta::assert_snapshot!(messages.join("\n"));
    });
    dev.stop();
}

/// Changes a share there and back; what is told of the first.
#[track_caller]
fn takes_share(dev: &mut Dev, project: &Project, book: &str) -> Value {
    let other = book.replace("weight = 0.30", "weight = 0.29");
    let before = dev.lines().len();
    project.write("strategies/book.toml", other);
    let told = dev.wait_after(before, "reloaded");
    let before = dev.lines().len();
    project.write("strategies/book.toml", book);
    dev.wait_after(before, "reloaded");
    told
}

/// Files are saved in every way fifty times a second while workflows run.
#[test]
fn a_storm_of_saves_loses_nothing_and_shows_no_half() {
    let project = Project::new().book(&book(4));
    let strategy = Saved::of(&project, "strategies/trend.clj");
    let book_file = Saved::of(&project, "strategies/book.toml");
    strategy.over(&holds_at_length("KO"));
    // Workflows are started by another process, from files that stay.
    let calm = Project::new().book(&book(4));
    calm.write("strategies/trend.clj", holds("PEP"));
    let state = State::new();
    let mut dev = Dev::start(&project.alchemiser(), &state, &[]);
    dev.wait_for("ready");

    let is_reload = |line: &Value| line["happened"] == "reloaded";
    let is_over = AtomicBool::new(false);
    let mut workflows = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            let ways = [
                Saved::over,
                Saved::in_steps,
                Saved::by_renaming,
                Saved::anew,
            ];
            for (number, way) in (0..).zip(ways.into_iter().cycle()) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let symbol = ["KO", "PG"][number % 2];
                way(&strategy, &holds_at_length(symbol));
                if number % 3 == 0 {
                    way(&book_file, &book(if number % 2 == 0 { 2 } else { 4 }));
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let dates = [
            "2022-12-19",
            "2022-12-20",
            "2022-12-21",
            "2022-12-22",
            "2022-12-23",
            "2022-12-27",
            "2022-12-28",
        ];
        for date in dates {
            // At least one change is put to work for each of them.
            let lines = dev.lines().len();
            let run = state.run(&calm.alchemiser(), date).exits(0);
            assert_eq!(run.line()["state"], "completed");
            dev.wait_after(lines, "reloaded");
            workflows += 1;
        }
        // On a fast machine they are over before much was put to work.
        while dev.lines().iter().filter(|line| is_reload(line)).count() <= 3 {
            assert!(dev.is_at_work(), "{:#?}", dev.lines());
            thread::sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // Whatever came last is in force in the end.
    let before = dev.lines().len();
    Saved::of(&project, "strategies/trend.clj").over(&holds("MRK"));
    dev.wait_until(before, "the last save", |line| {
        line["happened"] == "reloaded"
            && line["targets"]["after"]
                .as_object()
                .is_some_and(|it| it.contains_key("MRK"))
    });
    let lines = dev.stop();

    let happened = |what: &str| lines.iter().filter(|line| line["happened"] == what).count();
    eprintln!(
        "{} reloads, {} deliveries by dev",
        happened("reloaded"),
        happened("handled")
    );
    assert!(happened("reloaded") >= workflows, "{lines:#?}");
    for line in &lines {
        if line["happened"] == "kept" {
            // A file is missing for a moment when it is removed first.
            let message = line["error"]["message"].as_str().unwrap();
            assert!(message.contains("No such file"), "{line:#}");
        }
        if line["happened"] == "reloaded" {
            let targets = line["targets"]["after"].as_object().unwrap();
            let (symbol, share) = targets.iter().next().unwrap();
            assert!(["KO", "PG", "MRK"].contains(&symbol.as_str()), "{line:#}");
            let share: f64 = share.as_str().unwrap().parse().unwrap();
            assert!(
                [0.2, 0.4].iter().any(|it| (it - share).abs() < 1e-9),
                "{line:#}"
            );
        }
    }
    assert_eq!(state.dead_letters(), Vec::<Value>::new());
    let list = state.call(&calm.alchemiser(), ["workflow", "list", "--json"]);
    let ended = list.exits(0).lines();
    assert_eq!(ended.len(), workflows);
    assert!(
        ended
            .iter()
            .all(|workflow| workflow["state"] == "completed")
    );
}

/// As when another branch is checked out: folders go and come back.
#[test]
fn folders_that_are_replaced_are_followed() {
    let project = Project::new().book(&book(1));
    project.write("strategies/trend.clj", holds("KO"));
    project.write("other/book.toml", book(1));
    project.write("other/trend.clj", holds("PG"));
    let mut dev = Dev::start(&project.alchemiser(), &State::new(), &[]);
    dev.wait_for("ready");
    let path = |name: &str| project.path().join(name);
    for symbol in ["PG", "KO", "PG", "KO"] {
        let before = dev.lines().len();
        fs::rename(path("strategies"), path("away")).unwrap();
        fs::rename(path("other"), path("strategies")).unwrap();
        fs::rename(path("away"), path("other")).unwrap();
        dev.wait_until(before, symbol, |line| {
            line["happened"] == "reloaded" && line["targets"]["after"] == json!({symbol: "0.1"})
        });
    }
    // And a file in the new folder is seen.
    let told = takes(&mut dev, &project, "strategies/trend.clj", holds("MRK"));
    assert_eq!(told["targets"]["after"], json!({"MRK": "0.1"}));
    dev.stop();
}

/// Old builds, files and routes are let go of.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_swaps() {
    let swaps: usize = std::env::var("SWAPS").map_or(120, |swaps| swaps.parse().unwrap());
    let momentum = shipped("momentum");
    let project = Project::new().plugin("momentum", &momentum);
    let book = fs::read_to_string(workspace().join("strategies/book.toml")).unwrap();
    let routes = fs::read_to_string(workspace().join("routes.toml")).unwrap();
    let mut dev = Dev::start(&project.alchemiser(), &State::new(), &[]);
    dev.wait_for("ready");
    let resident = |dev: &Dev| -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", dev.process())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let mut reached = 0;
    let mut early = 0;
    for number in 0..swaps {
        let content = match number % 4 {
            0 => (
                "plugins/momentum.wasm",
                another_build(&momentum, (number / 4 % 2) as u32),
            ),
            1 => (
                "strategies/trend.clj",
                holds(["KO", "PG"][number / 4 % 2]).into(),
            ),
            2 => {
                let share = ["weight = 0.10", "weight = 0.20"][number / 4 % 2];
                (
                    "strategies/book.toml",
                    book.replace("weight = 0.30", share).into(),
                )
            }
            _ => {
                let time = ["cron(1 9", "cron(2 9"][number / 4 % 2];
                ("routes.toml", routes.replace("cron(35 9", time).into())
            }
        };
        project.write(content.0, &content.1);
        dev.wait_until(reached, content.0, |line| line["happened"] == "reloaded");
        reached = dev.lines().len();
        if number + 1 == swaps.min(60) {
            early = resident(&dev);
        }
    }
    let late = resident(&dev);
    eprintln!("{swaps} swaps: {early} KiB after the first ones, {late} KiB in the end");
    assert!(late < early + 10 * 1024, "{early} KiB grew to {late} KiB");
    dev.stop();
}

#[test]
fn once_does_what_is_due_and_ends() {
    let project = Project::new();
    let state = State::new();
    let once = |alchemiser: &Alchemiser| state.call(alchemiser, ["dev", "--once", "--json"]);
    let lines = once(&project.alchemiser()).exits(0).lines();
    let told: Vec<_> = lines.iter().map(|line| line["happened"].clone()).collect();
    assert_eq!(told, ["weights", "ready", "stopped"], "{lines:#?}");
    assert_eq!(lines[0]["strategies"].as_array().unwrap().len(), 4);

    // What was begun and cut short is brought to its end.
    let _ = state.run(&failing(&project, "plan-answered=kill"), "2022-12-28");
    let _ = once(&project.alchemiser()).exits(0);
    let list = state.call(&project.alchemiser(), ["workflow", "list", "--json"]);
    assert_eq!(list.exits(0).line()["state"], "completed");

    project.write("strategies/trend.clj", holds("NOWHERE"));
    let lines = once(&project.alchemiser()).exits(1).lines();
    let trend = strategy(&lines[0], "trend");
    assert_eq!(trend["after"]["weights"]["error"]["class"], "NoData");

    project.write("strategies/book.toml", "strategy = 1\n");
    let _ = once(&project.alchemiser()).exits(2);
}

/// The program with fail points, and what is to happen at them.
fn failing(project: &Project, plan: &str) -> Alchemiser {
    let alchemiser = project.alchemiser().with_fail_points();
    alchemiser.with("ALCHEMISER_FAIL_POINTS", plan)
}

/// A delivery that is at work when a change is put to work does not notice.
#[test]
fn what_has_begun_ends_with_what_it_began_with() {
    let project = Project::new().book(&book(4));
    project.write("strategies/trend.clj", holds("KO"));
    let state = State::new();
    let _ = state.run(&failing(&project, "after-start=kill"), "2022-12-28");
    let record = project.path().join("passed");
    let waiting = failing(&project, "after-claim=wait:3000@1");
    let waiting = waiting.with("ALCHEMISER_FAIL_POINTS_RECORD", record.to_str().unwrap());
    let mut dev = Dev::start(&waiting, &state, &[]);
    dev.wait_for("ready");
    let has_claimed = || fs::read_to_string(&record).is_ok_and(|it| it.contains("after-claim"));
    while !has_claimed() {
        assert!(dev.is_at_work());
    }
    takes(&mut dev, &project, "strategies/trend.clj", holds("PG"));
    assert_eq!(
        dev.told("handled"),
        None,
        "the swap came too late to prove anything"
    );
    dev.wait_for("ended");
    let lines = dev.stop();
    let workflow = lines
        .iter()
        .find(|line| line["happened"] == "ended")
        .unwrap();
    let workflow = workflow["workflow"].as_str().unwrap();
    let signal = &state.events(&project.alchemiser(), workflow)[1];
    let targets = &signal["consolidated_portfolio"]["target_allocations"];
    assert_eq!(*targets, json!({"KO": "0.4"}), "{signal:#}");
}

/// A project with a plugin crate of its own, in the book with half of it, and how
/// it is called so that it builds elsewhere.
fn with_a_crate() -> (Project, Alchemiser) {
    let project = Project::new().plugin("momentum", &shipped("momentum"));
    project.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"plugins/*\"]\n",
    );
    let lock = fs::read(workspace().join("Cargo.lock")).unwrap();
    project.write("Cargo.lock", lock);
    project.write("plugins/mine/Cargo.toml", manifest_of("mine"));
    let book = "[[strategy]]\nname = \"mine\"\nplugin = \"mine\"\nweight = 0.5\n\
                [strategy.parameters]\nsymbol = \"KO\"\n";
    project.write("strategies/book.toml", book);
    project.write("plugins/mine/src/lib.rs", all_in("KO"));
    let target = project.path().with_extension("target");
    let target = target.to_str().unwrap();
    let alchemiser = project.alchemiser().with("CARGO_TARGET_DIR", target);
    let _ = alchemiser.call(["plugin", "build", "mine"]).exits(0);
    (project, alchemiser)
}

fn manifest_of(name: &str) -> String {
    let sdk = workspace().join("plugins/sdk");
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\
         [dependencies]\nalchemiser-sdk.path = {sdk:?}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n"
    )
}

/// The source of a strategy that answers with an expression.
fn answering(answer: &str) -> String {
    format!(
        "use alchemiser_sdk::{{Files, Requirement, Result, Strategy, Today, Weights, export_strategy}};\n\
         #[derive(serde::Deserialize)]\n\
         pub struct Mine {{ symbol: String }}\n\
         impl Strategy for Mine {{\n\
             type Parameters = Self;\n\
             fn load(parameters: Self, _: &Files) -> Result<Self> {{ Ok(parameters) }}\n\
             fn requirements(&self) -> Vec<Requirement> {{\n\
                 [&*self.symbol, \"PG\", \"MRK\"].map(|it| Requirement::last(it, 1)).into()\n\
             }}\n\
             fn evaluate(&mut self, _: &Today<'_>) -> Result<Weights> {{ {answer} }}\n\
         }}\n\
         export_strategy!(Mine);\n"
    )
}

fn all_in(symbol: &str) -> String {
    answering(&format!("Weights::all_in({symbol:?})"))
}

/// A crate in the project is built when its sources change, and only then.
#[test]
fn sources_are_built_and_put_to_work() {
    let (project, alchemiser) = with_a_crate();
    let mut dev = Dev::start(&alchemiser, &State::new(), &[]);
    dev.wait_for("ready");
    let lines = dev.lines().len();
    project.write("plugins/mine/src/lib.rs", all_in("PG"));
    let told = dev.wait_after(lines, "reloaded");
    assert_eq!(told["files"], json!(["plugins/mine.wasm"]), "{told:#}");
    assert_eq!(told["targets"]["after"], json!({"PG": "0.5"}));

    // What does not compile changes nothing, and what is beside the point builds
    // nothing.
    let lines = dev.lines().len();
    let broken = all_in("PG").replace("Mine {", "Mine (");
    project.write("plugins/mine/src/lib.rs", broken);
    let told = dev.wait_after(lines, "kept");
    assert_eq!(told["files"], json!(["plugin mine"]), "{told:#}");
    project.write("plugins/mine/src/.lib.rs.swp", "what an editor leaves");
    project.write("plugins/mine/src/lib.rs~", "and another");

    // Nor is what counts its calls put to work.
    let lines = dev.lines().len();
    let counting = "use std::sync::atomic::{AtomicU32, Ordering::Relaxed};\n\
                    static CALLS: AtomicU32 = AtomicU32::new(0);\n\
                    Weights::all_in(if CALLS.fetch_add(1, Relaxed) > 0 { \"PG\" } else { \"MRK\" })";
    project.write("plugins/mine/src/lib.rs", answering(counting));
    let told = dev.wait_after(lines, "kept");
    assert_eq!(told["error"]["class"], "EarlierCalls", "{told:#}");

    let lines = dev.lines().len();
    project.write("plugins/mine/src/lib.rs", all_in("MRK"));
    let told = dev.wait_after(lines, "reloaded");
    assert_eq!(told["targets"]["after"], json!({"MRK": "0.5"}));
    let lines = dev.stop();
    let reloads = lines
        .iter()
        .filter(|line| line["happened"] == "reloaded")
        .count();
    assert_eq!(reloads, 2, "{lines:#?}");

    project.write("plugins/mine/src/lib.rs", all_in("PG"));
    let doctor = alchemiser.call(["doctor"]).exits(1);
    let changed = "mine: built from other sources than those here; `alchemiser plugin build mine` \
                   helps";
    assert!(doctor.stdout.contains(changed), "{doctor:#?}");
}

/// What may be held one day has to have prices today.
#[test]
fn a_symbol_that_is_only_declared_has_to_have_prices() {
    let project = Project::new();
    let mut dev = Dev::start(&project.alchemiser(), &State::new(), &[]);
    dev.wait_for("ready");
    let never = "(if (> (current-price \"KO\") 0) \"KO\" \"NOWHERE\")";
    let told = refuses(&mut dev, &project, "strategies/trend.clj", never);
    let expected = "it names `NOWHERE`, and there are no prices for that";
    assert!(told.contains(expected), "{told}");
    dev.stop();
}

/// Only what has to be is built when another crate comes, although it enters the
/// lock file of all.
#[test]
fn a_new_crate_is_built_and_the_others_are_not() {
    let (project, alchemiser) = with_a_crate();
    let mut dev = Dev::start(&alchemiser, &State::new(), &[]);
    dev.wait_for("built");
    let lines = dev.lines().len();
    project.write("plugins/other/src/lib.rs", all_in("KO"));
    project.write("plugins/other/Cargo.toml", manifest_of("other"));
    let told = dev.wait_after(lines, "building");
    assert_eq!(told["plugin"], "other", "{told:#}");
    // It is in use as soon as the book names it.
    project.write(
        "strategies/book.toml",
        "[[strategy]]\nname = \"other\"\nplugin = \"other\"\nweight = 0.25\n\
         parameters.symbol = \"KO\"\n",
    );
    let told = dev.wait_after(lines, "reloaded");
    assert_eq!(told["targets"]["after"], json!({"KO": "0.25"}), "{told:#}");
    let lock = fs::read_to_string(project.path().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"other\""), "{lock}");

    // A manifest that cargo does not understand is named.
    let lines = dev.lines().len();
    project.write("plugins/other/Cargo.toml", "[package]\nname = ");
    let manifest = json!(["plugins/other/Cargo.toml"]);
    dev.wait_until(lines, "the manifest", |line| {
        line["happened"] == "kept" && line["files"] == manifest
    });

    // Nor is a crate forgotten without a word that makes no plugin any more.
    let lines = dev.lines().len();
    let library = manifest_of("other").replace("\"cdylib\", ", "");
    project.write("plugins/other/Cargo.toml", library);
    let told = dev.wait_after(lines, "gone");
    assert_eq!(told["plugin"], "other", "{told:#}");
    let tested = alchemiser.call(["plugin", "test", "other"]).exits(2);
    assert!(tested.stderr.contains("makes no plugin"), "{tested:#?}");

    let lines = dev.stop();
    let is_built = |line: &&Value| line["happened"] == "building" && line["plugin"] != "other";
    assert_eq!(lines.iter().find(is_built), None, "{lines:#?}");
}
