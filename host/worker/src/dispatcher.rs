//! Claim, run, commit: how every delivery is worked on.

use crate::failure::Failure;
use crate::handler::{Context, Declaration, Emission, Handler, Outcome, Step, publishable};
use crate::ports::{
    Blobs, Claim, Claimed, Commit, DeadLetter, Deliveries, DeliveryKey, StoreError, Transition,
    Workflows,
};
use crate::settings::RetrySettings;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{Event, EventType, Payload, Transported, WorkflowFailed, WorkflowType};
use alchemiser_fail_points::fail_point;
use alchemiser_rules::{RetryPolicy, Routes, TargetName};
use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Works on deliveries.
pub struct Dispatcher {
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    routes: Arc<Routes>,
    deliveries: Arc<dyn Deliveries>,
    workflows: Arc<dyn Workflows>,
    blobs: Arc<dyn Blobs>,
    retry: RetrySettings,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// Its step was taken.
    Done,
    /// There will be another attempt.
    Retry,
    /// There will be none: it is a dead letter.
    Dead,
    /// It had ended before.
    Finished,
    /// Somebody else works on it, or its time has not come.
    NotNow,
}

impl Dispatcher {
    /// A dispatcher of these handlers, on these routes, over these ports.
    /// `blobs` hold what left events that were too large.
    pub fn new(
        handlers: Vec<Arc<dyn Handler>>,
        routes: Arc<Routes>,
        deliveries: Arc<dyn Deliveries>,
        workflows: Arc<dyn Workflows>,
        blobs: Arc<dyn Blobs>,
        retry: RetrySettings,
    ) -> Self {
        let handlers = handlers
            .into_iter()
            .map(|handler| (handler.declaration().target, handler))
            .collect();
        Self {
            handlers,
            routes,
            deliveries,
            workflows,
            blobs,
            retry,
        }
    }

    /// Works on the delivery of an event to a target, once.
    ///
    /// An error means that the stores could not be used; whatever was claimed
    /// can then be taken over when this process is gone.
    pub async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let key = DeliveryKey {
            event_id: event.header().event_id.clone(),
            target: target.clone(),
        };
        fail_point!(BeforeClaim);
        let lease = self.retry.lease();
        let claimed = match self.deliveries.claim(&key, lease).await? {
            Claim::Acquired(claimed) => claimed,
            Claim::Finished => return Ok(Dispatched::Finished),
            Claim::NotNow => return Ok(Dispatched::NotNow),
        };
        fail_point!(AfterClaim);
        let keeper = Keeper::start(&self.deliveries, &claimed, lease);
        let workflow = self.workflows.find(&event.header().correlation_id).await?;
        let content = self.open(event).await;
        let delivery = Delivery {
            event,
            content: content.as_ref().map(AsRef::as_ref),
            rule: self.rule(event, target),
            handler: self.handlers.get(target.as_str()).map(AsRef::as_ref),
            workflow: workflow.as_ref(),
            claimed: &claimed,
        };

