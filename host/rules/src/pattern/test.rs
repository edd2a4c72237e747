//! What a pattern asks of one value.

use std::fmt;
use std::net::IpAddr;

use super::address::{self, AddressRange};
use super::case::AnyCase;
use super::number::Number;
use super::wildcard::Wildcard;
use crate::envelope::Values;

/// A value of an event that is neither object nor array. Strings are without
/// their escapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'event> {
    String(&'event [u8]),
    Number {
        text: &'event [u8],
        /// Its value, if it is [comparable](super::number::comparable).
        value: Option<f64>,
    },
    Bool(bool),
    Null,
}

/// A value that is matched as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    String(Box<str>),
    Number(Number),
    Bool(bool),
    Null,
}

/// One of the conditions in the array of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Equals(Literal),
    /// `{"exactly": …}`: a string as it is, even if it writes an address.
    Exactly(Box<str>),
    /// A string that writes an address: any spelling of it.
    Address {
        written: Box<str>,
        address: IpAddr,
    },
    Prefix(Box<str>),
    Suffix(Box<str>),
    EqualsIgnoreCase(AnyCase),
    PrefixIgnoreCase(AnyCase),
    SuffixIgnoreCase(AnyCase),
    Wildcard(Wildcard),
    AnythingBut(Excluded),
    Numeric(NumberRange),
    Cidr(AddressRange),
    /// `{"exists": true}`.
    Present,
    /// `{"exists": false}`. It holds for no value; see
    /// [`Field::may_be_absent`](super::Field::may_be_absent).
    Absent,
}

/// What `anything-but` leaves out; never empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Excluded {
    Strings(Box<[Box<str>]>),
    Numbers(Box<[f64]>),
    Prefixes(Box<[Box<str>]>),
    Suffixes(Box<[Box<str>]>),
    AnyCase(Box<[AnyCase]>),
    Wildcards(Box<[Wildcard]>),
}

/// The numbers from one to another, both included. An open end is the next
/// number that an `f64` can hold, since only such numbers are compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NumberRange {
    /// The operand in JSON.
    pub(crate) written: Box<str>,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Literal {
    fn equals(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::String(expected), Scalar::String(text)) => expected.as_bytes() == text,
            (Self::Number(Number::Value(expected)), Scalar::Number { value, .. }) => {
                value == Some(*expected)
            }
            (Self::Number(Number::Text(expected)), Scalar::Number { text, .. }) => {
                expected.as_bytes() == text
            }
            (Self::Bool(expected), Scalar::Bool(flag)) => *expected == flag,
            (Self::Null, Scalar::Null) => true,
            _ => false,
        }
    }
}

impl Excluded {
    fn holds(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Strings(list), Scalar::String(text)) => {
                list.iter().any(|one| one.as_bytes() == text)
            }
            (
                Self::Numbers(list),
                Scalar::Number {
                    value: Some(value), ..
                },
            ) => list.contains(&value),
            (Self::Prefixes(list), Scalar::String(text)) => {
                list.iter().any(|one| text.starts_with(one.as_bytes()))
            }
            (Self::Suffixes(list), Scalar::String(text)) => {
                list.iter().any(|one| text.ends_with(one.as_bytes()))
            }
            (Self::AnyCase(list), Scalar::String(text)) => list.iter().any(|one| one.equals(text)),
            (Self::Wildcards(list), Scalar::String(text)) => {
                list.iter().any(|one| one.matches(text))
            }
            _ => false,
        }
    }
}

impl Test {
    /// Whether it holds for a value.
    pub(crate) fn holds(&self, value: Scalar<'_>) -> bool {
        match self {
            Self::Equals(literal) => literal.equals(value),
            Self::AnythingBut(excluded) => !excluded.holds(value),
            Self::Present => true,
            Self::Absent => false,
            Self::Numeric(range) => matches!(
                value,
                Scalar::Number { value: Some(value), .. }
                    if range.lowest <= value && value <= range.highest
            ),
            _ => matches!(value, Scalar::String(text) if self.holds_for_text(text)),
        }
    }

