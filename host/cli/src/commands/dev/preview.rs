//! What a setup would hold as of the last session, without doing anything.

use crate::failure::error_json;
use crate::output::percent;
use crate::worker::{self, Setup};
use alchemiser_events::{
    Decimal, ErrorDetail, Money, Price, SessionDate, StrategyName, StrategyStatus, Symbol, Weight,
};
use alchemiser_market::{Market, Session};
use alchemiser_sandbox::{Explain, PlanInstrument, PlanRequest, PlanSettings};
use alchemiser_worker::{BookStrategy, consolidate, effective_shares};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// Shares of a portfolio.
type Weights = BTreeMap<Symbol, Weight>;

/// A strategy's weights, or why it has none.
type Answer = Result<Weights, ErrorDetail>;

/// What a setup would hold as of a session.
pub(super) struct Preview {
    market: Arc<Market>,
    session: Option<(Session, SessionDate)>,
    strategies: Vec<(Arc<BookStrategy>, Answer)>,
    /// What the book comes to; an error if it does not go on.
    targets: Result<Weights, ErrorDetail>,
}

impl Preview {
    /// Evaluates what `before` has not evaluated yet.
    pub(super) fn of(setup: &Setup, market: &Arc<Market>, before: Option<&Self>) -> Self {
        let calendar = market.calendar();
        let last = calendar.dates().last().copied();
        let session = last.and_then(|date| Some((calendar.on_or_before(date)?, date)));
        let before = before.filter(|before| Arc::ptr_eq(&before.market, market));
        let strategies: Vec<_> = setup
            .strategies
            .iter()
            .map(|strategy| {
                let known = before.and_then(|before| before.answer(strategy));
                let answer = known
                    .cloned()
                    .unwrap_or_else(|| ask(strategy, market, session));
                (Arc::clone(strategy), answer)
            })
            .collect();
        Self {
            market: Arc::clone(market),
            session,
            targets: targets(&strategies, setup),
            strategies,
        }
    }

    /// Whether these are the prices that it looked at.
    pub(super) fn is_of(&self, market: &Arc<Market>) -> bool {
        Arc::ptr_eq(&self.market, market)
    }

    /// The answer of a strategy that is asked the same.
    fn answer(&self, strategy: &BookStrategy) -> Option<&Answer> {
        self.strategies
            .iter()
            .find(|(other, _)| asks_the_same(other, strategy))
            .map(|(_, answer)| answer)
    }

    /// A strategy that cannot answer now, and that was not the same before.
    pub(super) fn failed_since(&self, before: &Self) -> Option<ErrorDetail> {
        self.failures().find_map(|(strategy, error)| {
            let is_new = before.answer(strategy).is_none();
            is_new.then(|| worker::named(strategy, error.clone()))
        })
    }