        let (commit, dispatched) = match delivery.attempt().await {
            Ok(outcome) => (delivery.done(outcome), Dispatched::Done),
            // It would use up the attempts of every delivery there is.
            Err(failure) if failure.halts() => {
                return Err(StoreError::Unusable(failure.detail().message.clone()));
            }
            Err(failure) if delivery.may_retry(&failure) => (
                Commit::Retry {
                    delay: self.retry.delay(&claimed),
                    error: failure.into(),
                },
                Dispatched::Retry,
            ),
            Err(failure) => (delivery.dead(failure), Dispatched::Dead),
        };
        log(&claimed, event, &commit);
        fail_point!(AfterHandler);
        // From here on a claim that is gone is none that was lost.
        drop(keeper);
        match self.deliveries.commit(&claimed, commit).await {
            Ok(()) => {
                fail_point!(AfterCommit);
                Ok(dispatched)
            }
            Err(StoreError::Conflict(reason)) => {
                tracing::warn!(delivery = %claimed.key, %reason, "commit refused, the delivery will be tried again");
                Ok(Dispatched::NotNow)
            }
            // Trying again would meet the same event in the archive, or emit
            // the same one that is too large.
            Err(error @ (StoreError::Contradiction(_) | StoreError::TooLarge(_))) => {
                let commit = delivery.dead(error.into());
                log(&claimed, event, &commit);
                self.deliveries.commit(&claimed, commit).await?;
                Ok(Dispatched::Dead)
            }
            Err(error) => Err(error),
        }
    }

    /// The event with what had left it.
    async fn open<'a>(&self, event: &'a Transported) -> Result<Cow<'a, Event>, Failure> {
        let packed = match event {
            Transported::Whole(event) => return Ok(Cow::Borrowed(event)),
            Transported::Packed(packed) => packed,
        };
        let blob = match packed.blob() {
            Some(blob) => Some(self.blobs.get(blob).await?),
            None => None,
        };
        Ok(Cow::Owned(packed.unpack(blob.as_deref())?))
    }

    /// The rule that sends the event to the target: the first in the file.
    fn rule(&self, event: &Transported, target: &TargetName) -> (String, RetryPolicy) {
        self.routes
            .deliveries(&event.envelope())
            .into_iter()
            .find(|delivery| delivery.target == target)
            .map_or_else(
                || ("(removed)".to_owned(), RetryPolicy::default()),
                |delivery| (delivery.rule.name.to_string(), delivery.rule.retry),
            )
    }
}

/// One delivery while it is worked on.
struct Delivery<'a> {
    event: &'a Transported,
    /// The whole event, or why it cannot be had.
    content: Result<&'a Event, &'a Failure>,
    rule: (String, RetryPolicy),
    handler: Option<&'a dyn Handler>,
    workflow: Option<&'a Workflow>,
    claimed: &'a Claimed,
}

/// Whether a step can be taken in the workflow's present state.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Proceed,
    /// The workflow is past it: record, and do nothing.
    Past,
    /// The step before has not been taken.
    Early,
}

