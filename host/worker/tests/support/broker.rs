//! A broker that does what a script says, and counts.

use super::{Power, money, price, shares, symbol};
use alchemiser_broker::{
    Account, Asset, Broker, BrokerError, BrokerOrder, BrokerOrderStatus, OrderRequest, Position,
    Quote,
};
use alchemiser_events::{
    BrokerOrderId, ClientOrderId, Money, Quantity, Side, Symbol, Timestamp, TradingMode,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// What happens to an order instead of being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    None,
    /// The broker is not reached.
    Unavailable,
    /// The broker takes the order, and its answer is lost.
    LostAnswer,
    /// The broker refuses it.
    Refused,
    /// The broker fills half of it.
    Half,
}

/// Every symbol has a bid of 99 and an ask of 101.
pub(crate) struct ScriptedBroker {
    power: Arc<Power>,
    desk: Mutex<Desk>,
}

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) mode: TradingMode,
    pub(crate) open: bool,
    pub(crate) blocked: Option<String>,
    pub(crate) cash: Money,
    pub(crate) positions: BTreeMap<Symbol, Quantity>,
    pub(crate) without_quote: Vec<Symbol>,
    pub(crate) orders: BTreeMap<ClientOrderId, BrokerOrder>,
    /// For the next orders sent, in this order; then there are none.
    pub(crate) faults: VecDeque<Fault>,
    /// For every order of a symbol, however often it is sent.
    pub(crate) faults_by_symbol: BTreeMap<Symbol, Fault>,
    /// Orders taken, in this order.
    pub(crate) taken: Vec<OrderRequest>,
    /// Orders sent under a name that was taken before.
    pub(crate) sent_twice: u32,
}

impl ScriptedBroker {
    pub(crate) fn new(power: &Arc<Power>, cash: &str, positions: &[(&str, &str)]) -> Arc<Self> {
        Arc::new(Self {
            power: Arc::clone(power),
            desk: Mutex::new(Desk {
                mode: TradingMode::Paper,
                open: true,
                blocked: None,
                cash: money(cash),
                positions: positions
                    .iter()
                    .map(|(name, quantity)| (symbol(name), shares(quantity)))
                    .collect(),
                without_quote: Vec::new(),
                orders: BTreeMap::new(),
                faults: VecDeque::new(),
                faults_by_symbol: BTreeMap::new(),
                taken: Vec::new(),
                sent_twice: 0,
            }),
        })
    }

    /// The broker's inside.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }
}

impl Desk {
    fn take(&mut self, request: &OrderRequest, fault: Fault) -> BrokerOrder {
        let mut order = BrokerOrder {
            client_order_id: request.client_order_id.clone(),
            id: BrokerOrderId::paper(&request.client_order_id),
            symbol: request.symbol.clone(),
            side: request.side,
            quantity: request.quantity,
            status: BrokerOrderStatus::Filled,
            filled_quantity: request.quantity,
            average_price: Some(price(match request.side {
                Side::Sell => "99",
                Side::Buy => "101",
            })),
            filled_at: Some(request.submitted_at),
            reason: None,
        };
        if fault == Fault::Half {
            let half = request.quantity.decimal() / super::decimal("2");
            order.status = BrokerOrderStatus::Expired;
            order.filled_quantity = Quantity::new(half).unwrap();
        }
        let filled = order.filled_quantity;
        let held = self
            .positions
            .remove(&request.symbol)
            .unwrap_or(Quantity::ZERO);
        let held = match request.side {
            Side::Sell => {
                assert!(request.quantity <= held, "more was sold than is held");
                self.cash = self.cash + filled.at(price("99"));
                held.saturating_sub(filled)
            }
            Side::Buy => {
                self.cash = self.cash - filled.at(price("101"));
                assert!(self.cash >= Money::ZERO, "more was bought than is paid for");
                held + filled
            }
        };
        if !held.is_zero() {
            self.positions.insert(request.symbol.clone(), held);
        }
        self.taken.push(request.clone());
        self.orders
            .insert(request.client_order_id.clone(), order.clone());
        order
    }

    fn submit(&mut self, request: &OrderRequest) -> Result<BrokerOrder, BrokerError> {
        if let Some(order) = self.orders.get(&request.client_order_id) {
            self.sent_twice += 1;
            return Ok(order.clone());
        }
        let unavailable = || BrokerError::Unavailable("no answer".to_owned());
        let lasting = self.faults_by_symbol.get(&request.symbol).copied();
        let fault = lasting.or_else(|| self.faults.pop_front());
        match fault.unwrap_or(Fault::None) {
            Fault::Unavailable => Err(unavailable()),
            Fault::Refused => Err(BrokerError::Refused("1234.56 is needed".to_owned())),
            Fault::LostAnswer => {
                self.take(request, Fault::None);
                Err(unavailable())
            }
            fault @ (Fault::None | Fault::Half) => Ok(self.take(request, fault)),
        }
    }
}

#[async_trait]
impl Broker for ScriptedBroker {
    fn trading_mode(&self) -> TradingMode {
        self.desk().mode
    }

    async fn account(&self) -> Result<Account, BrokerError> {
        let desk = self.desk();
        Ok(Account {
            cash: desk.cash,
            blocked: desk.blocked.clone(),
        })
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let positions = self.desk().positions.clone();
        Ok(positions
            .into_iter()
            .map(|(symbol, quantity)| Position { symbol, quantity })
            .collect())
    }

    async fn assets(&self, symbols: &[Symbol]) -> Result<BTreeMap<Symbol, Asset>, BrokerError> {
        let asset = Asset {
            tradable: true,
            fractionable: true,
        };
        Ok(symbols.iter().map(|name| (name.clone(), asset)).collect())
    }

    async fn quotes(
        &self,
        symbols: &[Symbol],
        _at: Timestamp,
    ) -> Result<BTreeMap<Symbol, Quote>, BrokerError> {
        let quote = Quote {
            bid: price("99"),
            ask: price("101"),
            mid: price("100"),
        };
        let desk = self.desk();
        Ok(symbols
            .iter()
            .filter(|name| !desk.without_quote.contains(name))
            .map(|name| (name.clone(), quote))
            .collect())
    }

    async fn market_is_open(&self, _at: Timestamp) -> Result<bool, BrokerError> {
        Ok(self.desk().open)
    }

    async fn submit(&self, order: &OrderRequest) -> Result<BrokerOrder, BrokerError> {
        self.power.point().await;
        let result = self.desk().submit(order);
        self.power.point().await;
        result
    }

    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, BrokerError> {
        Ok(self.desk().orders.get(name).cloned())
    }
}
