//! Requests for tests of a portfolio plugin.

use super::json;
use crate::error::Result;
use crate::parameters::parse_parameters;
use crate::planner::{Instrument, Position, RebalancePlan, Request, Settings, Target};
use crate::portfolio::Portfolio;

/// An account, its targets and prices; a portfolio plugin is asked for the trades.
/// Amounts are decimals as text.
///
/// ```
/// use alchemiser_sdk::testing::TestAccount;
///
/// let request = TestAccount::new("1000.00")
///     .price("SPY", "400")
///     .price("TLT", "100")
///     .holds("TLT", "3")
///     .target("SPY", "0.6")
///     .request();
/// assert_eq!(request.cash, "1000.00");
/// assert_eq!(request.positions[0].quantity, "3");
/// ```
#[derive(Clone, Debug)]
pub struct TestAccount {
    request: Request,
}

impl TestAccount {
    /// An account with cash in US dollars, and the default settings: a reserve of
    /// 1 %, trades from 1 % of the value on, exits from 5 dollars on, no margin.
    #[must_use]
    pub fn new(cash: &str) -> Self {
        Self {
            request: Request {
                targets: Vec::new(),
                cash: cash.to_owned(),
                positions: Vec::new(),
                instruments: Vec::new(),
                settings: Settings {
                    cash_reserve: "0.01".to_owned(),
                    min_trade_share: "0.01".to_owned(),
                    min_trade_amount: "5".to_owned(),
                    max_position: "1".to_owned(),
                    rebalance_threshold: "0".to_owned(),
                    allow_margin: false,
                },
                parameters: "{}".to_owned(),
            },
        }
    }

    /// Says what a share costs. Everything held or targeted needs a price; here
    /// fractions of a share can be traded.
    #[must_use]
    pub fn price(self, symbol: &str, price: &str) -> Self {
        self.instrument(symbol, price, true)
    }

    /// The same for a symbol of which only whole shares can be traded.
    #[must_use]
    pub fn price_of_whole_shares(self, symbol: &str, price: &str) -> Self {
        self.instrument(symbol, price, false)
    }

    fn instrument(mut self, symbol: &str, price: &str, fractionable: bool) -> Self {
        self.request.instruments.push(Instrument {
            symbol: symbol.to_owned(),
            price: price.to_owned(),
            fractionable,
        });
        self
    }

    /// Adds a holding of so many shares.
    #[must_use]
    pub fn holds(mut self, symbol: &str, quantity: &str) -> Self {
        self.request.positions.push(Position {
            symbol: symbol.to_owned(),
            quantity: quantity.to_owned(),
        });
        self
    }

    /// Adds a target: a share of the investable value, 0 to 1.
    #[must_use]
    pub fn target(mut self, symbol: &str, weight: &str) -> Self {
        self.request.targets.push(Target {
            symbol: symbol.to_owned(),
            weight: weight.to_owned(),
        });
        self
    }

    /// Changes settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.request.settings);
        self
    }

    /// The plugin's own parameters, as TOML.
    ///
    /// # Panics
    /// The text is no TOML.
    #[must_use]
    pub fn parameters(mut self, parameters: &str) -> Self {
        self.request.parameters = json(parameters);
        self
    }

    /// The request as the host would send it.
    #[must_use]
    pub fn request(self) -> Request {
        self.request
    }
}

/// Asks a portfolio plugin for a plan, as the host does.
///
/// # Errors
/// Those of the plugin, and parameters that are wrong.
pub fn plan<P: Portfolio>(request: &Request) -> Result<RebalancePlan> {
    P::plan(request, parse_parameters(&request.parameters)?)
}
