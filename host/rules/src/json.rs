//! JSON text, token by token, without building anything.
//!
//! [`Reader`] checks everything that RFC 8259 asks for, in what it skips as in
//! what it answers, with one leniency: an escaped surrogate may stand alone, as
//! in Java, where EventBridge reads its events. Nesting is limited to
//! [`NESTING_LIMIT`], so that recursion along the text is bounded.

mod decode;
mod marks;

pub(crate) use decode::decode;
pub(crate) use marks::Marks;

/// How deep arrays and objects may lie within each other.
pub(crate) const NESTING_LIMIT: usize = 1000;

/// Where a text stops being JSON, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// In bytes from the start of the text.
    pub(crate) offset: usize,
    pub(crate) problem: Problem,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("a value is missing")]
    Value,
    #[error("a name in quotes is missing")]
    Name,
    #[error("`:` is missing")]
    Colon,
    #[error("`,` or `]` is missing")]
    ArrayEnd,
    #[error("`,` or `}}` is missing")]
    ObjectEnd,
    #[error("the string has no end")]
    StringEnd,
    #[error("a control character must be escaped")]
    ControlCharacter,
    #[error("there is no such escape")]
    Escape,
    #[error("a surrogate stands alone")]
    LoneSurrogate,
    #[error("the number is malformed")]
    Number,
    #[error("something follows the end")]
    Trailing,
    #[error("arrays and objects are nested more than {NESTING_LIMIT} deep")]
    TooDeep,
}

/// A string as it stands in the text: the range between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether there is a backslash in it, so that it must be decoded.
    pub(crate) escaped: bool,
}

/// The kind of the value that begins at a place, told by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'text> {
    bytes: &'text [u8],
    marks: &'text Marks,
    position: usize,
}

impl<'text> Reader<'text> {
    /// At the start of a text, which must be UTF-8, with its marks.
    pub(crate) fn new(bytes: &'text [u8], marks: &'text Marks) -> Self {
        Self {
            bytes,
            marks,
            position: 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The text between two places.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'text [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The byte here; 0, which nothing begins with, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.position).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.position += 1;
        }
    }

    pub(crate) fn error(&self, problem: Problem) -> SyntaxError {
        SyntaxError {
            offset: self.position,
            problem,
        }
    }

    /// The kind of the value that begins after whitespace; the place is then
    /// at its first byte.
    #[inline]
    pub(crate) fn start(&mut self) -> Result<Start, SyntaxError> {
        loop {
            return match self.peek() {
                b'"' => Ok(Start::String),
                b'{' => Ok(Start::Object),
                b'[' => Ok(Start::Array),
                b'-' | b'0'..=b'9' => Ok(Start::Number),
                b't' => Ok(Start::True),
                b'f' => Ok(Start::False),
                b'n' => Ok(Start::Null),
                b' ' | b'\n' | b'\r' | b'\t' => {
                    self.position += 1;
                    continue;
                }
                _ => Err(self.error(Problem::Value)),
            };
        }
    }

    /// Enters the object or array that begins here: whether it has anything
    /// in it. If not, the place is behind it.
    #[inline]
    pub(crate) fn enter(&mut self) -> bool {
        let end = if self.peek() == b'{' { b'}' } else { b']' };
        self.position += 1;
        self.skip_whitespace();
        let empty = self.peek() == end;
        self.position += usize::from(empty);
        !empty
    }

