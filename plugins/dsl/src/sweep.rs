//! From one session to the next.
//!
//! What a strategy holds rarely changes overnight: most conditions hold as
//! before, and most filters choose as before. So what was found out as of one
//! session is not computed anew for the next. The nodes that can change by
//! themselves, those that look at the market, are looked at again; where one
//! holds something else than before, the nodes that are made of it are computed
//! again, and so on up to the root.
//!
//! This is never asked for anything new: a node that needs what is not known,
//! such as the branch that was not taken before, is let go along with all that
//! is made of it, and is computed if the strategy comes to it. So only branches
//! taken are evaluated, and failures are found in the order of the strategy.

use crate::evaluate::Evaluator;
use crate::program::{NodeId, Operation, Program};
use alchemiser_sdk::Session;
use std::rc::Rc;

/// The nodes whose portfolios are kept up to date.
#[derive(Debug)]
pub(crate) struct Current {
    /// The session that they are as of.
    session: Option<Session>,
    /// How many sessions that has gone on for.
    age: u32,
    nodes: NodeSet,
    /// Those of all nodes that look at the market.
    looking: NodeSet,
    /// Those made of something that has changed.
    outdated: NodeSet,
}

impl Current {
    /// Sessions after which everything is let go. Nodes that the strategy does
    /// not come to any more would be kept up to date for ever.
    const OLDEST: u32 = 32;

    pub(crate) fn new(program: &Program) -> Self {
        let mut looking = NodeSet::new(program.len());
        for node in program.nodes_from_root() {
            let is_made_of_others = matches!(
                program.operation(node),
                Operation::Group(_) | Operation::Equal | Operation::Specified
            );
            if !is_made_of_others {
                looking.insert(node);
            }
        }
        Self {
            session: None,
            age: 0,
            nodes: NodeSet::new(program.len()),
            looking,
            outdated: NodeSet::new(program.len()),
        }
    }

    /// Adds a node whose portfolio is known as of the session.
    pub(crate) fn insert(&mut self, node: NodeId) {
        self.nodes.insert(node);
    }

    /// The first node, from a place on, that is to be computed again.
    fn next(&self, from: usize) -> Option<NodeId> {
        let mut mask = u64::MAX << (from % 64);
        for word in from / 64..self.nodes.0.len() {
            let due = self.nodes.0[word] & (self.looking.0[word] | self.outdated.0[word]) & mask;
            if due != 0 {
                return Some(NodeId::at(word * 64 + due.trailing_zeros() as usize));
            }
            mask = u64::MAX;
        }
        None
    }
}

impl Evaluator<'_> {
    /// Brings what is known up to the session under evaluation.
    pub(crate) fn sweep(&mut self) {
        let session = self.as_of;
        let current = &mut self.state.current;
        match current.session.replace(session) {
            Some(last) if last == session => {}
            Some(last) if last + 1 == session && current.age < Current::OLDEST => {
                current.age += 1;
                self.state.is_sweeping = true;
                self.compute_again(session);
                self.state.is_sweeping = false;
            }
            Some(last) => {
                current.age = 0;
                for node in self.program.nodes_from_root() {
                    if current.nodes.remove(node) {
                        self.state.portfolios.close(node, last);
                    }
                }
            }
            None => {}
        }
    }

    /// Children come before parents, so that a node is reached when all that
    /// it is made of is up to date.
    fn compute_again(&mut self, session: Session) {
        let mut from = 0;
        while let Some(node) = self.state.current.next(from) {
            from = node.index() + 1;
            self.state.current.outdated.remove(node);
            let Ok(portfolio) = self.compute_portfolio(node, session) else {
                self.let_go(node, session);
                continue;
            };
            let known = self.state.portfolios.open(node);
            if matches!(known, Some(Ok(known)) if Rc::ptr_eq(known, &portfolio)) {
                continue;
            }
            self.state.portfolios.put_open(node, session, Ok(portfolio));
            for &parent in self.program.parents(node) {
                self.state.current.outdated.insert(parent);
            }
        }
    }

    /// Lets go of a node and of all that is made of it.
    fn let_go(&mut self, node: NodeId, session: Session) {
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            if self.state.current.nodes.remove(node) {
                self.state.portfolios.close(node, session - 1);
                pending.extend_from_slice(self.program.parents(node));
            }
        }
    }
}

/// A set of a program's nodes.
#[derive(Debug)]
struct NodeSet(Vec<u64>);

impl NodeSet {
    fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    fn insert(&mut self, node: NodeId) {
        self.0[node.index() / 64] |= 1 << (node.index() % 64);
    }

    /// Whether it was there.
    fn remove(&mut self, node: NodeId) -> bool {
        let (word, bit) = (&mut self.0[node.index() / 64], 1 << (node.index() % 64));
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }
}
