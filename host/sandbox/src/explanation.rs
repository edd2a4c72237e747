//! What a strategy says about how its weights came out.

use crate::text::clip;
use serde::{Deserialize, Deserializer, Serialize};

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
        #[serde(deserialize_with = "number")]
        left: f64,
        /// Right operand.
        #[serde(deserialize_with = "number")]
        right: f64,
        /// Whether it held.
        holds: bool,
        /// How near the operands are.
        #[serde(flatten)]
        margin: Margin,
    },
    /// A selection.
    Selection {
        /// All candidates, best first.
        ranking: Vec<Score>,
        /// How many were taken, from the first on.
        chosen: u32,
        /// How near the last one taken and the first one left out are.
        #[serde(flatten)]
        margin: Margin,
    },
    /// A division of a portfolio into parts.
    Division {
        /// The parts, in the order in which they were given.
        parts: Vec<Part>,
    },
    /// A remark.
    Note,
}

impl ExplanationDetail {
    /// A condition with these operands.
    #[must_use]
    pub fn condition(left: f64, right: f64, holds: bool) -> Self {
        Self::Condition {
            left,
            right,
            holds,
            margin: Margin::between(left, right),
        }
    }

    /// A selection of the first `chosen` candidates.
    #[must_use]
    pub fn selection(ranking: Vec<Score>, chosen: u32) -> Self {
        let margin = match ranking.get((chosen as usize).saturating_sub(1)..) {
            Some([last, first, ..]) if chosen > 0 => Margin::between(last.value, first.value),
            _ => Margin::default(),
        };
        Self::Selection {
            ranking,
            chosen,
            margin,
        }
    }

    /// How near the decision was to going the other way; nothing that is no
    /// decision has a margin.
    #[must_use]
    pub fn margin(&self) -> Margin {
        match self {
            Self::Condition { margin, .. } | Self::Selection { margin, .. } => *margin,
            Self::Division { .. } | Self::Note => Margin::default(),
        }
    }
}

/// How near a decision was to going the other way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// The distance of the two values, relative to the larger one; 0.01 is one
    /// per cent. None where nothing was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Whether it is so small that tomorrow, or another price source, may well
    /// decide otherwise.
    #[serde(default)]
    pub fragile: bool,
}

impl Margin {
    /// Decisions with a smaller margin are fragile.
    pub const FRAGILE_BELOW: f64 = 0.005;

    fn between(left: f64, right: f64) -> Self {
        let distance = (left - right).abs();
        let margin = if distance == 0.0 {
            0.0
        } else {
            distance / left.abs().max(right.abs())
        };
        Self {
            margin: margin.is_finite().then_some(margin),
            fragile: margin < Self::FRAGILE_BELOW,
        }
    }
}

/// A candidate of a selection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Symbol or name.
    pub name: String,
    /// What it was ranked by.
    #[serde(deserialize_with = "number")]
    pub value: f64,
}

/// A part of a portfolio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Symbol or name.
    pub name: String,
    /// Its share of the whole.
    #[serde(deserialize_with = "number")]
    pub share: f64,
    /// What the share was computed from, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<f64>,
}

/// JSON has no number for what is not finite, and says `null`. A plugin may
/// explain itself with whatever it likes; it must be readable again.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
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
            ExplanationDetail::Division { parts } => parts
                .iter()
                .map(|part| size_of::<Part>() + part.name.len())
                .sum(),
            ExplanationDetail::Condition { .. } | ExplanationDetail::Note => 0,
        };
        size_of::<Self>() + self.text.len() + detail
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scores(values: &[f64]) -> Vec<Score> {
        let name = String::new;
        let score = |&value| Score {
            name: name(),
            value,
        };
        values.iter().map(score).collect()
    }

    #[test]
    fn margins_are_relative_to_the_larger_value() {
        for (left, right, margin, fragile) in [
            (100.0, 99.0, Some(0.01), false),
            (-100.0, -99.75, Some(0.0025), true),
            (1.0, -1.0, Some(2.0), false),
            (0.0, 0.0, Some(0.0), true),
            (0.0, 1e-9, Some(1.0), false),
            (200.0, 199.0, Some(0.005), false),
            (f64::NAN, 1.0, None, false),
            (f64::INFINITY, 1.0, None, false),
        ] {
            let found = ExplanationDetail::condition(left, right, true).margin();
            assert_eq!(found, Margin { margin, fragile }, "{left} {right}");
        }
    }

    #[test]
    fn a_selection_has_its_margin_at_the_cut() {
        let margin = |values: &[f64], chosen| {
            let detail = ExplanationDetail::selection(scores(values), chosen);
            detail.margin().margin
        };
        assert_eq!(margin(&[4.0, 2.0, 1.0], 1), Some(0.5));
        assert_eq!(margin(&[4.0, 2.0, 1.0], 2), Some(0.5));
        assert_eq!(margin(&[1.0, 1.0], 1), Some(0.0));
        // Nothing was left out, or nothing taken.
        assert_eq!(margin(&[4.0, 2.0], 2), None);
        assert_eq!(margin(&[4.0, 2.0], 9), None);
        assert_eq!(margin(&[4.0, 2.0], 0), None);
        assert_eq!(margin(&[], 1), None);
    }

    #[test]
    fn what_is_no_number_can_be_read_again() {
        let detail = ExplanationDetail::condition(f64::NAN, 1.0, false);
        let json = serde_json::to_string(&detail).unwrap();
        let read: ExplanationDetail = serde_json::from_str(&json).unwrap();
        assert!(matches!(read, ExplanationDetail::Condition { left, .. } if left.is_nan()));
    }
}
