//! Text that a command is given: on the command line, on stdin, in a file.

use crate::failure::{CommandFailure, CommandResult};
use alchemiser_rules::is_json;
use std::io::{self, Read};
use std::path::Path;

/// How large a file may be. Nothing that is meant is as large, and what has no
/// end, such as a device, must not fill the memory.
const LARGEST: u64 = 16 << 20;

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
        let (text, name) = match given {
            "-" => (within_bounds(io::stdin().lock()), "stdin"),
            _ => (read_file(Path::new(file)), file),
        };
        let text = text.map_err(|error| {
            let message =
                format!("{file}: {error}; the {what} is JSON in quotes, a file, or `-` for stdin");
            CommandFailure::usage("UsageError", message)
        })?;
        let name = name.to_owned();
        Ok(Self { text, name })
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> CommandResult<&str> {
        utf8(&self.text, &self.name).map_err(|message| CommandFailure::usage("UsageError", message))
    }
}

/// The bytes of a file, without a byte order mark.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    within_bounds(std::fs::File::open(path)?)
}

/// Bytes as text. If they are none, the answer is where and what to do; `name`
/// is what they are called.
pub fn utf8<'bytes>(bytes: &'bytes [u8], name: &str) -> Result<&'bytes str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = bytes[error.valid_up_to()];
        format!(
            "{name}:{line}: this is no UTF-8 text: byte {} is {byte:#04x}; save it as UTF-8",
            error.valid_up_to(),
        )
    })
}

/// What there is to read, without a byte order mark.
pub fn within_bounds(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("this is larger than {} MiB", LARGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..'\u{feff}'.len_utf8());
    }
    Ok(bytes)
}
