//! What a strategy says about how its weights came out.

use crate::text::clip;
use serde::{Deserialize, Serialize};

/// Why the weights came out as they did, entry by entry. It is for people and
/// never influences a result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// In the order in which the strategy said them.
    pub entries: Vec<ExplanationEntry>,
    /// Whether there was more than is kept.
    pub truncated: bool,
}

/// One thing that a strategy said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplanationEntry {
    /// Nests an entry under the last one that is less deep.
    pub depth: u32,
    /// Where in the strategy's file it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The expression, or the remark itself.
    pub text: String,
    /// What it is about.
    #[serde(flatten)]
    pub detail: ExplanationDetail,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ExplanationDetail {
    /// A condition.
    Condition {
        /// Left operand.
        left: f64,
        /// Right operand.
        right: f64,
        /// Whether it held.
        holds: bool,
    },
    /// A selection.
    Selection {
        /// All candidates, best first.
        ranking: Vec<Score>,
        /// How many were taken, from the first on.
        chosen: u32,
    },
    /// A remark.
    Note,
}

/// A candidate of a selection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Symbol or name.
    pub name: String,
    /// What it was ranked by.
    pub value: f64,
}

/// A place in a strategy's file; line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// Whether anybody will read the explanation of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// Keep it.
    Yes,
    /// The strategy is told that it may skip the work.
    No,
}

/// Gathers entries until there are too many.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    wanted: bool,
    explanation: Explanation,
    bytes: usize,
}

impl Collector {
    /// A screenful is a few dozen entries; this many nobody reads.
    const ENTRIES: usize = 10_000;
    /// Kept text and scores, roughly.
    const BYTES: usize = 1 << 20;
    /// One expression.
    const TEXT: usize = 4096;

    pub(crate) fn new(explain: Explain) -> Self {
        Self {
            wanted: explain == Explain::Yes,
            ..Self::default()
        }
    }

    pub(crate) fn wanted(&self) -> bool {
        self.wanted
    }

    pub(crate) fn add(
        &mut self,
        depth: u32,
        place: Option<Place>,
        text: &str,
        detail: ExplanationDetail,
    ) {
        if !self.wanted || self.explanation.truncated {
            return;
        }
        let entry = ExplanationEntry {
            depth,
            place,
            text: clip(text, Self::TEXT),
            detail,
        };
        self.bytes += entry.size();
        if self.bytes > Self::BYTES || self.explanation.entries.len() == Self::ENTRIES {
            self.explanation.truncated = true;
        } else {
            self.explanation.entries.push(entry);
        }
    }

    pub(crate) fn finish(self) -> Explanation {
        self.explanation
    }
}

impl ExplanationEntry {
    fn size(&self) -> usize {
        let detail = match &self.detail {
            ExplanationDetail::Selection { ranking, .. } => ranking
                .iter()
                .map(|score| size_of::<Score>() + score.name.len())
                .sum(),
            ExplanationDetail::Condition { .. } | ExplanationDetail::Note => 0,
        };
        size_of::<Self>() + self.text.len() + detail
    }
}
