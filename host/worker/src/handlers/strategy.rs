//! From prices to target weights: every strategy of the book, made one.

use super::unexpected;
use crate::book::OnFailure;
use crate::consolidation::{Consolidated, ShareError, consolidate, effective_shares};
use crate::evaluation::{BookStrategy, EvaluationError, OpenStrategy};
use crate::failure::Failure;
use crate::handler::{Context, Declaration, Emission, Handler, Outcome, PluginCall, Step, timed};
use crate::ports::Blobs;
use crate::question::{Question, StrategyQuestion};
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{
    BlobReference, ConsolidatedPortfolio, ErrorDetail, Event, EventType, NotificationKind, Payload,
    Signal, SignalGenerated, SignalsData, Source, StrategyName, StrategyResult, StrategyStatus,
    Symbol, SystemNotificationRequested, Weight, WorkflowStep,
};
use alchemiser_fail_points::fail_point;
use alchemiser_market::{Market, PriceSource, Requirement, Session, Slice};
use alchemiser_sandbox::{CallError, Evaluation, Explain};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Takes `WorkflowStarted`.
pub struct StrategyHandler {
    strategies: Vec<Arc<BookStrategy>>,
    on_failure: OnFailure,
    prices: Arc<dyn PriceSource>,
    blobs: Arc<dyn Blobs>,
    workers: usize,
}

impl StrategyHandler {
    /// What it takes and may emit.
    pub const DECLARATION: Declaration = Declaration {
        target: "strategy",
        source: Source::Strategy,
        workflow_step: WorkflowStep::SignalGeneration,
        acts: false,
        steps: &[Step {
            takes: EventType::WorkflowStarted,
            expects: &[WorkflowState::Started],
            emits: &[
                EventType::SignalGenerated,
                EventType::SystemNotificationRequested,
                EventType::WorkflowFailed,
            ],
        }],
    };

    /// A handler of these strategies, in the order of the book, `workers` of
    /// them at a time; 0 is one for each processor.
    pub fn new(
        strategies: Vec<Arc<BookStrategy>>,
        on_failure: OnFailure,
        prices: Arc<dyn PriceSource>,
        blobs: Arc<dyn Blobs>,
        workers: usize,
    ) -> Self {
        Self {
            strategies,
            on_failure,
            prices,
            blobs,
            workers,
        }
    }
}

#[async_trait]
impl Handler for StrategyHandler {
    fn declaration(&self) -> &'static Declaration {
        &Self::DECLARATION
    }

    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let Payload::WorkflowStarted(_) = &event.payload else {
            return Err(unexpected(event));
        };
        let workflow = context.workflow()?;
        let opened = self.open_all().await?;
        let market = self.market(&opened).await?;
        let session = market
            .calendar()
            .session(workflow.session())
            .map_err(|error| Failure::permanent("NotASession", error))?;
        let answers = self.evaluate_all(opened, &market, session).await?;
        fail_point!(StrategiesAnswered);
        let mut results = Vec::with_capacity(self.strategies.len());
        let mut calls = Vec::with_capacity(self.strategies.len());
        for (strategy, answer) in self.strategies.iter().zip(answers) {
            calls.push(PluginCall::of(&strategy.plugin, answer.duration));
            results.push(self.keep(strategy, answer, workflow).await?);
        }
        fail_point!(QuestionsKept);
        let shares = self.shares(&results)?;
        let warning = warning(&results, workflow);
        let signal = Payload::SignalGenerated(signal(results, &shares, workflow)?);
        Ok(Outcome {
            emissions: [Some(signal), warning]
                .into_iter()
                .flatten()
                .map(Emission::from)
                .collect(),
            next: Some(WorkflowState::Signals),
            remark: None,
            calls,
        })
    }
}

/// A strategy's answer, and what it was allowed to see.
struct Answer {
    result: Result<Evaluation, EvaluationError>,
    /// Absent when the strategy could not even say what it needs.
    slice: Option<Slice>,
    /// Time in the plugin.
    duration: Duration,
}

/// A strategy that has read its parameters, or not, and how long that took.
type Opened = (Result<OpenStrategy, CallError>, Duration);

impl StrategyHandler {
    /// Lets every strategy read its parameters and files.
    async fn open_all(&self) -> Result<Vec<Opened>, Failure> {
        let strategies = self.strategies.clone();
        let open = |strategy| timed(|| OpenStrategy::open(strategy));
        self.in_parallel(strategies, open).await
    }

