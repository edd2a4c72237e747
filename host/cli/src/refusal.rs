//! Text that was refused: each mistake with a caret under its place.

use alchemiser_rules::{Mistake, PatternError, RoutesError};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::ops::Range;

/// Every mistake of a text, in its order.
#[derive(Debug)]
pub struct Refusal {
    /// What kind of text was refused, as errors are called.
    class: &'static str,
    text: String,
    mistakes: Vec<Mistake>,
}

impl Refusal {
    /// Routes that were refused.
    pub fn of_routes(text: String, error: RoutesError) -> Self {
        Self {
            class: "RoutesError",
            text,
            mistakes: error.mistakes,
        }
    }

    /// A pattern that was refused, read from a file or the like.
    pub fn of_pattern(text: &str, file: &str, error: PatternError) -> Self {
        Self {
            class: "PatternError",
            text: text.to_owned(),
            mistakes: error.within(text, file),
        }
    }

    /// Says everything on stderr; for scripts on stdout as well, one object a
    /// mistake.
    pub fn print(&self, json: bool) {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        eprintln!("{}", self.report(colours));
        if json {
            for mistake in &self.mistakes {
                println!("{}", json!({"error": object(self.class, mistake)}));
            }
        }
    }

    fn report(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let reports: Vec<String> = self
            .mistakes
            .iter()
            .map(|mistake| {
                let subject = mistake.subject();
                let lines = lines(&self.text, &mistake.span);
                let span = mistake.span.start - lines.start..mistake.span.end - lines.start;
                let place = AnnotationKind::Primary.span(span);
                let place = match subject.as_str() {
                    "" => place,
                    subject => place.label(subject),
                };
                let snippet = Snippet::source(&self.text[lines])
                    .line_start(mistake.line)
                    .path(&mistake.file)
                    .annotation(place);
                let error = Level::ERROR
                    .primary_title(&mistake.message)
                    .element(snippet);
                let advice = Level::HELP.message(&mistake.advice);
                renderer.render(&[error.element(advice)])
            })
            .collect();
        reports.join("\n\n")
    }
}

/// The lines that a place is on. A snippet of them alone is made in no more time
/// at the end of a long text than at its beginning.
fn lines(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[span.end..].find('\n');
    start..end.map_or(text.len(), |newline| span.end + newline)
}

fn object(class: &str, mistake: &Mistake) -> Value {
    let mut object = json!({
        "class": class,
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "field": mistake.field,
        "message": mistake.message,
        "advice": mistake.advice,
    });
    if let Some(entry) = &mistake.entry {
        object[entry.kind.key()] = entry.name.clone().into();
    }
    object
}
