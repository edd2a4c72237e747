//! The book: which strategies, with which weights.

use crate::parameters::parameters;
use alchemiser_events::{Decimal, StrategyName, Weight, decimal_text};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The strategies that are run, and what share each has.
#[derive(Clone, Debug, PartialEq)]
pub struct Book {
    /// The book's file, for messages.
    pub path: PathBuf,
    /// In the order of the file.
    pub entries: Vec<BookEntry>,
    /// What is done when a strategy cannot answer.
    pub on_failure: OnFailure,
}

/// What becomes of the book when a strategy of it cannot answer. When none can,
/// or the reason may pass, the workflow never goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The workflow fails, and nothing is traded.
    #[default]
    Fail,
    /// What the strategy would have held stays uninvested.
    Cash,
    /// The others get its share, in proportion to theirs.
    Redistribute {
        /// The largest share that may be moved so, of all failed strategies
        /// together. Beyond it the workflow fails.
        limit: Weight,
    },
}

impl OnFailure {
    /// The limit of a book that names none: 0.10.
    fn default_limit() -> Weight {
        // A tenth lies within 0–1.
        Weight::new(Decimal::new(10, 2)).unwrap_or(Weight::ZERO)
    }
}

/// A strategy of the book.
#[derive(Clone, Debug, PartialEq)]
pub struct BookEntry {
    /// Unique within the book.
    pub name: StrategyName,
    /// Share of the portfolio, above 0.
    pub weight: Weight,
    /// What answers.
    pub source: StrategySource,
    /// What the plugin's `load` is given, a JSON object.
    pub parameters: serde_json::Value,
}

/// What answers for a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategySource {
    /// The plugin's name.
    pub plugin: String,
    /// The file that the plugin is given, as written in the book.
    pub file: Option<String>,
}

impl StrategySource {
    /// The plugin that evaluates strategy files.
    pub const FILE_PLUGIN: &'static str = "dsl";
}

