//! What a setup would hold as of the last session, without doing anything.

use crate::failure::error_json;
use crate::output::percent;
use crate::worker::{self, Setup};
use alchemiser_events::{
    Decimal, ErrorDetail, Money, Price, SessionDate, StrategyName, StrategyStatus, Symbol, Weight,
};
use alchemiser_market::{Market, Session};
use alchemiser_sandbox::{Explain, PlanInstrument, PlanRequest, PlanSettings};
use alchemiser_scenarios::STATELESS;
use alchemiser_worker::{BookStrategy, Evaluator, OpenStrategy, consolidate, effective_shares};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// What is said of weights that stay as they are.
const UNCHANGED: &str = "holds what it held";

/// Shares of a portfolio.
type Weights = BTreeMap<Symbol, Weight>;

/// A strategy's weights, or why it has none.
type Answer = Result<Weights, ErrorDetail>;

/// What a setup would hold as of a session.
pub struct Preview {
    market: Arc<Market>,
    session: Option<(Session, SessionDate)>,
    strategies: Vec<(Arc<BookStrategy>, Answer)>,
    /// What the book comes to; an error if it does not go on.
    targets: Result<Weights, ErrorDetail>,
}

impl Preview {
    /// Evaluates what `before` has not evaluated yet.
    pub fn of(setup: &Setup, market: &Arc<Market>, before: Option<&Self>) -> Self {
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
    pub fn is_of(&self, market: &Arc<Market>) -> bool {
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
    pub fn failed_since(&self, before: &Self) -> Option<ErrorDetail> {
        self.failures().find_map(|(strategy, error)| {
            let is_new = before.answer(strategy).is_none();
            is_new.then(|| named(strategy, error))
        })
    }

    /// The strategies that cannot answer.
    pub fn failures(&self) -> impl Iterator<Item = (&BookStrategy, &ErrorDetail)> {
        self.strategies.iter().filter_map(|(strategy, answer)| {
            let error = answer.as_ref().err()?;
            Some((strategy.as_ref(), error))
        })
    }

    /// Asks for a plan that brings an account without positions to the targets:
    /// a portfolio plugin that cannot make this one cannot make any.
    pub fn try_plan(&self, setup: &Setup) -> Result<(), ErrorDetail> {
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
    pub fn text(&self) -> String {
        self.change_text(None)
    }

    /// What differs from before, one strategy a line and the book last, each on
    /// an indented line of its own.
    pub fn change_text(&self, before: Option<&Self>) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        for change in self.changes(before) {
            lines.push((change.name.to_string(), change.text()));
        }
        let targets_before = before.map(|before| &before.targets);
        if targets_before != Some(&self.targets) {
            let change = difference(targets_before, &self.targets);
            if change != UNCHANGED {
                lines.push(("the book".to_owned(), change));
            }
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
    pub fn json(&self, before: Option<&Self>) -> Value {
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
    pub fn session(&self) -> Option<SessionDate> {
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

/// An error with the strategy that it is of and with its class, by which its
/// author knows it.
pub fn named(strategy: &BookStrategy, error: &ErrorDetail) -> ErrorDetail {
    let message = format!("{}: {}", error.class, error.message);
    worker::named(
        strategy,
        ErrorDetail {
            message,
            ..error.clone()
        },
    )
}

fn ask(
    strategy: &Arc<BookStrategy>,
    market: &Arc<Market>,
    session: Option<(Session, SessionDate)>,
) -> Answer {
    let open = || OpenStrategy::open(Arc::clone(strategy)).map_err(|error| error.detail());
    let opened = open()?;
    let without_prices = opened
        .requirements()
        .iter()
        .map(|required| required.symbol.clone())
        .find(|symbol| market.instrument(symbol).is_none());
    let Some((session, _)) = session else {
        return Ok(Weights::new());
    };
    let answer = |instance: &mut Evaluator, session| -> Answer {
        let evaluation = instance.evaluate(session, Explain::No);
        evaluation
            .map(|evaluation| evaluation.weights)
            .map_err(|error| error.detail())
    };
    let weights = answer(&mut opened.on(Arc::clone(market)), session)?;
    if let Some(symbol) = without_prices {
        // Nobody asked for it today; tomorrow it may be what is to be held.
        let message = format!("it names `{symbol}`, and there are no prices for that");
        return Err(failed("NoData", message));
    }
    // Whoever keeps something from one call to the next mostly betrays itself
    // here; `alchemiser plugin test` asks in more ways.
    let mut asked_before = open()?.on(Arc::clone(market));
    // Whatever it answers of the session before.
    let _ = answer(&mut asked_before, Session(session.0.saturating_sub(1)));
    let again = answer(&mut asked_before, session)?;
    if again != weights {
        let message = format!(
            "plugin `{}` answers {}, and after a call for an earlier session {}; {STATELESS}",
            strategy.plugin.name(),
            difference(None, &Ok(weights)),
            difference(None, &Ok(again)),
        );
        return Err(failed("EarlierCalls", message));
    }
    Ok(weights)
}

fn failed(class: &str, message: String) -> ErrorDetail {
    ErrorDetail {
        class: class.to_owned(),
        message,
        retryable: false,
        context: BTreeMap::new(),
    }
}

fn targets(strategies: &[(Arc<BookStrategy>, Answer)], setup: &Setup) -> Answer {
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

/// `SPY 60 % → 0 %, TLT 100 %`, the largest first. Of two answers only what
/// differs is told.
fn difference(before: Option<&Answer>, after: &Answer) -> String {
    let after = match after {
        Ok(after) => after,
        Err(error) => return format!("{}: {}", error.class, error.message),
    };
    let before = before.and_then(|before| before.as_ref().ok());
    let share = |weights: Option<&Weights>, symbol: &Symbol| {
        let share = weights.and_then(|weights| weights.get(symbol).copied());
        share.unwrap_or(Weight::ZERO)
    };
    let symbols: BTreeSet<&Symbol> = before
        .into_iter()
        .flatten()
        .chain(after)
        .map(|(symbol, _)| symbol)
        .collect();
    let mut shares: Vec<(Weight, Weight, &Symbol)> = symbols
        .into_iter()
        .map(|symbol| (share(before, symbol), share(Some(after), symbol), symbol))
        .filter(|(was, is, _)| match before {
            // Less than can be shown is the rounding of the whole.
            Some(_) => percent(was.decimal()) != percent(is.decimal()),
            None => !is.is_zero(),
        })
        .collect();
    // A stable sort: of equals, the one that comes first in the alphabet.
    shares.sort_by_key(|(was, is, _)| Reverse(*was.max(is)));
    if shares.is_empty() {
        return match before {
            Some(before) if !before.is_empty() => UNCHANGED.to_owned(),
            _ => "nothing is held".to_owned(),
        };
    }
    let parts: Vec<String> = shares
        .into_iter()
        .map(|(was, is, symbol)| {
            let is = percent(is.decimal());
            match before {
                None => format!("{symbol} {is}"),
                Some(_) => format!("{symbol} {} → {is}", percent(was.decimal())),
            }
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(weights: &[(&str, i64)]) -> Answer {
        let weight = |(symbol, percent): &(&str, i64)| {
            let weight = Weight::new(Decimal::new(*percent, 2)).unwrap();
            (Symbol::parse(symbol).unwrap(), weight)
        };
        Ok(weights.iter().map(weight).collect())
    }

    #[test]
    fn what_differs_is_told() {
        let before = answer(&[("SPY", 60), ("TLT", 40)]);
        let after = answer(&[("TLT", 40), ("GLD", 50), ("BIL", 10)]);
        assert_eq!(difference(None, &before), "SPY 60.00 %, TLT 40.00 %");
        assert_eq!(
            difference(Some(&before), &after),
            "SPY 60.00 % → 0.00 %, GLD 0.00 % → 50.00 %, BIL 0.00 % → 10.00 %"
        );
        assert_eq!(difference(Some(&before), &before), "holds what it held");
        assert_eq!(difference(None, &answer(&[])), "nothing is held");
    }
}
