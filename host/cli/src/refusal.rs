//! Text that was refused: each mistake with a caret under its place.

use alchemiser_rules::{Mistake, PatternError, RoutesError};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};
use std::io::IsTerminal;

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
        let mistakes = error.mistakes.into_iter();
        Self {
            class: "PatternError",
            text: text.to_owned(),
            mistakes: mistakes.map(|mistake| mistake.within(text, file)).collect(),
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
                let place = AnnotationKind::Primary.span(mistake.span.clone());
                let place = match subject.as_str() {
                    "" => place,
                    subject => place.label(subject),
                };
                let snippet = Snippet::source(&self.text)
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
