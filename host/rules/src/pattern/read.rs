//! From a [`Node`] tree to a [`Pattern`], with every mistake in it.

mod operator;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::node::{Entry, Kind, Node};
use super::test::Test;
use super::{Alternative, Field, Pattern, PatternError, PatternLimits, PatternMistake};

/// What an alternative asks, by the path of the field.
type Tests = BTreeMap<Arc<str>, Arc<[Test]>>;

/// How many combinations of `$or` EventBridge takes.
const MOST_ALTERNATIVES: usize = 1000;

/// How many fields an alternative may name in EventBridge.
const MOST_FIELDS: usize = 256;

const OR: &str = "$or";

/// Names that no field within `$or` may have, kept by EventBridge for
/// operators that are there or may come.
const RESERVED_WITHIN_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// What a pattern was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// As in EventBridge, where of two values for one field the last counts.
    Json,
    /// Where that is a mistake.
    Toml,
}

/// Reads a tree as a pattern; `characters` is the length of its text as JSON.
pub(crate) fn compile(
    node: &Node,
    language: Language,
    characters: usize,
    limits: &PatternLimits,
) -> Result<Pattern, PatternError> {
    let mut compiler = Compiler {
        language,
        limits,
        place: Vec::new(),
        path: Vec::new(),
        alternatives: Vec::new(),
        mistakes: Vec::new(),
        too_many: false,
    };
    if characters > limits.characters {
        let message = format!(
            "the pattern has {characters} characters, and {} are allowed",
            limits.characters
        );
        compiler.mistake(node, message, "split the rule in two");
    }
    match &node.kind {
        Kind::Object(entries) => compiler.object(node, entries, Within::Fields),
        other => compiler.mistake(
            node,
            format!("a pattern is a table of fields, not {}", other.name()),
            "write `{ source = [\"…\"], detail-type = [\"…\"] }`",
        ),
    }
    compiler.finish(node)
}

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Fields,
    Or,
}

struct Compiler<'limits> {
    language: Language,
    limits: &'limits PatternLimits,
    /// The names above the node in hand, for messages.
    place: Vec<String>,
    /// The names of the fields above it: the place without `$or`.
    path: Vec<String>,
    /// What is asked so far, in each combination of `$or`.
    alternatives: Vec<Tests>,
    mistakes: Vec<PatternMistake>,
    /// Whether there are more combinations than allowed; that is told once.
    too_many: bool,
}

impl Compiler<'_> {
    fn mistake(&mut self, node: &Node, message: impl Into<String>, advice: impl Into<String>) {
        self.mistake_at(node.span.clone(), message, advice);
    }

    fn mistake_at(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        // A path of thousands of names helps nobody.
        let names = &self.place[..self.place.len().min(20)];
        self.mistakes.push(PatternMistake {
            field: names.join("."),
            span,
            message: message.into(),
            advice: advice.into(),
        });
    }

    fn finish(mut self, node: &Node) -> Result<Pattern, PatternError> {
        let most = self.alternatives.iter().map(Tests::len).max().unwrap_or(0);
        if most > MOST_FIELDS {
            let message = format!("{most} fields are named, and EventBridge takes {MOST_FIELDS}");
            self.mistake(node, message, "leave some out");
        }
        if !self.mistakes.is_empty() {
            return Err(PatternError {
                mistakes: self.mistakes,
            });
        }
        let alternatives = self.alternatives.into_iter().map(|tests| {
            let mut fields: Vec<Field> = tests
                .into_iter()
                .map(|(path, tests)| Field { path, tests })
                .collect();
            fields.sort_by(|left, right| left.path.encode_utf16().cmp(right.path.encode_utf16()));
            Alternative { fields }
        });
        Ok(Pattern {
            alternatives: alternatives.collect(),
        })
    }

    fn object(&mut self, node: &Node, entries: &[Entry], within: Within) {
        if entries.is_empty() {
            self.mistake(
                node,
                "no field is named",
                "name at least one field to match",
            );
        }
        for entry in entries {
            self.place.push(entry.name.clone());
            if entry.name == OR {
                self.either(&entry.value);
            } else {
                self.entry(entry, within);
            }
            self.place.pop();
        }
    }

    fn entry(&mut self, entry: &Entry, within: Within) {
        let Entry { name, span, value } = entry;
        if within == Within::Or && RESERVED_WITHIN_OR.contains(&name.as_str()) {
            let message = "within `$or` no field can have an operator's name";
            let advice = "an operator stands in the array of its field: \
                          `field = [{ operator = … }]`";
            self.mistake_at(span.clone(), message, advice);
            return;
        }
        match &value.kind {
            Kind::Object(entries) => {
                self.path.push(name.clone());
                self.object(value, entries, within);
                self.path.pop();
            }
            Kind::Array(elements) => {
                let tests = self.tests(value, elements);
                self.put(value, name, tests);
            }
            other => {
                let advice = if operator::is_one(name) {
                    "an operator stands in the array of its field: \
                     `field = [{ operator = … }]`"
                } else {
                    "write `[…]` around it"
                };
                let message = format!("values stand in an array, and this is {}", other.name());
                self.mistake(value, message, advice);
            }
        }
    }

    /// Asks the tests of a field in every alternative.
    fn put(&mut self, node: &Node, name: &str, tests: Vec<Test>) {
        // An object under the empty name alone adds nothing to the path.
        let path: Arc<str> = match self.path.join(".") {
            above if above.is_empty() => name.into(),
            above => format!("{above}.{name}").into(),
        };
        let tests: Arc<[Test]> = tests.into();
        if self.alternatives.is_empty() {
            self.alternatives.push(Tests::new());
        }
        let mut repeated = false;
        for alternative in &mut self.alternatives {
            repeated |= alternative
                .insert(Arc::clone(&path), Arc::clone(&tests))
                .is_some();
        }
        if repeated && self.language == Language::Toml {
            self.mistake(
                node,
                "the field is there twice",
                "write it once, with all its values",
            );
        }
    }

    /// `$or`: each of its branches continues all that was asked before.
    fn either(&mut self, node: &Node) {
        let branches = match &node.kind {
            Kind::Array(branches) if branches.len() >= 2 => branches,
            _ => {
                let advice = "write `\"$or\" = [{ … }, { … }]`";
                self.mistake(node, "`$or` takes an array of two tables or more", advice);
                return;
            }
        };
        let mut before = std::mem::take(&mut self.alternatives);
        if before.is_empty() {
            before.push(Tests::new());
        }
        let mut after = Vec::new();
        for branch in branches {
            let Kind::Object(entries) = &branch.kind else {
                let message = format!("`$or` takes tables, and this is {}", branch.kind.name());
                self.mistake(branch, message, "write `{ field = […] }`");
                continue;
            };
            self.alternatives.clone_from(&before);
            self.object(branch, entries, Within::Or);
            after.append(&mut self.alternatives);
            if after.len() > MOST_ALTERNATIVES {
                if !self.too_many {
                    let message = format!(
                        "`$or` leads to more than {MOST_ALTERNATIVES} combinations, \
                         and EventBridge takes no more"
                    );
                    self.mistake(node, message, "split the rule in two");
                }
                self.too_many = true;
                // The rest is still read for its mistakes.
                after.truncate(1);
                before.truncate(1);
            }
        }
        self.alternatives = after;
    }
}
