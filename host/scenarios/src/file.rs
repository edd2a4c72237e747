//! Scenario files: what they hold, and how they are read.

use crate::plan::{self, ExpectedItem};
use crate::prices::{self, Markets};
use crate::reader::{Mistake, Reader, Value};
use crate::report::Place;
use alchemiser_events::{Decimal, ErrorDetail, Symbol, Weight};
use alchemiser_market::{Market, Session};
use alchemiser_sandbox::{PlanRequest, StrategyFile};
use alchemiser_suggest::{nearest, toml_mistake};
use alchemiser_worker::parameters;
use serde::Deserialize as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::de::{DeTable, ValueDeserializer};

/// A file of scenarios.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The strategy file that it says it is for, as written.
    pub strategy: Option<String>,
    /// In the order of the file; at least one.
    pub scenarios: Vec<Scenario>,
}

/// A question, and what the answer should be.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Unique within the file.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its place in the file, from 0.
    pub index: usize,
    /// What the plugin is given, a JSON object.
    pub parameters: serde_json::Value,
    /// By how much numbers may be off.
    pub tolerance: Decimal,
    /// What a call may take.
    pub budget: Budget,
    /// What is asked.
    pub task: Task,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Task {
    /// Weights, of a strategy.
    Strategy(StrategyTask),
    /// A plan, of a portfolio plugin.
    Plan(Box<PlanTask>),
}

/// Weights on prices.
#[derive(Clone, Debug)]
pub struct StrategyTask {
    /// The prices.
    pub market: Arc<Market>,
    /// The files that the plugin is given.
    pub files: Vec<StrategyFile>,
    /// In the order of the file.
    pub expect: Vec<Expectation>,
}

/// A plan for an account.
#[derive(Clone, Debug)]
pub struct PlanTask {
    /// The question.
    pub request: PlanRequest,
    /// The items of the plan, in the order of the file.
    pub items: Vec<ExpectedItem>,
    /// The error that is expected instead.
    pub error: Option<(usize, ExpectedError)>,
}

/// What a call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Wall time.
    pub time: Option<Duration>,
    /// Instructions.
    pub fuel: Option<u64>,
}

/// What a strategy should answer as of a session.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its place among those of the scenario, from 0.
    pub index: usize,
    /// Its line, from 1.
    pub line: usize,
    /// When.
    pub place: Place,
    /// What; `None` where that is yet to be written.
    pub answer: Option<ExpectedAnswer>,
}

/// What a strategy should answer.
#[derive(Clone, Debug)]
pub enum ExpectedAnswer {
    /// Weights; what is not named is not held.
    Weights(BTreeMap<Symbol, Weight>),
    /// An error.
    Error(ExpectedError),
}

/// An error that is expected. What is left out may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedError {
    /// Its class.
    pub class: String,
    /// The symbol that it is about.
    pub symbol: Option<String>,
    /// A part of its message.
    pub message: Option<String>,
}

impl ExpectedError {
    /// Whether an error is the one expected.
    #[must_use]
    pub fn is_met_by(&self, detail: &ErrorDetail) -> bool {
        let is_symbol = |symbol: &String| detail.context.get("symbol") == Some(symbol);
        self.class == detail.class
            && self.symbol.as_ref().is_none_or(is_symbol)
            && self
                .message
                .as_ref()
                .is_none_or(|part| detail.message.contains(part.as_str()))
    }
}

impl ExpectedError {
    /// What to say when there is another error.
    pub(crate) fn not_met_by(&self, told: &str, detail: &ErrorDetail) -> String {
        let is_misspelt =
            self.class != detail.class && nearest(&self.class, [detail.class.as_str()]).is_some();
        let advice = match is_misspelt {
            true => format!("; did you mean `{}`?", detail.class),
            false => String::new(),
        };
        format!("expected {self}; it is {told}{advice}")
    }
}

