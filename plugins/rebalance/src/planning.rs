//! The arithmetic of a plan. Pure: the same snapshot gives the same plan.

use std::cmp::Ordering;

use alchemiser_sdk::planner::Action;
use alchemiser_sdk::{Error, Result};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::request::{Holding, LARGEST_AMOUNT, Settings, Snapshot};

/// Decimals of a quantity that can be traded in fractions.
const QUANTITY_DECIMALS: u32 = 6;

/// The part of the expected proceeds that buys may count on; the rest is for
/// sells that fill below the reference price.
const PROCEEDS_COUNTED: Decimal = Decimal::from_parts(995, 0, 0, false, 3);

/// A plan with full precision; [`money`] rounds it where it is written.
#[derive(Debug)]
pub(crate) struct Plan<'snapshot> {
    pub(crate) portfolio_value: Decimal,
    /// Sells, buys, then holds; each by priority, then by symbol.
    pub(crate) trades: Vec<Trade<'snapshot>>,
}

/// What to do about one holding.
#[derive(Debug)]
pub(crate) struct Trade<'snapshot> {
    pub(crate) holding: &'snapshot Holding,
    /// Quantity held times price.
    pub(crate) current_value: Decimal,
    /// Share of the investable value that is wanted.
    pub(crate) target_value: Decimal,
    /// Shares of the portfolio value.
    pub(crate) current_weight: Decimal,
    pub(crate) target_weight: Decimal,
    /// US dollars: above 0 to buy, below 0 to sell, 0 to hold.
    pub(crate) amount: Decimal,
    /// Shares after the trade.
    pub(crate) target_quantity: Decimal,
}

/// US dollars as a plan states them: cents, half a cent away from zero.
pub(crate) fn money(amount: Decimal) -> Decimal {
    let mut cents = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    cents.rescale(2);
    cents
}

pub(crate) fn plan(snapshot: &Snapshot) -> Result<Plan<'_>> {
    let settings = &snapshot.settings;
    let portfolio_value = portfolio_value(snapshot)?;
    let mut trades: Vec<Trade<'_>> = snapshot
        .holdings
        .iter()
        .map(|holding| Trade::none(holding, portfolio_value, settings))
        .collect();

    if is_rebalance_due(&trades, settings) {
        let threshold = money(settings.minimum_trade_share * portfolio_value);
        for trade in &mut trades {
            trade.decide(threshold, settings.minimum_trade_amount);
        }
        if !settings.allow_margin {
            fit_buys(&mut trades, snapshot.cash, threshold);
        }
    }

    trades.sort_by_key(|trade| (order(trade.action()), trade.priority()));
    Ok(Plan {
        portfolio_value,
        trades,
    })
}

/// Cash plus everything held at the prices given; 0 for less than half a cent.
fn portfolio_value(snapshot: &Snapshot) -> Result<Decimal> {
    let held: Decimal = snapshot.holdings.iter().map(Holding::value).sum();
    let value = snapshot.cash + held;
    if money(value).is_zero() && money(held).is_zero() {
        return Ok(Decimal::ZERO);
    }
    if money(value) > Decimal::ZERO && value <= Decimal::from(LARGEST_AMOUNT) {
        return Ok(value);
    }
    let message = format!(
        "the account holds {} and its cash is {}; together they must be above 0 and at most \
         {LARGEST_AMOUNT}",
        money(held),
        money(snapshot.cash)
    );
    Err(Error {
        what: Some("cash".to_owned()),
        ..Error::new("ArgumentError", message)
    })
}

