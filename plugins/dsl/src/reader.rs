//! Text to tree.
//!
//! The reader keeps the open brackets in a list of its own, so that no nesting
//! can exhaust the machine's stack. It stops at the first error met from left
//! to right.

use crate::operator::Operator;
use crate::problem::{ParseError, shortened};
use crate::texts::Texts;
use crate::tree::{Form, Kind, Tree};
use alchemiser_sdk::Place;
use std::borrow::Cow;

/// The largest text that is read.
pub(crate) const MAXIMUM_BYTES: usize = 10 * 1024 * 1024;

/// The deepest nesting that is read; the outermost form has depth 0. What
/// walks the tree later may recurse as deep as that.
pub(crate) const MAXIMUM_DEPTH: usize = 250;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a text that consists of exactly one form.
pub(crate) fn read(bytes: &[u8]) -> Result<Tree> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, _) = bytes.split_at(error.valid_up_to());
        parse_error(end_of(valid), "the text is not valid UTF-8 from here on")
    })?;
    if bytes.len() > MAXIMUM_BYTES {
        let message = format!(
            "the file has {} bytes; at most {MAXIMUM_BYTES} are read",
            bytes.len()
        );
        return Err(parse_error(Place { line: 1, column: 1 }, message));
    }
    Reader::new(text).read()
}

fn parse_error(place: Place, message: impl Into<String>) -> ParseError {
    ParseError {
        place,
        message: message.into(),
    }
}

