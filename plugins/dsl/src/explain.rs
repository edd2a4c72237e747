//! The path that an evaluation took, for the person who asks why.
//!
//! The path is walked once more after the evaluation; nearly everything that it
//! asks for is remembered. Nothing here has an influence on the weights.

use crate::evaluate::Evaluator;
use crate::failure::Outcome;
use crate::program::{Call, Condition, Edge, Operand, Operation, Position, Program, Selection};
use alchemiser_indicators::Specification;
use alchemiser_sdk::{Place, Score};
use std::fmt::Write;

impl Evaluator<'_> {
    /// Tells the market how the weights came about. It ends where the
    /// evaluation failed, if it did.
    pub(crate) fn explain(&mut self) {
        let _ended_early = self.explain_part(self.program.root(), 0);
    }

    /// Explains a part, whose position is absolute.
    fn explain_part(&mut self, part: Edge, depth: u32) -> Outcome<()> {
        let program = self.program;
        let edges = program.edges(part.node);
        match program.operation(part.node) {
            Operation::Asset(_) => self.follow(part, self.as_of).map(drop),
            Operation::Group(name) => {
                let text = format!("group {:?}", program.text(name));
                self.note(depth, part.position, &text);
                self.explain_parts(part, edges, depth + 1)
            }
            Operation::Equal | Operation::Specified | Operation::Vector => {
                self.explain_parts(part, edges, depth)
            }
            Operation::InverseVolatility(volatility) => {
                let text = self.shares_text(part, volatility)?;
                self.note(depth, part.position, &text);
                self.explain_parts(part, edges, depth + 1)
            }
            Operation::If(condition) => {
                let branch = self.explain_branch(part, condition, depth)?;
                self.explain_part(branch, depth + 1)
            }
            Operation::Filter { score, selection } => {
                let chosen = self.explain_ranking(part, score, selection, depth)?;
                self.explain_chosen(within(part, edges[0]), &chosen, depth + 1)
            }
        }
    }

    fn explain_parts(&mut self, parent: Edge, edges: &[Edge], depth: u32) -> Outcome<()> {
        for &edge in edges {
            self.explain_part(within(parent, edge), depth)?;
        }
        Ok(())
    }

    /// Explains what led to the units that a filter took, and these units.
    fn explain_chosen(&mut self, part: Edge, chosen: &[Position], depth: u32) -> Outcome<()> {
        let program = self.program;
        let edges = program.edges(part.node);
        match program.operation(part.node) {
            Operation::Vector => {
                for &edge in edges {
                    self.explain_chosen(within(part, edge), chosen, depth)?;
                }
                Ok(())
            }
            Operation::If(condition) => {
                let branch = self.explain_branch(part, condition, depth)?;
                self.explain_chosen(branch, chosen, depth + 1)
            }
            Operation::Filter { score, selection } => {
                let inner = self.explain_ranking(part, score, selection, depth)?;
                let both: Vec<Position> = inner
                    .into_iter()
                    .filter(|position| chosen.contains(position))
                    .collect();
                self.explain_chosen(within(part, edges[0]), &both, depth + 1)
            }
            _ if chosen.contains(&part.position) => self.explain_part(part, depth),
            _ => Ok(()),
        }
    }

    /// Explains a condition, and answers the branch taken.
    fn explain_branch(&mut self, part: Edge, condition: Condition, depth: u32) -> Outcome<Edge> {
        let (left, right) = self.operands(condition, self.as_of)?;
        self.market.explain_condition(
            depth,
            Some(self.place(part.position.then(Condition::POSITION))),
            &condition_text(self.program, condition),
            left,
            right,
            condition.comparison.holds(left, right),
        );
        let branch = self.branch(part.node, condition, self.as_of)?;
        Ok(within(part, branch))
    }

    /// Explains a filter, and answers the absolute positions of the units
    /// taken.
    fn explain_ranking(
        &mut self,
        part: Edge,
        score: Specification,
        selection: Selection,
        depth: u32,
    ) -> Outcome<Vec<Position>> {
        let ranking = self.ranking(part.node, score, selection, self.as_of)?;
        let scores: Vec<Score> = ranking
            .candidates
            .iter()
            .map(|(unit, value)| Score {
                name: self.program.name(unit.node).to_owned(),
                value: *value,
            })
            .collect();
        let place = self.place(part.position);
        let text = filter_text(score, selection);
        self.market
            .explain_selection(depth, Some(place), &text, &scores, ranking.chosen as u32);
        Ok(ranking.candidates[..ranking.chosen]
            .iter()
            .map(|(unit, _)| part.position.then(unit.position))
            .collect())
    }

    fn shares_text(&mut self, part: Edge, volatility: Specification) -> Outcome<String> {
        let sizings = self.sizings(part.node, volatility, self.as_of)?;
        let mut text = format!("shares inverse to {volatility}:");
        for (index, sizing) in sizings.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let name = self.program.name(sizing.unit.node);
            let percent = 100.0 * sizing.share;
            let volatility = sizing.volatility;
            // Writing to a text cannot fail.
            let _ = write!(text, "{comma} {name} {percent:.2} % ({volatility:.4})");
        }
        Ok(text)
    }

    fn note(&self, depth: u32, position: Position, text: &str) {
        self.market
            .explain_note(depth, Some(self.place(position)), text);
    }

    fn place(&self, position: Position) -> Place {
        self.program.place(position)
    }
}

fn within(parent: Edge, edge: Edge) -> Edge {
    Edge {
        node: edge.node,
        position: parent.position.then(edge.position),
    }
}

/// A condition as it would be written.
fn condition_text(program: &Program, condition: Condition) -> String {
    format!(
        "({} {} {})",
        condition.comparison.name(),
        operand_text(program, condition.left),
        operand_text(program, condition.right)
    )
}

fn operand_text(program: &Program, operand: Operand) -> String {
    match operand {
        Operand::Number(number) => number.value().to_string(),
        Operand::Indicator(call) => {
            let Call {
                symbol,
                specification,
            } = program.call(call);
            let symbol = program.symbol(symbol);
            indicator_text(specification, &format!(" \"{symbol}\""))
        }
    }
}

fn indicator_text(specification: Specification, argument: &str) -> String {
    let name = specification.indicator().name();
    match specification.window() {
        Some(window) => format!("({name}{argument} {{:window {window}}})"),
        None => format!("({name}{argument})"),
    }
}

/// A filter as it would be written, without its candidates.
fn filter_text(score: Specification, selection: Selection) -> String {
    let score = indicator_text(score, "");
    match selection {
        Selection::All => format!("(filter {score} …)"),
        Selection::Top(count) => format!("(filter {score} (select-top {count}) …)"),
        Selection::Bottom(count) => format!("(filter {score} (select-bottom {count}) …)"),
    }
}
