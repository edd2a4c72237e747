//! Routes that are well-formed and yet make no sense, given what the handlers
//! declare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alchemiser_suggest as suggest;

use crate::envelope::{self, Values};
use crate::name::{RuleName, TargetName};
use crate::routes::{Routes, Rule, TargetKind};

/// A kind of event: who publishes it, and its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKind {
    /// The envelope's `source`.
    pub source: String,
    /// The envelope's `detail-type`.
    pub detail_type: String,
}

impl EventKind {
    /// A kind of event.
    pub fn new(source: impl Into<String>, detail_type: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            detail_type: detail_type.into(),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` from `{}`", self.detail_type, self.source)
    }
}

/// What a handler declares: an event that it takes and those it may emit then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The event that it takes.
    pub input: EventKind,
    /// The handler's target.
    pub target: TargetName,
    /// The events that it may emit for that input.
    pub emits: Vec<EventKind>,
}

/// What the whole worker declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What the handlers do.
    pub steps: Vec<Step>,
    /// Events that arise outside handlers: commands, schedules, the worker.
    pub commands: Vec<EventKind>,
    /// Events that end a flow and need no handler.
    pub terminal: Vec<EventKind>,
}

/// A rule and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The rule.
    pub rule: RuleName,
    /// Its line in the file.
    pub line: usize,
}

impl Place {
    fn of(rule: &Rule) -> Self {
        Self {
            rule: rule.name.clone(),
            line: rule.line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "rule `{}`", self.rule)
    }
}

/// Something that [`check`] finds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A rule's target is of kind `handler`, and no handler is that target.
    UnknownTarget {
        /// The rule.
        rule: Place,
        /// The target.
        target: TargetName,
    },
    /// A rule names a field that no event has.
    UnknownField {
        /// The rule.
        rule: Place,
        /// The field of the envelope, as written.
        field: String,
    },
    /// A rule names a source that nobody publishes under.
    UnknownSource {
        /// The rule.
        rule: Place,
        /// The source as written; a prefix ends with `…`.
        source: String,
    },
    /// No event that anybody publishes can match the rule.
    NeverMatches {
        /// The rule.
        rule: Place,
    },
    /// A rule sends an event to a handler that does not take it.
    NotTaken {
        /// The rule.
        rule: Place,
        /// The event.
        event: EventKind,
        /// The handler.
        target: TargetName,
    },
    /// Two rules send an event to one target, which gets it once.
    SentTwice {
        /// The rule that counts.
        rule: RuleName,
        /// The rule that adds nothing.
        other: Place,
        /// The event.
        event: EventKind,
        /// The target.
        target: TargetName,
    },
    /// An event is published, and no rule sends it to a handler.
    Unhandled {
        /// The event.
        event: EventKind,
    },
    /// A handler takes an event that is published, and no rule sends it there.
    NotSent {
        /// The event.
        event: EventKind,
        /// The handler.
        target: TargetName,
    },
    /// Handlers and rules together answer an event with one of the same type
    /// again.
    Loop {
        /// The types in order; the first follows the last.
        detail_types: Vec<String>,
    },
}

impl Finding {
    /// What kind of finding it is, for scripts.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownTarget { .. } => "unknown-target",
            Self::UnknownField { .. } => "unknown-field",
            Self::UnknownSource { .. } => "unknown-source",
            Self::NeverMatches { .. } => "never-matches",
            Self::NotTaken { .. } => "not-taken",
            Self::SentTwice { .. } => "sent-twice",
            Self::Unhandled { .. } => "unhandled",
            Self::NotSent { .. } => "not-sent",
            Self::Loop { .. } => "loop",
        }
    }

    /// The rule that it is about, if it is about one.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::UnknownTarget { rule, .. }
            | Self::UnknownField { rule, .. }
            | Self::UnknownSource { rule, .. }
            | Self::NeverMatches { rule }
            | Self::NotTaken { rule, .. }
            | Self::SentTwice { other: rule, .. } => Some(rule),
            Self::Unhandled { .. } | Self::NotSent { .. } | Self::Loop { .. } => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget { rule, target } => write!(
                formatter,
                "{rule} sends to `{target}`, and there is no such handler"
            ),
            Self::UnknownField { rule, field } => write!(
                formatter,
                "{rule} names the field `{field}`, which no event has; {}",
                suggest::instead_of(field, &envelope::FIELDS)
            ),
            Self::UnknownSource { rule, source } => write!(
                formatter,
                "{rule} names the source `{source}`, and nobody publishes under it"
            ),
            Self::NeverMatches { rule } => {
                write!(formatter, "{rule} matches no event that anybody publishes")
            }
            Self::NotTaken {
                rule,
                event,
                target,
            } => write!(
                formatter,
                "{rule} sends {event} to `{target}`, which does not take it"
            ),
            Self::SentTwice {
                rule,
                other,
                event,
                target,
            } => write!(
                formatter,
                "{other} sends {event} to `{target}`, which rule `{rule}` does already"
            ),
            Self::Unhandled { event } => {
                write!(formatter, "{event} is published, and nobody handles it")
            }
            Self::NotSent { event, target } => write!(
                formatter,
                "{event} is published and `{target}` takes it, but no rule sends it there"
            ),
            Self::Loop { detail_types } => {
                let round = detail_types.iter().chain(detail_types.first());
                let round: Vec<String> = round.map(|name| format!("`{name}`")).collect();
                write!(
                    formatter,
                    "events go round in a loop: {}",
                    round.join(" → ")
                )
            }
        }
    }
}

/// Looks for routes that make no sense: rules that can never match or send
/// where nobody listens, events that nobody handles, loops. Rules that are
/// disabled or listen on another bus count as absent.
#[must_use]
pub fn check(routes: &Routes, flow: &Flow) -> Vec<Finding> {
    let published: BTreeSet<&EventKind> = flow
        .steps
        .iter()
        .flat_map(|step| &step.emits)
        .chain(&flow.commands)
        .collect();
    let rules: Vec<&Rule> = routes.rules_in_force().collect();

    let mut findings = Vec::new();
    for rule in &rules {
        check_rule(routes, flow, &published, rule, &mut findings);
    }
    for event in &published {
        check_event(routes, flow, &rules, event, &mut findings);
    }
    findings.extend(loops(flow, &rules));
    findings
}

/// A rule that sends only some of the events of a kind, while nobody sends the
/// others there. That may be meant, and it may lose them.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowing<'routes> {
    /// The rule.
    pub rule: &'routes Rule,
    /// The kind of event.
    pub event: &'routes EventKind,
    /// The fields that decide, as written.
    pub fields: Vec<&'routes str>,
}

impl fmt::Display for Narrowing<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, event, .. } = self;
        write!(
            formatter,
            "rule `{}` sends {event} to `{}` only where `{}` matches; no rule sends the others there",
            rule.name,
            rule.target,
            self.fields.join("`, `")
        )
    }
}

/// Looks for rules that send a handler only some of the events that it takes.
#[must_use]
pub fn narrowings<'routes>(
    routes: &'routes Routes,
    flow: &'routes Flow,
) -> Vec<Narrowing<'routes>> {
    let narrowing = |step: &'routes Step| {
        let senders = routes
            .rules_in_force()
            .filter(|rule| rule.target == step.target && sends(rule, &step.input));
        let mut narrowed = Vec::new();
        for rule in senders {
            let paths = rule.pattern.paths().into_iter();
            let fields: Vec<&str> = paths
                .filter(|path| !matches!(envelope::values(&step.input, path), Values::Text(_)))
                .collect();
            if fields.is_empty() {
                return Vec::new();
            }
            narrowed.push(Narrowing {
                rule,
                event: &step.input,
                fields,
            });
        }
        narrowed
    };
    flow.steps.iter().flat_map(narrowing).collect()
}

fn check_rule(
    routes: &Routes,
    flow: &Flow,
    published: &BTreeSet<&EventKind>,
    rule: &Rule,
    findings: &mut Vec<Finding>,
) {
    if is_handler(routes, rule) && flow.steps.iter().all(|step| step.target != rule.target) {
        findings.push(Finding::UnknownTarget {
            rule: Place::of(rule),
            target: rule.target.clone(),
        });
    }

    let paths = rule.pattern.paths().into_iter();
    let named: BTreeSet<&str> = paths.map(top_level).collect();
    let unknown_fields = named
        .into_iter()
        .filter(|field| !envelope::FIELDS.contains(field))
        .map(|field| Finding::UnknownField {
            rule: Place::of(rule),
            field: field.to_owned(),
        });
    let unknown_sources = rule
        .pattern
        .sources()
        .filter(|(_, means)| !published.iter().any(|event| means(&event.source)))
        .map(|(source, _)| Finding::UnknownSource {
            rule: Place::of(rule),
            source,
        });
    let before = findings.len();
    findings.extend(unknown_fields.chain(unknown_sources));
    let explained = findings.len() > before;
    if !explained && !published.iter().any(|event| sends(rule, event)) {
        findings.push(Finding::NeverMatches {
            rule: Place::of(rule),
        });
    }
}

fn check_event(
    routes: &Routes,
    flow: &Flow,
    rules: &[&Rule],
    event: &EventKind,
    findings: &mut Vec<Finding>,
) {
    let takers: BTreeSet<&TargetName> = flow
        .steps
        .iter()
        .filter(|step| step.input == *event)
        .map(|step| &step.target)
        .collect();
    let known: BTreeSet<&TargetName> = flow.steps.iter().map(|step| &step.target).collect();

    let mut sent_by: BTreeMap<&TargetName, &Rule> = BTreeMap::new();
    for &rule in rules.iter().filter(|rule| sends(rule, event)) {
        if let Some(first) = sent_by.get(&rule.target) {
            findings.push(Finding::SentTwice {
                rule: first.name.clone(),
                other: Place::of(rule),
                event: event.clone(),
                target: rule.target.clone(),
            });
            continue;
        }
        sent_by.insert(&rule.target, rule);
        if known.contains(&rule.target) && !takers.contains(&rule.target) {
            findings.push(Finding::NotTaken {
                rule: Place::of(rule),
                event: event.clone(),
                target: rule.target.clone(),
            });
        }
    }

    for &target in takers
        .iter()
        .filter(|target| !sent_by.contains_key(**target))
    {
        findings.push(Finding::NotSent {
            event: event.clone(),
            target: target.clone(),
        });
    }
    let sent_to_handler = sent_by.values().any(|rule| is_handler(routes, rule));
    if takers.is_empty() && !sent_to_handler && !flow.terminal.contains(event) {
        findings.push(Finding::Unhandled {
            event: event.clone(),
        });
    }
}

/// The loops in the graph of event types: an edge leads from a type to what is
/// emitted by each handler that gets an event of it. Who publishes an event
/// does not matter here, since handlers answer to its type.
fn loops(flow: &Flow, rules: &[&Rule]) -> Vec<Finding> {
    let mut follows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in &flow.steps {
        let arrives = rules
            .iter()
            .any(|rule| rule.target == step.target && sends(rule, &step.input));
        if arrives {
            let emitted = step.emits.iter().map(|event| event.detail_type.as_str());
            let input = step.input.detail_type.as_str();
            follows.entry(input).or_default().extend(emitted);
        }
    }

    // Each loop is found from the smallest of its types: the search keeps to
    // larger ones, so that no loop is found twice.
    follows
        .keys()
        .filter_map(|&start| {
            let mut seen = BTreeSet::new();
            let mut path = vec![start];
            way_back(start, &follows, &mut seen, &mut path).then(|| Finding::Loop {
                detail_types: path.into_iter().map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// Extends `path`, which begins with the type to come back to, until an edge
/// leads from its end to its beginning.
fn way_back<'flow>(
    start: &'flow str,
    follows: &BTreeMap<&'flow str, BTreeSet<&'flow str>>,
    seen: &mut BTreeSet<&'flow str>,
    path: &mut Vec<&'flow str>,
) -> bool {
    let Some(next) = path.last().and_then(|end| follows.get(end)) else {
        return false;
    };
    if next.contains(start) {
        return true;
    }
    for &detail_type in next.iter().filter(|&&detail_type| detail_type > start) {
        if seen.insert(detail_type) {
            path.push(detail_type);
            if way_back(start, follows, seen, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

fn sends(rule: &Rule, event: &EventKind) -> bool {
    rule.pattern.admits(|path| envelope::values(event, path))
}

/// The field of the envelope that a path begins with.
fn top_level(path: &str) -> &str {
    path.split_once('.').map_or(path, |(name, _)| name)
}

fn is_handler(routes: &Routes, rule: &Rule) -> bool {
    routes.target_kind(&rule.target) == Some(TargetKind::Handler)
}
