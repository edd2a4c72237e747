//! From target weights to a rebalance plan.

use super::unexpected;
use crate::consolidation::attribution;
use crate::failure::Failure;
use crate::handler::{Context, Declaration, Emission, Handler, Outcome, PluginCall, Step, timed};
use crate::ports::Blobs;
use crate::question::{PlanQuestion, Question};
use crate::settings::PortfolioSettings;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_broker::Broker;
use alchemiser_events::{
    AllocationComparison, BlobReference, CausationId, Decimal, Event, EventType, Money, Payload,
    PlanAction, PlanId, PlanItem, Quantity, RebalancePlan, RebalancePlanned, Signal,
    SignalGenerated, Source, StrategyName, Symbol, Weight, WeightDifference, WorkflowStep,
};
use alchemiser_fail_points::fail_point;
use alchemiser_sandbox::{Plan, PlanInstrument, PlanRequest, PlanSettings, PlannedItem, Plugin};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Takes `SignalGenerated`.
pub struct PortfolioHandler {
    plugin: Plugin,
    broker: Arc<dyn Broker>,
    blobs: Arc<dyn Blobs>,
    settings: PortfolioSettings,
}

impl PortfolioHandler {
    /// What it takes and may emit.
    pub const DECLARATION: Declaration = Declaration {
        target: "portfolio",
        source: Source::Portfolio,
        workflow_step: WorkflowStep::PortfolioAnalysis,
        acts: false,
        steps: &[Step {
            takes: EventType::SignalGenerated,
            expects: &[WorkflowState::Signals],
            emits: &[EventType::RebalancePlanned, EventType::WorkflowFailed],
        }],
    };

    /// A handler that asks this plugin about this broker's account.
    pub fn new(
        plugin: Plugin,
        broker: Arc<dyn Broker>,
        blobs: Arc<dyn Blobs>,
        settings: PortfolioSettings,
    ) -> Self {
        Self {
            plugin,
            broker,
            blobs,
            settings,
        }
    }
}

#[async_trait]
impl Handler for PortfolioHandler {
    fn declaration(&self) -> &'static Declaration {
        &Self::DECLARATION
    }

    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let Payload::SignalGenerated(signal) = &event.payload else {
            return Err(unexpected(event));
        };
        let workflow = context.workflow()?;
        let request = self.request(signal, workflow).await?;
        let inputs_ref = self.keep(&request).await?;
        fail_point!(PlanQuestionKept);
        let cash = request.cash;
        let (plan, duration) = self.ask(request).await?;
        fail_point!(PlanAnswered);
        let planned = planned(plan, cash, signal, event, workflow, &self.settings)?;
        let emission = Emission {
            payload: Payload::RebalancePlanned(planned),
            produced_by: Some(self.plugin.produced_by().clone()),
            inputs_ref: Some(inputs_ref),
        };
        Ok(Outcome {
            calls: vec![PluginCall::of(&self.plugin, duration)],
            ..Outcome::emit(emission, Some(WorkflowState::Planned))
        })
    }
}

impl PortfolioHandler {
    /// One look at the account, and everything that must hold before a plan is
    /// made of it.
    async fn request(
        &self,
        signal: &SignalGenerated,
        workflow: &Workflow,
    ) -> Result<PlanRequest, Failure> {
        let now = workflow.clock;
        if self.settings.require_market_open && !self.broker.market_is_open(now).await? {
            return Err(Failure::permanent(
                "MarketClosed",
                format!("the market is closed at {now}"),
            ));
        }
        let account = self.broker.account().await?;
        if let Some(reason) = account.blocked {
            return Err(Failure::permanent("AccountBlocked", reason));
        }
        if account.cash.decimal() < self.settings.min_cash {
            return Err(Failure::permanent(
                "NotEnoughCash",
                "the account has less cash than `portfolio.min_cash` demands",
            )
            .with("cash", account.cash)
            .with("min_cash", self.settings.min_cash));
        }

        let targets = &signal.consolidated_portfolio.target_allocations;
        let positions: BTreeMap<Symbol, Quantity> = self
            .broker
            .positions()
            .await?
            .into_iter()
            .map(|position| (position.symbol, position.quantity))
            .collect();
        let symbols: BTreeSet<Symbol> = targets.keys().chain(positions.keys()).cloned().collect();
        Ok(PlanRequest {
            targets: targets.clone(),
            cash: account.cash,
            positions,
            instruments: self.instruments(symbols, workflow).await?,
            settings: plan_settings(&self.settings)?,
            parameters: "{}".to_owned(),
        })
    }

    /// What the venue says of every symbol that is held or targeted; a symbol
    /// without a price stops the plan, since its value would be unknown.
    async fn instruments(
        &self,
        symbols: BTreeSet<Symbol>,
        workflow: &Workflow,
    ) -> Result<BTreeMap<Symbol, PlanInstrument>, Failure> {
        let symbols: Vec<Symbol> = symbols.into_iter().collect();
        let quotes = self.broker.quotes(&symbols, workflow.clock).await?;
        let assets = self.broker.assets(&symbols).await?;
        let without = |missing: &dyn Fn(&Symbol) -> bool| -> Vec<&str> {
            symbols
                .iter()
                .filter(|symbol| missing(symbol))
                .map(Symbol::as_str)
                .collect()
        };
        let priceless = without(&|symbol| !quotes.contains_key(symbol));
        if !priceless.is_empty() {
            let list = priceless.join(", ");
            return Err(Failure::transient(
                "NoQuote",
                format!("there is no price at {} for {list}", workflow.clock),
            )
            .with("symbols", list));
        }
        let untradable = without(&|symbol| !assets.get(symbol).is_some_and(|asset| asset.tradable));
        if !untradable.is_empty() {
            let list = untradable.join(", ");
            return Err(
                Failure::permanent("NotTradable", format!("{list} cannot be traded"))
                    .with("symbols", list),
            );
        }
        Ok(symbols
            .iter()
            .filter_map(|symbol| {
                let instrument = PlanInstrument {
                    price: quotes.get(symbol)?.mid,
                    fractionable: assets.get(symbol)?.fractionable,
                };
                Some((symbol.clone(), instrument))
            })
            .collect())
    }

