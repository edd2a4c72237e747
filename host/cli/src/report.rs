//! What a workflow did, for a person: weights and why, target, plan, fills,
//! account, events. All of it comes from the workflow's own events.

use crate::output::{Align, Table, fixed, grouped, percent, terminal_width};
use crate::reasons::{self, Detail};
use crate::trace;
use alchemiser_events::{
    Decimal, ExecutionData, Money, OrderResult, Payload, PlanAction, Quantity, RebalancePlanned,
    Side, SignalGenerated, StrategyResult, Symbol, WorkflowFailed,
};
use alchemiser_local::{Queries, TracedEvent, WorkflowRecord};
use alchemiser_sandbox::Explanation;
use alchemiser_worker::{StoreError, WorkflowState};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is said of a workflow that is older than its events may be.
pub const FORGOTTEN: &str =
    "its events were kept for `eventbridge.archive_retention_days`, and are forgotten";

/// A workflow with its events.
pub struct Report {
    record: WorkflowRecord,
    events: Vec<TracedEvent>,
    /// What those events say whose content can be read.
    payloads: Vec<Payload>,
    explanations: Vec<Option<Explanation>>,
    /// Why the others cannot.
    unreadable: Vec<StoreError>,
}

impl Report {
    /// Gathers what is to be said.
    pub fn new(record: WorkflowRecord, queries: &Queries) -> Result<Self, StoreError> {
        let events = queries.trace(&record.workflow.correlation_id)?;
        let mut unreadable = Vec::new();
        let mut payloads = Vec::new();
        for event in &events {
            let whole = queries.whole(&event.record.event).map(Some);
            payloads.extend(or_note(whole, &mut unreadable)?.map(|event| event.payload));
        }
        let mut explanations = Vec::new();
        for strategy in signal(&payloads)
            .into_iter()
            .flat_map(|signal| &signal.signals_data.strategies)
        {
            let explanation = explanation(strategy, queries);
            explanations.push(or_note(explanation, &mut unreadable)?);
        }
        Ok(Self {
            record,
            events,
            payloads,
            explanations,
            unreadable,
        })
    }

    /// Why the workflow failed, if it did. One that was redriven may have
    /// failed before, and not have in the end.
    pub fn failure(&self) -> Option<&WorkflowFailed> {
        if self.completed() {
            return None;
        }
        self.payloads
            .iter()
            .rev()
            .find_map(|payload| match payload {
                Payload::WorkflowFailed(failed) => Some(failed),
                _ => None,
            })
    }

    /// Prints all of it.
    pub fn print(&self) {
        if let Some(signal) = signal(&self.payloads) {
            self.strategies(signal);
            target(signal);
        }
        let planned = planned(&self.payloads);
        if let Some(planned) = planned {
            plan(planned);
        }
        if let Some(data) = self.execution() {
            fills(data);
            if let Some(planned) = planned {
                account(&Account::of(planned, data));
            }
        }
        if let Some(failed) = self.failure() {
            println!("\nFailed at {}", failed.failure_step);
            println!("  {}: {}", failed.error.class, failed.failure_reason);
        }
        println!("\nEvents");
        if self.events.is_empty() {
            println!("  {FORGOTTEN}");
        }
        trace::print(&self.events);
        for error in &self.unreadable {
            println!("\nSome of this is missing: {error}");
        }
    }

