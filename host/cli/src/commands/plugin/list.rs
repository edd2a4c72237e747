//! `alchemiser plugin list`: what is built, and who uses it.

use super::{cells, component_json, table};
use crate::arguments::Arguments;
use crate::failure::{CommandFailure, CommandResult};
use crate::project::{Project, components};
use alchemiser_sandbox::{Inspection, Rejection, inspect};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Lists the components of the project, and the plugins that the book or the
/// settings name and that are not built.
pub(super) fn list(arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let users = users(&project)?;
    let entries = entries(&project.plugins(), users)
        .map_err(|error| CommandFailure::failed("PluginError", error))?;
    if arguments.json {
        for entry in &entries {
            println!("{}", Value::Object(entry.json()));
        }
    } else {
        print!("{}", text(&entries));
    }
    Ok(())
}

/// For a person: a table, and below it what it cannot say.
fn text(entries: &[Entry]) -> String {
    let mut table = table("used by");
    for entry in entries {
        table.row(entry.cells());
    }
    let remarks: Vec<String> = entries.iter().filter_map(Entry::remark).collect();
    if remarks.is_empty() {
        return table.to_string();
    }
    format!("{table}\n{}\n", remarks.join("\n"))
}

/// Who uses which plugin: plugin → users in the order of the book.
type Users = BTreeMap<String, Vec<String>>;

fn users(project: &Project) -> CommandResult<Users> {
    let mut users = Users::new();
    for entry in project.book()?.entries {
        let strategies = users.entry(entry.source.plugin).or_default();
        strategies.push(entry.name.to_string());
    }
    let planner = project.settings.plugins.portfolio.clone();
    users
        .entry(planner)
        .or_default()
        .push("every plan".to_owned());
    Ok(users)
}

/// A plugin that is there, or should be.
struct Entry {
    name: String,
    file: PathBuf,
    state: State,
    used_by: Vec<String>,
}

enum State {
    Component(Inspection),
    /// The file is no component.
    Refused(Rejection),
    Missing,
}

/// All plugins by name: those in a folder, and those that are used.
fn entries(folder: &Path, mut users: Users) -> io::Result<Vec<Entry>> {
    let mut names = components(folder)?;
    names.extend(users.keys().cloned());
    names
        .into_iter()
        .map(|name| {
            let file = folder.join(format!("{name}.wasm"));
            let state = match std::fs::read(&file) {
                Ok(bytes) => inspect(&bytes).map_or_else(State::Refused, State::Component),
                Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
                Err(error) => {
                    let message = format!("{}: {error}", file.display());
                    return Err(io::Error::new(error.kind(), message));
                }
            };
            let used_by = users.remove(&name).unwrap_or_default();
            Ok(Entry {
                name,
                file,
                state,
                used_by,
            })
        })
        .collect()
}

impl Entry {
    fn cells(&self) -> [String; 6] {
        let used_by = self.used_by.join(", ");
        let without = |kind: &str| {
            let empty = String::new;
            [
                self.name.clone(),
                kind.to_owned(),
                empty(),
                empty(),
                empty(),
                used_by.clone(),
            ]
        };
        match &self.state {
            State::Component(inspection) => cells(&self.name, inspection, used_by),
            State::Refused(_) => without("no plugin"),
            State::Missing => without("not built"),
        }
    }

    /// What the table cannot say: what is wrong, and what to do.
    fn remark(&self) -> Option<String> {
        let reason = match &self.state {
            State::Component(inspection) => inspection.contract.as_ref().err()?,
            State::Refused(reason) => reason,
            State::Missing => {
                return Some(format!(
                    "`{}` is not built; run `{}`",
                    self.name,
                    self.command()
                ));
            }
        };
        Some(format!("`{}` is no plugin: {reason}", self.name))
    }

    fn json(&self) -> Map<String, Value> {
        let mut line = match &self.state {
            State::Component(inspection) => component_json(&self.file, inspection),
            State::Refused(reason) => self.without(reason.to_string()),
            State::Missing => self.without("it is not built".to_owned()),
        };
        if matches!(self.state, State::Missing) {
            line.insert("command".to_owned(), self.command().into());
        }
        line.insert("plugin".to_owned(), self.name.clone().into());
        line.insert("used_by".to_owned(), self.used_by.clone().into());
        line
    }

    /// The fields of an entry that has no component.
    fn without(&self, reason: String) -> Map<String, Value> {
        Map::from_iter([
            ("file".to_owned(), self.file.display().to_string().into()),
            ("kind".to_owned(), Value::Null),
            ("reason".to_owned(), reason.into()),
        ])
    }

    /// What builds it.
    fn command(&self) -> String {
        format!("alchemiser plugin build {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_there_what_is_wrong_and_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for (file, bytes) in [
            ("core.wasm", &b"\0asm\x01\0\0\0"[..]),
            ("empty.wasm", b"\0asm\x0d\0\x01\0"),
            ("text.wasm", b"(component)"),
            (".plugin-half", b""),
            ("notes.md", b""),
        ] {
            std::fs::write(folder.path().join(file), bytes).unwrap();
        }
        let users = Users::from([
            (
                "dsl".to_owned(),
                vec!["trend".to_owned(), "rotation".to_owned()],
            ),
            ("empty".to_owned(), vec!["mine".to_owned()]),
        ]);
        let entries = entries(folder.path(), users).unwrap();
        insta::assert_snapshot!(text(&entries));

        let lines: Vec<String> = entries
            .iter()
            .map(|entry| Value::Object(entry.json()).to_string())
            .collect();
        let lines = lines.join("\n");
        insta::assert_snapshot!(lines.replace(folder.path().to_str().unwrap(), "PLUGINS"));
    }

    #[test]
    fn nothing_is_built_yet() {
        let folder = tempfile::tempdir().unwrap();
        let entries = entries(&folder.path().join("plugins"), Users::new()).unwrap();
        assert!(entries.is_empty());
    }
}
