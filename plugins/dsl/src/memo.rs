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
    /// Two generations: when the younger is full, the older is forgotten. What
    /// is asked for again was mostly found a short while ago.
    past: [FxHashMap<(NodeId, Session), Outcome<T>>; 2],
}

#[derive(Debug)]
struct Known<T> {
    session: Session,
    outcome: Outcome<T>,
}

impl<T: Clone> Memo<T> {
    /// Outcomes of a generation. Bounds the memory of an evaluation that looks
    /// back on many sessions.
    const GENERATION: usize = 1 << 17;

    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            latest: std::iter::repeat_with(|| [const { None }; 2])
                .take(nodes)
                .collect(),
            past: Default::default(),
        }
    }

    pub(crate) fn get(&self, node: NodeId, session: Session) -> Option<Outcome<T>> {
        match &self.latest[node.index()][slot(session)] {
            Some(known) if known.session == session => Some(known.outcome.clone()),
            _ => {
                let key = (node, session);
                let mut generations = self.past.iter();
                generations.find_map(|generation| generation.get(&key).cloned())
            }
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
        if self.past[0].len() >= Self::GENERATION {
            self.past[1] = std::mem::take(&mut self.past[0]);
        }
        self.past[0].insert((node, session), outcome);
    }

    /// Forgets earlier sessions, and returns their memory if it is much.
    pub(crate) fn forget_past(&mut self) {
        const MUCH: usize = 1 << 12;

        for generation in &mut self.past {
            if generation.capacity() > MUCH {
                *generation = FxHashMap::default();
            } else {
                generation.clear();
            }
        }
    }
}

fn slot(session: Session) -> usize {
    (session % 2) as usize
}
