//! `${NAME}`: values from the environment, in the few fields that differ from
//! one installation to the next. Everything else is as the file says.

use std::ops::Range;

use serde_json::{Value as Json, json};

use super::form::{Complaint, Form, Value, Word};
use super::reader::Reader;

/// A value in which `${NAME}` and `${NAME:-default}` are filled in.
#[derive(Clone, Debug)]
pub(super) struct Interpolated<T>(pub(super) T);

/// What can be made of the text that was filled in.
pub(super) trait FromText: Form {
    fn from_text(text: &str) -> Result<Self, Complaint>;
}

impl<W: Word> FromText for W {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        W::parse(text)
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        text.parse().map_err(|_| {
            Complaint::new(
                format!("`{text}` is no boolean"),
                "it must be `true` or `false`",
            )
        })
    }
}

impl<T: FromText> Form for Interpolated<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str().filter(|text| text.contains("${")) else {
            return T::read(reader, value).map(Self);
        };
        let filled_in = fill_in(text, reader.surroundings.environment)
            .map_err(|(range, complaint)| (reader.part_of(value, &range), complaint));
        let read = filled_in.and_then(|text| {
            T::from_text(&text).map_err(|Complaint { message, advice }| {
                let message = format!("with the environment this is `{text}`: {message}");
                (value.span(), Complaint { message, advice })
            })
        });
        read.map(Self)
            .map_err(|(span, complaint)| reader.mistake(span, complaint.message, complaint.advice))
            .ok()
    }

    fn schema() -> Json {
        json!({
            "anyOf": [
                T::schema(),
                {"type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"},
            ],
        })
    }
}

/// The text with the environment in it, or the first range of it that cannot
/// be filled in, and why.
fn fill_in(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (Range<usize>, Complaint)> {
    let mut filled_in = String::new();
    let mut position = 0;
    while let Some(found) = text[position..].find("${") {
        let start = position + found;
        filled_in.push_str(&text[position..start]);
        let Some(length) = text[start..].find('}') else {
            let complaint =
                Complaint::new("`${` has no end", "write `${NAME}` or `${NAME:-default}`");
            return Err((start..text.len(), complaint));
        };
        let end = start + length + 1;
        let inner = &text[start + 2..end - 1];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_variable(name) {
            let message = format!("`{name}` is no name of a variable");
            let complaint = Complaint::new(message, "write `${NAME}` or `${NAME:-default}`");
            return Err((start..end, complaint));
        }
        // As in a shell, empty is as good as not there.
        let value = environment(name).filter(|value| !value.is_empty());
        let Some(value) = value.or_else(|| default.map(str::to_owned)) else {
            let message = format!("the environment has no `{name}`");
            let advice = format!("set it, or give a default: `${{{name}:-…}}`");
            return Err((start..end, Complaint { message, advice }));
        };
        filled_in.push_str(&value);
        position = end;
    }
    filled_in.push_str(&text[position..]);
    Ok(filled_in)
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