impl Delivery<'_> {
    async fn attempt(&self) -> Result<Outcome, Failure> {
        let handler = self.handler()?;
        let step = self.step(handler.declaration())?;
        self.event
            .check_producer()
            .map_err(|error| Failure::permanent("WrongProducer", error))?;

        let state = self.workflow.map(|workflow| workflow.state);
        let admission = admission(step, state);
        if admission == Admission::Past {
            return Ok(Outcome::nothing(format!(
                "the workflow is {} already",
                state.map_or("unknown", WorkflowState::name)
            )));
        }
        // What was never begun in time must not begin now; what a crash cut
        // short must be brought to its end.
        let (rule, policy) = &self.rule;
        if self.claimed.attempt == 1 && self.claimed.age > policy.max_age {
            return Err(Failure::permanent(
                "Expired",
                format!(
                    "the event is {} s old, and rule `{rule}` delivers it for {} s",
                    self.claimed.age.as_secs(),
                    policy.max_age.as_secs()
                ),
            ));
        }
        if admission == Admission::Early {
            return Err(Failure::transient(
                "OutOfOrder",
                format!(
                    "the workflow is only {}",
                    state.map_or("unknown", WorkflowState::name)
                ),
            ));
        }
        let context = Context {
            workflow: self.workflow,
            claimed: self.claimed,
        };
        let event = self.content.map_err(Clone::clone)?;
        guarded(handler.handle(event, &context)).await
    }

    fn handler(&self) -> Result<&dyn Handler, Failure> {
        self.handler.ok_or_else(|| {
            Failure::permanent(
                "UnknownTarget",
                format!("no handler is named `{}`", self.claimed.key.target),
            )
        })
    }

    fn step(&self, handler: &'static Declaration) -> Result<&'static Step, Failure> {
        let event_type = self.event.event_type();
        handler.step(event_type).ok_or_else(|| {
            Failure::permanent(
                "UnexpectedEvent",
                format!("`{}` does not take {event_type}", handler.target),
            )
        })
    }

    /// What the handler declares for this event.
    fn declared(&self) -> Option<(&'static Declaration, &'static Step)> {
        let declaration = self.handler?.declaration();
        Some((declaration, declaration.step(self.event.event_type())?))
    }

    fn may_retry(&self, failure: &Failure) -> bool {
        let (_, policy) = &self.rule;
        failure.detail().retryable
            && self.claimed.failures < policy.attempts
            && self.claimed.age <= policy.max_age
    }

    fn done(&self, outcome: Outcome) -> Commit {
        let expects = self.declared().map_or(&[][..], |(_, step)| step.expects);
        Commit::Done {
            transition: self.transition(expects, outcome.next),
            events: self.events(outcome.emissions),
            remark: outcome.remark,
            calls: outcome.calls,
        }
    }

    fn dead(&self, failure: Failure) -> Commit {
        let unfinished = self
            .workflow
            .is_some_and(|workflow| !workflow.state.is_terminal());
        // An event that its source may not emit says nothing of the workflow.
        let genuine = self.event.check_producer().is_ok();
        let failed = self
            .declared()
            .filter(|(_, step)| step.emits.contains(&EventType::WorkflowFailed))
            .filter(|_| unfinished && genuine)
            .map(|(handler, _)| self.workflow_failed(handler, &failure));
        let next = failed.as_ref().map(|_| WorkflowState::Failed);
        Commit::Dead {
            events: self.events(failed.into_iter().collect()),
            transition: self.transition(&[], next),
            letter: DeadLetter {
                key: self.claimed.key.clone(),
                rule: self.rule.0.clone(),
                error: failure.into(),
                attempts: self.claimed.attempt,
            },
        }
    }

    fn workflow_failed(&self, handler: &Declaration, failure: &Failure) -> Emission {
        Payload::WorkflowFailed(WorkflowFailed {
            workflow_type: WorkflowType::Trading,
            failure_reason: failure.detail().message.clone(),
            failure_step: handler.workflow_step,
            error: failure.detail().clone(),
            original_event_type: self.event.event_type(),
            original_event_id: self.event.header().event_id.clone(),
            // What was traded is told even when its report could not be
            // delivered.
            execution_data: match self.content.map(|event| &event.payload) {
                Ok(Payload::TradeExecuted(trade)) => Some(trade.execution_data.clone()),
                _ => None,
            },
        })
        .into()
    }

    fn events(&self, emissions: Vec<Emission>) -> Vec<Event> {
        let clock = self
            .workflow
            .map_or(self.event.header().timestamp, |workflow| workflow.clock);
        self.handler.map_or_else(Vec::new, |handler| {
            publishable(
                emissions,
                self.event.header(),
                clock,
                handler.declaration(),
                self.claimed.generation,
            )
        })
    }

    /// A step that expects no particular state may follow any that is not the
    /// end.
    fn transition(
        &self,
        expects: &[WorkflowState],
        next: Option<WorkflowState>,
    ) -> Option<Transition> {
        let from = if expects.is_empty() {
            WorkflowState::ALL
                .into_iter()
                .filter(|state| !state.is_terminal())
                .collect()
        } else {
            expects.to_vec()
        };
        next.map(|to| Transition {
            workflow: self.event.header().correlation_id.clone(),
            from,
            to,
        })
    }
}

/// Keeps a claim for as long as it lives: a handler may take longer than a
/// lease, and a lease is to end only when its owner hangs.
///
/// It renews on a task of its own, since a handler may hold on to its thread.
struct Keeper(tokio::task::JoinHandle<()>);

impl Keeper {
    /// A renewal may fail twice before the lease ends.
    const RENEWALS_IN_A_LEASE: u32 = 3;

