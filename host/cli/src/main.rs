//! `alchemiser`: runs rules-based portfolios on events and sandboxed plugins.
//!
//! This crate reads arguments and settings, puts adapters behind the worker's
//! ports, and prints. What it prints on stdout is for the user or, with
//! `--json`, for a script; logs go to stderr.

#![allow(
    unreachable_pub,
    reason = "nothing of a binary can be reached from outside; `pub` means the crate"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a command line is for"
)]

#[macro_use]
mod output;

mod arguments;
mod commands;
mod failure;
mod input;
mod machine;
mod notifier;
mod ordered;
mod preview;
mod progress;
mod project;
mod reasons;
mod refusal;
mod report;
mod settings;
mod snippet;
mod sources;
mod stop;
mod terminal;
mod trace;
mod worker;

use arguments::{Arguments, Command};
use clap::Parser;
use clap::error::ErrorKind;
use failure::CommandResult;
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A reader that has seen enough, such as `head`, ends the program quietly.
    sigpipe::reset();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    output::start_log(arguments.verbose);
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(arguments.json);
            failure.exit_code()
        }
    }
}

/// Help or the version was asked for, or something that there is not. A script
/// is then told on stdout as well: what was typed cannot be understood, but
/// whether it asks for JSON can.
fn misused(error: &clap::Error) -> ExitCode {
    // There is nobody left to tell if this fails.
    let _ = error.print();
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let told = match error.kind() {
            // All that is printed then is the help.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                "a subcommand is missing; `--help` lists them".to_owned()
            }
            _ => error.render().to_string(),
        };
        // What follows is how it is used and where to find help.
        let message = told.split("\n\nUsage:").next().unwrap_or(&told);
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let paragraph = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let message: Vec<String> = message.split("\n\n").map(paragraph).collect();
        let message = message.join("; ");
        println!(
            "{}",
            json!({"error": {"class": "UsageError", "message": message}})
        );
    }
    // 0 or 2.
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(arguments: &Arguments) -> CommandResult {
    match &arguments.command {
        Command::Run(command) => commands::run::run(command, arguments),
        Command::Dev(command) => commands::dev::dev(command, arguments),
        Command::Doctor { data, state } => commands::doctor::doctor(data, state, arguments),
        Command::Evaluate(command) => commands::evaluate::evaluate(command, arguments),
        Command::Indicator(command) => commands::indicator::indicator(command, arguments),
        Command::Strategy(command) => commands::strategy::strategy(command, arguments),
        Command::Rules(command) => commands::rules::rules(command, arguments),
        Command::Events(command) => commands::events::events(command, arguments),
        Command::Dlq(command) => commands::dlq::dlq(command, arguments),
        Command::Workflow(command) => commands::workflow::workflow(command, arguments),
        Command::Plugin(command) => commands::plugin::plugin(command, arguments),
    }
}