    /// Whether it can hold of a field with such values.
    pub(crate) fn admits(&self, values: Values<'_>) -> bool {
        let of_some_text = !matches!(
            self,
            Self::Equals(Literal::Number(_) | Literal::Bool(_) | Literal::Null)
                | Self::Numeric(_)
                | Self::Absent
        );
        match values {
            Values::Text(text) => self.holds(Scalar::String(text.as_bytes())),
            Values::SomeText => of_some_text,
            Values::MaybeText => of_some_text || *self == Self::Absent,
            Values::Nothing => *self == Self::Absent,
            Values::Anything => true,
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn memory(&self) -> usize {
        // What lies outside of it is its text, more or less.
        size_of::<Self>() + self.to_string().len()
    }

    fn holds_for_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Exactly(expected) => expected.as_bytes() == text,
            Self::Address { address, .. } => address::parse(text) == Some(*address),
            Self::Prefix(prefix) => text.starts_with(prefix.as_bytes()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_bytes()),
            Self::EqualsIgnoreCase(expected) => expected.equals(text),
            Self::PrefixIgnoreCase(prefix) => prefix.begins(text),
            Self::SuffixIgnoreCase(suffix) => suffix.ends(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(range) => {
                address::parse(text).is_some_and(|address| range.contains(address))
            }
            Self::Equals(_)
            | Self::AnythingBut(_)
            | Self::Numeric(_)
            | Self::Present
            | Self::Absent => false,
        }
    }
}

/// Text as a JSON string.
struct Json<'text>(&'text str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self.0).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

/// As in a pattern in JSON.
impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => Json(text).fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Bool(flag) => flag.fmt(formatter),
            Self::Null => formatter.write_str("null"),
        }
    }
}

/// As in a pattern in JSON.
impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ignoring_case = |operator: &str, text: &AnyCase| {
            let text = text.to_string();
            format!(
                r#"{{"{operator}":{{"equals-ignore-case":{}}}}}"#,
                Json(&text)
            )
        };
        match self {
            Self::Equals(literal) => literal.fmt(formatter),
            Self::Exactly(text) => write!(formatter, r#"{{"exactly":{}}}"#, Json(text)),
            Self::Address { written, .. } => Json(written).fmt(formatter),
            Self::Prefix(text) => write!(formatter, r#"{{"prefix":{}}}"#, Json(text)),
            Self::Suffix(text) => write!(formatter, r#"{{"suffix":{}}}"#, Json(text)),
            Self::EqualsIgnoreCase(text) => {
                let text = text.to_string();
                write!(formatter, r#"{{"equals-ignore-case":{}}}"#, Json(&text))
            }
            Self::PrefixIgnoreCase(text) => formatter.write_str(&ignoring_case("prefix", text)),
            Self::SuffixIgnoreCase(text) => formatter.write_str(&ignoring_case("suffix", text)),
            Self::Wildcard(wildcard) => {
                let text = wildcard.to_string();
                write!(formatter, r#"{{"wildcard":{}}}"#, Json(&text))
            }
            Self::AnythingBut(excluded) => write!(formatter, r#"{{"anything-but":{excluded}}}"#),
            Self::Numeric(range) => write!(formatter, r#"{{"numeric":{}}}"#, range.written),
            Self::Cidr(range) => write!(formatter, r#"{{"cidr":"{range}"}}"#),
            Self::Present => formatter.write_str(r#"{"exists":true}"#),
            Self::Absent => formatter.write_str(r#"{"exists":false}"#),
        }
    }
}

/// As in a pattern in JSON.
impl fmt::Display for Excluded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn texts<T: fmt::Display>(list: &[T]) -> String {
            let texts: Vec<String> = list
                .iter()
                .map(|one| Json(&one.to_string()).to_string())
                .collect();
            format!("[{}]", texts.join(","))
        }
        match self {
            Self::Strings(list) => formatter.write_str(&texts(list)),
            Self::Numbers(list) => {
                let numbers: Vec<String> = list.iter().map(f64::to_string).collect();
                write!(formatter, "[{}]", numbers.join(","))
            }
            Self::Prefixes(list) => write!(formatter, r#"{{"prefix":{}}}"#, texts(list)),
            Self::Suffixes(list) => write!(formatter, r#"{{"suffix":{}}}"#, texts(list)),
            Self::AnyCase(list) => {
                write!(formatter, r#"{{"equals-ignore-case":{}}}"#, texts(list))
            }
            Self::Wildcards(list) => write!(formatter, r#"{{"wildcard":{}}}"#, texts(list)),
        }
    }
}
