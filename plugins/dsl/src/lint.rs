//! What is wrong with a file, and what in it hardly does what its author
//! thinks.

#[cfg(test)]
mod tests;

use crate::Dsl;
use crate::operator::{Comparison, Operator};
use crate::reader::{self, is_delimiter};
use crate::tree::{FormId, Kind, Tree};
use alchemiser_sdk::{Error, Place, spelling};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// Something to say about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name: the class of an error, or what a warning is about, such as
    /// `rescaled-weights`.
    pub class: String,
    /// Where it is.
    pub place: Place,
    /// The bytes of the text to point at.
    pub span: Range<usize>,
    /// What it is.
    pub message: String,
    /// At how many more places the same is to be said.
    pub repeated: usize,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is evaluated, and something in it has no influence, or one
    /// that is easily overlooked.
    Warning,
}

/// All that there is to say about a file, in the order of the text. Warnings
/// are for files without errors.
#[must_use]
pub fn lint(text: &[u8]) -> Vec<Finding> {
    if let Err(errors) = Dsl::read(text) {
        let lines = Lines::of(text);
        return errors
            .into_iter()
            .map(|error| refused(error, &lines))
            .collect();
    }
    // What was loaded can be read.
    reader::read(text).map_or_else(|_| Vec::new(), |tree| warnings(&tree, text))
}

fn refused(error: Error, lines: &Lines<'_>) -> Finding {
    let place = error.place.unwrap_or(Place { line: 1, column: 1 });
    Finding {
        severity: Severity::Error,
        class: error.class,
        place,
        span: lines.span(place),
        message: error.message,
        repeated: 0,
    }
}

fn warnings(tree: &Tree, text: &[u8]) -> Vec<Finding> {
    let mut linter = Linter {
        tree,
        lines: Lines::of(text),
        findings: Vec::new(),
        known: FxHashMap::default(),
    };
    // Forms wait in a list, not on the machine's stack.
    let mut waiting = vec![Tree::ROOT];
    while let Some(form) = waiting.pop() {
        linter.form(form);
        waiting.extend(linter.portfolios(form).into_iter().rev());
    }
    linter.findings.sort_by_key(|finding| {
        let Place { line, column } = finding.place;
        (line, column)
    });
    linter.findings
}

struct Linter<'a> {
    tree: &'a Tree,
    lines: Lines<'a>,
    findings: Vec<Finding>,
    /// By class and message, where in `findings` it is.
    known: FxHashMap<(&'static str, String), usize>,
}

