//! The workflow as a state machine: whatever order deliveries come in, however
//! often, cut short or failing, the same holds of it.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_broker::Broker;
use alchemiser_events::*;
use alchemiser_worker::*;
use async_trait::async_trait;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SESSIONS: [&str; 3] = ["2022-12-27", "2022-12-28", "2022-12-29"];

/// Something that may happen.
#[derive(Clone, Debug)]
enum Act {
    /// Somebody wants a session to be traded.
    Start(usize),
    /// A delivery is worked on: one of all that there ever were, so that many
    /// are early, late or were worked on before.
    Deliver(usize),
    /// The same, and the process is killed after some steps. What it had claimed
    /// stays claimed for the time being.
    Cut(usize, i64),
    /// It is noticed that killed processes are gone.
    Recover,
    /// The next orders meet these.
    Faults(Vec<Fault>),
    /// A strategy or the planning fails from here on, or works again.
    Trouble(Trouble),
    /// A watchdog gives up on the workflow under way.
    TimeOut,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    Passing,
    Lasting,
}

fn act() -> impl Strategy<Value = Act> {
    let fault = prop_oneof![
        Just(Fault::None),
        Just(Fault::Unavailable),
        Just(Fault::LostAnswer),
        Just(Fault::Refused),
        Just(Fault::Half),
    ];
    let trouble = prop_oneof![
        3 => Just(Trouble::None),
        1 => Just(Trouble::Passing),
        1 => Just(Trouble::Lasting),
    ];
    prop_oneof![
        3 => (0..SESSIONS.len()).prop_map(Act::Start),
        12 => (0..64_usize).prop_map(Act::Deliver),
        5 => (0..64_usize, 0..12_i64).prop_map(|(delivery, steps)| Act::Cut(delivery, steps)),
        3 => Just(Act::Recover),
        2 => prop::collection::vec(fault, 0..4).prop_map(Act::Faults),
        1 => trouble.prop_map(Act::Trouble),
        1 => Just(Act::TimeOut),
    ]
}

/// Stands in for a step that asks plugins: answers or fails as it is told.
struct Stand {
    declaration: &'static Declaration,
    trouble: Arc<std::sync::Mutex<Trouble>>,
    answer: fn(&Workflow, &Event) -> Outcome,
}

#[async_trait]
impl Handler for Stand {
    fn declaration(&self) -> &'static Declaration {
        self.declaration
    }

    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let trouble = *self.trouble.lock().unwrap();
        match trouble {
            Trouble::None => Ok((self.answer)(context.workflow()?, event)),
            Trouble::Passing => Err(Failure::transient("Busy", "no answer")),
            Trouble::Lasting => Err(Failure::permanent("NoData", "no prices")),
        }
    }
}

fn signals(workflow: &Workflow, _: &Event) -> Outcome {
    let payload = Payload::SignalGenerated(SignalGenerated {
        signals_data: SignalsData {
            strategies: Vec::new(),
            signals: Vec::new(),
        },
        consolidated_portfolio: ConsolidatedPortfolio {
            target_allocations: BTreeMap::new(),
            correlation_id: workflow.correlation_id.clone(),
            timestamp: workflow.clock,
            strategy_count: 0,
            source_strategies: Vec::new(),
        },
        signal_count: 0,
    });
    Outcome::emit(payload, Some(WorkflowState::Signals))
}

/// One share of AAA becomes two of BBB; from what the account has, a buy or a
/// sell may turn out to be impossible, which is as well.
fn plan(workflow: &Workflow, _: &Event) -> Outcome {
    let items = vec![item("AAA", "1", "0"), item("BBB", "0", "2")];
    Outcome::emit(
        planned(workflow, items).payload,
        Some(WorkflowState::Planned),
    )
}

struct World {
    memory: Arc<Memory>,
    broker: Arc<ScriptedBroker>,
    dispatcher: Dispatcher,
    trouble: Arc<std::sync::Mutex<Trouble>>,
    /// What killed processes had in hand.
    held: Vec<DeliveryKey>,
    /// The furthest that each workflow was seen.
    seen: BTreeMap<String, WorkflowState>,
    /// The orders that each workflow had sent when it was first seen ended.
    sent_at_end: BTreeMap<String, usize>,
}

