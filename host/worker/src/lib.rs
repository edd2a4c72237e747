//! The worker: one dispatcher, five handlers, and the ports that they act
//! through.
//!
//! An event and a target make a *delivery*. The [`Dispatcher`] claims it, runs
//! the target's [`Handler`], and commits what the handler answered together
//! with the delivery's end: events to publish, the workflow's next state. The
//! same dispatcher runs on a laptop and on AWS; only the adapters behind the
//! ports differ.
//!
//! *Invariant:* handlers do not publish. They return what is to be published,
//! so that it appears exactly when the delivery is done.

mod book;
mod command;
mod consolidation;
mod dispatcher;
mod evaluation;
mod failure;
mod handler;
mod handlers;
mod ledger;
mod parameters;
mod ports;
mod question;
mod redrive;
mod rehearsal;
mod scheduled;
mod settings;
mod workflow;

pub use book::{Book, BookEntry, BookError, OnFailure, StrategySource};
pub use command::{StartCommand, Started, start_workflow};
pub use consolidation::{
    Consolidated, ConsolidationError, ShareError, consolidate, effective_shares,
};
pub use dispatcher::{Dispatched, Dispatcher};
pub use evaluation::{BookStrategy, EvaluationError, Evaluator, OpenStrategy};
pub use failure::Failure;
pub use handler::{Context, Declaration, Emission, Handler, Outcome, PluginCall, Step, flow};
pub use handlers::{
    DECLARATIONS, ExecutionHandler, NotificationHandler, OrchestrationHandler, PortfolioHandler,
    StrategyHandler,
};
pub use ledger::{Ledger, LedgerEntry};
pub use parameters::{NotFinite, parameters};
pub use ports::{
    Blobs, Claim, Claimed, Commit, DeadLetter, Deliveries, DeliveryKey, Message, Notifier,
    StoreError, Transition, Workflows,
};
pub use redrive::{DeadDelivery, RedriveRefusal, readmit};
pub use rehearsal::{Change, Order, Rehearsal, RehearsalError, RehearsedStrategy, rehearse};
pub use scheduled::{
    CommandMistake, Given, InputVersion, Mode, ScheduledCommand, ScheduledTrading, command_mistakes,
};
pub use settings::{ExecutionSettings, PortfolioSettings, RetrySettings};
pub use workflow::{Workflow, WorkflowState};
