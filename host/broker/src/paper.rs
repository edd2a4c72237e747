//! A simulated account that fills at a session's close.
//!
//! The venue is open for the closing auction of each session of the prices, and
//! in the trading hours of the exchanges. It fills every order at once and
//! whole: buys at the ask, sells at the bid. Both are the last close, moved by
//! half the stated spread; where the prices do not have the close of the last
//! session, there is no quote. Commissions are zero.

use crate::port::{
    Account, Asset, Broker, BrokerError, BrokerOrder, BrokerOrderStatus, OrderRequest, Position,
    Quote,
};
use alchemiser_events::{
    BrokerOrderId, ClientOrderId, Decimal, Money, Price, Quantity, SessionDate, Side, Symbol,
    Timestamp, TradingMode,
};
use alchemiser_fail_points::fail_point;
use alchemiser_market::{Market, Session, SharedMarket, closing_time, exchange_date};
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
    /// Whether the venue takes orders at any time, to try schedules with on a
    /// weekend.
    pub always_open: bool,
}

impl Default for PaperSettings {
    fn default() -> Self {
        Self {
            starting_cash: Decimal::from(100_000),
            spread_bps: Decimal::from(2),
            always_open: false,
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
pub enum PaperStoreError {
    /// Another attempt may succeed.
    #[error("the paper account: {0}")]
    Unavailable(String),
    /// It stays so until somebody puts the machine right.
    #[error("{0}")]
    Unusable(String),
}

impl From<PaperStoreError> for BrokerError {
    fn from(error: PaperStoreError) -> Self {
        match error {
            PaperStoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
            PaperStoreError::Unusable(reason) => Self::Unusable(reason),
        }
    }
}

/// A simulated broker over a market's closes.
pub struct PaperBroker {
    market: SharedMarket,
    store: Arc<dyn PaperStore>,
    half_spread: Decimal,
    always_open: bool,
}

impl PaperBroker {
    /// A broker that fills at the closes of `market` and keeps its account in
    /// `store`.
    pub fn new(
        market: impl Into<SharedMarket>,
        store: Arc<dyn PaperStore>,
        settings: &PaperSettings,
    ) -> Self {
        Self {
            market: market.into(),
            store,
            half_spread: settings.spread_bps / Decimal::from(20_000),
            always_open: settings.always_open,
        }
    }

    /// The session at whose close orders are filled at an instant: the one
    /// whose auction is held then, else the last one.
    async fn session(
        &self,
        market: &Market,
        at: Timestamp,
    ) -> Result<Option<Session>, BrokerError> {
        let calendar = market.calendar();
        let Some((session, date)) = last_closed(market, at) else {
            return Ok(None);
        };
        if closing_time(date) == at {
            return Ok(Some(session));
        }
        if !self.market_is_open(at).await? {
            return Ok(None);
        }
        // A fill at an older price would be a fairy tale.
        let last = self.last_session(at).await?;
        Ok((calendar.session(last) == Ok(session)).then_some(session))
    }

    fn quote(&self, market: &Market, symbol: &Symbol, session: Session) -> Option<Quote> {
        let close = market.history(symbol)?.price_on(session)?.decimal();
        // A spread below 200 % keeps the bid above zero; anything wider has no
        // quote.
        Some(Quote {
            bid: Price::new(close * (Decimal::ONE - self.half_spread)).ok()?,
            ask: Price::new(close * (Decimal::ONE + self.half_spread)).ok()?,
            mid: Price::new(close).ok()?,
        })
    }
}

/// The last session of the prices that had closed at an instant.
fn last_closed(market: &Market, at: Timestamp) -> Option<(Session, SessionDate)> {
    let session = market.calendar().last_closed(at)?;
    Some((session, market.calendar().date(session)?))
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
        let market = self.market.latest();
        Ok(symbols
            .iter()
            .filter_map(|symbol| {
                let instrument = market.instrument(symbol)?;
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
        let market = self.market.latest();
        let Some(session) = self.session(&market, at).await? else {
            return Ok(BTreeMap::new());
        };
        Ok(symbols
            .iter()
            .filter_map(|symbol| Some((symbol.clone(), self.quote(&market, symbol, session)?)))
            .collect())
    }

    async fn market_is_open(&self, at: Timestamp) -> Result<bool, BrokerError> {
        let auction = last_closed(&self.market.latest(), at)
            .is_some_and(|(_, session)| closing_time(session) == at);
        if self.always_open || auction {
            return Ok(true);
        }
        let day = self.trading_day(exchange_date(at)).await?;
        Ok(day.closed_at(at).is_none())
    }

    async fn submit(&self, order: &OrderRequest) -> Result<BrokerOrder, BrokerError> {
        let market = self.market.latest();
        let quote = self
            .session(&market, order.submitted_at)
            .await?
            .and_then(|session| self.quote(&market, &order.symbol, session));
        let tradable = market
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
    use alchemiser_market::Bar;
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

    struct NoAccount;

    #[async_trait]
    impl PaperStore for NoAccount {
        async fn account(&self) -> Result<PaperAccount, PaperStoreError> {
            Ok(account(1_000, 0))
        }

        async fn order(&self, _: &ClientOrderId) -> Result<Option<BrokerOrder>, PaperStoreError> {
            Ok(None)
        }

        async fn place(
            &self,
            _: &ClientOrderId,
            decide: Box<dyn for<'a> FnOnce(&'a mut PaperAccount) -> BrokerOrder + Send>,
        ) -> Result<BrokerOrder, PaperStoreError> {
            Ok(decide(&mut account(1_000, 0)))
        }
    }

    /// A broker on prices of these sessions, the first of which is 100.
    fn broker(sessions: &[&str], always_open: bool) -> PaperBroker {
        let bars = sessions.iter().zip(100_i64..).map(|(date, close)| Bar {
            date: date.parse().unwrap(),
            close: Price::new(close.into()).unwrap(),
        });
        let bars = BTreeMap::from([(Symbol::parse("SPY").unwrap(), bars.collect())]);
        let market = Market::new(&bars, BTreeMap::new()).unwrap();
        let settings = PaperSettings {
            always_open,
            ..PaperSettings::default()
        };
        PaperBroker::new(Arc::new(market), Arc::new(NoAccount), &settings)
    }

    /// When the venue is open, and at which session's close it fills.
    #[tokio::test]
    async fn fills_are_at_the_last_close_or_not_at_all() {
        let spy = Symbol::parse("SPY").unwrap();
        let sessions = ["2026-11-24", "2026-11-25", "2026-11-27"];
        for (at, open, always_open, price) in [
            // The auction of the session itself, and of one on a half day.
            ("2026-11-25T21:00:00Z", true, true, Some("101")),
            ("2026-11-27T21:00:00Z", true, true, Some("102")),
            // During a session the close before.
            ("2026-11-25T14:35:00Z", true, true, Some("100")),
            ("2026-11-27T18:00:00Z", true, true, Some("101")),
            // Early in the morning, on Thanksgiving Day, after an early close.
            ("2026-11-25T14:29:00Z", false, true, Some("100")),
            ("2026-11-26T14:35:00Z", false, true, Some("101")),
            ("2026-11-27T18:00:01Z", false, true, Some("101")),
            // Without the prices of the session before.
            ("2026-12-01T14:35:00Z", true, true, None),
            ("2026-11-24T14:35:00Z", true, true, None),
        ] {
            let instant = Timestamp::parse(at).unwrap();
            for (always, is_open) in [(false, open), (true, always_open)] {
                let broker = broker(&sessions, always);
                assert_eq!(
                    broker.market_is_open(instant).await.unwrap(),
                    is_open,
                    "{at}"
                );
                let quotes = broker.quotes(&[spy.clone()], instant).await.unwrap();
                let mid = quotes.get(&spy).map(|quote| quote.mid.to_string());
                assert_eq!(mid.as_deref(), price.filter(|_| is_open), "{at}");
            }
        }
    }

    #[tokio::test]
    async fn the_last_session_is_that_of_the_calendar() {
        let broker = broker(&["2026-11-24"], false);
        for (at, session) in [
            ("2026-11-27T20:59:59Z", "2026-11-25"),
            ("2026-11-27T21:00:00Z", "2026-11-27"),
            ("2026-11-30T14:35:00Z", "2026-11-27"),
        ] {
            let last = broker.last_session(Timestamp::parse(at).unwrap()).await;
            assert_eq!(last.unwrap().to_string(), session);
        }
        let unknown = broker.last_session(Timestamp::parse("2150-01-01T00:00:00Z").unwrap());
        assert!(
            unknown
                .await
                .unwrap_err()
                .to_string()
                .contains("2000 to 2099")
        );
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
