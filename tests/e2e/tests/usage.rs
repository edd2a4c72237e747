//! Wrong usage and wrong configuration: a clear message, exit 2, and nothing is
//! written.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Finished, Project, State};
use serde_json::Value;
use std::fmt::Write;

/// What was refused, and in what words.
#[derive(Default)]
struct Refusals {
    text: String,
}

impl Refusals {
    /// Runs the book, which must be refused before anything is written.
    #[track_caller]
    fn run(&mut self, what: &str, project: &Project) {
        self.call(what, project, &project.alchemiser(), &["run"]);
    }

    /// Calls something on a new state, which must be refused before anything
    /// is written.
    #[track_caller]
    fn call(&mut self, what: &str, project: &Project, alchemiser: &Alchemiser, arguments: &[&str]) {
        let state = State::new();
        let refused = state.call(alchemiser, arguments.iter().copied());
        self.note(what, project, refused);
        assert!(!state.path().exists(), "{what}: something was written");
    }

    #[track_caller]
    fn note(&mut self, what: &str, project: &Project, refused: Finished) {
        let refused = refused.exits(2);
        assert_eq!(refused.stdout, "", "{what}");
        // The project may have been named through a symbolic link.
        let folder = project.path().canonicalize().unwrap();
        let message = refused
            .stderr
            .replace(folder.to_str().unwrap(), "[project]")
            .replace(project.path().to_str().unwrap(), "[project]")
            .replace(e2e::plugins().to_str().unwrap(), "[plugins]");
        writeln!(self.text, "{what}").unwrap();
        for line in message.lines() {
            writeln!(self.text, "    {line}").unwrap();
        }
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        assert!(
            self.text.is_empty() || std::thread::panicking(),
            "nobody looked at the messages"
        );
    }
}

/// Compares the messages with those that were read and found clear.
macro_rules! assert_messages {
    ($refusals:expr) => {
        let text = std::mem::take(&mut $refusals.text);
        insta::with_settings!({
            omit_expression => true,
            filters => vec![(r"build [0-9a-f]{12}", "build [build]")],
        }, { insta::assert_snapshot!(text); });
    };
}

fn book(strategy: &str) -> String {
    format!("[[strategy]]\nname = \"mine\"\nweight = 0.5\n{strategy}\n")
}

#[test]
fn dates() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    let alchemiser = project.alchemiser();
    for (what, date) in [
        ("a weekend", "2022-12-24"),
        ("a holiday", "2022-12-26"),
        ("before the prices", "2013-12-31"),
        ("after the prices", "2022-12-29"),
        ("no date", "2022-02-30"),
        ("another notation", "12/28/2022"),
    ] {
        refusals.call(what, &project, &alchemiser, &["run", "--date", date]);
    }
    for (what, arguments) in [
        ("no date at all", &["evaluate", "trend"][..]),
        (
            "half a range",
            &["evaluate", "trend", "--from", "2022-12-01"],
        ),
        (
            "a range that ends before it begins",
            &[
                "evaluate",
                "trend",
                "--from",
                "2022-12-28",
                "--to",
                "2022-12-01",
            ],
        ),
        (
            "a range without sessions",
            &[
                "evaluate",
                "trend",
                "--from",
                "2022-12-24",
                "--to",
                "2022-12-26",
            ],
        ),
        (
            "a date and a range",
            &[
                "evaluate",
                "trend",
                "--date",
                "2022-12-28",
                "--from",
                "2022-12-01",
                "--to",
                "2022-12-02",
            ],
        ),
    ] {
        refusals.note(what, &project, alchemiser.call(arguments));
    }
    assert_messages!(refusals);
}

#[test]
fn targets() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    for (what, target) in [
        ("a slip of the pen", "trned"),
        ("an unknown strategy", "carousel"),
        ("a strategy file that is not there", "carousel.clj"),
        ("a plugin that is not there", "carousel.wasm"),
        ("nothing", ""),
    ] {
        let arguments = ["evaluate", target, "--date", "2022-12-28"];
        refusals.note(what, &project, project.alchemiser().call(arguments));
    }
    assert_messages!(refusals);
}