/// The place after a text.
fn end_of(text: &[u8]) -> Place {
    let line_start = text
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let newlines = text.iter().filter(|&&byte| byte == b'\n').count();
    let characters = text[line_start..]
        .iter()
        .filter(|&&byte| !is_continuation(byte))
        .count();
    Place {
        line: newlines as u32 + 1,
        column: characters as u32 + 1,
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
    line: u32,
    line_start: usize,
    /// Bytes between `line_start` and `position` that are not the first of
    /// their character: columns count characters.
    continuations: usize,
    open: Vec<OpenBracket>,
    tree: Tree,
}

/// A bracket that is not closed yet.
struct OpenBracket {
    closer: u8,
    form: usize,
    children: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut texts = Texts::default();
        // The operators get the first numbers, in their order, so that the
        // head of a list needs no second look-up.
        for operator in Operator::ALL {
            texts.intern(operator.name());
        }
        Self {
            text,
            bytes: text.as_bytes(),
            position: 0,
            line: 1,
            line_start: 0,
            continuations: 0,
            open: Vec::new(),
            tree: Tree {
                forms: Vec::new(),
                texts,
                numbers: Vec::new(),
            },
        }
    }

    fn read(mut self) -> Result<Tree> {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' | b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' | b',' => self.advance(),
                b';' => self.skip_comment(),
                b')' | b']' | b'}' => self.close(byte)?,
                _ => self.form(byte)?,
            }
        }
        if let Some(open) = self.open.last() {
            let form = &self.tree.forms[open.form];
            let message = format!(
                "the bracket `{}` is never closed",
                char::from(self.bracket(open))
            );
            return Err(parse_error(form.place, message));
        }
        if self.tree.forms.is_empty() {
            return Err(parse_error(self.place(), "the file contains no form"));
        }
        Ok(self.tree)
    }

    /// Reads a form up to its end, or a bracketed one up to its bracket.
    fn form(&mut self, byte: u8) -> Result<()> {
        let place = self.place();
        if !is_form_start(byte) {
            return Err(parse_error(place, self.unexpected_character()));
        }
        match self.open.last_mut() {
            Some(open) => open.children += 1,
            None if self.tree.forms.is_empty() => {}
            None => {
                let message = "a file consists of one form, and this is a second one; \
                               put both into one, such as `(weight-equal …)`";
                return Err(parse_error(place, message));
            }
        }
        if self.open.len() > MAXIMUM_DEPTH {
            let message = format!("forms are nested deeper than {MAXIMUM_DEPTH} levels");
            return Err(parse_error(place, message));
        }
        match byte {
            b'(' => self.open(Kind::List, b')', place),
            b'[' => self.open(Kind::Vector, b']', place),
            b'{' => self.open(Kind::Map, b'}', place),
            b'"' => {
                let kind = self.string(place)?;
                self.push(kind, place);
            }
            _ => {
                let kind = self.atom(place)?;
                self.push(kind, place);
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, place: Place) {
        let end = self.tree.forms.len() as u32 + 1;
        self.tree.forms.push(Form { kind, end, place });
    }

    fn open(&mut self, kind: Kind, closer: u8, place: Place) {
        self.open.push(OpenBracket {
            closer,
            form: self.tree.forms.len(),
            children: 0,
        });
        self.push(kind, place);
        self.position += 1;
    }

    fn close(&mut self, byte: u8) -> Result<()> {
        let place = self.place();
        let found = char::from(byte);
        let Some(open) = self.open.pop() else {
            let message = format!("`{found}` closes nothing: no bracket is open");
            return Err(parse_error(place, message));
        };
        let Place { line, column } = self.tree.forms[open.form].place;
        if open.closer != byte {
            let message = format!(
                "`{found}` stands where `{}` must close the `{}` of {line}:{column}",
                char::from(open.closer),
                char::from(self.bracket(&open)),
            );
            return Err(parse_error(place, message));
        }
        let end = self.tree.forms.len() as u32;
        let form = &mut self.tree.forms[open.form];
        if form.kind == Kind::Map && !open.children.is_multiple_of(2) {
            let message = "a map consists of pairs of key and value, and here is a key without one";
            return Err(parse_error(form.place, message));
        }
        form.end = end;
        self.position += 1;
        Ok(())
    }

    fn bracket(&self, open: &OpenBracket) -> u8 {
        match self.tree.forms[open.form].kind {
            Kind::List => b'(',
            Kind::Vector => b'[',
            _ => b'{',
        }
    }

    /// A string; `place` is that of its opening quote, where the reader stands.
    fn string(&mut self, place: Place) -> Result<Kind> {
        self.position += 1;
        let mut content = Cow::Borrowed("");
        let mut begin = self.position;
        loop {
            match self.peek() {
                Some(b'"') => {
                    append(&mut content, &self.text[begin..self.position]);
                    self.position += 1;
                    return Ok(Kind::String(self.tree.texts.intern(&content)));
                }
                // A backslash at the very end escapes nothing; what is wrong
                // there is the missing quote.
                Some(b'\\') if self.position + 1 < self.bytes.len() => {
                    append(&mut content, &self.text[begin..self.position]);
                    content.to_mut().push(self.escape()?);
                    begin = self.position;
                }
                Some(_) => self.advance(),
                None => return Err(parse_error(place, "the string is never closed by a `\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let character = match self.bytes[self.position + 1] {
            b'"' => '"',
            b'\\' => '\\',
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            _ => {
                let message = r#"unknown escape; there are \" \\ \n \t \r"#;
                return Err(parse_error(self.place(), message));
            }
        };
        self.position += 2;
        Ok(character)
    }

    /// A number, keyword or symbol: everything up to the next delimiter.
    fn atom(&mut self, place: Place) -> Result<Kind> {
        let rest = &self.bytes[self.position..];
        let length = rest
            .iter()
            .position(|&byte| is_delimiter(byte))
            .unwrap_or(rest.len());
        let token = &self.text[self.position..self.position + length];
        self.position += length;

        let bytes = token.as_bytes();
        if bytes[0].is_ascii_digit()
            || (bytes[0] == b'-' && bytes.get(1).is_some_and(u8::is_ascii_digit))
        {
            let number = self.number(token, place)?;
            self.tree.numbers.push(number);
            return Ok(Kind::Number(self.tree.numbers.len() as u32 - 1));
        }
        if let Some(name) = token.strip_prefix(':') {
            let first_is_legal = name
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if first_is_legal && name.bytes().all(is_legal) {
                return Ok(Kind::Keyword(self.tree.texts.intern(name)));
            }
            let message = format!(
                "`{}` is no keyword: a colon, a letter or `_`, then letters, digits, `_` and `-`",
                shortened(token)
            );
            return Err(parse_error(place, message));
        }
        if token
            .bytes()
            .all(|byte| is_symbol_start(byte) || byte.is_ascii_digit())
        {
            return Ok(Kind::Symbol(self.tree.texts.intern(token)));
        }
        let message = format!(
            "`{}` is no name: names consist of letters, digits and `_ > < = ! ? + * / -`; \
             text stands in quotes",
            shortened(token)
        );
        Err(parse_error(place, message))
    }

    fn number(&self, token: &str, place: Place) -> Result<f64> {
        let unsigned = token.strip_prefix('-').unwrap_or(token);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = (is_digits(whole) && is_digits(fraction))
            .then(|| token.parse::<f64>().ok())
            .flatten();
        match value {
            Some(value) if value.is_finite() => Ok(value),
            Some(_) => {
                let message = format!("the number `{}` is too large", shortened(token));
                Err(parse_error(place, message))
            }
            None => {
                let message = format!(
                    "`{}` is no number: digits, perhaps with a `-` before them and a point between them",
                    shortened(token)
                );
                Err(parse_error(place, message))
            }
        }
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.advance();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// Goes on by one byte, keeping account of lines and columns. Tokens other
    /// than strings are ASCII and hold no line ends, so these just add to
    /// `position`.
    fn advance(&mut self) {
        let byte = self.bytes[self.position];
        self.position += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.position;
            self.continuations = 0;
        } else if is_continuation(byte) {
            self.continuations += 1;
        }
    }

    /// Where the reader stands.
    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: (self.position - self.line_start - self.continuations) as u32 + 1,
        }
    }

    fn unexpected_character(&self) -> String {
        match self.text[self.position..].chars().next() {
            Some('\'') => "unexpected character `'`; text stands in double quotes".to_owned(),
            Some(character) => format!("unexpected character `{}`", character.escape_debug()),
            // Only asked for where there is a character.
            None => "unexpected end".to_owned(),
        }
    }
}

/// Appends without copying what may stay borrowed.
fn append<'a>(content: &mut Cow<'a, str>, piece: &'a str) {
    if content.is_empty() {
        *content = Cow::Borrowed(piece);
    } else {
        content.to_mut().push_str(piece);
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn is_symbol_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
        || matches!(
            byte,
            b'_' | b'>' | b'<' | b'=' | b'!' | b'?' | b'+' | b'*' | b'/' | b'-'
        )
}

fn is_form_start(byte: u8) -> bool {
    is_symbol_start(byte)
        || byte.is_ascii_digit()
        || matches!(byte, b'(' | b'[' | b'{' | b'"' | b':')
}

pub(crate) fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\r'
            | b'\x0b'
            | b'\x0c'
            | b','
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'"'
            | b';'
    )
}
