//! Calls of portfolio plugins.

use crate::bindings::portfolio::exports::alchemiser::plugin::planner;
use crate::error::{BadAnswer, Call, CallError, Failure};
use crate::imports::LogLine;
use crate::inspect::Kind;
use crate::instance::{Instance, Usage, call_error};
use crate::load::{Plugin, World};
use crate::strategy::symbol;
use crate::text::clip_line;
use alchemiser_events::{AmountError, Decimal, Money, PlanAction, Price, Quantity, Symbol, Weight};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that a plan is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Shares of the investable value; what is held and not named is sold.
    pub targets: BTreeMap<Symbol, Weight>,
    /// Cash of the account.
    pub cash: Money,
    /// What is held.
    pub positions: BTreeMap<Symbol, Quantity>,
    /// Every symbol that is held or targeted.
    pub instruments: BTreeMap<Symbol, PlanInstrument>,
    /// How to trade.
    pub settings: PlanSettings,
    /// The plugin's own parameters, a JSON object.
    pub parameters: String,
}

/// What a plan needs to know of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInstrument {
    /// US dollars for one share.
    pub price: Price,
    /// Whether fractions of a share can be traded.
    pub fractionable: bool,
}

/// How to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSettings {
    /// Share of the portfolio value that stays uninvested, below 1.
    pub cash_reserve: Weight,
    /// Trades below this share of the portfolio value are not made…
    pub min_trade_share: Weight,
    /// …nor exits below this amount.
    pub min_trade_amount: Money,
    /// Largest target weight of one symbol.
    pub max_position: Weight,
    /// No trade is made while no weight is off by this much; 0 is off.
    pub rebalance_threshold: Weight,
    /// Whether the plan may spend more than cash plus expected proceeds.
    pub allow_margin: bool,
}

/// What a portfolio plugin answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Cash plus positions.
    pub portfolio_value: Money,
    /// Sum of the trades' sizes.
    pub total_trade_value: Money,
    /// In the order of execution.
    pub items: Vec<PlannedItem>,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
}

/// One symbol of a plan, as `PlanItem` of the events without what the host
/// adds: differences and attribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedItem {
    /// What to trade.
    pub symbol: Symbol,
    /// What to do.
    pub action: PlanAction,
    /// 1 (first) to 5; for display.
    pub priority: u8,
    /// Shares held.
    pub current_quantity: Quantity,
    /// Shares to hold after the trade.
    pub target_quantity: Quantity,
    /// The price that the plan was made at.
    pub reference_price: Price,
    /// Value held.
    pub current_value: Money,
    /// Value wanted.
    pub target_value: Money,
    /// Value to trade: above 0 to buy, below 0 to sell.
    pub trade_amount: Money,
    /// Share held.
    pub current_weight: Weight,
    /// Share wanted.
    pub target_weight: Weight,
    /// Whether the whole position is sold.
    pub close_position: bool,
}

impl Plugin {
    /// Asks a portfolio plugin for a plan, on a fresh instance.
    ///
    /// # Errors
    /// The plugin is no portfolio, answers with an error, fails, or answers with
    /// something that is no plan.
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, CallError> {
        self.plan_measured(request).0
    }

    /// The same, with what the call needed.
    pub fn plan_measured(&self, request: &PlanRequest) -> (Result<Plan, CallError>, Usage) {
        let mut usage = Usage::default();
        (self.ask(request, &mut usage), usage)
    }

    fn ask(&self, request: &PlanRequest, usage: &mut Usage) -> Result<Plan, CallError> {
        let call = Call::Plan;
        let World::Portfolio(linked) = &self.loaded().world else {
            let failure = Failure::WrongKind {
                is: self.kind(),
                wanted: Kind::Portfolio,
            };
            return Err(call_error(self, call, failure));
        };
        let question = question(request);
        let mut instance = Instance::new(self);
        let answer = instance.call(call, |store| {
            let world = linked.instantiate(&mut *store)?;
            world
                .alchemiser_plugin_planner()
                .call_plan(store, &question)
        });
        *usage = instance.usage;
        let answer =
            answer?.map_err(|error| call_error(self, call, Failure::Plugin(error.into())))?;
        let log = instance.store.data_mut().log.take();
        plan(&answer, request, log).map_err(|bad| call_error(self, call, bad))
    }
}

