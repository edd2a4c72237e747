//! Settings: defaults, then `alchemiser.toml`, then the environment.

use crate::failure::{CommandFailure, CommandResult};
use alchemiser_broker::PaperSettings;
use alchemiser_events::{AccountName, DEFAULT_LARGEST_ENTRY, Decimal, LARGEST_ENTRY, decimal_text};
use alchemiser_sandbox::{LOG_TARGET, Limits, LogLevel};
use alchemiser_suggest::{instead_of, toml_mistake, with_advice};
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
    pub eventbridge: BusSettings,
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
    pub plugin: BTreeMap<String, PluginLimitSettings>,
}

/// `[sandbox.plugin.NAME]`: a profile, and what differs from it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginLimitSettings {
    /// What sort of plugin it is.
    pub profile: PluginProfile,
    /// As in `[sandbox.limits]`.
    pub memory_mib: Option<usize>,
    pub time_ms: Option<u64>,
    pub output_bytes: Option<usize>,
    pub log_lines: Option<u32>,
    pub component_mib: Option<usize>,
}

/// What sort of plugin it is, and with that the limits that it begins with.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginProfile {
    /// Compiled code, as from Rust; a plugin like any other.
    #[default]
    Compiled,
    /// Brings the interpreter of its language along, as from Python.
    Interpreter,
}

/// `[sandbox.limits]`
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
    /// Size of the component, MiB.
    pub component_mib: usize,
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

/// `[eventbridge]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// How long events are kept.
    pub archive_retention_days: u32,
    /// What an entry on the bus may be at most, bytes; larger events are
    /// packed.
    pub max_payload_size_bytes: usize,
}

impl BusSettings {
    /// How long events are kept.
    pub fn archive_retention(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.archive_retention_days))
    }
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            archive_retention_days: 365,
            max_payload_size_bytes: DEFAULT_LARGEST_ENTRY,
        }
    }
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
                .map(|(name, limits)| (name, PluginLimitSettings::larger_memory(limits)))
                .collect(),
        }
    }
}

impl PluginLimitSettings {
    /// Of a shipped plugin, which differs in nothing but its memory.
    fn larger_memory(limits: Limits) -> Self {
        Self {
            memory_mib: Some(limits.memory / MIB),
            ..Self::default()
        }
    }

    /// All limits; `others` are those of plugins that have none of their own.
    fn limits(&self, others: Limits) -> Limits {
        let profile = match self.profile {
            PluginProfile::Compiled => others,
            PluginProfile::Interpreter => Limits::of_an_interpreter(),
        };
        Limits {
            memory: self.memory_mib.map_or(profile.memory, bytes),
            time: self.time_ms.map_or(profile.time, Duration::from_millis),
            output: self.output_bytes.unwrap_or(profile.output),
            log_lines: self.log_lines.unwrap_or(profile.log_lines),
            component: self.component_mib.map_or(profile.component, bytes),
            ..profile
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

/// Nobody has more than can be counted.
fn bytes(mib: usize) -> usize {
    mib.saturating_mul(MIB)
}

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        Self {
            memory_mib: limits.memory / MIB,
            // Limits of a century do not occur.
            time_ms: u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX),
            output_bytes: limits.output,
            log_lines: limits.log_lines,
            component_mib: limits.component / MIB,
        }
    }
}

impl From<&LimitSettings> for Limits {
    fn from(settings: &LimitSettings) -> Self {
        Self {
            memory: bytes(settings.memory_mib),
            time: Duration::from_millis(settings.time_ms),
            output: settings.output_bytes,
            log_lines: settings.log_lines,
            component: bytes(settings.component_mib),
            ..Self::default()
        }
    }
}

impl SandboxSettings {
    /// The limits of a plugin.
    pub fn limits_of(&self, plugin: &str) -> Limits {
        self.sandbox().limits_of(plugin)
    }

    /// As the sandbox takes them.
    pub fn sandbox(&self) -> alchemiser_sandbox::Settings {
        let limits = Limits::from(&self.limits);
        alchemiser_sandbox::Settings {
            instances: self.instances,
            limits,
            limits_by_plugin: self
                .plugin
                .iter()
                .map(|(name, of_plugin)| (name.clone(), of_plugin.limits(limits)))
                .collect(),
            log_level: if tracing::enabled!(target: LOG_TARGET, tracing::Level::DEBUG) {
                LogLevel::Debug
            } else {
                LogLevel::Info
            },
            ..alchemiser_sandbox::Settings::default()
        }
    }
}

impl Settings {
    /// The names of the sections, each a prefix of environment variables.
    const SECTIONS: [&'static str; 11] = [
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
        "eventbridge",
    ];

