//! What reading a file carries along: where it is, and the mistakes so far.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::form::{Value, name_of, of};
use super::{Surroundings, quoted};
use crate::lines::Lines;
use crate::mistake::{Entry, EntryKind, Mistake};

/// Collects mistakes on a walk through the file.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    lines: Lines<'a>,
    pub(super) file_name: &'a str,
    pub(super) surroundings: Surroundings<'a>,
    /// The rule, schedule or test in hand.
    entry: Option<Entry>,
    /// The keys that lead to the value in hand.
    path: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, file_name: &'a str, surroundings: Surroundings<'a>) -> Self {
        Self {
            text,
            lines: Lines::of(text),
            file_name,
            surroundings,
            entry: None,
            path: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.lines.line(span.start)
    }

    /// Does something one key further down.
    pub(super) fn at<T>(&mut self, key: &str, then: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.to_owned());
        let answer = then(self);
        self.path.pop();
        answer
    }

    /// Does something within an entry, whose keys are called by their own names
    /// only.
    pub(super) fn at_top<T>(&mut self, then: impl FnOnce(&mut Self) -> T) -> T {
        let path = std::mem::take(&mut self.path);
        let answer = then(self);
        self.path = path;
        answer
    }

    /// Does something within a table; mistakes bear the name of the entry that
    /// it is.
    pub(super) fn within<T>(
        &mut self,
        kind: Option<EntryKind>,
        table: &DeTable<'_>,
        then: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let Some(kind) = kind else {
            return then(self);
        };
        self.about(kind, name_of(table), then)
    }

    /// Does something about an entry that was read before.
    pub(super) fn about<T>(
        &mut self,
        kind: EntryKind,
        name: Option<String>,
        then: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.entry = name.map(|name| Entry { kind, name });
        let answer = then(self);
        self.entry = None;
        answer
    }

    pub(super) fn table<'value, 'text>(
        &mut self,
        value: &'value Value<'text>,
    ) -> Option<&'value DeTable<'text>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table");
        }
        table
    }

    /// A string that is meant as it is written.
    pub(super) fn string<'value>(&mut self, value: &'value Value<'_>) -> Option<&'value str> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, "a string");
            return None;
        };
        self.literally(value).then_some(text)
    }

    /// Whether nothing in a value asks for the environment, which only the
    /// fields of type [`Interpolated`](super::interpolation::Interpolated) may.
    pub(super) fn literally(&mut self, value: &Value<'_>) -> bool {
        let before = self.mistakes.len();
        self.refuse_variables(value);
        self.mistakes.len() == before
    }

    fn refuse_variables(&mut self, value: &Value<'_>) {
        match value.get_ref() {
            DeValue::String(text) if text.contains("${") => {
                let message = "variables of the environment are not filled in here";
                let advice = "they are in `bus` and in a schedule's `enabled` and `time_zone`; \
                              write the value itself";
                self.mistake(value.span(), message, advice);
            }
            DeValue::Array(elements) => {
                for element in elements {
                    self.refuse_variables(element);
                }
            }
            DeValue::Table(table) => {
                for (key, value) in table {
                    self.at(key.get_ref(), |reader| reader.refuse_variables(value));
                }
            }
            _ => {}
        }
    }

    /// Where a part of a string stands in the file.
    pub(super) fn part_of(&self, value: &Value<'_>, part: &Range<usize>) -> Range<usize> {
        let span = value.span();
        let written = self.text.get(span.clone()).unwrap_or_default();
        let place = quoted::place(written, part);
        span.start + place.start..span.start + place.end
    }

    pub(super) fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        if self.literally(value) {
            let message = format!("this is {}", of(value));
            self.mistake(value.span(), message, format!("write {expected}"));
        }
    }

    /// Records a mistake at the field in hand.
    pub(super) fn mistake(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let field = (!self.path.is_empty()).then(|| self.path.join("."));
        self.mistakes.push(Mistake {
            file: self.file_name.to_owned(),
            line: self.lines.line(span.start),
            column: self.lines.column(span.start),
            span,
            entry: self.entry.clone(),
            field,
            message: message.into(),
            advice: advice.into(),
        });
    }
}
