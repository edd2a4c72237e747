//! The five handlers, one for each target of the routes.

mod execution;
mod notification;
mod orchestration;
mod portfolio;
mod strategy;

pub use execution::ExecutionHandler;
pub use notification::NotificationHandler;
pub use orchestration::OrchestrationHandler;
pub use portfolio::PortfolioHandler;
pub use strategy::StrategyHandler;

pub(crate) use execution::{side, wanted};
pub(crate) use portfolio::{check_cash, plan_item};
pub(crate) use strategy::answers;

use crate::failure::Failure;
use crate::handler::Declaration;
use alchemiser_events::Event;

/// What all five declare.
pub const DECLARATIONS: [&Declaration; 5] = [
    &StrategyHandler::DECLARATION,
    &PortfolioHandler::DECLARATION,
    &ExecutionHandler::DECLARATION,
    &OrchestrationHandler::DECLARATION,
    &NotificationHandler::DECLARATION,
];

/// For an event whose type the dispatcher has checked against the handler's
/// steps, so that it cannot happen.
fn unexpected(event: &Event) -> Failure {
    Failure::permanent(
        "UnexpectedEvent",
        format!("{} was not expected here", event.event_type()),
    )
}
