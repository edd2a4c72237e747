//! Settings: defaults, then `alchemiser.toml`, then the environment.

use crate::failure::{CommandFailure, CommandResult};
use alchemiser_broker::PaperSettings;
use alchemiser_events::{AccountName, Decimal, decimal_text};
use alchemiser_sandbox::Limits;
use alchemiser_worker::{ExecutionSettings, PortfolioSettings, RetrySettings};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be set. Each field is a section of `alchemiser.toml`;
/// `portfolio.max_position` is also `PORTFOLIO__MAX_POSITION` in the
/// environment, which wins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub app: AppSettings,
    pub data: DataSettings,
    pub plugins: PluginSettings,
    pub sandbox: SandboxSettings,
    pub strategy: StrategySettings,
    pub alpaca: AlpacaSettings,
    pub portfolio: PortfolioSettings,
    pub execution: ExecutionSettings,
    pub paper: PaperSettings,
    pub retry: RetrySettings,
}

/// `[app]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppSettings {
    /// Deployment stage; part of every workflow's name.
    pub stage: String,
    /// Name of the account; part of every workflow's name.
    pub account: AccountName,
    /// The state directory.
    pub state: PathBuf,
}

/// `[data]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// A folder of price files, or one wide file.
    pub path: PathBuf,
}

/// `[plugins]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSettings {
    /// Where components lie.
    pub directory: PathBuf,
    /// The plugin that makes plans.
    pub portfolio: String,
}

/// `[sandbox]`: what a call into a plugin may use.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxSettings {
    /// Plugin instances that may live at once.
    pub instances: u32,
    /// Limits of plugins that have none of their own.
    pub limits: LimitSettings,
    /// Limits of single plugins.
    pub plugin: BTreeMap<String, LimitSettings>,
}

/// `[sandbox.limits]` and `[sandbox.plugin.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Memory, MiB.
    pub memory_mib: usize,
    /// Wall time of a call, milliseconds.
    pub time_ms: u64,
    /// Bytes of an answer.
    pub output_bytes: usize,
    /// Log lines of a call.
    pub log_lines: u32,
}

/// `[strategy]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StrategySettings {
    /// The book of strategies.
    pub book: PathBuf,
    /// Strategies evaluated at the same time; 0 is one for each processor.
    pub workers: usize,
}

/// `[alpaca]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlpacaSettings {
    /// Share of the portfolio value that stays uninvested.
    #[serde(with = "decimal_text")]
    pub cash_reserve_pct: Decimal,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            stage: "dev".to_owned(),
            account: AccountName::paper(),
            state: ".alchemiser".into(),
        }
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            path: "data".into(),
        }
    }
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            directory: "target/plugins".into(),
            portfolio: "rebalance".to_owned(),
        }
    }
}

impl Default for SandboxSettings {
    fn default() -> Self {
        let sandbox = alchemiser_sandbox::Settings::default();
        Self {
            instances: sandbox.instances,
            limits: sandbox.limits.into(),
            plugin: sandbox
                .limits_by_plugin
                .into_iter()
                .map(|(name, limits)| (name, limits.into()))
                .collect(),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Limits::default().into()
    }
}

impl Default for StrategySettings {
    fn default() -> Self {
        Self {
            book: "strategies/book.toml".into(),
            workers: 0,
        }
    }
}

impl Default for AlpacaSettings {
    fn default() -> Self {
        Self {
            cash_reserve_pct: Decimal::new(1, 2),
        }
    }
}

const MIB: usize = 1 << 20;

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        Self {
            memory_mib: limits.memory / MIB,
            // Limits of a century do not occur.
            time_ms: u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX),
            output_bytes: limits.output,
            log_lines: limits.log_lines,
        }
    }
}

impl From<&LimitSettings> for Limits {
    fn from(settings: &LimitSettings) -> Self {
        Self {
            memory: settings.memory_mib * MIB,
            time: Duration::from_millis(settings.time_ms),
            output: settings.output_bytes,
            log_lines: settings.log_lines,
            ..Self::default()
        }
    }
}

impl SandboxSettings {
    /// As the sandbox takes them.
    pub fn sandbox(&self) -> alchemiser_sandbox::Settings {
        alchemiser_sandbox::Settings {
            instances: self.instances,
            limits: (&self.limits).into(),
            limits_by_plugin: self
                .plugin
                .iter()
                .map(|(name, limits)| (name.clone(), limits.into()))
                .collect(),
            ..alchemiser_sandbox::Settings::default()
        }
    }
}

impl Settings {
    /// The names of the sections, each a prefix of environment variables.
    const SECTIONS: [&'static str; 10] = [
        "app",
        "data",
        "plugins",
        "sandbox",
        "strategy",
        "alpaca",
        "portfolio",
        "execution",
        "paper",
        "retry",
    ];

    /// Reads the settings; the file need not exist.
    pub fn load(path: &Path) -> CommandResult<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if path.is_file() {
            check_file(path)?;
            figment = figment.merge(Toml::file_exact(path));
        }
        // Variables outside our sections belong to others.
        let ours = |key: &figment::value::UncasedStr| {
            let name = key.as_str().to_ascii_lowercase();
            name.split_once("__")
                .is_some_and(|(section, _)| Self::SECTIONS.contains(&section))
        };
        figment = figment.merge(Env::raw().filter(ours).split("__"));
        figment.extract().map_err(|error| {
            let message = error
                .into_iter()
                .map(|error| describe(&error))
                .collect::<Vec<_>>()
                .join("; ");
            CommandFailure::usage("ConfigurationError", message)
        })
    }
}

/// Reads the file by itself first: a mistake in it has a line.
fn check_file(path: &Path) -> CommandResult {
    let wrong = |message: String| CommandFailure::usage("ConfigurationError", message);
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    toml::from_str::<Settings>(&text)
        .map(|_| ())
        .map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.bytes()
                    .take(span.start)
                    .filter(|&byte| byte == b'\n')
                    .count()
                    + 1
            });
            wrong(format!(
                "{}:{line}: {}",
                path.display(),
                suggest(error.message())
            ))
        })
}

fn describe(error: &figment::Error) -> String {
    let from_environment = error
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.source.is_none());
    let setting = if from_environment {
        let variable = error.path.join("__").to_ascii_uppercase();
        format!("environment variable `{variable}`")
    } else {
        format!("setting `{}`", error.path.join("."))
    };
    let problem = match &error.kind {
        figment::error::Kind::UnknownField(name, known) => unknown_key(name, known),
        kind => kind.to_string(),
    };
    format!("{setting}: {problem}")
}

/// serde's message names an unknown key and lists the known ones in prose.
fn suggest(message: &str) -> String {
    let message = message.trim();
    let Some((unknown, known)) = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once("`, expected "))
    else {
        return message.to_owned();
    };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    unknown_key(unknown, &known)
}

/// Says which of the known keys is meant, or lists them.
fn unknown_key(unknown: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(unknown, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, nearest)) => format!("unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => format!(
            "unknown key `{unknown}`; the keys here are {}",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_come_with_the_nearest() {
        assert_eq!(
            suggest("unknown field `stat`, expected one of `stage`, `account`, `state`"),
            "unknown key `stat`; did you mean `state`?"
        );
        assert_eq!(
            suggest("unknown field `colour`, expected `starting_cash` or `spread_bps`"),
            "unknown key `colour`; the keys here are starting_cash, spread_bps"
        );
    }
}