/// Something in the book is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {message}", path.display())]
pub struct BookError {
    /// The book.
    pub path: PathBuf,
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFile {
    on_failure: Option<Spanned<String>>,
    max_failed_weight: Option<Spanned<DecimalFile>>,
    #[serde(default)]
    strategy: Vec<Spanned<EntryFile>>,
}

#[derive(Deserialize)]
struct DecimalFile(#[serde(with = "decimal_text")] Decimal);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    name: String,
    #[serde(with = "decimal_text")]
    weight: Decimal,
    plugin: Option<String>,
    file: Option<String>,
    #[serde(default)]
    parameters: toml::Table,
}

impl Book {
    /// Checks a book's text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BookError> {
        let wrong = |offset: usize, message: String| BookError {
            path: path.to_owned(),
            line: line_of(text, offset),
            message,
        };
        let file: BookFile = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = alchemiser_suggest::toml_mistake(error.message(), text, span.clone());
            wrong(span.start, message)
        })?;
        let on_failure = on_failure(file.on_failure, file.max_failed_weight)
            .map_err(|(offset, message)| wrong(offset, message))?;

        let mut entries: Vec<BookEntry> = Vec::new();
        let mut total = Decimal::ZERO;
        for spanned in file.strategy {
            let offset = spanned.span().start;
            let entry = check(spanned.into_inner()).map_err(|message| wrong(offset, message))?;
            if entries.iter().any(|other| other.name == entry.name) {
                let message = format!("there are two strategies named `{}`", entry.name);
                return Err(wrong(offset, message));
            }
            total += entry.weight.decimal();
            if total > Decimal::ONE + Decimal::new(1, 9) {
                let message = format!(
                    "with `{}` the weights add up to {total}, which is more than 1; lower some",
                    entry.name
                );
                return Err(wrong(offset, message));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            let message = "the book is empty: add a `[[strategy]]` table with `name`, `weight` \
                           and `file` or `plugin`";
            return Err(wrong(0, message.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
            on_failure,
        })
    }

    /// A strategy by its name.
    pub fn entry(&self, name: &str) -> Option<&BookEntry> {
        self.entries
            .iter()
            .find(|entry| entry.name.as_str() == name)
    }

    /// The folder that the strategies' files are in.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// What is wrong with it comes with its place.
fn on_failure(
    name: Option<Spanned<String>>,
    limit: Option<Spanned<DecimalFile>>,
) -> Result<OnFailure, (usize, String)> {
    const NAMES: [&str; 3] = ["fail", "cash", "redistribute"];
    let policy = match name.as_ref().map(|name| name.as_ref().as_str()) {
        None | Some("fail") => OnFailure::Fail,
        Some("cash") => OnFailure::Cash,
        Some("redistribute") => OnFailure::Redistribute {
            limit: OnFailure::default_limit(),
        },
        Some(unknown) => {
            let message = format!(
                "there is no `on_failure = \"{}\"`; {}",
                unknown.escape_debug(),
                alchemiser_suggest::instead_of(unknown, &NAMES)
            );
            return Err((name.map_or(0, |name| name.span().start), message));
        }
    };
    let Some(limit) = limit else {
        return Ok(policy);
    };
    let offset = limit.span().start;
    if !matches!(policy, OnFailure::Redistribute { .. }) {
        let message = "`max_failed_weight` limits `on_failure = \"redistribute\"`, which the book \
                       does not have";
        return Err((offset, message.to_owned()));
    }
    let DecimalFile(limit) = limit.into_inner();
    let within = Weight::new(limit).ok().filter(|limit| !limit.is_zero());
    within
        .map(|limit| OnFailure::Redistribute { limit })
        .ok_or_else(|| {
            let message = format!("`max_failed_weight` {limit} is not above 0 and at most 1");
            (offset, message)
        })
}

fn check(entry: EntryFile) -> Result<BookEntry, String> {
    let name = StrategyName::parse(&entry.name)
        .ok_or("a strategy's `name` must not be empty or hold control characters")?;
    let weight = Weight::new(entry.weight)
        .ok()
        .filter(|weight| !weight.is_zero())
        .ok_or_else(|| {
            format!(
                "strategy `{name}`: weight {} is not above 0 and at most 1",
                entry.weight
            )
        })?;
    let plugin = match (entry.plugin, &entry.file) {
        (Some(plugin), _) if !is_plugin_name(&plugin) => {
            return Err(format!(
                "strategy `{name}`: `{}` is not the name of a plugin: letters, digits, `-` and `_`",
                plugin.escape_debug()
            ));
        }
        (Some(plugin), Some(_)) if plugin != StrategySource::FILE_PLUGIN => {
            return Err(format!(
                "strategy `{name}`: plugin `{plugin}` takes no `file`; leave one of the two out"
            ));
        }
        (Some(plugin), _) => plugin,
        (None, Some(_)) => StrategySource::FILE_PLUGIN.to_owned(),
        (None, None) => {
            return Err(format!(
                "strategy `{name}` has neither `file` (a strategy file) nor `plugin`"
            ));
        }
    };
    let parameters =
        parameters(entry.parameters).map_err(|error| format!("strategy `{name}`: {error}"))?;
    Ok(BookEntry {
        name,
        weight,
        source: StrategySource {
            plugin,
            file: entry.file,
        },
        parameters,
    })
}

/// Plugins are files of one folder, so that a name is no path.
fn is_plugin_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Book, String> {
        Book::parse(text, Path::new("book.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn files_go_to_the_language_and_plugins_to_themselves() {
        let book = parse(
            r#"
            [[strategy]]
            name = "trend"
            file = "trend.clj"
            weight = 0.3

            [[strategy]]
            name = "momentum"
            plugin = "momentum"
            weight = "0.7"
            [strategy.parameters]
            top = 3
            "#,
        )
        .unwrap();
        assert_eq!(book.entries[0].source.plugin, "dsl");
        assert_eq!(book.entries[0].weight.to_string(), "0.3");
        assert_eq!(book.entries[1].source.plugin, "momentum");
        assert_eq!(book.entries[1].parameters, serde_json::json!({"top": 3}));
    }

    #[test]
    fn a_book_says_what_a_failure_leads_to() {
        let redistribute = |limit| OnFailure::Redistribute {
            limit: Weight::new(limit).unwrap(),
        };
        for (keys, expected) in [
            ("", OnFailure::Fail),
            ("on_failure = \"fail\"", OnFailure::Fail),
            ("on_failure = \"cash\"", OnFailure::Cash),
            (
                "on_failure = \"redistribute\"",
                redistribute(Decimal::new(1, 1)),
            ),
            (
                "on_failure = \"redistribute\"\nmax_failed_weight = 0.25",
                redistribute(Decimal::new(25, 2)),
            ),
        ] {
            let strategy = "[[strategy]]\nname = \"a\"\nweight = 1\nplugin = \"m\"\n";
            let book = parse(&format!("{keys}\n{strategy}")).unwrap();
            assert_eq!(book.on_failure, expected, "{keys}");
        }
    }

    #[test]
    fn mistakes_have_a_place_and_a_remedy() {
        for (text, message) in [
            (
                "\non_failure = \"csh\"\n",
                "book.toml:2: there is no `on_failure = \"csh\"`; did you mean `cash`?",
            ),
            (
                "on_failure = \"cash\"\nmax_failed_weight = 0.2\n",
                "book.toml:2: `max_failed_weight` limits `on_failure = \"redistribute\"`",
            ),
            (
                "max_failed_weight = 1.5\non_failure = \"redistribute\"\n",
                "book.toml:1: `max_failed_weight` 1.5 is not above 0 and at most 1",
            ),
            ("", "book.toml:1: the book is empty"),
            (
                "[[strategy]]\nname = \"a\"\nwieght = 1\n",
                "book.toml:3: unknown key `wieght`; did you mean `weight`?",
            ),
            (
                "[[strategy]]\nname = \"a\"\nweight = 1.0\n",
                "book.toml:1: strategy `a` has neither `file`",
            ),
            (
                "[[strategy]]\nname = \"a\"\nweight = 0\nplugin = \"m\"\n",
                "book.toml:1: strategy `a`: weight 0 is not above 0",
            ),
            (
                "[[strategy]]\nname = \"a\"\nweight = 0.6\nplugin = \"m\"\n\
                 [[strategy]]\nname = \"b\"\nweight = 0.6\nplugin = \"m\"\n",
                "book.toml:5: with `b` the weights add up to 1.2",
            ),
            (
                "[[strategy]]\nname = \"a\"\nweight = 0.4\nplugin = \"m\"\n\
                 [[strategy]]\nname = \"a\"\nweight = 0.4\nplugin = \"m\"\n",
                "book.toml:5: there are two strategies named `a`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
