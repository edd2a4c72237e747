//! Text that a plugin wrote, made fit for people, logs and terminals.

/// At most `limit` bytes of the text, with control characters escaped, except
/// line breaks and tabs: a plugin must not be able to drive a terminal.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    let mut clipped = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        if clipped.len() + character.len_utf8() > limit {
            clipped.push('…');
            break;
        }
        if character.is_control() && character != '\n' && character != '\t' {
            clipped.extend(character.escape_default());
        } else {
            clipped.push(character);
        }
    }
    clipped
}

/// As [`clip`], on one line.
pub(crate) fn clip_line(text: &str, limit: usize) -> String {
    clip(text, limit).replace('\n', "\\n")
}

/// A number of bytes for people.
pub(crate) struct Bytes(pub(crate) usize);

impl std::fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;
        match self.0 {
            bytes if bytes >= MIB && bytes % MIB == 0 => write!(formatter, "{} MiB", bytes / MIB),
            bytes if bytes >= KIB && bytes % KIB == 0 => write!(formatter, "{} KiB", bytes / KIB),
            bytes => write!(formatter, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipped_text_is_harmless() {
        for (text, limit, clipped) in [
            ("plain", 10, "plain"),
            ("plain", 3, "pla…"),
            ("äöü", 3, "ä…"),
            ("red \u{1b}[31m", 40, "red \\u{1b}[31m"),
            ("two\nlines\tkept", 40, "two\nlines\tkept"),
        ] {
            assert_eq!(clip(text, limit), clipped);
        }
        assert_eq!(clip_line("two\nlines", 40), "two\\nlines");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(Bytes(64 << 20).to_string(), "64 MiB");
        assert_eq!(Bytes(512 << 10).to_string(), "512 KiB");
        assert_eq!(Bytes(1000).to_string(), "1000 bytes");
    }
}
