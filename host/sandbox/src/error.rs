//! Why a call into a plugin failed.

use crate::inspect::Kind;
use crate::settings::Limits;
use crate::text::{Bytes, clip, clip_line};
use alchemiser_events::{ErrorDetail, ProducedBy};
use alchemiser_market::{AdvanceError, ViolationError};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{PoolConcurrencyLimitError, Trap};

/// A call into a plugin failed. The plugin's instance may have ended; the
/// sandbox and all other instances go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("plugin `{}` (interface {}, build {}) failed to {call}: {failure}",
    .plugin.plugin, .plugin.version, .plugin.sha256.short())]
pub struct CallError {
    /// The build that was called.
    pub plugin: Arc<ProducedBy>,
    /// What it was asked.
    pub call: Call,
    /// Why it has no answer.
    pub failure: Box<Failure>,
}

/// What a plugin was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// To read its parameters and files.
    Load,
    /// To name the symbols that it looks at.
    Requirements,
    /// To give weights as of a session.
    Evaluate,
    /// To make a rebalance plan.
    Plan,
}

impl Call {
    /// The name of the function.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Requirements => "requirements",
            Self::Evaluate => "evaluate",
            Self::Plan => "plan",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load => formatter.write_str("load"),
            Self::Requirements => formatter.write_str("name its requirements"),
            Self::Evaluate => formatter.write_str("evaluate"),
            Self::Plan => formatter.write_str("plan"),
        }
    }
}

/// Why a plugin has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// It needed more than it may use.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// Its code crashed.
    #[error("{message}")]
    Trap {
        /// How; the plugin's own panic message where it left one.
        message: String,
    },
    /// It asked for prices that it may not see.
    #[error(transparent)]
    Violation(#[from] ViolationError),
    /// It answered with something that is no answer.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// It could not answer, and says why.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The host asked for a session that it may not ask for.
    #[error(transparent)]
    Advance(#[from] AdvanceError),
    /// An earlier call failed and ended the instance.
    #[error("the instance ended with an earlier failure; make a new one")]
    Ended,
    /// The plugin is of the other kind.
    #[error("it is a {is} plugin, and a {wanted} plugin is needed")]
    WrongKind {
        /// What it is.
        is: Kind,
        /// What is needed.
        wanted: Kind,
    },
    /// As many instances live as may live at once.
    #[error("all {instances} instances of the sandbox are in use; let some end, or allow more")]
    Busy {
        /// How many may live at once.
        instances: u32,
    },
}

/// A plugin needed more than it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Wall time.
    #[error("it ran longer than its time limit of {} s", .limit.as_secs_f64())]
    Time {
        /// Time for a call.
        limit: Duration,
    },
    /// Linear memory.
    #[error("it needed more memory than its limit of {}", Bytes(*.limit))]
    Memory {
        /// Bytes.
        limit: usize,
    },
    /// Calls nested too deep.
    #[error("its calls nested deeper than the stack of {}; look for an endless recursion", Bytes(*.limit))]
    Stack {
        /// Bytes.
        limit: usize,
    },
    /// An answer, or text for an import, that is too large.
    #[error("it handed over more data than its output limit of {}", Bytes(*.limit))]
    Output {
        /// Bytes.
        limit: usize,
    },
    /// Too many log lines.
    #[error("it wrote more log lines than its limit of {limit}")]
    Log {
        /// Lines in a call.
        limit: u32,
    },
    /// A function table that is too large.
    #[error("it needed a table larger than its limit of {limit} elements")]
    Table {
        /// Elements.
        limit: usize,
    },
}

impl Limit {
    fn class(self) -> &'static str {
        match self {
            Self::Time { .. } => "TimeLimit",
            Self::Memory { .. } => "MemoryLimit",
            Self::Stack { .. } => "StackOverflow",
            Self::Output { .. } => "OutputLimit",
            Self::Log { .. } => "LogLimit",
            Self::Table { .. } => "TableLimit",
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Time { limit } => json!(limit.as_secs_f64()),
            Self::Memory { limit }
            | Self::Stack { limit }
            | Self::Output { limit }
            | Self::Table { limit } => json!(limit),
            Self::Log { limit } => json!(limit),
        }
    }
}

