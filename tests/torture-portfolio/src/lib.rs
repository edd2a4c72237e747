//! A portfolio plugin that misbehaves in the way that its parameters name.

use alchemiser_sdk::planner::{Action, Item, RebalancePlan, Request};
use alchemiser_sdk::{Error, Portfolio, Result, export_portfolio};
use serde::Deserialize;

/// What to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    behaviour: Behaviour,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    /// Keeps every position as it is.
    Behave,
    /// Repeats the settings, as an error.
    EchoSettings,
    EndlessLoop,
    Panic,
    BadDecimal,
    NegativeQuantity,
    UnknownSymbol,
}

/// The portfolio plugin.
pub struct Torture;

impl Portfolio for Torture {
    type Parameters = Parameters;

    fn plan(request: &Request, parameters: Parameters) -> Result<RebalancePlan> {
        let mut plan = hold(request);
        match parameters.behaviour {
            Behaviour::Behave => {}
            Behaviour::EchoSettings => {
                let text = format!("{:?}", request.settings);
                return Err(Error::new("Echo", text));
            }
            Behaviour::EndlessLoop => loop {
                std::hint::black_box(());
            },
            Behaviour::Panic => panic!("the torture portfolio panics on purpose"),
            Behaviour::BadDecimal => plan.portfolio_value = "1e5".to_owned(),
            Behaviour::NegativeQuantity => plan.items[0].target_quantity = "-1".to_owned(),
            Behaviour::UnknownSymbol => plan.items[0].symbol = "NOSUCH".to_owned(),
        }
        Ok(plan)
    }
}

export_portfolio!(Torture);

fn hold(request: &Request) -> RebalancePlan {
    let items = request
        .positions
        .iter()
        .map(|position| Item {
            symbol: position.symbol.clone(),
            action: Action::Hold,
            priority: 5,
            current_quantity: position.quantity.clone(),
            target_quantity: position.quantity.clone(),
            reference_price: request
                .instruments
                .iter()
                .find(|instrument| instrument.symbol == position.symbol)
                .map(|instrument| instrument.price.clone())
                .unwrap_or_default(),
            current_value: "0".to_owned(),
            target_value: "0".to_owned(),
            trade_amount: "0".to_owned(),
            current_weight: "0".to_owned(),
            target_weight: "0".to_owned(),
            close_position: false,
        })
        .collect();
    RebalancePlan {
        portfolio_value: request.cash.clone(),
        total_trade_value: "0".to_owned(),
        items,
    }
}
