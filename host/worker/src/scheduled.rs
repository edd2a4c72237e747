//! The commands that schedules give.

use crate::command::{StartCommand, Started, start_workflow};
use crate::failure::Failure;
use crate::ports::{StoreError, Workflows};
use crate::workflow::Workflow;
use alchemiser_broker::{Broker, BrokerError};
use alchemiser_events::{
    AccountName, CorrelationId, ErrorDetail, SessionDate, Timestamp, TradingMode,
    WorkflowConfiguration,
};
use alchemiser_market::{Market, PriceSource, exchange_date, exchange_time};
use alchemiser_rules::{Routes, Schedule};
use alchemiser_suggest::with_advice;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::sync::Arc;

/// A command, as it stands in the `input` of a schedule. Unknown keys and modes
/// are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledCommand {
    /// What is to be done. There is no default: trading is not to be had by
    /// leaving something out.
    pub mode: Mode,
    /// Whether real money moves, which must be so; left out it does not matter.
    #[serde(default)]
    pub trading_mode: Option<TradingMode>,
    /// The version of this form.
    #[serde(default)]
    pub schema_version: InputVersion,
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Run a workflow, from prices to orders.
    Trade,
}

/// The version of the form of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum InputVersion {
    /// The first one.
    #[default]
    #[serde(rename = "1.0")]
    One,
}

/// A schedule whose command cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule `{schedule}`: {problem}")]
pub struct CommandMistake {
    /// Its name.
    pub schedule: String,
    /// Its line in the file.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl ScheduledCommand {
    /// The command of a schedule, given to a broker of this mode.
    ///
    /// # Errors
    ///
    /// It has none, or one that there is not, or one for another kind of
    /// account.
    pub fn of(schedule: &Schedule, at_hand: TradingMode) -> Result<Self, CommandMistake> {
        let mistake = |problem| CommandMistake {
            schedule: schedule.name.to_string(),
            line: schedule.line,
            problem,
        };
        let command = Self::read(schedule.input.as_ref()).map_err(mistake)?;
        match command.trading_mode {
            Some(wanted) if wanted != at_hand => Err(mistake(format!(
                "`input` is for {} trading, and the broker's account is for {} trading",
                name(wanted),
                name(at_hand)
            ))),
            _ => Ok(command),
        }
    }

    fn read(input: Option<&Map<String, Value>>) -> Result<Self, String> {
        let Some(input) = input else {
            return Err("it has no `input`; write `input = { mode = \"trade\" }`".to_owned());
        };
        serde_json::from_value(Value::Object(input.clone()))
            .map_err(|error| format!("`input`: {}", with_advice(&error.to_string())))
    }
}

fn name(mode: TradingMode) -> &'static str {
    match mode {
        TradingMode::Paper => "paper",
        TradingMode::Live => "live",
    }
}

/// Every schedule in force whose command cannot be given, so that it is known
/// before its time has come.
pub fn command_mistakes(routes: &Routes, at_hand: TradingMode) -> Vec<CommandMistake> {
    let in_force = routes
        .schedules()
        .iter()
        .filter(|schedule| schedule.enabled);
    in_force
        .filter_map(|schedule| ScheduledCommand::of(schedule, at_hand).err())
        .collect()
}

/// What became of a command that a schedule gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// It began this workflow.
    Started(CorrelationId),
    /// This workflow had begun before; nothing is done twice.
    StartedBefore(CorrelationId),
    /// There was nothing to do, for this reason.
    Skipped(String),
    /// It must not be done, for this reason. The owner is told.
    Refused(ErrorDetail),
    /// It cannot be done at the moment, for this reason.
    NotNow(String),
}

impl Given {
    fn refused(class: &str, message: impl Display) -> Self {
        Self::Refused(Failure::permanent(class, message).into())
    }
}

impl From<BrokerError> for Given {
    fn from(error: BrokerError) -> Self {
        if error.is_retryable() {
            Self::NotNow(error.to_string())
        } else {
            Self::refused("BrokerError", error)
        }
    }
}

