//! Why a form has no value as of a session.

use crate::program::Position;
use alchemiser_sdk::Error;
use std::rc::Rc;

/// Why a form has no value as of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Where it arose, relative to the form.
    pub(crate) position: Position,
    /// Whether history was too short, which is what begins a unit's series.
    pub(crate) is_short_history: bool,
}

/// The value of a form as of a session. Outcomes are remembered and handed
/// around, so that failures are shared.
pub(crate) type Outcome<T> = Result<T, Rc<Failure>>;

impl Failure {
    pub(crate) fn new(error: Error) -> Rc<Self> {
        let is_short_history = error.class == "InsufficientHistory";
        Rc::new(Self {
            error,
            position: Position::HERE,
            is_short_history,
        })
    }

    pub(crate) fn empty(message: &str) -> Rc<Self> {
        Self::new(Error::new("EmptyPortfolio", message))
    }

    pub(crate) fn non_finite(what: String) -> Rc<Self> {
        Self::new(Error::non_finite(what))
    }

    /// The failure of a part, told by the whole.
    #[cold]
    pub(crate) fn of_part(self: Rc<Self>, position: Position) -> Rc<Self> {
        let mut failure = Rc::unwrap_or_clone(self);
        failure.position = position.then(failure.position);
        Rc::new(failure)
    }
}

/// The outcome of a part, told by the whole.
pub(crate) trait InPart {
    fn in_part(self, position: Position) -> Self;
}

impl<T> InPart for Outcome<T> {
    #[inline]
    fn in_part(self, position: Position) -> Self {
        self.map_err(|failure| failure.of_part(position))
    }
}
