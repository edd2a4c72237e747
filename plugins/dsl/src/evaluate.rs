//! Program to portfolio, as of a session.
//!
//! The value of a node depends on the node and the session alone. It is
//! computed when it is asked for, so that only the branches taken are
//! evaluated, and remembered where it may be asked for again.
//!
//! The functions recurse as deep as the nodes are nested, history included: a
//! unit's history asks for what lies inside the unit. The reader limits that,
//! and what does not recurse is kept out of the frames of what does
//! (`#[inline(never)]`), so that the deepest legal file needs far less stack
//! than a plugin has.

use crate::canonical::Holding;
use crate::failure::{Failure, InPart, Outcome};
use crate::history::History;
use crate::memo::Memo;
use crate::mix::{Mixer, Part, Portfolio};
use crate::program::{Condition, Edge, NodeId, Operand, Operation, Position, Program, Selection};
use crate::quotes::{Quotes, Source};
use crate::sweep::Current;
use crate::symbol::SymbolSet;
use alchemiser_indicators::Specification;
use alchemiser_sdk::{Market, Session, Weight};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

/// What is remembered from one evaluation to the next.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) quotes: Quotes,
    /// By the node that is the body of units.
    pub(crate) histories: Vec<Option<Box<History>>>,
    pub(crate) portfolios: Memo<Rc<Portfolio>>,
    selections: Memo<Rc<[Edge]>>,
    /// By symbol, the portfolio that consists of it.
    assets: Vec<Rc<Portfolio>>,
    mixer: Mixer,
    /// Parts of the nodes that are being evaluated, innermost last.
    parts: Vec<Part>,
    seen: SymbolSet,
    pub(crate) current: Current,
    /// Whether nothing new may be computed as of the session under evaluation.
    pub(crate) is_sweeping: bool,
    /// What is answered then.
    not_known: Rc<Failure>,
}

impl State {
    pub(crate) fn new(program: &Program) -> Self {
        let (nodes, symbols) = (program.len(), program.symbols().len());
        Self {
            quotes: Quotes::new(program),
            histories: std::iter::repeat_with(|| None).take(nodes).collect(),
            portfolios: Memo::new(nodes),
            selections: Memo::new(nodes),
            assets: program
                .symbol_ids()
                .map(|symbol| {
                    Portfolio::new([Holding {
                        symbol,
                        weight: 1.0,
                    }])
                })
                .collect(),
            mixer: Mixer::new(nodes, symbols),
            parts: Vec::new(),
            seen: SymbolSet::new(symbols),
            current: Current::new(program),
            is_sweeping: false,
            not_known: Failure::empty("not known"),
        }
    }
}

/// One evaluation.
pub(crate) struct Evaluator<'a> {
    pub(crate) program: &'a Program,
    pub(crate) market: &'a dyn Market,
    pub(crate) state: &'a mut State,
    pub(crate) as_of: Session,
}

/// The candidates of a filter by rank.
pub(crate) struct Ranking {
    /// Positions are relative to the filter.
    pub(crate) candidates: Vec<(Edge, f64)>,
    /// How many of them are taken.
    pub(crate) chosen: usize,
}

/// A unit below `weight-inverse-volatility`.
pub(crate) struct Sizing {
    /// Its position is relative to the weight.
    pub(crate) unit: Edge,
    pub(crate) volatility: f64,
    pub(crate) share: f64,
}

impl<'a> Evaluator<'a> {
    /// The weights of the whole strategy, in canonical form. The position of a
    /// failure is absolute.
    pub(crate) fn weights(&mut self) -> Outcome<Vec<Weight>> {
        self.sweep();
        let root = self.program.root();
        let outcome = self.follow(root, self.as_of);
        self.state.portfolios.forget_past();
        self.state.selections.forget_past();
        let portfolio = outcome?;
        let canonical = portfolio
            .canonical()
            .ok_or_else(|| Failure::non_finite("the sum of the weights".to_owned()))
            .in_part(root.position)?;
        let weight =
            |holding: &Holding| Weight::new(self.program.symbol(holding.symbol), holding.weight);
        Ok(canonical.iter().map(weight).collect())
    }

