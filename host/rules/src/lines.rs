//! Lines and columns of the places in a text.

/// Where the lines of a text begin, so that the line of a place is found
/// without reading all that is before it.
#[derive(Debug)]
pub(crate) struct Lines<'text> {
    text: &'text str,
    /// In bytes, in ascending order; never empty.
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    /// The lines of a text. A byte order mark before them is none of theirs.
    pub(crate) fn of(text: &'text str) -> Self {
        let mark = text.strip_prefix('\u{feff}').map(str::len);
        let first = mark.map_or(0, |rest| text.len() - rest);
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes());
        let starts = std::iter::once(first).chain(newlines.map(|newline| newline + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The column of a byte in characters, from 1.
    pub(crate) fn column(&self, offset: usize) -> usize {
        let start = self.starts[self.line(offset) - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        before.chars().count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn places_are_counted_from_one() {
        let text = "\u{feff}aé\n\nb\r\n";
        let lines = Lines::of(text);
        let places: Vec<(char, usize, usize)> = text
            .char_indices()
            .map(|(offset, character)| (character, lines.line(offset), lines.column(offset)))
            .collect();
        let expected = [
            ('\u{feff}', 1, 1),
            ('a', 1, 1),
            ('é', 1, 2),
            ('\n', 1, 3),
            ('\n', 2, 1),
            ('b', 3, 1),
            ('\r', 3, 2),
            ('\n', 3, 3),
        ];
        assert_eq!(places, expected);
        assert_eq!((lines.line(text.len()), lines.column(text.len())), (4, 1));
        assert_eq!((Lines::of("").line(0), Lines::of("").column(0)), (1, 1));
    }
}
