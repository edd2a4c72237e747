//! What can be typed.

use alchemiser_events::{SessionDate, Timestamp};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs rules-based portfolios: strategies turn prices into weights, a plan
/// turns weights into trades, a broker turns trades into fills.
#[derive(Parser)]
#[command(name = "alchemiser", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    /// Print JSON, one object a line, for scripts
    #[arg(long, global = true)]
    pub json: bool,

    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// The project's folder, which holds `routes.toml` [default: the nearest above]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run one workflow from start to end
    Run(Run),
    /// Run workflows when their schedules say, and put changes to work, until
    /// stopped
    Dev(Dev),
    /// Say what is wrong, and what helps
    #[command(
        after_help = "Exit codes: 0 nothing is missing, 1 something is.\n\nExample:\n  alchemiser doctor"
    )]
    Doctor {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        state: State,
    },
    /// Ask strategies for their weights
    Evaluate(Evaluate),
    /// Print the values of an indicator
    Indicator(Indicator),
    /// Check, lay out and draw strategy files
    #[command(subcommand)]
    Strategy(Strategy),
    /// Look at the rules of routes.toml
    #[command(subcommand)]
    Rules(Rules),
    /// Look at events
    #[command(subcommand)]
    Events(Events),
    /// Look at dead letters, and give them another chance
    #[command(subcommand)]
    Dlq(Dlq),
    /// Look at workflows
    #[command(subcommand)]
    Workflow(Workflow),
    /// Build plugins and look at them
    #[command(subcommand)]
    Plugin(Plugin),
}

/// Where prices come from.
#[derive(Args, Clone)]
pub struct Data {
    /// A folder of price files, or one wide file [default: the project's data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Where the state is kept.
#[derive(Args)]
pub struct State {
    /// The state directory [default: .alchemiser in the project]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Example:\n  alchemiser run --date 2022-12-28")]
pub struct Run {
    /// The session to decide on [default: the last one of the data]
    #[arg(long, value_name = "DATE")]
    pub date: Option<SessionDate>,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub state: State,
}

#[derive(Args)]
#[command(
    after_help = "Ctrl-C stops it when what was begun has ended; a second one stops it at once.\n\n\
                  What is changed meanwhile is put to work at once: plugin sources, components, strategy\n\
                  files, the book and the routes. What does not build, or fails its tests, is not.\n\n\
                  Examples:\n  alchemiser dev --data ~/prices\n  alchemiser dev --once --json"
)]
pub struct Dev {
    /// Build what has changed, do what is due, and end
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub state: State,
}

