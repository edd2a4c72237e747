//! The scores of units.
//!
//! An asset is scored by the indicator on its closes. Any other unit has no
//! closes; it is scored by the indicator on what holding it would have
//! returned, session by session.

use crate::evaluate::{Evaluator, State};
use crate::failure::{Failure, Outcome};
use crate::history::Unscored;
use crate::program::{Call, Edge, NodeId, Operation};
use alchemiser_indicators::{EvaluationError, Specification};
use alchemiser_sdk::{Error, Session};

impl Evaluator<'_> {
    /// The score of a unit whose history was extended for it.
    pub(crate) fn score(
        &mut self,
        unit: NodeId,
        score: Specification,
        session: Session,
    ) -> Outcome<f64> {
        if let Operation::Asset(symbol) = self.program.operation(unit) {
            let source = self.source();
            let call = Call {
                symbol,
                specification: score,
            };
            return self.state.quotes.indicator(source, call, session);
        }
        let history = self.state.histories.entry(unit).or_default();
        history
            .score(score, session)
            .map_err(|unscored| match unscored {
                Unscored::Failed(failure) => failure,
                Unscored::Indicator(EvaluationError::InsufficientHistory { need, have }) => {
                    let name = self.program.name(unit);
                    Failure::new(Error::insufficient_history(name, need, have))
                }
                Unscored::Indicator(EvaluationError::NonFinite { .. }) => {
                    let name = self.program.name(unit);
                    Failure::non_finite(format!("{score} of `{name}`"))
                }
            })
    }

    /// Makes the histories of units long enough for their scores.
    ///
    /// It goes back session by session, all units together: units have much in
    /// common, and what one of them asks for as of a session is remembered for
    /// the next.
    pub(crate) fn extend_histories(
        &mut self,
        units: &[Edge],
        score: Specification,
        as_of: Session,
    ) {
        let mut missing: Vec<(Session, NodeId)> = units
            .iter()
            .filter(|unit| !matches!(self.program.operation(unit.node), Operation::Asset(_)))
            .filter_map(|unit| {
                let history = self.state.histories.entry(unit.node).or_default();
                let newest = history.newest_missing(score, as_of, as_of)?;
                Some((newest, unit.node))
            })
            .collect();
        while let Some(&(session, _)) = missing.iter().max() {
            for (newest, unit) in &mut missing {
                if *newest != session {
                    continue;
                }
                let outcome = self.return_of(*unit, session);
                let history = self.state.histories.entry(*unit).or_default();
                history.record(session, outcome);
                // Session 0 has no return, so it says that nothing is missing.
                *newest = history.newest_missing(score, as_of, session).unwrap_or(0);
            }
            missing.retain(|(newest, _)| *newest > 0);
        }
    }

    /// What a unit, held as of the session before, returned in a session.
    fn return_of(&mut self, unit: NodeId, session: Session) -> Outcome<f64> {
        let before = session - 1;
        let portfolio = self.portfolio(unit, before)?;
        let name = self.program.name(unit);
        let source = self.source();
        let State {
            quotes, histories, ..
        } = self.state;
        let holdings = histories
            .entry(unit)
            .or_default()
            .hold(portfolio)
            .ok_or_else(|| Failure::non_finite(format!("the sum of the weights of `{name}`")))?;
        let mut sum = 0.0;
        for holding in holdings {
            let close = quotes.close(source, holding.symbol, session)?;
            let close_before = quotes.close(source, holding.symbol, before)?;
            sum += holding.weight * (close / close_before - 1.0);
        }
        if !f64::is_finite(sum) {
            return Err(Failure::non_finite(format!("the return of `{name}`")));
        }
        Ok(sum)
    }
}
