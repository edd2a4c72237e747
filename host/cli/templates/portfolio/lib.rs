//! Plans the trades that bring every position to its target.
//!
//! Change it into your own way of getting there. What a request and a plan hold
//! is in the pages of `cargo doc --package alchemiser-sdk --open`.

use alchemiser_sdk::planner::{Action, Item, RebalancePlan, Request, parse_decimal};
use alchemiser_sdk::{Error, NoParameters, Portfolio, Result, export_portfolio};
use rust_decimal::{Decimal, RoundingStrategy};

/// Sells whatever is above its target and buys whatever is below, in full.
pub struct Full;

impl Portfolio for Full {
    // Settings of your own go into a type with `#[derive(serde::Deserialize)]`.
    type Parameters = NoParameters;

    fn plan(request: &Request, _: NoParameters) -> Result<RebalancePlan> {
        let holdings = holdings(request)?;
        let cash = decimal("cash", &request.cash)?;
        let held: Decimal = holdings.iter().map(Holding::value).sum();
        let portfolio_value = cash + held;
        if portfolio_value <= Decimal::ZERO {
            return Err(Error::new("ArgumentError", "the account is worth nothing"));
        }
        let reserve = decimal("cash-reserve", &request.settings.cash_reserve)?;
        let smallest = decimal("min-trade-amount", &request.settings.min_trade_amount)?;
        let investable = portfolio_value * (Decimal::ONE - reserve);

        let mut items = Vec::new();
        let mut total_trade_value = Decimal::ZERO;
        for holding in &holdings {
            let target_value = holding.weight * investable;
            let mut target = holding.shares_worth(target_value);
            // A small buy is not worth its costs. Small sales are made, since
            // the buys are paid from them.
            let costs = (target - holding.quantity) * holding.price;
            if target > holding.quantity && costs < smallest {
                target = holding.quantity;
            }
            let amount = cents((target - holding.quantity) * holding.price);
            total_trade_value += amount.abs();
            let (action, priority) = match target.cmp(&holding.quantity) {
                std::cmp::Ordering::Less => (Action::Sell, 1),
                std::cmp::Ordering::Greater => (Action::Buy, 2),
                std::cmp::Ordering::Equal => (Action::Hold, 3),
            };
            let current_weight = (holding.value() / portfolio_value).min(Decimal::ONE);
            items.push(Item {
                symbol: holding.symbol.clone(),
                action,
                priority,
                current_quantity: holding.quantity.to_string(),
                target_quantity: target.normalize().to_string(),
                reference_price: holding.price.to_string(),
                current_value: cents(holding.value()).to_string(),
                target_value: cents(target_value).to_string(),
                trade_amount: amount.to_string(),
                current_weight: current_weight.to_string(),
                target_weight: holding.weight.to_string(),
                close_position: holding.weight.is_zero() && action == Action::Sell,
            });
        }
        // Items are executed in their order: sales first, they pay for the buys.
        items.sort_by_key(|item| item.priority);
        Ok(RebalancePlan {
            portfolio_value: cents(portfolio_value).to_string(),
            total_trade_value: total_trade_value.to_string(),
            items,
        })
    }
}

export_portfolio!(Full);

/// A symbol that is held, targeted, or both.
struct Holding {
    symbol: String,
    /// US dollars for a share.
    price: Decimal,
    /// Whether fractions of a share can be traded.
    fractionable: bool,
    /// Shares held.
    quantity: Decimal,
    /// Share of the investable value that is wanted, 0 to 1.
    weight: Decimal,
}

impl Holding {
    fn value(&self) -> Decimal {
        self.quantity * self.price
    }

    /// Rounded down, so that no more is bought than there is money for.
    fn shares_worth(&self, value: Decimal) -> Decimal {
        let decimals = if self.fractionable { 6 } else { 0 };
        (value / self.price).round_dp_with_strategy(decimals, RoundingStrategy::ToZero)
    }
}

/// The host gives the price of everything that is held or targeted.
fn holdings(request: &Request) -> Result<Vec<Holding>> {
    let mut holdings = Vec::new();
    for instrument in &request.instruments {
        let symbol = &instrument.symbol;
        let position = request.positions.iter().find(|it| it.symbol == *symbol);
        let target = request.targets.iter().find(|it| it.symbol == *symbol);
        holdings.push(Holding {
            symbol: symbol.clone(),
            price: decimal("price", &instrument.price)?,
            fractionable: instrument.fractionable,
            quantity: decimal("quantity", position.map_or("0", |it| &it.quantity))?,
            weight: decimal("weight", target.map_or("0", |it| &it.weight))?,
        });
    }
    Ok(holdings)
}

/// Money is decimal, never a binary float; what would have to be rounded is
/// refused.
fn decimal(field: &str, text: &str) -> Result<Decimal> {
    parse_decimal(field, text, Decimal::from_str_exact)
}

fn cents(money: Decimal) -> Decimal {
    money.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests;
