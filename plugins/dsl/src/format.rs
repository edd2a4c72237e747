//! Text to text: the one layout of a strategy file.
//!
//! Tokens and comments stay as they were written; what lies between them is
//! made anew. A form that fits on a line stands on one line, another is broken
//! in the way that its operator suggests, and one blank line is kept where
//! there were any. So formatting changes nothing that the reader sees, and
//! formatting again changes nothing at all.

#[cfg(test)]
mod tests;

use crate::operator::Operator;
use crate::reader::{self, MAXIMUM_BYTES, is_delimiter};
use alchemiser_sdk::{Error, Place};

/// Lines are broken that would be longer.
const WIDTH: usize = 100;

/// Deeper forms are not indented further: nobody could follow, and files would
/// grow with the square of their depth.
const DEEPEST_INDENT: usize = 60;

/// Closing brackets that are counted when it is decided whether a form fits.
const CLOSERS: usize = 10;

/// The text in its one layout.
///
/// # Errors
/// `ParseError`: the text cannot be read, or its layout would be larger than a
/// file may be.
pub fn format(text: &[u8]) -> Result<String, Error> {
    reader::read(text)?;
    // What was read is UTF-8.
    let text = std::str::from_utf8(text).unwrap_or_default();
    let file = Scanner::default().scan(text);
    let mut writer = Writer::default();
    writer.file(&file);
    if writer.text.len() > MAXIMUM_BYTES {
        let message = format!("formatted, the file would have more than {MAXIMUM_BYTES} bytes");
        return Err(Error::new("ParseError", message).at(Place { line: 1, column: 1 }));
    }
    Ok(writer.text)
}

/// A form with the comments that belong to it.
struct Item<'a> {
    /// On lines of their own.
    before: Vec<Comment<'a>>,
    is_after_blank: bool,
    form: Form<'a>,
    /// On the line that the form ends on.
    after: Option<&'a str>,
}

struct Comment<'a> {
    text: &'a str,
    is_after_blank: bool,
}

enum Form<'a> {
    /// A string, number, keyword or symbol.
    Atom(&'a str),
    Bracketed {
        opener: char,
        items: Vec<Item<'a>>,
        /// Comments after the last item.
        trailing: Vec<Comment<'a>>,
        /// How wide it is on a single line; `None` if something in it ends the
        /// line.
        width: Option<usize>,
    },
}

impl Form<'_> {
    fn width(&self) -> Option<usize> {
        match self {
            Self::Atom(token) if token.contains('\n') => None,
            Self::Atom(token) => Some(token.chars().count()),
            Self::Bracketed { width, .. } => *width,
        }
    }

    fn is_atom(&self) -> bool {
        matches!(self, Self::Atom(_))
    }
}

/// A whole file.
#[derive(Default)]
struct File<'a> {
    root: Option<Item<'a>>,
    trailing: Vec<Comment<'a>>,
}

/// What the scanner saw last.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    Opener,
    Form,
}

/// Cuts a text that the reader accepts into forms and comments.
#[derive(Default)]
struct Scanner<'a> {
    open: Vec<OpenBracket<'a>>,
    file: File<'a>,
    /// Comments that belong to what comes next.
    pending: Vec<Comment<'a>>,
    /// Line ends since the last token or comment.
    newlines: usize,
    last: Last,
}

struct OpenBracket<'a> {
    opener: char,
    before: Vec<Comment<'a>>,
    is_after_blank: bool,
    items: Vec<Item<'a>>,
}