#[test]
fn indicators() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    for (what, indicator) in [
        ("an unknown indicator", &["rsj", "SP500"][..]),
        (
            "a window that does not suit it",
            &["rsi", "SP500", "--window", "0"],
        ),
        (
            "a window that is no number",
            &["rsi", "SP500", "--window", "ten"],
        ),
        ("a symbol that cannot be one", &["rsi", "S P"]),
        ("no symbol", &["rsi"]),
    ] {
        let arguments = [&["indicator"], indicator, &["--date", "2022-12-28"]].concat();
        refusals.note(what, &project, project.alchemiser().call(arguments));
    }
    assert_messages!(refusals);
}

#[test]
fn commands() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    let alchemiser = project.alchemiser();
    for (what, arguments) in [
        ("an unknown command", &["rum"][..]),
        ("an unknown flag", &["run", "--dat", "2022-12-28"]),
        (
            "an unknown type of event",
            &["events", "list", "--event-type", "SignalGenerate"],
        ),
        (
            "a folder that is no project",
            &["--project", "strategies", "run"],
        ),
    ] {
        refusals.note(what, &project, alchemiser.call(arguments));
    }
    let outside = Alchemiser::within(&std::env::temp_dir());
    refusals.note("outside of any project", &project, outside.call(["run"]));
    assert_messages!(refusals);
}

#[test]
fn books() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    for (what, text) in [
        ("no TOML", "[[strategy]\nname =".to_owned()),
        ("empty", String::new()),
        ("a slip of the pen", book("fiel = \"trend.clj\"")),
        (
            "an unknown table",
            "[[strategies]]\nname = \"mine\"\n".to_owned(),
        ),
        ("neither file nor plugin", book("")),
        (
            "no name",
            "[[strategy]]\nweight = 0.5\nfile = \"trend.clj\"\n".to_owned(),
        ),
        (
            "an empty name",
            "[[strategy]]\nname = \"\"\nweight = 0.5\nfile = \"trend.clj\"\n".to_owned(),
        ),
        (
            "no weight",
            "[[strategy]]\nname = \"mine\"\nfile = \"trend.clj\"\n".to_owned(),
        ),
        (
            "the same name twice",
            format!("{0}{0}", book("file = \"trend.clj\"")),
        ),
        ("a file that is not there", book("file = \"carousel.clj\"")),
        ("a plugin that is not there", book("plugin = \"carousel\"")),
        ("a portfolio plugin", book("plugin = \"rebalance\"")),
        ("a parameter that is missing", book("plugin = \"momentum\"")),
        (
            "an unknown parameter",
            book(
                "plugin = \"momentum\"\nparameters = { symbols = [\"AAPL\"], lokback = 20, top = 1 }",
            ),
        ),
        (
            "a parameter out of range",
            book(
                "plugin = \"momentum\"\nparameters = { symbols = [\"AAPL\"], lookback = 0, top = 1 }",
            ),
        ),
        (
            "parameters for a file",
            book("file = \"trend.clj\"\nparameters = { top = 1 }"),
        ),
        (
            "weights above 1",
            format!(
                "{}{}",
                book("file = \"trend.clj\""),
                "[[strategy]]\nname = \"other\"\nweight = 0.6\nfile = \"trend.clj\"\n"
            ),
        ),
        (
            "a weight of 0",
            "[[strategy]]\nname = \"mine\"\nweight = 0\nfile = \"trend.clj\"\n".to_owned(),
        ),
        (
            "a weight that is no number",
            "[[strategy]]\nname = \"mine\"\nweight = \"half\"\nfile = \"trend.clj\"\n".to_owned(),
        ),
        (
            "a weight of NaN",
            "[[strategy]]\nname = \"mine\"\nweight = nan\nfile = \"trend.clj\"\n".to_owned(),
        ),
    ] {
        project.write("strategies/book.toml", text);
        refusals.run(what, &project);
    }
    project.remove("strategies/book.toml");
    refusals.run("no book", &project);
    assert_messages!(refusals);
}

