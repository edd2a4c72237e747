//! The book: which strategies, with which weights.

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// The book cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The book.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The book.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong, and what to do.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFile {
    #[serde(default)]
    strategy: Vec<Spanned<EntryFile>>,
}

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
    /// Reads and checks a book.
    pub fn load(path: &Path) -> Result<Self, BookError> {
        let text = std::fs::read_to_string(path).map_err(|source| BookError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Checks a book's text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BookError> {
        let wrong = |offset: usize, message: String| BookError::Content {
            path: path.to_owned(),
            line: line_of(text, offset),
            message,
        };
        let file: BookFile = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            wrong(offset, alchemiser_suggest::with_advice(error.message()))
        })?;

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
                    "with `{}` the weights add up to {total}, which is more than 1",
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
    let parameters = serde_json::to_value(entry.parameters)
        .map_err(|error| format!("strategy `{name}`: parameters: {error}"))?;
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
    fn mistakes_have_a_place_and_a_remedy() {
        for (text, message) in [
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
