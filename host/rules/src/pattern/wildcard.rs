//! Text with `*` in it.

use std::fmt;

use memchr::memmem;

/// A text in which each `*` stands for any text, the empty one included; `\*`
/// and `\\` are the characters themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wildcard {
    written: Box<str>,
    /// What stands before, between and after the stars.
    pieces: Box<[Box<[u8]>]>,
}

/// What is wrong with a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WildcardError {
    #[error("two `*` stand side by side")]
    TwoStars,
    #[error("`\\` stands before something other than `*` and `\\`")]
    Escape,
}

impl Wildcard {
    pub(crate) fn parse(written: &str) -> Result<Self, WildcardError> {
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut bytes = written.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' if bytes.peek() == Some(&b'*') => return Err(WildcardError::TwoStars),
                b'*' => pieces.push(std::mem::take(&mut piece).into_boxed_slice()),
                b'\\' => match bytes.next() {
                    Some(escaped @ (b'*' | b'\\')) => piece.push(escaped),
                    _ => return Err(WildcardError::Escape),
                },
                _ => piece.push(byte),
            }
        }
        pieces.push(piece.into_boxed_slice());
        Ok(Self {
            written: written.into(),
            pieces: pieces.into_boxed_slice(),
        })
    }

    /// How many `*` there are.
    pub(crate) fn stars(&self) -> usize {
        self.pieces.len() - 1
    }

    /// What every text that matches begins with.
    pub(crate) fn head(&self) -> &[u8] {
        self.pieces.first().map_or(&[], |piece| piece)
    }

    /// What every text that matches ends with.
    pub(crate) fn tail(&self) -> &[u8] {
        self.pieces.last().map_or(&[], |piece| piece)
    }

    /// Whether a text matches, in time linear in its length: between the ends
    /// each piece is taken where it is first found, since what follows it has
    /// most room there.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let [head, between @ .., tail] = &*self.pieces else {
            return text == self.head();
        };
        text.strip_prefix(&**head)
            .and_then(|rest| rest.strip_suffix(&**tail))
            .and_then(|rest| {
                between.iter().try_fold(rest, |rest, piece| {
                    memmem::find(rest, piece).map(|found| &rest[found + piece.len()..])
                })
            })
            .is_some()
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::Wildcard;

    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| slowly(rest, &text[taken..])),
            ([first, pattern @ ..], [byte, text @ ..]) => first == byte && slowly(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn verdicts_are_those_of_trying_everything(pattern in "(\\*?[ab]{1,3}){0,4}\\*?", text in "[ab]{0,10}") {
            let wildcard = Wildcard::parse(&pattern).unwrap();
            prop_assert_eq!(wildcard.matches(text.as_bytes()), slowly(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
