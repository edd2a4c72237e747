//! Portfolio plugins.

use crate::harness::{TORTURE_PORTFOLIO, settings, text, torture};
use alchemiser_events::{Decimal, Money, PlanAction, Price, Quantity, Symbol, Weight};
use alchemiser_sandbox::{
    CallError, Plan, PlanInstrument, PlanRequest, PlanSettings, Plugin, Sandbox,
};
use std::collections::BTreeMap;

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn request(behaviour: &str) -> PlanRequest {
    let symbol = Symbol::parse("BRK.B").unwrap();
    PlanRequest {
        targets: BTreeMap::from([(symbol.clone(), Weight::new(decimal("0.6")).unwrap())]),
        cash: Money::new(decimal("1234.5")),
        positions: BTreeMap::from([(symbol.clone(), Quantity::new(decimal("1.5")).unwrap())]),
        instruments: BTreeMap::from([(
            symbol,
            PlanInstrument {
                price: Price::new(decimal("301.125")).unwrap(),
                fractionable: true,
            },
        )]),
        settings: PlanSettings {
            cash_reserve: Weight::new(decimal("0.01")).unwrap(),
            min_trade_share: Weight::new(decimal("0.002")).unwrap(),
            min_trade_amount: Money::new(decimal("25")),
            max_position: Weight::ONE,
            rebalance_threshold: Weight::ZERO,
            allow_margin: false,
        },
        parameters: format!(r#"{{"behaviour": "{behaviour}"}}"#),
    }
}

fn plugin() -> Plugin {
    let sandbox = Sandbox::new(settings()).unwrap();
    sandbox.load("portfolio", &TORTURE_PORTFOLIO).unwrap()
}

fn ask(plugin: &Plugin, behaviour: &str) -> Result<Plan, CallError> {
    plugin.plan(&request(behaviour))
}

#[test]
fn a_plan_crosses_the_border_unharmed() {
    let plan = ask(&plugin(), "behave").unwrap();
    assert_eq!(plan.portfolio_value.to_string(), "1234.50");
    let item = &plan.items[0];
    assert_eq!(item.symbol.as_str(), "BRK.B");
    assert_eq!(item.action, PlanAction::Hold);
    assert_eq!(item.current_quantity.to_string(), "1.5");
    assert_eq!(item.reference_price.to_string(), "301.125");
}

#[test]
fn each_misbehaviour_has_its_own_error() {
    let plugin = plugin();
    let mut texts: Vec<String> = [
        "echo-settings",
        "endless-loop",
        "panic",
        "bad-decimal",
        "negative-quantity",
        "unknown-symbol",
    ]
    .into_iter()
    .map(|behaviour| text(&ask(&plugin, behaviour).unwrap_err()))
    .collect();
    texts.push(text(&ask(&torture(), "behave").unwrap_err()));
    insta::assert_snapshot!(texts.join("\n"));
}

/// What is stored of a call is the request itself.
#[test]
fn a_request_can_be_kept() {
    let request = request("behave");
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<PlanRequest>(&json).unwrap(), request);
    insta::assert_snapshot!(json);
}
