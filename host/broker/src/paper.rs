//! A simulated account that fills at the session's close.
//!
//! The venue is open for the closing auction of each session, and fills every
//! order at once and whole: buys at the ask, sells at the bid. Both are the
//! close, moved by half the stated spread. Commissions are zero.

use crate::port::{
    Account, Asset, Broker, BrokerError, BrokerOrder, BrokerOrderStatus, OrderRequest, Position,
    Quote,
};
use alchemiser_events::{
    BrokerOrderId, ClientOrderId, Decimal, Money, Price, Quantity, Side, Symbol, Timestamp,
    TradingMode,
};
use alchemiser_fail_points::fail_point;
use alchemiser_market::{Market, Session, closing_time};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the simulated venue behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaperSettings {
    /// Cash of a new account, US dollars.
    #[serde(with = "alchemiser_events::decimal_text")]
    pub starting_cash: Decimal,
    /// Ask less bid, in hundredths of a percent of the close.
    #[serde(with = "alchemiser_events::decimal_text")]
    pub spread_bps: Decimal,
}

impl Default for PaperSettings {
    fn default() -> Self {
        Self {
            starting_cash: Decimal::from(100_000),
            spread_bps: Decimal::from(2),
        }
    }
}

/// Cash and holdings of a simulated account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaperAccount {
    /// US dollars.
    pub cash: Money,
    /// Only holdings above zero.
    pub positions: BTreeMap<Symbol, Quantity>,
}

/// Keeps simulated accounts and their orders.
#[async_trait]
pub trait PaperStore: Send + Sync {
    /// The account as it is.
    async fn account(&self) -> Result<PaperAccount, PaperStoreError>;

    /// The order of a name, if there is one.
    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, PaperStoreError>;

    /// In one transaction: if there is an order of that name, answers it;
    /// otherwise lets `decide` make it from the account, and stores it together
    /// with the account that `decide` leaves.
    async fn place(
        &self,
        name: &ClientOrderId,
        decide: Box<dyn for<'a> FnOnce(&'a mut PaperAccount) -> BrokerOrder + Send>,
    ) -> Result<BrokerOrder, PaperStoreError>;
}

/// The account could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the paper account: {0}")]
pub struct PaperStoreError(pub String);

