//! The text as a tree of forms.

use crate::texts::{TextId, Texts};
use alchemiser_sdk::Place;

/// A form of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormId(pub(crate) u32);

/// What a form is. Bracketed forms have children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `( … )`
    List,
    /// `[ … ]`
    Vector,
    /// `{ … }`
    Map,
    /// `"…"`, without quotes and escapes.
    String(TextId),
    /// A number, by its place in [`Tree::numbers`].
    Number(u32),
    /// `:name`, without the colon.
    Keyword(TextId),
    /// A bare name.
    Symbol(TextId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) kind: Kind,
    /// The first form after this one and everything inside it.
    pub(crate) end: u32,
    pub(crate) place: Place,
}

/// The forms in the order of the text, so that a form's first child is the
/// next form and its next sibling is the one at `end`. That is as compact as
/// it gets, and no form has to own another.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) forms: Vec<Form>,
    pub(crate) texts: Texts,
    pub(crate) numbers: Vec<f64>,
}

impl Tree {
    pub(crate) const ROOT: FormId = FormId(0);

    pub(crate) fn kind(&self, form: FormId) -> Kind {
        self.forms[form.0 as usize].kind
    }

    pub(crate) fn place(&self, form: FormId) -> Place {
        self.forms[form.0 as usize].place
    }

    /// What stands between a form's brackets; nothing for other forms.
    pub(crate) fn children(&self, form: FormId) -> Siblings<'_> {
        Siblings {
            tree: self,
            next: form.0 + 1,
            end: self.forms[form.0 as usize].end,
        }
    }
}

/// Forms that stand beside each other.
#[derive(Clone)]
pub(crate) struct Siblings<'a> {
    tree: &'a Tree,
    next: u32,
    end: u32,
}

impl Iterator for Siblings<'_> {
    type Item = FormId;

    fn next(&mut self) -> Option<FormId> {
        let form = (self.next < self.end).then_some(FormId(self.next))?;
        self.next = self.tree.forms[self.next as usize].end;
        Some(form)
    }
}
