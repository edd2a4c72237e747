//! Portfolios of portfolios.

use crate::canonical::Holding;
use crate::program::{NodeId, SymbolId};
use std::rc::Rc;

/// Symbols and weights that add up to one, sorted by symbol.
pub(crate) type Portfolio = Rc<[Holding]>;

/// A portfolio and its share of another.
pub(crate) type Part = (f64, Portfolio);

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
}

#[derive(Debug)]
struct Mix {
    parts: Box<[Part]>,
    sum: Portfolio,
}

impl Mixer {
    pub(crate) fn new(nodes: usize, symbols: usize) -> Self {
        Self {
            known: std::iter::repeat_with(|| None).take(nodes).collect(),
            sums: vec![f64::NAN; symbols],
        }
    }

    /// The sum of a node's parts, each times its share. Weights of a symbol are
    /// added in the order of the parts.
    pub(crate) fn mix(&mut self, node: NodeId, parts: &[Part]) -> Portfolio {
        if let [(_, only)] = parts {
            return Rc::clone(only);
        }
        match &self.known[node.index()] {
            Some(known) if are_same(&known.parts, parts) => Rc::clone(&known.sum),
            _ => {
                let sum = self.sum(parts);
                self.known[node.index()] = Some(Mix {
                    parts: parts.into(),
                    sum: Rc::clone(&sum),
                });
                sum
            }
        }
    }

    fn sum(&mut self, parts: &[Part]) -> Portfolio {
        let mut symbols: Vec<SymbolId> = Vec::new();
        for (share, portfolio) in parts {
            for holding in portfolio.iter() {
                let sum = &mut self.sums[holding.symbol.index()];
                let weight = share * holding.weight;
                if sum.is_nan() {
                    symbols.push(holding.symbol);
                    *sum = weight;
                } else {
                    *sum += weight;
                }
            }
        }
        symbols.sort_unstable();
        let holding = |&symbol: &SymbolId| Holding {
            symbol,
            weight: std::mem::replace(&mut self.sums[symbol.index()], f64::NAN),
        };
        symbols.iter().map(holding).collect()
    }
}

/// Whether the shares are equal and the portfolios the very same.
fn are_same(left: &[Part], right: &[Part]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.0.to_bits() == right.0.to_bits() && Rc::ptr_eq(&left.1, &right.1)
        })
}
