//! Values that are known already.

use crate::failure::Outcome;
use crate::program::NodeId;
use alchemiser_sdk::Session;
use rustc_hash::FxHashMap;

/// Outcomes by node and session. Forgetting one costs time, never correctness.
///
/// Evaluations go forward from session to session, and what a node holds mostly
/// stays: so the latest two outcomes are kept for each node, with the sessions
/// that they hold for. The one before the latest is what today's return of a
/// unit is made of. The history that the first evaluation of a filter looks
/// back on is remembered for the length of that call.
#[derive(Debug)]
pub(crate) struct Memo<T> {
    /// By node; the later one first.
    latest: Vec<[Option<Known<T>>; 2]>,
    /// Two generations: when the younger is full, the older is forgotten. What
    /// is asked for again was mostly found a short while ago.
    past: [FxHashMap<(NodeId, Session), Outcome<T>>; 2],
}

#[derive(Debug)]
struct Known<T> {
    first: Session,
    last: Session,
    outcome: Outcome<T>,
}

impl<T> Known<T> {
    fn covers(&self, session: Session) -> bool {
        self.first <= session && session <= self.last
    }
}

impl<T: Clone> Memo<T> {
    /// The last session of an outcome that holds until further notice.
    const OPEN: Session = Session::MAX;

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

    /// What one of the latest two outcomes says of a session.
    #[inline]
    pub(crate) fn latest(&self, node: NodeId, session: Session) -> Option<Outcome<T>> {
        let mut latest = self.latest[node.index()].iter().flatten();
        let known = latest.find(|known| known.covers(session))?;
        Some(known.outcome.clone())
    }

    /// The outcome found last, whatever sessions it holds for.
    pub(crate) fn newest(&self, node: NodeId) -> Option<&Outcome<T>> {
        let known = self.latest[node.index()][0].as_ref();
        known.map(|known| &known.outcome)
    }

    /// What was remembered of an earlier session.
    pub(crate) fn past(&self, node: NodeId, session: Session) -> Option<Outcome<T>> {
        let key = (node, session);
        let mut generations = self.past.iter().filter(|past| !past.is_empty());
        generations.find_map(|past| past.get(&key).cloned())
    }

    /// The outcome that holds until further notice, if there is one.
    pub(crate) fn open(&self, node: NodeId) -> Option<&Outcome<T>> {
        let known = self.latest[node.index()][0].as_ref();
        known
            .filter(|known| known.last == Self::OPEN)
            .map(|known| &known.outcome)
    }

    /// Remembers the outcome as of the session under evaluation.
    pub(crate) fn put(&mut self, node: NodeId, session: Session, outcome: Outcome<T>) {
        self.put_known(
            node,
            Known {
                first: session,
                last: session,
                outcome,
            },
        );
    }

    /// The same for an outcome that holds from this session on, until
    /// [`close`](Self::close) is called.
    pub(crate) fn put_open(&mut self, node: NodeId, session: Session, outcome: Outcome<T>) {
        self.put_known(
            node,
            Known {
                first: session,
                last: Self::OPEN,
                outcome,
            },
        );
    }

    fn put_known(&mut self, node: NodeId, known: Known<T>) {
        self.close(node, known.first.saturating_sub(1));
        let [latest, before] = &mut self.latest[node.index()];
        *before = latest.replace(known).or(before.take());
    }

    /// An outcome that held until further notice held up to this session; if
    /// any.
    pub(crate) fn close(&mut self, node: NodeId, last: Session) {
        let [latest, before] = &mut self.latest[node.index()];
        if let Some(known) = latest {
            known.last = known.last.min(last);
            if known.last < known.first {
                *latest = before.take();
            }
        }
    }

    /// Remembers the outcome as of an earlier session.
    pub(crate) fn put_past(&mut self, node: NodeId, session: Session, outcome: Outcome<T>) {
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
