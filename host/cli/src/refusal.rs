//! Text that was refused: each mistake with a caret under its place.

use crate::snippet::{Remark, colours};
use alchemiser_rules::{Mistake, PatternError, RoutesError};
use annotate_snippets::Level;
use serde_json::{Value, json};

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

    /// Its class and its first mistake, with how many others there are.
    pub fn gist(&self) -> (&'static str, String) {
        let others = match self.mistakes.len() {
            0 | 1 => String::new(),
            2 => " (and 1 more mistake)".to_owned(),
            count => format!(" (and {} more mistakes)", count - 1),
        };
        let first = self.mistakes.first().map_or_else(String::new, |mistake| {
            format!(
                "{}:{}:{}: {}; {}",
                mistake.file, mistake.line, mistake.column, mistake.message, mistake.advice
            )
        });
        (self.class, format!("{first}{others}"))
    }

    /// Says everything on stderr; for scripts on stdout as well, one object a
    /// mistake.
    pub fn print(&self, json: bool) {
        let colours = colours(&std::io::stderr());
        eprintln!("{}", self.report(colours));
        if json {
            for mistake in &self.mistakes {
                println!("{}", json!({"error": object(self.class, mistake)}));
            }
        }
    }

    fn report(&self, colours: bool) -> String {
        let reports: Vec<String> = self
            .mistakes
            .iter()
            .map(|mistake| {
                let subject = mistake.subject();
                let remark = Remark {
                    level: Level::ERROR,
                    message: &mistake.message,
                    file: &mistake.file,
                    text: &self.text,
                    place: mistake.span.clone(),
                    label: (!subject.is_empty()).then_some(&subject),
                    advice: Some(&mistake.advice),
                };
                remark.render(colours)
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
