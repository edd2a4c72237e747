//! `alchemiser plugin list`: what is built, who uses it, and how it ran.

use super::{cells, component_json};
use crate::arguments::{Arguments, State as StateArguments};
use crate::commands::state::{opened, store};
use crate::failure::{CommandFailure, CommandResult};
use crate::output::{Align, Table};
use crate::project::{Project, components};
use crate::trace::milliseconds;
use alchemiser_local::{OpenError, PluginRecord, StateDirectory};
use alchemiser_sandbox::{Inspection, Rejection, inspect};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Lists the components of the project, and the plugins that the book or the
/// settings name and that are not built.
pub(super) fn list(state: &StateArguments, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let users = users(&project)?;
    let records = records(&project, state)?;
    let entries = entries(&project.plugins(), users, &records)
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
    const NUMBERS: [&str; 3] = ["size", "calls", "mean"];
    let titles = [
        "plugin",
        "kind",
        "interface",
        "size",
        "sha256",
        "used by",
        "calls",
        "mean",
        "last run",
    ];
    let mut table = Table::new(&titles.map(|title| match NUMBERS.contains(&title) {
        true => Align::Right,
        false => Align::Left,
    }));
    table.row(titles);
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

/// What plugins were asked, if there is a state directory that knows of it.
fn records(project: &Project, state: &StateArguments) -> CommandResult<Vec<PluginRecord>> {
    match StateDirectory::open_existing(&project.state(state)) {
        Ok(queries) => queries.plugins().map_err(store),
        // Nothing ran yet, or nothing since calls are kept.
        Err(OpenError::Missing(_) | OpenError::Older { .. }) => Ok(Vec::new()),
        Err(error) => Err(opened(&error)),
    }
}

/// A plugin that is there, or should be.
struct Entry {
    name: String,
    file: PathBuf,
    state: State,
    used_by: Vec<String>,
    /// How its builds ran, the last one first.
    records: Vec<PluginRecord>,
}

enum State {
    Component(Box<Inspection>),
    /// The file is no component.
    Refused(Rejection),
    Missing,
}

/// All plugins by name: those in a folder, and those that are used.
fn entries(folder: &Path, mut users: Users, records: &[PluginRecord]) -> io::Result<Vec<Entry>> {
    let mut names = components(folder)?;
    names.extend(users.keys().cloned());
    names
        .into_iter()
        .map(|name| {
            let file = folder.join(format!("{name}.wasm"));
            let state = match std::fs::read(&file) {
                Ok(bytes) => {
                    inspect(&bytes).map_or_else(State::Refused, |it| State::Component(Box::new(it)))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
                Err(error) => {
                    let message = format!("{}: {error}", file.display());
                    return Err(io::Error::new(error.kind(), message));
                }
            };
            let used_by = users.remove(&name).unwrap_or_default();
            let of_plugin = records.iter().filter(|record| record.plugin == name);
            Ok(Entry {
                records: of_plugin.cloned().collect(),
                name,
                file,
                state,
                used_by,
            })
        })
        .collect()
}

impl Entry {
    fn cells(&self) -> Vec<String> {
        let mut cells = self.component_cells().to_vec();
        if let Some(record) = self.record() {
            let at = record.last_at.instant().strftime("%F %T");
            cells.extend([
                record.calls.to_string(),
                format!("{:>8.1} ms", milliseconds(record.mean)),
                format!("{at} UTC, {}", record.last_workflow),
            ]);
        }
        cells
    }

    /// How the build that is there ran, if it did.
    fn record(&self) -> Option<&PluginRecord> {
        let State::Component(inspection) = &self.state else {
            return None;
        };
        let mut records = self.records.iter();
        records.find(|record| record.sha256 == inspection.digest)
    }

    fn component_cells(&self) -> [String; 6] {
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
            State::Component(inspection) => match &inspection.contract {
                Err(reason) => reason,
                Ok(_) => return self.other_build(),
            },
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

    /// That another build than the one that is there ran last.
    fn other_build(&self) -> Option<String> {
        let last = self.records.first()?;
        if self.record() == Some(last) {
            return None;
        }
        let (name, workflow) = (&self.name, &last.last_workflow);
        let build = last.sha256.short();
        Some(format!(
            "`{name}` last ran in {workflow}, as build {build}, which is not the one that is there"
        ))
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
        let calls = self.record().map_or(0, |record| record.calls);
        line.insert("calls".to_owned(), calls.into());
        if let Some(record) = self.record() {
            line.insert("mean_ms".to_owned(), milliseconds(record.mean).into());
        }
        // Of whichever build it was.
        let last = self.records.first().map(|record| {
            json!({
                "at": record.last_at,
                "workflow": record.last_workflow,
                "sha256": record.sha256,
            })
        });
        line.insert("last_run".to_owned(), json!(last));
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
    use alchemiser_events::{CorrelationId, Sha256Digest, Timestamp};
    use std::time::Duration;

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
        let record = |plugin: &str, build: &[u8], at: &str, microseconds| PluginRecord {
            plugin: plugin.to_owned(),
            sha256: Sha256Digest::of(build),
            calls: 3,
            mean: Duration::from_micros(microseconds),
            last_at: Timestamp::parse(at).unwrap(),
            last_workflow: CorrelationId::parse("dev-paper-2022-12-28-1600").unwrap(),
        };
        let records = vec![
            record(
                "empty",
                b"\0asm\x0d\0\x01\0",
                "2026-01-02T14:35:07.5Z",
                1_234,
            ),
            record("empty", b"before", "2026-01-01T14:35:00Z", 9_000),
            record("dsl", b"gone", "2026-01-02T14:35:07Z", 20),
        ];
        let entries = entries(folder.path(), users, &records).unwrap();
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
        let folder = folder.path().join("plugins");
        let entries = entries(&folder, Users::new(), &[]).unwrap();
        assert!(entries.is_empty());
    }
}
