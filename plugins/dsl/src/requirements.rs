//! Which prices a program may look at, found without evaluating it.

use crate::program::{Operand, Operation, Program};
use alchemiser_indicators::Specification;
use alchemiser_sdk::Requirement;

/// Bars that are asked for beyond what the forms need, so that a late fill of
/// a missing bar does not make a difference at once.
const SLACK: u32 = 10;

/// A number of bars, counted back from the session under evaluation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bars {
    Last(u32),
    All,
}

impl Bars {
    fn more(self, count: u32) -> Self {
        match self {
            Self::Last(bars) => Self::Last(bars.saturating_add(count)),
            Self::All => Self::All,
        }
    }
}

/// How a node may be used, over all places that it is written at.
#[derive(Clone, Copy)]
struct Use {
    /// How many sessions before the one under evaluation it may be evaluated.
    before: Bars,
    /// What scores its units, if anything does.
    scored: Option<Scored>,
}

/// What scoring a unit takes.
#[derive(Clone, Copy)]
struct Scored {
    /// Bars of the unit, if it is an asset.
    bars: Bars,
    /// How many sessions before it may be evaluated, if it is not.
    before: Bars,
}

impl Use {
    fn or(self, other: Self) -> Self {
        let scored = match (self.scored, other.scored) {
            (Some(left), Some(right)) => Some(left.or(right)),
            (left, right) => left.or(right),
        };
        Self {
            before: self.before.max(other.before),
            scored,
        }
    }

    /// How many sessions before it may be evaluated, its own history included.
    fn before_as_unit(self) -> Bars {
        match self.scored {
            Some(scored) => self.before.max(scored.before),
            None => self.before,
        }
    }
}

impl Scored {
    fn by(specification: Specification, before: Bars) -> Self {
        Self {
            bars: bars(specification, before),
            before: match specification.returns_needed() {
                Some(returns) => before.more(returns),
                None => Bars::All,
            },
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            bars: self.bars.max(other.bars),
            before: self.before.max(other.before),
        }
    }
}

/// The bars that an indicator on a symbol needs.
fn bars(specification: Specification, before: Bars) -> Bars {
    if specification.indicator().is_recursive() {
        Bars::All
    } else {
        before.more(specification.need())
    }
}

/// Every symbol that any evaluation may look at, sorted.
pub(crate) fn requirements(program: &Program) -> Vec<Requirement> {
    let mut symbols: Vec<Option<Bars>> = vec![None; program.symbols().len()];
    let mut uses: Vec<Option<Use>> = vec![None; program.len()];
    uses[program.root().node.index()] = Some(Use {
        before: Bars::Last(0),
        scored: None,
    });

    // Parents come before children, so a node's use is complete when it is
    // reached. A node without one is a group's body that does not count.
    for node in program.nodes_from_root() {
        let Some(usage) = uses[node.index()] else {
            continue;
        };
        let mut need = |symbol: crate::program::SymbolId, bars: Bars| {
            let known = &mut symbols[symbol.index()];
            *known = (*known).max(Some(bars));
        };
        let unscored = Use {
            before: usage.before_as_unit(),
            scored: None,
        };
        let of_children = match program.operation(node) {
            Operation::Asset(symbol) => {
                need(symbol, usage.before.more(1));
                if let Some(scored) = usage.scored {
                    need(symbol, scored.bars);
                }
                unscored
            }
            Operation::Group(_) | Operation::Equal | Operation::Specified => unscored,
            Operation::InverseVolatility(volatility) => Use {
                scored: Some(Scored::by(volatility, unscored.before)),
                ..unscored
            },
            Operation::Vector => usage,
            Operation::Filter { score, .. } => usage.or(Use {
                scored: Some(Scored::by(score, usage.before)),
                ..usage
            }),
            Operation::If(condition) => {
                for operand in [condition.left, condition.right] {
                    if let Operand::Indicator(call) = operand {
                        let call = program.call(call);
                        need(call.symbol, bars(call.specification, usage.before));
                    }
                }
                usage
            }
        };
        for edge in program.edges(node) {
            let known = &mut uses[edge.node.index()];
            *known = Some(match *known {
                Some(known) => known.or(of_children),
                None => of_children,
            });
        }
    }

    program
        .symbols()
        .iter()
        .zip(symbols)
        .filter_map(|(symbol, bars)| match bars? {
            Bars::Last(bars) => Some(Requirement::last(symbol, bars.saturating_add(SLACK))),
            Bars::All => Some(Requirement::all(symbol)),
        })
        .collect()
}
