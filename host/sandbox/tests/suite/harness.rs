//! What the tests share.

use alchemiser_events::{Decimal, Price, SessionDate, Symbol};
use alchemiser_market::{Bar, Market, Session};
use alchemiser_sandbox::{
    CacheLocation, CallError, Evaluation, Explain, Limits, Plugin, Sandbox, Settings,
    StrategyInstance, StrategyRequest, componentize,
};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The torture strategy as a component.
pub(crate) static TORTURE: LazyLock<Vec<u8>> =
    LazyLock::new(|| componentize(&test_support::core_module("torture")).unwrap());

/// The torture portfolio as a component.
pub(crate) static TORTURE_PORTFOLIO: LazyLock<Vec<u8>> =
    LazyLock::new(|| componentize(&test_support::core_module("torture-portfolio")).unwrap());

/// Limits that are reached soon.
pub(crate) fn settings() -> Settings {
    Settings {
        instances: 8,
        limits: Limits {
            memory: 16 << 20,
            time: Duration::from_millis(500),
            ..Limits::default()
        },
        cache: CacheLocation::Disabled,
        ..Settings::default()
    }
}

/// The torture strategy in a sandbox that most tests share, as they would in a
/// worker.
pub(crate) fn torture() -> Plugin {
    static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
        let settings = Settings {
            instances: 64,
            ..settings()
        };
        let sandbox = Sandbox::new(settings).unwrap();
        sandbox.load("torture", &TORTURE).unwrap()
    });
    PLUGIN.clone()
}

pub(crate) fn request(parameters: &str) -> StrategyRequest {
    StrategyRequest {
        parameters: parameters.to_owned(),
        files: Vec::new(),
    }
}

/// 60 sessions of three symbols that rise by a cent a session.
pub(crate) fn market() -> Arc<Market> {
    static MARKET: LazyLock<Arc<Market>> = LazyLock::new(|| {
        let dates: Vec<SessionDate> = (1..=2)
            .flat_map(|month| (1..=30).map(move |day| (month, day)))
            .filter_map(|(month, day)| SessionDate::parse(&format!("2018-0{month}-{day:02}")).ok())
            .collect();
        let bars = ["AAPL", "JPM", "MSFT"].map(|symbol| {
            let bars = dates.iter().zip(10_000_i64..).map(|(date, cents)| Bar {
                date: *date,
                close: Price::new(Decimal::new(cents, 2)).unwrap(),
            });
            (Symbol::parse(symbol).unwrap(), bars.collect())
        });
        Arc::new(Market::new(&BTreeMap::from(bars), BTreeMap::new()).unwrap())
    });
    Arc::clone(&MARKET)
}

pub(crate) fn instance(plugin: &Plugin, parameters: &str) -> Result<StrategyInstance, CallError> {
    Ok(plugin.strategy(&request(parameters))?.bind(market()))
}

/// Loads a strategy with these parameters and evaluates session 30.
pub(crate) fn evaluate(plugin: &Plugin, parameters: &str) -> Result<Evaluation, CallError> {
    instance(plugin, parameters)?.evaluate(Session(30), Explain::Yes)
}

/// The error's class and text. Which build it was, and where in its source it
/// panicked, is not what a test is about.
pub(crate) fn text(error: &CallError) -> String {
    let build = error.plugin.sha256.short();
    let text = format!("{}: {error}", error.class()).replace(&build, "[build]");
    match text.split_once("/lib.rs:") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|character: char| {
                character.is_ascii_digit() || character == ':'
            });
            format!("{before}/lib.rs:[place]{rest}")
        }
        None => text,
    }
}