    /// The prices that the strategies need, all in one go.
    async fn market(&self, opened: &[Opened]) -> Result<Arc<Market>, Failure> {
        let requirements: Vec<Requirement> = opened
            .iter()
            .flat_map(|(opened, _)| opened)
            .flat_map(|strategy| strategy.requirements().to_vec())
            .collect();
        self.prices
            .load(&requirements)
            .await
            .map_err(|error| Failure::permanent("PriceError", error))
    }

    async fn evaluate_all(
        &self,
        opened: Vec<Opened>,
        market: &Arc<Market>,
        session: Session,
    ) -> Result<Vec<Answer>, Failure> {
        let market = Arc::clone(market);
        self.in_parallel(opened, move |(opened, opening)| match opened {
            Ok(strategy) => {
                let slice = Some(market.slice(strategy.requirements(), session));
                let mut evaluator = strategy.on(Arc::clone(&market));
                let (result, evaluating) = timed(|| evaluator.evaluate(session, Explain::Yes));
                Answer {
                    result,
                    slice,
                    duration: opening + evaluating,
                }
            }
            Err(error) => Answer {
                result: Err(error.into()),
                slice: None,
                duration: opening,
            },
        })
        .await
    }

    /// Does something with each of the inputs on threads of their own, several
    /// at a time; the outputs come in the order of the inputs.
    async fn in_parallel<T: Send + 'static, U: Send + 'static>(
        &self,
        inputs: Vec<T>,
        work: impl Fn(T) -> U + Clone + Send + 'static,
    ) -> Result<Vec<U>, Failure> {
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let permits = Arc::new(Semaphore::new(workers));
        let tasks: Vec<_> = inputs
            .into_iter()
            .map(|input| {
                let permits = Arc::clone(&permits);
                let work = work.clone();
                tokio::spawn(async move {
                    let _permit = permits.acquire_owned().await;
                    tokio::task::spawn_blocking(move || work(input)).await
                })
            })
            .collect();
        let mut outputs = Vec::with_capacity(tasks.len());
        for task in tasks {
            let output = task
                .await
                .and_then(|output| output)
                .map_err(|error| Failure::transient("EvaluationAborted", error))?;
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// What share of the portfolio each strategy decides on.
    fn shares(&self, results: &[StrategyResult]) -> Result<Vec<Weight>, Failure> {
        let failed = || results.iter().filter(|result| result.error.is_some());
        let is_retryable = |result: &StrategyResult| {
            let error = result.error.as_ref();
            error.is_some_and(|error| error.retryable)
        };
        // A strategy that may answer yet is asked again before its share goes
        // elsewhere.
        if let Some(busy) = failed().find(|result| is_retryable(result)) {
            return Err(strategy_failure(busy, None));
        }
        let book: Vec<_> = results
            .iter()
            .map(|result| (result.weight, result.status))
            .collect();
        effective_shares(&book, self.on_failure).map_err(|error| match failed().next() {
            Some(first) => strategy_failure(first, Some(error)),
            None => Failure::permanent("BookError", error),
        })
    }

    /// Keeps question and explanation, so that the answer can be understood
    /// and asked for again.
    async fn keep(
        &self,
        strategy: &BookStrategy,
        answer: Answer,
        workflow: &Workflow,
    ) -> Result<StrategyResult, Failure> {
        let mut files = Vec::new();
        for file in &strategy.request.files {
            files.push((file.name.clone(), self.blobs.put(&file.content).await?));
        }
        let market = match &answer.slice {
            Some(slice) => Some(self.blobs.put(slice.bytes()).await?),
            None => None,
        };
        let question = Question::Evaluate(StrategyQuestion {
            plugin: strategy.plugin.digest(),
            source: strategy.entry.source.clone(),
            parameters: strategy.request.parameters.clone(),
            files,
            as_of: workflow.session(),
            market,
        });
        let inputs_ref = self.put_json(&question).await?;

        let (status, allocation, error, trace_id) = match answer.result {
            Ok(evaluation) => {
                let trace = self.put_json(&evaluation.explanation).await?;
                (StrategyStatus::Ok, evaluation.weights, None, Some(trace))
            }
            Err(error) => {
                let detail = Some(error.detail());
                (StrategyStatus::Failed, BTreeMap::new(), detail, None)
            }
        };
        Ok(StrategyResult {
            strategy_id: strategy.entry.name.clone(),
            file: strategy.entry.source.file.clone(),
            weight: strategy.entry.weight,
            status,
            error,
            allocation,
            evaluated_at: workflow.session(),
            produced_by: strategy.plugin.produced_by().clone(),
            inputs_ref,
            trace_id,
        })
    }

    async fn put_json(&self, value: &impl serde::Serialize) -> Result<BlobReference, Failure> {
        let json = serde_json::to_vec(value)
            .map_err(|error| Failure::permanent("SerialisationError", error))?;
        Ok(self.blobs.put(&json).await?)
    }
}

/// A strategy that could not answer, and why the book does not go on without
/// it, where that does not go without saying.
fn strategy_failure(failed: &StrategyResult, why: Option<ShareError>) -> Failure {
    let name = &failed.strategy_id;
    let detail = failed.error.clone().unwrap_or_else(|| ErrorDetail {
        class: "EvaluationError".to_owned(),
        message: "no answer".to_owned(),
        retryable: false,
        context: BTreeMap::new(),
    });
    let file = failed
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!(" ({file})"));
    let why = match why {
        None | Some(ShareError::Failed) => String::new(),
        Some(why) => format!("; {why}"),
    };
    let message = format!("strategy `{name}`{file}: {}{why}", detail.message);
    Failure::from(ErrorDetail { message, ..detail })
        .with("strategy", name)
        .with("inputs_sha256", failed.inputs_ref.sha256)
}

/// The owner is to know of a book that goes on without some of its strategies.
fn warning(results: &[StrategyResult], workflow: &Workflow) -> Option<Payload> {
    let failed: Vec<String> = results
        .iter()
        .filter_map(|result| {
            let error = result.error.as_ref()?;
            let name = &result.strategy_id;
            tracing::warn!(workflow = %workflow.correlation_id, strategy = %name,
                class = error.class, error = error.message, "the book goes on without a strategy");
            Some(format!(
                "{name} ({} of the book): {}: {}",
                result.weight, error.class, error.message
            ))
        })
        .collect();
    if failed.is_empty() {
        return None;
    }
    let subject = format!(
        "{} of {} strategies failed in {}",
        failed.len(),
        results.len(),
        workflow.correlation_id
    );
    let text_content = format!(
        "The workflow goes on without them, as the book says (`on_failure`).\n{}\n",
        failed.join("\n")
    );
    Some(Payload::SystemNotificationRequested(
        SystemNotificationRequested {
            notification_type: NotificationKind::Warning,
            subject,
            text_content,
            recipient_override: None,
        },
    ))
}

/// What each strategy that answered wants to hold, and its share of the
/// portfolio.
pub(crate) fn answers(
    results: &[StrategyResult],
    shares: &[Weight],
) -> Vec<(StrategyName, Weight, BTreeMap<Symbol, Weight>)> {
    let answered = |(result, _): &(&StrategyResult, &Weight)| result.status == StrategyStatus::Ok;
    results
        .iter()
        .zip(shares)
        .filter(answered)
        .map(|(result, share)| {
            let name = result.strategy_id.clone();
            (name, *share, result.allocation.clone())
        })
        .collect()
}

fn signal(
    results: Vec<StrategyResult>,
    shares: &[Weight],
    workflow: &Workflow,
) -> Result<SignalGenerated, Failure> {
    let answers = answers(&results, shares);
    let Consolidated {
        targets,
        contributions,
    } = consolidate(&answers).map_err(|error| Failure::permanent("ConsolidationError", error))?;

    let signals: Vec<Signal> = targets
        .iter()
        .map(|(symbol, weight)| {
            let contributing = contributions.get(symbol).cloned().unwrap_or_default();
            Signal {
                symbol: symbol.clone(),
                target_weight: *weight,
                reasoning: reasoning(&contributing),
                contributing,
            }
        })
        .collect();
    Ok(SignalGenerated {
        signal_count: signals.len() as u32,
        consolidated_portfolio: ConsolidatedPortfolio {
            target_allocations: targets,
            correlation_id: workflow.correlation_id.clone(),
            timestamp: workflow.clock,
            strategy_count: answers.len() as u32,
            source_strategies: answers.into_iter().map(|(name, _, _)| name).collect(),
        },
        signals_data: SignalsData {
            strategies: results,
            signals,
        },
    })
}

/// `trend (+2 others)`, the largest contribution first.
fn reasoning(contributing: &BTreeMap<StrategyName, Weight>) -> String {
    let largest = contributing
        .iter()
        .rev()
        .max_by_key(|(_, weight)| **weight)
        .map_or("", |(name, _)| name.as_str());
    match contributing.len() {
        0 | 1 => largest.to_owned(),
        2 => format!("{largest} (+1 other)"),
        count => format!("{largest} (+{} others)", count - 1),
    }
}
