//! A checked strategy as an arena of nodes.
//!
//! Equal forms share one node, however often the text repeats them; large
//! files consist mostly of repetitions. Nodes refer to each other by number,
//! and a node's children always have smaller numbers than the node.

use crate::operator::Comparison;
use crate::symbol::SymbolSet;
use crate::texts::{TextId, Texts};
use alchemiser_indicators::Specification;
use alchemiser_sdk::Place;
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHasher};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;

/// A node of a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// The node of an index that is known to be one's.
    pub(crate) fn at(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A symbol of a [`Program`]; in the order of the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SymbolId(u32);

impl SymbolId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An indicator on a symbol that a [`Program`] may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(pub(crate) u32);

impl CallId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where in the text a node was written.
///
/// A node that is written ten times has ten places, so it cannot know its own.
/// All forms that may be spoken of are numbered in the order of the text; a
/// parent says how much higher than its own the number of a child is, and the
/// number of a form is the sum along the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Position(u32);

impl Position {
    /// A node's own position, relative to itself.
    pub(crate) const HERE: Self = Self(0);

    /// The position of something whose position relative to this one is known.
    pub(crate) fn then(self, relative: Self) -> Self {
        Self(self.0 + relative.0)
    }

    /// This position, relative to one before it.
    pub(crate) fn relative_to(self, earlier: Self) -> Self {
        Self(self.0 - earlier.0)
    }
}

/// A child of a node, or a descendant of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub(crate) node: NodeId,
    /// Relative to the node that the edge starts from.
    pub(crate) position: Position,
}

/// What a node does. Its children are given by [`Program::edges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// All in one symbol.
    Asset(SymbolId),
    /// What its only child holds: the earlier bodies of a group have no
    /// influence and are not kept.
    Group(TextId),
    /// The same share for each child.
    Equal,
    /// The shares of [`Program::shares`], one for each child.
    Specified,
    /// Shares inverse to the standard deviation of returns of each unit of the
    /// children.
    InverseVolatility(Specification),
    /// The units of all children, one after the other.
    Vector,
    /// The units of the only child that rank highest.
    Filter {
        score: Specification,
        selection: Selection,
    },
    /// The units of the first child if the condition holds, of the second one,
    /// if there is one, if not.
    If(Condition),
}

/// Which candidates a filter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Selection {
    /// All, the highest score first.
    All,
    Top(u32),
    Bottom(u32),
}

/// The condition of an `if`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) comparison: Comparison,
    pub(crate) left: Operand,
    pub(crate) right: Operand,
}

impl Condition {
    /// Positions relative to the `if`, of which these forms are the first.
    pub(crate) const POSITION: Position = Position(1);
    pub(crate) const LEFT_POSITION: Position = Position(2);
    pub(crate) const RIGHT_POSITION: Position = Position(3);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    Number(Number),
    Indicator(CallId),
}

/// A number that can be looked up, by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(u64);

impl Number {
    pub(crate) fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    pub(crate) fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// An indicator on a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) symbol: SymbolId,
    pub(crate) specification: Specification,
}

#[derive(Debug)]
struct Node {
    operation: Operation,
    edges: Range<u32>,
    shares: Range<u32>,
}

/// The parents of all nodes.
#[derive(Debug)]
struct Parents {
    all: Vec<NodeId>,
    /// Where in `all` those of each node begin, which is where those of the
    /// node before end.
    begins: Vec<u32>,
}

impl Parents {
    fn of(&self, node: NodeId) -> &[NodeId] {
        let (begin, end) = (self.begins[node.index()], self.begins[node.index() + 1]);
        &self.all[begin as usize..end as usize]
    }
}

/// The units that nodes choose among, where these are the same as of every
/// session.
#[derive(Debug)]
struct FixedUnits {
    all: Vec<Edge>,
    /// For each node, its units in `all`; `None` if they depend on the session,
    /// or the node does not choose.
    of_nodes: Vec<Option<Range<u32>>>,
}

