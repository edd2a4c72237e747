//! Writes answers into the text of a scenario file.

use crate::answer::shown;
use alchemiser_events::{Decimal, ErrorDetail, Symbol, Weight};
use std::collections::BTreeMap;
use toml_edit::{
    ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, TomlError, Value,
};

/// A change of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Of an expectation.
    Answer {
        /// Its place among those of the scenario.
        expect: usize,
        /// What is to be expected.
        answer: NewAnswer,
    },
    /// One expectation more, at the end.
    Append {
        /// The fields of an item of a plan.
        item: Vec<(&'static str, String)>,
    },
}

/// What is to be expected.
#[derive(Clone, Debug, PartialEq)]
pub enum NewAnswer {
    /// Weights.
    Weights(BTreeMap<Symbol, Weight>),
    /// An error.
    Error {
        /// Its class.
        class: String,
        /// The symbol that it is about.
        symbol: Option<String>,
    },
    /// Fields of an item of a plan, as TOML has them.
    Item(Vec<(&'static str, String)>),
}

impl NewAnswer {
    pub(crate) fn error(detail: &ErrorDetail) -> Self {
        Self::Error {
            class: detail.class.clone(),
            symbol: detail.context.get("symbol").cloned(),
        }
    }
}

/// The text of a scenario file with changes to its scenarios, each told by its
/// place. Comments and layout stay.
///
/// # Errors
/// The text is no TOML, which one that was read before is.
pub fn update(text: &str, changes: &[(usize, Change)]) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    for (scenario, change) in changes {
        let Some(scenario) = nth(&mut document["scenario"], *scenario) else {
            continue;
        };
        match change {
            Change::Answer { expect, answer } => {
                let expectations = scenario.get_mut("expect");
                if let Some(expectation) = expectations.and_then(|all| nth(all, *expect)) {
                    write(expectation, answer);
                }
            }
            Change::Append { item } => append(scenario, item),
        }
    }
    Ok(document.to_string())
}

/// An element of `[[…]]` or of `[{ … }]`.
fn nth(item: &mut Item, place: usize) -> Option<&mut dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => tables
            .get_mut(place)
            .map(|table| table as &mut dyn TableLike),
        Item::Value(Value::Array(array)) => array
            .get_mut(place)
            .and_then(Value::as_inline_table_mut)
            .map(|table| table as &mut dyn TableLike),
        _ => None,
    }
}

fn write(expectation: &mut dyn TableLike, answer: &NewAnswer) {
    match answer {
        NewAnswer::Weights(weights) => {
            expectation.remove("error");
            let pairs = weights
                .iter()
                .filter(|(_, weight)| !weight.is_zero())
                .map(|(symbol, weight)| (symbol.as_str(), float(weight.decimal())));
            put(expectation, "weights", inline(pairs));
        }
        NewAnswer::Error { class, symbol } => {
            expectation.remove("weights");
            let class = ("class", Value::from(class.as_str()));
            let symbol = symbol.as_ref();
            let symbol = symbol.map(|symbol| ("symbol", Value::from(symbol.as_str())));
            put(
                expectation,
                "error",
                inline([class].into_iter().chain(symbol)),
            );
        }
        NewAnswer::Item(fields) => {
            for (name, text) in fields {
                if let Ok(value) = text.parse() {
                    put(expectation, name, value);
                }
            }
        }
    }
}

/// Sets a value; what stands around the old one stays.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        // `[scenario.expect.weights]`: a table of its own stays one.
        Some(Item::Table(old)) => {
            old.clear();
            if let Some(new) = value.as_inline_table() {
                for (key, value) in new {
                    old.insert(key, Item::Value(value.clone().decorated(" ", "")));
                }
            }
        }
        Some(_) | None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn inline<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(InlineTable::from_iter(pairs))
}

/// A weight as TOML has it: always with a point, since weights are fractions.
fn float(number: Decimal) -> Value {
    let text = shown(number);
    let text = if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    };
    text.parse().unwrap_or_else(|_| Value::from(text))
}

fn append(scenario: &mut dyn TableLike, fields: &[(&'static str, String)]) {
    let values = fields
        .iter()
        .filter_map(|(name, text)| Some((*name, text.parse::<Value>().ok()?)));
    match scenario.get_mut("expect") {
        Some(Item::Value(Value::Array(array))) => {
            array.push(InlineTable::from_iter(values));
        }
        Some(Item::ArrayOfTables(tables)) => tables.push(table(values)),
        Some(_) => {}
        None => {
            let mut tables = ArrayOfTables::new();
            tables.push(table(values));
            scenario.insert("expect", Item::ArrayOfTables(tables));
        }
    }
}

fn table(values: impl Iterator<Item = (&'static str, Value)>) -> Table {
    let mut table = Table::new();
    for (name, value) in values {
        table.insert(name, Item::Value(value));
    }
    table
}
