//! From the text of a `routes.toml` to [`Routes`], with every mistake in it.
//!
//! First each value is read by its form, then the parts are put together and
//! what they say of each other is checked. Neither stops at a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use alchemiser_schedule::Zone;
use alchemiser_suggest as suggest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{
    File, MaxAgeSeconds, RetryAttempts, RuleTable, ScheduleTable, TargetTable, TestTable,
};
use super::form::{ByName, Complaint, Entries, Form, List, Optional, Placed, Word};
use super::reader::Reader;
use super::{RetryPolicy, RouteTest, Routes, Rule, Schedule, Surroundings, TargetKind, syntax};
use crate::mistake::{EntryKind, RoutesError};
use crate::name::{BusName, TargetName};

pub(super) fn parse(
    text: &str,
    file_name: &str,
    surroundings: Surroundings<'_>,
) -> Result<Routes, RoutesError> {
    let mut reader = Reader::new(text, file_name, surroundings);
    let routes = read(&mut reader);
    match routes {
        Some(routes) if reader.mistakes.is_empty() => Ok(routes),
        _ => {
            let mut mistakes = reader.mistakes;
            mistakes.sort_by_key(|mistake| mistake.span.start);
            Err(RoutesError { mistakes })
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Routes> {
    let Ok(document) = DeTable::parse(reader.text) else {
        for syntax::SyntaxError { span, message } in syntax::errors(reader.text) {
            let advice = match message.as_str() {
                "duplicate key" => "it is there twice; leave one",
                _ => "mend the syntax",
            };
            reader.mistake(span, format!("this is no TOML: {message}"), advice);
        }
        return None;
    };
    let span = document.span();
    let document = Spanned::new(span, DeValue::Table(document.into_inner()));
    let file = File::read(reader, &document)?;
    assemble(reader, file)
}

/// Puts the parts together; `None` after mistakes only.
fn assemble(reader: &mut Reader<'_>, file: File) -> Option<Routes> {
    let bus = file.bus.value().map(|bus| bus.0).unwrap_or_default();
    let targets = targets(reader, file.targets.0);
    let mut assembler = Assembler {
        reader,
        bus,
        targets,
        names: Names::default(),
    };
    // All parts are put together before any is required, so that all mistakes
    // are found.
    let rules = assembler.each(file.rule.0, EntryKind::Rule, Assembler::rule);
    let schedules = assembler.each(file.schedule.0, EntryKind::Schedule, Assembler::schedule);
    let tests = assembler.each(file.test.0, EntryKind::Test, Assembler::test);

    let targets = assembler.targets?;
    let kinds = targets.into_iter().map(|(name, kind)| Some((name, kind?)));
    Some(Routes::new(
        assembler.bus,
        kinds.collect::<Option<_>>()?,
        rules?,
        schedules?,
        tests?,
    ))
}

/// The targets; the kind is missing where it was mistaken. A target without it
/// still has its name, so that entries which name it are not called mistaken
/// too.
type Targets = BTreeMap<TargetName, Option<TargetKind>>;

fn targets(
    reader: &mut Reader<'_>,
    tables: Option<Placed<ByName<TargetTable>>>,
) -> Option<Targets> {
    let mut targets = Targets::new();
    for (text, (span, table)) in tables?.value.0 {
        let kind = table.and_then(|table| table.kind.0);
        match TargetName::parse(&text) {
            Ok(name) => {
                targets.insert(name, kind.map(|kind| kind.value));
            }
            Err(Complaint { message, advice }) => reader.at("targets", |reader| {
                reader.at(&text, |reader| reader.mistake(span, message, advice));
            }),
        }
    }
    Some(targets)
}

/// The lines of entries by their kinds and names.
type Names = BTreeMap<(EntryKind, String), usize>;

struct Assembler<'reader, 'file> {
    reader: &'reader mut Reader<'file>,
    bus: BusName,
    /// None when they could not be read.
    targets: Option<Targets>,
    names: Names,
}

impl Assembler<'_, '_> {
    /// Puts each entry together; `None` when one is mistaken.
    fn each<T, E>(
        &mut self,
        entries: Option<Placed<Entries<T>>>,
        kind: EntryKind,
        assemble: impl Fn(&mut Self, T, &Named, usize) -> Option<E>,
    ) -> Option<Vec<E>> {
        let entries = entries.map_or_else(Vec::new, |entries| entries.value.0);
        let assembled: Vec<Option<E>> = entries
            .into_iter()
            .map(|entry| {
                let line = self.reader.line(&entry.span);
                let name = entry.name;
                assemble(self, entry.value, &Named { kind, name }, line)
            })
            .collect();
        assembled.into_iter().collect()
    }

    fn rule(&mut self, table: RuleTable, entry: &Named, line: usize) -> Option<Rule> {
        self.only_one(entry, table.name.0.as_ref(), line);
        let target = self.target(entry, table.target.0, |kind| match kind {
            TargetKind::Handler | TargetKind::Log => None,
            TargetKind::Command => Some(Complaint::new(
                "rules send events, and this target takes the commands of schedules",
                "name a target of kind `handler` or `log`",
            )),
        });
        Some(Rule {
            name: table.name.value()?,
            description: table.description.value(),
            enabled: table.enabled.value().unwrap_or(true),
            bus: table
                .bus
                .value()
                .map_or_else(|| self.bus.clone(), |bus| bus.0),
            pattern: table.pattern.value()?,
            target: target?,
            retry: retry_policy(table.retry_attempts, table.max_age_seconds),
            line,
        })
    }

    fn schedule(&mut self, table: ScheduleTable, entry: &Named, line: usize) -> Option<Schedule> {
        self.only_one(entry, table.name.0.as_ref(), line);
        let target = self.target(entry, table.target.0, |kind| match kind {
            TargetKind::Command => None,
            TargetKind::Handler | TargetKind::Log => Some(Complaint::new(
                "schedules give commands, and this target takes events",
                "name a target of kind `command`",
            )),
        });
        Some(Schedule {
            name: table.name.value()?,
            description: table.description.value(),
            enabled: table.enabled.value().is_none_or(|enabled| enabled.0),
            expression: table.expression.value()?,
            zone: table.time_zone.value().map_or(Zone::UTC, |zone| zone.0),
            target: target?,
            input: table.input.value().map(|input| input.0),
            retry: retry_policy(table.retry_attempts, table.max_age_seconds),
            line,
        })
    }

    fn test(&mut self, table: TestTable, entry: &Named, line: usize) -> Option<RouteTest> {
        self.only_one(entry, table.name.0.as_ref(), line);
        let targets = self.list(entry, table.targets.0, "targets", |assembler, name| {
            let only_handlers = |kind| match kind {
                TargetKind::Handler => None,
                TargetKind::Log | TargetKind::Command => Some(Complaint::new(
                    "no event is delivered to this target by the worker",
                    "name handlers here; a rule to a log can be named in `rules`",
                )),
            };
            assembler.known_target(name, only_handlers)
        });
        let rules = table.rules.0.map(|rules| {
            self.list(entry, Some(rules), "rules", |assembler, name| {
                let key = (EntryKind::Rule, name.to_string());
                if assembler.names.contains_key(&key) {
                    return None;
                }
                let known = assembler.names.keys();
                let known: Vec<&str> = known
                    .filter(|(kind, _)| *kind == EntryKind::Rule)
                    .map(|(_, name)| name.as_str())
                    .collect();
                let advice = suggest::instead_of(name.as_str(), &known);
                Some(Complaint::new(format!("there is no rule `{name}`"), advice))
            })
        });
        Some(RouteTest {
            name: table.name.value()?,
            event: table.event.value()?,
            targets: targets?,
            rules: match rules {
                Some(rules) => Some(rules?),
                None => None,
            },
            line,
        })
    }

    /// Names what no other entry of its kind is named.
    fn only_one<N>(&mut self, entry: &Named, placed: Option<&Placed<N>>, line: usize) {
        let (Some(name), Some(Placed { span, .. })) = (&entry.name, placed) else {
            return;
        };
        let key = (entry.kind, name.clone());
        if let Some(first) = self.names.insert(key, line) {
            let message = format!("the {} on line {first} has the same name", entry.kind.key());
            entry.mistake(
                self.reader,
                "name",
                span.clone(),
                Complaint::new(message, "choose another"),
            );
        }
    }

    fn target(
        &mut self,
        entry: &Named,
        target: Option<Placed<TargetName>>,
        unfit: impl Fn(TargetKind) -> Option<Complaint>,
    ) -> Option<TargetName> {
        let Placed { value, span } = target?;
        match self.known_target(&value, unfit) {
            Some(complaint) => {
                entry.mistake(self.reader, "target", span, complaint);
                None
            }
            None => Some(value),
        }
    }

    /// What is wrong with naming a target, if anything is.
    fn known_target(
        &self,
        name: &TargetName,
        unfit: impl Fn(TargetKind) -> Option<Complaint>,
    ) -> Option<Complaint> {
        let targets = self.targets.as_ref()?;
        match targets.get(name) {
            Some(kind) => kind.and_then(unfit),
            None => {
                let known: Vec<&str> = targets.keys().map(TargetName::as_str).collect();
                let advice = suggest::instead_of(name.as_str(), &known);
                Some(Complaint::new(
                    format!("there is no target `{name}`"),
                    advice,
                ))
            }
        }
    }

    /// A list in which nothing is wrong and nothing is there twice.
    fn list<T: Clone + Ord + fmt::Display>(
        &mut self,
        entry: &Named,
        list: Option<Placed<List<T>>>,
        field: &str,
        wrong: impl Fn(&Self, &T) -> Option<Complaint>,
    ) -> Option<Vec<T>> {
        let list = list?.value.0;
        let length = list.len();
        let mut seen = BTreeSet::new();
        let mut checked = Vec::new();
        for Placed { value, span } in &list {
            let again = || Complaint::new(format!("`{value}` is there twice"), "leave one");
            let fresh = seen.insert(value);
            match wrong(self, value).or_else(|| (!fresh).then(again)) {
                Some(complaint) => entry.mistake(self.reader, field, span.clone(), complaint),
                None => checked.push(value.clone()),
            }
        }
        (checked.len() == length).then_some(checked)
    }
}

/// What an entry is called in mistakes about it.
struct Named {
    kind: EntryKind,
    name: Option<String>,
}

impl Named {
    fn mistake(&self, reader: &mut Reader<'_>, field: &str, span: Range<usize>, what: Complaint) {
        reader.about(self.kind, self.name.clone(), |reader| {
            reader.at(field, |reader| {
                reader.mistake(span, what.message, what.advice);
            });
        });
    }
}

fn retry_policy(
    attempts: Optional<RetryAttempts>,
    max_age: Optional<MaxAgeSeconds>,
) -> RetryPolicy {
    let default = RetryPolicy::default();
    RetryPolicy {
        attempts: attempts
            .value()
            .map_or(default.attempts, |attempts| attempts.0),
        max_age: max_age.value().map_or(default.max_age, |seconds| {
            Duration::from_secs(seconds.0.into())
        }),
    }
}
