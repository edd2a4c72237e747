//! Routes that are well-formed and yet make no sense, given what the handlers
//! declare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

/// Something that [`check`] finds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A rule's target is of kind `handler`, and no handler is that target.
    UnknownTarget {
        /// The rule.
        rule: RuleName,
        /// Its line in the file.
        line: usize,
        /// The target.
        target: TargetName,
    },
    /// A rule names a source that nobody publishes under.
    UnknownSource {
        /// The rule.
        rule: RuleName,
        /// Its line in the file.
        line: usize,
        /// The source as written; a prefix ends with `…`.
        source: String,
    },
    /// No event that anybody publishes can match the rule.
    NeverMatches {
        /// The rule.
        rule: RuleName,
        /// Its line in the file.
        line: usize,
    },
    /// A rule sends an event to a handler that does not take it.
    NotTaken {
        /// The rule.
        rule: RuleName,
        /// Its line in the file.
        line: usize,
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
        other: RuleName,
        /// The other rule's line in the file.
        line: usize,
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
    /// Handlers and rules together answer an event with the same event again.
    Loop {
        /// The events in order; the first follows the last.
        events: Vec<EventKind>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget { rule, line, target } => write!(
                formatter,
                "line {line}: rule `{rule}` sends to `{target}`, and there is no such handler"
            ),
            Self::UnknownSource { rule, line, source } => write!(
                formatter,
                "line {line}: rule `{rule}` names the source `{source}`, and nobody publishes under it"
            ),
            Self::NeverMatches { rule, line } => write!(
                formatter,
                "line {line}: rule `{rule}` matches no event that anybody publishes"
            ),
            Self::NotTaken {
                rule,
                line,
                event,
                target,
            } => write!(
                formatter,
                "line {line}: rule `{rule}` sends {event} to `{target}`, which does not take it"
            ),
            Self::SentTwice {
                rule,
                other,
                line,
                event,
                target,
            } => write!(
                formatter,
                "line {line}: rule `{other}` sends {event} to `{target}`, which rule `{rule}` \
                 does already"
            ),
            Self::Unhandled { event } => {
                write!(formatter, "{event} is published, and nobody handles it")
            }
            Self::NotSent { event, target } => write!(
                formatter,
                "{event} is published and `{target}` takes it, but no rule sends it there"
            ),
            Self::Loop { events } => {
                formatter.write_str("events go round in a loop: ")?;
                for event in events {
                    write!(formatter, "{event} → ")?;
                }
                match events.first() {
                    Some(first) => write!(formatter, "{first}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Looks for routes that make no sense: rules that can never match or send
/// where nobody listens, events that nobody handles, loops. Disabled rules
/// count as absent.
#[must_use]
pub fn check(routes: &Routes, flow: &Flow) -> Vec<Finding> {
    let published: BTreeSet<&EventKind> = flow
        .steps
        .iter()
        .flat_map(|step| &step.emits)
        .chain(&flow.commands)
        .collect();
    let enabled: Vec<&Rule> = routes.rules().iter().filter(|rule| rule.enabled).collect();

    let mut findings = Vec::new();
    for rule in &enabled {
        check_rule(routes, flow, &published, rule, &mut findings);
    }
    for event in &published {
        check_event(routes, flow, &enabled, event, &mut findings);
    }
    findings.extend(loops(flow, &enabled));
    findings
}

fn check_rule(
    routes: &Routes,
    flow: &Flow,
    published: &BTreeSet<&EventKind>,
    rule: &Rule,
    findings: &mut Vec<Finding>,
) {
    let (name, line) = (rule.name.clone(), rule.line);
    if is_handler(routes, rule) && flow.steps.iter().all(|step| step.target != rule.target) {
        findings.push(Finding::UnknownTarget {
            rule: name.clone(),
            line,
            target: rule.target.clone(),
        });
    }

    let unknown_sources: Vec<Finding> = rule
        .pattern
        .sources()
        .filter(|(_, means)| !published.iter().any(|event| means(&event.source)))
        .map(|(source, _)| Finding::UnknownSource {
            rule: name.clone(),
            line,
            source,
        })
        .collect();
    let explained = !unknown_sources.is_empty();
    findings.extend(unknown_sources);
    if !explained && !published.iter().any(|event| sends(rule, event)) {
        findings.push(Finding::NeverMatches { rule: name, line });
    }
}

fn check_event(
    routes: &Routes,
    flow: &Flow,
    enabled: &[&Rule],
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
    for &rule in enabled.iter().filter(|rule| sends(rule, event)) {
        if let Some(first) = sent_by.get(&rule.target) {
            findings.push(Finding::SentTwice {
                rule: first.name.clone(),
                other: rule.name.clone(),
                line: rule.line,
                event: event.clone(),
                target: rule.target.clone(),
            });
            continue;
        }
        sent_by.insert(&rule.target, rule);
        if known.contains(&rule.target) && !takers.contains(&rule.target) {
            findings.push(Finding::NotTaken {
                rule: rule.name.clone(),
                line: rule.line,
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

/// The loops in the graph of events: an edge leads from an event to what is
/// emitted by each handler that gets it.
fn loops(flow: &Flow, enabled: &[&Rule]) -> Vec<Finding> {
    let mut follows: BTreeMap<&EventKind, BTreeSet<&EventKind>> = BTreeMap::new();
    for step in &flow.steps {
        let arrives = enabled
            .iter()
            .any(|rule| rule.target == step.target && sends(rule, &step.input));
        if arrives {
            follows.entry(&step.input).or_default().extend(&step.emits);
        }
    }

    // Each loop is found from the smallest of its events: the search keeps to
    // larger ones, so that no loop is found twice.
    follows
        .keys()
        .filter_map(|&start| {
            let mut seen = BTreeSet::new();
            let mut path = vec![start];
            way_back(start, &follows, &mut seen, &mut path).then(|| Finding::Loop {
                events: path.into_iter().cloned().collect(),
            })
        })
        .collect()
}

/// Extends `path`, which begins with the event to come back to, until an edge
/// leads from its end to its beginning.
fn way_back<'flow>(
    start: &'flow EventKind,
    follows: &BTreeMap<&'flow EventKind, BTreeSet<&'flow EventKind>>,
    seen: &mut BTreeSet<&'flow EventKind>,
    path: &mut Vec<&'flow EventKind>,
) -> bool {
    let Some(next) = path.last().and_then(|end| follows.get(end)) else {
        return false;
    };
    if next.contains(start) {
        return true;
    }
    for &event in next.iter().filter(|&&event| event > start) {
        if seen.insert(event) {
            path.push(event);
            if way_back(start, follows, seen, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

fn sends(rule: &Rule, event: &EventKind) -> bool {
    rule.pattern.admits(&event.source, &event.detail_type)
}

fn is_handler(routes: &Routes, rule: &Rule) -> bool {
    routes.target_kind(&rule.target) == Some(TargetKind::Handler)
}
