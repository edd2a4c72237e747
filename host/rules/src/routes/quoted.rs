//! Where the parts of a string stand in the file.

use std::ops::Range;

/// The range of a string as it is `written`, quotes included, that means a
/// `part` of it; both in bytes.
pub(super) fn place(written: &str, part: &Range<usize>) -> Range<usize> {
    let mut characters = Characters::of(written);
    // What means nothing, such as the escape of a newline, is no part of it.
    let start = characters.pass(|meant, length| meant + length <= part.start);
    let end = characters.pass(|meant, _| meant < part.end);
    start..end.max(start)
}

/// A walk through a string as it is written.
struct Characters<'text> {
    /// Without the quotes.
    inner: &'text str,
    /// Whether a backslash is an escape.
    escapes: bool,
    /// How many bytes the quotes before it take.
    before: usize,
    /// How many bytes were passed.
    position: usize,
    /// How many bytes of the string they mean.
    meant: usize,
}

impl<'text> Characters<'text> {
    fn of(written: &'text str) -> Self {
        let quote = &written[..written.len().min(1)];
        let several = written.starts_with(&quote.repeat(3)) && written.len() >= 6;
        let quotes = if several { 3 } else { quote.len() };
        let inner = written.get(quotes..written.len() - quotes).unwrap_or("");
        // A newline at the beginning does not belong to it.
        let first = inner
            .strip_prefix("\r\n")
            .or_else(|| inner.strip_prefix('\n'))
            .filter(|_| several);
        let inner = first.unwrap_or(inner);
        Self {
            inner,
            escapes: quote == "\"",
            before: written.len() - quotes - inner.len(),
            position: 0,
            meant: 0,
        }
    }

    /// Passes characters as long as the bytes that are meant before one, and
    /// by it, are as asked; answers the place behind them.
    fn pass(&mut self, asked: impl Fn(usize, usize) -> bool) -> usize {
        while let Some((written, meant)) = self.next() {
            if !asked(self.meant, meant) {
                break;
            }
            self.position += written;
            self.meant += meant;
        }
        self.before + self.position
    }

    /// How many bytes the next character is written with, and how many it
    /// means.
    fn next(&self) -> Option<(usize, usize)> {
        let rest = &self.inner[self.position..];
        let character = rest.chars().next()?;
        if character != '\\' || !self.escapes {
            return Some((character.len_utf8(), character.len_utf8()));
        }
        let code = |digits: usize| {
            let code = rest.get(2..2 + digits)?;
            let code = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
            Some((2 + digits, code.len_utf8()))
        };
        let escaped = &rest[1..];
        match escaped.chars().next() {
            Some('x') => code(2),
            Some('u') => code(4),
            Some('U') => code(8),
            Some(space) if space.is_whitespace() => {
                Some((rest.len() - escaped.trim_start().len(), 0))
            }
            _ => Some((2, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::place;

    #[test]
    fn parts_are_found_however_they_are_written() {
        let table = [
            (r#""abc""#, "b", "b"),
            ("'abc'", "c", "c"),
            (r"'a\bc'", "b", "b"),
            (r#""\"a\"b""#, "b", "b"),
            (r#""\u00e9\U0001F680b""#, "b", "b"),
            (r#""\u00e9b""#, "é", r"\u00e9"),
            (r#""\x41b""#, "A", r"\x41"),
            ("\"\"\"\n\n\"a\\\n   b\"\"\"", "b", "b"),
            ("\"\"\"\r\na\r\nb\"\"\"", "\r\nb", "\r\nb"),
            ("'''\nab'''", "ab", "ab"),
            (r#""aé""#, "é", "é"),
            ("''", "", ""),
        ];
        for (written, part, expected) in table {
            let file = format!("a = {written}");
            let meant = toml::from_str::<toml::Table>(&file).unwrap()["a"].clone();
            let meant = meant.as_str().unwrap();
            let start = meant.find(part).unwrap();
            let found = place(written, &(start..start + part.len()));
            assert_eq!(&written[found], expected, "{written}");
        }
    }
}