/// One date, several, or a range.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct Dates {
    /// An as-of date; may be given more than once
    #[arg(long, value_name = "DATE", conflicts_with_all = ["from", "to"])]
    pub date: Vec<SessionDate>,
    /// The first session of a range
    #[arg(long, value_name = "DATE", requires = "to")]
    pub from: Option<SessionDate>,
    /// The last session of a range
    #[arg(long, value_name = "DATE", requires = "from")]
    pub to: Option<SessionDate>,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  alchemiser evaluate trend --date 2022-12-28\n  \
                  alchemiser evaluate momentum --from 2022-01-03 --to 2022-12-28 --json\n  \
                  alchemiser evaluate my-idea.clj --date 2022-12-28"
)]
pub struct Evaluate {
    /// A strategy of the book, a strategy file (.clj), or a plugin (.wasm)
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
    #[command(flatten)]
    pub dates: Dates,
    #[command(flatten)]
    pub data: Data,
    /// Print the reason of each decision
    #[arg(long)]
    pub explain: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  alchemiser indicator rsi SP500 --window 10 --date 2022-12-28")]
pub struct Indicator {
    /// The indicator, as the strategy language names it
    pub name: String,
    /// The symbol
    pub symbol: String,
    /// How many bars it looks at [default: the indicator's own]
    #[arg(long, value_name = "N")]
    pub window: Option<u32>,
    #[command(flatten)]
    pub dates: Dates,
    #[command(flatten)]
    pub data: Data,
}

#[derive(Subcommand)]
pub enum Strategy {
    /// Say what is wrong with strategy files, and what in them has no influence
    #[command(
        after_help = "Exit codes: 0 nothing is wrong, 1 there are warnings and `--deny-warnings` is \
                      given, 2 a file is refused.\n\n\
                      Example:\n  alchemiser strategy lint strategies/trend.clj strategies/rotation.clj"
    )]
    Lint {
        /// Strategy files, or `-` for stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
        /// Fail when there are warnings
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Lay strategy files out in the one way there is; comments are kept
    #[command(
        after_help = "Examples:\n  alchemiser strategy format strategies/trend.clj\n  \
                      alchemiser strategy format - < mine.clj > laid-out.clj"
    )]
    Format {
        /// Strategy files, which are rewritten, or `-` for stdin to stdout
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
        /// Rewrite nothing, and fail when anything would be
        #[arg(long)]
        check: bool,
    },
    /// Draw the decisions of a strategy file as SVG, with the path taken on a
    /// date
    #[command(after_help = "Example:\n  \
                      alchemiser strategy graph strategies/trend.clj --date 2022-12-28 --output trend.svg")]
    Graph {
        /// The strategy file
        #[arg(value_name = "FILE")]
        file: String,
        /// Mark the path taken as of this date
        #[arg(long, value_name = "DATE")]
        date: Option<SessionDate>,
        #[command(flatten)]
        data: Data,
        /// Where the picture goes [default: stdout]
        #[arg(short, long, value_name = "FILE.svg")]
        output: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum Rules {
    /// Check routes.toml, and that the routes make sense
    #[command(after_help = "Example:\n  alchemiser rules check")]
    Check,
    /// Say whether a pattern matches an event, and if not, why not
    #[command(
        after_help = "Exit codes: 0 it matches, 1 it does not, 2 the pattern or the event is no good.\n\n\
                      Examples:\n  \
                      alchemiser rules match --pattern '{\"source\":[{\"prefix\":\"alchemiser.\"}]}' \
                      --event event.json\n  \
                      alchemiser rules match --pattern @pattern.json --event - < event.json"
    )]
    Match {
        /// The pattern, as EventBridge has it: JSON, a file, or `-` for stdin
        #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
        pattern: String,
        /// The event as EventBridge delivers it: JSON, a file, or `-` for stdin
        #[arg(long, value_name = "EVENT", allow_hyphen_values = true)]
        event: String,
    },
    /// Run the tests of routes.toml, or the cases of a file
    #[command(after_help = "A case is a line of JSON with `name` and\n  \
                      `event`, `targets`: the handlers that the routes send the event to\n  \
                      `pattern`, `event`, `match`: whether the pattern matches the event\n  \
                      `pattern`, `invalid`: that the pattern is refused\n\n\
                      Examples:\n  alchemiser rules test\n  alchemiser rules test cases.jsonl")]
    Test {
        /// A file of cases, one a line [default: the tests of routes.toml]
        #[arg(value_name = "FILE.jsonl")]
        file: Option<PathBuf>,
    },
    /// Say what each rule makes of an event, and who gets it
    #[command(after_help = "Examples:\n  alchemiser rules explain event.json\n  \
                      alchemiser rules explain signal-generated-2b1c4c5e-…")]
    Explain {
        /// The event: JSON, a file, `-` for stdin, or the id of one that was
        /// published, or enough of its beginning
        #[arg(value_name = "EVENT", allow_hyphen_values = true)]
        event: String,
        #[command(flatten)]
        state: State,
    },
    /// List the schedules: what they did last, and when they fire next
    #[command(after_help = "Example:\n  alchemiser rules schedules --count 5")]
    Schedules {
        /// The instant to look on from [default: now]
        #[arg(long, value_name = "INSTANT")]
        after: Option<Timestamp>,
        /// How many times to show for each
        #[arg(long, value_name = "N", default_value_t = 3)]
        count: usize,
        #[command(flatten)]
        state: State,
    },
    /// Print the JSON Schema of routes.toml, for editors
    #[command(after_help = "Example:\n  alchemiser rules schema")]
    Schema,
}

