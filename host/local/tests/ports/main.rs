//! The ports, seen from outside.

mod bus;
mod crowd;
mod leases;
mod letters;
mod payloads;
mod properties;
mod replay;
mod runner;
mod scheduler;
mod stores;
#[path = "../support/mod.rs"]
mod support;
