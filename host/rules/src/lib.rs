//! Which event goes where: EventBridge patterns and `routes.toml`.
//!
//! [`Routes::parse`] reads a file and reports every mistake in it at once;
//! [`Routes::deliveries`] says which targets an event goes to; [`check`] looks
//! for routes that are well-formed and yet make no sense, given what the
//! handlers declare.
//!
//! Each part of the file is told by a type that says both how it is read and
//! what its JSON Schema is; [`schema`] puts these together for editors. A
//! [`Case`] says what a pattern or the routes must do with an event.
//!
//! Patterns have EventBridge's meaning, with every operator, and what
//! EventBridge refuses is refused. A [`RuleSet`] matches an event against many
//! patterns at once.
//!
//! *Invariant:* this crate does no I/O. Text comes in, values go out.

mod case;
mod check;
mod envelope;
mod event;
mod json;
mod lines;
mod matcher;
mod mistake;
mod name;
mod pattern;
mod routes;

pub use case::{Case, CaseError, Expected, Failure, Verdict};
pub use check::{EventKind, Finding, Flow, Narrowing, Place, Step, check, narrowings};
pub use event::{EventError, check_event};
pub use matcher::{Explanation, Mismatch, Reason, RuleSet, Scratch};
pub use mistake::{Entry, EntryKind, Mistake, RoutesError};
pub use name::{BusName, BusNameError, NameError, RuleName, ScheduleName, TargetName};
pub use pattern::{Pattern, PatternError, PatternLimits, PatternMistake};
pub use routes::{
    Delivery, ReadFile, RetryPolicy, RouteTest, Routes, Rule, Schedule, Surroundings, TargetKind,
    TestEvent, is_json, schema,
};