#[derive(Subcommand)]
pub enum Events {
    /// List events
    #[command(
        after_help = "Example:\n  alchemiser events list --workflow dev-paper-2022-12-28-1600"
    )]
    List {
        /// Only those of a workflow
        #[arg(long, value_name = "CORRELATION")]
        workflow: Option<String>,
        /// Only those of a type
        #[arg(long, value_name = "TYPE")]
        event_type: Option<String>,
        /// Only those that a rule sent somewhere
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// Only those whose handling failed at least once
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        window: Window,
        /// Only the last so many; 0 for all [default: 1000, all with --json]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        #[command(flatten)]
        state: State,
    },
    /// Send archived events to the targets that missed them
    #[command(
        after_help = "A target that got an event before does not get it again. Orders and mail are left out\n\
                      unless --act is given.\n\n\
                      With --correlation nothing is sent at all: what the workflow asked of a plugin is asked\n\
                      again of another build of it, with the prices, files and account of then.\n\n\
                      Examples:\n  alchemiser events replay --from 2022-12-28 --to 2100-01-01 --dry-run\n  \
                      alchemiser events replay --correlation dev-paper-2022-12-28-1600 --with-plugin target/plugins/momentum.wasm --diff"
    )]
    Replay {
        /// Those published at this instant or later, by the system clock
        #[arg(long, value_name = "INSTANT", value_parser = instant, required_unless_present = "correlation")]
        from: Option<Timestamp>,
        /// Those published before this instant
        #[arg(long, value_name = "INSTANT", value_parser = instant, required_unless_present = "correlation")]
        to: Option<Timestamp>,
        /// Only what this rule sends
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// What rules and logs call the replay [default: derived from the instants]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Let handlers send orders and mail
        #[arg(long)]
        act: bool,
        /// Only say what would be delivered
        #[arg(long)]
        dry_run: bool,
        /// The workflow whose questions are asked again
        #[arg(
            long,
            value_name = "WORKFLOW",
            requires = "with_plugin",
            conflicts_with_all = ["from", "to", "rule", "name", "act", "dry_run"]
        )]
        correlation: Option<String>,
        /// The build to ask: a component
        #[arg(long, value_name = "FILE", requires = "correlation")]
        with_plugin: Option<PathBuf>,
        /// The plugin that the build stands in for [default: the name of the file]
        #[arg(long, value_name = "NAME", requires = "with_plugin")]
        in_place_of: Option<String>,
        /// Show only what would have changed
        #[arg(long, requires = "with_plugin")]
        diff: bool,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        state: State,
    },
    /// Show one event
    #[command(after_help = "Example:\n  alchemiser events show signal-generated-2b1c4c5e-…")]
    Show {
        /// The event's id, or enough of its beginning
        id: String,
        #[command(flatten)]
        state: State,
    },
    /// Show a workflow's events as a tree, with what was done for each
    #[command(after_help = "Example:\n  alchemiser events trace dev-paper-2022-12-28-1600")]
    Trace {
        /// The workflow
        correlation: String,
        #[command(flatten)]
        state: State,
    },
}

/// When something was published, by the system clock.
#[derive(Args)]
pub struct Window {
    /// Only those published at this instant or later
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub from: Option<Timestamp>,
    /// Only those published before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub to: Option<Timestamp>,
}

impl Window {
    /// Both ends; an error if nothing can be between them.
    pub fn ends(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to <= from => Err(format!(
                "`--from` is {from}, and not before `--to`, which is {to}"
            )),
            ends => Ok(ends),
        }
    }
}

/// An instant, or the beginning of a day in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let begins = SessionDate::parse(text).map(|_| format!("{text}T00:00:00Z"));
    let instant = begins.as_deref().unwrap_or(text);
    Timestamp::parse(instant)
        .map_err(|_| "an instant is a date, or like 2026-01-02T15:04:05Z".to_owned())
}

/// Which dead letters.
#[derive(Args)]
pub struct Letters {
    /// Only those that a rule sent
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only those whose error is of a class
    #[arg(long, value_name = "CLASS")]
    pub error: Option<String>,
}

#[derive(Subcommand)]
pub enum Dlq {
    /// List dead letters that wait for somebody
    #[command(after_help = "Example:\n  alchemiser dlq list --rule rebalance-planned")]
    List {
        /// Only those of a workflow
        #[arg(long, value_name = "CORRELATION")]
        workflow: Option<String>,
        #[command(flatten)]
        letters: Letters,
        /// Also those that were redriven or dropped
        #[arg(long)]
        settled: bool,
        #[command(flatten)]
        state: State,
    },
    /// Show one dead letter: what, to whom, and why it failed
    #[command(after_help = "Example:\n  alchemiser dlq show …")]
    Show {
        /// Its number
        letter: i64,
        #[command(flatten)]
        state: State,
    },
    /// Deliver dead letters once more, and bring their workflows to an end
    #[command(
        after_help = "Refused is what could trade twice, or on a plan that is past its deadline.\n\n\
                      Examples:\n  alchemiser dlq redrive --all --dry-run\n  \
                      alchemiser dlq redrive --all --error BrokerError --per-second 2"
    )]
    Redrive {
        /// Its number
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        letter: Option<i64>,
        /// All of them, or those that --rule and --error leave
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        letters: Letters,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// At most so many a second
        #[arg(long, value_name = "N", default_value_t = 10,
              value_parser = clap::value_parser!(u32).range(1..=1000))]
        per_second: u32,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        state: State,
    },
    /// Give dead letters up; what they say stays to be looked at
    #[command(after_help = "Example:\n  alchemiser dlq drop --all --error Expired --dry-run")]
    Drop {
        /// Its number
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        letter: Option<i64>,
        /// All of them, or those that --rule and --error leave
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        letters: Letters,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        state: State,
    },
}

