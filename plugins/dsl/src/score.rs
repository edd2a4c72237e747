//! The scores of units.
//!
//! An asset is scored by the indicator on its closes. Any other unit has no
//! closes; it is scored by the indicator on what holding it would have
//! returned, session by session.

use crate::evaluate::Evaluator;
use crate::failure::{Failure, Outcome};
use crate::history::{History, Unscored};
use crate::mix::Portfolio;
use crate::program::{Call, Edge, NodeId, Operation};
use alchemiser_indicators::{EvaluationError, Specification};
use alchemiser_sdk::{Error, Session};

impl Evaluator<'_> {
    /// The score of a unit whose history was extended for it.
    #[inline(never)] // See the module `evaluate`.
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
            return self.state.quotes.score(source, call, session);
        }
        let body = self.program.body(unit);
        self.history(body.node)
            .score(score, session)
            .map_err(|unscored| match unscored {
                Unscored::Failed(failure) => failure.of_part(body.position),
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
        // On most days only the latest return is missing.
        let mut missing: Vec<(Session, NodeId)> = Vec::new();
        for unit in units {
            if matches!(self.program.operation(unit.node), Operation::Asset(_)) {
                continue;
            }
            let body = self.program.body(unit.node).node;
            let mut newest = self.history(body).newest_missing(score, as_of, as_of);
            if newest == Some(as_of) {
                self.extend_history(body, as_of);
                newest = self.history(body).newest_missing(score, as_of, as_of);
            }
            missing.extend(newest.map(|session| (session, body)));
        }
        while let Some(&(session, _)) = missing.iter().max() {
            for (newest, unit) in &mut missing {
                if *newest == session {
                    self.extend_history(*unit, session);
                    let next = self.history(*unit).newest_missing(score, as_of, session);
                    // Session 0 has no return: it says that nothing is missing.
                    *newest = next.unwrap_or(0);
                }
            }
            missing.retain(|(newest, _)| *newest > 0);
        }
    }

    /// The history of a node that is its own body.
    fn history(&mut self, body: NodeId) -> &mut History {
        self.state.histories[body.index()].get_or_insert_default()
    }

    fn extend_history(&mut self, body: NodeId, session: Session) {
        let outcome = self.return_of(body, session);
        self.history(body).record(session, outcome);
    }

    /// What a unit, held as of the session before, returned in a session.
    fn return_of(&mut self, unit: NodeId, session: Session) -> Outcome<f64> {
        let held = self.portfolio(unit, session - 1)?;
        self.return_on(unit, &held, session)
    }

    /// What a portfolio, held by a unit as of the session before, returned.
    #[inline(never)] // See the module `evaluate`.
    fn return_on(&mut self, unit: NodeId, held: &Portfolio, session: Session) -> Outcome<f64> {
        if let Some((known, value)) = held.returned.get()
            && known == session
        {
            return Ok(value);
        }
        let name = self.program.name(unit);
        let source = self.source();
        let quotes = &mut self.state.quotes;
        let holdings = held
            .canonical()
            .ok_or_else(|| Failure::non_finite(format!("the sum of the weights of `{name}`")))?;
        let mut sum = 0.0;
        for holding in holdings {
            let close = quotes.close(source, holding.symbol, session)?;
            let before = quotes.close(source, holding.symbol, session - 1)?;
            sum += holding.weight * (close / before - 1.0);
        }
        if !f64::is_finite(sum) {
            return Err(Failure::non_finite(format!("the return of `{name}`")));
        }
        held.returned.set(Some((session, sum)));
        Ok(sum)
    }
}
