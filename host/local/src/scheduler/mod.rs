//! Gives the commands of schedules when their times come.
//!
//! What a schedule did last is kept, so that what came while nobody was there
//! is known: the latest such time is made up for within the schedule's
//! `max_age_seconds`, the others are told as missed.
//!
//! That nothing starts twice does not depend on what is kept, nor on the clock:
//! a workflow's name follows from its time, and whoever starts it a second time
//! finds it there.

mod due;

pub use due::Missed;

use crate::bus::{Bus, Known, Outcome, Settlement};
use alchemiser_events::{
    CausationId, CorrelationId, ErrorDetail, ErrorNotificationRequested, ErrorPriority,
    ErrorSeverity, Event, EventId, Header, NotificationKind, Payload, SchemaVersion, Source,
    SystemNotificationRequested, Timestamp,
};
use alchemiser_rules::{Schedule, ScheduleName};
use alchemiser_worker::{Given, StoreError};
use async_trait::async_trait;
use due::{due, next_after, oldest};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long the clock is trusted: it may be set at any moment.
const LOOK: Duration = Duration::from_secs(1);

/// The clock is set by fractions of a second all the time. Only from here on a
/// schedule would notice.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Whoever the commands of schedules are given to.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Does what a schedule says, for the time that came. Called again for the
    /// same time after a crash, by several processes, and as long as the answer
    /// is [`Given::NotNow`].
    async fn give(&self, schedule: &Schedule, at: Timestamp) -> Result<Given, StoreError>;
}

/// Something that happened to a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Its command was given, never with [`Given::NotNow`].
    Given {
        /// Which schedule.
        schedule: ScheduleName,
        /// The time by the schedule.
        at: Timestamp,
        /// What became of the command.
        given: Given,
    },
    /// Its command cannot be given at the moment, and waits.
    Waits {
        /// Which schedule.
        schedule: ScheduleName,
        /// The time by the schedule.
        at: Timestamp,
        /// For what.
        reason: String,
    },
    /// Times passed while nobody was there.
    Missed {
        /// Which schedule.
        schedule: ScheduleName,
        /// Which times.
        missed: Missed,
    },
    /// The system clock was set back.
    SetBack {
        /// Which schedule has settled later times.
        schedule: ScheduleName,
        /// The clock as it is now.
        now: Timestamp,
    },
    /// It waits for its next time.
    Next {
        /// Which schedule.
        schedule: ScheduleName,
        /// When; `None` if there will be no further time.
        at: Option<Timestamp>,
    },
}

/// Works schedules off on a state directory. Several processes may do so on
/// one.
pub struct Scheduler {
    bus: Bus,
    commands: Arc<dyn Commands>,
    entries: Vec<Entry>,
}

struct Entry {
    schedule: Schedule,
    known: Known,
    /// The next time after what is settled; it may have come.
    next: Option<Timestamp>,
    waiting: Option<Waiting>,
    /// Whether the next time is to be told.
    news: bool,
}

/// A time whose command could not be given yet.
struct Waiting {
    at: Timestamp,
    reason: String,
}

impl Scheduler {
    /// Takes up the schedules that are enabled where they were left. One that
    /// is new, or whose expression or time zone has changed, begins now;
    /// others are forgotten.
    ///
    /// # Errors
    ///
    /// When the store cannot be used.
    pub async fn open(
        bus: &Bus,
        schedules: &[Schedule],
        commands: Arc<dyn Commands>,
    ) -> Result<Self, StoreError> {
        let enabled = schedules.iter().filter(|schedule| schedule.enabled);
        let schedules: Vec<Schedule> = enabled.cloned().collect();
        let known = bus.register(&schedules).await?;
        let entries = schedules.into_iter().zip(known);
        Ok(Self {
            bus: bus.clone(),
            commands,
            entries: entries
                .map(|(schedule, known)| Entry::new(schedule, known))
                .collect(),
        })
    }