    /// The strategies that cannot answer.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&BookStrategy, &ErrorDetail)> {
        self.strategies.iter().filter_map(|(strategy, answer)| {
            let error = answer.as_ref().err()?;
            Some((strategy.as_ref(), error))
        })
    }

    /// Asks for a plan that brings an account without positions to the targets:
    /// a portfolio plugin that cannot make this one cannot make any.
    pub(super) fn try_plan(&self, setup: &Setup) -> Result<(), ErrorDetail> {
        let (Ok(targets), Some((session, _))) = (&self.targets, self.session) else {
            return Ok(());
        };
        let price = |symbol: &Symbol| -> Option<Price> { self.market.price(symbol, session).ok() };
        let instruments = targets.keys().filter_map(|symbol| {
            let price = price(symbol)?;
            let instrument = PlanInstrument {
                price,
                fractionable: true,
            };
            Some((symbol.clone(), instrument))
        });
        let request = PlanRequest {
            targets: targets.clone(),
            cash: Money::new(Decimal::ONE_HUNDRED * Decimal::ONE_THOUSAND),
            positions: BTreeMap::new(),
            instruments: instruments.collect(),
            settings: PlanSettings {
                cash_reserve: Weight::ZERO,
                min_trade_share: Weight::ZERO,
                min_trade_amount: Money::new(Decimal::ZERO),
                max_position: Weight::ONE,
                rebalance_threshold: Weight::ZERO,
                allow_margin: false,
            },
            parameters: "{}".to_owned(),
        };
        setup
            .portfolio
            .plan(&request)
            .map(|_| ())
            .map_err(|error| error.detail())
    }

    /// All of it, for a person.
    pub(super) fn text(&self) -> String {
        self.change_text(None)
    }

    /// What differs from before, one strategy a line and the book last; each
    /// line is indented.
    pub(super) fn change_text(&self, before: Option<&Self>) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        for change in self.changes(before) {
            lines.push((change.name.to_string(), change.text()));
        }
        let targets_before = before.map(|before| &before.targets);
        if targets_before != Some(&self.targets) {
            let change = difference(targets_before, &self.targets);
            lines.push(("the book".to_owned(), change));
        }
        let width = lines
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for (name, what) in lines {
            // Writing to a `String` does not fail.
            let _ = write!(text, "\n    {name:<width$}  {what}");
        }
        text
    }

    /// Before and after, for a script.
    pub(super) fn json(&self, before: Option<&Self>) -> Value {
        let changes = self.changes(before);
        let strategies: Vec<Value> = changes.iter().map(Change::json).collect();
        json!({
            "session": self.session.map(|(_, date)| date),
            "strategies": strategies,
            "targets": {
                "before": before.map(|before| answer_json(&before.targets)),
                "after": answer_json(&self.targets),
            },
        })
    }

    /// As of when.
    pub(super) fn session(&self) -> Option<SessionDate> {
        self.session.map(|(_, date)| date)
    }

    /// The strategies that are not what they were.
    fn changes<'a>(&'a self, before: Option<&'a Self>) -> Vec<Change<'a>> {
        let named = |preview: Option<&'a Self>, name: &StrategyName| {
            let mut strategies = preview.into_iter().flat_map(|preview| &preview.strategies);
            strategies.find(|(strategy, _)| strategy.entry.name == *name)
        };
        let names: BTreeSet<&StrategyName> = [before, Some(self)]
            .into_iter()
            .flatten()
            .flat_map(|preview| &preview.strategies)
            .map(|(strategy, _)| &strategy.entry.name)
            .collect();
        let changes = names.into_iter().map(|name| Change {
            name,
            before: named(before, name),
            after: named(Some(self), name),
        });
        changes.filter(Change::is_one).collect()
    }
}

/// A strategy before and after.
struct Change<'a> {
    name: &'a StrategyName,
    before: Option<&'a (Arc<BookStrategy>, Answer)>,
    after: Option<&'a (Arc<BookStrategy>, Answer)>,
}

impl Change<'_> {
    fn is_one(&self) -> bool {
        match (self.before, self.after) {
            (Some((before, _)), Some((after, _))) => {
                !asks_the_same(before, after) || before.entry.weight != after.entry.weight
            }
            _ => true,
        }
    }

    fn text(&self) -> String {
        let Some((strategy, after)) = self.after else {
            return "is no longer in the book".to_owned();
        };
        let share = percent(strategy.entry.weight.decimal());
        let what = difference(self.before.map(|(_, answer)| answer), after);
        match self.before {
            None => format!("{share} of the book: {what}"),
            Some((before, _)) if before.entry.weight != strategy.entry.weight => {
                let was = percent(before.entry.weight.decimal());
                format!("{was} → {share} of the book: {what}")
            }
            Some(_) => what,
        }
    }

    fn json(&self) -> Value {
        let side = |side: Option<&(Arc<BookStrategy>, Answer)>| {
            side.map(|(strategy, answer)| {
                json!({
                    "share": strategy.entry.weight,
                    "plugin": strategy.plugin.name(),
                    "sha256": strategy.plugin.digest(),
                    "weights": answer_json(answer),
                })
            })
        };
        json!({
            "strategy": self.name,
            "before": side(self.before),
            "after": side(self.after),
        })
    }
}

