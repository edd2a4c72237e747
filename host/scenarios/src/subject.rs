//! What is asked: a strategy in the sandbox, or in tests anything else.

use crate::answer::Answer;
use alchemiser_events::ErrorDetail;
use alchemiser_market::{Market, Session, ViolationError};
use alchemiser_sandbox::{Call, CallError, Explain, Failure, Usage};
use alchemiser_worker::{BookStrategy, EvaluationError, Evaluator, OpenStrategy};
use std::sync::Arc;

/// A strategy that can be started again and again.
pub trait Subject {
    /// A fresh instance on a market.
    ///
    /// # Errors
    /// It refuses its parameters or files, or crashes over them.
    fn start(&self, market: &Arc<Market>) -> Result<Box<dyn Instance + '_>, Answer>;
}

/// A strategy that was started.
pub trait Instance {
    /// Asks for weights. Sessions do not decrease from one call to the next.
    fn ask(&mut self, session: Session) -> Asked;
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The answer.
    pub answer: Answer,
    /// What it took, where that is known.
    pub usage: Option<Usage>,
}

impl Subject for Arc<BookStrategy> {
    fn start(&self, market: &Arc<Market>) -> Result<Box<dyn Instance + '_>, Answer> {
        let opened =
            OpenStrategy::open(Self::clone(self)).map_err(|error| of_error(&error.into()))?;
        Ok(Box::new(opened.on(Arc::clone(market))))
    }
}

impl Instance for Evaluator {
    fn ask(&mut self, session: Session) -> Asked {
        let answer = match self.evaluate(session, Explain::No) {
            Ok(evaluation) => Answer::Weights(evaluation.weights),
            Err(error) => of_error(&error),
        };
        Asked {
            answer,
            usage: self.usage(),
        }
    }
}

/// Whose error it is.
pub(crate) fn of_error(error: &EvaluationError) -> Answer {
    match error {
        EvaluationError::Call(call) => of_call_error(call),
        EvaluationError::NotTradable { .. } => Answer::Error(error.detail()),
    }
}

pub(crate) fn of_call_error(error: &CallError) -> Answer {
    let detail = error.detail();
    match &*error.failure {
        Failure::Plugin(_) => Answer::Error(detail),
        _ => Answer::Defect {
            advice: error.advice(),
            detail: ErrorDetail {
                message: told(error),
                ..detail
            },
        },
    }
}

/// What happened; which build it was is known to who has built it just now.
fn told(error: &CallError) -> String {
    let plugin = &error.plugin.plugin;
    match (&*error.failure, error.call) {
        (Failure::Violation(violation @ ViolationError::LookAhead { .. }), _) => {
            format!("plugin `{plugin}` looks ahead: {violation}")
        }
        (failure, Call::Evaluate | Call::Plan) => format!("plugin `{plugin}`: {failure}"),
        (failure, call) => format!("plugin `{plugin}` failed to {call}: {failure}"),
    }
}
