//! All that works on deliveries, put together from a project.

use crate::arguments::Data;
use crate::commands::rules::located;
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::notifier::LogNotifier;
use crate::project::Project;
use alchemiser_broker::PaperBroker;
use alchemiser_events::{AccountName, ErrorDetail, Money, SessionDate};
use alchemiser_local::{Bus, Runner, StateDirectory};
use alchemiser_market::Market;
use alchemiser_rules::Routes;
use alchemiser_sandbox::{Kind, Plugin};
use alchemiser_worker::{
    BookStrategy, DECLARATIONS, Dispatcher, ExecutionHandler, Handler, NotificationHandler,
    OnFailure, OpenStrategy, OrchestrationHandler, PortfolioHandler, StrategyHandler, flow,
};
use std::sync::Arc;

/// Deliveries worked on at a time; a workflow is a chain, and rarely has two.
const CONCURRENCY: usize = 4;

/// All that a workflow needs besides its state.
pub struct Worker {
    pub routes: Arc<Routes>,
    strategies: Vec<Arc<BookStrategy>>,
    on_failure: OnFailure,
    portfolio: Plugin,
    market: Arc<Market>,
}

impl Worker {
    /// Everything that could be wrong is looked at, and nothing is written.
    pub fn gather(project: &Project, data: &Data) -> CommandResult<Self> {
        let routes = Arc::new(project.routes()?);
        // A workflow that leads nowhere would begin and never end.
        let findings: Vec<String> = alchemiser_rules::check(&routes, &flow(&DECLARATIONS))
            .iter()
            .map(located)
            .collect();
        if !findings.is_empty() {
            return Err(CommandFailure::usage("RoutesError", findings.join("\n")));
        }
        let mut plugins = Plugins::new(project)?;
        let book = project.book()?;
        let strategies = plugins.book(&book)?;
        for strategy in &strategies {
            // Parameters and files are read by the plugin, so a mistake in
            // them shows here.
            OpenStrategy::open(Arc::clone(strategy)).map_err(|error| {
                let detail = error.detail();
                let name = &strategy.entry.name;
                CommandFailure::Usage(ErrorDetail {
                    message: format!("strategy `{name}`{}: {}", in_file(strategy), detail.message),
                    ..detail
                })
            })?;
        }
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
            market: machine::market(&project.data(data))?,
        })
    }

    /// The session asked for, which must be one; else the data's last.
    pub fn session(&self, date: Option<SessionDate>) -> CommandResult<SessionDate> {
        let calendar = self.market.calendar();
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
            .bus(Arc::clone(&self.routes))
            .with_largest_entry(largest_entry)
    }

    /// A runner on a state directory.
    pub fn runner(&self, project: &Project, state: &StateDirectory, bus: &Bus) -> Runner {
        let settings = &project.settings;
        let workflows = Arc::new(bus.clone());
        let blobs = Arc::new(state.blobs());
        let store = state.paper_store(&account(project), Money::new(settings.paper.starting_cash));
        let broker = Arc::new(PaperBroker::new(
            Arc::clone(&self.market),
            Arc::new(store),
            &settings.paper,
        ));
        let mut portfolio = settings.portfolio.clone();
        portfolio.cash_reserve_pct = settings.alpaca.cash_reserve_pct;
        let handlers: Vec<Arc<dyn Handler>> = vec![
            Arc::new(StrategyHandler::new(
                self.strategies.clone(),
                self.on_failure,
                machine::source(&self.market),
                blobs.clone(),
                settings.strategy.workers,
            )),
            Arc::new(PortfolioHandler::new(
                self.portfolio.clone(),
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
        let dispatcher = Dispatcher::new(
            handlers,
            Arc::clone(&self.routes),
            workflows.clone(),
            workflows,
            blobs,
            settings.retry.clone(),
        );
        Runner::new(bus.clone(), Arc::new(dispatcher), CONCURRENCY)
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