/// The request in the plugin's types.
fn question(request: &PlanRequest) -> planner::Request {
    let settings = &request.settings;
    planner::Request {
        targets: request
            .targets
            .iter()
            .map(|(symbol, weight)| planner::Target {
                symbol: symbol.to_string(),
                weight: weight.to_string(),
            })
            .collect(),
        cash: request.cash.to_string(),
        positions: request
            .positions
            .iter()
            .map(|(symbol, quantity)| planner::Position {
                symbol: symbol.to_string(),
                quantity: quantity.to_string(),
            })
            .collect(),
        instruments: request
            .instruments
            .iter()
            .map(|(symbol, instrument)| planner::Instrument {
                symbol: symbol.to_string(),
                price: instrument.price.to_string(),
                fractionable: instrument.fractionable,
            })
            .collect(),
        settings: planner::Settings {
            cash_reserve: settings.cash_reserve.to_string(),
            min_trade_share: settings.min_trade_share.to_string(),
            min_trade_amount: settings.min_trade_amount.to_string(),
            max_position: settings.max_position.to_string(),
            rebalance_threshold: settings.rebalance_threshold.to_string(),
            allow_margin: settings.allow_margin,
        },
        parameters: request.parameters.clone(),
    }
}

/// Checks a plan field by field, and gives its fields their types.
fn plan(
    answer: &planner::RebalancePlan,
    request: &PlanRequest,
    log: Vec<LogLine>,
) -> Result<Plan, BadAnswer> {
    let of_plan = Fields { symbol: None };
    let mut seen = BTreeSet::new();
    let mut items = Vec::with_capacity(answer.items.len());
    for item in &answer.items {
        let item = planned_item(item, request)?;
        if !seen.insert(item.symbol.clone()) {
            return Err(BadAnswer::Duplicate {
                symbol: item.symbol.to_string(),
            });
        }
        items.push(item);
    }
    Ok(Plan {
        portfolio_value: of_plan.money("portfolio-value", &answer.portfolio_value)?,
        total_trade_value: of_plan.money("total-trade-value", &answer.total_trade_value)?,
        items,
        log,
    })
}

fn planned_item(item: &planner::Item, request: &PlanRequest) -> Result<PlannedItem, BadAnswer> {
    let symbol = symbol(&item.symbol)?;
    if !request.instruments.contains_key(&symbol) {
        return Err(BadAnswer::UnknownSymbol {
            symbol: symbol.to_string(),
            known: "instruments of the request",
        });
    }
    let fields = Fields {
        symbol: Some(&symbol),
    };
    if !(1..=5).contains(&item.priority) {
        return Err(fields.bad(
            "priority",
            &item.priority.to_string(),
            "it goes from 1 to 5",
        ));
    }
    Ok(PlannedItem {
        action: match item.action {
            planner::Action::Buy => PlanAction::Buy,
            planner::Action::Sell => PlanAction::Sell,
            planner::Action::Hold => PlanAction::Hold,
        },
        priority: item.priority,
        current_quantity: fields.amount(
            "current-quantity",
            &item.current_quantity,
            Quantity::new,
        )?,
        target_quantity: fields.amount("target-quantity", &item.target_quantity, Quantity::new)?,
        reference_price: fields.amount("reference-price", &item.reference_price, Price::new)?,
        current_value: fields.money("current-value", &item.current_value)?,
        target_value: fields.money("target-value", &item.target_value)?,
        trade_amount: fields.money("trade-amount", &item.trade_amount)?,
        current_weight: fields.amount("current-weight", &item.current_weight, Weight::new)?,
        target_weight: fields.amount("target-weight", &item.target_weight, Weight::new)?,
        close_position: item.close_position,
        symbol,
    })
}

/// Reads the decimals of a plan, or of one of its items.
struct Fields<'a> {
    symbol: Option<&'a Symbol>,
}

