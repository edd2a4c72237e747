//! Which event goes where: EventBridge patterns and `routes.toml`.
//!
//! [`Routes::parse`] reads a file and reports every mistake in it at once;
//! [`Routes::deliveries`] says which targets an event goes to; [`check`] looks
//! for routes that are well-formed and yet make no sense, given what the
//! handlers declare.
//!
//! Patterns have EventBridge's meaning, with every operator, and what
//! EventBridge refuses is refused. A [`RuleSet`] matches an event against many
//! patterns at once.
//!
//! *Invariant:* this crate does no I/O. Text comes in, values go out.

mod check;
mod event;
mod json;
mod matcher;
mod mistake;
mod name;
mod pattern;
mod routes;

pub use check::{EventKind, Finding, Flow, Step, check};
pub use event::EventError;
pub use matcher::{Explanation, Mismatch, Reason, RuleSet, Scratch};
pub use mistake::{Mistake, RoutesError};
pub use name::{NameError, RuleName, TargetName};
pub use pattern::{Pattern, PatternError, PatternLimits, PatternMistake};
pub use routes::{Delivery, RetryPolicy, Routes, Rule, TargetKind};
