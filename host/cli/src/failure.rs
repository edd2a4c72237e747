//! How a command fails.

use crate::refusal::Refusal;
use alchemiser_events::ErrorDetail;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::process::ExitCode;

/// What a command comes to.
pub type CommandResult<T = ()> = Result<T, CommandFailure>;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum CommandFailure {
    /// Wrong usage or configuration: nothing was begun.
    Usage(ErrorDetail),
    /// A text was refused, and each mistake in it can be shown.
    Refused(Box<Refusal>),
    /// It was begun and failed.
    Failed(ErrorDetail),
    /// It failed, and has said why on stdout.
    AlreadyReported,
    /// What it was given was refused, and it has said why on stdout.
    RefusedAndReported,
}

impl CommandFailure {
    /// Wrong usage or configuration.
    pub fn usage(class: &str, message: impl Display) -> Self {
        Self::Usage(detail(class, message))
    }

    /// Anything else.
    pub fn failed(class: &str, message: impl Display) -> Self {
        Self::Failed(detail(class, message))
    }

    /// 2 for wrong usage or configuration, 1 otherwise.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Refused(_) | Self::RefusedAndReported => ExitCode::from(2),
            Self::Failed(_) | Self::AlreadyReported => ExitCode::from(1),
        }
    }

    /// Why, in one object: of several mistakes the first.
    pub fn detail(&self) -> ErrorDetail {
        match self {
            Self::Usage(error) | Self::Failed(error) => error.clone(),
            Self::Refused(refusal) => {
                let (class, message) = refusal.gist();
                detail(class, message)
            }
            Self::AlreadyReported | Self::RefusedAndReported => {
                detail("Reported", "the reason is printed above")
            }
        }
    }

    /// Says why, on stderr; for scripts on stdout as well.
    pub fn print(&self, json: bool) {
        let detail = match self {
            Self::Usage(detail) | Self::Failed(detail) => detail,
            Self::Refused(refusal) => return refusal.print(json),
            Self::AlreadyReported | Self::RefusedAndReported => return,
        };
        eprintln!("error: {}", detail.message);
        if json {
            println!("{}", serde_json::json!({"error": error_json(detail)}));
        }
    }
}

fn detail(class: &str, message: impl Display) -> ErrorDetail {
    ErrorDetail {
        class: class.to_owned(),
        message: message.to_string(),
        retryable: false,
        context: BTreeMap::new(),
    }
}

/// `{class, message, …its fields}`; numbers are numbers.
pub fn error_json(detail: &ErrorDetail) -> serde_json::Value {
    let mut error = serde_json::Map::new();
    error.insert("class".to_owned(), detail.class.clone().into());
    error.insert("message".to_owned(), detail.message.clone().into());
    for (name, value) in &detail.context {
        let value = value
            .parse::<i64>()
            .map_or_else(|_| value.clone().into(), Into::into);
        error.insert(name.clone(), value);
    }
    error.into()
}
