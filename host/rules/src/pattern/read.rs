//! From TOML or JSON to a [`Pattern`].
//!
//! Both are brought to one [`Node`] tree, so that there is one reading of the
//! language and one set of messages.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::{Fields, Literal, Matcher, Number, Pattern, Test};
use alchemiser_suggest as suggest;

/// EventBridge's operators, beside exact values. Only `prefix` is supported.
const OPERATORS: [&str; 9] = [
    "prefix",
    "suffix",
    "anything-but",
    "numeric",
    "exists",
    "equals-ignore-case",
    "wildcard",
    "cidr",
    "exactly",
];

/// How many names may stand within each other, dots counted. Matching and
/// reading go one call deeper with each.
const MAXIMUM_DEPTH: usize = 100;

const WHAT_IS_SUPPORTED: &str = "write exact values or `{ prefix = \"…\" }`";

/// One mistake in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMistake {
    /// The field, with those above it: `detail.symbol`; empty for the pattern
    /// as a whole.
    pub field: String,
    /// Where in the TOML file, in bytes; none for a pattern written as JSON.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for PatternMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(formatter, "field `{}`: ", self.field)?;
        }
        write!(formatter, "{}; {}", self.message, self.advice)
    }
}

/// Every mistake of a pattern; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PatternError {
    /// The mistakes.
    pub mistakes: Vec<PatternMistake>,
}

/// A value of a pattern as written, whatever it was written in.
#[derive(Debug)]
pub(crate) struct Node {
    span: Option<Range<usize>>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    String(String),
    /// Decimal text, or what TOML writes for infinity and the like.
    Number(String),
    Bool(bool),
    Null,
    Date,
}

/// The tree of a pattern written in TOML.
pub(crate) fn node_of_toml(value: &Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::String(text.to_string()),
        DeValue::Integer(integer) => {
            // TOML also has hexadecimal and the like; what no `i64` holds is
            // left as written and refused as a number later.
            let value = i64::from_str_radix(integer.as_str(), integer.radix());
            Kind::Number(value.map_or_else(|_| integer.to_string(), |value| value.to_string()))
        }
        DeValue::Float(float) => Kind::Number(float.as_str().to_owned()),
        DeValue::Boolean(flag) => Kind::Bool(*flag),
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(elements) => Kind::Array(elements.iter().map(node_of_toml).collect()),
        DeValue::Table(table) => Kind::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), node_of_toml(value)))
                .collect(),
        ),
    };
    Node {
        span: Some(value.span()),
        kind,
    }
}

/// The tree of a pattern written in JSON.
pub(crate) fn node_of_json(text: &str) -> Result<Node, PatternError> {
    fn node(value: serde_json::Value) -> Node {
        use serde_json::Value;
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(flag) => Kind::Bool(flag),
            Value::Number(number) => Kind::Number(number.to_string()),
            Value::String(text) => Kind::String(text),
            Value::Array(elements) => Kind::Array(elements.into_iter().map(node).collect()),
            Value::Object(entries) => Kind::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, node(value)))
                    .collect(),
            ),
        };
        Node { span: None, kind }
    }
    serde_json::from_str(text)
        .map(node)
        .map_err(|error| PatternError {
            mistakes: vec![PatternMistake {
                field: String::new(),
                span: None,
                message: format!("this is no JSON: {error}"),
                advice: "write the pattern as EventBridge has it, or in TOML".to_owned(),
            }],
        })
}

/// Reads a tree as a pattern.
pub(crate) fn compile(node: &Node) -> Result<Pattern, PatternError> {
    let mut compiler = Compiler::default();
    let mut fields = Fields::new();
    match &node.kind {
        Kind::Object(entries) => compiler.object(node, entries, &mut fields),
        // Patterns in JSON stand in a string and were read before this.
        _ => compiler.mistake(
            node,
            format!("a pattern is a table of fields, not {}", node.kind.name()),
            "write `{ source = [\"…\"], detail-type = [\"…\"] }`",
        ),
    }
    if compiler.mistakes.is_empty() {
        Ok(Pattern { fields })
    } else {
        Err(PatternError {
            mistakes: compiler.mistakes,
        })
    }
}

#[derive(Default)]
struct Compiler {
    /// The names above the node in hand.
    path: Vec<String>,
    mistakes: Vec<PatternMistake>,
}

impl Compiler {
    fn mistake(&mut self, node: &Node, message: impl Into<String>, advice: impl Into<String>) {
        self.mistakes.push(PatternMistake {
            field: self.path.join("."),
            span: node.span.clone(),
            message: message.into(),
            advice: advice.into(),
        });
    }