/// Runs workflows at the times that schedules say.
pub struct ScheduledTrading {
    /// Whose calendar counts, and whose account is traded.
    pub broker: Arc<dyn Broker>,
    /// Gives all prices, as fresh as there are.
    pub prices: Arc<dyn PriceSource>,
    /// Where workflows begin.
    pub workflows: Arc<dyn Workflows>,
    /// The account that is traded.
    pub account: AccountName,
    /// Deployment stage, such as `dev`.
    pub stage: String,
    /// The book of strategies.
    pub strategy_profile: String,
}

impl ScheduledTrading {
    /// Runs the workflow of a scheduled time. That time is the workflow's
    /// clock, and the last session that had closed by then is the one decided
    /// on; a made-up run decides and trades as a punctual one would have.
    ///
    /// # Errors
    ///
    /// When the stores cannot be used.
    pub async fn give(&self, schedule: &Schedule, at: Timestamp) -> Result<Given, StoreError> {
        let ScheduledCommand {
            mode: Mode::Trade, ..
        } = match ScheduledCommand::of(schedule, self.broker.trading_mode()) {
            Ok(command) => command,
            Err(mistake) => return Ok(Given::refused("CommandError", mistake.problem)),
        };
        let session = match self.session(at).await {
            Ok(session) => session,
            Err(given) => return Ok(given),
        };
        let command = StartCommand {
            account: self.account.clone(),
            slot: slot(at),
            clock: at,
            configuration: WorkflowConfiguration {
                trading_mode: self.broker.trading_mode(),
                stage: self.stage.clone(),
                strategy_profile: self.strategy_profile.clone(),
                session,
                dry_run: false,
            },
            requested_by: schedule.name.to_string(),
            rerun: false,
        };
        let started = start_workflow(self.workflows.as_ref(), &command).await?;
        Ok(became(started, session))
    }

    /// The session to decide on, of which there must be prices; or why there is
    /// none.
    async fn session(&self, at: Timestamp) -> Result<SessionDate, Given> {
        if !self.broker.market_is_open(at).await? {
            let day = self.broker.trading_day(exchange_date(at)).await?;
            let reason = day.closed_at(at);
            let reason = reason.as_deref().unwrap_or("the broker says so");
            return Err(Given::Skipped(format!("market closed: {reason}")));
        }
        let session = self.broker.last_session(at).await?;
        let market = self.prices.load(&[]).await;
        let market = market.map_err(|error| Given::refused("PriceError", error))?;
        fresh(&market, session, at)?;
        Ok(session)
    }
}

/// Old prices are not traded on, and neither are those of a session that the
/// exchange did not hold.
fn fresh(market: &Market, session: SessionDate, at: Timestamp) -> Result<(), Given> {
    let calendar = market.calendar();
    let last = calendar
        .last_closed(at)
        .and_then(|last| calendar.date(last));
    let (class, message) = match last {
        Some(last) if last == session => return Ok(()),
        Some(last) if last > session => (
            "PriceError",
            format!(
                "the prices have a session on {last}, and by the calendar the last one was on \
                 {session}"
            ),
        ),
        Some(last) => (
            "StalePrices",
            format!("the prices end on {last}, and the last session was on {session}"),
        ),
        None => (
            "StalePrices",
            format!("there are no prices up to {session}, the last session"),
        ),
    };
    let refusal = Failure::permanent(class, message).with("last_session", session);
    Err(Given::Refused(refusal.into()))
}

/// The time of day in New York, `HHMM`, which is part of the workflow's name.
fn slot(at: Timestamp) -> String {
    exchange_time(at).strftime("%H%M").to_string()
}

fn became(started: Started, session: SessionDate) -> Given {
    let name = |workflow: Workflow| workflow.correlation_id;
    match started {
        Started::Created(workflow) => Given::Started(name(workflow)),
        Started::Unfinished(workflow)
        | Started::AlreadyEnded(workflow)
        | Started::FailedAfterOrders(workflow) => Given::StartedBefore(name(workflow)),
        Started::Busy(workflow) => Given::NotNow(format!("{} has not ended", name(workflow))),
        Started::Superseded { last } => Given::refused(
            "Superseded",
            format!(
                "account `{}` has already traded on {}, and cannot go back to {session}",
                last.account,
                last.session()
            ),
        ),
    }
}
