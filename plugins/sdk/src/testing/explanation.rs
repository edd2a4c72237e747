//! What a strategy explained.

use crate::error::Place;
use crate::market::{Part, Score};

/// One call of an `explain_…` function.
#[derive(Clone, Debug, PartialEq)]
pub enum Explanation {
    /// [`Market::explain_condition`](crate::Market::explain_condition)
    Condition {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The condition.
        text: String,
        /// Its left operand.
        left: f64,
        /// Its right operand.
        right: f64,
        /// Whether it held.
        holds: bool,
    },
    /// [`Market::explain_selection`](crate::Market::explain_selection)
    Selection {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The selection.
        text: String,
        /// The candidates by rank.
        ranking: Vec<Score>,
        /// How many of them were taken.
        chosen: u32,
    },
    /// [`Market::explain_division`](crate::Market::explain_division)
    Division {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// What divides.
        text: String,
        /// The parts, in the order in which they were given.
        parts: Vec<Part>,
    },
    /// [`Market::explain_note`](crate::Market::explain_note)
    Note {
        /// Nesting.
        depth: u32,
        /// Place in a strategy file.
        at: Option<Place>,
        /// The note.
        text: String,
    },
}

impl Explanation {
    /// The text of any of them.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Condition { text, .. }
            | Self::Selection { text, .. }
            | Self::Division { text, .. }
            | Self::Note { text, .. } => text,
        }
    }
}
