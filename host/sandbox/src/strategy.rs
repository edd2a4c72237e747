//! Calls of strategy plugins.

use crate::bindings::strategy::Strategy;
use crate::bindings::strategy::exports::alchemiser::plugin::evaluator;
use crate::error::{BadAnswer, Call, CallError, Failure};
use crate::explanation::{Collector, Explain, Explanation};
use crate::imports::LogLine;
use crate::inspect::Kind;
use crate::instance::{Instance, Usage, call_error};
use crate::load::{Plugin, World};
use crate::text::clip_line;
use alchemiser_events::{Decimal, Symbol, Weight};
use alchemiser_market::{Market, Requirement, Session, View};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use wasmtime::component::ResourceAny;

/// What a strategy is made of: its entry in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyRequest {
    /// The strategy's parameters, a JSON object.
    pub parameters: String,
    /// Its files, in the order of the book.
    pub files: Vec<StrategyFile>,
}

/// A file that is handed to a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyFile {
    /// As the book names it.
    pub name: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A strategy that has read its parameters and files, and no prices yet.
pub struct LoadedStrategy {
    instance: Instance,
    world: Strategy,
    resource: ResourceAny,
    requirements: Vec<Requirement>,
    usage: Usage,
}

/// A strategy with the prices that it declared, ready to be evaluated.
pub struct StrategyInstance {
    plugin: Plugin,
    /// `None` after a failure that leaves it in an unknown state.
    running: Option<Running>,
    requirements: Vec<Requirement>,
    /// The symbols of the requirements, by their spelling.
    declared: BTreeMap<String, Symbol>,
    usage: Usage,
}

struct Running {
    instance: Instance,
    world: Strategy,
    resource: ResourceAny,
}

/// What a strategy answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Shares of the portfolio; what they leave of 1 stays uninvested.
    pub weights: BTreeMap<Symbol, Weight>,
    /// How they came out; empty unless asked for.
    pub explanation: Explanation,
    /// What the strategy logged meanwhile.
    pub log: Vec<LogLine>,
}

impl Plugin {
    /// Makes an instance of a strategy plugin and has it read its parameters
    /// and files.
    ///
    /// # Errors
    /// The plugin is no strategy, refuses the request, or fails.
    pub fn strategy(&self, request: &StrategyRequest) -> Result<LoadedStrategy, CallError> {
        let World::Strategy(linked) = &self.loaded().world else {
            let failure = Failure::WrongKind {
                is: self.kind(),
                wanted: Kind::Strategy,
            };
            return Err(call_error(self, Call::Load, failure));
        };
        let files: Vec<(String, Vec<u8>)> = request
            .files
            .iter()
            .map(|file| (file.name.clone(), file.content.clone()))
            .collect();

        let mut instance = Instance::new(self);
        let (world, loaded) = instance.call(Call::Load, |store| {
            let world = linked.instantiate(&mut *store)?;
            let evaluator = world.alchemiser_plugin_evaluator();
            let loaded = evaluator.call_load(store, &request.parameters, &files)?;
            Ok((world, loaded))
        })?;
        let usage = instance.usage;
        let resource =
            loaded.map_err(|error| call_error(self, Call::Load, Failure::Plugin(error.into())))?;
        let declared = instance.call(Call::Requirements, |store| {
            let strategy = world.alchemiser_plugin_evaluator().strategy();
            strategy.call_requirements(store, resource)
        })?;
        let requirements = declared
            .iter()
            .map(requirement)
            .collect::<Result<_, _>>()
            .map_err(|bad| call_error(self, Call::Requirements, bad))?;
        Ok(LoadedStrategy {
            instance,
            world,
            resource,
            requirements,
            usage,
        })
    }
}

impl LoadedStrategy {
    /// The symbols whose prices it may look at.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What reading parameters and files needed.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Gives it prices, for good: an instance that has seen one market must not
    /// carry what it saw into another.
    #[must_use]
    pub fn bind(mut self, market: Arc<Market>) -> StrategyInstance {
        let view = View::new(market, &self.requirements);
        self.instance.store.data_mut().view = Some(view);
        StrategyInstance {
            declared: self
                .requirements
                .iter()
                .map(|requirement| spelt(&requirement.symbol))
                .collect(),
            plugin: self.instance.plugin().clone(),
            running: Some(Running {
                instance: self.instance,
                world: self.world,
                resource: self.resource,
            }),
            requirements: self.requirements,
            usage: self.usage,
        }
    }
}