impl<'a> Scanner<'a> {
    fn scan(mut self, text: &'a str) -> File<'a> {
        let mut rest = text;
        while let Some(byte) = rest.bytes().next() {
            let length = match byte {
                b'\n' => {
                    self.newlines += 1;
                    1
                }
                b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' | b',' => 1,
                b';' => {
                    let length = rest.find('\n').unwrap_or(rest.len());
                    self.comment(rest[..length].trim_end());
                    length
                }
                b'(' | b'[' | b'{' => {
                    self.open(char::from(byte));
                    1
                }
                b')' | b']' | b'}' => {
                    self.close();
                    1
                }
                b'"' => {
                    let length = string_length(rest);
                    self.atom(&rest[..length]);
                    length
                }
                _ => {
                    let length = rest.bytes().position(is_delimiter).unwrap_or(rest.len());
                    self.atom(&rest[..length]);
                    length
                }
            };
            rest = &rest[length..];
        }
        self.file.trailing = self.pending;
        self.file
    }

    fn comment(&mut self, text: &'a str) {
        let belongs_to_form = self.last == Last::Form && self.newlines == 0;
        match self.last_item() {
            Some(item) if belongs_to_form => item.after = Some(text),
            _ => {
                let is_after_blank = self.take_blank();
                self.pending.push(Comment {
                    text,
                    is_after_blank,
                });
            }
        }
        self.newlines = 0;
        self.last = Last::Nothing;
    }

    fn atom(&mut self, token: &'a str) {
        let item = Item {
            before: std::mem::take(&mut self.pending),
            is_after_blank: self.take_blank(),
            form: Form::Atom(token),
            after: None,
        };
        self.push(item);
    }

    fn open(&mut self, opener: char) {
        let open = OpenBracket {
            opener,
            before: std::mem::take(&mut self.pending),
            is_after_blank: self.take_blank(),
            items: Vec::new(),
        };
        self.open.push(open);
        self.last = Last::Opener;
    }

    fn close(&mut self) {
        self.newlines = 0;
        let trailing = std::mem::take(&mut self.pending);
        let Some(open) = self.open.pop() else {
            return; // The reader has seen to it that something is open.
        };
        let width = single_line_width(&open.items).filter(|_| trailing.is_empty());
        let item = Item {
            before: open.before,
            is_after_blank: open.is_after_blank,
            form: Form::Bracketed {
                opener: open.opener,
                items: open.items,
                trailing,
                width,
            },
            after: None,
        };
        self.push(item);
    }

    fn push(&mut self, item: Item<'a>) {
        match self.open.last_mut() {
            Some(open) => open.items.push(item),
            None => self.file.root = Some(item),
        }
        self.last = Last::Form;
    }

    fn last_item(&mut self) -> Option<&mut Item<'a>> {
        match self.open.last_mut() {
            Some(open) => open.items.last_mut(),
            None => self.file.root.as_mut(),
        }
    }

    /// Whether an empty line lies before the token; the count begins anew.
    fn take_blank(&mut self) -> bool {
        std::mem::take(&mut self.newlines) > 1
    }
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    });
    end.map_or(text.len(), |end| end + 2)
}

