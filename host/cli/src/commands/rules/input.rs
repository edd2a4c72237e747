//! Patterns and events as they are given on the command line.

use crate::failure::{CommandFailure, CommandResult};
use std::io::Read;
use std::path::Path;

/// Text that was given, and what it is called in messages.
pub struct Input {
    pub text: Vec<u8>,
    pub name: String,
}

impl Input {
    /// JSON as it is, `@file` or `file`, or `-` for stdin. `what` is it.
    pub fn read(given: &str, what: &str) -> CommandResult<Self> {
        if is_json(given) {
            return Ok(Self {
                text: given.into(),
                name: what.to_owned(),
            });
        }
        let file = given.strip_prefix('@').unwrap_or(given);
        let failed = |error| {
            let message =
                format!("{file}: {error}; the {what} is JSON in quotes, a file, or `-` for stdin");
            CommandFailure::usage("UsageError", message)
        };
        if given == "-" {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map_err(failed)?;
            let name = "stdin".to_owned();
            return Ok(Self { text, name });
        }
        let text = std::fs::read(Path::new(file)).map_err(failed)?;
        let name = file.to_owned();
        Ok(Self { text, name })
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> CommandResult<&str> {
        std::str::from_utf8(&self.text).map_err(|error| {
            let message = format!("{}: this is no text: {error}", self.name);
            CommandFailure::usage("UsageError", message)
        })
    }
}

/// Whether something is meant to be JSON rather than the name of a file.
pub fn is_json(given: &str) -> bool {
    given.trim_start().starts_with(['{', '[', '"'])
}
