//! The parts of a strategy as a tree, for whoever draws it.

use crate::explain::{condition_text, filter_text, inverse_volatility_text};
use crate::program::{Condition, Edge, NodeId, Operation, Position, Program};
use alchemiser_sdk::Place;

/// A part of a strategy: a portfolio within the portfolio.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where in the file it stands.
    pub place: Place,
    /// What explanations call it: an asset's symbol, a group's name, else its
    /// operator.
    pub name: String,
    /// What it does with its parts.
    pub kind: PartKind,
    /// Its parts, by their places in the outline.
    pub parts: Vec<usize>,
}

/// What a [`Part`] does with its parts.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// It has none, and holds one symbol.
    Asset,
    /// It gives its only part a name.
    Group,
    /// It gives them shares: one for each, or none where prices decide.
    Weight {
        /// The form, without its parts.
        text: String,
        /// Adding up to 1.
        shares: Vec<f64>,
    },
    /// It takes some of the candidates that its only part holds.
    Filter {
        /// The form, without its candidates.
        text: String,
    },
    /// It takes the first part if a condition holds, else the second one, if
    /// there is one.
    If {
        /// The condition.
        text: String,
        /// Where that stands.
        place: Place,
    },
    /// It hands them on to what it is a part of.
    Vector,
}

/// All parts in the order of the text, the whole first. What a group has besides
/// its last portfolio is not among them: it has no influence.
pub(crate) fn outline(program: &Program) -> Vec<Part> {
    let mut outline = Vec::new();
    add(program, program.root(), &mut outline);
    outline
}

/// Adds a part and its own, as deep as a file may be nested.
fn add(program: &Program, edge: Edge, outline: &mut Vec<Part>) -> usize {
    let index = outline.len();
    let edges = program.edges(edge.node);
    outline.push(Part {
        place: program.place(edge.position),
        name: program.name(edge.node).to_owned(),
        kind: kind(program, edge.node, edge.position),
        parts: Vec::new(),
    });
    let parts = edges
        .iter()
        .map(|part| {
            let position = edge.position.then(part.position);
            add(program, Edge { position, ..*part }, outline)
        })
        .collect();
    outline[index].parts = parts;
    index
}

fn kind(program: &Program, node: NodeId, position: Position) -> PartKind {
    let weight = |text: &str, shares| PartKind::Weight {
        text: text.to_owned(),
        shares,
    };
    match program.operation(node) {
        Operation::Asset(_) => PartKind::Asset,
        Operation::Group(_) => PartKind::Group,
        Operation::Equal => {
            let count = program.edges(node).len();
            weight("weight-equal", vec![1.0 / count as f64; count])
        }
        Operation::Specified => weight("weight-specified", program.shares(node).to_vec()),
        Operation::InverseVolatility(volatility) => {
            weight(&inverse_volatility_text(volatility), Vec::new())
        }
        Operation::Vector => PartKind::Vector,
        Operation::Filter { score, selection } => PartKind::Filter {
            text: filter_text(score, selection),
        },
        Operation::If(condition) => PartKind::If {
            text: condition_text(program, condition),
            place: program.place(position.then(Condition::POSITION)),
        },
    }
}
