//! The sandbox against real components.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cache;
mod handmade;
mod harness;
mod limits;
mod loading;
mod portfolio;
mod strategy;
mod usage;