    /// Gives commands as their times come, until `shutdown` is ready and what
    /// was begun by then has ended.
    ///
    /// # Errors
    ///
    /// When the stores cannot be used.
    pub async fn run_until(
        mut self,
        shutdown: impl Future<Output = ()>,
        tell: impl Fn(Happened),
    ) -> Result<(), StoreError> {
        tokio::pin!(shutdown);
        loop {
            self.look().await?.into_iter().for_each(&tell);
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// Looks at the clock, does what is due, and tells what happened.
    ///
    /// # Errors
    ///
    /// When the stores cannot be used. What is settled stays so.
    pub async fn look(&mut self) -> Result<Vec<Happened>, StoreError> {
        let mut happened = Vec::new();
        for entry in &mut self.entries {
            entry
                .look(&self.bus, self.commands.as_ref(), &mut happened)
                .await?;
        }
        Ok(happened)
    }

    /// How long nothing can become due.
    fn pause(&self) -> Duration {
        let now = self.bus.now();
        let next = self.entries.iter().filter_map(|entry| entry.next).min();
        let until = next.map(|next| next.instant().duration_since(now.instant()));
        match until.and_then(|until| Duration::try_from(until).ok()) {
            // What waits is tried again after a while.
            None | Some(Duration::ZERO) => LOOK,
            Some(until) => until.min(LOOK),
        }
    }
}

impl Entry {
    fn new(schedule: Schedule, known: Known) -> Self {
        let mut entry = Self {
            schedule,
            known,
            next: None,
            waiting: None,
            news: true,
        };
        entry.go_on_from(known);
        entry
    }

    fn go_on_from(&mut self, known: Known) {
        self.known = known;
        self.next = next_after(&self.schedule, known.since, known.until);
        let settled = |waiting: &Waiting| waiting.at <= known.until;
        if self.waiting.as_ref().is_some_and(settled) {
            self.waiting = None;
        }
    }

    async fn look(
        &mut self,
        bus: &Bus,
        commands: &dyn Commands,
        happened: &mut Vec<Happened>,
    ) -> Result<(), StoreError> {
        let now = bus.now();
        if now.after(TOLERANCE) < self.known.until {
            bus.set_back(&self.schedule.name, TOLERANCE).await?;
            self.known.since = self.known.since.min(now);
            self.waiting = None;
            self.move_on(now);
            happened.push(Happened::SetBack {
                schedule: self.schedule.name.clone(),
                now,
            });
            self.catch_up(bus).await?;
        }
        if self.next.is_some_and(|next| next <= now) {
            self.catch_up(bus).await?;
            self.give_up(bus, now, happened).await?;
            self.take(bus, commands, now, happened).await?;
        }
        if self.news && self.next.is_none_or(|next| next > now) {
            self.news = false;
            happened.push(Happened::Next {
                schedule: self.schedule.name.clone(),
                at: self.next,
            });
        }
        Ok(())
    }

    /// Another process may have settled what is due here.
    async fn catch_up(&mut self, bus: &Bus) -> Result<(), StoreError> {
        if let Some(known) = bus.known(&self.schedule.name).await?
            && known != self.known
        {
            self.go_on_from(known);
            self.news = true;
        }
        Ok(())
    }

    /// What has waited for too long is refused for what it waited for.
    async fn give_up(
        &mut self,
        bus: &Bus,
        now: Timestamp,
        happened: &mut Vec<Happened>,
    ) -> Result<(), StoreError> {
        let is_late = |waiting: &mut Waiting| waiting.at < oldest(&self.schedule, now);
        let Some(Waiting { at, reason }) = self.waiting.take_if(is_late) else {
            return Ok(());
        };
        let seconds = self.schedule.retry.max_age.as_secs();
        let refusal = ErrorDetail {
            class: "Expired".to_owned(),
            message: format!("it could not be done within {seconds} s: {reason}"),
            retryable: false,
            context: [].into(),
        };
        self.settle(bus, at, Given::Refused(refusal), happened)
            .await
    }

    async fn take(
        &mut self,
        bus: &Bus,
        commands: &dyn Commands,
        now: Timestamp,
        happened: &mut Vec<Happened>,
    ) -> Result<(), StoreError> {
        let Known { since, until } = self.known;
        let due = due(&self.schedule, since, until, now);
        if let Some(missed) = due.missed {
            self.miss(bus, missed, now, happened).await?;
        }
        let Some(at) = due.latest else {
            return Ok(());
        };
        match commands.give(&self.schedule, at).await? {
            Given::NotNow(reason) => {
                let told = self
                    .waiting
                    .as_ref()
                    .is_some_and(|waiting| waiting.at == at);
                if !told {
                    happened.push(Happened::Waits {
                        schedule: self.schedule.name.clone(),
                        at,
                        reason: reason.clone(),
                    });
                }
                self.waiting = Some(Waiting { at, reason });
                Ok(())
            }
            given => self.settle(bus, at, given, happened).await,
        }
    }

    async fn settle(
        &mut self,
        bus: &Bus,
        at: Timestamp,
        given: Given,
        happened: &mut Vec<Happened>,
    ) -> Result<(), StoreError> {
        let (outcome, detail) = match &given {
            Given::Started(workflow) => (Outcome::Started, workflow.to_string()),
            Given::StartedBefore(workflow) => (Outcome::StartedBefore, workflow.to_string()),
            Given::Skipped(reason) | Given::NotNow(reason) => (Outcome::Skipped, reason.clone()),
            Given::Refused(error) => (Outcome::Refused, error.message.clone()),
        };
        let event = match &given {
            Given::Refused(error) => Some(refusal(&self.schedule, at, error)),
            _ => None,
        };
        let settlement = Settlement {
            until: at,
            at,
            outcome,
            detail,
            event,
        };
        let settled = bus.settle(&self.schedule.name, settlement).await?;
        self.move_on(at);
        // Of several processes one tells, and whoever started something.
        if settled || outcome == Outcome::Started {
            happened.push(Happened::Given {
                schedule: self.schedule.name.clone(),
                at,
                given,
            });
        }
        Ok(())
    }

    async fn miss(
        &mut self,
        bus: &Bus,
        missed: Missed,
        now: Timestamp,
        happened: &mut Vec<Happened>,
    ) -> Result<(), StoreError> {
        // Those that were not counted are settled as well.
        let until = if missed.more {
            missed.last.max(oldest(&self.schedule, now))
        } else {
            missed.last
        };
        let settlement = Settlement {
            until,
            at: missed.last,
            outcome: Outcome::Missed,
            detail: missed.to_string(),
            event: Some(absence(&self.schedule, &missed)),
        };
        let settled = bus.settle(&self.schedule.name, settlement).await?;
        self.move_on(until);
        if settled {
            happened.push(Happened::Missed {
                schedule: self.schedule.name.clone(),
                missed,
            });
        }
        Ok(())
    }

    fn move_on(&mut self, until: Timestamp) {
        self.news = true;
        self.go_on_from(Known {
            until,
            ..self.known
        });
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            count, first, last, ..
        } = self;
        match (self.more, count) {
            (true, _) => write!(formatter, "more than {count} times since {first}"),
            (false, 1) => write!(formatter, "nobody was there at {first}"),
            (false, _) => write!(formatter, "{count} times, from {first} to {last}"),
        }
    }
}

/// Tells the owner that a command was refused.
fn refusal(schedule: &Schedule, at: Timestamp, error: &ErrorDetail) -> Event {
    let payload = Payload::ErrorNotificationRequested(ErrorNotificationRequested {
        error_severity: ErrorSeverity::High,
        error_priority: ErrorPriority::High,
        error_title: format!("schedule `{}` was refused", schedule.name),
        error_report: format!("The time was {at}. Nothing was done: {}.\n", error.message),
        error_code: Some(error.class.clone()),
        recipient_override: None,
    });
    event(schedule, at, payload)
}

/// Tells the owner that times were missed.
fn absence(schedule: &Schedule, missed: &Missed) -> Event {
    let payload = Payload::SystemNotificationRequested(SystemNotificationRequested {
        notification_type: NotificationKind::Warning,
        subject: format!("schedule `{}` missed its time", schedule.name),
        text_content: format!("Nothing was done: {missed}.\n"),
        recipient_override: None,
    });
    event(schedule, missed.last, payload)
}

/// An event outside a workflow, named by the schedule and its time.
fn event(schedule: &Schedule, at: Timestamp, payload: Payload) -> Event {
    const TARGET: &str = "scheduler";
    #[expect(
        clippy::expect_used,
        reason = "names of schedules are letters, digits and a few signs"
    )]
    let correlation_id = CorrelationId::parse(&format!("{}-{}", schedule.name, at.instant()))
        .expect("it is not empty and has no control characters");
    let causation_id = CausationId::command(&correlation_id);
    Event {
        header: Header {
            event_id: EventId::derive(&causation_id, TARGET, payload.event_type(), 0, 0),
            correlation_id,
            causation_id,
            timestamp: at,
            source_module: Source::Orchestration,
            source_component: Some(TARGET.to_owned()),
            schema_version: SchemaVersion::default(),
            sequence: 1,
            produced_by: None,
            inputs_ref: None,
        },
        payload,
    }
}
