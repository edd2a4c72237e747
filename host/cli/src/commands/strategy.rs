//! `alchemiser strategy`: looks at the text of strategy files.

mod format;
mod graph;
mod lint;

use crate::arguments::{Arguments, Strategy};
use crate::failure::{CommandFailure, CommandResult};
use crate::input;
use std::path::Path;

/// Runs one of the commands.
pub fn strategy(command: &Strategy, arguments: &Arguments) -> CommandResult {
    match command {
        Strategy::Lint {
            files,
            deny_warnings,
        } => lint::lint(files, *deny_warnings, arguments.json),
        Strategy::Format { files, check } => format::format(files, *check, arguments.json),
        Strategy::Graph {
            file,
            date,
            data,
            output,
        } => graph::graph(file, *date, data, output.as_deref(), arguments),
    }
}

/// What stands for stdin on the command line.
const STDIN: &str = "-";

/// A file's name in messages.
fn name(file: &str) -> &str {
    if file == STDIN { "stdin" } else { file }
}

fn read(file: &str) -> CommandResult<Vec<u8>> {
    let content = match file {
        STDIN => input::within_bounds(std::io::stdin().lock()),
        file => input::read_file(Path::new(file)),
    };
    content.map_err(|error| {
        CommandFailure::usage("StrategyFileError", format!("{}: {error}", name(file)))
    })
}
