//! Test cases: what a pattern or the routes must do with an event.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::EventError;
use crate::matcher::{Explanation, Mismatch};
use crate::name::{RuleName, TargetName};
use crate::pattern::{Pattern, PatternError};
use crate::routes::{Routes, TargetKind, TestEvent};
use alchemiser_suggest::{instead_of, with_advice};

/// One test case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is tested.
    pub name: String,
    /// The event; none where a pattern must be refused.
    pub event: Option<TestEvent>,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// A pattern matches the event, or does not.
    Verdict {
        /// The pattern as JSON text.
        pattern: String,
        /// Whether it matches.
        matches: bool,
    },
    /// A pattern is refused.
    Refusal {
        /// The pattern as JSON text.
        pattern: String,
    },
    /// The routes deliver the event.
    Deliveries {
        /// To these handlers, in any order.
        targets: Vec<TargetName>,
        /// By these rules, in any order, those to logs included; none when
        /// any may.
        rules: Option<Vec<RuleName>>,
    },
}

/// Why a line is no test case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// It is no JSON object.
    #[error("a case is a JSON object in one line")]
    NotAnObject,
    /// It is not the JSON of one.
    #[error("{0}")]
    Form(String),
    /// It names something of the routes that they do not have.
    #[error("{message}; {advice}")]
    Unknown {
        /// What is wrong.
        message: String,
        /// What to do.
        advice: String,
    },
    /// It has neither what a pattern nor what the routes must do.
    #[error(
        "a case has `pattern`, `event` and `match`, or `pattern` and `invalid`, or `event` and \
         `targets`"
    )]
    Incomplete,
}

/// A line of a file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'line> {
    name: Option<String>,
    #[serde(borrow)]
    pattern: Option<&'line RawValue>,
    #[serde(borrow)]
    event: Option<&'line RawValue>,
    #[serde(rename = "match")]
    matches: Option<bool>,
    #[serde(default)]
    invalid: bool,
    /// Says that the spelling matters. It always does here.
    #[serde(default, rename = "raw")]
    _raw: bool,
    targets: Option<Vec<TargetName>>,
    rules: Option<Vec<RuleName>>,
}

impl Case {
    /// Reads a line of a file of cases: a JSON object with `name`, and
    /// - `pattern`, `event` and `match`: whether the pattern matches the event;
    /// - `pattern` and `"invalid": true`: the pattern must be refused;
    /// - `event`, `targets` and perhaps `rules`: what the routes do.
    ///
    /// A pattern may also be JSON text in quotes; an event in quotes is that, or
    /// a path. A case without a name bears
    /// the number of its line.
    ///
    /// # Errors
    ///
    /// A line that is none of these.
    pub fn parse(line: &str, number: usize) -> Result<Self, CaseError> {
        if !line.trim_start().starts_with('{') {
            return Err(CaseError::NotAnObject);
        }
        let line: Line<'_> = serde_json::from_str(line)
            .map_err(|error| CaseError::Form(with_advice(&error.to_string())))?;
        let event = line.event.map(event_of).transpose()?;
        let pattern = line.pattern.map(text_of).transpose()?;
        let expected = match (pattern, &event, line.matches, line.invalid, line.targets) {
            (Some(pattern), Some(_), Some(matches), false, None) => {
                Expected::Verdict { pattern, matches }
            }
            (Some(pattern), None, None, true, None) => Expected::Refusal { pattern },
            (None, Some(_), None, false, Some(targets)) => Expected::Deliveries {
                targets,
                rules: line.rules,
            },
            _ => return Err(CaseError::Incomplete),
        };
        Ok(Self {
            name: line.name.unwrap_or_else(|| format!("line {number}")),
            event,
            expected,
        })
    }

    /// Whether the routes decide what comes of it.
    #[must_use]
    pub fn is_of_routes(&self) -> bool {
        matches!(self.expected, Expected::Deliveries { .. })
    }

    /// Checks that the routes have the targets and the rules that it names.
    ///
    /// # Errors
    ///
    /// The first that they do not have.
    pub fn check(&self, routes: &Routes) -> Result<(), CaseError> {
        let Expected::Deliveries { targets, rules } = &self.expected else {
            return Ok(());
        };
        for target in targets {
            match routes.target_kind(target) {
                Some(TargetKind::Handler) => {}
                Some(TargetKind::Log | TargetKind::Command) => {
                    return Err(CaseError::Unknown {
                        message: format!("no event is delivered to `{target}` by the worker"),
                        advice: "name handlers in `targets`".to_owned(),
                    });
                }
                None => {
                    let known = routes.targets().map(|(name, _)| name.as_str());
                    return Err(unknown("target", target.as_str(), known));
                }
            }
        }
        for rule in rules.iter().flatten() {
            if routes.rule(rule).is_none() {
                let known = routes.rules().iter().map(|rule| rule.name.as_str());
                return Err(unknown("rule", rule.as_str(), known));
            }
        }
        Ok(())
    }

    /// Runs it. `event` is the text of the event, where it has one.
    ///
    /// # Errors
    ///
    /// What came of it instead.
    pub fn run(&self, routes: &Routes, event: &[u8]) -> Result<(), Failure> {
        match &self.expected {
            Expected::Verdict { pattern, matches } => {
                let pattern = Pattern::from_json(pattern).map_err(Failure::Refused)?;
                match (pattern.explain(event)?, *matches) {
                    (Explanation::Matches, false) => Err(Failure::Matches),
                    (Explanation::Fails(mismatch), true) => Err(Failure::Differs(mismatch)),
                    _ => Ok(()),
                }
            }
            Expected::Refusal { pattern } => match Pattern::from_json(pattern) {
                Ok(_) => Err(Failure::NotRefused),
                Err(_) => Ok(()),
            },
            Expected::Deliveries { targets, rules } => {
                deliveries(routes, event, targets, rules.as_deref())
            }
        }
    }
}