#[test]
fn strategy_files() {
    let mut refusals = Refusals::default();
    let project = Project::new().book(&book("file = \"mine.clj\""));
    for (what, text) in [
        ("empty", &b""[..]),
        ("not closed", b"(defsymphony \"Mine\" {}\n  (asset \"MTUM\")"),
        ("closed by another", b"(defsymphony \"Mine\" {}\n  (weight-equal [(asset \"MTUM\")))"),
        ("an unknown operator", b"(defsymphony \"Mine\" {}\n  (frobnicate 3))"),
        ("a slip of the pen", b"(defsymphony \"Mine\" {}\n  (weight-eqal [(asset \"MTUM\")]))"),
        ("an unknown indicator", b"(defsymphony \"Mine\" {}\n  (if (> (rsj \"MTUM\" {:window 5}) 3)\n    [(asset \"MTUM\")]))"),
        ("a window of 0", b"(defsymphony \"Mine\" {}\n  (if (> (rsi \"MTUM\" {:window 0}) 3)\n    [(asset \"MTUM\")]))"),
        ("not text", b"(defsymphony \"M\xff\" {} (asset \"MTUM\"))"),
    ] {
        project.write("strategies/mine.clj", text);
        refusals.run(what, &project);
    }
    assert_messages!(refusals);
}

#[test]
fn plugin_files() {
    let mut refusals = Refusals::default();
    let module = b"\0asm\x01\0\0\0";
    let project = Project::new()
        .plugin("mine", b"")
        .book(&book("plugin = \"mine\""));
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("a text", b"I am a text, and no plugin.\n"),
        ("a core module", module),
        // A component without anything in it.
        ("a component that is no plugin", b"\0asm\x0d\0\x01\0"),
        ("a damaged component", b"\0asm\x0d\0\x01\0\xff\xff"),
    ] {
        project.write("plugins/mine.wasm", bytes);
        refusals.run(what, &project);
    }
    for name in ["mine", "dsl", "rebalance"] {
        project.write("strategies/book.toml", book("file = \"trend.clj\""));
        if name == "mine" {
            project.write("strategies/book.toml", book("plugin = \"mine\""));
        }
        project.remove(&format!("plugins/{name}.wasm"));
        refusals.run(&format!("no `{name}`"), &project);
        let shipped = e2e::plugins().join(format!("{name}.wasm"));
        project.write(
            &format!("plugins/{name}.wasm"),
            std::fs::read(shipped).unwrap_or_default(),
        );
    }
    project.write("plugins/rebalance.wasm", module);
    refusals.run("a planner that is no component", &project);
    assert_messages!(refusals);
}

#[test]
fn prices() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    let alchemiser = project.alchemiser();
    for (what, file, text) in [
        (
            "unsorted",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-03,1,2\n2020-01-02,1,2\n",
        ),
        (
            "a date twice",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-02,1,2\n",
        ),
        (
            "a price of 0",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-03,1,0\n",
        ),
        (
            "a price below 0",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-03,-1,2\n",
        ),
        (
            "a price that is none",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-03,nan,2\n",
        ),
        (
            "a cell too few",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-03,1\n",
        ),
        (
            "a cell too many",
            "closes.csv",
            "date,AAPL,MSFT\n2020-01-02,1,2,3\n",
        ),
        (
            "no date column",
            "closes.csv",
            "day,AAPL,MSFT\n2020-01-02,1,2\n",
        ),
        (
            "a symbol twice",
            "closes.csv",
            "date,AAPL,AAPL\n2020-01-02,1,2\n",
        ),
        (
            "another notation of dates",
            "closes.csv",
            "date,AAPL\n01/02/2020,1\n",
        ),
        ("nothing but a heading", "closes.csv", "date,AAPL\n"),
        ("empty", "closes.csv", ""),
        (
            "no close column",
            "AAPL.csv",
            "date,open,volume\n2020-01-02,1,2\n",
        ),
        (
            "unsorted, one symbol",
            "AAPL.csv",
            "date,close\n2020-01-03,1\n2020-01-02,1\n",
        ),
        (
            "a price of 0, one symbol",
            "AAPL.csv",
            "date,open,close\n2020-01-02,1,1\n2020-01-03,1,0\n",
        ),
        ("no prices", "notes.txt", "none\n"),
    ] {
        let name = format!("prices/{file}");
        project.write(&name, text);
        refusals.call(what, &project, &alchemiser, &["run", "--data", "prices"]);
        project.remove(&name);
    }
    refusals.call(
        "no such folder",
        &project,
        &alchemiser,
        &["run", "--data", "no-prices"],
    );
    for (what, text) in [
        (
            "a slip of the pen among instruments",
            "AAPL = { tradeable = false }\n",
        ),
        (
            "an instrument without prices",
            "CASH = { tradable = false }\n",
        ),
    ] {
        project.write("prices/closes.csv", "date,AAPL\n2020-01-02,1\n");
        project.write("prices/instruments.toml", text);
        refusals.call(what, &project, &alchemiser, &["run", "--data", "prices"]);
    }
    assert_messages!(refusals);
}

