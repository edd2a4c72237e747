//! Replay with a difference: the questions of a workflow of the archive, asked
//! again of another build of a plugin.
//!
//! Questions come from the archive and nowhere else, nothing is published, and
//! no port is acted through: a rehearsal has no effects.

use crate::book::{BookEntry, OnFailure};
use crate::consolidation::{consolidate, effective_shares};
use crate::evaluation::{BookStrategy, OpenStrategy};
use crate::failure::Failure;
use crate::handlers::{answers, check_cash, plan_item, side, wanted};
use crate::ports::StoreError;
use crate::question::{PlanQuestion, Question, StrategyQuestion};
use alchemiser_events::{
    BlobReference, Event, Payload, PlanAction, PlanItem, Quantity, RebalancePlanned, Sha256Digest,
    Side, SignalGenerated, StrategyName, StrategyResult, StrategyStatus, Symbol, Weight,
};
use alchemiser_market::Market;
use alchemiser_sandbox::{Explain, Kind, Plugin, StrategyFile, StrategyRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a workflow decided, and what it would decide with another build.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The strategies that the build was asked for again, in the order of the
    /// book.
    pub strategies: Vec<RehearsedStrategy>,
    /// The consolidated target weights.
    pub targets: Change<BTreeMap<Symbol, Weight>>,
    /// The plan's items, in the order of execution and without attribution;
    /// none if the workflow never got that far.
    pub plan: Option<Change<Vec<PlanItem>>>,
    /// The build that made the plan of then, where another one had to stand in
    /// for it.
    pub other_planner: Option<Sha256Digest>,
}

/// One strategy of a rehearsal.
#[derive(Clone, Debug)]
pub struct RehearsedStrategy {
    /// Its name in the book.
    pub name: StrategyName,
    /// Its share of the book.
    pub share: Weight,
    /// The build that answered then.
    pub build: Sha256Digest,
    /// Its weights, before its share is applied.
    pub weights: Change<BTreeMap<Symbol, Weight>>,
}

/// The same thing, then and now; an error where there was no answer.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// What the archive says.
    pub then: Result<T, Failure>,
    /// What the other build leads to.
    pub now: Result<T, Failure>,
}

impl<T: PartialEq> Change<T> {
    /// Whether now is as then. Two errors are the same if they say the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.then == self.now
    }
}

/// An order that a plan leads to, before quotes and cash at hand have a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which way.
    pub side: Side,
    /// How many shares.
    pub quantity: Quantity,
}

impl Order {
    /// The order of a plan's item, if it has one.
    #[must_use]
    pub fn of(item: &PlanItem) -> Option<Self> {
        (item.action != PlanAction::Hold).then(|| Self {
            side: side(item),
            quantity: wanted(item),
        })
    }
}

/// The questions of a workflow cannot be asked again.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// No strategy of it ever answered.
    #[error("the workflow has no SignalGenerated, so there are no answers to compare with")]
    NoSignal,
    /// It was a plugin of another name that was asked, or none was.
    #[error("no {kind} plugin `{name}` was asked in this workflow; {}", those(.asked))]
    NotAsked {
        /// The plugin's name.
        name: String,
        /// The kind of the build at hand.
        kind: Kind,
        /// The names of those of its kind that were.
        asked: BTreeSet<String>,
    },
    /// What is kept of a question is something else.
    #[error("the content {0} is no question that this version knows")]
    NotAQuestion(Sha256Digest),
    /// The archive could not be read, or does not hold a question any more.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn those(asked: &BTreeSet<String>) -> String {
    if asked.is_empty() {
        return "nor was any other of its kind".to_owned();
    }
    let names: Vec<&str> = asked.iter().map(String::as_str).collect();
    format!("asked were: {}", names.join(", "))
}

