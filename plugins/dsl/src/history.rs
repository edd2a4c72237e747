//! The series of returns of a unit.

use crate::failure::{Failure, Outcome};
use alchemiser_indicators::{EvaluationError, Recursion, Specification};
use alchemiser_sdk::Session;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::rc::Rc;

/// The returns of a unit, as far as they were asked for, and the index made of
/// them. A return depends on its session alone, so what is known stays known:
/// the series grows by one return a session.
///
/// As of a session, a unit's series goes back to the latest session before
/// which the unit could not be evaluated for want of history.
#[derive(Debug, Default)]
pub(crate) struct History {
    returns: Returns,
    index: Option<Index>,
}

#[derive(Debug, Default)]
struct Returns {
    /// The session of the first of the values.
    begin: Session,
    /// By session from `begin` on; not a number where there is none, or it was
    /// not asked for.
    values: Vec<f64>,
    /// Sessions all of whose returns are known: the block recorded last.
    known: Range<Session>,
    /// Why a session has none.
    failures: FxHashMap<Session, Rc<Failure>>,
}

/// The level of a unit that starts with 100, for one unbroken series.
#[derive(Debug)]
struct Index {
    /// The session before the first return.
    first: Session,
    /// From `first` on, without a gap.
    levels: Vec<f64>,
    recursive: Vec<Recursive>,
}

/// A recursive indicator of an index, level by level.
#[derive(Debug)]
struct Recursive {
    recursion: Recursion,
    values: Vec<Result<f64, EvaluationError>>,
}

/// Why a unit has no score.
pub(crate) enum Unscored {
    /// It failed within the part of its history that is needed.
    Failed(Rc<Failure>),
    /// The indicator has no value.
    Indicator(EvaluationError),
}

impl History {
    /// Takes note of the return of a session, which was not known.
    pub(crate) fn record(&mut self, session: Session, outcome: Outcome<f64>) {
        match outcome {
            Ok(value) => self.returns.record(session, value),
            Err(failure) => {
                self.returns.failures.insert(session, failure);
            }
        }
    }

    /// The newest session up to `session` whose return is not known and needed
    /// for an indicator as of `as_of`. `None` when nothing is missing.
    pub(crate) fn newest_missing(
        &self,
        score: Specification,
        as_of: Session,
        session: Session,
    ) -> Option<Session> {
        let oldest = match (score.returns_needed(), &self.index) {
            (Some(needed), _) => oldest_of(needed, as_of),
            (None, Some(index)) if index.first <= as_of => index.last() + 1,
            (None, _) => 1,
        };
        let gap = self.returns.newest_gap(oldest, session)?;
        (!self.returns.failures.contains_key(&gap)).then_some(gap)
    }

    /// The value of an indicator at a session, when nothing is missing.
    pub(crate) fn score(
        &mut self,
        score: Specification,
        session: Session,
    ) -> Result<f64, Unscored> {
        let value = match score.returns_needed() {
            Some(needed) => {
                let oldest = oldest_of(needed, session);
                score.evaluate_returns(self.returns.series(oldest, session)?)
            }
            None => self.index_until(session)?.evaluate(score, session),
        };
        value.map_err(Unscored::Indicator)
    }

    /// The index of the series that a session belongs to, at least until then.
    fn index_until(&mut self, session: Session) -> Result<&mut Index, Unscored> {
        let index = match self.index.take() {
            Some(index) if index.first <= session && session <= index.last() => index,
            Some(mut index) if index.first <= session => {
                let oldest = index.last() + 1;
                let series = self.returns.series(oldest, session);
                match series {
                    Ok(added) if added.len() == (session - index.last()) as usize => {
                        index.extend(added);
                        index
                    }
                    // The series broke off since, and this is a new one.
                    Ok(returns) => Index::new(session, returns),
                    Err(failure) => {
                        self.index = Some(index);
                        return Err(failure);
                    }
                }
            }
            _ => Index::new(session, self.returns.series(1, session)?),
        };
        Ok(self.index.insert(index))
    }
}

impl Returns {
    /// The unbroken series of returns that ends with a session, from `oldest`
    /// on. It may be empty.
    fn series(&self, oldest: Session, session: Session) -> Result<&[f64], Unscored> {
        let begin = match self.newest_gap(oldest, session) {
            None => oldest,
            Some(gap) => match self.failures.get(&gap) {
                Some(failure) if !failure.is_short_history => {
                    return Err(Unscored::Failed(Rc::clone(failure)));
                }
                _ => gap + 1,
            },
        };
        let place = |session: Session| (session - self.begin) as usize;
        // What was asked for and is no gap is there.
        Ok(match begin <= session {
            true => &self.values[place(begin)..=place(session)],
            false => &[],
        })
    }

    /// The newest of these sessions whose return is not known.
    fn newest_gap(&self, oldest: Session, session: Session) -> Option<Session> {
        let newest = match self.known.contains(&session) {
            true => self.known.start - 1,
            false => session,
        };
        let is_known = |session: Session| {
            let value = session
                .checked_sub(self.begin)
                .and_then(|place| self.values.get(place as usize));
            value.is_some_and(|value| !value.is_nan())
        };
        (oldest..=newest).rev().find(|&session| !is_known(session))
    }

    fn record(&mut self, session: Session, value: f64) {
        if self.values.is_empty() {
            self.begin = session;
        }
        if session < self.begin {
            // Going back, the next ones come before this one.
            let room = (self.begin - session).max(self.values.len() as u32);
            let room = room.min(self.begin) as usize;
            self.values
                .splice(0..0, std::iter::repeat_n(f64::NAN, room));
            self.begin -= room as u32;
        }
        let place = (session - self.begin) as usize;
        if self.values.len() <= place {
            self.values.resize(place + 1, f64::NAN);
        }
        self.values[place] = value;
        if session == self.known.end {
            self.known.end += 1;
        } else if session + 1 == self.known.start {
            self.known.start = session;
        } else {
            self.known = session..session + 1;
        }
    }
}

impl Index {
    const START: f64 = 100.0;

    /// The index that reaches a session by the returns before it.
    fn new(session: Session, returns: &[f64]) -> Self {
        let mut index = Self {
            first: session - returns.len() as u32,
            levels: vec![Self::START],
            recursive: Vec::new(),
        };
        index.extend(returns);
        index
    }

    fn extend(&mut self, returns: &[f64]) {
        let mut level = self.levels.last().copied().unwrap_or(Self::START);
        self.levels.extend(returns.iter().map(|change| {
            level *= 1.0 + change;
            level
        }));
    }

    fn last(&self) -> Session {
        self.first + self.levels.len() as u32 - 1
    }

    fn evaluate(&mut self, score: Specification, session: Session) -> Result<f64, EvaluationError> {
        let count = (session - self.first) as usize + 1;
        let levels = &self.levels[..count];
        let known = self
            .recursive
            .iter()
            .position(|known| known.recursion.specification() == score);
        let place = match (known, score.recursion()) {
            (Some(place), _) => place,
            (None, Some(recursion)) => {
                let values = Vec::new();
                self.recursive.push(Recursive { recursion, values });
                self.recursive.len() - 1
            }
            (None, None) => return score.evaluate(levels),
        };
        let Recursive { recursion, values } = &mut self.recursive[place];
        if let Some(added) = levels.get(values.len()..) {
            values.extend(added.iter().map(|level| recursion.push(*level)));
        }
        values[count - 1]
    }
}

/// The first of the `needed` sessions that end with `session`. The first
/// session of all has no return.
fn oldest_of(needed: u32, session: Session) -> Session {
    (session + 1).saturating_sub(needed).max(1)
}