/// Whether some weight is off by the threshold, if there is one.
fn is_rebalance_due(trades: &[Trade<'_>], settings: &Settings) -> bool {
    trades.iter().any(|trade| {
        let difference = (trade.target_weight - trade.current_weight).abs();
        difference >= settings.rebalance_threshold
    })
}

/// Scales the buys down to what cash and proceeds pay for.
///
/// Scaling can leave a buy too small to be worth making. The smallest of these
/// is given up, and the others share the money, until each is worth making.
/// Planning again after the trades then finds nothing left to buy.
fn fit_buys(trades: &mut [Trade<'_>], cash: Decimal, threshold: Decimal) {
    let sum_of = |trades: &[Trade<'_>], action| -> Decimal {
        let of_action = trades.iter().filter(|trade| trade.action() == action);
        of_action.map(|trade| trade.amount.abs()).sum()
    };
    let proceeds = sum_of(trades, Action::Sell);
    let available = (cash + PROCEEDS_COUNTED * proceeds).max(Decimal::ZERO);
    loop {
        let required = sum_of(trades, Action::Buy);
        if required <= available {
            return;
        }
        let scale = available / required;
        let too_small = buys(trades)
            .filter(|trade| !trade.is_worth_buying(trade.amount * scale, threshold))
            .min_by_key(|trade| trade.amount);
        match too_small {
            Some(trade) => trade.hold(),
            None => return buys(trades).for_each(|trade| trade.buy(trade.amount * scale)),
        }
    }
}

fn buys<'trades, 'snapshot>(
    trades: &'trades mut [Trade<'snapshot>],
) -> impl Iterator<Item = &'trades mut Trade<'snapshot>> {
    trades
        .iter_mut()
        .filter(|trade| trade.action() == Action::Buy)
}

impl<'snapshot> Trade<'snapshot> {
    /// Where the holding is and where it should be, with nothing traded yet.
    fn none(holding: &'snapshot Holding, portfolio_value: Decimal, settings: &Settings) -> Self {
        let investable_share = Decimal::ONE - settings.cash_reserve;
        let current_value = holding.value();
        Self {
            holding,
            current_value,
            target_value: holding.weight * (portfolio_value * investable_share),
            // Of nothing, everything is no share.
            current_weight: current_value
                .checked_div(portfolio_value)
                .unwrap_or_default(),
            target_weight: holding.weight * investable_share,
            amount: Decimal::ZERO,
            target_quantity: holding.quantity,
        }
    }

    /// Trades the whole difference, unless it is too small.
    fn decide(&mut self, threshold: Decimal, smallest_exit: Decimal) {
        let size = self.difference();
        let smallest = if self.holding.weight.is_zero() {
            smallest_exit
        } else {
            threshold
        };
        if size.is_zero() || size.abs() < smallest {
            return;
        }
        let amount = self.target_value - self.current_value;
        if amount < Decimal::ZERO {
            self.amount = amount;
            self.target_quantity = self.tradable_quantity(self.target_value);
        } else if self.is_worth_buying(amount, threshold) {
            self.buy(amount);
        }
    }

    /// Whether a buy is large enough, and pays for a share where only whole
    /// ones can be had.
    fn is_worth_buying(&self, amount: Decimal, threshold: Decimal) -> bool {
        let quantity = self.tradable_quantity(self.current_value + amount);
        let stated = money(amount);
        stated > Decimal::ZERO && stated >= threshold && quantity > self.holding.quantity
    }

    fn buy(&mut self, amount: Decimal) {
        self.amount = amount;
        self.target_quantity = self.tradable_quantity(self.current_value + amount);
    }

    fn hold(&mut self) {
        self.amount = Decimal::ZERO;
        self.target_quantity = self.holding.quantity;
    }

    /// The shares worth at most this much that can be held by trading.
    fn tradable_quantity(&self, value: Decimal) -> Decimal {
        let decimals = if self.holding.fractionable {
            QUANTITY_DECIMALS
        } else {
            0
        };
        (value / self.holding.price).round_dp_with_strategy(decimals, RoundingStrategy::ToZero)
    }

    /// What the target asks for, in cents.
    fn difference(&self) -> Decimal {
        money(self.target_value - self.current_value)
    }

    pub(crate) fn action(&self) -> Action {
        match self.amount.cmp(&Decimal::ZERO) {
            Ordering::Less => Action::Sell,
            Ordering::Greater => Action::Buy,
            Ordering::Equal => Action::Hold,
        }
    }

    /// 1 (largest) to 5, by how far the holding is from its target; for people.
    pub(crate) fn priority(&self) -> u8 {
        let size = self.difference().abs();
        let reached = |amount: i64| size >= Decimal::from(amount);
        match () {
            () if reached(10_000) => 1,
            () if reached(1_000) => 2,
            () if reached(100) => 3,
            () if reached(50) => 4,
            () => 5,
        }
    }

    /// Whether everything is sold because the target is exactly 0.
    pub(crate) fn closes_position(&self) -> bool {
        self.action() == Action::Sell && self.holding.weight.is_zero()
    }
}

impl Plan<'_> {
    /// The sum of the trades' sizes, each as stated.
    pub(crate) fn total_trade_value(&self) -> Decimal {
        self.trades
            .iter()
            .map(|trade| money(trade.amount).abs())
            .sum()
    }
}

/// Sells first: they pay for the buys.
fn order(action: Action) -> u8 {
    match action {
        Action::Sell => 0,
        Action::Buy => 1,
        Action::Hold => 2,
    }
}
