//! What people read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, MANIFEST, Project, State, plugins, workspace};
use std::path::Path;

const DATE: &str = "2022-12-28";
const WORKFLOW: &str = "dev-paper-2022-12-28-1600";

/// Compares text with what was read and found good; what differs from run to
/// run or from build to build is replaced.
macro_rules! assert_text {
    ($name:expr, $text:expr) => {
        insta::with_settings!({
            omit_expression => true,
            filters => vec![
                (r" +[0-9]+\.[0-9] ms", " [duration]"),
                (r"\b[0-9]+\.[0-9] s\b", "[duration]"),
                (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[time]"),
                (r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]+ UTC", "[time]"),
                (r"as build [0-9a-f]+", "as build [build]"),
                (r"\b[0-9a-f]{64}\b", "[digest]"),
                (r" +[0-9]+ KiB  [0-9a-f]{12}", " [size] [build]"),
                (r"[0-9,]+ bytes, of which [0-9,]+ are code and [0-9,]+ data", "[sizes]"),
                (r"\([0-9]+ files", "([count] files"),
                (r"\brustc .+", "[compiler]"),
            ],
        }, { insta::assert_snapshot!($name, $text); });
    };
}

/// A state on which the shipped project was run for a date.
fn traded() -> (Alchemiser, State) {
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    let _ = state.run(&alchemiser, DATE).exits(0);
    (alchemiser, state)
}

/// No line is ragged or ends in blanks, and nothing is coloured, since this is
/// no terminal.
fn is_tidy(text: &str) {
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
    for line in text.lines() {
        assert_eq!(line.trim_end(), line);
        assert!(!line.contains('!'), "{line}");
    }
}

#[test]
fn run() {
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    let text = |arguments: &[&str]| {
        let done = state.call(&alchemiser, arguments.iter().copied()).exits(0);
        assert_eq!(done.stderr, "");
        is_tidy(&done.stdout);
        done.stdout
            .replace(state.path().to_str().unwrap(), "[state]")
    };
    let first = text(&["run", "--date", "2022-12-27"]);
    assert_text!("run_first", first);
    assert_text!("run_again", text(&["run", "--date", "2022-12-27"]));
    assert_text!("run_next", text(&["run", "--date", DATE]));

    // The report can be had again, durations and all.
    let shown = text(&["workflow", "show", "dev-paper-2022-12-27-1600"]);
    let (_, report) = first.split_once('\n').unwrap();
    let (_, again) = shown.split_once('\n').unwrap();
    let (report, _) = report.split_once("\nLedger:").unwrap();
    assert_eq!(again, report);
}

#[test]
fn a_failed_run() {
    let project = Project::new()
        .book("[[strategy]]\nname = \"mine\"\nweight = 1\nfile = \"mine.clj\"\n")
        .file(
            "strategies/mine.clj",
            "(defsymphony \"Mine\" {}\n  (asset \"SP500\"))",
        );
    let state = State::new();
    let failed = state
        .call(&project.alchemiser(), ["run", "--date", DATE])
        .exits(1);
    is_tidy(&failed.stdout);
    assert_text!(
        "run_failed",
        failed
            .stdout
            .replace(state.path().to_str().unwrap(), "[state]")
    );
}

#[test]
fn workflow() {
    let (alchemiser, state) = traded();
    let list = state
        .call(&alchemiser, ["workflow", "list"])
        .exits(0)
        .stdout;
    is_tidy(&list);
    assert_text!("workflow_list", list);
    let show = state
        .call(&alchemiser, ["workflow", "show", WORKFLOW])
        .exits(0)
        .stdout;
    is_tidy(&show);
    assert_text!("workflow_show", show);
    let unknown = state
        .call(&alchemiser, ["workflow", "show", "carousel"])
        .exits(1);
    assert_text!("workflow_unknown", unknown.stderr);
}

#[test]
fn events() {
    let (alchemiser, state) = traded();
    for (name, arguments) in [
        ("list", &["events", "list"][..]),
        (
            "list_of_a_type",
            &["events", "list", "--event-type", "TradeExecuted"],
        ),
        (
            "list_of_nothing",
            &["events", "list", "--workflow", "carousel"],
        ),
        ("trace", &["events", "trace", WORKFLOW]),
    ] {
        let text = state
            .call(&alchemiser, arguments.iter().copied())
            .exits(0)
            .stdout;
        is_tidy(&text);
        assert_text!(format!("events_{name}"), text);
    }
    for (name, arguments) in [
        ("trace", ["events", "trace", "carousel"]),
        ("show", ["events", "show", "carousel"]),
    ] {
        let text = state.call(&alchemiser, arguments).exits(1).stderr;
        assert_text!(format!("events_{name}_unknown"), text);
    }
}

/// An event is shown by its id, or by as much of its beginning as tells it from
/// the others.
#[test]
fn one_event() {
    let (alchemiser, state) = traded();
    let events = state.events(&alchemiser, WORKFLOW);
    let id = events[0]["event_id"].as_str().unwrap();
    let shown = state
        .call(&alchemiser, ["events", "show", id])
        .exits(0)
        .stdout;
    assert_text!("events_show", shown);
    let beginning = &id[.."workflow-started-".len() + 8];
    assert_eq!(
        state
            .call(&alchemiser, ["events", "show", beginning])
            .exits(0)
            .stdout,
        shown
    );

    for event in &events {
        let id = event["event_id"].as_str().unwrap();
        let line = state
            .call(&alchemiser, ["events", "show", id, "--json"])
            .exits(0)
            .line();
        assert_eq!(line, *event);
    }
    // `workflow-started-…` and `workflow-completed-…`.
    let ambiguous = state.call(&alchemiser, ["events", "show", "workflow"]);
    assert!(!ambiguous.status.success());
}

#[test]
fn evaluate() {
    let alchemiser = Alchemiser::shipped();
    let book = ["trend", "rotation", "balance", "momentum"];
    let explained = [&["evaluate", "--date", DATE, "--explain"][..], &book].concat();
    let explained = alchemiser.call(explained).exits(0).stdout;
    is_tidy(&explained);
    assert_text!("evaluate_explain", explained);
    let plain = alchemiser
        .call(["evaluate", "trend", "--date", "2020-03-16"])
        .exits(0)
        .stdout;
    assert_text!("evaluate", plain);
    let none = alchemiser
        .call(["evaluate", "trend", "--date", "2013-03-15"])
        .exits(0)
        .stdout;
    assert_text!("evaluate_error", none);
}

/// As `head` does when it has seen enough: nobody is to blame.
#[test]
fn a_reader_may_leave() {
    let range = ["--from", "2014-01-02", "--to", "2022-12-28"];
    let arguments = [&["evaluate", "trend", "momentum", "--json"], &range[..]].concat();
    let left = Alchemiser::shipped().call_for_a_line(arguments);
    assert!(left.stdout.starts_with('{'), "{left:#?}");
    assert_eq!(left.stderr, "");
    assert_ne!(left.status.code(), Some(101), "{left:#?}");
}

#[test]
fn indicator() {
    let alchemiser = Alchemiser::shipped();
    let dates = ["--from", "2014-01-10", "--to", "2014-01-21"];
    let arguments = [&["indicator", "rsi", "SP500", "--window", "10"], &dates[..]].concat();
    assert_text!("indicator", alchemiser.call(arguments).exits(0).stdout);
}

#[test]
fn rules() {
    let project = Project::new();
    let check = || project.alchemiser().call(["rules", "check"]);
    assert_text!("rules_check", check().exits(0).stdout);

    let shipped = std::fs::read_to_string(project.path().join("routes.toml")).unwrap();
    let routes = shipped.replacen("[\"SignalGenerated\"]", "[\"Nothing\"]", 1);
    project.write("routes.toml", routes);
    assert_text!("rules_check_findings", check().exits(1).stdout);
}

#[test]
fn plugin() {
    let project = Project::new().plugin("spare", b"I am a text, and no plugin.\n");
    let list = || {
        project
            .alchemiser()
            .call(["plugin", "list"])
            .exits(0)
            .stdout
    };
    assert_text!("plugin_list", list());
    project.remove("plugins/momentum.wasm");
    assert_text!("plugin_list_not_built", list());
    let inspected = project
        .alchemiser()
        .call(["plugin", "inspect", "plugins/rebalance.wasm"]);
    assert_text!("plugin_inspect", inspected.exits(0).stdout);
}

/// What ran, when, and how long it took; of another build than the one that is
/// there only that it ran.
#[test]
fn plugins_that_ran() {
    let project = Project::new();
    let state = State::new();
    let alchemiser = project.alchemiser();
    let _ = state.run(&alchemiser, DATE).exits(0);
    let list = |format: &[&str]| {
        let place = ["--state", state.path().to_str().unwrap()];
        let arguments = ["plugin", "list"].iter().chain(&place).chain(format);
        alchemiser.call(arguments).exits(0).stdout
    };
    assert_text!("plugin_list_after_a_run", list(&[]));
    for line in list(&["--json"]).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected = if line["plugin"] == "dsl" { 3 } else { 1 };
        assert_eq!(line["calls"], expected, "{line}");
        assert!(line["mean_ms"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(line["last_run"]["sha256"], line["sha256"]);
        assert_eq!(line["last_run"]["workflow"], "dev-paper-2022-12-28-1600");
    }

    // A custom section without a name: another build of the same.
    let mut component = std::fs::read(plugins().join("momentum.wasm")).unwrap();
    component.extend([0, 1, 0]);
    let project = project.plugin("momentum", &component);
    let place = ["--state", state.path().to_str().unwrap()];
    let listed = project
        .alchemiser()
        .call(["plugin", "list"].iter().chain(&place));
    assert_text!("plugin_list_of_another_build", listed.exits(0).stdout);
}

/// Every command and the text of its help, those of groups not included.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut groups = vec![String::new()];
    while let Some(group) = groups.pop() {
        let arguments = group.split_whitespace().chain(["--help"]);
        let help = Alchemiser::shipped().call(arguments).exits(0).stdout;
        let Some((_, listed)) = help.split_once("Commands:\n") else {
            found.push((group, help));
            continue;
        };
        let names = listed
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        groups.extend(names.map(|name| format!("{group} {name}").trim().to_owned()));
    }
    found
}

/// A project with everything in it that examples speak of.
fn example_project() -> Project {
    let project = Project::new();
    let trend = std::fs::read(project.path().join("strategies/trend.clj")).unwrap();
    project.write("my-idea.clj", trend);
    let momentum = std::fs::read(plugins().join("momentum.wasm")).unwrap();
    project.write("target/plugins/momentum.wasm", momentum);
    let event = r#"{"source":"alchemiser.strategy","detail-type":"SignalGenerated","detail":{}}"#;
    project.write("event.json", event);
    let case = format!(r#"{{"name":"signals","event":{event},"targets":["portfolio"]}}"#);
    project.write("cases.jsonl", case);
    let scenario = "[[scenario]]\nname = \"a few prices\"\nprices = { UP = [1, 2] }\n";
    let unknown = "[[scenario.expect]]\nerror = { class = \"NoData\" }\n";
    project.write("trend.toml", format!("{scenario}{unknown}"));
    let parameters = "parameters = { symbols = [\"UP\"], lookback = 1, top = 1 }\n";
    project.write(
        "plugins/momentum/tests/momentum.toml",
        format!("{scenario}{parameters}"),
    );
    project.write("plugins/momentum/Cargo.toml", MANIFEST);
    project
}

/// Types a line of an example, without the program's name.
#[track_caller]
fn type_in(project: &Project, line: &str) {
    let words = line.split_whitespace().map(|word| word.trim_matches('\''));
    let done = project.alchemiser().call(words);
    assert_eq!(done.status.code(), Some(0), "{done:#?}");
}

#[test]
fn each_command_has_an_example_that_works() {
    let project = example_project();
    type_in(&project, "run --date 2022-12-28");
    let commands = commands();
    assert!(commands.len() >= 12, "{commands:#?}");
    for (command, help) in commands {
        let (_, examples) = help
            .split_once("Example")
            .unwrap_or_else(|| panic!("`{command}` has no example"));
        let mut typed = 0;
        for line in examples.lines() {
            let Some(line) = line.trim().strip_prefix("alchemiser ") else {
                continue;
            };
            typed += 1;
            assert!(line.starts_with(&command), "{line}");
            // An id cannot be known beforehand, building takes minutes, `dev`
            // goes on until it is stopped, and pipes are the shell's. New
            // plugins have tests of their own.
            if ["dev", "plugin build", "plugin new"].contains(&command.as_str()) {
                continue;
            }
            if !line.contains(['…', '<', '>']) {
                type_in(&project, line);
            }
        }
        assert!(typed > 0, "{help}");
    }
}

/// The commands of the README's blocks, in their order.
fn readme() -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    text.split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap().trim().to_owned())
        .collect()
}