impl fmt::Display for ExpectedError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the error {}", self.class)?;
        if let Some(symbol) = &self.symbol {
            write!(formatter, " of {symbol}")?;
        }
        if let Some(message) = &self.message {
            write!(formatter, " with `{message}` in its message")?;
        }
        Ok(())
    }
}

/// A scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}", listed(path, mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// Everything that is wrong, in the order of the file; never empty.
        mistakes: Vec<Mistake>,
    },
}

fn listed(path: &Path, mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| format!("{}:{}: {}", path.display(), mistake.line, mistake.message))
        .collect();
    lines.join("\n")
}

/// How far weights may be off where a scenario does not say: answers are shown
/// with ten decimals.
fn usual_tolerance() -> Decimal {
    Decimal::new(1, 9)
}

impl ScenarioFile {
    /// Reads a file and everything that it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path, markets: &mut Markets) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path, markets)
    }

    /// Reads a file's text. What it names is looked for beside `path`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str, path: &Path, markets: &mut Markets) -> Result<Self, FileError> {
        let mut reader = Reader::of(text);
        let mut read = Read {
            reader: &mut reader,
            folder: path.parent().unwrap_or(Path::new("")),
            markets,
        };
        let (strategy, scenarios) = read.file(text);
        let mut mistakes = reader.mistakes;
        if mistakes.is_empty() {
            return Ok(Self {
                path: path.to_owned(),
                text: text.to_owned(),
                strategy,
                scenarios,
            });
        }
        mistakes.sort_by_key(|mistake| mistake.span.start);
        Err(FileError::Mistakes {
            path: path.to_owned(),
            text: text.to_owned(),
            mistakes,
        })
    }
}

/// What is needed while a file is read.
struct Read<'a, 'text> {
    reader: &'a mut Reader<'text>,
    folder: &'a Path,
    markets: &'a mut Markets,
}