#[test]
fn settings_in_the_file() {
    let mut refusals = Refusals::default();
    for (what, settings) in [
        ("a slip of the pen", "paper.starting_cahs = 1"),
        ("a section mistyped", "[papr]\nstarting_cash = 1"),
        ("an unknown key", "[paper]\nleverage = 3"),
        ("a number that is none", "[paper]\nstarting_cash = \"much\""),
        (
            "a number of the wrong kind",
            "[strategy]\nworkers = \"many\"",
        ),
        ("no TOML", "[paper\nstarting_cash = 1"),
        ("a limit mistyped", "[sandbox.limits]\nmemory_mb = 1"),
        (
            "a limit of a plugin mistyped",
            "[sandbox.plugin.dsl]\nmemory_mb = 1",
        ),
        (
            "a strategy plugin that should plan",
            "plugins.portfolio = \"momentum\"",
        ),
    ] {
        let project = Project::new().settings(settings);
        refusals.run(what, &project);
    }
    assert_messages!(refusals);
}

#[test]
fn settings_in_the_environment() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    for (variable, value) in [
        ("PAPER__STARTING_CAHS", "1"),
        ("PAPER__LEVERAGE", "3"),
        ("PAPER__STARTING_CASH", "much"),
        ("STRATEGY__WORKERS", "many"),
        ("SANDBOX__LIMITS__MEMORY_MB", "1"),
    ] {
        let alchemiser = project.alchemiser().with(variable, value);
        let what = format!("{variable}={value}");
        refusals.call(&what, &project, &alchemiser, &["run"]);
    }
    assert_messages!(refusals);

    // What is not ours is nobody's mistake.
    let alchemiser = project
        .alchemiser()
        .with("PAPERS__SIZE", "A4")
        .with("PAPER", "1");
    let _ = alchemiser.call(["rules", "check"]).exits(0);
}

#[test]
fn routes() {
    let mut refusals = Refusals::default();
    let project = Project::new();
    let shipped = std::fs::read_to_string(project.path().join("routes.toml")).unwrap();
    for (what, from, to) in [
        ("no TOML", "[targets]", "[targets"),
        (
            "a target that is not there",
            "target = \"portfolio\"",
            "target = \"portfolo\"",
        ),
        (
            "a slip of the pen",
            "max_age_seconds = 600",
            "max_age_second = 600",
        ),
        (
            "too many attempts",
            "retry_attempts = 3\nmax_age_seconds = 600",
            "retry_attempts = 186\nmax_age_seconds = 600",
        ),
        (
            "an unknown operator",
            "[\"SignalGenerated\"]",
            "[{ wildcrd = \"Signal*\" }]",
        ),
        (
            "a pattern that is no list",
            "[\"SignalGenerated\"]",
            "\"SignalGenerated\"",
        ),
        (
            "a name twice",
            "name = \"signal-generated\"",
            "name = \"workflow-started\"",
        ),
    ] {
        let routes = shipped.replacen(from, to, 1);
        assert_ne!(routes, shipped, "{what}");
        project.write("routes.toml", routes);
        refusals.run(what, &project);
    }
    assert_messages!(refusals);
}

