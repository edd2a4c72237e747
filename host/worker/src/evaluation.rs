//! Asking one strategy for its weights.

use crate::book::BookEntry;
use alchemiser_events::{ErrorDetail, Symbol, Weight};
use alchemiser_market::{Market, Requirement, Session};
use alchemiser_sandbox::{
    CallError, Evaluation, Explain, LoadedStrategy, Plugin, StrategyInstance, StrategyRequest,
    Usage,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A strategy with all that it needs but prices.
#[derive(Clone)]
pub struct BookStrategy {
    /// What the book says of it.
    pub entry: BookEntry,
    /// What answers.
    pub plugin: Plugin,
    /// What the plugin's `load` is given.
    pub request: StrategyRequest,
}

/// A strategy could not be evaluated.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The plugin failed, or says that it cannot answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It wants to hold what cannot be held.
    #[error("`{symbol}` may be looked at and cannot be held, and the answer holds it")]
    NotTradable {
        /// The symbol.
        symbol: Symbol,
    },
}

impl EvaluationError {
    /// The error as events carry it.
    pub fn detail(&self) -> ErrorDetail {
        match self {
            Self::Call(error) => error.detail(),
            Self::NotTradable { symbol } => ErrorDetail {
                class: "NotTradable".to_owned(),
                message: self.to_string(),
                retryable: false,
                context: BTreeMap::from([("symbol".to_owned(), symbol.to_string())]),
            },
        }
    }
}

/// A strategy whose parameters and files are read, and that has said what it
/// needs.
pub struct OpenStrategy {
    strategy: Arc<BookStrategy>,
    loaded: LoadedStrategy,
}

impl OpenStrategy {
    /// Lets the plugin read parameters and files.
    pub fn open(strategy: Arc<BookStrategy>) -> Result<Self, CallError> {
        let loaded = strategy.plugin.strategy(&strategy.request)?;
        Ok(Self { strategy, loaded })
    }

    /// The symbols that the strategy may look at, and how far back.
    pub fn requirements(&self) -> &[Requirement] {
        self.loaded.requirements()
    }

    /// Gives it prices.
    pub fn on(self, market: Arc<Market>) -> Evaluator {
        Evaluator {
            instance: Some((self.loaded.bind(Arc::clone(&market)), Session(0))),
            strategy: self.strategy,
            market,
        }
    }
}

/// Evaluates one strategy on one market, session after session.
///
/// An instance is used for as long as sessions ascend and it does not fail;
/// then a new one takes its place, which knows nothing of the calls before.
pub struct Evaluator {
    strategy: Arc<BookStrategy>,
    market: Arc<Market>,
    instance: Option<(StrategyInstance, Session)>,
}

impl Evaluator {
    /// The weights as of a session.
    pub fn evaluate(
        &mut self,
        session: Session,
        explain: Explain,
    ) -> Result<Evaluation, EvaluationError> {
        let evaluation = self.instance(session)?.evaluate(session, explain)?;
        match self.untradable(&evaluation.weights) {
            Some(symbol) => Err(EvaluationError::NotTradable { symbol }),
            None => Ok(evaluation),
        }
    }

    /// What the last evaluation needed, once there was one.
    pub fn usage(&self) -> Option<Usage> {
        let (instance, _) = self.instance.as_ref()?;
        Some(instance.usage())
    }

    fn instance(&mut self, session: Session) -> Result<&mut StrategyInstance, CallError> {
        let usable = self
            .instance
            .take()
            .filter(|(instance, last)| !instance.has_ended() && *last <= session);
        let instance = match usable {
            Some((instance, _)) => instance,
            None => {
                let loaded = self.strategy.plugin.strategy(&self.strategy.request)?;
                loaded.bind(Arc::clone(&self.market))
            }
        };
        Ok(&mut self.instance.insert((instance, session)).0)
    }

    fn untradable(&self, weights: &BTreeMap<Symbol, Weight>) -> Option<Symbol> {
        weights
            .iter()
            .filter(|(_, weight)| !weight.is_zero())
            .map(|(symbol, _)| symbol)
            .find(|symbol| {
                self.market
                    .instrument(symbol)
                    .is_some_and(|instrument| !instrument.tradable)
            })
            .cloned()
    }
}
