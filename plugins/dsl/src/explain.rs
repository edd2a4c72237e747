//! The path that an evaluation took, for the person who asks why.
//!
//! The path is walked once more after the evaluation; nearly everything that it
//! asks for is remembered. Nothing here has an influence on the weights.

use crate::evaluate::Evaluator;
use crate::failure::Outcome;
use crate::program::{
    Call, Condition, Edge, NodeId, Operand, Operation, Position, Program, Selection,
};
use alchemiser_indicators::Specification;
use alchemiser_sdk::{Part, Place, Score};

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
            Operation::Equal => {
                let share = 1.0 / edges.len() as f64;
                let shares = std::iter::repeat_n(share, edges.len());
                let depth = self.explain_shares(part, "(weight-equal …)", shares, depth);
                self.explain_parts(part, edges, depth)
            }
            Operation::Specified => {
                let shares = program.shares(part.node).iter().copied();
                let depth = self.explain_shares(part, "(weight-specified …)", shares, depth);
                self.explain_parts(part, edges, depth)
            }
            Operation::Vector => self.explain_parts(part, edges, depth),
            Operation::InverseVolatility(volatility) => {
                self.explain_sizings(part, volatility, depth)?;
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

    /// Explains shares that the file gives, and answers how deep the parts are.
    /// The share of an only part goes without saying.
    fn explain_shares(
        &self,
        whole: Edge,
        text: &str,
        shares: impl Iterator<Item = f64>,
        depth: u32,
    ) -> u32 {
        let edges = self.program.edges(whole.node);
        if edges.len() < 2 {
            return depth;
        }
        let parts: Vec<Part> = edges
            .iter()
            .zip(shares)
            .map(|(edge, share)| self.part(edge.node, share, None))
            .collect();
        let place = self.place(whole.position);
        self.market
            .explain_division(depth, Some(place), text, &parts);
        depth + 1
    }

    /// Explains shares that follow from volatilities.
    fn explain_sizings(
        &mut self,
        whole: Edge,
        volatility: Specification,
        depth: u32,
    ) -> Outcome<()> {
        let sizings = self.sizings(whole.node, volatility, self.as_of)?;
        let parts: Vec<Part> = sizings
            .iter()
            .map(|sizing| self.part(sizing.unit.node, sizing.share, Some(sizing.volatility)))
            .collect();
        let text = inverse_volatility_text(volatility);
        let place = self.place(whole.position);
        self.market
            .explain_division(depth, Some(place), &text, &parts);
        Ok(())
    }

    fn part(&self, node: NodeId, share: f64, measure: Option<f64>) -> Part {
        Part {
            name: self.program.name(node).to_owned(),
            share,
            measure,
        }
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
pub(crate) fn condition_text(program: &Program, condition: Condition) -> String {
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

/// A `weight-inverse-volatility` as it would be written, without its parts.
pub(crate) fn inverse_volatility_text(volatility: Specification) -> String {
    let window = volatility.window().unwrap_or_default();
    format!("(weight-inverse-volatility {window} …)")
}

/// A filter as it would be written, without its candidates.
pub(crate) fn filter_text(score: Specification, selection: Selection) -> String {
    let score = indicator_text(score, "");
    match selection {
        Selection::All => format!("(filter {score} …)"),
        Selection::Top(count) => format!("(filter {score} (select-top {count}) …)"),
        Selection::Bottom(count) => format!("(filter {score} (select-bottom {count}) …)"),
    }
}
