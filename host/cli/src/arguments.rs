//! What can be typed.

use alchemiser_events::{SessionDate, Timestamp};
use clap::{Args, Parser, Subcommand};
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
    /// Ask strategies for their weights
    Evaluate(Evaluate),
    /// Print the values of an indicator
    Indicator(Indicator),
    /// Look at the rules of routes.toml
    #[command(subcommand)]
    Rules(Rules),
    /// Look at events
    #[command(subcommand)]
    Events(Events),
    /// Look at workflows
    #[command(subcommand)]
    Workflow(Workflow),
    /// Build plugins and look at them
    #[command(subcommand)]
    Plugin(Plugin),
}

/// Where prices come from.
#[derive(Args)]
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
    /// List the schedules, and when they fire next
    #[command(after_help = "Example:\n  alchemiser rules schedules --count 5")]
    Schedules {
        /// The instant to look on from [default: now]
        #[arg(long, value_name = "INSTANT")]
        after: Option<Timestamp>,
        /// How many times to show for each
        #[arg(long, value_name = "N", default_value_t = 3)]
        count: usize,
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

#[derive(Subcommand)]
pub enum Workflow {
    /// List workflows
    #[command(after_help = "Example:\n  alchemiser workflow list")]
    List {
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

#[derive(Subcommand)]
pub enum Plugin {
    /// Build the project's plugins as WebAssembly components
    #[command(after_help = "Example:\n  alchemiser plugin build momentum")]
    Build {
        /// Only these
        names: Vec<String>,
    },
    /// Show what a component is: kind, interface, imports, digest
    #[command(after_help = "Example:\n  alchemiser plugin inspect target/plugins/momentum.wasm")]
    Inspect {
        /// The component's file
        file: PathBuf,
    },
    /// List the built plugins, and which strategies use them
    #[command(after_help = "Example:\n  alchemiser plugin list")]
    List,
}
