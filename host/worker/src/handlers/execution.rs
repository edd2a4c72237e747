//! From a plan to orders and fills.

use super::unexpected;
use crate::failure::Failure;
use crate::handler::{Context, Declaration, Handler, Outcome, Step};
use crate::ledger::{Ledger, LedgerEntry};
use crate::ports::Workflows;
use crate::settings::ExecutionSettings;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_broker::{Broker, BrokerError, BrokerOrder, BrokerOrderStatus, OrderRequest, Quote};
use alchemiser_events::{
    ClientOrderId, Decimal, Event, EventType, ExecutionData, ExecutionStatus, Money, OrderResult,
    OrderStatus, OrderType, Payload, PlanAction, PlanItem, Quantity, RebalancePlan,
    RebalancePlanned, Side, Source, Symbol, Timestamp, TradeExecuted, WorkflowStep,
};
use alchemiser_fail_points::fail_point;
use async_trait::async_trait;
use std::sync::Arc;

/// Takes `RebalancePlanned`.
pub struct ExecutionHandler {
    broker: Arc<dyn Broker>,
    workflows: Arc<dyn Workflows>,
    ledger: Arc<dyn Ledger>,
    settings: ExecutionSettings,
}

impl ExecutionHandler {
    /// What it takes and may emit.
    pub const DECLARATION: Declaration = Declaration {
        target: "execution",
        source: Source::Execution,
        workflow_step: WorkflowStep::TradeExecution,
        acts: true,
        steps: &[Step {
            takes: EventType::RebalancePlanned,
            // A plan whose execution was cut short is taken up again.
            expects: &[WorkflowState::Planned, WorkflowState::Executing],
            emits: &[EventType::TradeExecuted, EventType::WorkflowFailed],
        }],
    };

    /// A handler that trades through this broker and records in this ledger.
    pub fn new(
        broker: Arc<dyn Broker>,
        workflows: Arc<dyn Workflows>,
        ledger: Arc<dyn Ledger>,
        settings: ExecutionSettings,
    ) -> Self {
        Self {
            broker,
            workflows,
            ledger,
            settings,
        }
    }
}

#[async_trait]
impl Handler for ExecutionHandler {
    fn declaration(&self) -> &'static Declaration {
        &Self::DECLARATION
    }

    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let Payload::RebalancePlanned(planned) = &event.payload else {
            return Err(unexpected(event));
        };
        let workflow = context.workflow()?;
        let data = self.execute(planned, workflow).await?;
        let trade = Payload::TradeExecuted(self.judge(data));
        Ok(Outcome::emit(trade, Some(WorkflowState::Executing)))
    }
}

impl ExecutionHandler {
    async fn execute(
        &self,
        planned: &RebalancePlanned,
        workflow: &Workflow,
    ) -> Result<ExecutionData, Failure> {
        let plan = &planned.rebalance_plan;
        let now = workflow.clock;
        let mut trades: Vec<&PlanItem> = plan
            .items
            .iter()
            .filter(|item| item.action != PlanAction::Hold)
            .collect();
        // Sells first, so that buys are paid from their proceeds.
        trades.sort_by_key(|item| item.action);

        let mut orders = Vec::with_capacity(trades.len());
        if !trades.is_empty() {
            self.check(planned, workflow).await?;
            fail_point!(OrdersBegun);
            let symbols: Vec<Symbol> = trades.iter().map(|item| item.symbol.clone()).collect();
            let quotes = self.broker.quotes(&symbols, now).await?;
            let recorded = self.ledger.of_workflow(&plan.correlation_id).await?;
            for item in trades {
                let order = self
                    .trade(item, plan, quotes.get(&item.symbol), &recorded, now)
                    .await?;
                self.record(&order, item, plan).await?;
                fail_point!(OrderRecorded);
                orders.push(order);
            }
        }
        fail_point!(OrdersEnded);
        let account = self.broker.account().await?;
        Ok(summarise(plan, orders, account.cash, now))
    }

    /// Everything that must hold before the first order; after it, orders may
    /// have been sent.
    async fn check(&self, planned: &RebalancePlanned, workflow: &Workflow) -> Result<(), Failure> {
        let now = workflow.clock;
        let configuration = &workflow.configuration;
        if configuration.dry_run {
            return Err(Failure::permanent(
                "DryRun",
                "the workflow is a dry run, which sends no orders",
            ));
        }
        if now > planned.deadline {
            return Err(Failure::permanent(
                "StalePlan",
                format!("the plan was good until {}", planned.deadline),
            ));
        }
        if configuration.trading_mode != self.broker.trading_mode() {
            return Err(Failure::permanent(
                "TradingModeMismatch",
                format!(
                    "the workflow is for {:?} trading and the broker is for {:?} trading",
                    configuration.trading_mode,
                    self.broker.trading_mode()
                ),
            ));
        }
        if let Some(reason) = self.broker.account().await?.blocked {
            return Err(Failure::permanent("AccountBlocked", reason));
        }
        if !self.broker.market_is_open(now).await? {
            return Err(Failure::permanent("MarketClosed", "the market is closed"));
        }
        if self
            .workflows
            .begin_orders(&workflow.correlation_id)
            .await?
        {
            Ok(())
        } else {
            Err(Failure::transient(
                "OutOfOrder",
                "the workflow moved on while the plan was checked",
            ))
        }
    }

