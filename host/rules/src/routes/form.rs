//! How the file is written, told by types: each says how it is read and what
//! its JSON Schema is, so that the two cannot differ.

use std::collections::BTreeMap;
use std::ops::Range;

use alchemiser_suggest as suggest;
use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use crate::mistake::EntryKind;

/// A value of the file, with its place.
pub(super) type Value<'text> = Spanned<DeValue<'text>>;

/// A type of value.
pub(super) trait Form: Sized {
    /// How one looks, for advice.
    const EXAMPLE: &'static str;

    /// What to do where it is missing.
    fn advice(key: &str) -> String {
        format!("write `{key} = {}`", Self::EXAMPLE)
    }

    /// Reads a value; `None` where a mistake left nothing to answer. That
    /// mistake is then recorded.
    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self>;

    /// Its JSON Schema.
    fn schema() -> Json;
}

/// A type that is written as one word in quotes.
pub(super) trait Word: Sized {
    const EXAMPLE: &'static str = "\"…\"";

    /// Reads the word.
    fn parse(text: &str) -> Result<Self, Complaint>;

    /// Its JSON Schema.
    fn schema() -> Json {
        json!({"type": "string"})
    }
}

/// What is wrong with a word, and what to do.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) advice: String,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            advice: advice.into(),
        }
    }
}

impl<W: Word> Form for W {
    const EXAMPLE: &'static str = W::EXAMPLE;

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let text = reader.string(value)?;
        let word = W::parse(text);
        word.map_err(|Complaint { message, advice }| reader.mistake(value.span(), message, advice))
            .ok()
    }

    fn schema() -> Json {
        W::schema()
    }
}

impl Form for bool {
    const EXAMPLE: &'static str = "true";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            reader.wrong_type(value, "`true` or `false`");
        }
        flag
    }

    fn schema() -> Json {
        json!({"type": "boolean"})
    }
}

/// A whole number within limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer<const MINIMUM: u32, const MAXIMUM: u32>(pub(super) u32);

impl<const MINIMUM: u32, const MAXIMUM: u32> Form for Integer<MINIMUM, MAXIMUM> {
    const EXAMPLE: &'static str = "…";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let DeValue::Integer(integer) = value.get_ref() else {
            reader.wrong_type(value, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (MINIMUM..=MAXIMUM).contains(number));
        if number.is_none() {
            let message = format!("{integer} is out of range");
            let advice = format!("EventBridge allows {MINIMUM} to {MAXIMUM}");
            reader.mistake(value.span(), message, advice);
        }
        number.map(Self)
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": MINIMUM, "maximum": MAXIMUM})
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T: Form> Form for Placed<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn advice(key: &str) -> String {
        T::advice(key)
    }

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        T::read(reader, value).map(|read| Self {
            value: read,
            span: value.span(),
        })
    }

    fn schema() -> Json {
        T::schema()
    }
}

/// `[…]`
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<Placed<T>>);

impl<T: Form> Form for List<T> {
    const EXAMPLE: &'static str = "[…]";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let Some(elements) = value.get_ref().as_array() else {
            reader.wrong_type(value, "`[…]` around it");
            return None;
        };
        let read = elements
            .iter()
            .filter_map(|element| Form::read(reader, element));
        Some(Self(read.collect()))
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema()})
    }
}

/// `[[…]]`: tables in the order of the file. One with mistakes is there too,
/// with what could be read of it.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<Entry<T>>);

/// One of them.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// Its name as it is written, which may be mistaken.
    pub(super) name: Option<String>,
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

impl<T: Form> Form for Entries<T> {
    const EXAMPLE: &'static str = "[{ … }]";

    fn advice(key: &str) -> String {
        format!("write `[[{key}]]` and its keys below")
    }

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let Some(elements) = value.get_ref().as_array() else {
            match value.get_ref() {
                DeValue::Table(_) => {
                    let message = "this is a table, and there may be several";
                    reader.mistake(value.span(), message, "use double brackets");
                }
                _ => reader.wrong_type(value, "tables, each under `[[…]]`"),
            }
            return None;
        };
        let read = |reader: &mut Reader<'_>| {
            let read = elements.iter().filter_map(|element| {
                Some(Entry {
                    name: element.get_ref().as_table().and_then(name_of),
                    span: element.span(),
                    value: Form::read(reader, element)?,
                })
            });
            Self(read.collect())
        };
        Some(reader.at_top(read))
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema()})
    }
}

/// The name of an entry as it is written.
pub(super) fn name_of(table: &DeTable<'_>) -> Option<String> {
    let name = table.get("name")?.get_ref().as_str()?;
    Some(name.to_owned())
}

/// Tables by name. The name of each is read by whoever gets it.
#[derive(Debug)]
pub(super) struct ByName<T>(pub(super) BTreeMap<String, (Range<usize>, Option<T>)>);

impl<T: Form> Form for ByName<T> {
    const EXAMPLE: &'static str = "{ … }";