    /// The portfolio of a part.
    pub(crate) fn follow(&mut self, edge: Edge, session: Session) -> Outcome<Rc<Portfolio>> {
        let body = self.program.body(edge.node);
        self.portfolio(body.node, session)
            .in_part(edge.position.then(body.position))
    }

    /// The portfolio of a node that is its own body.
    pub(crate) fn portfolio(&mut self, node: NodeId, session: Session) -> Outcome<Rc<Portfolio>> {
        let repeats = self.program.repeats(node);
        let memo = &mut self.state.portfolios;
        if let Some(known) = memo.latest(node, session) {
            return known;
        }
        if session < self.as_of {
            if !repeats {
                return self.compute_portfolio(node, session);
            }
            if let Some(known) = memo.past(node, session) {
                return known;
            }
            let outcome = self.compute_portfolio(node, session);
            let memo = &mut self.state.portfolios;
            memo.put_past(node, session, outcome.clone());
            return outcome;
        }
        if self.state.is_sweeping {
            return Err(Rc::clone(&self.state.not_known));
        }
        let outcome = self.compute_portfolio(node, session);
        match outcome {
            Ok(_) => {
                let memo = &mut self.state.portfolios;
                memo.put_open(node, session, outcome.clone());
                self.state.current.insert(node);
            }
            Err(_) => self.state.portfolios.put(node, session, outcome.clone()),
        }
        outcome
    }

    pub(crate) fn compute_portfolio(
        &mut self,
        node: NodeId,
        session: Session,
    ) -> Outcome<Rc<Portfolio>> {
        let edges = self.program.edges(node);
        match self.program.operation(node) {
            Operation::Asset(symbol) => {
                let source = self.source();
                self.state.quotes.close(source, symbol, session)?;
                Ok(Rc::clone(&self.state.assets[symbol.index()]))
            }
            Operation::Group(_) => self.follow(edges[0], session),
            Operation::Equal => self.equal(node, edges, session),
            Operation::Specified => {
                let shares = self.program.shares(node).iter().copied();
                // Weights whose sum overflows have shares of zero.
                if shares.clone().sum::<f64>() <= 0.0 {
                    return Err(Failure::non_finite("the sum of the weights".to_owned()));
                }
                self.mixed(node, shares.zip(edges.iter().copied()), session)
            }
            Operation::InverseVolatility(volatility) => {
                let sizings = self.sizings(node, volatility, session)?;
                let shares = sizings.iter().map(|sizing| (sizing.share, sizing.unit));
                self.mixed(node, shares, session)
            }
            // The units of a branch, equally weighted, are its portfolio.
            Operation::If(condition) => {
                let branch = self.branch(node, condition, session)?;
                self.follow(branch, session)
            }
            Operation::Filter { score, selection } => {
                let selected = self.selected(node, score, selection, session)?;
                self.equal(node, &selected, session)
            }
            Operation::Vector => {
                let mut units = Vec::new();
                let position = Position::HERE;
                self.units(Edge { node, position }, session, &mut units)?;
                self.equal(node, &units, session)
            }
        }
    }

    fn equal(&mut self, node: NodeId, edges: &[Edge], session: Session) -> Outcome<Rc<Portfolio>> {
        if edges.is_empty() {
            return Err(Failure::empty("there is nothing to hold here"));
        }
        let share = 1.0 / edges.len() as f64;
        self.mixed(node, edges.iter().map(|&edge| (share, edge)), session)
    }

    /// The sum of a node's parts.
    fn mixed(
        &mut self,
        node: NodeId,
        shares: impl Iterator<Item = (f64, Edge)>,
        session: Session,
    ) -> Outcome<Rc<Portfolio>> {
        let first = self.state.parts.len();
        for (share, edge) in shares {
            match self.follow(edge, session) {
                Ok(portfolio) => self.state.parts.push((share, portfolio)),
                Err(failure) => {
                    self.state.parts.truncate(first);
                    return Err(failure);
                }
            }
        }
        let State { parts, mixer, .. } = self.state;
        let portfolio = mixer.mix(node, &parts[first..]);
        parts.truncate(first);
        Ok(portfolio)
    }