/// A checked strategy.
#[derive(Debug)]
pub(crate) struct Program {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    shares: Vec<f64>,
    places: Vec<Place>,
    symbols: Vec<String>,
    calls: Vec<Call>,
    /// The close of each symbol.
    closes: Vec<CallId>,
    texts: Texts,
    root: Edge,
    /// For each node, the one whose portfolio it has.
    bodies: Vec<Edge>,
    parents: Parents,
    fixed_units: FixedUnits,
    /// For each node, whether its portfolio may be asked for more than once as
    /// of one session.
    repeats: Vec<bool>,
}

impl Program {
    /// The whole strategy; its position is absolute.
    pub(crate) fn root(&self) -> Edge {
        self.root
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes, parents before children.
    pub(crate) fn nodes_from_root(&self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes.len() as u32).rev().map(NodeId)
    }

    pub(crate) fn operation(&self, node: NodeId) -> Operation {
        self.nodes[node.index()].operation
    }

    pub(crate) fn edges(&self, node: NodeId) -> &[Edge] {
        &self.edges[range(&self.nodes[node.index()].edges)]
    }

    pub(crate) fn shares(&self, node: NodeId) -> &[f64] {
        &self.shares[range(&self.nodes[node.index()].shares)]
    }

    /// The place of an absolute position.
    pub(crate) fn place(&self, position: Position) -> Place {
        self.places[position.0 as usize]
    }

    pub(crate) fn symbols(&self) -> &[String] {
        &self.symbols
    }

    pub(crate) fn symbol_ids(&self) -> impl Iterator<Item = SymbolId> {
        (0..self.symbols.len() as u32).map(SymbolId)
    }

    pub(crate) fn symbol(&self, symbol: SymbolId) -> &str {
        &self.symbols[symbol.index()]
    }

    /// All calls by number.
    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn call(&self, call: CallId) -> Call {
        self.calls[call.index()]
    }

    /// The call that answers a symbol's close.
    pub(crate) fn close(&self, symbol: SymbolId) -> CallId {
        self.closes[symbol.index()]
    }

    pub(crate) fn text(&self, text: TextId) -> &str {
        self.texts.get(text)
    }

    /// The node whose portfolio a node has: that within a group or a
    /// `weight-equal` of one, however many of these there are around it.
    pub(crate) fn body(&self, node: NodeId) -> Edge {
        self.bodies[node.index()]
    }

    /// The nodes that are made of the portfolio of a node; all are bodies.
    pub(crate) fn parents(&self, body: NodeId) -> &[NodeId] {
        self.parents.of(body)
    }

    /// The units that a node chooses among, if these are the same as of every
    /// session; of assets that repeat, the first.
    pub(crate) fn fixed_units(&self, node: NodeId) -> Option<&[Edge]> {
        let units = self.fixed_units.of_nodes[node.index()].as_ref()?;
        Some(&self.fixed_units.all[range(units)])
    }

    /// Whether the portfolio of a node that is its own body may be asked for
    /// more than once as of one session.
    pub(crate) fn repeats(&self, node: NodeId) -> bool {
        self.repeats[node.index()]
    }

    /// What a unit is called: an asset's symbol, a group's name, or the
    /// operator.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        match self.operation(node) {
            Operation::Asset(symbol) => self.symbol(symbol),
            Operation::Group(name) => self.text(name),
            Operation::Equal => "weight-equal",
            Operation::Specified => "weight-specified",
            Operation::InverseVolatility(_) => "weight-inverse-volatility",
            Operation::Vector => "vector",
            Operation::Filter { .. } => "filter",
            Operation::If(_) => "if",
        }
    }
}

/// A form that has been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence {
    pub(crate) node: NodeId,
    /// Absolute.
    pub(crate) position: Position,
}

impl Occurrence {
    pub(crate) fn seen_from(self, parent: Position) -> Edge {
        Edge {
            node: self.node,
            position: self.position.relative_to(parent),
        }
    }
}

/// A [`Program`] in the making, children first.
#[derive(Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    shares: Vec<f64>,
    places: Vec<Place>,
    symbols: Texts,
    calls: Vec<Call>,
    closes: Vec<CallId>,
    known: HashTable<NodeId>,
    known_calls: FxHashMap<Call, CallId>,
}

impl Builder {
    /// Numbers a form of the text.
    pub(crate) fn position(&mut self, place: Place) -> Position {
        self.places.push(place);
        Position(self.places.len() as u32 - 1)
    }

