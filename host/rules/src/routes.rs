//! The routes: rules in the order of the file, and the targets they name.

mod document;
mod form;
mod interpolation;
mod quoted;
mod read;
mod reader;
mod schema;
mod syntax;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alchemiser_schedule::{Expression, Zone};
use serde_json::{Map, Value};

use crate::case::{Case, Expected, Verdict};
use crate::event::EventError;
use crate::matcher::{Explanation, RuleSet, Scratch};
use crate::mistake::RoutesError;
use crate::name::{BusName, RuleName, ScheduleName, TargetName};
use crate::pattern::Pattern;
pub use schema::schema;

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A handler of the worker.
    Handler,
    /// A log of events. EventBridge writes it on AWS; elsewhere the archive
    /// already is that log, so the worker delivers nothing to it.
    Log,
    /// The worker's commands, which schedules give.
    Command,
}

impl TargetKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Handler, Self::Log, Self::Command];

    /// The name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Log => "log",
            Self::Command => "command",
        }
    }
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
    /// The bus that it listens on.
    pub bus: BusName,
    /// The events that it sends.
    pub pattern: Pattern,
    /// Where it sends them; one of the file's targets.
    pub target: TargetName,
    /// When a failing delivery is given up.
    pub retry: RetryPolicy,
    /// The line of the file that the rule begins on, from 1.
    pub line: usize,
}

/// Gives a command at certain times.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its name, the only one of that name in the file.
    pub name: ScheduleName,
    /// What it is for.
    pub description: Option<String>,
    /// A disabled schedule does nothing.
    pub enabled: bool,
    /// When.
    pub expression: Expression,
    /// The time zone that a `cron` expression goes by.
    pub zone: Zone,
    /// Where the command goes; one of the file's targets.
    pub target: TargetName,
    /// The command.
    pub input: Option<Map<String, Value>>,
    /// How late the command may be given.
    pub retry: RetryPolicy,
    /// The line of the file that the schedule begins on, from 1.
    pub line: usize,
}

/// Says what the rules must do with an event.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteTest {
    /// What is tested, the only one of that name in the file.
    pub name: String,
    /// The event.
    pub event: TestEvent,
    /// The handlers that must get it, in any order.
    pub targets: Vec<TargetName>,
    /// The rules that must match it, in any order; none when any may.
    pub rules: Option<Vec<RuleName>>,
    /// The line of the file that the test begins on, from 1.
    pub line: usize,
}

/// Reads a file; an error says why it cannot be read.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, String>;

/// What a `routes.toml` refers to.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The values of environment variables.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Reads the file of a test's event, by the path that the test names.
    /// Without this the files are not looked at:
    /// that a test cannot be run is no reason not to follow the rules.
    pub event_file: Option<ReadFile<'a>>,
}

impl Default for Surroundings<'_> {
    /// An empty environment, and no files.
    fn default() -> Self {
        Self {
            environment: &|_| None,
            event_file: None,
        }
    }
}

/// Whether a text is meant as JSON, rather than as the name of a file.
#[must_use]
pub fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with(['{', '[', '"'])
}

/// The event of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestEvent {
    /// As JSON text.
    Json(String),
    /// In a file, whose path is relative to the folder of the file that names
    /// it.
    File(PathBuf),
}

impl TestEvent {
    /// An event written as text: JSON, or else a path.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if is_json(text) {
            Self::Json(text.to_owned())
        } else {
            Self::File(text.into())
        }
    }
}

impl From<&RouteTest> for Case {
    fn from(test: &RouteTest) -> Self {
        Self {
            name: test.name.clone(),
            event: Some(test.event.clone()),
            expected: Expected::Deliveries {
                targets: test.targets.clone(),
                rules: test.rules.clone(),
            },
        }
    }
}

/// One event to one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery<'routes> {
    /// Who gets the event.
    pub target: &'routes TargetName,
    /// The rule that sends it; its retry policy applies.
    pub rule: &'routes Rule,
}

/// A `routes.toml` without mistakes; by default one that sends nothing.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    bus: BusName,
    targets: BTreeMap<TargetName, TargetKind>,
    rules: Vec<Rule>,
    schedules: Vec<Schedule>,
    tests: Vec<RouteTest>,
    /// The patterns of the rules in force, each under the rule's index.
    patterns: RuleSet<usize>,
}