impl World {
    fn new() -> Self {
        let memory = Memory::new(routes());
        let broker = ScriptedBroker::new(&memory.power, "1000", &[("AAA", "2")]);
        let trouble = Arc::new(std::sync::Mutex::new(Trouble::None));
        let stand = |declaration, answer| -> Arc<dyn Handler> {
            Arc::new(Stand {
                declaration,
                trouble: Arc::clone(&trouble),
                answer,
            })
        };
        let execution = ExecutionHandler::new(
            Arc::clone(&broker) as Arc<dyn Broker>,
            Arc::clone(&memory) as Arc<dyn Workflows>,
            Arc::clone(&memory) as Arc<dyn Ledger>,
            ExecutionSettings::default(),
        );
        let notifier = NotificationHandler::new(Arc::clone(&memory) as Arc<dyn Notifier>);
        let dispatcher = Dispatcher::new(
            vec![
                stand(&StrategyHandler::DECLARATION, signals),
                stand(&PortfolioHandler::DECLARATION, plan),
                Arc::new(execution),
                Arc::new(OrchestrationHandler),
                Arc::new(notifier),
            ],
            routes(),
            Arc::clone(&memory) as Arc<dyn Deliveries>,
            Arc::clone(&memory) as Arc<dyn Workflows>,
            Arc::clone(&memory) as Arc<dyn Blobs>,
            RetrySettings::default(),
        );
        Self {
            memory,
            broker,
            dispatcher,
            trouble,
            held: Vec::new(),
            seen: BTreeMap::new(),
            sent_at_end: BTreeMap::new(),
        }
    }

    async fn happen(&mut self, act: Act) {
        match act {
            Act::Start(session) => self.start(SESSIONS[session]).await,
            Act::Deliver(number) => self.deliver(number, None).await,
            Act::Cut(number, steps) => self.deliver(number, Some(steps)).await,
            Act::Recover => self.recover(),
            Act::Faults(faults) => self.broker.desk().faults.extend(faults),
            Act::Trouble(trouble) => *self.trouble.lock().unwrap() = trouble,
            Act::TimeOut => self.time_out(),
        }
        self.check();
    }

    async fn start(&self, session: &str) {
        let command = StartCommand {
            account: AccountName::paper(),
            slot: "1600".to_owned(),
            clock: Timestamp::parse(&format!("{session}T21:00:00Z")).unwrap(),
            configuration: configuration(session),
            requested_by: "test".to_owned(),
            rerun: true,
        };
        start_workflow(&*self.memory, &command).await.unwrap();
    }

    async fn deliver(&mut self, number: usize, cut: Option<i64>) {
        let deliveries = self.memory.deliveries();
        if deliveries.is_empty() {
            return;
        }
        let (event, key) = &deliveries[number % deliveries.len()];
        let event = Transported::from(event.clone());
        let work = self.dispatcher.dispatch(&event, &key.target);
        match cut {
            None => {
                work.await.unwrap();
            }
            Some(steps) => {
                self.memory.power.fails_after(steps);
                if self.memory.power.run(work).await.is_none() {
                    self.held.push(key.clone());
                }
            }
        }
    }

    fn recover(&mut self) {
        for key in self.held.drain(..) {
            self.memory.owner_is_gone(&key);
        }
    }

    /// What a watchdog does: ends the workflow and says so.
    fn time_out(&self) {
        let workflows = self.memory.workflows();
        let Some(active) = workflows.iter().find(|one| !one.state.is_terminal()) else {
            return;
        };
        self.memory.end_workflow(active, WorkflowState::TimedOut);
        let failed = Payload::WorkflowFailed(WorkflowFailed {
            workflow_type: WorkflowType::Trading,
            failure_reason: "it took too long".to_owned(),
            failure_step: WorkflowStep::Orchestration,
            error: ErrorDetail {
                class: "TimedOut".to_owned(),
                message: "it took too long".to_owned(),
                retryable: false,
                context: BTreeMap::new(),
            },
            original_event_type: EventType::WorkflowStarted,
            original_event_id: started(active).header.event_id,
            execution_data: None,
        });
        self.memory
            .publish(event(active, Source::Orchestration, failed));
    }

    /// How many orders of its plan were taken.
    fn sent_by(&self, workflow: &Workflow) -> usize {
        let cause = CausationId::command(&workflow.correlation_id);
        let plan = PlanId::derive(&workflow.correlation_id, &cause);
        let desk = self.broker.desk();
        [("AAA", Side::Sell), ("BBB", Side::Buy)]
            .into_iter()
            .map(|(name, side)| ClientOrderId::derive(&plan, &symbol(name), side, 0, 0))
            .filter(|name| {
                desk.taken
                    .iter()
                    .any(|order| order.client_order_id == *name)
            })
            .count()
    }

