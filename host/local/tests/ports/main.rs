//! The ports, seen from outside.

mod bus;
mod crowd;
mod letters;
mod properties;
mod replay;
mod runner;
mod stores;
#[path = "../support/mod.rs"]
mod support;
