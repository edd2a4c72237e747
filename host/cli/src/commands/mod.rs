//! One module for each command.

pub mod dates;
pub mod dev;
pub mod dlq;
pub mod doctor;
pub mod evaluate;
pub mod events;
pub mod indicator;
pub mod plugin;
pub mod rules;
pub mod run;
pub mod state;
pub mod strategy;
pub mod workflow;