impl Linter<'_> {
    /// Looks at a portfolio, but not at those in it.
    fn form(&mut self, form: FormId) {
        match self.tree.kind(form) {
            Kind::String(_) => self.symbol(form),
            Kind::Vector if self.tree.children(form).next().is_none() => {
                self.warn(form, "empty-vector", "there is nothing to hold here");
            }
            _ => {}
        }
        let arguments = self.arguments(form);
        match self.operator(form) {
            Some(Operator::Symphony) => self.settings(arguments[1]),
            Some(Operator::Asset) => self.symbol(arguments[0]),
            Some(Operator::Group) => {
                let [_, ignored @ .., _] = &*arguments else {
                    return;
                };
                for &portfolio in ignored {
                    let message = "a group holds its last portfolio; this one has no influence";
                    self.warn(portfolio, "ignored-portfolio", message);
                }
            }
            Some(Operator::WeightSpecified) => self.weights(form, &arguments),
            Some(Operator::WeightInverseVolatility) => self.candidates(&arguments[1..]),
            Some(Operator::Filter) => self.filter(form, &arguments),
            Some(Operator::If) => self.conditional(form, &arguments),
            _ => {}
        }
    }

    /// Settings of the outermost form that people expect to do something.
    fn settings(&mut self, map: FormId) {
        let forms: Vec<FormId> = self.tree.children(map).collect();
        for pair in forms.chunks_exact(2) {
            let (Some(key), value) = (self.text(pair[0]), self.text(pair[1])) else {
                continue;
            };
            let message = match (key, value) {
                ("rebalance-frequency", Some("daily")) => continue,
                ("rebalance-frequency", _) => {
                    "this has no influence: the schedule says when a workflow runs"
                }
                ("rebalance-threshold" | "rebalance-corridor-width", _) => {
                    "this has no influence: the setting `portfolio.rebalance_threshold` says \
                     which changes are traded"
                }
                _ => continue,
            };
            self.warn(pair[0], "ignored-setting", message);
        }
    }

    fn symbol(&mut self, form: FormId) {
        let Some(written) = self.text(form) else {
            return;
        };
        if let Some(read) = spelling(written).filter(|read| read != written) {
            let message = format!("`{written}` is read as `{read}`");
            self.warn(form, "respelt-symbol", message);
        }
    }

    fn weights(&mut self, form: FormId, arguments: &[FormId]) {
        /// So far from a whole sums are that were meant to be one, because
        /// decimal fractions are not exact.
        const NOISE: f64 = 1e-9;

        let weights: Vec<(FormId, f64)> = arguments
            .iter()
            .step_by(2)
            .filter_map(|&weight| Some((weight, self.number(weight)?)))
            .collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let is_whole = [1.0, 100.0]
            .iter()
            .any(|whole| (sum / whole - 1.0).abs() <= NOISE);
        if !is_whole {
            let sum = (sum * 1e9).round() / 1e9;
            let message = if sum.is_finite() {
                format!("the weights add up to {sum}, and are rescaled to 1")
            } else {
                "the weights add up to more than a number can be, which fails".to_owned()
            };
            self.warn(form, "rescaled-weights", message);
        }
        for (weight, _) in weights.iter().filter(|(_, weight)| *weight == 0.0) {
            let message = "what weighs 0 is evaluated, and never held";
            self.warn(*weight, "zero-weight", message);
        }
    }

    fn filter(&mut self, form: FormId, arguments: &[FormId]) {
        let (selection, portfolio) = match *arguments {
            [_, selection, portfolio] => (Some(selection), portfolio),
            [_, portfolio] => (None, portfolio),
            _ => return,
        };
        self.candidates(&[portfolio]);
        let Some(selection) = selection else {
            let message = "without `(select-top n)` or `(select-bottom n)` a filter takes every \
                           candidate";
            return self.warn(form, "no-selection", message);
        };
        let count = self.arguments(selection).first().copied();
        let (Some(operator), Some(count)) = (
            self.operator(selection),
            count.and_then(|form| self.number(form)),
        ) else {
            return;
        };
        let most = self.most_units(portfolio);
        if count >= most as f64 {
            let candidates = match most {
                1 => "there is at most 1 candidate".to_owned(),
                most => format!("there are at most {most} candidates"),
            };
            let message = format!("`{operator} {count}` takes whatever there is: {candidates}");
            self.warn(selection, "select-all", message);
        }
    }

    /// Assets that are candidates more than once.
    fn candidates(&mut self, portfolios: &[FormId]) {
        let mut seen = FxHashSet::default();
        for unit in self.direct_units(portfolios) {
            if let Some(symbol) = self.asset(unit)
                && !seen.insert(symbol.clone())
            {
                let message = format!("`{symbol}` is a candidate already, and counts once");
                self.warn(unit, "repeated-candidate", message);
            }
        }
    }

    fn conditional(&mut self, form: FormId, arguments: &[FormId]) {
        let [condition, ref branches @ ..] = *arguments else {
            return;
        };
        let operands = self.arguments(condition);
        for &operand in &operands {
            if let Some(&symbol) = self.arguments(operand).first() {
                self.symbol(symbol);
            }
        }
        let [left, right] = *operands else { return };
        let is_number = |form| self.number(form).is_some();
        if self.equal(left, right) || is_number(left) && is_number(right) {
            let message = "this is decided once and for all: no price has an influence";
            self.warn(condition, "constant-condition", message);
        } else if self.operator(condition) == Some(Operator::Comparison(Comparison::Equal)) {
            let message = "`=` holds only when both sides are the same to the last digit";
            self.warn(condition, "exact-equality", message);
        }
        match *branches {
            [_] => {
                let message = "there is nothing for the case that the condition does not hold; \
                               the evaluation fails then";
                self.warn(form, "no-else", message);
            }
            [chosen, otherwise] if self.equal(chosen, otherwise) => {
                let message = "both branches are the same, so the condition has no influence";
                self.warn(form, "same-branches", message);
            }
            _ => {}
        }
    }

    fn warn(&mut self, form: FormId, class: &'static str, message: impl Into<String>) {
        let place = self.tree.place(form);
        let message = message.into();
        let key = (class, message.clone());
        if let Some(&known) = self.known.get(&key) {
            self.findings[known].repeated += 1;
            return;
        }
        self.known.insert(key, self.findings.len());
        self.findings.push(Finding {
            severity: Severity::Warning,
            class: class.to_owned(),
            place,
            span: self.lines.span(place),
            message,
            repeated: 0,
        });
    }

    /// The portfolios within a portfolio.
    fn portfolios(&self, form: FormId) -> Vec<FormId> {
        if self.tree.kind(form) == Kind::Vector {
            return self.tree.children(form).collect();
        }
        let arguments = self.arguments(form);
        let from = |first: usize| arguments.iter().skip(first).copied();
        match self.operator(form) {
            Some(Operator::Symphony) => from(2).collect(),
            Some(Operator::Group | Operator::WeightInverseVolatility | Operator::If) => {
                from(1).collect()
            }
            Some(Operator::WeightEqual) => arguments,
            Some(Operator::WeightSpecified) => from(1).step_by(2).collect(),
            Some(Operator::Filter) => arguments.last().copied().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// How many units a portfolio can have at most.
    fn most_units(&self, form: FormId) -> usize {
        let arguments = self.arguments(form);
        match (self.tree.kind(form), self.operator(form)) {
            (Kind::Vector, _) => {
                let mut seen = FxHashSet::default();
                let units = self.direct_units(&[form]).into_iter();
                units
                    .filter(|&unit| self.asset(unit).is_none_or(|asset| seen.insert(asset)))
                    .map(|unit| self.most_units(unit))
                    .sum()
            }
            (_, Some(Operator::If)) => {
                let branches = arguments.iter().skip(1);
                branches.map(|&branch| self.most_units(branch)).max()
            }
            .unwrap_or(0),
            (_, Some(Operator::Filter)) => {
                let candidates = arguments.last().map_or(0, |&form| self.most_units(form));
                let taken = arguments.get(1).and_then(|&selection| {
                    let count = self.arguments(selection).first().copied()?;
                    self.number(count)
                });
                taken.map_or(candidates, |taken| candidates.min(taken as usize))
            }
            _ => 1,
        }
    }

    /// Portfolios, with vectors replaced by what they hold.
    fn direct_units(&self, portfolios: &[FormId]) -> Vec<FormId> {
        let mut units = Vec::new();
        let mut waiting: Vec<FormId> = portfolios.iter().rev().copied().collect();
        while let Some(form) = waiting.pop() {
            if self.tree.kind(form) == Kind::Vector {
                let mut elements: Vec<FormId> = self.tree.children(form).collect();
                elements.reverse();
                waiting.append(&mut elements);
            } else {
                units.push(form);
            }
        }
        units
    }

    /// The symbol of a form that is an asset.
    fn asset(&self, form: FormId) -> Option<String> {
        let symbol = match self.operator(form) {
            Some(Operator::Asset) => self.arguments(form).first().copied()?,
            _ => form,
        };
        match self.tree.kind(symbol) {
            Kind::String(text) => spelling(self.tree.texts.get(text)),
            _ => None,
        }
    }

    fn operator(&self, form: FormId) -> Option<Operator> {
        let head = self.tree.children(form).next()?;
        match (self.tree.kind(form), self.tree.kind(head)) {
            (Kind::List, Kind::Symbol(name)) => Operator::ALL.get(name.index()).copied(),
            _ => None,
        }
    }

    /// What follows a list's head.
    fn arguments(&self, form: FormId) -> Vec<FormId> {
        match self.tree.kind(form) {
            Kind::List => self.tree.children(form).skip(1).collect(),
            _ => Vec::new(),
        }
    }

    fn number(&self, form: FormId) -> Option<f64> {
        match self.tree.kind(form) {
            Kind::Number(index) => Some(self.tree.numbers[index as usize]),
            _ => None,
        }
    }

    /// A text, keyword or bare name.
    fn text(&self, form: FormId) -> Option<&str> {
        match self.tree.kind(form) {
            Kind::String(text) | Kind::Keyword(text) | Kind::Symbol(text) => {
                Some(self.tree.texts.get(text))
            }
            _ => None,
        }
    }

    /// Whether two forms are written alike but for blanks and comments.
    fn equal(&self, left: FormId, right: FormId) -> bool {
        let forms = |form: FormId| {
            let first = form.0 as usize;
            let end = self.tree.forms[first].end as usize;
            self.tree.forms[first..end].iter().map(move |form| {
                let kind = match form.kind {
                    Kind::Number(index) => Err(self.tree.numbers[index as usize].to_bits()),
                    kind => Ok(kind),
                };
                (kind, form.end as usize - first)
            })
        };
        forms(left).eq(forms(right))
    }
}

/// Finds places in a text.
struct Lines<'a> {
    text: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a [u8]) -> Self {
        let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(index, _)| index + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// What stands at a place: a token, or a bracket with the name after it.
    fn span(&self, place: Place) -> Range<usize> {
        let start = self.offset(place);
        let rest = &self.text[start..];
        let name = |from: usize| {
            let rest = &rest[from..];
            rest.iter()
                .position(|&byte| is_delimiter(byte))
                .unwrap_or(rest.len())
        };
        let length = match rest.first() {
            None => 0,
            Some(b'(') => 1 + name(1),
            Some(b'"') => {
                let line = rest.iter().position(|&byte| byte == b'\n');
                let close = rest.iter().skip(1).position(|&byte| byte == b'"');
                close
                    .map_or(rest.len(), |close| close + 2)
                    .min(line.unwrap_or(rest.len()))
            }
            Some(_) => name(0).max(self.character(start)),
        };
        start..start + length
    }

    fn offset(&self, place: Place) -> usize {
        let line = place.line.saturating_sub(1) as usize;
        let mut offset = self.starts.get(line).copied().unwrap_or(self.text.len());
        for _ in 1..place.column {
            offset += self.character(offset);
        }
        offset
    }

    /// How many bytes the character at an offset has; 0 at the end.
    fn character(&self, offset: usize) -> usize {
        let Some((_, rest)) = self.text[offset..].split_first() else {
            return 0;
        };
        let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        1 + rest.iter().take_while(is_continuation).count()
    }
}
