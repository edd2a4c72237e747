//! Portfolios of portfolios.

use crate::canonical::{Holding, canonical};
use crate::program::{NodeId, SymbolId};
use alchemiser_sdk::Session;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// Symbols and weights that add up to one, and what follows from them. Made
/// once and then handed around: equal portfolios of one node are mostly the
/// very same.
#[derive(Debug)]
pub(crate) struct Portfolio {
    /// Sorted by symbol.
    holdings: Box<[Holding]>,
    canonical: OnceCell<Option<Box<[Holding]>>>,
    /// What it returned in the session that was asked for last.
    pub(crate) returned: Cell<Option<(Session, f64)>>,
}

impl Portfolio {
    pub(crate) fn new(holdings: impl Into<Box<[Holding]>>) -> Rc<Self> {
        Rc::new(Self {
            holdings: holdings.into(),
            canonical: OnceCell::new(),
            returned: Cell::new(None),
        })
    }

    /// The canonical form; `None` if it has none.
    pub(crate) fn canonical(&self) -> Option<&[Holding]> {
        let canonical = self
            .canonical
            .get_or_init(|| canonical(&self.holdings).map(Vec::into_boxed_slice));
        canonical.as_deref()
    }
}

/// A portfolio and its share of another.
pub(crate) type Part = (f64, Rc<Portfolio>);

/// Adds up the parts of nodes.
///
/// From one session to the next most conditions hold as before and most
/// filters choose as before. A node whose parts are the very portfolios they
/// were last time is the very portfolio that it was, and so is what it is a
/// part of.
#[derive(Debug)]
pub(crate) struct Mixer {
    known: Vec<Option<Mix>>,
    /// Weights by symbol while adding up; not a number where there is none.
    sums: Vec<f64>,
    /// The symbols that have one.
    symbols: Vec<SymbolId>,
}

#[derive(Debug)]
struct Mix {
    parts: Box<[Part]>,
    sum: Rc<Portfolio>,
}

impl Mixer {
    pub(crate) fn new(nodes: usize, symbols: usize) -> Self {
        Self {
            known: std::iter::repeat_with(|| None).take(nodes).collect(),
            sums: vec![f64::NAN; symbols],
            symbols: Vec::new(),
        }
    }

    /// The sum of a node's parts, each times its share. Weights of a symbol are
    /// added in the order of the parts.
    pub(crate) fn mix(&mut self, node: NodeId, parts: &[Part]) -> Rc<Portfolio> {
        if let [(_, only)] = parts {
            return Rc::clone(only);
        }
        let known = &self.known[node.index()];
        if let Some(known) = known.as_ref().filter(|known| are_same(&known.parts, parts)) {
            return Rc::clone(&known.sum);
        }
        let sum = self.sum(parts);
        match &mut self.known[node.index()] {
            Some(known) if known.parts.len() == parts.len() => {
                known.parts.clone_from_slice(parts);
                known.sum = Rc::clone(&sum);
            }
            known => {
                *known = Some(Mix {
                    parts: parts.into(),
                    sum: Rc::clone(&sum),
                });
            }
        }
        sum
    }

    fn sum(&mut self, parts: &[Part]) -> Rc<Portfolio> {
        for (share, portfolio) in parts {
            for holding in &portfolio.holdings {
                let sum = &mut self.sums[holding.symbol.index()];
                let weight = share * holding.weight;
                if sum.is_nan() {
                    self.symbols.push(holding.symbol);
                    *sum = weight;
                } else {
                    *sum += weight;
                }
            }
        }
        self.symbols.sort_unstable();
        let sums = &mut self.sums;
        let holding = |symbol: SymbolId| Holding {
            symbol,
            weight: std::mem::replace(&mut sums[symbol.index()], f64::NAN),
        };
        let holdings: Box<[Holding]> = self.symbols.drain(..).map(holding).collect();
        Portfolio::new(holdings)
    }
}

/// Whether the shares are equal and the portfolios the very same.
fn are_same(left: &[Part], right: &[Part]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.0.to_bits() == right.0.to_bits() && Rc::ptr_eq(&left.1, &right.1)
        })
}