/// How wide forms between brackets are, brackets included.
fn single_line_width(items: &[Item<'_>]) -> Option<usize> {
    let blanks = items.len().saturating_sub(1);
    items.iter().try_fold(blanks + 2, |width, item| {
        let is_bare = item.before.is_empty() && item.after.is_none();
        Some(width + item.form.width().filter(|_| is_bare)?)
    })
}

/// How a bracketed form is broken.
struct Layout {
    /// So many forms stay on the line of the bracket if they fit.
    heading: usize,
    /// How far forms on lines of their own are indented.
    indent: usize,
    /// From this form on, every second stays on the line of the one before it.
    pairs_from: Option<usize>,
    /// Whether texts stand beside each other as long as they fit.
    fills: bool,
}

impl Layout {
    fn of(opener: char, items: &[Item<'_>]) -> Self {
        let plain = Self {
            heading: 1,
            indent: 1,
            pairs_from: None,
            fills: false,
        };
        match (opener, items.first().map(|item| &item.form)) {
            ('{', _) => Self {
                pairs_from: Some(0),
                ..plain
            },
            ('(', Some(Form::Atom(name))) => Self::of_operator(name, items.len()),
            _ => Self {
                fills: true,
                ..plain
            },
        }
    }

    fn of_operator(name: &str, length: usize) -> Self {
        let operator = Operator::ALL
            .into_iter()
            .find(|operator| operator.name() == name);
        let heading = match operator {
            Some(Operator::Symphony) => 3,
            Some(Operator::Group | Operator::If | Operator::WeightInverseVolatility) => 2,
            // The candidates come last.
            Some(Operator::Filter) => length.saturating_sub(1).max(1),
            Some(Operator::WeightEqual | Operator::WeightSpecified) | None => 1,
            Some(_) => length,
        };
        Self {
            heading,
            indent: 2,
            pairs_from: (operator == Some(Operator::WeightSpecified)).then_some(1),
            fills: matches!(
                operator,
                Some(Operator::WeightEqual | Operator::WeightInverseVolatility)
            ),
        }
    }

    fn is_second_of_pair(&self, index: usize) -> bool {
        self.pairs_from
            .is_some_and(|from| index > from && (index - from) % 2 == 1)
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Characters on the line so far.
    column: usize,
}

impl Writer {
    fn file(&mut self, file: &File<'_>) {
        let comments = |writer: &mut Self, comments: &[Comment<'_>]| {
            for comment in comments {
                writer.next_line(comment.is_after_blank);
                writer.push(comment.text);
            }
        };
        if let Some(root) = &file.root {
            comments(self, &root.before);
            self.next_line(root.is_after_blank);
            self.form(&root.form, 0);
            self.after(root);
        }
        comments(self, &file.trailing);
        self.text.push('\n');
    }

    /// A new line at the outermost level, unless nothing is written yet.
    fn next_line(&mut self, is_after_blank: bool) {
        if !self.text.is_empty() {
            self.line(0, is_after_blank);
        }
    }

    /// Writes a form that so many closing brackets follow.
    fn form(&mut self, form: &Form<'_>, closers: usize) {
        match form {
            Form::Atom(token) => self.push(token),
            Form::Bracketed { .. } if self.fits(form, closers) => self.single_line(form),
            Form::Bracketed {
                opener,
                items,
                trailing,
                ..
            } => self.broken(*opener, items, trailing, closers),
        }
    }

    fn fits(&self, form: &Form<'_>, closers: usize) -> bool {
        form.width()
            .is_some_and(|width| self.column + width + closers.min(CLOSERS) <= WIDTH)
    }

    fn single_line(&mut self, form: &Form<'_>) {
        match form {
            Form::Atom(token) => self.push(token),
            Form::Bracketed { opener, items, .. } => {
                self.push(opener.encode_utf8(&mut [0; 4]));
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.push(" ");
                    }
                    self.single_line(&item.form);
                }
                self.push(closer(*opener));
            }
        }
    }

    fn broken(
        &mut self,
        opener: char,
        items: &[Item<'_>],
        trailing: &[Comment<'_>],
        closers: usize,
    ) {
        let layout = Layout::of(opener, items);
        let start = self.column;
        let indent = start + layout.indent;
        self.push(opener.encode_utf8(&mut [0; 4]));
        // Whether a comment has ended the line.
        let mut line_is_over = false;
        let mut heading_is_whole = true;
        for (index, item) in items.iter().enumerate() {
            let is_last = index + 1 == items.len() && trailing.is_empty() && item.after.is_none();
            let closers = if is_last { closers + 1 } else { 0 };
            // What precedes the form besides the comments is one blank.
            let fits = self.column < WIDTH && {
                let width = item.form.width().map(|width| width + 1);
                width.is_some_and(|width| self.column + width + closers.min(CLOSERS) <= WIDTH)
            };
            let is_heading = index < layout.heading;
            let goes_on = !line_is_over
                && item.before.is_empty()
                && (layout.is_second_of_pair(index)
                    || fits && is_heading && heading_is_whole
                    || fits
                        && layout.fills
                        && index > layout.heading
                        && item.form.is_atom()
                        && items[index - 1].form.is_atom());
            heading_is_whole &= goes_on || index == 0;

            let indent = match index {
                0 => start + 1,
                _ if is_heading => indent + 2,
                _ => indent,
            };
            match index {
                0 => {}
                _ if goes_on => self.push(" "),
                _ => {
                    let first = item.before.first();
                    let is_after_blank =
                        first.map_or(item.is_after_blank, |first| first.is_after_blank);
                    self.line(indent, is_after_blank);
                }
            }
            for (position, comment) in item.before.iter().enumerate() {
                self.push(comment.text);
                let next = item.before.get(position + 1);
                let is_after_blank = next.map_or(item.is_after_blank, |next| next.is_after_blank);
                self.line(indent, is_after_blank);
            }
            self.form(&item.form, closers);
            self.after(item);
            line_is_over = item.after.is_some();
        }
        for comment in trailing {
            self.line(indent, comment.is_after_blank);
            self.push(comment.text);
            line_is_over = true;
        }
        if line_is_over {
            self.line(indent, false);
        }
        self.push(closer(opener));
    }

    fn after(&mut self, item: &Item<'_>) {
        if let Some(comment) = item.after {
            self.push(" ");
            self.push(comment);
        }
    }

    fn line(&mut self, indent: usize, is_after_blank: bool) {
        let indent = indent.min(DEEPEST_INDENT);
        self.text
            .push_str(if is_after_blank { "\n\n" } else { "\n" });
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        // A string may span lines.
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }
}

fn closer(opener: char) -> &'static str {
    match opener {
        '(' => ")",
        '[' => "]",
        _ => "}",
    }
}