/// A plugin answered with something that is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadAnswer {
    /// The text is no ticker symbol.
    #[error("`{text}` is in the answer and is not a symbol")]
    NotASymbol {
        /// What it wrote.
        text: String,
    },
    /// A symbol that it did not declare, or was not asked about.
    #[error("`{symbol}` is in the answer and not among the {known}")]
    UnknownSymbol {
        /// The symbol.
        symbol: String,
        /// What it should be among.
        known: &'static str,
    },
    /// A symbol occurs more than once.
    #[error("`{symbol}` is in the answer more than once")]
    Duplicate {
        /// The symbol.
        symbol: String,
    },
    /// A weight that is no number.
    #[error("the weight of `{symbol}` is {weight}, which is not a finite number")]
    NotFinite {
        /// The symbol.
        symbol: String,
        /// NaN or an infinity.
        weight: f64,
    },
    /// A weight below 0.
    #[error("the weight of `{symbol}` is {weight}, which is below 0")]
    Negative {
        /// The symbol.
        symbol: String,
        /// Below 0.
        weight: f64,
    },
    /// A weight above 1.
    #[error("the weight of `{symbol}` is {weight}, which is above 1")]
    AboveOne {
        /// The symbol.
        symbol: String,
        /// Above 1.
        weight: f64,
    },
    /// Weights that add up to more than 1.
    #[error(
        "the weights add up to {sum}, which is above 1; `{symbol}` with {weight} is the largest"
    )]
    SumAboveOne {
        /// The sum.
        sum: alchemiser_events::Decimal,
        /// The symbol with the largest weight.
        symbol: String,
        /// Its weight.
        weight: alchemiser_events::Weight,
    },
    /// A field of a plan that does not hold what it should.
    #[error("`{field}`{} is `{value}`: {problem}", .symbol.as_ref().map(|symbol| format!(" of `{symbol}`")).unwrap_or_default())]
    Field {
        /// Name of the field.
        field: &'static str,
        /// The item's symbol, if the field is an item's.
        symbol: Option<String>,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl BadAnswer {
    /// Stable name of what is wrong.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotASymbol { .. } => "NotASymbol",
            Self::UnknownSymbol { .. } => "UnknownSymbol",
            Self::Duplicate { .. } => "Duplicate",
            Self::NotFinite { .. } => "NotFinite",
            Self::Negative { .. } => "Negative",
            Self::AboveOne { .. } => "AboveOne",
            Self::SumAboveOne { .. } => "SumAboveOne",
            Self::Field { .. } => "Field",
        }
    }

    fn symbol(&self) -> Option<&str> {
        match self {
            Self::NotASymbol { text } => Some(text),
            Self::UnknownSymbol { symbol, .. }
            | Self::Duplicate { symbol }
            | Self::NotFinite { symbol, .. }
            | Self::Negative { symbol, .. }
            | Self::AboveOne { symbol, .. }
            | Self::SumAboveOne { symbol, .. } => Some(symbol),
            Self::Field { symbol, .. } => symbol.as_deref(),
        }
    }
}

/// A plugin could not answer, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    /// Stable name that programs match on.
    pub class: String,
    /// For a person.
    pub message: String,
    /// Line in a file handed to `load`, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// The symbol that it is about.
    pub symbol: Option<String>,
    /// Bars needed…
    pub need: Option<u32>,
    /// …and bars there.
    pub have: Option<u32>,
    /// The operator, parameter or quantity that it is about.
    pub what: Option<String>,
}

impl PluginError {
    const NAME: usize = 64;
    const MESSAGE: usize = 4096;
}