    /// What holds at every moment.
    fn check(&mut self) {
        let workflows = self.memory.workflows();
        let active = workflows.iter().filter(|one| !one.state.is_terminal());
        assert!(active.count() <= 1, "one workflow of an account at a time");
        for workflow in &workflows {
            let name = workflow.correlation_id.to_string();
            let sent = self.sent_by(workflow);
            if let Some(before) = self.seen.insert(name.clone(), workflow.state) {
                let is_same = before == workflow.state;
                assert!(
                    is_same || (!before.is_terminal() && before < workflow.state),
                    "{name}: {before} became {}",
                    workflow.state
                );
            }
            if workflow.state.is_terminal() {
                let at_end = *self.sent_at_end.entry(name.clone()).or_insert(sent);
                assert_eq!(sent, at_end, "{name} traded after its end");
            }
        }
        let desk = self.broker.desk();
        let names: BTreeSet<_> = desk
            .taken
            .iter()
            .map(|order| &order.client_order_id)
            .collect();
        assert_eq!(names.len(), desk.taken.len(), "an order was sent twice");
        assert_eq!(desk.sent_twice, 0);
    }

    /// Works everything off, and delivers it all once more.
    async fn finish(mut self) {
        *self.trouble.lock().unwrap() = Trouble::None;
        self.broker.desk().faults.clear();
        self.recover();
        self.work_off().await;
        self.check();
        self.check_the_end();

        let traces = || {
            let desk = self.broker.desk();
            let events = self.memory.events();
            let json: Vec<String> = events.iter().map(Event::to_json).collect();
            let ledger = serde_json::to_string(&self.memory.ledger()).unwrap();
            (
                json,
                ledger,
                desk.cash,
                desk.taken.len(),
                self.memory.messages().len(),
            )
        };
        let before = traces();
        for (event, key) in self.memory.deliveries() {
            let event = Transported::from(event);
            let again = self.dispatcher.dispatch(&event, &key.target).await;
            assert_eq!(again.unwrap(), Dispatched::Finished);
        }
        assert_eq!(traces(), before);
    }

    async fn work_off(&self) {
        for _ in 0..1_000 {
            let deliveries = self.memory.deliveries();
            let open = deliveries
                .iter()
                .filter(|(_, key)| key.target.as_str() != "audit")
                .find(|(_, key)| self.memory.end(key).is_none());
            match open {
                Some((event, key)) => {
                    let event = Transported::from(event.clone());
                    let work = self.dispatcher.dispatch(&event, &key.target);
                    work.await.unwrap();
                }
                None => return,
            }
        }
        panic!("there is no end");
    }

    /// What holds when nothing is left to do.
    fn check_the_end(&self) {
        let events = self.memory.events();
        for workflow in self.memory.workflows() {
            let name = &workflow.correlation_id;
            assert!(workflow.state.is_terminal(), "{name} is {}", workflow.state);
            let count = |wanted: EventType| {
                let of_workflow = events
                    .iter()
                    .filter(|one| one.header.correlation_id == *name);
                of_workflow.filter(|one| one.event_type() == wanted).count()
            };
            let completed = workflow.state == WorkflowState::Completed;
            assert_eq!(count(EventType::WorkflowCompleted), usize::from(completed));
            assert_eq!(count(EventType::WorkflowFailed), usize::from(!completed));
            assert_eq!(count(EventType::TradingNotificationRequested), 1, "{name}");
        }
        // Who traded said so, and was heard.
        for event in events {
            if event.event_type() != EventType::TradeExecuted {
                continue;
            }
            let key = claimed(&event, "orchestrator").key;
            let end = self.memory.end(&key);
            assert!(matches!(end, Some(DeliveryEnd::Done { .. })), "{end:?}");
        }
        // A message may be told twice by a process that is killed between, and
        // then it bears the same name.
        let told: BTreeSet<String> = self
            .memory
            .messages()
            .iter()
            .map(|message| message.id.to_string())
            .collect();
        let to_tell = self
            .memory
            .events()
            .iter()
            .filter(|event| {
                matches!(
                    event.event_type(),
                    EventType::TradingNotificationRequested
                        | EventType::SystemNotificationRequested
                )
            })
            .count();
        assert_eq!(told.len(), to_tell);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn workflows_end_once_whatever_happens(acts in prop::collection::vec(act(), 1..120)) {
        block_on(async {
            let mut world = World::new();
            for act in acts {
                world.happen(act).await;
            }
            world.finish().await;
        });
    }
}
