//! What the worker asks of a broker.

use alchemiser_events::{
    BrokerOrderId, ClientOrderId, Money, Price, Quantity, SessionDate, Side, Symbol, Timestamp,
    TradingMode,
};
use alchemiser_market::{TradingDay, closing_time, exchange_date, trading_day};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days that a venue is expected to be closed in a row, at most.
const LONGEST_CLOSURE: u32 = 30;

/// A brokerage account.
///
/// The functions that need to know the time take the workflow's clock: the
/// paper venue lives in it, a real venue has its own.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Whether real money moves.
    fn trading_mode(&self) -> TradingMode;

    /// Cash, and whether the account may trade.
    async fn account(&self) -> Result<Account, BrokerError>;

    /// Holdings by symbol; only those above zero.
    async fn positions(&self) -> Result<Vec<Position>, BrokerError>;

    /// What the venue says of some symbols; unknown ones are left out.
    async fn assets(&self, symbols: &[Symbol]) -> Result<BTreeMap<Symbol, Asset>, BrokerError>;

    /// Bid and ask; symbols without a quote are left out.
    async fn quotes(
        &self,
        symbols: &[Symbol],
        at: Timestamp,
    ) -> Result<BTreeMap<Symbol, Quote>, BrokerError>;

    /// Whether orders are filled now.
    async fn market_is_open(&self, at: Timestamp) -> Result<bool, BrokerError>;

    /// What the venue does on a date.
    ///
    /// A broker that knows its own calendar answers from that, since it also
    /// knows what was proclaimed yesterday; by default the exchanges' rules
    /// answer.
    async fn trading_day(&self, date: SessionDate) -> Result<TradingDay, BrokerError> {
        trading_day(date).map_err(|error| BrokerError::Refused(error.to_string()))
    }

    /// The last session that had closed at an instant, by
    /// [`trading_day`](Self::trading_day). As everywhere where daily prices
    /// count, it closes at 16:00 in New York, on half days as well.
    async fn last_session(&self, at: Timestamp) -> Result<SessionDate, BrokerError> {
        let mut date = exchange_date(at);
        for _ in 0..LONGEST_CLOSURE {
            if closing_time(date) <= at && self.trading_day(date).await?.is_session() {
                return Ok(date);
            }
            let Ok(before) = date.date().yesterday() else {
                break;
            };
            date = SessionDate::new(before);
        }
        Err(BrokerError::Refused(format!(
            "its calendar has no session in the {LONGEST_CLOSURE} days before {at}"
        )))
    }

    /// Sends an order. When the name was used before, nothing is sent and the
    /// order of that name is answered, whatever it was.
    async fn submit(&self, order: &OrderRequest) -> Result<BrokerOrder, BrokerError>;

    /// The order of a name, if it was ever sent.
    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, BrokerError>;
}

/// The state of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Settled cash, US dollars.
    pub cash: Money,
    /// Why the account may not trade, if it may not.
    pub blocked: Option<String>,
}

/// A holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// What is held.
    pub symbol: Symbol,
    /// How much of it.
    pub quantity: Quantity,
}

/// What a venue says of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Whether it can be traded at all.
    pub tradable: bool,
    /// Whether fractions of a share can be traded.
    pub fractionable: bool,
}

/// Prices at which a symbol can be sold and bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What a seller gets.
    pub bid: Price,
    /// What a buyer pays.
    pub ask: Price,
    /// The price that values the holding.
    pub mid: Price,
}

/// An order to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRequest {
    /// Our name for it; derived from plan, symbol and side.
    pub client_order_id: ClientOrderId,
    /// What to trade.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Shares.
    pub quantity: Quantity,
    /// The workflow's clock.
    pub submitted_at: Timestamp,
}

/// An order as the broker knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerOrder {
    /// Our name for it.
    pub client_order_id: ClientOrderId,
    /// The broker's name for it.
    pub id: BrokerOrderId,
    /// What is traded.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Shares asked for.
    pub quantity: Quantity,
    /// Where it stands.
    pub status: BrokerOrderStatus,
    /// Shares got.
    pub filled_quantity: Quantity,
    /// Average price of the fills.
    pub average_price: Option<Price>,
    /// When it was filled.
    pub filled_at: Option<Timestamp>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// Where an order stands at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerOrderStatus {
    /// All of it is done.
    Filled,
    /// Some of it is done, the rest may follow.
    PartiallyFilled,
    /// Nothing is done yet.
    Accepted,
    /// It was refused.
    Rejected,
    /// It was withdrawn.
    Canceled,
    /// Its time ran out.
    Expired,
}

/// The broker could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another attempt may succeed.
    #[error("the broker cannot be reached at the moment: {0}")]
    Unavailable(String),
    /// Another attempt would fail the same way.
    #[error("the broker refused the request: {0}")]
    Refused(String),
    /// The machine of a broker that is simulated cannot be used until somebody
    /// puts it right. Says what to do.
    #[error("{0}")]
    Unusable(String),
}

impl BrokerError {
    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
