//! The five handlers, one for each target of the routes.

mod execution;
mod notification;
mod orchestration;

pub use execution::ExecutionHandler;
pub use notification::NotificationHandler;
pub use orchestration::OrchestrationHandler;

use crate::failure::Failure;
use alchemiser_events::Event;

/// For an event whose type the dispatcher has checked against the handler's
/// steps, so that it cannot happen.
fn unexpected(event: &Event) -> Failure {
    Failure::permanent(
        "UnexpectedEvent",
        format!("{} was not expected here", event.event_type()),
    )
}