    /// Sends the order of an item, unless it was sent before, and says how it
    /// ended.
    async fn trade(
        &self,
        item: &PlanItem,
        plan: &RebalancePlan,
        quote: Option<&Quote>,
        recorded: &[LedgerEntry],
        now: Timestamp,
    ) -> Result<OrderResult, Failure> {
        let side = side(item);
        let name = ClientOrderId::derive(&plan.plan_id, &item.symbol, side, 0, 0);
        let unsent = OrderResult {
            symbol: item.symbol.clone(),
            action: side,
            status: OrderStatus::Skipped,
            success: false,
            client_order_id: name.clone(),
            order_id: None,
            order_type: OrderType::Market,
            requested_qty: Quantity::ZERO,
            filled_qty: Quantity::ZERO,
            remaining_qty: Quantity::ZERO,
            avg_fill_price: None,
            trade_amount: Money::ZERO,
            timestamp: now,
            filled_at: None,
            error_message: None,
        };
        // After a crash the order may be at the broker already; what it became
        // there counts, not what would be sent now.
        if let Some(order) = self.broker.order(&name).await? {
            return Ok(result(unsent, &order));
        }
        // What an earlier attempt skipped or the broker refused stays so: the
        // ledger keeps one entry for each order.
        let earlier = recorded
            .iter()
            .find(|entry| entry.order.client_order_id == name);
        if let Some(entry) = earlier {
            return Ok(entry.order.clone());
        }
        let Some(quote) = quote else {
            return Ok(OrderResult {
                status: OrderStatus::Unfilled,
                error_message: Some(format!("there is no quote for {}", item.symbol)),
                ..unsent
            });
        };
        let quantity = match self.quantity(item, side, quote).await? {
            Ok(quantity) => quantity,
            Err(reason) => {
                return Ok(OrderResult {
                    error_message: Some(reason),
                    ..unsent
                });
            }
        };
        let request = OrderRequest {
            client_order_id: name,
            symbol: item.symbol.clone(),
            side,
            quantity,
            submitted_at: now,
        };
        match self.broker.submit(&request).await {
            Ok(order) => Ok(result(unsent, &order)),
            Err(BrokerError::Refused(reason)) => Ok(OrderResult {
                status: OrderStatus::Rejected,
                requested_qty: quantity,
                remaining_qty: quantity,
                error_message: Some(shortened(&reason)),
                ..unsent
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// How many shares to trade now, or why none.
    async fn quantity(
        &self,
        item: &PlanItem,
        side: Side,
        quote: &Quote,
    ) -> Result<Result<Quantity, String>, Failure> {
        let (quantity, price) = match side {
            Side::Sell => {
                let wanted = wanted(item);
                (wanted.min(self.held(&item.symbol).await?), quote.bid)
            }
            Side::Buy => {
                let wanted = wanted(item);
                let cash = self.broker.account().await?.cash;
                (affordable(wanted, quote, cash), quote.ask)
            }
        };
        let value = quantity.at(price);
        // A whole position may always be left, however small.
        if quantity.is_zero() {
            Ok(Err(match side {
                Side::Sell => "nothing is left to sell",
                Side::Buy => "no cash is left to buy with",
            }
            .to_owned()))
        } else if value.decimal() < self.settings.min_order_usd && !item.close_position {
            Ok(Err(format!(
                "{value} is less than the smallest order, {}",
                self.settings.min_order_usd
            )))
        } else {
            Ok(Ok(quantity))
        }
    }

    async fn held(&self, symbol: &Symbol) -> Result<Quantity, Failure> {
        let positions = self.broker.positions().await?;
        Ok(positions
            .into_iter()
            .find(|position| position.symbol == *symbol)
            .map_or(Quantity::ZERO, |position| position.quantity))
    }

    async fn record(
        &self,
        order: &OrderResult,
        item: &PlanItem,
        plan: &RebalancePlan,
    ) -> Result<(), Failure> {
        let entry = LedgerEntry {
            correlation_id: plan.correlation_id.clone(),
            plan_id: plan.plan_id.clone(),
            order: order.clone(),
            strategy_weights: item.strategy_attribution.clone(),
        };
        Ok(self.ledger.record(&entry).await?)
    }

    /// Whether what happened counts as success.
    fn judge(&self, data: ExecutionData) -> TradeExecuted {
        let success = match data.status {
            ExecutionStatus::Success | ExecutionStatus::NoTrades => true,
            ExecutionStatus::PartialSuccess => !self.settings.treat_partial_execution_as_failure,
            ExecutionStatus::Failure => false,
        };
        let failed: Vec<&OrderResult> = data
            .orders
            .iter()
            .filter(|order| !order.success && order.status != OrderStatus::Skipped)
            .collect();
        let failure_reason = (!success).then(|| {
            // The broker's reasons stay with the orders: they name amounts,
            // and this is mailed.
            let unfilled: Vec<String> = failed
                .iter()
                .map(|order| format!("{} {}", order.action, order.symbol))
                .collect();
            format!(
                "{} of {} orders were filled; not filled: {}",
                data.orders_succeeded,
                data.orders_succeeded as usize + failed.len(),
                unfilled.join(", ")
            )
        });
        TradeExecuted {
            success,
            orders_placed: data.orders_placed,
            orders_succeeded: data.orders_succeeded,
            failure_reason,
            failed_symbols: failed.iter().map(|order| order.symbol.clone()).collect(),
            execution_data: data,
        }
    }
}

/// Which way an item trades.
pub(crate) fn side(item: &PlanItem) -> Side {
    match item.action {
        PlanAction::Sell => Side::Sell,
        PlanAction::Buy | PlanAction::Hold => Side::Buy,
    }
}

/// How many shares an item trades, if nothing has changed since it was planned.
pub(crate) fn wanted(item: &PlanItem) -> Quantity {
    match side(item) {
        Side::Sell => item.current_qty.saturating_sub(item.target_qty),
        Side::Buy => item.target_qty.saturating_sub(item.current_qty),
    }
}

/// The broker's word on an order, in our terms.
fn result(unsent: OrderResult, order: &BrokerOrder) -> OrderResult {
    let status = match order.status {
        BrokerOrderStatus::Filled => OrderStatus::Filled,
        BrokerOrderStatus::Rejected => OrderStatus::Rejected,
        _ if !order.filled_quantity.is_zero() => OrderStatus::Partial,
        _ => OrderStatus::Unfilled,
    };
    let value = order
        .average_price
        .map_or(Money::ZERO, |price| order.filled_quantity.at(price));
    OrderResult {
        status,
        success: status == OrderStatus::Filled,
        order_id: Some(order.id.clone()),
        requested_qty: order.quantity,
        filled_qty: order.filled_quantity,
        remaining_qty: order.quantity.saturating_sub(order.filled_quantity),
        avg_fill_price: order.average_price,
        trade_amount: value,
        filled_at: order.filled_at,
        error_message: order.reason.as_deref().map(shortened),
        ..unsent
    }
}

/// As much of the wanted quantity as the cash pays for. Cut to whole millionths
/// of a share; whole shares stay whole, since the plan asked for a whole number
/// then and a cut one is floored by the same steps.
fn affordable(wanted: Quantity, quote: &Quote, cash: Money) -> Quantity {
    if wanted.at(quote.ask) <= cash {
        return wanted;
    }
    let decimals = if wanted.decimal().fract().is_zero() {
        0
    } else {
        6
    };
    let possible = (cash.decimal() / quote.ask.decimal())
        .max(Decimal::ZERO)
        .trunc_with_scale(decimals);
    // Not negative, so a quantity.
    Quantity::new(possible).unwrap_or(Quantity::ZERO)
}

fn summarise(
    plan: &RebalancePlan,
    orders: Vec<OrderResult>,
    cash_after: Money,
    now: Timestamp,
) -> ExecutionData {
    let count = |condition: &dyn Fn(&OrderResult) -> bool| {
        orders.iter().filter(|order| condition(order)).count() as u32
    };
    let wanted = count(&|order| order.status != OrderStatus::Skipped);
    let filled = count(&|order| order.success);
    let partial = count(&|order| order.status == OrderStatus::Partial);
    let status = match (wanted, filled) {
        (0, _) => ExecutionStatus::NoTrades,
        _ if filled == wanted => ExecutionStatus::Success,
        (_, 0) if partial == 0 => ExecutionStatus::Failure,
        _ => ExecutionStatus::PartialSuccess,
    };
    ExecutionData {
        plan_id: plan.plan_id.clone(),
        status,
        orders_placed: count(&|order| order.order_id.is_some()),
        orders_succeeded: filled,
        total_trade_value: orders.iter().map(|order| order.trade_amount).sum(),
        execution_timestamp: now,
        success: filled == wanted,
        cash_before: plan.cash,
        cash_after,
        orders,
    }
}

/// Reasons are kept to 1,000 characters.
fn shortened(reason: &str) -> String {
    reason.chars().take(1_000).collect()
}