    /// The number of a symbol in its one spelling. The final number is given
    /// by [`Builder::finish`].
    pub(crate) fn symbol(&mut self, symbol: &str) -> SymbolId {
        let symbol = SymbolId(self.symbols.intern(symbol).index() as u32);
        if symbol.index() == self.closes.len() {
            let close = self.call(Call {
                symbol,
                specification: Specification::CLOSE,
            });
            self.closes.push(close);
        }
        symbol
    }

    /// The number of a call.
    pub(crate) fn call(&mut self, call: Call) -> CallId {
        *self.known_calls.entry(call).or_insert_with(|| {
            self.calls.push(call);
            CallId(self.calls.len() as u32 - 1)
        })
    }

    /// The node of an operation on these children: a new one, or the equal one
    /// that there is already.
    pub(crate) fn node(&mut self, operation: Operation, edges: &[Edge], shares: &[f64]) -> NodeId {
        let hash = hash(operation, edges, shares);
        let known = self.known.find(hash, |&id| {
            let node = &self.nodes[id.index()];
            node.operation == operation
                && self.edges[range(&node.edges)] == *edges
                && bits(&self.shares[range(&node.shares)]).eq(bits(shares))
        });
        if let Some(&id) = known {
            return id;
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node {
            operation,
            edges: append(&mut self.edges, edges),
            shares: append(&mut self.shares, shares),
        });
        let (nodes, all_edges, all_shares) = (&self.nodes, &self.edges, &self.shares);
        self.known.insert_unique(hash, id, |id| {
            let node = &nodes[id.index()];
            self::hash(
                node.operation,
                &all_edges[range(&node.edges)],
                &all_shares[range(&node.shares)],
            )
        });
        id
    }

    /// The program whose outermost form is `root`. `texts` are those that
    /// groups are named by.
    pub(crate) fn finish(mut self, root: Occurrence, texts: Texts) -> Program {
        let symbols = self.sort_symbols();
        let bodies = self.find_bodies();
        let repeats = self.find_repeats(&bodies);
        let parents = self.find_parents(&bodies);
        let fixed_units = self.find_fixed_units(symbols.len());
        Program {
            nodes: self.nodes,
            edges: self.edges,
            shares: self.shares,
            places: self.places,
            symbols,
            calls: self.calls,
            closes: self.closes,
            texts,
            root: Edge {
                node: root.node,
                position: root.position,
            },
            bodies,
            parents,
            fixed_units,
            repeats,
        }
    }

    /// Renumbers the symbols in the order of the alphabet, so that whatever is
    /// sorted by number is sorted by symbol.
    fn sort_symbols(&mut self) -> Vec<String> {
        let mut sorted: Vec<(usize, &str)> = self.symbols.iter().enumerate().collect();
        sorted.sort_unstable_by_key(|(_, symbol)| *symbol);
        let mut renumbered = vec![SymbolId(0); sorted.len()];
        for (new, (old, _)) in sorted.iter().enumerate() {
            renumbered[*old] = SymbolId(new as u32);
        }
        let symbols: Vec<String> = sorted
            .into_iter()
            .map(|(_, symbol)| symbol.to_owned())
            .collect();

        for node in &mut self.nodes {
            if let Operation::Asset(symbol) = &mut node.operation {
                *symbol = renumbered[symbol.index()];
            }
        }
        for call in &mut self.calls {
            call.symbol = renumbered[call.symbol.index()];
        }
        let mut closes = vec![CallId(0); symbols.len()];
        for (symbol, close) in renumbered.iter().zip(&self.closes) {
            closes[symbol.index()] = *close;
        }
        self.closes = closes;
        symbols
    }