#[derive(Subcommand)]
pub enum Workflow {
    /// List workflows
    #[command(after_help = "Example:\n  alchemiser workflow list")]
    List {
        /// Only the last so many; 0 for all [default: 1000, all with --json]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        #[command(flatten)]
        state: State,
    },
    /// Show a workflow: weights, plan, fills, account
    #[command(after_help = "Example:\n  alchemiser workflow show dev-paper-2022-12-28-1600")]
    Show {
        /// The workflow
        correlation: String,
        #[command(flatten)]
        state: State,
    },
}

/// What is tested, and how.
#[derive(Args)]
pub struct PluginTest {
    /// Plugins of the project, strategies of the book, `.clj` or `.wasm` files,
    /// folders of crates [default: all that have scenarios]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Scenarios elsewhere than in `tests` beside the source: a file, or a folder
    #[arg(long, value_name = "PATH", requires = "names")]
    pub scenarios: Option<PathBuf>,
    /// Write what is answered into the files, where something else is expected
    #[arg(long)]
    pub update: bool,
    /// Take the components that are there
    #[arg(long)]
    pub no_build: bool,
    /// Write a JUnit report as well
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What a new plugin is.
#[derive(Args)]
pub struct NewPlugin {
    /// Its name: lower-case letters, digits and `-`
    pub name: String,
    /// What it does
    #[arg(long, value_enum, default_value_t = PluginKind::Strategy)]
    pub kind: PluginKind,
    /// Make its folder in this one [default: the project's `plugins`]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Where the crate `alchemiser-sdk` lies [default: the project's `plugins/sdk`]
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

/// What a plugin does.
#[derive(Clone, Copy, ValueEnum)]
pub enum PluginKind {
    /// Turns prices into target weights
    Strategy,
    /// Turns target weights into trades
    Portfolio,
}

#[derive(Subcommand)]
pub enum Plugin {
    /// Make a new plugin: a crate with tests that builds at once
    #[command(
        after_help = "In the project it becomes a member of the workspace. Anywhere else it is a crate of its\n\
                      own, which depends on the project's SDK by its path.\n\n\
                      Examples:\n  alchemiser plugin new mine\n  alchemiser plugin new mine --into ~/strategies\n  \
                      alchemiser plugin new planner --kind portfolio"
    )]
    New(NewPlugin),
    /// Build plugins as WebAssembly components
    #[command(
        after_help = "Components are put where the project has its plugins; without a project into\n\
                      `target/plugins` of the crate's folder.\n\n\
                      Examples:\n  alchemiser plugin build momentum\n  \
                      alchemiser plugin build ~/strategies/mine"
    )]
    Build {
        /// Plugins of the project, or folders of crates [default: the crate of its own that this
        /// folder is in, else all of the project]
        #[arg(value_name = "NAME|DIR")]
        names: Vec<String>,
    },
    /// Show what a component is: kind, interface, imports, sizes, limits, sources
    #[command(after_help = "Example:\n  alchemiser plugin inspect target/plugins/momentum.wasm")]
    Inspect {
        /// A plugin of the project, or a component's file
        plugin: PathBuf,
    },
    /// List the built plugins, which strategies use them, and when they last ran
    #[command(after_help = "Example:\n  alchemiser plugin list")]
    List {
        #[command(flatten)]
        state: State,
    },
    /// Run plugins and strategies on scenario files, and compare what they answer
    #[command(
        after_help = "Plugins are built first and run as components, within their limits. Besides what a\n\
                      scenario expects, no answer may depend on earlier calls or on later prices.\n\n\
                      Exit codes: 0 all passed, 1 some failed, 2 wrong usage or a bad scenario file.\n\n\
                      Examples:\n  alchemiser plugin test\n  alchemiser plugin test momentum --update\n  \
                      alchemiser plugin test strategies/trend.clj --scenarios trend.toml"
    )]
    Test(PluginTest),
}