    fn start(deliveries: &Arc<dyn Deliveries>, claimed: &Claimed, lease: Duration) -> Self {
        let (deliveries, claimed) = (Arc::clone(deliveries), claimed.clone());
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(lease / Self::RENEWALS_IN_A_LEASE).await;
                let delivery = &claimed.key;
                match deliveries.renew(&claimed, lease).await {
                    Ok(true) => {}
                    Ok(false) => {
                        // Whoever has it now cannot be disturbed: the commit
                        // of this attempt will be refused.
                        tracing::warn!(%delivery, "the claim was lost while its handler ran");
                        return;
                    }
                    Err(error) => tracing::warn!(%delivery, %error, "the claim was not renewed"),
                }
            }
        }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Turns a handler's panic into a failure of its delivery. It is a defect, and
/// it is not to take the deliveries of other workflows with it.
async fn guarded(
    mut handling: Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + '_>>,
) -> Result<Outcome, Failure> {
    std::future::poll_fn(|context| {
        // What the handler was changing is dropped with the future, and what it
        // shares is behind ports, whose commits are all or nothing.
        let poll = AssertUnwindSafe(|| handling.as_mut().poll(context));
        std::panic::catch_unwind(poll).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let message = format!("the handler panicked, which is a defect: {message}");
            Poll::Ready(Err(Failure::permanent("Panic", message)))
        })
    })
    .await
}

fn admission(step: &Step, state: Option<WorkflowState>) -> Admission {
    let (Some(state), Some(first)) = (state, step.expects.first()) else {
        return Admission::Proceed;
    };
    if step.expects.contains(&state) {
        Admission::Proceed
    } else if state < *first {
        Admission::Early
    } else {
        Admission::Past
    }
}

fn log(claimed: &Claimed, event: &Transported, commit: &Commit) {
    let correlation_id = &event.header().correlation_id;
    let delivery = &claimed.key;
    let attempt = claimed.attempt;
    match commit {
        Commit::Done { events, remark, .. } => {
            tracing::debug!(%correlation_id, %delivery, attempt, emitted = events.len(), remark, "done");
        }
        Commit::Retry { error, delay } => {
            tracing::warn!(%correlation_id, %delivery, attempt, class = error.class, error = error.message, ?delay, "failed, will be tried again");
        }
        Commit::Dead { letter, .. } => {
            let error = &letter.error;
            tracing::error!(%correlation_id, %delivery, attempt, class = error.class, error = error.message, "failed for good");
        }
    }
}

/// The pause before a delivery's next attempt: exponential, with full jitter.
///
/// The jitter comes from the delivery's identity instead of a random source:
/// that spreads deliveries just as well.
pub(crate) fn full_jitter(base: Duration, cap: Duration, failures: u32, seed: u64) -> Duration {
    let ceiling = base.saturating_mul(2_u32.saturating_pow(failures)).min(cap);
    // 53 bits are what a double holds exactly.
    let fraction = (seed >> 11) as f64 / (1_u64 << 53) as f64;
    ceiling.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflows_state_decides_the_order() {
        use WorkflowState::{Completed, Executing, Failed, Planned, Signals, Started};
        let step = Step {
            takes: EventType::RebalancePlanned,
            expects: &[Planned, Executing],
            emits: &[],
        };
        for (state, admitted) in [
            (Started, Admission::Early),
            (Signals, Admission::Early),
            (Planned, Admission::Proceed),
            (Executing, Admission::Proceed),
            (Completed, Admission::Past),
            (Failed, Admission::Past),
        ] {
            assert_eq!(admission(&step, Some(state)), admitted, "{state}");
        }
    }

    #[test]
    fn pauses_grow_and_stay_below_the_cap() {
        let base = Duration::from_millis(200);
        let cap = Duration::from_secs(30);
        assert_eq!(full_jitter(base, cap, 3, 0), Duration::ZERO);
        let longest = |failures| full_jitter(base, cap, failures, u64::MAX);
        assert!(longest(0) <= base && longest(0) > base * 9 / 10);
        assert!(longest(3) > base * 7);
        assert!(longest(60) <= cap);
    }
}
