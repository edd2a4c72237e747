//! A strategy file evaluated by the plugin in the sandbox.

use alchemiser_market::{Market, Session};
use alchemiser_sandbox::{
    CacheLocation, CallError, Evaluation, Explain, Limits, LoadedStrategy, Plugin, Sandbox,
    Settings, StrategyFile, StrategyInstance, StrategyRequest, componentize,
};
use std::path::Path;
use std::sync::Arc;

/// The plugin crate `name` of this project, built and loaded. `memory` limits
/// an instance of it, in bytes.
///
/// # Panics
/// It cannot be built or loaded.
#[must_use]
pub fn plugin(name: &str, memory: usize, cache: &Path) -> Plugin {
    let limits = Limits {
        memory,
        ..Limits::default()
    };
    let settings = Settings {
        instances: 128,
        limits_by_plugin: [(name.to_owned(), limits)].into(),
        cache: CacheLocation::Directory(cache.to_owned()),
        ..Settings::default()
    };
    let component = componentize(&test_support::core_module(name));
    Sandbox::new(settings)
        .map_err(|error| error.to_string())
        .and_then(|sandbox| {
            let component = component.map_err(|error| error.to_string())?;
            sandbox
                .load(name, &component)
                .map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What a strategy file is loaded with.
#[must_use]
pub fn request(text: &str) -> StrategyRequest {
    StrategyRequest {
        parameters: "{}".to_owned(),
        files: vec![StrategyFile {
            name: "generated.clj".to_owned(),
            content: text.as_bytes().to_vec(),
        }],
    }
}

/// A strategy in the sandbox, with prices.
pub struct Sandboxed(StrategyInstance);

impl Sandboxed {
    /// Has a plugin read what it is asked to.
    ///
    /// # Errors
    /// It fails, or refuses.
    pub fn load(plugin: &Plugin, request: &StrategyRequest) -> Result<LoadedStrategy, CallError> {
        plugin.strategy(request)
    }

    /// Gives a strategy prices.
    #[must_use]
    pub fn bind(strategy: LoadedStrategy, market: Arc<Market>) -> Self {
        Self(strategy.bind(market))
    }

    /// The weights as of a session.
    ///
    /// # Errors
    /// It fails, or has none.
    pub fn evaluate(&mut self, session: Session) -> Result<Evaluation, CallError> {
        self.0.evaluate(session, Explain::No)
    }
}
