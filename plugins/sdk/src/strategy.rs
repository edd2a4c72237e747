//! The trait that a strategy implements.

use crate::error::Result;
use crate::files::Files;
use crate::parameters::parse_parameters;
use crate::requirement::Requirement;
use crate::today::Today;
use crate::weights::Weights;
use serde::de::DeserializeOwned;

/// Turns prices into target weights.
///
/// The same instance is asked for one session after the other; the answer must
/// depend on the session alone, not on the calls before it.
/// [`testing`](crate::testing) has helpers that check that.
pub trait Strategy: Sized + 'static {
    /// The strategy's parameters in the book; [`NoParameters`](crate::NoParameters)
    /// if it takes none. Use `#[serde(deny_unknown_fields)]`, so that a misspelt
    /// key is an error.
    type Parameters: DeserializeOwned;

    /// Checks parameters and reads files. Prices are not available here.
    ///
    /// # Errors
    /// Whatever makes no sense; [`check`](crate::check) has what is common.
    fn load(parameters: Self::Parameters, files: &Files) -> Result<Self>;

    /// Every symbol that any evaluation may look at, and how far back.
    fn requirements(&self) -> Vec<Requirement>;

    /// The weights as of today; what they leave of 1 stays uninvested.
    ///
    /// # Errors
    /// Whatever the market cannot answer, such as too short a history. Nothing
    /// is traded then, so there is no need to answer with something harmless.
    fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights>;
}

/// A strategy from what the book says.
pub(crate) fn load<S: Strategy>(parameters: &str, files: &Files) -> Result<S> {
    let strategy = S::load(parse_parameters(parameters)?, files)?;
    files.refuse_unread()?;
    Ok(strategy)
}

pub(crate) mod guest {
    use super::{Files, Strategy, Today};
    use crate::bindings::strategy::exports::alchemiser::plugin::evaluator;
    use crate::market::HostMarket;
    use std::cell::RefCell;
    use std::marker::PhantomData;

    /// Adapts a [`Strategy`] to the generated `evaluator` interface.
    pub struct StrategyGuest<S>(PhantomData<S>);

    /// The generated resource: one loaded strategy.
    pub struct StrategyResource<S>(RefCell<S>);

    impl<S: Strategy> evaluator::Guest for StrategyGuest<S> {
        type Strategy = StrategyResource<S>;

        fn load(
            parameters: String,
            files: Vec<(String, Vec<u8>)>,
        ) -> Result<evaluator::Strategy, evaluator::Error> {
            crate::logging::log_through!(strategy);
            let strategy: S = super::load(&parameters, &Files::new(files))?;
            Ok(evaluator::Strategy::new(StrategyResource(RefCell::new(
                strategy,
            ))))
        }
    }

    impl<S: Strategy> evaluator::GuestStrategy for StrategyResource<S> {
        fn requirements(&self) -> Vec<evaluator::Requirement> {
            self.0
                .borrow()
                .requirements()
                .into_iter()
                .map(|requirement| evaluator::Requirement {
                    symbol: requirement.symbol,
                    sessions: requirement.sessions,
                })
                .collect()
        }

        fn evaluate(&self, as_of: u32) -> Result<Vec<evaluator::Weight>, evaluator::Error> {
            let today = Today::new(&HostMarket, as_of);
            let weights = self.0.borrow_mut().evaluate(&today)?;
            Ok(weights
                .into_inner()
                .into_iter()
                .map(|weight| evaluator::Weight {
                    symbol: weight.symbol,
                    weight: weight.weight,
                })
                .collect())
        }
    }
}