/// Asks again what the plugin `replaced` was asked in the workflow of `events`,
/// of the `build`. A plan for other targets is made by the `planner`, unless
/// the build is a portfolio plugin itself.
///
/// `content` reads what the archive keeps under a digest; `on_failure` says how
/// the book goes on where the build gives no answer.
///
/// # Errors
/// See [`RehearsalError`]. That the build gives no answer is no error of the
/// rehearsal, but its result.
pub fn rehearse(
    events: &[Event],
    replaced: &str,
    build: &Plugin,
    planner: &Plugin,
    on_failure: OnFailure,
    content: &dyn Fn(&BlobReference) -> Result<Vec<u8>, StoreError>,
) -> Result<Rehearsal, RehearsalError> {
    let archive = Archive { content };
    let Decisions { signal, planned } = Decisions::of(events)?;
    let was_asked = |name: &str| name == replaced;
    let mut rehearsal = Rehearsal {
        strategies: Vec::new(),
        targets: unchanged(signal.consolidated_portfolio.target_allocations.clone()),
        plan: None,
        other_planner: None,
    };

    if build.kind() == Kind::Strategy {
        let mut results = signal.signals_data.strategies.clone();
        let asked = || results.iter().map(|result| &result.produced_by.plugin);
        if !asked().any(|name| was_asked(name)) {
            return Err(not_asked(build, replaced, asked()));
        }
        for result in &mut results {
            if was_asked(&result.produced_by.plugin) {
                let rehearsed = strategy(result, build, &archive)?;
                answer(result, &rehearsed.weights.now);
                rehearsal.strategies.push(rehearsed);
            }
        }
        rehearsal.targets.now = targets(&results, on_failure);
    }

    let Some((planned, event)) = planned else {
        return match build.kind() {
            Kind::Strategy => Ok(rehearsal),
            Kind::Portfolio => Err(not_asked(build, replaced, [].into_iter())),
        };
    };
    let (Some(made_by), Some(inputs)) = (&event.header.produced_by, &event.header.inputs_ref)
    else {
        return Ok(rehearsal);
    };
    let planner = match build.kind() {
        Kind::Strategy => planner,
        Kind::Portfolio if was_asked(&made_by.plugin) => build,
        Kind::Portfolio => {
            return Err(not_asked(build, replaced, [&made_by.plugin].into_iter()));
        }
    };
    if build.kind() == Kind::Strategy && planner.digest() != made_by.sha256 {
        rehearsal.other_planner = Some(made_by.sha256);
    }
    let question = archive.plan(inputs)?;
    rehearsal.plan = Some(Change {
        then: Ok(unattributed(&planned.rebalance_plan.items)),
        now: rehearsal
            .targets
            .now
            .clone()
            .and_then(|targets| plan(question, targets, planner)),
    });
    Ok(rehearsal)
}

/// The decisions of a workflow; the last ones, if it was redriven.
struct Decisions<'a> {
    signal: &'a SignalGenerated,
    planned: Option<(&'a RebalancePlanned, &'a Event)>,
}

impl<'a> Decisions<'a> {
    fn of(events: &'a [Event]) -> Result<Self, RehearsalError> {
        let mut signal = None;
        let mut planned = None;
        for event in events {
            match &event.payload {
                Payload::SignalGenerated(found) => signal = Some(found),
                Payload::RebalancePlanned(found) => planned = Some((found, event)),
                _ => {}
            }
        }
        let signal = signal.ok_or(RehearsalError::NoSignal)?;
        Ok(Self { signal, planned })
    }
}

fn unchanged<T: Clone>(value: T) -> Change<T> {
    Change {
        then: Ok(value.clone()),
        now: Ok(value),
    }
}

fn not_asked<'a>(
    build: &Plugin,
    replaced: &str,
    asked: impl Iterator<Item = &'a String>,
) -> RehearsalError {
    RehearsalError::NotAsked {
        name: replaced.to_owned(),
        kind: build.kind(),
        asked: asked.cloned().collect(),
    }
}

/// What was kept.
struct Archive<'a> {
    content: &'a dyn Fn(&BlobReference) -> Result<Vec<u8>, StoreError>,
}

impl Archive<'_> {
    fn get(&self, reference: &BlobReference) -> Result<Vec<u8>, RehearsalError> {
        Ok((self.content)(reference)?)
    }

    fn evaluation(&self, reference: &BlobReference) -> Result<StrategyQuestion, RehearsalError> {
        match serde_json::from_slice(&self.get(reference)?) {
            Ok(Question::Evaluate(question)) => Ok(question),
            _ => Err(RehearsalError::NotAQuestion(reference.sha256)),
        }
    }

    fn plan(&self, reference: &BlobReference) -> Result<PlanQuestion, RehearsalError> {
        match serde_json::from_slice(&self.get(reference)?) {
            Ok(Question::Plan(question)) => Ok(question),
            _ => Err(RehearsalError::NotAQuestion(reference.sha256)),
        }
    }

    /// What the strategy could see, if it saw anything.
    fn market(&self, reference: Option<&BlobReference>) -> Result<Option<Market>, RehearsalError> {
        let Some(reference) = reference else {
            return Ok(None);
        };
        Market::from_slice(&self.get(reference)?)
            .map(Some)
            .map_err(|_| RehearsalError::NotAQuestion(reference.sha256))
    }
}

