//! Tells the owner through the log.

use alchemiser_worker::{Message, Notifier, StoreError};
use async_trait::async_trait;

/// Writes messages to the log.
pub struct LogNotifier;

#[async_trait]
impl Notifier for LogNotifier {
    async fn deliver(&self, message: &Message) -> Result<(), StoreError> {
        let Message { id, subject, text } = message;
        tracing::info!(%id, %subject, "{text}");
        Ok(())
    }
}
