//! Text with carets under a place.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::io::IsTerminal;
use std::ops::Range;

/// Something to say about a place in a text.
pub struct Remark<'a> {
    pub level: Level<'static>,
    pub message: &'a str,
    /// What the text is called.
    pub file: &'a str,
    pub text: &'a str,
    /// The bytes to point at; what lies within a character means all of it.
    pub place: Range<usize>,
    /// What stands beside the carets.
    pub label: Option<&'a str>,
    /// What to do.
    pub advice: Option<&'a str>,
}

impl Remark<'_> {
    /// The remark as it is shown.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        // Only the lines of the place are looked through, since a file may have
        // megabytes and hundreds of remarks.
        let start = self.text.floor_char_boundary(self.place.start);
        let end = self.text.ceil_char_boundary(self.place.end).max(start);
        let (before, after) = (&self.text[..start], &self.text[end..]);
        let first = before.rfind('\n').map_or(0, |newline| newline + 1);
        let last = after.find('\n').map_or(self.text.len(), |line| end + line);
        let excerpt = harmless(&self.text[first..last]);
        let annotation = AnnotationKind::Primary.span(start - first..end - first);
        let annotation = match self.label {
            Some(label) => annotation.label(label),
            None => annotation,
        };
        let snippet = Snippet::source(excerpt)
            .line_start(1 + before.bytes().filter(|&byte| byte == b'\n').count())
            .path(self.file)
            .annotation(annotation);
        let group = self
            .level
            .clone()
            .primary_title(self.message)
            .element(snippet);
        renderer.render(&[match self.advice {
            Some(advice) => group.element(Level::HELP.message(advice)),
            None => group,
        }])
    }
}

/// A text without the control characters of two bytes, some of which terminals
/// obey. What stands for them has two bytes too, so that places stay right.
fn harmless(text: &str) -> String {
    text.replace(|character| ('\u{80}'..='\u{9f}').contains(&character), "¤")
}

/// Whether what is written there may have colours.
pub fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