    /// The gist, for scripts.
    pub fn json(&self) -> Value {
        let workflow = &self.record.workflow;
        let mut summary = json!({
            "workflow": workflow.correlation_id,
            "session": workflow.session(),
            "state": workflow.state,
            "account": workflow.account,
            "events": self.events.len(),
        });
        if let Some(signal) = signal(&self.payloads) {
            let strategies = signal.signals_data.strategies.iter().map(|strategy| {
                let mut object = json!({
                    "strategy": strategy.strategy_id,
                    "weight": strategy.weight,
                    "allocation": strategy.allocation,
                });
                if let Some(error) = &strategy.error {
                    object["error"] = crate::failure::error_json(error);
                }
                object
            });
            summary["strategies"] = strategies.collect();
            summary["targets"] = json!(signal.consolidated_portfolio.target_allocations);
        }
        if let Some(planned) = planned(&self.payloads) {
            summary["portfolio_value"] = json!(planned.rebalance_plan.total_portfolio_value);
            summary["plan"] = json!(planned.rebalance_plan.items);
        }
        if let Some(data) = self.execution() {
            summary["orders_placed"] = json!(data.orders_placed);
            summary["orders_filled"] = json!(data.orders_succeeded);
            summary["traded"] = json!(data.total_trade_value);
            summary["cash_before"] = json!(data.cash_before);
            summary["cash_after"] = json!(data.cash_after);
            summary["orders"] = json!(data.orders);
        }
        if let (Some(planned), Some(data)) = (planned(&self.payloads), self.execution()) {
            let account = Account::of(planned, data);
            let positions = account.positions.iter().map(|position| {
                json!({
                    "symbol": position.symbol,
                    "quantity": position.quantity_after,
                    "value": position.value_after,
                })
            });
            summary["positions"] = positions.collect();
            summary["portfolio_value_after"] = json!(account.total_after);
        }
        if let Some(failed) = self.failure() {
            summary["error"] = crate::failure::error_json(&failed.error);
        }
        summary
    }

    /// Whether it reached its goal.
    pub fn completed(&self) -> bool {
        self.record.workflow.state == WorkflowState::Completed
    }

    fn execution(&self) -> Option<&ExecutionData> {
        self.payloads.iter().find_map(|payload| match payload {
            Payload::TradeExecuted(trade) => Some(&trade.execution_data),
            _ => None,
        })
    }

    fn strategies(&self, signal: &SignalGenerated) {
        println!("\nStrategies");
        let terminal = terminal_width();
        let results = &signal.signals_data.strategies;
        let width = results
            .iter()
            .map(|result| result.strategy_id.as_str().chars().count())
            .max()
            .unwrap_or(0);
        for (result, explanation) in results.iter().zip(&self.explanations) {
            println!(
                "  {:<width$}  {:>8} of the book  {}",
                result.strategy_id,
                percent(result.weight.decimal()),
                weights(result)
            );
            if let Some(explanation) = explanation {
                print!("{}", reasons::text(explanation, Detail::Brief, terminal));
            }
        }
    }
}

fn weights(result: &StrategyResult) -> String {
    if let Some(error) = &result.error {
        return format!("failed: {}: {}", error.class, error.message);
    }
    let mut weights: Vec<_> = result.allocation.iter().collect();
    weights.sort_by(|(_, left), (_, right)| right.cmp(left));
    if weights.is_empty() {
        return "holds nothing".to_owned();
    }
    weights
        .into_iter()
        .map(|(symbol, weight)| format!("{symbol} {}", percent(weight.decimal())))
        .collect::<Vec<_>>()
        .join(", ")
}

fn target(signal: &SignalGenerated) {
    println!("\nTarget");
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Left]);
    let mut invested = Decimal::ZERO;
    for target in &signal.signals_data.signals {
        invested += target.target_weight.decimal();
        let contributions: Vec<String> = target
            .contributing
            .iter()
            .map(|(name, weight)| format!("{name} {}", percent(weight.decimal())))
            .collect();
        table.row([
            target.symbol.to_string(),
            percent(target.target_weight.decimal()),
            contributions.join(", "),
        ]);
    }
    let rest = Decimal::ONE - invested;
    if !rest.is_zero() {
        table.row(["uninvested".to_owned(), percent(rest), String::new()]);
    }
    table.print();
}

fn plan(planned: &RebalancePlanned) {
    let plan = &planned.rebalance_plan;
    println!(
        "\nPlan for a portfolio of {}",
        grouped(plan.total_portfolio_value)
    );
    let mut table = Table::new(&[
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
    ]);
    for item in &plan.items {
        let change = match item.action {
            PlanAction::Hold => String::new(),
            PlanAction::Buy | PlanAction::Sell => {
                format!("{} to {} shares", item.current_qty, item.target_qty)
            }
        };
        table.row([
            item.action.to_string(),
            item.symbol.to_string(),
            grouped(item.trade_amount),
            change,
            percent(item.current_weight.decimal()),
            "to".to_owned(),
            percent(item.target_weight.decimal()),
        ]);
    }
    if table.is_empty() {
        println!("  nothing is held and nothing is wanted");
    }
    table.print();
}