impl Rule {
    /// Whether it sends what the worker publishes: it is enabled, and listens
    /// on the worker's bus.
    fn in_force(&self, bus: &BusName) -> bool {
        self.enabled && self.bus == *bus
    }
}

impl PartialEq for Routes {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from these.
        self.bus == other.bus
            && self.targets == other.targets
            && self.rules == other.rules
            && self.schedules == other.schedules
            && self.tests == other.tests
    }
}

impl Routes {
    fn new(
        bus: BusName,
        targets: BTreeMap<TargetName, TargetKind>,
        rules: Vec<Rule>,
        schedules: Vec<Schedule>,
        tests: Vec<RouteTest>,
    ) -> Self {
        let mut patterns = RuleSet::new();
        for (index, rule) in rules.iter().enumerate() {
            if rule.in_force(&bus) {
                patterns.insert(index, &rule.pattern);
            }
        }
        Self {
            bus,
            targets,
            rules,
            schedules,
            tests,
            patterns,
        }
    }

    /// Reads the text of a `routes.toml` in an empty environment; `file_name`
    /// is for the messages. The files that its tests name are not looked at.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, each with its place, rule, field and what to
    /// do.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, RoutesError> {
        Self::parse_in(text, file_name, Surroundings::default())
    }

    /// Reads the text of a `routes.toml` with what it refers to; `file_name` is
    /// for the messages.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_in(
        text: &str,
        file_name: &str,
        surroundings: Surroundings<'_>,
    ) -> Result<Self, RoutesError> {
        read::parse(text, file_name, surroundings)
    }

    /// The bus on which the worker publishes.
    #[must_use]
    pub fn bus(&self) -> &BusName {
        &self.bus
    }

    /// All schedules, disabled ones included, in the order of the file.
    #[must_use]
    pub fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    /// The tests, in the order of the file.
    #[must_use]
    pub fn tests(&self) -> &[RouteTest] {
        &self.tests
    }

    /// The rules that send what the worker publishes: those enabled that listen
    /// on its bus, in the order of the file.
    pub fn rules_in_force(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.in_force(&self.bus))
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

    /// The rules in force that match an event, in the order of the file.
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
                matches!(verdict, Ok(true) | Err(EventError::TooManyCombinations))
            };
            self.rules_in_force().filter(sends).collect()
        });
        self.handled(&rules)
    }

    /// The deliveries that follow when these rules match, in their order.
    pub(crate) fn handled<'routes>(&self, matching: &[&'routes Rule]) -> Vec<Delivery<'routes>> {
        let mut deliveries: Vec<Delivery<'_>> = Vec::new();
        for rule in matching {
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

    /// What each rule says of an event, in the order of the file.
    ///
    /// # Errors
    ///
    /// As [`matching`](Self::matching).
    pub fn explain(&self, event: &[u8]) -> Result<Vec<(&Rule, Verdict)>, EventError> {
        let mut senders: BTreeMap<&TargetName, &RuleName> = BTreeMap::new();
        let mut verdicts = Vec::new();
        for rule in &self.rules {
            let verdict = match self.verdict(rule, event)? {
                Verdict::Sends => match senders.get(&rule.target) {
                    Some(&first) => Verdict::SentBefore(first.clone()),
                    None => {
                        senders.insert(&rule.target, &rule.name);
                        Verdict::Sends
                    }
                },
                other => other,
            };
            verdicts.push((rule, verdict));
        }
        Ok(verdicts)
    }

    /// What a rule says of an event, whatever those before it do.
    pub(crate) fn verdict(&self, rule: &Rule, event: &[u8]) -> Result<Verdict, EventError> {
        if !rule.enabled {
            return Ok(Verdict::Disabled);
        }
        if rule.bus != self.bus {
            return Ok(Verdict::OtherBus);
        }
        Ok(match rule.pattern.explain(event)? {
            Explanation::Fails(mismatch) => Verdict::Differs(mismatch),
            Explanation::Matches => match self.target_kind(&rule.target) {
                Some(TargetKind::Log) => Verdict::Logs,
                _ => Verdict::Sends,
            },
        })
    }
}
