//! The record of what was traded.

use crate::database::{Durability, Failure, collect, execute, json, micros, to_json};
use crate::directory::State;
use alchemiser_events::CorrelationId;
use alchemiser_worker::{Ledger, LedgerEntry, StoreError};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use std::sync::Arc;

pub(crate) const INSERT: &str = "
    INSERT INTO ledger (client_order_id, correlation_id, plan_id, symbol, recorded_at, entry)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (client_order_id) DO NOTHING";

pub(crate) const OF_WORKFLOW: &str =
    "SELECT entry FROM ledger WHERE correlation_id = ?1 ORDER BY position";

/// The record of what was traded, in a state directory.
#[derive(Clone)]
pub struct LocalLedger {
    state: Arc<State>,
}

impl LocalLedger {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }
}

/// A workflow's entries, in the order in which they were made.
pub(crate) fn of_workflow(
    connection: &Connection,
    workflow: &CorrelationId,
) -> Result<Vec<LedgerEntry>, Failure> {
    let entry = |row: &rusqlite::Row<'_>| json(row, "entry");
    Ok(collect(
        connection,
        OF_WORKFLOW,
        [workflow.as_str()],
        entry,
    )?)
}

#[async_trait]
impl Ledger for LocalLedger {
    async fn record(&self, entry: &LedgerEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        let now = micros(self.state.clock.now());
        self.state
            .database
            .write(Durability::Flushed, move |connection| {
                let order = &entry.order;
                let parameters = params![
                    order.client_order_id.as_str(),
                    entry.correlation_id.as_str(),
                    entry.plan_id.as_str(),
                    order.symbol.as_str(),
                    now,
                    to_json(&entry)?,
                ];
                execute(connection, INSERT, parameters)?;
                Ok(())
            })
            .await
    }

    async fn of_workflow(&self, workflow: &CorrelationId) -> Result<Vec<LedgerEntry>, StoreError> {
        let workflow = workflow.clone();
        self.state
            .database
            .read(move |connection| of_workflow(connection, &workflow))
            .await
    }
}