    fn advice(key: &str) -> String {
        format!("write `[{key}.NAME]` and its keys below")
    }

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let table = reader.table(value)?;
        let read = table.iter().map(|(key, value)| {
            let name = key.get_ref().as_ref();
            let read = reader.at(name, |reader| T::read(reader, value));
            (name.to_owned(), (key.span(), read))
        });
        Some(Self(read.collect()))
    }

    fn schema() -> Json {
        json!({"type": "object", "additionalProperties": T::schema()})
    }
}

/// A key of a table.
pub(super) trait Slot: Sized {
    /// Whether the table is mistaken without it.
    const REQUIRED: bool;

    fn read(reader: &mut Reader<'_>, within: &Range<usize>, table: &DeTable<'_>, key: &str)
    -> Self;

    fn schema() -> Json;
}

/// A key that must be there; empty after a mistake only.
#[derive(Debug)]
pub(super) struct Required<T>(pub(super) Option<Placed<T>>);

/// A key that may be left out; empty after a mistake too.
#[derive(Debug)]
pub(super) struct Optional<T>(pub(super) Option<Placed<T>>);

impl<T> Required<T> {
    pub(super) fn value(self) -> Option<T> {
        self.0.map(|placed| placed.value)
    }
}

impl<T> Optional<T> {
    pub(super) fn value(self) -> Option<T> {
        self.0.map(|placed| placed.value)
    }
}

impl<T: Form> Slot for Required<T> {
    const REQUIRED: bool = true;

    fn read(
        reader: &mut Reader<'_>,
        within: &Range<usize>,
        table: &DeTable<'_>,
        key: &str,
    ) -> Self {
        Self(reader.at(key, |reader| match table.get(key) {
            Some(value) => Form::read(reader, value),
            None => {
                let message = format!("`{key}` is missing");
                reader.mistake(within.clone(), message, Placed::<T>::advice(key));
                None
            }
        }))
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Form> Slot for Optional<T> {
    const REQUIRED: bool = false;

    fn read(reader: &mut Reader<'_>, _: &Range<usize>, table: &DeTable<'_>, key: &str) -> Self {
        Self(
            table
                .get(key)
                .and_then(|value| reader.at(key, |reader| Form::read(reader, value))),
        )
    }

    fn schema() -> Json {
        T::schema()
    }
}

/// What a table may be besides one of the file's entries.
pub(super) const NO_ENTRY: Option<EntryKind> = None;

/// Declares a table of the file by its keys; their documentation is what
/// editors show.
macro_rules! table {
    (
        $(#[doc = $documentation:literal])+
        $name:ident $(is $entry:ident)? {
            $( $(#[doc = $key_documentation:literal])+ $key:ident: $slot:ty, )+
        }
    ) => {
        $(#[doc = $documentation])+
        #[derive(Debug)]
        pub(super) struct $name {
            $( $(#[doc = $key_documentation])+ pub(super) $key: $slot, )+
        }

        impl Form for $name {
            const EXAMPLE: &'static str = "{ … }";

            fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
                let table = reader.table(value)?;
                let entry = [crate::routes::form::NO_ENTRY $(, Some(EntryKind::$entry))?];
                let entry = entry.into_iter().flatten().next();
                let span = value.span();
                Some(reader.within(entry, table, |reader| {
                    crate::routes::form::known_keys(reader, table, &[$(stringify!($key)),+]);
                    Self {
                        $( $key: Slot::read(reader, &span, table, stringify!($key)), )+
                    }
                }))
            }

            fn schema() -> serde_json::Value {
                crate::routes::form::table_schema(
                    &[$($documentation),+],
                    [$((
                        stringify!($key),
                        <$slot as Slot>::REQUIRED,
                        &[$($key_documentation),+][..],
                        <$slot as Slot>::schema(),
                    )),+],
                )
            }
        }
    };
}
pub(super) use table;

pub(super) fn known_keys(reader: &mut Reader<'_>, table: &DeTable<'_>, known: &[&str]) {
    for key in table.keys() {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            reader.at(name, |reader| {
                let advice = suggest::instead_of(name, known);
                reader.mistake(key.span(), format!("there is no key `{name}`"), advice);
            });
        }
    }
}

pub(super) fn table_schema<const KEYS: usize>(
    documentation: &[&str],
    keys: [(&str, bool, &[&str], Json); KEYS],
) -> Json {
    let required: Vec<&str> = keys
        .iter()
        .filter_map(|(key, required, ..)| required.then_some(*key))
        .collect();
    let properties: serde_json::Map<String, Json> = keys
        .into_iter()
        .map(|(key, _, documentation, mut schema)| {
            schema["description"] = prose(documentation).into();
            (key.to_owned(), schema)
        })
        .collect();
    json!({
        "description": prose(documentation),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The lines of a comment as running text.
fn prose(documentation: &[&str]) -> String {
    let lines: Vec<&str> = documentation.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// The type of a value, for a message.
pub(super) fn of(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