fn event_of(raw: &RawValue) -> Result<TestEvent, CaseError> {
    let text = text_of(raw)?;
    Ok(if raw.get().starts_with('"') {
        TestEvent::of_text(&text)
    } else {
        TestEvent::Json(text)
    })
}

/// JSON as it is, or what is within its quotes.
fn text_of(raw: &RawValue) -> Result<String, CaseError> {
    let text = raw.get();
    if !text.starts_with('"') {
        return Ok(text.to_owned());
    }
    serde_json::from_str(text).map_err(|error| CaseError::Form(error.to_string()))
}

fn unknown<'known>(what: &str, name: &str, known: impl Iterator<Item = &'known str>) -> CaseError {
    CaseError::Unknown {
        message: format!("there is no {what} `{name}`"),
        advice: instead_of(name, &known.collect::<Vec<_>>()),
    }
}

fn deliveries(
    routes: &Routes,
    event: &[u8],
    targets: &[TargetName],
    rules: Option<&[RuleName]>,
) -> Result<(), Failure> {
    let matching = routes.matching(event)?;
    let delivered = routes.handled(&matching);
    let got: BTreeSet<&TargetName> = delivered.iter().map(|delivery| delivery.target).collect();
    let wanted: BTreeSet<&TargetName> = targets.iter().collect();
    let matched: BTreeSet<&RuleName> = matching.iter().map(|rule| &rule.name).collect();
    let asked: BTreeSet<&RuleName> =
        rules.map_or_else(|| matched.clone(), |rules| rules.iter().collect());
    if got == wanted && matched == asked {
        return Ok(());
    }
    // The rules that could explain the difference.
    let concerned = |rule: &&crate::routes::Rule| {
        got.contains(&rule.target) != wanted.contains(&rule.target)
            || matched.contains(&rule.name) != asked.contains(&rule.name)
    };
    let verdicts = routes
        .rules()
        .iter()
        .filter(concerned)
        .map(|rule| {
            Ok((
                rule.name.clone(),
                rule.target.clone(),
                routes.verdict(rule, event)?,
            ))
        })
        .collect::<Result<_, EventError>>()?;
    let owned = |names: &BTreeSet<&TargetName>, others: &BTreeSet<&TargetName>| {
        names
            .difference(others)
            .map(|name| (*name).clone())
            .collect()
    };
    Err(Failure::Deliveries {
        missing: owned(&wanted, &got),
        unexpected: owned(&got, &wanted),
        verdicts,
    })
}

/// What a rule says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It matches, and sends the event.
    Sends,
    /// It matches, and another rule before it sends the event there.
    SentBefore(RuleName),
    /// It matches, and nothing is delivered to a log.
    Logs,
    /// It does not match.
    Differs(Mismatch),
    /// It is disabled.
    Disabled,
    /// It listens on another bus.
    OtherBus,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends => formatter.write_str("matches"),
            Self::SentBefore(rule) => {
                write!(
                    formatter,
                    "matches; rule `{rule}` before it sends the event there"
                )
            }
            Self::Logs => {
                formatter.write_str("matches; the archive is the log, nothing is delivered")
            }
            Self::Differs(mismatch) => write!(formatter, "does not match: {mismatch}"),
            Self::Disabled => formatter.write_str("is disabled"),
            Self::OtherBus => formatter.write_str("listens on another bus"),
        }
    }
}

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The pattern matches, and should not.
    Matches,
    /// The pattern should match.
    Differs(Mismatch),
    /// The pattern was refused, and should not be.
    Refused(PatternError),
    /// The pattern was not refused.
    NotRefused,
    /// The event cannot be matched.
    Event(EventError),
    /// It was not delivered as it should be.
    Deliveries {
        /// Handlers that should get it and do not.
        missing: Vec<TargetName>,
        /// Handlers that get it and should not.
        unexpected: Vec<TargetName>,
        /// What the rules concerned say, with their targets.
        verdicts: Vec<(RuleName, TargetName, Verdict)>,
    },
}

impl From<EventError> for Failure {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matches => formatter.write_str("the pattern matches, and should not"),
            Self::Differs(mismatch) => write!(formatter, "the pattern does not match: {mismatch}"),
            Self::Refused(error) => write!(formatter, "the pattern is refused: {error}"),
            Self::NotRefused => formatter.write_str("the pattern is not refused"),
            Self::Event(error) => error.fmt(formatter),
            Self::Deliveries {
                missing,
                unexpected,
                verdicts,
            } => {
                let mut lines = Vec::new();
                lines.extend(
                    missing
                        .iter()
                        .map(|name| format!("`{name}` should get it and does not")),
                );
                lines.extend(
                    unexpected
                        .iter()
                        .map(|name| format!("`{name}` gets it and should not")),
                );
                if lines.is_empty() {
                    lines.push("other rules match than should".to_owned());
                }
                lines.extend(verdicts.iter().map(|(rule, target, verdict)| {
                    format!("rule `{rule}`, which sends to `{target}`, {verdict}")
                }));
                formatter.write_str(&lines.join("\n"))
            }
        }
    }
}
