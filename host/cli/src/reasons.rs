//! Why a strategy says what it says, for a person.

use crate::output::wrapped;
use alchemiser_sandbox::{Explanation, ExplanationDetail, ExplanationEntry, Margin, Part, Score};

/// How much of a selection is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Those taken, and who came near.
    Brief,
    /// Every candidate.
    Full,
}

/// Candidates of a selection that a brief account names beyond those taken.
const RUNNERS_UP: usize = 2;

/// An explanation, its lines indented by their depth and broken where a
/// terminal of this width needs it.
pub fn text(explanation: &Explanation, detail: Detail, width: Option<usize>) -> String {
    let mut text = String::new();
    for entry in &explanation.entries {
        // Depth is the plugin's word; a screen is only so wide.
        let indent = 4 + 2 * entry.depth.min(20) as usize;
        text.push_str(&wrapped(indent, &sentence(entry, detail), width));
        text.push('\n');
    }
    if explanation.truncated {
        text.push_str("    … there was more\n");
    }
    text
}

fn sentence(entry: &ExplanationEntry, detail: Detail) -> String {
    let text = single_line(&entry.text);
    match &entry.detail {
        ExplanationDetail::Note => text,
        ExplanationDetail::Condition {
            left,
            right,
            holds,
            margin,
        } => {
            let verdict = verdict(*left, *right, *holds, *margin);
            format!("{text}: {verdict}")
        }
        ExplanationDetail::Selection {
            ranking,
            chosen,
            margin,
        } => {
            let chosen = *chosen as usize;
            let told = match detail {
                Detail::Brief => chosen.saturating_add(RUNNERS_UP),
                Detail::Full => ranking.len(),
            };
            let names = |scores: &[Score]| {
                let name = |score: &Score| format!("{} {}", score.name, number(score.value));
                scores.iter().map(name).collect::<Vec<_>>().join(", ")
            };
            let (taken, others) = ranking.split_at(chosen.min(ranking.len()));
            let shown = &others[..others.len().min(told.saturating_sub(taken.len()))];
            let mut line = format!("{text}: {}", names(taken));
            if !shown.is_empty() {
                line.push_str(&format!("; not {}", names(shown)));
            }
            match others.len() - shown.len() {
                0 => {}
                rest => line.push_str(&format!(", and {rest} more")),
            }
            let margin = margin_text(*margin);
            if let Some(margin) = margin.strip_prefix(", ") {
                line.push_str(&format!(" ({margin})"));
            }
            line
        }
        ExplanationDetail::Division { parts } => {
            let parts: Vec<String> = parts.iter().map(part_text).collect();
            format!("{text}: {}", parts.join(", "))
        }
    }
}

fn part_text(part: &Part) -> String {
    let measure = match part.measure {
        Some(measure) => format!(" ({})", number(measure)),
        None => String::new(),
    };
    format!("{} {:.2} %{measure}", part.name, 100.0 * part.share)
}

/// What a condition came to, on one line: `yes (3 against 2, margin 33 %)`.
pub fn verdict(left: f64, right: f64, holds: bool, margin: Margin) -> String {
    let verdict = if holds { "yes" } else { "no" };
    let (left, right) = apart(left, right);
    let margin = margin_text(margin);
    format!("{verdict} ({left} against {right}{margin})")
}

/// `, margin 1.2 %`, and whether that is so little that it should be said.
fn margin_text(margin: Margin) -> String {
    let fragile = if margin.fragile { ", fragile" } else { "" };
    match margin.margin {
        Some(margin) => format!(", margin {} %{fragile}", digits(100.0 * margin, 2)),
        None => String::new(),
    }
}

fn single_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two numbers with as many digits as it takes to tell them apart.
fn apart(left: f64, right: f64) -> (String, String) {
    let texts = |significant| (digits(left, significant), digits(right, significant));
    (6..=17)
        .map(texts)
        .find(|(a, b)| a != b)
        .unwrap_or_else(|| texts(6))
}

/// Six significant digits: enough to see a margin.
fn number(value: f64) -> String {
    digits(value, 6)
}

/// A number with so many significant digits, and no zeros that say nothing.
fn digits(value: f64, significant: i32) -> String {
    let magnitude = value.abs().log10().floor();
    let decimals = if value == 0.0 || !magnitude.is_finite() {
        0
    } else {
        (f64::from(significant - 1) - magnitude).clamp(0.0, 17.0) as usize
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_tell_them_apart() {
        assert_eq!(apart(200.0, 201.0), ("200".into(), "201".into()));
        let (left, right) = apart(0.1, 0.100_000_1);
        assert_eq!((left.as_str(), right.as_str()), ("0.1", "0.1000001"));
        assert_eq!(apart(0.1, 0.1), ("0.1".into(), "0.1".into()));
    }

    #[test]
    fn numbers_have_six_digits() {
        for (value, text) in [
            (0.0, "0"),
            (3783.22, "3783.22"),
            (0.123_456_789, "0.123457"),
            (-12.0, "-12"),
            (1_234_567.8, "1234568"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    fn entry(text: &str, detail: ExplanationDetail) -> ExplanationEntry {
        ExplanationEntry {
            depth: 0,
            place: None,
            text: text.to_owned(),
            detail,
        }
    }

    #[test]
    fn selections_name_who_was_left_out() {
        let ranking = [("A", 3.0), ("B", 2.0), ("C", 1.0), ("D", 0.5)];
        let ranking = ranking.map(|(name, value)| Score {
            name: name.to_owned(),
            value,
        });
        let selected = |chosen| {
            entry(
                "filter",
                ExplanationDetail::selection(ranking.to_vec(), chosen),
            )
        };
        assert_eq!(
            sentence(&selected(1), Detail::Brief),
            "filter: A 3; not B 2, C 1, and 1 more (margin 33 %)"
        );
        assert_eq!(
            sentence(&selected(1), Detail::Full),
            "filter: A 3; not B 2, C 1, D 0.5 (margin 33 %)"
        );
        assert_eq!(
            sentence(&selected(4), Detail::Brief),
            "filter: A 3, B 2, C 1, D 0.5"
        );
    }

    #[test]
    fn near_misses_are_called_fragile() {
        let near = entry("(> a b)", ExplanationDetail::condition(200.5, 200.0, true));
        assert_eq!(
            sentence(&near, Detail::Brief),
            "(> a b): yes (200.5 against 200, margin 0.25 %, fragile)"
        );
    }

    #[test]
    fn parts_have_shares() {
        let part = |name: &str, share, measure| Part {
            name: name.to_owned(),
            share,
            measure,
        };
        let parts = vec![part("A", 0.75, Some(0.5)), part("B", 0.25, None)];
        assert_eq!(
            sentence(
                &entry("weights", ExplanationDetail::Division { parts }),
                Detail::Brief
            ),
            "weights: A 75.00 % (0.5), B 25.00 %"
        );
    }
}