#[test]
fn the_readme_can_be_typed() {
    let project = Project::new();
    let trial = State::new();
    let mut typed = 0;
    for line in readme() {
        if let Some(arguments) = line.strip_prefix("alchemiser ") {
            // What needs files of one's own or an id, or compiles, is not typed here.
            let is_own = [
                "plugin build",
                "plugin new",
                "plugin inspect mine",
                "plugin test mine",
            ]
            .iter()
            .any(|own| arguments.starts_with(own));
            if arguments.contains(['~', '…']) || is_own {
                continue;
            }
            let trial = trial.path().to_str().unwrap();
            let shipped = plugins().to_str().unwrap();
            let arguments = arguments.split_whitespace().map(|argument| {
                argument
                    .replace("/tmp/trial", trial)
                    .replace("target/plugins", shipped)
            });
            let done = project.alchemiser().call(arguments);
            assert_eq!(done.status.code(), Some(0), "{line}: {done:#?}");
            typed += 1;
        } else if let Some(files) = line
            .strip_prefix("cp ")
            .filter(|files| !files.starts_with('-'))
        {
            let (from, to) = files.split_once(' ').unwrap();
            let path = |file: &str| project.path().join(Path::new(file));
            std::fs::copy(path(from), path(to)).unwrap();
        }
    }
    assert!(typed >= 9, "{typed}");
}