    /// Read where routes.toml asks for it.
    const OF_ROUTES: &'static str = "eventbridge__event_bus_name";

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
            let section = name.split_once("__").map(|(section, _)| section);
            name != Self::OF_ROUTES && section.is_some_and(|name| Self::SECTIONS.contains(&name))
        };
        figment = figment.merge(Env::raw().filter(ours).split("__"));
        let settings: Self = figment.extract().map_err(|error| {
            let message = error
                .into_iter()
                .map(|error| describe(&error))
                .collect::<Vec<_>>()
                .join("; ");
            CommandFailure::usage("ConfigurationError", message)
        })?;
        match settings.out_of_range() {
            Some((name, demand)) => Err(CommandFailure::usage(
                "ConfigurationError",
                format!("setting `{name}` must be {demand}"),
            )),
            None => Ok(settings),
        }
    }

    /// The first setting that makes no sense, and what it must be.
    fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let share = |value: Decimal| (Decimal::ZERO..=Decimal::ONE).contains(&value);
        let amount = |value: Decimal| {
            (Decimal::ZERO..=Decimal::from(1_000_000_000_000_u64)).contains(&value)
        };
        let general = &self.sandbox.limits;
        let own: Vec<_> = self.sandbox.plugin.values().collect();
        let (paper, portfolio, retry) = (&self.paper, &self.portfolio, &self.retry);
        let name = "lower-case letters, digits and `-`";
        let money = "an amount from 0 to a million millions";
        [
            (is_name(&self.app.stage), "app.stage", name),
            (is_name(self.app.account.as_str()), "app.account", name),
            (
                amount(paper.starting_cash) && !paper.starting_cash.is_zero(),
                "paper.starting_cash",
                "an amount above 0, up to a million millions",
            ),
            (
                paper.spread_bps >= Decimal::ZERO && paper.spread_bps < Decimal::from(20_000),
                "paper.spread_bps",
                "from 0 to below 20000, where the bid would be 0",
            ),
            (
                share(self.alpaca.cash_reserve_pct) && self.alpaca.cash_reserve_pct < Decimal::ONE,
                "alpaca.cash_reserve_pct",
                "a share from 0 to below 1",
            ),
            (
                share(portfolio.max_position),
                "portfolio.max_position",
                "a share from 0 to 1",
            ),
            (
                share(portfolio.min_trade_pct),
                "portfolio.min_trade_pct",
                "a share from 0 to 1",
            ),
            (
                share(portfolio.rebalance_threshold),
                "portfolio.rebalance_threshold",
                "a share from 0 to 1",
            ),
            (
                amount(portfolio.min_trade_usd),
                "portfolio.min_trade_usd",
                money,
            ),
            (
                amount(self.execution.min_order_usd),
                "execution.min_order_usd",
                money,
            ),
            (
                (1..=1_000).contains(&self.sandbox.instances),
                "sandbox.instances",
                "from 1 to 1000",
            ),
            (
                (own.iter().filter_map(|limits| limits.memory_mib))
                    .chain([general.memory_mib])
                    .all(|mib| (1..=4096).contains(&mib)),
                "sandbox.limits.memory_mib",
                "from 1 to 4096, for each plugin as well",
            ),
            (
                (own.iter().filter_map(|limits| limits.time_ms))
                    .chain([general.time_ms])
                    .all(|time| (1..=3_600_000).contains(&time)),
                "sandbox.limits.time_ms",
                "from 1 to an hour, for each plugin as well",
            ),
            (
                (own.iter().filter_map(|limits| limits.output_bytes))
                    .chain([general.output_bytes])
                    .all(|bytes| (1..=1 << 30).contains(&bytes)),
                "sandbox.limits.output_bytes",
                "from 1 to 1 GiB, for each plugin as well",
            ),
            (
                (1..=retry.cap_ms).contains(&retry.base_ms),
                "retry.base_ms",
                "from 1 to `retry.cap_ms`",
            ),
            (
                (1..=3_600_000).contains(&retry.cap_ms),
                "retry.cap_ms",
                "from 1 to an hour",
            ),
            (
                (1..=86_400).contains(&retry.lease_s),
                "retry.lease_s",
                "from 1 to a day",
            ),
            (
                (1..=36_500).contains(&self.eventbridge.archive_retention_days),
                "eventbridge.archive_retention_days",
                "from 1 to a hundred years",
            ),
            (
                LARGEST_ENTRY.contains(&self.eventbridge.max_payload_size_bytes),
                "eventbridge.max_payload_size_bytes",
                "from 4096 to 1048576, which is EventBridge's own limit",
            ),
        ]
        .into_iter()
        .find_map(|(holds, name, demand)| (!holds).then_some((name, demand)))
    }
}

/// Names become parts of identifiers, so they are kept to one spelling.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
                toml_mistake(error.message(), &text, error.span().unwrap_or(0..0))
            ))
        })
}

fn describe(error: &figment::Error) -> String {
    let from_environment = error
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.source.is_none());
    let mut setting = format!("setting `{}`", error.path.join("."));
    if from_environment {
        let variable = error.path.join("__").to_ascii_uppercase();
        setting.push_str(&format!(" (environment variable `{variable}`)"));
    }
    let problem = match &error.kind {
        figment::error::Kind::UnknownField(name, known) => {
            format!("unknown key `{name}`; {}", instead_of(name, known))
        }
        kind => with_advice(&kind.to_string()),
    };
    format!("{setting}: {problem}")
}
