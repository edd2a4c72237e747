//! Reads the values of a scenario file, and notes what is wrong with them.

use alchemiser_events::{Decimal, SessionDate, Symbol};
use alchemiser_suggest::instead_of;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of the file, with its place.
pub(crate) type Value<'text> = Spanned<DeValue<'text>>;

/// Something in a file that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The bytes that it is about.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Reads values; what is wrong is collected, so that all of it is told at once.
pub(crate) struct Reader<'text> {
    text: &'text str,
    pub(crate) mistakes: Vec<Mistake>,
}

impl<'text> Reader<'text> {
    pub(crate) fn of(text: &'text str) -> Self {
        Self {
            text,
            mistakes: Vec::new(),
        }
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        1 + self.before(offset).matches('\n').count()
    }

    fn before(&self, offset: usize) -> &'text str {
        &self.text[..self.text.floor_char_boundary(offset)]
    }

    pub(crate) fn mistake(&mut self, span: Range<usize>, message: impl Into<String>) {
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.mistakes.push(Mistake {
            line: self.line(span.start),
            column: 1 + before[line_start..].chars().count(),
            span,
            message: message.into(),
        });
    }

    fn wrong_type(&mut self, key: &str, value: &Value<'_>, wanted: &str) {
        let found = match value.get_ref().type_str() {
            found @ ("integer" | "array") => format!("an {found}"),
            found => format!("a {found}"),
        };
        let message = format!("`{key}` is {wanted}, and this is {found}");
        self.mistake(value.span(), message);
    }

    /// Notes the keys that a table must not have.
    pub(crate) fn known_keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let advice = instead_of(name, known);
                self.mistake(key.span(), format!("unknown key `{name}`; {advice}"));
            }
        }
    }

    pub(crate) fn table<'value, 'de>(
        &mut self,
        key: &str,
        value: &'value Value<'de>,
    ) -> Option<&'value DeTable<'de>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table");
        }
        table
    }

    /// The elements of an array, none after a mistake.
    pub(crate) fn array<'value, 'de>(
        &mut self,
        key: &str,
        value: &'value Value<'de>,
        wanted: &str,
    ) -> &'value [Value<'de>] {
        match value.get_ref().as_array() {
            Some(array) => array,
            None => {
                self.wrong_type(key, value, wanted);
                &[]
            }
        }
    }

    pub(crate) fn string<'value>(
        &mut self,
        key: &str,
        value: &'value Value<'_>,
    ) -> Option<&'value str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a text in quotes");
        }
        text
    }

    pub(crate) fn boolean(&mut self, key: &str, value: &Value<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag
    }

    /// A whole number within limits.
    pub(crate) fn integer(
        &mut self,
        key: &str,
        value: &Value<'_>,
        limits: Range<u64>,
    ) -> Option<u64> {
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| limits.contains(number));
        if number.is_none() {
            let (first, last) = (limits.start, limits.end - 1);
            let message = format!("`{key}` is {integer}, and must be from {first} to {last}");
            self.mistake(value.span(), message);
        }
        number
    }

    /// A decimal number, as a number or as text.
    pub(crate) fn decimal(&mut self, key: &str, value: &Value<'_>) -> Option<Decimal> {
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            DeValue::String(text) => text.as_ref(),
            _ => {
                self.wrong_type(key, value, "a number");
                return None;
            }
        };
        let number = Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
            .ok();
        if number.is_none() {
            let message = format!("`{key}` is `{text}`, which is not a decimal number");
            self.mistake(value.span(), message);
        }
        number
    }

    /// A decimal number with a meaning of its own.
    pub(crate) fn amount<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        new: impl FnOnce(Decimal) -> Result<T, E>,
    ) -> Option<T> {
        let number = self.decimal(key, value)?;
        new(number)
            .map_err(|error| self.mistake(value.span(), format!("`{key}`: {error}")))
            .ok()
    }

    /// A date, as TOML has it or in quotes.
    pub(crate) fn date(&mut self, key: &str, value: &Value<'_>) -> Option<SessionDate> {
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => {
                self.wrong_type(key, value, "a date such as \"2024-01-02\"");
                return None;
            }
        };
        SessionDate::parse(&text)
            .map_err(|error| self.mistake(value.span(), format!("`{key}`: {error}")))
            .ok()
    }

    pub(crate) fn symbol(&mut self, span: Range<usize>, text: &str) -> Option<Symbol> {
        Symbol::parse(text)
            .map_err(|error| self.mistake(span, error.to_string()))
            .ok()
    }

    /// The entries of a table by symbol. `read` reads what stands behind one.
    pub(crate) fn by_symbol<T>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        mut read: impl FnMut(&mut Self, &str, &Value<'_>) -> Option<T>,
    ) -> Option<std::collections::BTreeMap<Symbol, T>> {
        let table = self.table(key, value)?;
        let mut entries = std::collections::BTreeMap::new();
        for (name, value) in table {
            let symbol = self.symbol(name.span(), name.get_ref());
            let entry = read(self, &format!("{key}.{}", name.get_ref()), value);
            if let (Some(symbol), Some(entry)) = (symbol, entry)
                && entries.insert(symbol.clone(), entry).is_some()
            {
                self.mistake(name.span(), format!("`{symbol}` occurs twice"));
            }
        }
        Some(entries)
    }
}
