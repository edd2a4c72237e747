//! The dispatcher and the handlers that need no plugin, over ports in memory.

mod closing;
mod dispatch;
mod execution;
mod machine;
mod redrive;
mod scheduled;
mod start;
#[path = "../support/mod.rs"]
mod support;
