//! A pattern as written, whatever it was written in.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::{PatternError, PatternMistake};
use crate::json::{self, Marks, Problem, Quoted, Reader, Start, SyntaxError};

/// A value of a pattern, with its place in the text that it was read from.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

/// An entry of an object.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the name stands.
    pub(super) span: Range<usize>,
    pub(super) value: Node,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// The entries in the order of the text, repeated names included.
    Object(Vec<Entry>),
    Array(Vec<Node>),
    String(String),
    /// Decimal text, or what TOML writes for infinity and the like.
    Number(String),
    Bool(bool),
    Null,
    Date,
}

impl Node {
    /// How many characters it has as JSON without spaces.
    pub(super) fn length_in_json(&self) -> usize {
        let of_text = |text: &str| {
            serde_json::to_string(text).map_or(text.len(), |quoted| quoted.chars().count())
        };
        match &self.kind {
            Kind::Object(entries) => {
                let within: usize = entries
                    .iter()
                    .map(|entry| of_text(&entry.name) + 1 + entry.value.length_in_json())
                    .sum();
                within + 1 + entries.len().max(1)
            }
            Kind::Array(elements) => {
                let within: usize = elements.iter().map(Self::length_in_json).sum();
                within + 1 + elements.len().max(1)
            }
            Kind::String(text) => of_text(text),
            Kind::Number(text) => text.len(),
            Kind::Bool(flag) => flag.to_string().len(),
            Kind::Null => "null".len(),
            Kind::Date => 0,
        }
    }
}

impl Kind {
    /// What it is, for a message.
    pub(super) fn name(&self) -> &'static str {
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

/// The tree of a pattern written in TOML; places are those in the TOML file.
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
        DeValue::Table(table) => {
            // A table sorts its keys, and `$or` depends on their order.
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            Kind::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        name: key.get_ref().to_string(),
                        span: key.span(),
                        value: node_of_toml(value),
                    })
                    .collect(),
            )
        }
    };
    Node {
        span: value.span(),
        kind,
    }
}

/// The tree of a pattern written in JSON; places are those in its text.
pub(super) fn node_of_json(text: &str) -> Result<Node, PatternError> {
    let marks = Marks::of(text.as_bytes());
    let mut reader = Reader::new(text.as_bytes(), &marks);
    let node = value(&mut reader, 0).and_then(|node| reader.end().map(|()| node));
    node.map_err(|SyntaxError { offset, problem }| {
        PatternError::from(PatternMistake {
            field: String::new(),
            span: offset..text.ceil_char_boundary(offset + 1),
            message: format!("this is no JSON: {problem}"),
            advice: "write the pattern as EventBridge has it".to_owned(),
        })
    })
}

fn value(reader: &mut Reader<'_>, depth: usize) -> Result<Node, SyntaxError> {
    let start_kind = reader.start()?;
    let start = reader.position();
    let kind = match start_kind {
        Start::Object => {
            let depth = reader.deeper(depth)?;
            let mut entries = Vec::new();
            let mut more = reader.enter();
            while more {
                let name = reader.name()?;
                entries.push(Entry {
                    name: text_of(reader, name)?,
                    span: name.start - 1..name.end + 1,
                    value: value(reader, depth)?,
                });
                more = reader.next_entry()?;
            }
            Kind::Object(entries)
        }
        Start::Array => {
            let depth = reader.deeper(depth)?;
            let mut elements = Vec::new();
            let mut more = reader.enter();
            while more {
                elements.push(value(reader, depth)?);
                more = reader.next_element()?;
            }
            Kind::Array(elements)
        }
        Start::String => {
            let quoted = reader.string()?;
            Kind::String(text_of(reader, quoted)?)
        }
        Start::Number => Kind::Number(String::from_utf8_lossy(reader.number()?).into_owned()),
        Start::True => reader.literal(b"true").map(|()| Kind::Bool(true))?,
        Start::False => reader.literal(b"false").map(|()| Kind::Bool(false))?,
        Start::Null => reader.literal(b"null").map(|()| Kind::Null)?,
    };
    Ok(Node {
        span: start..reader.position(),
        kind,
    })
}

/// A string without its escapes. In a pattern a surrogate may not stand alone:
/// no text could be meant by it.
fn text_of(reader: &Reader<'_>, quoted: Quoted) -> Result<String, SyntaxError> {
    let mut text = Vec::new();
    json::decode(reader.slice(quoted.start, quoted.end), &mut text);
    String::from_utf8(text).map_err(|_| SyntaxError {
        offset: quoted.start,
        problem: Problem::LoneSurrogate,
    })
}