    /// The name of an object's next entry, if it is written without escapes
    /// and spaces, as nearly all are; the place is then at its value.
    #[inline]
    pub(crate) fn plain_name(&mut self) -> Option<&'text [u8]> {
        if self.peek() != b'"' {
            return None;
        }
        let start = self.position + 1;
        let end = self.marks.next(start);
        if *self.bytes.get(end)? != b'"' || *self.bytes.get(end + 1)? != b':' {
            return None;
        }
        self.position = end + 2;
        self.bytes.get(start..end)
    }

    /// The name of an object's next entry; the place is then at its value.
    pub(crate) fn name(&mut self) -> Result<Quoted, SyntaxError> {
        self.skip_whitespace();
        if self.peek() != b'"' {
            return Err(self.error(Problem::Name));
        }
        let name = self.string()?;
        self.skip_whitespace();
        if self.peek() != b':' {
            return Err(self.error(Problem::Colon));
        }
        self.position += 1;
        Ok(name)
    }

    /// After an entry of an object: whether another follows.
    #[inline]
    pub(crate) fn next_entry(&mut self) -> Result<bool, SyntaxError> {
        self.next(b'}', Problem::ObjectEnd)
    }

    /// After an element of an array: whether another follows.
    #[inline]
    pub(crate) fn next_element(&mut self) -> Result<bool, SyntaxError> {
        self.next(b']', Problem::ArrayEnd)
    }

    #[inline]
    fn next(&mut self, end: u8, otherwise: Problem) -> Result<bool, SyntaxError> {
        let mut byte = self.peek();
        if byte != b',' && byte != end {
            self.skip_whitespace();
            byte = self.peek();
        }
        if byte != b',' && byte != end {
            return Err(self.error(otherwise));
        }
        self.position += 1;
        Ok(byte == b',')
    }

    /// The string that begins here.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Quoted, SyntaxError> {
        let start = self.position + 1;
        let end = self.marks.next(start);
        if self.bytes.get(end) != Some(&b'"') {
            return self.string_with_escapes(start, end);
        }
        self.position = end + 1;
        Ok(Quoted {
            start,
            end,
            escaped: false,
        })
    }

    /// The string in which something other than its end is found first.
    #[cold]
    fn string_with_escapes(
        &mut self,
        start: usize,
        mut position: usize,
    ) -> Result<Quoted, SyntaxError> {
        loop {
            match self.bytes.get(position) {
                Some(b'"') => break,
                Some(b'\\') => position = self.marks.next(self.escape(position)?),
                found => {
                    self.position = position;
                    return Err(self.error(match found {
                        Some(_) => Problem::ControlCharacter,
                        None => Problem::StringEnd,
                    }));
                }
            }
        }
        self.position = position + 1;
        Ok(Quoted {
            start,
            end: position,
            escaped: true,
        })
    }

    /// Behind the escape that begins at a backslash.
    fn escape(&mut self, backslash: usize) -> Result<usize, SyntaxError> {
        let length = match self.bytes.get(backslash + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u')
                if self
                    .bytes
                    .get(backslash + 2..backslash + 6)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                6
            }
            _ => {
                self.position = backslash;
                return Err(self.error(Problem::Escape));
            }
        };
        Ok(backslash + length)
    }

    /// The text of the number that begins here.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'text [u8], SyntaxError> {
        let start = self.position;
        self.position += usize::from(self.peek() == b'-');
        let zero = self.peek() == b'0';
        let whole = self.digits()?;
        if zero && whole > 1 {
            self.position = start;
            return Err(self.error(Problem::Number));
        }
        if self.peek() == b'.' {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.position += 1;
            self.position += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        Ok(self.slice(start, self.position))
    }

    /// Skips digits, of which there must be one, and answers how many.
    #[inline]
    fn digits(&mut self) -> Result<usize, SyntaxError> {
        let start = self.position;
        while self.peek().is_ascii_digit() {
            self.position += 1;
        }
        match self.position - start {
            0 => Err(self.error(Problem::Number)),
            count => Ok(count),
        }
    }

    /// Skips the `true`, `false` or `null` that begins here.
    #[inline]
    pub(crate) fn literal(&mut self, text: &[u8]) -> Result<(), SyntaxError> {
        let end = self.position + text.len();
        if self.bytes.get(self.position..end) != Some(text) {
            return Err(self.error(Problem::Value));
        }
        self.position = end;
        Ok(())
    }

    /// Skips a value that lies in `depth` arrays and objects.
    pub(crate) fn skip_value(&mut self, depth: usize) -> Result<(), SyntaxError> {
        match self.start()? {
            Start::String => self.string().map(drop),
            Start::Number => self.number().map(drop),
            Start::True => self.literal(b"true"),
            Start::False => self.literal(b"false"),
            Start::Null => self.literal(b"null"),
            Start::Object => {
                let depth = self.deeper(depth)?;
                let mut more = self.enter();
                while more {
                    if self.plain_name().is_none() {
                        self.name()?;
                    }
                    self.skip_value(depth)?;
                    more = self.next_entry()?;
                }
                Ok(())
            }
            Start::Array => {
                let depth = self.deeper(depth)?;
                let mut more = self.enter();
                while more {
                    self.skip_value(depth)?;
                    more = self.next_element()?;
                }
                Ok(())
            }
        }
    }

    /// The depth within an array or object that lies at `depth`.
    #[inline]
    pub(crate) fn deeper(&self, depth: usize) -> Result<usize, SyntaxError> {
        if depth < NESTING_LIMIT {
            Ok(depth + 1)
        } else {
            Err(self.error(Problem::TooDeep))
        }
    }

    /// Nothing but whitespace may follow.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        self.skip_whitespace();
        if self.position == self.bytes.len() {
            Ok(())
        } else {
            Err(self.error(Problem::Trailing))
        }
    }
}

#[cfg(test)]
mod tests;