    /// Keeps the question, so that the answer can be asked for again.
    async fn keep(&self, request: &PlanRequest) -> Result<BlobReference, Failure> {
        let question = Question::Plan(PlanQuestion {
            plugin: self.plugin.digest(),
            request: request.clone(),
        });
        let json = serde_json::to_vec(&question)
            .map_err(|error| Failure::permanent("SerialisationError", error))?;
        Ok(self.blobs.put(&json).await?)
    }

    /// The plan, and how long it took.
    async fn ask(&self, request: PlanRequest) -> Result<(Plan, Duration), Failure> {
        let plugin = self.plugin.clone();
        let (plan, duration) = tokio::task::spawn_blocking(move || timed(|| plugin.plan(&request)))
            .await
            .map_err(|error| Failure::transient("PlanAborted", error))?;
        let plan = plan.map_err(|error| Failure::from(error.detail()))?;
        Ok((plan, duration))
    }
}

fn plan_settings(settings: &PortfolioSettings) -> Result<PlanSettings, Failure> {
    let weight = |name: &str, value: Decimal| {
        Weight::new(value).map_err(|error| {
            Failure::permanent("ConfigurationError", format!("portfolio.{name}: {error}"))
        })
    };
    Ok(PlanSettings {
        cash_reserve: weight("cash_reserve_pct", settings.cash_reserve_pct)?,
        min_trade_share: weight("min_trade_pct", settings.min_trade_pct)?,
        min_trade_amount: Money::new(settings.min_trade_usd),
        max_position: weight("max_position", settings.max_position)?,
        rebalance_threshold: weight("rebalance_threshold", settings.rebalance_threshold)?,
        allow_margin: settings.allow_margin,
    })
}

fn planned(
    plan: Plan,
    cash: Money,
    signal: &SignalGenerated,
    event: &Event,
    workflow: &Workflow,
    settings: &PortfolioSettings,
) -> Result<RebalancePlanned, Failure> {
    let causation_id = CausationId::from(&event.header.event_id);
    let wishes: BTreeMap<&Symbol, &Signal> = signal
        .signals_data
        .signals
        .iter()
        .map(|signal| (&signal.symbol, signal))
        .collect();
    let items: Vec<PlanItem> = plan
        .items
        .into_iter()
        .map(|item| {
            let attribution = wishes
                .get(&item.symbol)
                .map(|signal| attribution(&signal.contributing))
                .unwrap_or_default();
            plan_item(item, attribution)
        })
        .collect();
    check_cash(&items, cash, settings.allow_margin)?;
    Ok(RebalancePlanned {
        allocation_comparison: comparison(&items),
        trades_required: items.iter().any(|item| item.action != PlanAction::Hold),
        deadline: workflow
            .clock
            .after(Duration::from_secs(settings.max_plan_age_s)),
        rebalance_plan: RebalancePlan {
            plan_id: PlanId::derive(&workflow.correlation_id, &causation_id),
            correlation_id: workflow.correlation_id.clone(),
            causation_id,
            timestamp: workflow.clock,
            items,
            total_portfolio_value: plan.portfolio_value,
            cash,
            total_trade_value: plan.total_trade_value,
        },
    })
}

/// A plugin decides; that no money is borrowed is checked here.
pub(crate) fn check_cash(
    items: &[PlanItem],
    cash: Money,
    allow_margin: bool,
) -> Result<(), Failure> {
    let spent: Money = items.iter().map(|item| item.trade_amount).sum();
    if allow_margin || spent <= cash {
        return Ok(());
    }
    Err(
        Failure::permanent("PlanExceedsCash", "the plan spends more cash than there is")
            .with("spent", spent)
            .with("cash", cash),
    )
}

pub(crate) fn plan_item(
    item: PlannedItem,
    strategy_attribution: BTreeMap<StrategyName, Weight>,
) -> PlanItem {
    let difference = item.target_weight.decimal() - item.current_weight.decimal();
    PlanItem {
        symbol: item.symbol,
        action: item.action,
        priority: item.priority,
        current_weight: item.current_weight,
        target_weight: item.target_weight,
        weight_diff: WeightDifference(difference),
        current_value: item.current_value,
        target_value: item.target_value,
        trade_amount: item.trade_amount,
        current_qty: item.current_quantity,
        target_qty: item.target_quantity,
        reference_price: item.reference_price,
        close_position: item.close_position,
        strategy_attribution,
    }
}

fn comparison(items: &[PlanItem]) -> AllocationComparison {
    fn by_symbol<T>(items: &[PlanItem], value: impl Fn(&PlanItem) -> T) -> BTreeMap<Symbol, T> {
        items
            .iter()
            .map(|item| (item.symbol.clone(), value(item)))
            .collect()
    }
    AllocationComparison {
        target_values: by_symbol(items, |item| item.target_weight),
        current_values: by_symbol(items, |item| item.current_weight),
        deltas: by_symbol(items, |item| item.weight_diff),
        target_money: by_symbol(items, |item| item.target_value),
        current_money: by_symbol(items, |item| item.current_value),
    }
}
