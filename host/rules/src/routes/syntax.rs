//! Text that is no TOML: which errors to tell.
//!
//! One bad bracket makes nonsense of what follows, and a list of that nonsense
//! helps nobody. But nothing can reach past the next `[header]`, so at most the
//! first error of each section is told.

use std::ops::Range;

use toml::de::DeTable;

/// An error of syntax, with its place in the text.
pub(super) struct SyntaxError {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// The errors of a text that is no TOML; never empty for one.
pub(super) fn errors(text: &str) -> Vec<SyntaxError> {
    let found: Vec<SyntaxError> = sections(text)
        .filter_map(|section| first_error(&text[section.clone()], section.start))
        .collect();
    if found.is_empty() {
        // What is wrong lies between sections, such as a table that is there
        // twice.
        return first_error(text, 0).into_iter().collect();
    }
    found
}

fn first_error(text: &str, offset: usize) -> Option<SyntaxError> {
    let (_, errors) = DeTable::parse_recoverable(text);
    errors
        .into_iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            SyntaxError {
                span: offset + span.start..offset + span.end,
                message: error.message().to_owned(),
            }
        })
        .min_by_key(|error| error.span.start)
}

/// The ranges of text from one header to the next.
fn sections(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut starts = vec![0];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if offset > 0 && is_header(line) {
            starts.push(offset);
        }
        offset += line.len();
    }
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| start..end)
}

/// Whether a line is a whole `[header]` or `[[header]]`.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim_end();
    let inner = line
        .strip_prefix("[[")
        .and_then(|line| line.strip_suffix("]]"))
        .or_else(|| {
            line.strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
        });
    inner.is_some_and(|inner| {
        !inner.is_empty()
            && inner
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    })
}
