//! Why a strategy says what it says, for a person.

use alchemiser_sandbox::{Explanation, ExplanationDetail, ExplanationEntry};
use std::fmt::Write;

/// Candidates of a selection that are printed beyond those chosen.
const RUNNERS_UP: usize = 2;

/// Prints an explanation, indented by its depth.
pub fn print(explanation: &Explanation) {
    for entry in &explanation.entries {
        // Depth is the plugin's word; a screen is only so wide.
        let indent = 4 + 2 * entry.depth.min(20) as usize;
        println!("{:indent$}{}", "", sentence(entry));
    }
    if explanation.truncated {
        println!("    … there was more");
    }
}

fn sentence(entry: &ExplanationEntry) -> String {
    let text = single_line(&entry.text);
    match &entry.detail {
        ExplanationDetail::Note => text,
        ExplanationDetail::Condition { left, right, holds } => {
            let verdict = if *holds { "yes" } else { "no" };
            format!(
                "{text}: {verdict} ({} against {})",
                number(*left),
                number(*right)
            )
        }
        ExplanationDetail::Selection { ranking, chosen } => {
            let chosen = *chosen as usize;
            let mut line = format!("{text}:");
            for (rank, score) in ranking.iter().enumerate().take(chosen + RUNNERS_UP) {
                let separator = match rank {
                    0 => " ",
                    _ if rank == chosen => "; not ",
                    _ => ", ",
                };
                // Writing to a string cannot fail.
                let _ = write!(line, "{separator}{} {}", score.name, number(score.value));
            }
            let rest = ranking.len().saturating_sub(chosen + RUNNERS_UP);
            if rest > 0 {
                let _ = write!(line, ", and {rest} more");
            }
            line
        }
    }
}

fn single_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Six significant digits: enough to see a margin.
fn number(value: f64) -> String {
    let magnitude = value.abs().log10().floor();
    let decimals = if value == 0.0 || !magnitude.is_finite() {
        0
    } else {
        (5.0 - magnitude).clamp(0.0, 12.0) as usize
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
    use alchemiser_sandbox::Score;

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

    #[test]
    fn selections_name_who_was_left_out() {
        let score = |name: &str, value| Score {
            name: name.to_owned(),
            value,
        };
        let entry = ExplanationEntry {
            depth: 0,
            place: None,
            text: "filter".to_owned(),
            detail: ExplanationDetail::Selection {
                ranking: vec![
                    score("A", 3.0),
                    score("B", 2.0),
                    score("C", 1.0),
                    score("D", 0.5),
                ],
                chosen: 1,
            },
        };
        assert_eq!(sentence(&entry), "filter: A 3; not B 2, C 1, and 1 more");
    }
}