    /// Appends the units of a part. Their positions have the origin that the
    /// part's has.
    fn units(&mut self, part: Edge, session: Session, units: &mut Vec<Edge>) -> Outcome<()> {
        let within = |edge: Edge| Edge {
            node: edge.node,
            position: part.position.then(edge.position),
        };
        match self.program.operation(part.node) {
            Operation::Vector => {
                for &element in self.program.edges(part.node) {
                    self.units(within(element), session, units)?;
                }
            }
            Operation::If(condition) => {
                let branch = self
                    .branch(part.node, condition, session)
                    .in_part(part.position)?;
                self.units(within(branch), session, units)?;
            }
            Operation::Filter { score, selection } => {
                let selected = self
                    .selected(part.node, score, selection, session)
                    .in_part(part.position)?;
                units.extend(selected.iter().map(|&unit| within(unit)));
            }
            _ => units.push(part),
        }
        Ok(())
    }

    /// The branch that an `if` takes.
    pub(crate) fn branch(
        &mut self,
        node: NodeId,
        condition: Condition,
        session: Session,
    ) -> Outcome<Edge> {
        let (left, right) = self.operands(condition, session)?;
        let branches = self.program.edges(node);
        match (condition.comparison.holds(left, right), branches) {
            (true, [chosen, ..]) | (false, [_, chosen]) => Ok(*chosen),
            _ => Err(Failure::empty(
                "the condition does not hold, and there is no portfolio for that case",
            )),
        }
    }

    /// Both operands; positions are relative to the `if`.
    pub(crate) fn operands(
        &mut self,
        condition: Condition,
        session: Session,
    ) -> Outcome<(f64, f64)> {
        let left = self
            .operand(condition.left, session)
            .in_part(Condition::LEFT_POSITION)?;
        let right = self
            .operand(condition.right, session)
            .in_part(Condition::RIGHT_POSITION)?;
        Ok((left, right))
    }

    fn operand(&mut self, operand: Operand, session: Session) -> Outcome<f64> {
        let source = self.source();
        match operand {
            Operand::Number(number) => Ok(number.value()),
            Operand::Indicator(call) => self.state.quotes.value(source, call, session),
        }
    }

    /// The units that a filter takes.
    fn selected(
        &mut self,
        node: NodeId,
        score: Specification,
        selection: Selection,
        session: Session,
    ) -> Outcome<Rc<[Edge]>> {
        let memo = &self.state.selections;
        let known = memo
            .latest(node, session)
            .or_else(|| memo.past(node, session));
        if let Some(known) = known {
            return known;
        }
        let outcome = self
            .ranking(node, score, selection, session)
            .map(|ranking| {
                let chosen = ranking.candidates[..ranking.chosen].iter();
                let chosen = chosen.map(|(unit, _)| *unit);
                match self.state.selections.newest(node) {
                    Some(Ok(last)) if chosen.clone().eq(last.iter().copied()) => Rc::clone(last),
                    _ => chosen.collect(),
                }
            });
        let memo = &mut self.state.selections;
        if session == self.as_of {
            if !self.state.is_sweeping || outcome.is_ok() {
                memo.put(node, session, outcome.clone());
            }
        } else if self.program.repeats(node) {
            memo.put_past(node, session, outcome.clone());
        }
        outcome
    }

    /// The candidates of a filter, ranked.
    pub(crate) fn ranking(
        &mut self,
        node: NodeId,
        score: Specification,
        selection: Selection,
        session: Session,
    ) -> Outcome<Ranking> {
        let mut candidates = self.scores(node, score, session)?;
        let chosen = rank(&mut candidates, selection);
        Ok(Ranking { candidates, chosen })
    }

    /// The units below a `weight-inverse-volatility`, and their shares.
    pub(crate) fn sizings(
        &mut self,
        node: NodeId,
        volatility: Specification,
        session: Session,
    ) -> Outcome<Vec<Sizing>> {
        let volatilities = self.scores(node, volatility, session)?;
        size(&volatilities, self.program)
    }

