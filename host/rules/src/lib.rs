//! Which event goes where: EventBridge patterns and `routes.toml`.
//!
//! [`Routes::parse`] reads a file and reports every mistake in it at once;
//! [`Routes::deliveries`] says which targets an event goes to; [`check`] looks
//! for routes that are well-formed and yet make no sense, given what the
//! handlers declare.
//!
//! Patterns have EventBridge's meaning. Of its operators, exact values and
//! `prefix` are there; any other is refused when the file is read, so that no
//! rule ever means less than it says.
//!
//! *Invariant:* this crate does no I/O. Text comes in, values go out.

mod check;
mod mistake;
mod name;
mod pattern;
mod routes;

pub use check::{EventKind, Finding, Flow, Step, check};
pub use mistake::{Mistake, RoutesError};
pub use name::{NameError, RuleName, TargetName};
pub use pattern::{Pattern, PatternError, PatternMistake};
pub use routes::{Delivery, RetryPolicy, Routes, Rule, TargetKind};
