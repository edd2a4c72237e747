//! Runs plugins as WebAssembly components, holds them to limits, and checks
//! what they answer.
//!
//! A [`Sandbox`] loads a file as a [`Plugin`]. A strategy plugin makes
//! [`LoadedStrategy`]s, which name their requirements and, bound to a market,
//! are [`StrategyInstance`]s to evaluate. A portfolio plugin makes plans. All
//! calls block; callers bring the threads.
//!
//! ```no_run
//! # use alchemiser_sandbox::{Explain, Sandbox, Settings, StrategyRequest};
//! # fn example(
//! #     market: std::sync::Arc<alchemiser_market::Market>,
//! #     session: alchemiser_market::Session,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new(Settings::default())?;
//! let plugin = sandbox.load_file("momentum", "target/plugins/momentum.wasm".as_ref())?;
//! let request = StrategyRequest {
//!     parameters: "{}".to_owned(),
//!     files: Vec::new(),
//! };
//! let mut strategy = plugin.strategy(&request)?.bind(market);
//! let evaluation = strategy.evaluate(session, Explain::No)?;
//! # let _ = evaluation;
//! # Ok(())
//! # }
//! ```
//!
//! *Invariants:* a plugin can reach the interfaces in `plugins/wit` and nothing
//! else: no WASI, no clock, no randomness, no files. Whatever it does ends in an
//! answer or in a [`CallError`], within its [`Limits`]. What it answers has been
//! checked.

mod bindings;
mod cache;
mod componentize;
mod engine;
mod error;
mod explanation;
mod functions;
mod imports;
mod inspect;
mod instance;
mod interface;
mod limiter;
mod load;
mod origin;
mod portfolio;
mod rejection;
mod settings;
mod strategy;
mod text;

pub use componentize::{ComponentizeError, componentize};
pub use error::{BadAnswer, Call, CallError, Failure, Limit, PluginError};
pub use explanation::{
    Explain, Explanation, ExplanationDetail, ExplanationEntry, Margin, Part, Place, Score,
};
pub use imports::LOG_TARGET;
pub use imports::LogLine;
pub use inspect::{Contract, INTERFACE_VERSION, Inspection, Kind, inspect};
pub use instance::Usage;
pub use interface::Difference;
pub use load::{LoadError, LoadFailure, Plugin, Sandbox, SetupError, check_size};
pub use origin::Origin;
pub use portfolio::{Plan, PlanInstrument, PlanRequest, PlanSettings, PlannedItem};
pub use rejection::Rejection;
pub use settings::{CacheLocation, Limits, LogLevel, Settings};
pub use strategy::{Evaluation, LoadedStrategy, StrategyFile, StrategyInstance, StrategyRequest};