/// What is well-formed may yet make no sense.
#[test]
fn settings_out_of_range() {
    let project = Project::new();
    let mut accepted = Vec::new();
    for (variable, value, named) in [
        ("APP__ACCOUNT", "not an account", "account"),
        ("APP__ACCOUNT", "", "account"),
        ("APP__STAGE", "not a stage", "stage"),
        ("APP__STAGE", "", "stage"),
        ("PAPER__STARTING_CASH", "-1", "starting_cash"),
        ("PAPER__STARTING_CASH", "0", "starting_cash"),
        ("PAPER__SPREAD_BPS", "-1", "spread_bps"),
        ("PAPER__SPREAD_BPS", "20000", "spread_bps"),
        ("ALPACA__CASH_RESERVE_PCT", "-0.01", "cash_reserve_pct"),
        ("ALPACA__CASH_RESERVE_PCT", "1.01", "cash_reserve_pct"),
        ("PORTFOLIO__MAX_POSITION", "1.5", "max_position"),
        ("PORTFOLIO__MIN_TRADE_PCT", "-0.01", "min_trade_pct"),
        ("PORTFOLIO__MIN_TRADE_USD", "-1", "min_trade_usd"),
        (
            "PORTFOLIO__REBALANCE_THRESHOLD",
            "-0.01",
            "rebalance_threshold",
        ),
        ("SANDBOX__LIMITS__MEMORY_MIB", "100000000", "memory"),
        ("SANDBOX__LIMITS__MEMORY_MIB", "0", "memory"),
        ("SANDBOX__INSTANCES", "0", "instances"),
        ("SANDBOX__LIMITS__TIME_MS", "0", "time_ms"),
        ("SANDBOX__PLUGIN__DSL__OUTPUT_BYTES", "0", "output_bytes"),
        ("SANDBOX__PLUGIN__DLS__TIME_MS", "100", "did you mean `dsl`"),
        ("RETRY__BASE_MS", "0", "base_ms"),
        ("RETRY__LEASE_S", "0", "lease_s"),
    ] {
        let state = State::new();
        let alchemiser = project.alchemiser().with(variable, value);
        let refused = state.run(&alchemiser, "2022-12-28");
        let told = refused.stderr.contains(named);
        if refused.status.code() != Some(2) || !told || state.path().exists() {
            let code = refused.status.code();
            accepted.push(format!("{variable}={value}: {code:?} {}", refused.stderr));
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

/// Routes that are well-formed and lead nowhere: a workflow would begin and
/// never end.
#[test]
fn routes_that_lead_nowhere() {
    let project = Project::new();
    let shipped = std::fs::read_to_string(project.path().join("routes.toml")).unwrap();
    for event in [
        "WorkflowStarted",
        "SignalGenerated",
        "RebalancePlanned",
        "TradeExecuted",
    ] {
        let pattern = format!("detail-type = [\"{event}\"]");
        let routes = shipped.replacen(&pattern, "detail-type = [\"Nothing\"]", 1);
        assert_ne!(routes, shipped);
        project.write("routes.toml", routes);
        let alchemiser = project.alchemiser();
        let _ = alchemiser.call(["rules", "check"]).exits(1);
        let state = State::new();
        let refused = state.run(&alchemiser, "2022-12-28").exits(2);
        assert!(refused.stderr.contains(event), "{refused:#?}");
        assert!(!state.path().exists());
    }
}

/// What no rule sends on stays where it is, says so, and goes on once the
/// routes are mended.
#[test]
fn routes_that_lose_an_event() {
    let project = Project::new();
    let undisturbed = State::new();
    let _ = undisturbed
        .run(&project.alchemiser(), "2022-12-28")
        .exits(0);
    let archive = |state: &State| state.archive(&project.alchemiser());
    let shipped = std::fs::read_to_string(project.path().join("routes.toml")).unwrap();
    for (event, state_then) in [
        ("SignalGenerated", "signals"),
        ("TradeExecuted", "executing"),
    ] {
        let all = format!("detail-type = [\"{event}\"]");
        let none = format!("{all}, detail = {{ correlation_id = [\"nobody\"] }}");
        project.write("routes.toml", shipped.replacen(&all, &none, 1));
        let alchemiser = project.alchemiser();
        let state = State::new();
        let stuck = state.run(&alchemiser, "2022-12-28").exits(1);
        assert!(stuck.stderr.contains("mend routes.toml"), "{stuck:#?}");
        assert!(stuck.stderr.contains(state_then), "{stuck:#?}");
        let next = state.run(&alchemiser, "2022-12-29");
        assert!(!next.status.success(), "{next:#?}");

        project.write("routes.toml", &shipped);
        let _ = state.run(&project.alchemiser(), "2022-12-28").exits(0);
        assert_eq!(archive(&state), archive(&undisturbed));
    }
}

/// Half a workflow of one book is not finished with another.
#[test]
fn another_book_in_the_middle() {
    let project = Project::new();
    let shipped = std::fs::read_to_string(project.path().join("routes.toml")).unwrap();
    let all = "detail-type = [\"SignalGenerated\"]";
    let none = format!("{all}, detail = {{ correlation_id = [\"nobody\"] }}");
    project.write("routes.toml", shipped.replacen(all, &none, 1));
    let state = State::new();
    let _ = state.run(&project.alchemiser(), "2022-12-27").exits(1);
    project.write("routes.toml", &shipped);

    let book = std::fs::read_to_string(project.path().join("strategies/book.toml")).unwrap();
    project.write("strategies/other.toml", book);
    let other = project
        .alchemiser()
        .with("STRATEGY__BOOK", "strategies/other.toml");
    for date in ["2022-12-27", "2022-12-28"] {
        let refused = state.run(&other, date).exits(2);
        assert!(
            refused.stderr.contains("strategies/book.toml"),
            "{refused:#?}"
        );
    }
    let _ = state.run(&project.alchemiser(), "2022-12-27").exits(0);
    let _ = state.run(&other, "2022-12-28").exits(0);
}

/// For scripts the error is on stdout as well, as one JSON object.
#[test]
fn errors_for_scripts() {
    let project = Project::new();
    for (arguments, class) in [
        (&["run", "--date", "2022-12-24"][..], "NotASession"),
        (
            &["evaluate", "carousel", "--date", "2022-12-28"],
            "UnknownStrategy",
        ),
        (&["run", "--data", "no-prices"], "PriceError"),
        (
            &["indicator", "rsj", "SP500", "--date", "2022-12-28"],
            "ArgumentError",
        ),
    ] {
        let arguments = [arguments, &["--json"]].concat();
        let refused = project.alchemiser().call(arguments).exits(2);
        let line = refused.line();
        assert_eq!(line["error"]["class"], class);
        let message = line["error"]["message"].as_str().unwrap();
        assert_eq!(refused.stderr, format!("error: {message}\n"));
    }
    assert!(!project.path().join(".alchemiser").exists());
}

/// Whoever holds an index finds out when the strategy says so, since that is
/// the first time that anybody can know.
#[test]
fn an_index_cannot_be_held() {
    let project = Project::new().book(&book("file = \"mine.clj\"")).file(
        "strategies/mine.clj",
        "(defsymphony \"Mine\" {}\n  (asset \"SP500\"))",
    );
    let alchemiser = project.alchemiser();
    let state = State::new();
    let failed = state.run(&alchemiser, "2022-12-28").exits(1).line();
    assert_eq!(failed["error"]["class"], "NotTradable");
    assert_eq!(failed["error"]["symbol"], "SP500");

    let events = state.events(&alchemiser, "dev-paper-2022-12-28-1600");
    let types: Vec<&Value> = events.iter().map(|event| &event["event_type"]).collect();
    assert_eq!(
        types,
        [
            "WorkflowStarted",
            "WorkflowFailed",
            "TradingNotificationRequested"
        ]
    );
    assert_eq!(events[1]["error"]["class"], "NotTradable");
    assert_eq!(events[2]["trading_success"], false);
    assert_eq!(state.orders(), Vec::<Value>::new());

    let evaluated = alchemiser.call(["evaluate", "mine", "--date", "2022-12-28", "--json"]);
    assert_eq!(evaluated.exits(0).line()["error"]["class"], "NotTradable");
}

/// What looks at a state does not make one.
#[test]
fn looking_makes_no_state() {
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    for arguments in [
        &["events", "list"][..],
        &["events", "show", "signal-generated-1"],
        &["events", "trace", "dev-paper-2022-12-28-1600"],
        &["workflow", "list"],
        &["workflow", "show", "dev-paper-2022-12-28-1600"],
    ] {
        let looked = state.call(&alchemiser, arguments.iter().copied());
        assert!(!looked.status.success());
        assert!(
            looked.stderr.contains("`alchemiser run` creates it"),
            "{looked:#?}"
        );
        assert!(!state.path().exists());
    }
}

/// A folder with something else in it stays as it is.
#[test]
fn other_folders_are_no_state() {
    let project = Project::new();
    let alchemiser = project.alchemiser();
    let refused = alchemiser.call(["run", "--state", "strategies"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stderr.contains("holds other files"), "{refused:#?}");
    let refused = alchemiser.call(["run", "--state", "routes.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("is not a directory"),
        "{refused:#?}"
    );
    assert!(!project.path().join("strategies/alchemiser.db").exists());
}
