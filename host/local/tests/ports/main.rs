//! The ports, seen from outside.

mod bus;
mod properties;
mod runner;
mod stores;
#[path = "../support/mod.rs"]
mod support;
