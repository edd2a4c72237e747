//! What operators take, and what is said when they are given something else.

use super::Checker;
use crate::operator::Operator;
use crate::problem::{argument_error, shortened, unknown_operator};
use crate::texts::TextId;
use crate::tree::{FormId, Kind, Siblings};

impl<'a> Checker<'a> {
    pub(super) fn text(&mut self, form: FormId, within: Option<Operator>, expected: &str) -> bool {
        let is_string = self.is_string(form);
        if !is_string {
            self.unexpected::<()>(form, within, expected);
        }
        is_string
    }

    pub(super) fn is_string(&self, form: FormId) -> bool {
        matches!(self.tree.kind(form), Kind::String(_))
    }

    pub(super) fn number(&self, form: FormId) -> Option<f64> {
        match self.tree.kind(form) {
            Kind::Number(index) => Some(self.tree.numbers[index as usize]),
            _ => None,
        }
    }

    pub(super) fn whole_number(&mut self, form: FormId, within: Option<Operator>) -> Option<u32> {
        match self.number(form) {
            // What lies above the range behaves as the end of it does: no
            // history is so long, and no list of candidates either.
            Some(number) if number >= 0.0 && number.fract() == 0.0 => Some(number as u32),
            _ => self.unexpected(form, within, "a whole number"),
        }
    }

    /// What follows a list's head.
    pub(super) fn arguments(&self, form: FormId) -> Siblings<'a> {
        let mut children = self.tree.children(form);
        children.next();
        children
    }

    /// The arguments of a list that takes exactly `N`.
    pub(super) fn exactly<const N: usize>(
        &mut self,
        form: FormId,
        operator: Operator,
        takes: &str,
    ) -> Option<[FormId; N]> {
        let mut arguments = self.arguments(form);
        let mut found = [form; N];
        for place in &mut found {
            match arguments.next() {
                Some(argument) => *place = argument,
                None => return self.arity(form, operator, takes),
            }
        }
        match arguments.next() {
            Some(_) => self.arity(form, operator, takes),
            None => Some(found),
        }
    }

    /// The operator of a list that is expected to be something.
    pub(super) fn head(
        &mut self,
        form: FormId,
        within: Option<Operator>,
        expected: &str,
    ) -> Option<Operator> {
        match self.known_head(form) {
            Some(operator) => Some(operator),
            None => self.unexpected(form, within, expected),
        }
    }

    pub(super) fn known_head(&self, form: FormId) -> Option<Operator> {
        Operator::ALL.get(self.named_head(form)?.index()).copied()
    }

    /// The name that a list begins with.
    fn named_head(&self, form: FormId) -> Option<TextId> {
        let head = self.tree.children(form).next()?;
        match (self.tree.kind(form), self.tree.kind(head)) {
            (Kind::List, Kind::Symbol(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn argument<T>(
        &mut self,
        form: FormId,
        within: Option<Operator>,
        message: impl Into<String>,
    ) -> Option<T> {
        let place = self.tree.place(form);
        self.problems.push(argument_error(place, within, message));
        None
    }

    /// The form is not what belongs there. Of a list whose operator does not
    /// exist, that is what is said.
    pub(super) fn unexpected<T>(
        &mut self,
        form: FormId,
        within: Option<Operator>,
        expected: &str,
    ) -> Option<T> {
        match (self.named_head(form), self.known_head(form)) {
            (Some(name), None) => {
                let place = self.tree.place(form);
                let name = self.tree.texts.get(name);
                self.problems.push(unknown_operator(place, name));
                None
            }
            _ => {
                let message = format!("expected {expected}, found {}", self.describe(form));
                self.argument(form, within, message)
            }
        }
    }

    pub(super) fn arity<T>(&mut self, form: FormId, operator: Operator, takes: &str) -> Option<T> {
        let message = match self.arguments(form).count() {
            0 => format!("`{operator}` takes {takes}; there is nothing"),
            1 => format!("`{operator}` takes {takes}; there is 1 argument"),
            count => format!("`{operator}` takes {takes}; there are {count} arguments"),
        };
        self.argument(form, Some(operator), message)
    }

    pub(super) fn describe(&self, form: FormId) -> String {
        let text = |text| shortened(self.tree.texts.get(text));
        match self.tree.kind(form) {
            Kind::List => match self.known_head(form) {
                Some(operator) => format!("`({operator} …)`"),
                None if self.tree.children(form).next().is_none() => "`()`".to_owned(),
                None => "a list without an operator".to_owned(),
            },
            Kind::Vector => "a vector".to_owned(),
            Kind::Map => "a map".to_owned(),
            Kind::String(string) => format!("the text {:?}", text(string)),
            Kind::Number(index) => format!("the number {}", self.tree.numbers[index as usize]),
            Kind::Keyword(name) => format!("the keyword `:{}`", text(name)),
            Kind::Symbol(name) => format!("the bare name `{}` (text stands in quotes)", text(name)),
        }
    }
}