    fn object(&mut self, node: &Node, entries: &[(String, Node)], fields: &mut Fields) {
        if entries.is_empty() {
            self.mistake(
                node,
                "no field is named",
                "name at least one field to match",
            );
        }
        for (key, value) in entries {
            self.path.push(key.clone());
            if self
                .path
                .iter()
                .map(|key| key.split('.').count())
                .sum::<usize>()
                > MAXIMUM_DEPTH
            {
                let message = format!("the field lies more than {MAXIMUM_DEPTH} names deep");
                self.path.truncate(3);
                self.mistake(value, message, "match a field further up");
                return;
            }
            if key == "$or" {
                self.unsupported(value, "`$or`");
                self.path.pop();
                continue;
            }
            let test = test_of(fields, key);
            match &value.kind {
                Kind::Object(entries) => self.object(value, entries, &mut test.fields),
                Kind::Array(_) if !test.values.is_empty() => self.mistake(
                    value,
                    "the field is there twice, once with dots in its name",
                    "write it once, with all its values",
                ),
                Kind::Array(elements) => test.values = self.values(value, elements),
                other => {
                    let advice = if OPERATORS.contains(&key.as_str()) {
                        "an operator stands in the array of its field: \
                         `field = [{ operator = … }]`"
                    } else {
                        "write `[…]` around it"
                    };
                    let message = format!("values stand in an array, and this is {}", other.name());
                    self.mistake(value, message, advice);
                }
            }
            self.path.pop();
        }
    }

    fn values(&mut self, array: &Node, elements: &[Node]) -> Vec<Matcher> {
        if elements.is_empty() {
            self.mistake(
                array,
                "an empty array matches nothing",
                "name at least one value, or leave the field out",
            );
        }
        elements
            .iter()
            .filter_map(|element| self.value(element))
            .collect()
    }

    fn value(&mut self, node: &Node) -> Option<Matcher> {
        let literal = match &node.kind {
            Kind::String(text) => Literal::String(text.clone()),
            Kind::Bool(flag) => Literal::Bool(*flag),
            Kind::Null => Literal::Null,
            Kind::Number(text) => match Number::parse(text) {
                Some(number) => Literal::Number(number),
                None => {
                    self.mistake(
                        node,
                        format!("`{text}` is no number that JSON has"),
                        "write a decimal number",
                    );
                    return None;
                }
            },
            Kind::Object(entries) => return self.operator(node, entries),
            Kind::Array(_) | Kind::Date => {
                let message = format!("{} cannot be matched as a value", node.kind.name());
                self.mistake(node, message, "write strings, numbers or booleans");
                return None;
            }
        };
        Some(Matcher::Equals(literal))
    }

    fn operator(&mut self, node: &Node, entries: &[(String, Node)]) -> Option<Matcher> {
        let [(operator, operand)] = entries else {
            let message = format!(
                "one operator is needed here, and there are {}",
                entries.len()
            );
            self.mistake(node, message, "write one table for each operator");
            return None;
        };
        match (operator.as_str(), &operand.kind) {
            ("prefix", Kind::String(prefix)) => return Some(Matcher::Prefix(prefix.clone())),
            ("prefix", Kind::Object(nested)) if matches!(nested.as_slice(), [_]) => {
                let operators = format!("`{}` within `prefix`", nested[0].0);
                self.unsupported(operand, &operators);
            }
            ("prefix", other) => {
                let message = format!("the operator `prefix` takes a string, not {}", other.name());
                self.mistake(operand, message, "write `{ prefix = \"…\" }`");
            }
            _ if OPERATORS.contains(&operator.as_str()) => {
                self.unsupported(operand, &format!("`{operator}`"));
            }
            _ => {
                let advice = suggest::nearest(operator, OPERATORS).map_or_else(
                    || WHAT_IS_SUPPORTED.to_owned(),
                    |candidate| format!("did you mean `{candidate}`?"),
                );
                self.mistake(
                    operand,
                    format!("there is no operator `{operator}`"),
                    advice,
                );
            }
        }
        None
    }

    fn unsupported(&mut self, node: &Node, operator: &str) {
        self.mistake(
            node,
            format!("the operator {operator} is not supported"),
            WHAT_IS_SUPPORTED,
        );
    }
}

/// The test of a field, its name split at the dots.
fn test_of<'fields>(fields: &'fields mut Fields, name: &str) -> &'fields mut Test {
    match name.split_once('.') {
        None => fields.entry(name.to_owned()).or_default(),
        Some((first, rest)) => {
            let test = fields.entry(first.to_owned()).or_default();
            test_of(&mut test.fields, rest)
        }
    }
}

impl Kind {
    /// What it is, for a message.
    fn name(&self) -> &'static str {
        match self {
            Self::Object(_) => "a table",
            Self::Array(_) => "an array",
            Self::String(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
            Self::Date => "a date",
        }
    }
}
