//! The worker's ports on one machine: a durable event bus and its stores on
//! SQLite, large content in files, and the runner that works deliveries off.
//!
//! Everything lies in one [`StateDirectory`]:
//!
//! ```text
//! alchemiser.db   events, deliveries, dead letters, workflows, accounts, ledger
//! blobs/ab/…      content by its SHA-256 digest
//! locks/…         one file for each process at work, locked while it lives
//! ```
//!
//! *Invariants:* each commit of a port is one transaction. One thread of a
//! process writes, and what it answers is on disk. The system clock serves
//! leases, pauses and durations only; nothing of it enters an event.

mod blobs;
mod bus;
mod clock;
mod database;
mod directory;
mod error;
mod ledger;
mod owners;
mod paper;
mod queries;
mod runner;
mod scheduler;

pub use blobs::LocalBlobs;
pub use bus::{Bus, Fate, LastTime, Outcome, Redrive, Replay, Replayed, ScheduleRecord};
pub use clock::{Clock, SystemClock};
pub use directory::StateDirectory;
pub use error::OpenError;
pub use ledger::LocalLedger;
pub use paper::LocalPaperStore;
pub use queries::{
    Counts, DeadLetterRecord, DeliveryRecord, DeliveryState, EventFilter, EventRecord,
    LetterFilter, LetterNumber, PluginRecord, Queries, Settled, TracedEvent, WorkflowRecord,
};
pub use runner::{Dispatch, Runner};
pub use scheduler::{Commands, Happened, Missed, Scheduler};