/// Each setting of the README's table is known, and its default is accepted.
#[test]
fn the_readme_names_settings_that_exist() {
    let text = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let (_, table) = text.split_once("| setting | default | meaning |").unwrap();
    let words = |cell: &str| -> Vec<String> {
        cell.split(", ")
            .map(|word| word.trim().trim_matches('`').to_owned())
            .collect()
    };
    let mut alchemiser = Alchemiser::shipped();
    let mut settings = 0;
    for row in table.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').collect();
        let (names, defaults) = (words(cells[1]), words(cells[2]));
        if names[0].contains('*') {
            continue;
        }
        assert_eq!(names.len(), defaults.len(), "{row}");
        for (name, default) in names.iter().zip(&defaults) {
            let variable = name.replace('.', "__").to_uppercase();
            alchemiser = alchemiser.with(&variable, default);
            settings += 1;
        }
    }
    let _ = alchemiser.call(["rules", "check"]).exits(0);
    assert!(settings > 20, "{settings}");
}

/// A disk that is full ends the program with a message, and nothing is lost.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let full = || {
        let full = std::fs::File::options().write(true).open("/dev/full");
        full.unwrap()
    };
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    let run = state.arguments(["run", "--date", "2022-12-28", "--json"]);
    let commands = [
        run.map(str::to_owned).collect(),
        vec!["rules".to_owned(), "check".to_owned()],
        vec!["plugin".to_owned(), "list".to_owned()],
    ];
    for command in commands {
        let done = alchemiser.call_into(&command, full()).exits(1);
        assert!(done.stderr.starts_with("error: stdout: "), "{done:#?}");
        assert!(!done.stderr.contains("panicked"), "{done:#?}");
    }
    let again = state.run(&alchemiser, "2022-12-28").exits(0).line();
    assert_eq!(again["state"], "completed");
}