/// Asks the build what a strategy was asked.
fn strategy(
    result: &StrategyResult,
    build: &Plugin,
    archive: &Archive<'_>,
) -> Result<RehearsedStrategy, RehearsalError> {
    let question = archive.evaluation(&result.inputs_ref)?;
    let market = archive.market(question.market.as_ref())?;
    let mut files = Vec::with_capacity(question.files.len());
    for (name, reference) in &question.files {
        files.push(StrategyFile {
            name: name.clone(),
            content: archive.get(reference)?,
        });
    }
    let request = StrategyRequest {
        parameters: question.parameters.clone(),
        files,
    };
    Ok(RehearsedStrategy {
        name: result.strategy_id.clone(),
        share: result.weight,
        build: result.produced_by.sha256,
        weights: Change {
            then: match &result.error {
                Some(error) => Err(error.clone().into()),
                None => Ok(result.allocation.clone()),
            },
            now: weights(result, build, request, &question, market),
        },
    })
}

fn weights(
    result: &StrategyResult,
    build: &Plugin,
    request: StrategyRequest,
    question: &StrategyQuestion,
    market: Option<Market>,
) -> Result<BTreeMap<Symbol, Weight>, Failure> {
    let call = |error: alchemiser_sandbox::CallError| Failure::from(error.detail());
    let strategy = BookStrategy {
        entry: BookEntry {
            name: result.strategy_id.clone(),
            weight: result.weight,
            source: question.source.clone(),
            // What `load` is given is in the request.
            parameters: serde_json::Value::Null,
        },
        plugin: build.clone(),
        request,
    };
    let opened = OpenStrategy::open(Arc::new(strategy)).map_err(call)?;
    let not_kept = |what: &str| Failure::permanent("NotKept", what);
    let market = market
        .map(Arc::new)
        .ok_or_else(|| not_kept("the archive has no prices for it, since it saw none"))?;
    let session = market
        .calendar()
        .session(question.as_of)
        .map_err(|error| Failure::permanent("NotASession", error))?;
    let lacking = opened
        .requirements()
        .iter()
        .find(|requirement| !market.holds(requirement, session));
    if let Some(requirement) = lacking {
        let symbol = &requirement.symbol;
        return Err(not_kept(&format!(
            "this build looks at {symbol}, and the archive keeps no prices of it that go back as far"
        ))
        .with("symbol", symbol));
    }
    opened
        .on(market)
        .evaluate(session, Explain::No)
        .map(|evaluation| evaluation.weights)
        .map_err(|error| Failure::from(error.detail()))
}

/// Puts the answer of now in the place of that of then.
fn answer(result: &mut StrategyResult, now: &Result<BTreeMap<Symbol, Weight>, Failure>) {
    match now {
        Ok(weights) => {
            result.status = StrategyStatus::Ok;
            result.error = None;
            result.allocation.clone_from(weights);
        }
        Err(failure) => {
            result.status = StrategyStatus::Failed;
            result.error = Some(failure.detail().clone());
            result.allocation = BTreeMap::new();
        }
    }
}

/// The book's target weights.
fn targets(
    results: &[StrategyResult],
    on_failure: OnFailure,
) -> Result<BTreeMap<Symbol, Weight>, Failure> {
    let book: Vec<_> = results
        .iter()
        .map(|result| (result.weight, result.status))
        .collect();
    let shares = effective_shares(&book, on_failure)
        .map_err(|error| Failure::permanent("BookError", error))?;
    consolidate(&answers(results, &shares))
        .map(|consolidated| consolidated.targets)
        .map_err(|error| Failure::permanent("ConsolidationError", error))
}

/// Whose wishes an item fulfils is told by the weights.
fn unattributed(items: &[PlanItem]) -> Vec<PlanItem> {
    let mut items = items.to_vec();
    for item in &mut items {
        item.strategy_attribution.clear();
    }
    items
}

/// The plan for the targets of now, from the account and the prices of then.
fn plan(
    question: PlanQuestion,
    targets: BTreeMap<Symbol, Weight>,
    planner: &Plugin,
) -> Result<Vec<PlanItem>, Failure> {
    let mut request = question.request;
    let priceless = targets
        .keys()
        .find(|symbol| !request.instruments.contains_key(*symbol));
    if let Some(symbol) = priceless {
        let message = format!(
            "{symbol} is wanted now and was neither held nor wanted then, so the archive has no \
             price of it to plan with"
        );
        return Err(Failure::permanent("NotKept", message).with("symbol", symbol));
    }
    request.targets = targets;
    // What left the targets and is not held has no part in the plan.
    let (targets, positions) = (&request.targets, &request.positions);
    request
        .instruments
        .retain(|symbol, _| targets.contains_key(symbol) || positions.contains_key(symbol));
    let plan = planner
        .plan(&request)
        .map_err(|error| Failure::from(error.detail()))?;
    let items: Vec<PlanItem> = plan
        .items
        .into_iter()
        .map(|item| plan_item(item, BTreeMap::new()))
        .collect();
    check_cash(&items, request.cash, request.settings.allow_margin)?;
    Ok(items)
}