impl From<crate::bindings::strategy::alchemiser::plugin::types::Error> for PluginError {
    fn from(error: crate::bindings::strategy::alchemiser::plugin::types::Error) -> Self {
        let name = |text: String| clip_line(&text, Self::NAME);
        Self {
            class: name(error.class),
            message: clip(&error.message, Self::MESSAGE),
            line: error.line,
            column: error.column,
            symbol: error.symbol.map(name),
            need: error.need,
            have: error.have,
            what: error.what.map(name),
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(formatter, "line {line}: ")?,
            (None, _) => {}
        }
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for PluginError {}

impl Failure {
    /// Stable name that programs match on; the plugin's own where it says why.
    #[must_use]
    pub fn class(&self) -> &str {
        match self {
            Self::Limit(limit) => limit.class(),
            Self::Trap { .. } => "Trap",
            Self::Violation(violation) => violation_class(violation),
            Self::BadAnswer(_) => "BadAnswer",
            Self::Plugin(error) => &error.class,
            Self::Advance(AdvanceError::Backwards { .. }) => "SessionOrder",
            Self::Advance(AdvanceError::PastTheEnd { .. }) => "NoSession",
            Self::Ended => "InstanceEnded",
            Self::WrongKind { .. } => "WrongKind",
            Self::Busy { .. } => "SandboxBusy",
        }
    }

    /// Whether the same call could succeed later. Plugins are deterministic, so
    /// only a want of room is; time is not, since an honest call takes less
    /// than a thousandth of its limit.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// What an instance can still be used after: it answered, and the answer
    /// was an error or wrong.
    pub(crate) fn leaves_instance_usable(&self) -> bool {
        matches!(
            self,
            Self::BadAnswer(_) | Self::Plugin(_) | Self::Advance(_)
        )
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        match self {
            Self::Limit(limit) => put("limit", Some(limit.value())),
            Self::Plugin(error) => {
                put("line", error.line.map(Value::from));
                put("column", error.column.map(Value::from));
                put("symbol", error.symbol.clone().map(Value::from));
                put("need", error.need.map(Value::from));
                put("have", error.have.map(Value::from));
                put("what", error.what.clone().map(Value::from));
            }
            Self::BadAnswer(bad) => {
                put("reason", Some(bad.reason().into()));
                put("symbol", bad.symbol().map(Value::from));
            }
            Self::Violation(violation) => match violation {
                ViolationError::LookAhead { asked, .. } => put("asked", Some(asked.0.into())),
                ViolationError::UndeclaredSymbol { name } => {
                    put("symbol", Some(clip_line(name, PluginError::NAME).into()));
                }
                ViolationError::UndeclaredHistory {
                    symbol,
                    declared,
                    needed,
                } => {
                    put("symbol", Some(symbol.as_str().into()));
                    put("need", Some((*needed).into()));
                    put("have", Some((*declared).into()));
                }
                ViolationError::RecursiveOnPart { symbol, .. } => {
                    put("symbol", Some(symbol.as_str().into()));
                }
                ViolationError::NotEvaluating
                | ViolationError::UnknownHandle { .. }
                | ViolationError::TooManySeries { .. } => {}
            },
            Self::Trap { .. }
            | Self::Advance(_)
            | Self::Ended
            | Self::WrongKind { .. }
            | Self::Busy { .. } => {}
        }
        fields
    }
}

fn violation_class(violation: &ViolationError) -> &'static str {
    match violation {
        ViolationError::NotEvaluating => "MarketUnavailable",
        ViolationError::LookAhead { .. } => "LookAhead",
        ViolationError::UndeclaredSymbol { .. }
        | ViolationError::UndeclaredHistory { .. }
        | ViolationError::RecursiveOnPart { .. } => "Undeclared",
        ViolationError::UnknownHandle { .. } => "UnknownHandle",
        ViolationError::TooManySeries { .. } => "SeriesLimit",
    }
}

impl CallError {
    /// Stable name that programs match on.
    #[must_use]
    pub fn class(&self) -> &str {
        self.failure.class()
    }

    /// Whether the same call could succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.failure.retryable()
    }