impl StrategyInstance {
    /// The symbols whose prices it may look at.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What the last call needed; before the first, what loading did.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether a failure has ended it. An error that the plugin itself answered
    /// does not, nor an answer that was refused.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.running.is_none()
    }

    /// The weights as of a session. Sessions must not decrease from one call to
    /// the next: a strategy could remember what comes after.
    ///
    /// # Errors
    /// The strategy answers with an error, fails, or answers with something that
    /// is no allocation.
    pub fn evaluate(&mut self, as_of: Session, explain: Explain) -> Result<Evaluation, CallError> {
        let call = Call::Evaluate;
        let Some(running) = &mut self.running else {
            return Err(call_error(&self.plugin, call, Failure::Ended));
        };
        let answer = running.evaluate(as_of, explain);
        self.usage = running.instance.usage;
        let answer = answer.and_then(|answer| {
            let weights = allocation(answer.weights, &self.declared)
                .map_err(|bad| call_error(&self.plugin, call, bad))?;
            Ok(Evaluation {
                weights,
                explanation: answer.explanation,
                log: answer.log,
            })
        });
        if let Err(error) = &answer
            && !error.failure.leaves_instance_usable()
        {
            self.running = None;
        }
        answer
    }
}

/// An answer that has not been checked.
struct Answer {
    weights: Vec<evaluator::Weight>,
    explanation: Explanation,
    log: Vec<LogLine>,
}

impl Running {
    fn evaluate(&mut self, as_of: Session, explain: Explain) -> Result<Answer, CallError> {
        let call = Call::Evaluate;
        let state = self.instance.store.data_mut();
        if let Some(view) = &mut state.view {
            view.advance(as_of)
                .map_err(|error| call_error(self.instance.plugin(), call, error))?;
        }
        let state = self.instance.store.data_mut();
        state.explanation = Collector::new(explain);

        let strategy = self.world.alchemiser_plugin_evaluator().strategy();
        let answer = self.instance.call(call, |store| {
            strategy.call_evaluate(store, self.resource, as_of.0)
        })?;
        let state = self.instance.store.data_mut();
        let explanation = std::mem::take(&mut state.explanation).finish();
        let log = state.log.take();
        let weights = answer.map_err(|error| {
            call_error(self.instance.plugin(), call, Failure::Plugin(error.into()))
        })?;
        Ok(Answer {
            weights,
            explanation,
            log,
        })
    }
}

fn requirement(declared: &evaluator::Requirement) -> Result<Requirement, BadAnswer> {
    Ok(Requirement {
        symbol: symbol(&declared.symbol)?,
        sessions: declared.sessions,
    })
}

/// Text from a plugin as a symbol.
pub(crate) fn symbol(text: &str) -> Result<Symbol, BadAnswer> {
    const LONGEST: usize = 64;
    Symbol::parse(text).map_err(|_| BadAnswer::NotASymbol {
        text: clip_line(text, LONGEST),
    })
}

/// A symbol by its spelling.
fn spelt(symbol: &Symbol) -> (String, Symbol) {
    (symbol.to_string(), symbol.clone())
}

/// The declared symbol that a text means though it spells it otherwise.
fn respelt(text: &str, declared: &BTreeMap<String, Symbol>) -> Result<Symbol, BadAnswer> {
    let symbol = symbol(text)?;
    if !declared.contains_key(symbol.as_str()) {
        return Err(BadAnswer::UnknownSymbol {
            symbol: symbol.to_string(),
            known: "symbols that it declared",
        });
    }
    Ok(symbol)
}

/// How far above 1 a weight, or all together, may come out of binary sums.
const OVERSHOOT: f64 = 1e-9;

/// Checks weights, and makes them exact.
fn allocation(
    weights: Vec<evaluator::Weight>,
    declared: &BTreeMap<String, Symbol>,
) -> Result<BTreeMap<Symbol, Weight>, BadAnswer> {
    let mut allocation = BTreeMap::new();
    for evaluator::Weight {
        symbol: text,
        weight,
    } in weights
    {
        let symbol = match declared.get(&text) {
            Some(symbol) => symbol.clone(),
            None => respelt(&text, declared)?,
        };
        let weight = exact(&symbol, weight)?;
        match allocation.entry(symbol) {
            Entry::Vacant(entry) => entry.insert(weight),
            Entry::Occupied(entry) => {
                return Err(BadAnswer::Duplicate {
                    symbol: entry.key().to_string(),
                });
            }
        };
    }
    check_sum(&allocation)?;
    Ok(allocation)
}