    /// The units that a node chooses among: those of its children; of assets
    /// that repeat, the first.
    fn candidates(&mut self, node: NodeId, session: Session) -> Outcome<Cow<'a, [Edge]>> {
        let program = self.program;
        let candidates = match program.fixed_units(node) {
            Some(units) => Cow::Borrowed(units),
            None => {
                let mut units = Vec::new();
                for &part in program.edges(node) {
                    self.units(part, session, &mut units)?;
                }
                let seen = &mut self.state.seen;
                seen.clear();
                units.retain(|unit| match program.operation(unit.node) {
                    Operation::Asset(symbol) => seen.insert(symbol),
                    _ => true,
                });
                Cow::Owned(units)
            }
        };
        if candidates.is_empty() {
            return Err(Failure::empty("there is nothing to choose from here"));
        }
        Ok(candidates)
    }

    /// The units that a node chooses among, with their scores. All their
    /// portfolios come first, so that a unit that cannot be held is found before
    /// one that cannot be scored.
    fn scores(
        &mut self,
        node: NodeId,
        score: Specification,
        session: Session,
    ) -> Outcome<Vec<(Edge, f64)>> {
        let units = self.candidates(node, session)?;
        for &unit in units.iter() {
            self.follow(unit, session)?;
        }
        self.extend_histories(&units, score, session);
        let mut scores = Vec::with_capacity(units.len());
        for &unit in units.iter() {
            let value = self.score(unit.node, score, session);
            scores.push((unit, value.in_part(unit.position)?));
        }
        Ok(scores)
    }

    pub(crate) fn source(&self) -> Source<'a> {
        Source {
            program: self.program,
            market: self.market,
        }
    }
}

/// Sorts candidates by their scores. How many of them are taken.
#[inline(never)]
fn rank(candidates: &mut [(Edge, f64)], selection: Selection) -> usize {
    // Stable in both directions: equal scores keep the order of the file.
    match selection {
        Selection::All | Selection::Top(_) => {
            candidates.sort_by(|(_, left), (_, right)| compare_scores(*right, *left));
        }
        Selection::Bottom(_) => {
            candidates.sort_by(|(_, left), (_, right)| compare_scores(*left, *right));
        }
    }
    match selection {
        Selection::All => candidates.len(),
        Selection::Top(count) | Selection::Bottom(count) => candidates.len().min(count as usize),
    }
}

/// Gives units shares that are inverse to their volatilities.
#[inline(never)]
fn size(volatilities: &[(Edge, f64)], program: &Program) -> Outcome<Vec<Sizing>> {
    let mut sizings = Vec::with_capacity(volatilities.len());
    let mut total = 0.0;
    for &(unit, volatility) in volatilities {
        let share = 1.0 / volatility;
        total += share;
        if volatility <= 0.0 || !f64::is_finite(total) {
            let name = program.name(unit.node);
            let what = format!("the inverse of the volatility of `{name}`");
            return Err(Failure::non_finite(what)).in_part(unit.position);
        }
        sizings.push(Sizing {
            unit,
            volatility,
            share,
        });
    }
    for sizing in &mut sizings {
        sizing.share /= total;
    }
    Ok(sizings)
}

/// Compares scores as if both were rounded to 10 significant digits, which
/// takes away the noise in the last bits.
fn compare_scores(left: f64, right: f64) -> Ordering {
    // Units that held the same through the window have the very same score.
    if left.total_cmp(&right).is_eq() {
        return Ordering::Equal;
    }
    // Rounding keeps the order of numbers; it can only make neighbours equal.
    let are_neighbours = (left - right).abs() <= 1e-8 * left.abs().max(right.abs());
    if are_neighbours {
        rounded(left).total_cmp(&rounded(right))
    } else {
        left.total_cmp(&right)
    }
}

/// The nearest number of 10 significant digits, half to even. Zero has no sign.
fn rounded(score: f64) -> f64 {
    let digits = format!("{score:.9e}");
    // A formatted number can always be read.
    digits.parse::<f64>().unwrap_or(score) + 0.0
}
