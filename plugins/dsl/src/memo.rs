//! Values that are known already.

use crate::failure::Outcome;
use crate::program::NodeId;
use alchemiser_sdk::Session;
use rustc_hash::FxHashMap;

/// Outcomes by node and session. Forgetting one costs time, never correctness.
///
/// Evaluations go forward from session to session, so those as of the latest
/// two are kept for each node: yesterday's holdings are what today's return of
/// a unit is made of. The history that the first evaluation of a filter looks
/// back on is remembered for the length of that call.
#[derive(Debug)]
pub(crate) struct Memo<T> {
    latest: Vec<[Option<Known<T>>; 2]>,
    past: FxHashMap<(NodeId, Session), Outcome<T>>,
}

#[derive(Debug)]
struct Known<T> {
    session: Session,
    outcome: Outcome<T>,
}

impl<T: Clone> Memo<T> {
    /// Bounds the memory of an evaluation that looks back on many sessions.
    const PAST: usize = 1 << 18;

    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            latest: std::iter::repeat_with(|| [const { None }; 2])
                .take(nodes)
                .collect(),
            past: FxHashMap::default(),
        }
    }

    pub(crate) fn get(&self, node: NodeId, session: Session) -> Option<Outcome<T>> {
        match &self.latest[node.index()][slot(session)] {
            Some(known) if known.session == session => Some(known.outcome.clone()),
            _ if self.past.is_empty() => None,
            _ => self.past.get(&(node, session)).cloned(),
        }
    }

    /// Remembers an outcome; `is_latest` says whether it is as of the session
    /// under evaluation, not of an earlier one.
    pub(crate) fn put(
        &mut self,
        node: NodeId,
        session: Session,
        is_latest: bool,
        outcome: Outcome<T>,
    ) {
        if is_latest {
            self.latest[node.index()][slot(session)] = Some(Known { session, outcome });
            return;
        }
        if self.past.len() >= Self::PAST {
            self.past.clear();
        }
        self.past.insert((node, session), outcome);
    }

    /// Forgets earlier sessions, and returns their memory.
    pub(crate) fn forget_past(&mut self) {
        if !self.past.is_empty() {
            self.past = FxHashMap::default();
        }
    }
}

fn slot(session: Session) -> usize {
    (session % 2) as usize
}