/// A weight as an exact decimal: the shortest that reads as the same double,
/// which is what the strategy would print.
fn exact(symbol: &Symbol, weight: f64) -> Result<Weight, BadAnswer> {
    let symbol = || symbol.to_string();
    if !weight.is_finite() {
        return Err(BadAnswer::NotFinite {
            symbol: symbol(),
            weight,
        });
    }
    if weight < 0.0 {
        return Err(BadAnswer::Negative {
            symbol: symbol(),
            weight,
        });
    }
    if weight > 1.0 + OVERSHOOT {
        return Err(BadAnswer::AboveOne {
            symbol: symbol(),
            weight,
        });
    }
    // Zero has a sign in binary and, here, none.
    let weight_within = weight.clamp(0.0, 1.0).abs();
    let decimal = match of_ten_decimals(weight_within) {
        Some(decimal) => Some(decimal),
        // Text never has an exponent, and digits after the 28th are rounded away.
        None => weight_within.to_string().parse::<Decimal>().ok(),
    };
    decimal
        .and_then(|decimal| Weight::new(decimal).ok())
        .ok_or_else(|| BadAnswer::NotFinite {
            symbol: symbol(),
            weight,
        })
}

/// A weight from 0 to 1 that is the double nearest to a number of at most ten
/// decimals, as most answers are, as that number. A double stands for one number
/// of so few digits at most, so no shorter one reads as the same double.
fn of_ten_decimals(weight: f64) -> Option<Decimal> {
    const ONE: f64 = 1e10;

    let units = (weight * ONE).round();
    if (units / ONE).to_bits() != weight.to_bits() {
        return None;
    }
    let (mut units, mut decimals) = (units as i64, 10);
    while decimals > 0 && units % 10 == 0 {
        units /= 10;
        decimals -= 1;
    }
    Some(Decimal::new(units, decimals))
}

fn check_sum(allocation: &BTreeMap<Symbol, Weight>) -> Result<(), BadAnswer> {
    let most = Decimal::new(1_000_000_001, 9);
    let sum: Decimal = allocation.values().map(|weight| weight.decimal()).sum();
    let largest = allocation.iter().max_by_key(|(_, weight)| **weight);
    match largest {
        Some((symbol, weight)) if sum > most => Err(BadAnswer::SumAboveOne {
            sum,
            symbol: symbol.to_string(),
            weight: *weight,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(weights: &[(&str, f64)]) -> Result<String, String> {
        let declared = ["SPY", "TLT", "GLD"].map(|symbol| Symbol::parse(symbol).unwrap());
        let weights = weights
            .iter()
            .map(|(symbol, weight)| evaluator::Weight {
                symbol: (*symbol).to_owned(),
                weight: *weight,
            })
            .collect();
        allocation(weights, &declared.iter().map(spelt).collect())
            .map(|allocation| {
                let texts: Vec<String> = allocation
                    .iter()
                    .map(|(symbol, weight)| format!("{symbol} {weight}"))
                    .collect();
                texts.join(", ")
            })
            .map_err(|bad| format!("{}: {bad}", bad.reason()))
    }

    #[test]
    fn weights_are_the_shortest_decimals() {
        for (weights, text) in [
            (vec![], ""),
            (
                vec![("SPY", 0.1 + 0.2), ("gld", 0.0)],
                "GLD 0, SPY 0.30000000000000004",
            ),
            (vec![("SPY", 1.0 + 5e-10)], "SPY 1"),
            (vec![("SPY", -0.0)], "SPY 0"),
            (vec![("SPY", 1e-300)], "SPY 0"),
            (
                vec![("SPY", 0.25), ("TLT", 0.1234567891)],
                "SPY 0.25, TLT 0.1234567891",
            ),
            (vec![("SPY", 1e-10)], "SPY 0.0000000001"),
            (vec![("SPY", 0.12345678915)], "SPY 0.12345678915"),
            (vec![("SPY", 1.0 / 3.0)], "SPY 0.3333333333333333"),
            (
                vec![("SPY", 0.6), ("TLT", 0.400_000_000_9)],
                "SPY 0.6, TLT 0.4000000009",
            ),
        ] {
            assert_eq!(check(&weights), Ok(text.to_owned()));
        }
    }

    #[test]
    fn few_decimals_are_read_as_their_text() {
        for units in (0..=10_000_000_000_u64).step_by(7_654_321) {
            let weight = units as f64 / 1e10;
            let decimal = of_ten_decimals(weight).unwrap();
            assert_eq!(decimal.to_string(), weight.to_string());
        }
    }

    #[test]
    fn what_is_no_allocation_is_refused() {
        let cases = [
            vec![("SPY", f64::NAN)],
            vec![("SPY", f64::INFINITY)],
            vec![("SPY", -0.25)],
            vec![("SPY", 1.5)],
            vec![("SPY", 0.75), ("TLT", 0.5)],
            vec![("SPY", 0.5), ("TLT", 0.500_000_002)],
            vec![("SPY", 0.5), ("spy", 0.25)],
            vec![("QQQ", 0.5)],
            vec![("S P Y", 0.5)],
            vec![("\u{1b}[2J", 0.5)],
        ];
        let texts: Vec<String> = cases
            .iter()
            .map(|weights| check(weights).unwrap_err())
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