    /// Finds the node whose portfolio each node has. Children come first.
    fn find_bodies(&self) -> Vec<Edge> {
        let mut bodies: Vec<Edge> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let edges = &self.edges[range(&node.edges)];
            bodies.push(match (node.operation, edges) {
                (Operation::Group(_) | Operation::Equal, [only]) => {
                    let inner = bodies[only.node.index()];
                    Edge {
                        node: inner.node,
                        position: only.position.then(inner.position),
                    }
                }
                _ => Edge {
                    node: NodeId(index as u32),
                    position: Position::HERE,
                },
            });
        }
        bodies
    }

    fn find_parents(&self, bodies: &[Edge]) -> Parents {
        let families = || {
            let nodes = self.nodes.iter().enumerate();
            let bodies_alone = nodes.filter(|(index, _)| bodies[*index].node.index() == *index);
            bodies_alone.flat_map(|(index, node)| {
                let edges = &self.edges[range(&node.edges)];
                let child = move |edge: &Edge| (NodeId::at(index), bodies[edge.node.index()].node);
                edges.iter().map(child)
            })
        };
        // First how many there are of each child, then where they end, then,
        // filling up from the end, where they begin.
        let mut begins = vec![0; self.nodes.len() + 1];
        for (_, child) in families() {
            begins[child.index()] += 1;
        }
        let mut end = 0;
        for count in &mut begins {
            end += *count;
            *count = end;
        }
        let mut all = vec![NodeId(0); end as usize];
        for (parent, child) in families() {
            let begin = &mut begins[child.index()];
            *begin -= 1;
            all[*begin as usize] = parent;
        }
        Parents { all, begins }
    }

    fn find_fixed_units(&self, symbols: usize) -> FixedUnits {
        let mut all = Vec::new();
        let mut seen = SymbolSet::new(symbols);
        let of_nodes = self.nodes.iter().map(|node| {
            let chooses = matches!(
                node.operation,
                Operation::Filter { .. } | Operation::InverseVolatility(_)
            );
            if !chooses {
                return None;
            }
            seen.clear();
            let begin = all.len();
            if self.append_units(node, Position::HERE, &mut seen, &mut all) {
                Some(begin as u32..all.len() as u32)
            } else {
                all.truncate(begin);
                None
            }
        });
        let of_nodes = of_nodes.collect();
        FixedUnits { all, of_nodes }
    }

    /// Appends the units of a node's children that were not seen before.
    /// Whether they are the same as of every session.
    fn append_units(
        &self,
        node: &Node,
        position: Position,
        seen: &mut SymbolSet,
        all: &mut Vec<Edge>,
    ) -> bool {
        self.edges[range(&node.edges)].iter().all(|edge| {
            let child = &self.nodes[edge.node.index()];
            let position = position.then(edge.position);
            match child.operation {
                Operation::Vector => return self.append_units(child, position, seen, all),
                Operation::If(_) | Operation::Filter { .. } => return false,
                Operation::Asset(symbol) if !seen.insert(symbol) => {}
                _ => all.push(Edge {
                    node: edge.node,
                    position,
                }),
            }
            true
        })
    }

    /// Finds the nodes with several parents, and the units that are scored: a
    /// filter asks for their portfolios before it knows which it takes.
    fn find_repeats(&self, bodies: &[Edge]) -> Vec<bool> {
        let mut parents = vec![0_u32; self.nodes.len()];
        let mut holds_units = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if bodies[index].node.index() != index {
                continue;
            }
            let scores = matches!(
                node.operation,
                Operation::Filter { .. } | Operation::InverseVolatility(_)
            );
            let passes_on = matches!(node.operation, Operation::Vector | Operation::If(_));
            let children_hold_units = scores || passes_on && holds_units[index];
            for edge in &self.edges[range(&node.edges)] {
                let child = bodies[edge.node.index()].node.index();
                parents[child] += 1;
                holds_units[child] |= children_hold_units;
            }
        }
        parents
            .iter()
            .zip(&holds_units)
            .map(|(&parents, &holds_units)| parents > 1 || holds_units)
            .collect()
    }
}

fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

fn append<T: Copy>(all: &mut Vec<T>, new: &[T]) -> Range<u32> {
    let begin = all.len() as u32;
    all.extend_from_slice(new);
    begin..all.len() as u32
}

fn hash(operation: Operation, edges: &[Edge], shares: &[f64]) -> u64 {
    let mut hasher: FxHasher = FxBuildHasher.build_hasher();
    operation.hash(&mut hasher);
    edges.hash(&mut hasher);
    for share in bits(shares) {
        share.hash(&mut hasher);
    }
    hasher.finish()
}

fn bits(shares: &[f64]) -> impl Iterator<Item = u64> {
    shares.iter().map(|share| share.to_bits())
}
