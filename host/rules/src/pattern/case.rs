//! Text compared without regard to case, as EventBridge does it.
//!
//! Each character of the pattern stands for its lower and its upper case, and
//! for nothing else: `ß` for `ß` and `SS`, but not for `ss`; a character that
//! is title case for neither itself. What UTF-16 writes as two units has no
//! case here, since EventBridge folds each unit alone.

use std::fmt;

/// Text that stands for all its spellings in upper and lower case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AnyCase(Box<str>);

/// One character's spelling in one case: at most three characters.
struct Spelling {
    bytes: [u8; 12],
    length: usize,
}

impl Spelling {
    fn new(characters: impl Iterator<Item = char>) -> Self {
        let mut spelling = Self {
            bytes: [0; 12],
            length: 0,
        };
        for character in characters {
            let room = &mut spelling.bytes[spelling.length..];
            spelling.length += character.encode_utf8(room).len();
        }
        spelling
    }

    fn lower(character: char) -> Self {
        match character {
            '\u{10000}'.. => Self::new([character].into_iter()),
            _ => Self::new(character.to_lowercase()),
        }
    }

    fn upper(character: char) -> Self {
        match character {
            '\u{10000}'.. => Self::new([character].into_iter()),
            _ => Self::new(character.to_uppercase()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl AnyCase {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether a text is one of the spellings.
    pub(crate) fn equals(&self, text: &[u8]) -> bool {
        if self.0.is_ascii() {
            return self.0.as_bytes().eq_ignore_ascii_case(text);
        }
        self.strip_prefix(text).is_some_and(<[u8]>::is_empty)
    }

    /// Whether a text begins with one of the spellings.
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        self.strip_prefix(text).is_some()
    }

    /// Whether a text ends with one of the spellings.
    pub(crate) fn ends(&self, text: &[u8]) -> bool {
        let strip = |text: &mut &[u8], spelling: &Spelling| {
            let rest = text.strip_suffix(spelling.as_bytes());
            *text = rest.unwrap_or(text);
            rest.is_some()
        };
        let mut rest = text;
        self.0.chars().rev().all(|character| {
            strip(&mut rest, &Spelling::lower(character))
                || strip(&mut rest, &Spelling::upper(character))
        })
    }

    /// What follows a spelling that a text begins with. Of the two spellings
    /// of a character neither begins with the other, so that there is nothing
    /// to choose.
    fn strip_prefix<'text>(&self, text: &'text [u8]) -> Option<&'text [u8]> {
        self.0.chars().try_fold(text, |rest, character| {
            rest.strip_prefix(Spelling::lower(character).as_bytes())
                .or_else(|| rest.strip_prefix(Spelling::upper(character).as_bytes()))
        })
    }

    /// A text that [`fold`] makes of each of the spellings; none for `ẞ`, the
    /// one character whose two cases fold to different texts.
    pub(crate) fn folded(&self) -> Option<Vec<u8>> {
        let mut folded = Vec::new();
        for character in self.0.chars() {
            let (mut lower, mut upper) = (Vec::new(), Vec::new());
            fold(Spelling::lower(character).as_bytes(), &mut lower);
            fold(Spelling::upper(character).as_bytes(), &mut upper);
            if lower != upper {
                return None;
            }
            folded.extend(lower);
        }
        Some(folded)
    }
}

impl fmt::Display for AnyCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Appends a text with each character replaced by the lower case of its upper
/// case, so that most spellings of a text become the same.
pub(crate) fn fold(text: &[u8], folded: &mut Vec<u8>) {
    if text.is_ascii() {
        folded.extend(text.iter().map(u8::to_ascii_lowercase));
        return;
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let upper = Spelling::upper(character);
            for upper in String::from_utf8_lossy(upper.as_bytes()).chars() {
                folded.extend_from_slice(Spelling::lower(upper).as_bytes());
            }
        }
        folded.extend_from_slice(chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::{AnyCase, Spelling, fold};

    #[test]
    fn neither_spelling_of_a_character_begins_or_ends_with_the_other() {
        for character in '\0'..=char::MAX {
            let (lower, upper) = (Spelling::lower(character), Spelling::upper(character));
            let (lower, upper) = (lower.as_bytes(), upper.as_bytes());
            assert!(
                lower == upper
                    || !(lower.starts_with(upper)
                        || upper.starts_with(lower)
                        || lower.ends_with(upper)
                        || upper.ends_with(lower)),
                "{character}"
            );
        }
    }

    #[test]
    fn all_spellings_of_nearly_every_character_fold_to_one_text() {
        let mut without = String::new();
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            let Some(expected) = AnyCase::new(&text).folded() else {
                without.push(character);
                continue;
            };
            for spelling in [Spelling::lower(character), Spelling::upper(character)] {
                let mut folded = Vec::new();
                fold(spelling.as_bytes(), &mut folded);
                assert_eq!(folded, expected, "{character}");
            }
        }
        assert_eq!(without, "ẞ");
    }

    #[test]
    fn prefixes_and_suffixes_are_found_from_their_ends() {
        let text = AnyCase::new("straße");
        for (candidate, expected) in [
            ("STRASSE", true),
            ("straße", true),
            ("strasse", false),
            ("STRAßE", true),
        ] {
            assert_eq!(text.equals(candidate.as_bytes()), expected, "{candidate}");
            assert_eq!(text.begins(format!("{candidate}!").as_bytes()), expected);
            assert_eq!(text.ends(format!("!{candidate}").as_bytes()), expected);
        }
    }
}