impl Fields<'_> {
    fn decimal(&self, field: &'static str, text: &str) -> Result<Decimal, BadAnswer> {
        // The library also reads `1_000` and `1e3`; the contract has neither.
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
        Decimal::from_str_exact(text)
            .ok()
            .filter(|_| plain)
            .ok_or_else(|| self.bad(field, text, "it is no decimal number"))
    }

    fn money(&self, field: &'static str, text: &str) -> Result<Money, BadAnswer> {
        self.decimal(field, text).map(Money::new)
    }

    fn amount<T>(
        &self,
        field: &'static str,
        text: &str,
        new: impl FnOnce(Decimal) -> Result<T, AmountError>,
    ) -> Result<T, BadAnswer> {
        new(self.decimal(field, text)?).map_err(|error| self.bad(field, text, &error.to_string()))
    }

    fn bad(&self, field: &'static str, value: &str, problem: &str) -> BadAnswer {
        const LONGEST: usize = 64;
        BadAnswer::Field {
            field,
            symbol: self.symbol.map(Symbol::to_string),
            value: clip_line(value, LONGEST),
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request() -> PlanRequest {
        let symbol = Symbol::parse("SPY").unwrap();
        PlanRequest {
            targets: BTreeMap::from([(symbol.clone(), Weight::ONE)]),
            cash: Money::new(Decimal::new(100_000, 0)),
            positions: BTreeMap::new(),
            instruments: BTreeMap::from([(
                symbol,
                PlanInstrument {
                    price: Price::new(Decimal::new(250, 0)).unwrap(),
                    fractionable: true,
                },
            )]),
            settings: PlanSettings {
                cash_reserve: Weight::ZERO,
                min_trade_share: Weight::ZERO,
                min_trade_amount: Money::ZERO,
                max_position: Weight::ONE,
                rebalance_threshold: Weight::ZERO,
                allow_margin: false,
            },
            parameters: "{}".to_owned(),
        }
    }

    fn item() -> planner::Item {
        let text = |text: &str| text.to_owned();
        planner::Item {
            symbol: text("SPY"),
            action: planner::Action::Buy,
            priority: 1,
            current_quantity: text("0"),
            target_quantity: text("399.9999999999"),
            reference_price: text("250"),
            current_value: text("0"),
            target_value: text("99999.999"),
            trade_amount: text("99999.999"),
            current_weight: text("0"),
            target_weight: text("1"),
            close_position: false,
        }
    }

    fn check(items: Vec<planner::Item>) -> Result<Plan, BadAnswer> {
        let answer = planner::RebalancePlan {
            portfolio_value: "100000".to_owned(),
            total_trade_value: "99999.999".to_owned(),
            items,
        };
        plan(&answer, &request(), Vec::new())
    }

    #[test]
    fn money_is_rounded_and_quantities_are_cut() {
        let plan = check(vec![item()]).unwrap();
        assert_eq!(plan.total_trade_value.to_string(), "100000.00");
        let item = &plan.items[0];
        assert_eq!(item.target_quantity.to_string(), "399.999999999");
        assert_eq!(item.trade_amount.to_string(), "100000.00");
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let broken: [fn(&mut planner::Item); 9] = [
            |item| item.symbol = "QQQ".to_owned(),
            |item| item.symbol = "not a symbol".to_owned(),
            |item| item.priority = 0,
            |item| item.target_quantity = "-1".to_owned(),
            |item| item.target_weight = "1.5".to_owned(),
            |item| item.reference_price = "0".to_owned(),
            |item| item.trade_amount = "1e5".to_owned(),
            |item| item.trade_amount = "1_000".to_owned(),
            |item| item.target_value = "NaN".to_owned(),
        ];
        let mut texts: Vec<String> = broken
            .iter()
            .map(|break_it| {
                let mut item = item();
                break_it(&mut item);
                check(vec![item]).unwrap_err().to_string()
            })
            .collect();
        texts.push(check(vec![item(), item()]).unwrap_err().to_string());
        insta::assert_snapshot!(texts.join("\n"));
    }
}