    /// What the error says beside class and message: plugin, build, call, and
    /// what the failure itself is about (`limit`, `symbol`, `line`, …).
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = self.failure.fields();
        fields.insert("plugin".to_owned(), self.plugin.plugin.clone().into());
        fields.insert("interface".to_owned(), self.plugin.version.clone().into());
        fields.insert("sha256".to_owned(), self.plugin.sha256.to_string().into());
        fields.insert("call".to_owned(), self.call.name().into());
        fields
    }

    /// What its author or the owner of the worker can do about it; empty where
    /// that is for them to find out.
    #[must_use]
    pub fn advice(&self) -> String {
        let (do_this, setting) = match &*self.failure {
            Failure::Limit(Limit::Time { .. }) => ("do less in a call", "time_ms"),
            Failure::Limit(Limit::Memory { .. }) => ("keep less", "memory_mib"),
            Failure::Limit(Limit::Output { .. }) => ("hand over less", "output_bytes"),
            Failure::Limit(Limit::Log { .. }) => ("log less", "log_lines"),
            Failure::Violation(ViolationError::LookAhead { .. }) => {
                return "read no session after the one that `evaluate` is given".to_owned();
            }
            Failure::Limit(Limit::Stack { .. } | Limit::Table { .. })
            | Failure::Trap { .. }
            | Failure::Violation(_)
            | Failure::BadAnswer(_)
            | Failure::Plugin(_)
            | Failure::Advance(_)
            | Failure::Ended
            | Failure::WrongKind { .. }
            | Failure::Busy { .. } => return String::new(),
        };
        format!(
            "{do_this}, or allow more with `{setting}` under `[sandbox.plugin.{}]` in \
             alchemiser.toml",
            self.plugin.plugin
        )
    }

    /// The error as events carry it.
    #[must_use]
    pub fn detail(&self) -> ErrorDetail {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        // What a plugin says of itself is clear as it stands; which build said
        // it is in the fields.
        let message = match &*self.failure {
            Failure::Plugin(error) => error.to_string(),
            _ => match self.advice() {
                advice if advice.is_empty() => self.to_string(),
                advice => format!("{self}; {advice}"),
            },
        };
        ErrorDetail {
            class: self.class().to_owned(),
            message,
            retryable: self.retryable(),
            context: self
                .fields()
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        }
    }
}

/// Finds out what ended a call.
pub(crate) fn failure(
    error: wasmtime::Error,
    limits: &Limits,
    instances: u32,
    panic: Option<String>,
) -> Failure {
    let error = match error.downcast::<Failure>() {
        // The host ended it, and said why.
        Ok(failure) => return failure,
        Err(error) => error,
    };
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::Busy { instances };
    }
    let trap = error.downcast_ref::<Trap>().copied();
    match trap {
        Some(Trap::Interrupt) => Failure::Limit(Limit::Time { limit: limits.time }),
        Some(Trap::StackOverflow) => Failure::Limit(Limit::Stack {
            limit: crate::engine::STACK,
        }),
        Some(Trap::MemoryOutOfBounds) => Failure::Trap {
            // The stack of local variables lies at the bottom of a plugin's
            // memory, so running out of it looks the same as a stray pointer.
            message: "it read or wrote outside its memory; a recursion that is too deep also does"
                .to_owned(),
        },
        Some(Trap::UnreachableCodeReached) => Failure::Trap {
            message: panic.unwrap_or_else(|| "it panicked or aborted, without a word".to_owned()),
        },
        Some(trap) => Failure::Trap {
            message: trap.to_string(),
        },
        None if is_output_exhausted(&error) => Failure::Limit(Limit::Output {
            limit: limits.output,
        }),
        None => Failure::Trap {
            message: format!(
                "its data cannot be read: {}",
                clip_line(&format!("{error:#}"), PluginError::MESSAGE)
            ),
        },
    }
}

/// Wasmtime keeps the type of this error to itself, so its text has to do; the
/// tests of the output limit fail if it ever changes.
fn is_output_exhausted(error: &wasmtime::Error) -> bool {
    error
        .root_cause()
        .to_string()
        .contains("fuel allocated for hostcalls has been exhausted")
}
