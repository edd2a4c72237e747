//! All that works on deliveries, put together from a project.

use crate::arguments::Data;
use crate::commands::rules::findings;
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::notifier::LogNotifier;
use crate::project::Project;
use crate::sources::Sources;
use alchemiser_broker::{Broker, PaperBroker};
use alchemiser_events::{AccountName, ErrorDetail, Money, SessionDate, Timestamp};
use alchemiser_local::{Bus, Commands, Dispatch, Runner, StateDirectory};
use alchemiser_market::{CsvSource, Market, PriceSource, Requirement, SharedMarket, SourceError};
use alchemiser_rules::{Routes, Schedule};
use alchemiser_sandbox::{Kind, Plugin};
use alchemiser_worker::{
    BookStrategy, Dispatcher, ExecutionHandler, Given, Handler, NotificationHandler, OnFailure,
    OpenStrategy, OrchestrationHandler, PortfolioHandler, ScheduledTrading, StoreError,
    StrategyHandler,
};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deliveries worked on at a time; a workflow is a chain, and rarely has two.
const CONCURRENCY: usize = 4;

/// What decides where events go, what is held and what is traded. It may be
/// replaced while a worker works.
pub struct Setup {
    /// Where events go.
    pub routes: Arc<Routes>,
    /// In the order of the book.
    pub strategies: Vec<Arc<BookStrategy>>,
    /// What becomes of the book when one of them cannot answer.
    pub on_failure: OnFailure,
    /// Makes plans.
    pub portfolio: Plugin,
}

impl Setup {
    /// Makes one of sources; plugins that are loaded already are not loaded
    /// again. No strategy has read its parameters yet.
    pub fn gather(
        project: &Project,
        sources: &Sources,
        plugins: &mut Plugins<'_>,
    ) -> CommandResult<Self> {
        let routes = Arc::new(project.routes_of(sources.routes())?);
        // A workflow that leads nowhere would begin and never end.
        let findings = findings(&routes);
        if !findings.is_empty() {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            return Err(CommandFailure::usage("RoutesError", findings.join("\n")));
        }
        let book = project.book_of(sources.book())?;
        let strategies = book.entries.iter().map(|entry| {
            let read = |path: &Path| sources.file(path);
            let strategy = plugins.strategy_reading(entry, book.directory(), read)?;
            Ok(Arc::new(strategy))
        });
        let strategies = strategies.collect::<CommandResult<_>>()?;
        let portfolio = plugins.named(&project.settings.plugins.portfolio)?;
        if portfolio.kind() != Kind::Portfolio {
            return Err(CommandFailure::usage(
                "PluginError",
                format!(
                    "setting `plugins.portfolio`: `{}` is a {} plugin",
                    portfolio.name(),
                    portfolio.kind()
                ),
            ));
        }
        Ok(Self {
            routes,
            strategies,
            on_failure: book.on_failure,
            portfolio,
        })
    }
}

/// Has a strategy read its parameters and files, so that a mistake in them
/// shows.
pub fn open(strategy: &Arc<BookStrategy>) -> CommandResult<OpenStrategy> {
    OpenStrategy::open(Arc::clone(strategy))
        .map_err(|error| CommandFailure::Usage(named(strategy, error.detail())))
}

/// An error with the strategy that it is of.
pub fn named(strategy: &BookStrategy, error: ErrorDetail) -> ErrorDetail {
    let name = &strategy.entry.name;
    ErrorDetail {
        message: format!("strategy `{name}`{}: {}", in_file(strategy), error.message),
        ..error
    }
}

/// All that a workflow needs besides its state.
pub struct Worker {
    /// How it decides.
    pub setup: Arc<Setup>,
    /// The latest prices.
    pub market: SharedMarket,
    data: PathBuf,
}

impl Worker {
    /// Everything that could be wrong is looked at, and nothing is written.
    pub fn gather(project: &Project, data: &Data) -> CommandResult<Self> {
        let mut plugins = Plugins::new(project)?;
        Self::gather_from(project, &Sources::read(project), &mut plugins, data)
    }

    /// The same, of sources read before.
    pub fn gather_from(
        project: &Project,
        sources: &Sources,
        plugins: &mut Plugins<'_>,
        data: &Data,
    ) -> CommandResult<Self> {
        let setup = Setup::gather(project, sources, plugins)?;
        for strategy in &setup.strategies {
            open(strategy)?;
        }
        let data = project.data(data);
        Ok(Self {
            setup: Arc::new(setup),
            market: machine::market(&data)?.into(),
            data,
        })
    }

    /// The same worker, deciding in another way.
    pub fn with(&self, setup: Arc<Setup>) -> Self {
        Self {
            setup,
            market: self.market.clone(),
            data: self.data.clone(),
        }
    }

    /// Reads prices anew. Old ones go on if that fails.
    pub fn read_prices(&self) -> CommandResult {
        self.market.replace(machine::market(&self.data)?);
        Ok(())
    }

