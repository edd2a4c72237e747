//! Settings of the worker, as they stand in `alchemiser.toml`.

use crate::dispatcher::full_jitter;
use crate::ports::Claimed;
use alchemiser_events::{Decimal, Sha256Digest, decimal_text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[retry]`: how failed deliveries are tried again. How often is said by the
/// rules in `routes.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// Longest pause before the first retry, milliseconds; doubles each time.
    pub base_ms: u64,
    /// Longest pause at all, milliseconds.
    pub cap_ms: u64,
    /// How long a worker may be silent before its delivery is taken from it,
    /// seconds.
    pub lease_s: u64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            base_ms: 200,
            cap_ms: 30_000,
            lease_s: 330,
        }
    }
}

impl RetrySettings {
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }

    /// The pause before the next attempt of a delivery that just failed.
    pub(crate) fn delay(&self, claimed: &Claimed) -> Duration {
        let identity = format!("{}|{}", claimed.key, claimed.failures);
        let digest = Sha256Digest::of(identity.as_bytes());
        let seed = digest
            .bytes()
            .iter()
            .take(8)
            .fold(0, |seed, &byte| seed << 8 | u64::from(byte));
        full_jitter(
            Duration::from_millis(self.base_ms),
            Duration::from_millis(self.cap_ms),
            claimed.failures,
            seed,
        )
    }
}

/// `[portfolio]`: how targets become a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PortfolioSettings {
    /// Share of the portfolio value that stays uninvested; its name in files
    /// and the environment is `alpaca.cash_reserve_pct`.
    #[serde(skip)]
    pub cash_reserve_pct: Decimal,
    /// Trades below this share of the portfolio value are not made.
    #[serde(with = "decimal_text")]
    pub min_trade_pct: Decimal,
    /// Exits below this amount, US dollars, are not made.
    #[serde(with = "decimal_text")]
    pub min_trade_usd: Decimal,
    /// Largest target weight of one symbol.
    #[serde(with = "decimal_text")]
    pub max_position: Decimal,
    /// Nothing is traded while no weight is off by this much; 0 is off.
    #[serde(with = "decimal_text")]
    pub rebalance_threshold: Decimal,
    /// Whether a plan may spend more than there is.
    pub allow_margin: bool,
    /// The account is left alone below this cash, US dollars.
    #[serde(with = "decimal_text")]
    pub min_cash: Decimal,
    /// Whether a plan is made only while orders are filled.
    pub require_market_open: bool,
    /// How long a plan may be executed, seconds.
    pub max_plan_age_s: u64,
}

impl Default for PortfolioSettings {
    fn default() -> Self {
        Self {
            cash_reserve_pct: Decimal::new(1, 2),
            min_trade_pct: Decimal::new(1, 2),
            min_trade_usd: Decimal::from(5),
            max_position: Decimal::ONE,
            rebalance_threshold: Decimal::ZERO,
            allow_margin: false,
            min_cash: Decimal::ZERO,
            require_market_open: true,
            max_plan_age_s: 900,
        }
    }
}

/// `[execution]`: how a plan becomes orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionSettings {
    /// Whether a workflow fails when some of its orders were not filled.
    pub treat_partial_execution_as_failure: bool,
    /// Orders below this amount, US dollars, are not sent.
    #[serde(with = "decimal_text")]
    pub min_order_usd: Decimal,
}

impl Default for ExecutionSettings {
    fn default() -> Self {
        Self {
            treat_partial_execution_as_failure: true,
            min_order_usd: Decimal::ONE,
        }
    }
}
