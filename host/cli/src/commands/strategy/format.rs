//! `alchemiser strategy format`

use super::lint::report;
use super::{STDIN, name, read};
use crate::failure::{CommandFailure, CommandResult};
use crate::snippet::colours;
use dsl::Severity;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Lays files out anew. A file that cannot be read as a strategy is left as it
/// is, and so are all others then: nothing is begun.
pub fn format(files: &[String], check: bool, json: bool) -> CommandResult {
    let mut changes = Vec::new();
    let mut refused = false;
    for file in files {
        let content = read(file)?;
        match dsl::format(&content) {
            Ok(formatted) => changes.push((file, content, formatted)),
            Err(error) => {
                refused = true;
                let mut findings = dsl::lint(&content);
                findings.retain(|finding| finding.severity == Severity::Error);
                if findings.is_empty() {
                    // It is a strategy, and cannot be laid out.
                    eprintln!("error: {}: {}", name(file), error.message);
                }
                eprint!(
                    "{}",
                    report(name(file), &content, &findings, colours(&io::stderr()))
                );
                if json {
                    let place = error.place.map(|place| (place.line, place.column));
                    let error = json!({
                        "class": error.class,
                        "message": error.message,
                        "file": name(file),
                        "line": place.map(|(line, _)| line),
                        "column": place.map(|(_, column)| column),
                    });
                    println!("{}", json!({"error": error}));
                }
            }
        }
    }
    if refused {
        return Err(CommandFailure::RefusedAndReported);
    }

    let mut differ = false;
    for (file, content, formatted) in changes {
        let differs = content != formatted.as_bytes();
        differ |= differs;
        match (file.as_str(), check) {
            (STDIN, false) if !json => print!("{formatted}"),
            (_, true) | (STDIN, false) => {}
            (file, false) if differs => replace(Path::new(file), &formatted).map_err(|error| {
                CommandFailure::failed("WriteError", format!("{file}: {error}"))
            })?,
            _ => {}
        }
        if json {
            let mut object = json!({"file": name(file), "changed": differs});
            if file == STDIN {
                object["text"] = formatted.into();
            }
            println!("{object}");
        } else if differs && (check || file != STDIN) {
            let done = if check {
                "would be formatted"
            } else {
                "formatted"
            };
            println!("{}: {done}", name(file));
        }
    }
    if check && differ {
        Err(CommandFailure::AlreadyReported)
    } else {
        Ok(())
    }
}

/// Puts a new content in the place of a file's, all or nothing.
fn replace(file: &Path, content: &str) -> io::Result<()> {
    // A link stays one: what it points at is replaced.
    let file = file.canonicalize()?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(content.as_bytes())?;
    new.as_file()
        .set_permissions(std::fs::metadata(&file)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(&file)?;
    Ok(())
}