    /// The session asked for, which must be one; else the data's last.
    pub fn session(&self, date: Option<SessionDate>) -> CommandResult<SessionDate> {
        let market = self.market.latest();
        let calendar = market.calendar();
        match date {
            Some(date) => calendar
                .session(date)
                .map(|_| date)
                .map_err(|error| CommandFailure::usage("NotASession", error)),
            None => calendar.dates().last().copied().ok_or_else(|| {
                CommandFailure::usage("NoSession", "the data has no session at all")
            }),
        }
    }

    /// The bus of a state directory.
    pub fn bus(&self, project: &Project, state: &StateDirectory) -> Bus {
        let largest_entry = project.settings.eventbridge.max_payload_size_bytes;
        state
            .bus(Arc::clone(&self.setup.routes))
            .with_largest_entry(largest_entry)
    }

    /// A runner on a state directory.
    pub fn runner(&self, project: &Project, state: &StateDirectory, bus: &Bus) -> Runner {
        let broker = self.broker(project, state);
        let dispatcher = self.dispatcher(project, state, bus, broker);
        Self::runner_of(bus, Arc::new(dispatcher))
    }

    /// A runner that hands deliveries to this dispatcher.
    pub fn runner_of(bus: &Bus, dispatch: Arc<dyn Dispatch>) -> Runner {
        Runner::new(bus.clone(), dispatch, CONCURRENCY)
    }

    /// The broker whose account is traded.
    pub fn broker(&self, project: &Project, state: &StateDirectory) -> Arc<dyn Broker> {
        let settings = &project.settings.paper;
        let store = state.paper_store(&account(project), Money::new(settings.starting_cash));
        Arc::new(PaperBroker::new(
            self.market.clone(),
            Arc::new(store),
            settings,
        ))
    }

    /// What schedules give their commands to. Prices are read anew for each
    /// workflow, and everything else here sees them from then on.
    pub fn commands(
        &self,
        project: &Project,
        bus: &Bus,
        broker: Arc<dyn Broker>,
    ) -> Arc<dyn Commands> {
        Arc::new(ScheduledCommands(ScheduledTrading {
            broker,
            prices: Arc::new(FreshPrices {
                source: CsvSource::new(&self.data),
                market: self.market.clone(),
            }),
            workflows: Arc::new(bus.clone()),
            account: account(project),
            stage: project.settings.app.stage.clone(),
            strategy_profile: book(project),
        }))
    }

    /// Hands deliveries to the handlers.
    pub fn dispatcher(
        &self,
        project: &Project,
        state: &StateDirectory,
        bus: &Bus,
        broker: Arc<dyn Broker>,
    ) -> Dispatcher {
        let settings = &project.settings;
        let workflows = Arc::new(bus.clone());
        let blobs = Arc::new(state.blobs());
        let mut portfolio = settings.portfolio.clone();
        portfolio.cash_reserve_pct = settings.alpaca.cash_reserve_pct;
        let handlers: Vec<Arc<dyn Handler>> = vec![
            Arc::new(StrategyHandler::new(
                self.setup.strategies.clone(),
                self.setup.on_failure,
                Arc::new(self.market.clone()),
                blobs.clone(),
                settings.strategy.workers,
            )),
            Arc::new(PortfolioHandler::new(
                self.setup.portfolio.clone(),
                broker.clone(),
                blobs.clone(),
                portfolio,
            )),
            Arc::new(ExecutionHandler::new(
                broker,
                workflows.clone(),
                Arc::new(state.ledger()),
                settings.execution.clone(),
            )),
            Arc::new(OrchestrationHandler),
            Arc::new(NotificationHandler::new(Arc::new(LogNotifier))),
        ];
        Dispatcher::new(
            handlers,
            Arc::clone(&self.setup.routes),
            workflows.clone(),
            workflows,
            blobs,
            settings.retry.clone(),
        )
    }
}

struct ScheduledCommands(ScheduledTrading);

#[async_trait]
impl Commands for ScheduledCommands {
    async fn give(&self, schedule: &Schedule, at: Timestamp) -> Result<Given, StoreError> {
        self.0.give(schedule, at).await
    }
}

/// Prices as they lie on disk at the moment.
struct FreshPrices {
    source: CsvSource,
    market: SharedMarket,
}

#[async_trait]
impl PriceSource for FreshPrices {
    async fn load(&self, requirements: &[Requirement]) -> Result<Arc<Market>, SourceError> {
        let market = self.source.load(requirements).await?;
        self.market.replace(Arc::clone(&market));
        Ok(market)
    }
}

/// ` (trend.clj)`, if the strategy has a file.
fn in_file(strategy: &BookStrategy) -> String {
    strategy
        .entry
        .source
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!(" ({file})"))
}

/// The account that is traded.
pub fn account(project: &Project) -> AccountName {
    project.settings.app.account.clone()
}

/// The book of strategies, as workflows note it.
pub fn book(project: &Project) -> String {
    project.settings.strategy.book.display().to_string()
}