impl Read<'_, '_> {
    fn file(&mut self, text: &str) -> (Option<String>, Vec<Scenario>) {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let message = toml_mistake(error.message(), text, span.clone());
                self.reader.mistake(span, message);
                return (None, Vec::new());
            }
        };
        let table = table.get_ref();
        self.reader.known_keys(table, &["strategy", "scenario"]);
        let strategy = table
            .get("strategy")
            .and_then(|value| self.reader.string("strategy", value))
            .map(str::to_owned);
        let values = match table.get("scenario") {
            Some(value) => {
                let wanted = "tables, each under `[[scenario]]`";
                self.reader.array("scenario", value, wanted)
            }
            None => &[],
        };
        if values.is_empty() && self.reader.mistakes.is_empty() {
            let message = "there is no scenario; write `[[scenario]]` with `name`, `prices` and \
                           `[[scenario.expect]]`";
            self.reader.mistake(0..0, message);
        }
        let mut names = BTreeSet::new();
        let scenarios = values
            .iter()
            .enumerate()
            .filter_map(|(index, value)| {
                let scenario = self.scenario(index, value)?;
                if !names.insert(scenario.name.clone()) {
                    let message = format!("there are two scenarios named `{}`", scenario.name);
                    self.reader.mistake(value.span(), message);
                }
                Some(scenario)
            })
            .collect();
        (strategy, scenarios)
    }

    fn scenario(&mut self, index: usize, value: &Value<'_>) -> Option<Scenario> {
        const COMMON: [&str; 5] = ["name", "parameters", "tolerance", "budget", "expect"];
        const OF_STRATEGIES: [&str; 3] = ["first_date", "prices", "files"];

        let table = self.reader.table("scenario", value)?;
        let mut known = COMMON.to_vec();
        if table.contains_key("request") {
            known.push("request");
        } else {
            known.extend(OF_STRATEGIES);
        }
        self.reader.known_keys(table, &known);
        let name = match table.get("name") {
            Some(name) => self.reader.string("name", name),
            None => {
                let message = "the scenario has no `name`; say in a few words what it shows";
                self.reader.mistake(value.span(), message);
                None
            }
        };
        let parameters = self.parameters(table);
        let tolerance = match table.get("tolerance") {
            Some(tolerance) => self.tolerance(tolerance),
            None => Some(usual_tolerance()),
        };
        let budget = table
            .get("budget")
            .map_or_else(Budget::default, |value| self.budget(value));
        let expect = table.get("expect").map_or(&[][..], |value| {
            let wanted = "tables, each under `[[scenario.expect]]`";
            self.reader.array("expect", value, wanted)
        });
        let task = match table.get("request") {
            Some(request) => self.plan(request, expect, parameters.as_ref()),
            None => self.strategy(value, table, expect),
        };
        Some(Scenario {
            name: name?.to_owned(),
            line: self.reader.line(value.span().start),
            index,
            parameters: parameters?,
            tolerance: tolerance?,
            budget,
            task: task?,
        })
    }

    fn parameters(&mut self, table: &DeTable<'_>) -> Option<serde_json::Value> {
        let Some(value) = table.get("parameters") else {
            return Some(serde_json::json!({}));
        };
        self.reader.table("parameters", value)?;
        let read = toml::Table::deserialize(ValueDeserializer::from(value.clone()))
            .map_err(|error| format!("`parameters`: {}", error.message()))
            .and_then(|table| parameters(table).map_err(|error| error.to_string()));
        read.map_err(|message| self.reader.mistake(value.span(), message))
            .ok()
    }

    fn tolerance(&mut self, value: &Value<'_>) -> Option<Decimal> {
        let tolerance = self.reader.decimal("tolerance", value)?;
        if tolerance < Decimal::ZERO {
            let message = format!("`tolerance` is {tolerance}, and must not be below 0");
            self.reader.mistake(value.span(), message);
            return None;
        }
        Some(tolerance)
    }

    fn budget(&mut self, value: &Value<'_>) -> Budget {
        let Some(table) = self.reader.table("budget", value) else {
            return Budget::default();
        };
        self.reader.known_keys(table, &["time_ms", "fuel"]);
        let time = table
            .get("time_ms")
            .and_then(|value| self.reader.decimal("budget.time_ms", value))
            .and_then(|milliseconds| {
                let seconds = milliseconds / Decimal::ONE_THOUSAND;
                let seconds = seconds.to_string().parse().ok()?;
                Duration::try_from_secs_f64(seconds).ok()
            });
        let fuel = table.get("fuel").and_then(|value| {
            self.reader
                .integer("budget.fuel", value, 1..1_000_000_000_000)
        });
        Budget { time, fuel }
    }

    fn strategy(
        &mut self,
        scenario: &Value<'_>,
        table: &DeTable<'_>,
        expect: &[Value<'_>],
    ) -> Option<Task> {
        let market = match table.get("prices") {
            Some(prices) => {
                let first = table.get("first_date");
                prices::read(self.reader, prices, first, self.folder, self.markets)
            }
            None => {
                let message = "the scenario has no `prices`; write closes such as \
                               `prices = { SPY = [100, 101] }`, or the path of a CSV file";
                self.reader.mistake(scenario.span(), message);
                None
            }
        };
        let files = table
            .get("files")
            .map_or_else(Vec::new, |value| self.files(value));
        let expect: Vec<Option<Expectation>> = expect
            .iter()
            .enumerate()
            .map(|(index, value)| self.expectation(index, value, market.as_deref()))
            .collect();
        let expect: Vec<Expectation> = expect.into_iter().collect::<Option<_>>()?;
        Some(Task::Strategy(StrategyTask {
            market: market?,
            files,
            expect,
        }))
    }

    fn files(&mut self, value: &Value<'_>) -> Vec<StrategyFile> {
        let names = self.reader.array("files", value, "an array of paths");
        names
            .iter()
            .filter_map(|value| {
                let name = self.reader.string("files", value)?;
                match std::fs::read(self.folder.join(name)) {
                    Ok(content) => Some(StrategyFile {
                        name: name.to_owned(),
                        content,
                    }),
                    Err(error) => {
                        let message = format!("`files`: {name}: {error}");
                        self.reader.mistake(value.span(), message);
                        None
                    }
                }
            })
            .collect()
    }

    fn expectation(
        &mut self,
        index: usize,
        value: &Value<'_>,
        market: Option<&Market>,
    ) -> Option<Expectation> {
        let table = self.reader.table("expect", value)?;
        self.reader
            .known_keys(table, &["session", "date", "weights", "error"]);
        let weights = table.get("weights").map(|value| self.weights(value));
        let error = table.get("error").map(|value| self.error(value));
        let answer = match (weights, error) {
            (Some(_), Some(_)) => {
                let message = "`weights` and `error` exclude each other; leave one out";
                self.reader.mistake(value.span(), message);
                return None;
            }
            (Some(weights), None) => weights.map(ExpectedAnswer::Weights).map(Some),
            (None, Some(error)) => error.map(ExpectedAnswer::Error).map(Some),
            (None, None) => Some(None),
        };
        // What is wrong with the prices has been said.
        let place = self.place(table, market?);
        Some(Expectation {
            index,
            line: self.reader.line(value.span().start),
            place: place?,
            answer: answer?,
        })
    }

    /// The session that an expectation is about: the last one if it says none.
    fn place(&mut self, table: &DeTable<'_>, market: &Market) -> Option<Place> {
        let calendar = market.calendar();
        let session = match (table.get("session"), table.get("date")) {
            (Some(_), Some(date)) => {
                let message = "`session` and `date` exclude each other; leave one out";
                self.reader.mistake(date.span(), message);
                return None;
            }
            (Some(session), None) => {
                let end = calendar.dates().len() as u64;
                let session = self.reader.integer("session", session, 0..end)?;
                Session(u32::try_from(session).ok()?)
            }
            (None, Some(value)) => {
                let date = self.reader.date("date", value)?;
                calendar
                    .session(date)
                    .map_err(|error| {
                        self.reader
                            .mistake(value.span(), format!("`date`: {error}"));
                    })
                    .ok()?
            }
            (None, None) => calendar.last()?,
        };
        let date = calendar.date(session)?;
        Some(Place { session, date })
    }

    fn weights(&mut self, value: &Value<'_>) -> Option<BTreeMap<Symbol, Weight>> {
        self.reader
            .by_symbol("weights", value, |reader, key, value| {
                reader.amount(key, value, Weight::new)
            })
    }

    fn error(&mut self, value: &Value<'_>) -> Option<ExpectedError> {
        let table = self.reader.table("error", value)?;
        self.reader
            .known_keys(table, &["class", "symbol", "message"]);
        let mut text = |key: &str| {
            let value = table.get(key)?;
            self.reader.string(key, value).map(str::to_owned)
        };
        let (class, symbol, message) = (text("class"), text("symbol"), text("message"));
        if !table.contains_key("class") {
            let message = "an error is expected by its `class`, such as \
                           `{ class = \"InsufficientHistory\" }`";
            self.reader.mistake(value.span(), message);
        }
        Some(ExpectedError {
            class: class?,
            symbol,
            message,
        })
    }

    fn plan(
        &mut self,
        request: &Value<'_>,
        expect: &[Value<'_>],
        parameters: Option<&serde_json::Value>,
    ) -> Option<Task> {
        let request = plan::request(self.reader, request, parameters);
        let mut items = Vec::new();
        let mut error = None;
        for (index, value) in expect.iter().enumerate() {
            let Some(table) = self.reader.table("expect", value) else {
                continue;
            };
            match table.get("error") {
                Some(expected) if expect.len() == 1 && table.len() == 1 => {
                    let line = self.reader.line(value.span().start);
                    error = self.error(expected).map(|error| (line, error));
                }
                Some(_) => {
                    let message = "an `error` is expected alone, since there is then no plan";
                    self.reader.mistake(value.span(), message);
                }
                None => items.extend(plan::expected_item(self.reader, index, value, table)),
            }
        }
        Some(Task::Plan(Box::new(PlanTask {
            request: request?,
            items,
            error,
        })))
    }
}