fn answer_json(answer: &Answer) -> Value {
    match answer {
        Ok(weights) => json!(weights),
        Err(error) => json!({"error": error_json(error)}),
    }
}

/// Whether two strategies are asked the same of the same build.
fn asks_the_same(left: &BookStrategy, right: &BookStrategy) -> bool {
    left.entry.name == right.entry.name
        && left.plugin.digest() == right.plugin.digest()
        && left.request == right.request
}

fn ask(
    strategy: &Arc<BookStrategy>,
    market: &Arc<Market>,
    session: Option<(Session, SessionDate)>,
) -> Answer {
    let opened = alchemiser_worker::OpenStrategy::open(Arc::clone(strategy))
        .map_err(|error| error.detail())?;
    let Some((session, _)) = session else {
        return Ok(Weights::new());
    };
    let evaluation = opened.on(Arc::clone(market)).evaluate(session, Explain::No);
    evaluation
        .map(|evaluation| evaluation.weights)
        .map_err(|error| error.detail())
}

fn targets(strategies: &[(Arc<BookStrategy>, Answer)], setup: &Setup) -> Answer {
    let failed = |class: &str, message: String| ErrorDetail {
        class: class.to_owned(),
        message,
        retryable: false,
        context: BTreeMap::new(),
    };
    let book: Vec<_> = strategies
        .iter()
        .map(|(strategy, answer)| {
            let status = match answer {
                Ok(_) => StrategyStatus::Ok,
                Err(_) => StrategyStatus::Failed,
            };
            (strategy.entry.weight, status)
        })
        .collect();
    let shares = effective_shares(&book, setup.on_failure)
        .map_err(|error| failed("BookError", error.to_string()))?;
    let answers: Vec<_> = strategies
        .iter()
        .zip(shares)
        .filter_map(|((strategy, answer), share)| {
            let weights = answer.as_ref().ok()?;
            Some((strategy.entry.name.clone(), share, weights.clone()))
        })
        .collect();
    consolidate(&answers)
        .map(|consolidated| consolidated.targets)
        .map_err(|error| failed("ConsolidationError", error.to_string()))
}

/// `SPY 60 % → 0 %, TLT 100 %`, the largest first; unchanged symbols are told
/// once.
fn difference(before: Option<&Answer>, after: &Answer) -> String {
    let after = match after {
        Ok(after) => after,
        Err(error) => return format!("{}: {}", error.class, error.message),
    };
    let empty = Weights::new();
    let before = before.and_then(|before| before.as_ref().ok());
    let largest = |symbol: &Symbol| {
        let of = |weights: &Weights| weights.get(symbol).copied().unwrap_or(Weight::ZERO);
        (of(before.unwrap_or(&empty)), of(after))
    };
    let mut symbols: Vec<&Symbol> = before
        .unwrap_or(&empty)
        .keys()
        .chain(after.keys())
        .collect();
    symbols.sort();
    symbols.dedup();
    symbols.retain(|symbol| largest(symbol) != (Weight::ZERO, Weight::ZERO));
    symbols.sort_by_key(|symbol| {
        let (before, after) = largest(symbol);
        std::cmp::Reverse(before.max(after))
    });
    if symbols.is_empty() {
        return "nothing is held".to_owned();
    }
    let parts: Vec<String> = symbols
        .into_iter()
        .map(|symbol| {
            let (was, is) = largest(symbol);
            let is_text = percent(is.decimal());
            if before.is_none() || was == is {
                format!("{symbol} {is_text}")
            } else {
                format!("{symbol} {} → {is_text}", percent(was.decimal()))
            }
        })
        .collect();
    parts.join(", ")
}