fn fills(data: &ExecutionData) {
    println!(
        "\nFills: {} of {} orders, {} traded",
        data.orders_succeeded,
        data.orders_placed,
        grouped(data.total_trade_value)
    );
    let mut table = Table::new(&[
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Left,
        Align::Right,
        Align::Left,
    ]);
    for order in &data.orders {
        let price = order.avg_fill_price.map_or_else(String::new, |price| {
            format!("at {}", fixed(price.decimal(), 4))
        });
        table.row([
            order.action.to_string(),
            order.symbol.to_string(),
            order.filled_qty.to_string(),
            price,
            grouped(order.trade_amount),
            order.error_message.clone().unwrap_or_default(),
        ]);
    }
    table.print();
}

/// The account before and after the trades, both valued at the plan's prices.
struct Account {
    cash_before: Money,
    cash_after: Money,
    /// By symbol; what was never held is left out.
    positions: Vec<Position>,
    total_before: Money,
    total_after: Money,
}

struct Position {
    symbol: Symbol,
    quantity_after: Quantity,
    value_before: Money,
    value_after: Money,
}

impl Account {
    fn of(planned: &RebalancePlanned, data: &ExecutionData) -> Self {
        let orders: BTreeMap<_, &OrderResult> = data
            .orders
            .iter()
            .map(|order| (&order.symbol, order))
            .collect();
        // Totals are rounded once, as those of plans are.
        let mut before = data.cash_before.decimal();
        let mut after = data.cash_after.decimal();
        let mut positions = Vec::new();
        for item in &planned.rebalance_plan.items {
            let price = item.reference_price;
            let held = held_after(item.current_qty, orders.get(&item.symbol).copied());
            before += item.current_qty.decimal() * price.decimal();
            after += held.decimal() * price.decimal();
            if !(item.current_qty.is_zero() && held.is_zero()) {
                positions.push(Position {
                    symbol: item.symbol.clone(),
                    quantity_after: held,
                    value_before: item.current_qty.at(price),
                    value_after: held.at(price),
                });
            }
        }
        positions.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        Self {
            cash_before: data.cash_before,
            cash_after: data.cash_after,
            positions,
            total_before: Money::new(before),
            total_after: Money::new(after),
        }
    }
}

fn account(account: &Account) {
    println!("\nAccount");
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Left, Align::Right]);
    let mut row = |name: &str, was: Money, is: Money| {
        table.row([name.to_owned(), grouped(was), "to".to_owned(), grouped(is)]);
    };
    row("cash", account.cash_before, account.cash_after);
    for position in &account.positions {
        let symbol = position.symbol.as_str();
        row(symbol, position.value_before, position.value_after);
    }
    row("total", account.total_before, account.total_after);
    table.print();
}

fn held_after(before: Quantity, order: Option<&OrderResult>) -> Quantity {
    match order {
        Some(order) if order.action == Side::Buy => before + order.filled_qty,
        Some(order) => before.saturating_sub(order.filled_qty),
        None => before,
    }
}

/// What was read, or none and a note where it cannot be.
fn or_note<T>(
    read: Result<Option<T>, StoreError>,
    unreadable: &mut Vec<StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Err(error @ StoreError::Damaged(_)) => {
            unreadable.push(error);
            Ok(None)
        }
        read => read,
    }
}

fn signal(payloads: &[Payload]) -> Option<&SignalGenerated> {
    payloads.iter().find_map(|payload| match payload {
        Payload::SignalGenerated(signal) => Some(signal),
        _ => None,
    })
}

fn planned(payloads: &[Payload]) -> Option<&RebalancePlanned> {
    payloads.iter().find_map(|payload| match payload {
        Payload::RebalancePlanned(planned) => Some(planned),
        _ => None,
    })
}

fn explanation(
    strategy: &StrategyResult,
    queries: &Queries,
) -> Result<Option<Explanation>, StoreError> {
    let Some(reference) = &strategy.trace_id else {
        return Ok(None);
    };
    let content = queries.blob(reference)?;
    serde_json::from_slice(&content).map(Some).map_err(|error| {
        StoreError::Damaged(format!("`{}` is no explanation: {error}", reference.sha256))
    })
}