impl From<PaperStoreError> for BrokerError {
    fn from(error: PaperStoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A simulated broker over a market's closes.
pub struct PaperBroker {
    market: Arc<Market>,
    store: Arc<dyn PaperStore>,
    half_spread: Decimal,
}

impl PaperBroker {
    /// A broker that fills at the closes of `market` and keeps its account in
    /// `store`.
    pub fn new(market: Arc<Market>, store: Arc<dyn PaperStore>, settings: &PaperSettings) -> Self {
        Self {
            market,
            store,
            half_spread: settings.spread_bps / Decimal::from(20_000),
        }
    }

    /// The session whose closing auction is held at an instant.
    fn auction(&self, at: Timestamp) -> Option<Session> {
        let calendar = self.market.calendar();
        let session = calendar.last_closed(at)?;
        (closing_time(calendar.date(session)?) == at).then_some(session)
    }

    fn quote(&self, symbol: &Symbol, session: Session) -> Option<Quote> {
        let close = self.market.history(symbol)?.price_on(session)?.decimal();
        // A spread below 200 % keeps the bid above zero; anything wider has no
        // quote.
        Some(Quote {
            bid: Price::new(close * (Decimal::ONE - self.half_spread)).ok()?,
            ask: Price::new(close * (Decimal::ONE + self.half_spread)).ok()?,
            mid: Price::new(close).ok()?,
        })
    }
}

#[async_trait]
impl Broker for PaperBroker {
    fn trading_mode(&self) -> TradingMode {
        TradingMode::Paper
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        fail_point!(
            BrokerAsked,
            Err(BrokerError::Unavailable("no answer".into()))
        );
        let account = self.store.account().await?;
        Ok(Account {
            cash: account.cash,
            blocked: None,
        })
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        fail_point!(
            BrokerAsked,
            Err(BrokerError::Unavailable("no answer".into()))
        );
        let account = self.store.account().await?;
        Ok(account
            .positions
            .into_iter()
            .map(|(symbol, quantity)| Position { symbol, quantity })
            .collect())
    }

    async fn assets(&self, symbols: &[Symbol]) -> Result<BTreeMap<Symbol, Asset>, BrokerError> {
        Ok(symbols
            .iter()
            .filter_map(|symbol| {
                let instrument = self.market.instrument(symbol)?;
                let asset = Asset {
                    tradable: instrument.tradable,
                    fractionable: instrument.fractionable,
                };
                Some((symbol.clone(), asset))
            })
            .collect())
    }

    async fn quotes(
        &self,
        symbols: &[Symbol],
        at: Timestamp,
    ) -> Result<BTreeMap<Symbol, Quote>, BrokerError> {
        let Some(session) = self.auction(at) else {
            return Ok(BTreeMap::new());
        };
        Ok(symbols
            .iter()
            .filter_map(|symbol| Some((symbol.clone(), self.quote(symbol, session)?)))
            .collect())
    }

    async fn market_is_open(&self, at: Timestamp) -> Result<bool, BrokerError> {
        Ok(self.auction(at).is_some())
    }

    async fn submit(&self, order: &OrderRequest) -> Result<BrokerOrder, BrokerError> {
        let quote = self
            .auction(order.submitted_at)
            .and_then(|session| self.quote(&order.symbol, session));
        let tradable = self
            .market
            .instrument(&order.symbol)
            .is_some_and(|instrument| instrument.tradable);
        let order = order.clone();
        let name = order.client_order_id.clone();
        let decide =
            Box::new(move |account: &mut PaperAccount| fill(account, &order, quote, tradable));
        fail_point!(OrderSent, Err(BrokerError::Unavailable("no answer".into())));
        let order = self.store.place(&name, decide).await?;
        fail_point!(
            OrderTaken,
            Err(BrokerError::Unavailable("no answer".into()))
        );
        Ok(order)
    }

    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, BrokerError> {
        fail_point!(
            BrokerAsked,
            Err(BrokerError::Unavailable("no answer".into()))
        );
        Ok(self.store.order(name).await?)
    }
}

/// Fills an order whole or rejects it, and moves cash and shares accordingly.
fn fill(
    account: &mut PaperAccount,
    request: &OrderRequest,
    quote: Option<Quote>,
    tradable: bool,
) -> BrokerOrder {
    match trade(account, request, quote, tradable) {
        Ok(price) => BrokerOrder {
            status: BrokerOrderStatus::Filled,
            filled_quantity: request.quantity,
            average_price: Some(price),
            filled_at: Some(request.submitted_at),
            reason: None,
            ..untouched(request)
        },
        Err(reason) => BrokerOrder {
            status: BrokerOrderStatus::Rejected,
            reason: Some(reason),
            ..untouched(request)
        },
    }
}

/// The order before anything happened to it.
fn untouched(request: &OrderRequest) -> BrokerOrder {
    BrokerOrder {
        client_order_id: request.client_order_id.clone(),
        id: BrokerOrderId::paper(&request.client_order_id),
        symbol: request.symbol.clone(),
        side: request.side,
        quantity: request.quantity,
        status: BrokerOrderStatus::Accepted,
        filled_quantity: Quantity::ZERO,
        average_price: None,
        filled_at: None,
        reason: None,
    }
}

/// Moves cash and shares, or says why not and moves nothing.
fn trade(
    account: &mut PaperAccount,
    request: &OrderRequest,
    quote: Option<Quote>,
    tradable: bool,
) -> Result<Price, String> {
    let symbol = &request.symbol;
    if !tradable {
        return Err(format!("{symbol} cannot be traded"));
    }
    let quote = quote.ok_or_else(|| format!("there is no quote for {symbol}"))?;
    if request.quantity.is_zero() {
        return Err("the quantity is zero".to_owned());
    }
    let held = account
        .positions
        .get(symbol)
        .copied()
        .unwrap_or(Quantity::ZERO);
    match request.side {
        Side::Buy => {
            let cost = request.quantity.at(quote.ask);
            if cost > account.cash {
                return Err(format!("{cost} is needed and {} is there", account.cash));
            }
            account.cash = account.cash - cost;
            account
                .positions
                .insert(symbol.clone(), held + request.quantity);
            Ok(quote.ask)
        }
        Side::Sell => {
            if request.quantity > held {
                return Err(format!(
                    "{} shares were to be sold and {held} are held",
                    request.quantity
                ));
            }
            account.cash = account.cash + request.quantity.at(quote.bid);
            let rest = held.saturating_sub(request.quantity);
            if rest.is_zero() {
                account.positions.remove(symbol);
            } else {
                account.positions.insert(symbol.clone(), rest);
            }
            Ok(quote.bid)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn quote() -> Quote {
        let price = |text| Price::new(Decimal::from_str_exact(text).unwrap()).unwrap();
        Quote {
            bid: price("99.99"),
            ask: price("100.01"),
            mid: price("100"),
        }
    }

    fn request(side: Side, quantity: &str) -> OrderRequest {
        OrderRequest {
            client_order_id: ClientOrderId::parse("al-test-0").unwrap(),
            symbol: Symbol::parse("SPY").unwrap(),
            side,
            quantity: Quantity::new(Decimal::from_str_exact(quantity).unwrap()).unwrap(),
            submitted_at: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
        }
    }

    fn account(cash: i64, shares: i64) -> PaperAccount {
        let mut positions = BTreeMap::new();
        if shares > 0 {
            let quantity = Quantity::new(shares.into()).unwrap();
            positions.insert(Symbol::parse("SPY").unwrap(), quantity);
        }
        PaperAccount {
            cash: Money::new(cash.into()),
            positions,
        }
    }

    #[test]
    fn buys_at_the_ask_and_sells_at_the_bid() {
        let mut account = account(1_000, 0);
        let bought = fill(
            &mut account,
            &request(Side::Buy, "1.5"),
            Some(quote()),
            true,
        );
        assert_eq!(bought.status, BrokerOrderStatus::Filled);
        assert_eq!(account.cash.to_string(), "849.98"); // 1.5 × 100.01 = 150.015, to the cent

        let sold = fill(
            &mut account,
            &request(Side::Sell, "1.5"),
            Some(quote()),
            true,
        );
        assert_eq!(sold.average_price, Some(quote().bid));
        assert_eq!(account.cash.to_string(), "999.97"); // 149.985, to the cent
        assert!(account.positions.is_empty());
    }

    #[test]
    fn what_cannot_be_done_is_rejected_and_moves_nothing() {
        let cases = [
            (request(Side::Buy, "10"), Some(quote()), true),
            (request(Side::Sell, "3"), Some(quote()), true),
            (request(Side::Buy, "1"), None, true),
            (request(Side::Buy, "1"), Some(quote()), false),
            (request(Side::Buy, "0"), Some(quote()), true),
        ];
        for (request, quote, tradable) in cases {
            let mut account = account(1_000, 2);
            let before = account.clone();
            let order = fill(&mut account, &request, quote, tradable);
            assert_eq!(order.status, BrokerOrderStatus::Rejected);
            assert!(order.reason.is_some());
            assert_eq!(account, before);
        }
    }

    proptest! {
        #[test]
        fn cash_is_never_negative_and_nothing_appears(
            orders in prop::collection::vec((any::<bool>(), 0_u32..2_000_000), 0..40),
        ) {
            let mut account = account(10_000, 10);
            for (buy, millionths) in orders {
                let side = if buy { Side::Buy } else { Side::Sell };
                let quantity = Decimal::new(i64::from(millionths) * 20, 6).to_string();
                let before = account.clone();
                let order = fill(&mut account, &request(side, &quantity), Some(quote()), true);
                let value = order.average_price.map_or(Money::ZERO, |price| order.filled_quantity.at(price));
                let moved = if buy { -value } else { value };
                prop_assert_eq!(account.cash, before.cash + moved);
                prop_assert!(account.cash >= Money::ZERO);
            }
        }
    }
}
