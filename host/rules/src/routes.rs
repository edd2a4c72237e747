//! The routes: rules in the order of the file, and the targets they name.

mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::event::EventError;
use crate::matcher::{RuleSet, Scratch};
use crate::mistake::RoutesError;
use crate::name::{RuleName, TargetName};
use crate::pattern::Pattern;

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A handler of the worker.
    Handler,
    /// A log of events. EventBridge writes it on AWS; elsewhere the archive
    /// already is that log, so the worker delivers nothing to it.
    Log,
}

/// When a delivery that fails is given up: at whichever limit is met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often it is tried again after the first attempt, 0 to 185.
    pub attempts: u32,
    /// How old the event may become, 60 s to 24 h.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    /// EventBridge's own: 185 attempts within 24 hours.
    fn default() -> Self {
        Self {
            attempts: 185,
            max_age: Duration::from_hours(24),
        }
    }
}

/// Sends the events that a pattern matches to a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, the only one of that name in the file.
    pub name: RuleName,
    /// What it is for.
    pub description: Option<String>,
    /// A disabled rule sends nothing.
    pub enabled: bool,
    /// The events that it sends.
    pub pattern: Pattern,
    /// Where it sends them; one of the file's targets.
    pub target: TargetName,
    /// When a failing delivery is given up.
    pub retry: RetryPolicy,
    /// The line of the file that the rule begins on, from 1.
    pub line: usize,
}

/// One event to one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery<'routes> {
    /// Who gets the event.
    pub target: &'routes TargetName,
    /// The rule that sends it; its retry policy applies.
    pub rule: &'routes Rule,
}

/// A `routes.toml` without mistakes.
#[derive(Clone, Debug)]
pub struct Routes {
    targets: BTreeMap<TargetName, TargetKind>,
    rules: Vec<Rule>,
    /// The patterns of the enabled rules, each under the rule's index.
    patterns: RuleSet<usize>,
}

impl PartialEq for Routes {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from these.
        self.targets == other.targets && self.rules == other.rules
    }
}

impl Routes {
    fn new(targets: BTreeMap<TargetName, TargetKind>, rules: Vec<Rule>) -> Self {
        let mut patterns = RuleSet::new();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            patterns.insert(index, &rule.pattern);
        }
        Self {
            targets,
            rules,
            patterns,
        }
    }

    /// Reads the text of a `routes.toml`; `file_name` is for the messages.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, each with its place, rule, field and what to
    /// do.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, RoutesError> {
        read::parse(text, file_name)
    }

    /// All rules, disabled ones included, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of a name.
    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == *name)
    }

    /// All targets by name, with their kinds.
    pub fn targets(&self) -> impl Iterator<Item = (&TargetName, TargetKind)> {
        self.targets.iter().map(|(name, kind)| (name, *kind))
    }

    /// The kind of a target.
    #[must_use]
    pub fn target_kind(&self, name: &TargetName) -> Option<TargetKind> {
        self.targets.get(name).copied()
    }

    /// The enabled rules that match an event, in the order of the file.
    ///
    /// `event` is the envelope as EventBridge delivers it: `source`,
    /// `detail-type`, `detail` and so on.
    ///
    /// # Errors
    ///
    /// An event that is no JSON object; see [`EventError`].
    pub fn matching(&self, event: &[u8]) -> Result<Vec<&Rule>, EventError> {
        let mut scratch = Scratch::default();
        let mut indices: Vec<usize> = self
            .patterns
            .matching(event, &mut scratch)?
            .copied()
            .collect();
        indices.sort_unstable();
        Ok(indices
            .into_iter()
            .map(|index| &self.rules[index])
            .collect())
    }

    /// The deliveries that an event leads to: one for each handler that an
    /// enabled rule sends it to, in the order of the file. Where several rules
    /// send it to one handler, the first counts.
    ///
    /// A rule whose verdict cannot be reached in bounded time
    /// ([`EventError::TooManyCombinations`]) sends the event too: a handler
    /// refuses what it does not take, while an event not sent would be lost.
    #[must_use]
    pub fn deliveries(&self, envelope: &Value) -> Vec<Delivery<'_>> {
        let event = envelope.to_string();
        let rules = self.matching(event.as_bytes()).unwrap_or_else(|_| {
            let sends = |rule: &&Rule| {
                let verdict = rule.pattern.matches(event.as_bytes());
                rule.enabled && matches!(verdict, Ok(true) | Err(EventError::TooManyCombinations))
            };
            self.rules.iter().filter(sends).collect()
        });
        let mut deliveries: Vec<Delivery<'_>> = Vec::new();
        for rule in rules {
            let handled = self.target_kind(&rule.target) == Some(TargetKind::Handler);
            if handled && deliveries.iter().all(|there| *there.target != rule.target) {
                deliveries.push(Delivery {
                    target: &rule.target,
                    rule,
                });
            }
        }
        deliveries
    }
}
