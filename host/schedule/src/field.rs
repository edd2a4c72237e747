//! One field of a cron expression: a set of numbers.

use std::ops::Range;

use crate::mistake::ExpressionMistake;

/// What a field is called, which numbers it takes, and their names.
#[derive(Debug)]
pub(crate) struct FieldKind {
    pub(crate) name: &'static str,
    pub(crate) minimum: u16,
    pub(crate) maximum: u16,
    /// The names of the numbers from the minimum up, where there are any.
    pub(crate) names: &'static [&'static str],
    /// Whether `/` may stand in it.
    pub(crate) steps: bool,
}

pub(crate) const MINUTES: FieldKind = FieldKind {
    name: "minutes",
    minimum: 0,
    maximum: 59,
    names: &[],
    steps: true,
};

pub(crate) const HOURS: FieldKind = FieldKind {
    name: "hours",
    minimum: 0,
    maximum: 23,
    names: &[],
    steps: true,
};

pub(crate) const DAY_OF_MONTH: FieldKind = FieldKind {
    name: "day of month",
    minimum: 1,
    maximum: 31,
    names: &[],
    steps: true,
};

pub(crate) const MONTH: FieldKind = FieldKind {
    name: "month",
    minimum: 1,
    maximum: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    steps: true,
};

pub(crate) const DAY_OF_WEEK: FieldKind = FieldKind {
    name: "day of week",
    minimum: 1,
    maximum: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    steps: false,
};

pub(crate) const YEAR: FieldKind = FieldKind {
    name: "year",
    minimum: 1970,
    maximum: 2199,
    names: &[],
    steps: true,
};

/// A field as written: its text and where it begins in the expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'text> {
    pub(crate) text: &'text str,
    pub(crate) offset: usize,
}

impl<'text> Written<'text> {
    pub(crate) fn span(self) -> Range<usize> {
        self.offset..self.offset + self.text.len()
    }

    pub(crate) fn mistake(
        self,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> ExpressionMistake {
        ExpressionMistake {
            span: self.span(),
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// The part between two byte offsets of the text.
    fn part(self, range: Range<usize>) -> Self {
        Self {
            text: &self.text[range.clone()],
            offset: self.offset + range.start,
        }
    }

    /// The parts before and after a separator.
    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        let after = at + separator.len_utf8();
        Some((self.part(0..at), self.part(after..self.text.len())))
    }

    /// The parts between separators.
    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Written<'text>> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let whole = rest?;
            let (first, others) = match whole.split_once(separator) {
                Some((first, others)) => (first, Some(others)),
                None => (whole, None),
            };
            rest = others;
            Some(first)
        })
    }
}

/// A set of the numbers of a field, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers(Vec<u16>);

impl Numbers {
    pub(crate) fn contains(&self, number: u16) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// The numbers from one on.
    pub(crate) fn from(&self, first: u16) -> impl Iterator<Item = u16> {
        let begin = self.0.partition_point(|number| *number < first);
        self.0[begin..].iter().copied()
    }
}

impl FieldKind {
    /// All numbers of the field.
    pub(crate) fn all(&self) -> Numbers {
        Numbers((self.minimum..=self.maximum).collect())
    }

    /// `*`, or numbers, ranges and steps with commas between them.
    pub(crate) fn parse(&self, field: Written<'_>) -> Result<Numbers, ExpressionMistake> {
        if field.text == "*" {
            return Ok(self.all());
        }
        let mut numbers = Vec::new();
        for item in field.split(',') {
            self.item(item, &mut numbers)?;
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Numbers(numbers))
    }

    fn item(&self, item: Written<'_>, numbers: &mut Vec<u16>) -> Result<(), ExpressionMistake> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) if self.steps => (range, Some(step)),
            Some(_) => {
                return Err(item.mistake(
                    format!("`/` does not stand in the {} field", self.name),
                    "write each one: `2,4,6`",
                ));
            }
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range.text == "*" && step.is_some() => (self.minimum, self.maximum),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let first = self.number(range)?;
                let last = if step.is_some() { self.maximum } else { first };
                (first, last)
            }
        };
        if first > last {
            let (minimum, maximum) = (self.minimum, self.maximum);
            let written = |number: u16| match self.names.get(usize::from(number - minimum)) {
                Some(name) => (*name).to_owned(),
                None => number.to_string(),
            };
            return Err(range.mistake(
                format!("the range `{}` ends before it begins", range.text),
                format!(
                    "write two: `{}-{},{}-{}`",
                    written(first),
                    written(maximum),
                    written(minimum),
                    written(last)
                ),
            ));
        }
        let step = step.map_or(Ok(1), |step| self.step(step))?;
        numbers.extend((first..=last).step_by(step));
        Ok(())
    }

    fn step(&self, step: Written<'_>) -> Result<usize, ExpressionMistake> {
        digits(step.text)
            .filter(|number| (1..=self.maximum).contains(number))
            .map(usize::from)
            .ok_or_else(|| {
                step.mistake(
                    format!("`{}` is no step for the {} field", step.text, self.name),
                    format!("a step is a whole number from 1 to {}", self.maximum),
                )
            })
    }

    /// A number or its name.
    pub(crate) fn number(&self, written: Written<'_>) -> Result<u16, ExpressionMistake> {
        let text = written.text;
        let named = (self.minimum..)
            .zip(self.names)
            .find_map(|(number, name)| (*name == text).then_some(number));
        let number = named
            .or_else(|| digits(text))
            .filter(|number| (self.minimum..=self.maximum).contains(number));
        number.ok_or_else(|| {
            let advice = match self.names {
                [first, .., last] => format!(
                    "it takes {} to {} or {first} to {last}",
                    self.minimum, self.maximum
                ),
                _ => format!("it takes {} to {}", self.minimum, self.maximum),
            };
            let message = match text {
                "" => format!("a value is missing in the {} field", self.name),
                "?" => format!("`?` does not stand in the {} field", self.name),
                _ => format!("`{text}` is no value of the {} field", self.name),
            };
            written.mistake(message, advice)
        })
    }
}

/// A number in digits and nothing else.
fn digits(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}
