//! The workflows, stored beside the events that carry them.

use super::{Bus, publish};
use crate::database::{
    Durability, Failure, collect, execute, find, instant, json, micros, text, to_json,
};
use alchemiser_events::{CorrelationId, Event};
use alchemiser_worker::{StoreError, Workflow, Workflows};
use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

/// The columns that [`read_workflow`] needs.
macro_rules! workflow_columns {
    () => {
        "correlation_id, account, slot, rerun, clock, configuration, state, orders_sent,
         created_at, changed_at"
    };
}
pub(crate) use workflow_columns;

pub(crate) const FIND: &str = concat!(
    "SELECT ",
    workflow_columns!(),
    " FROM workflows WHERE correlation_id = ?1"
);

pub(super) const OF_ACCOUNT: &str = concat!(
    "SELECT ",
    workflow_columns!(),
    " FROM workflows WHERE account = ?1 ORDER BY position"
);

pub(super) const HAVE_CHANGED: &str = "
    SELECT count(*) FROM workflows WHERE account = ?1
    HAVING count(*) != ?2
        OR count(*) FILTER (WHERE state NOT IN ('completed', 'failed', 'timed_out')) > 0";

pub(super) const INSERT: &str = "
    INSERT INTO workflows
        (correlation_id, account, slot, rerun, clock, state, orders_sent,
         created_at, changed_at, configuration)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)";

pub(super) const BEGIN_ORDERS: &str = "
    UPDATE workflows SET state = 'executing', orders_sent = 1, changed_at = ?2
    WHERE correlation_id = ?1 AND state = 'planned'";

pub(super) const IS_EXECUTING: &str = "
    SELECT 1 FROM workflows
    WHERE correlation_id = ?1 AND state = 'executing' AND orders_sent = 1";

pub(crate) fn read_workflow(row: &Row<'_>) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        correlation_id: text(row, "correlation_id")?,
        account: text(row, "account")?,
        slot: row.get("slot")?,
        rerun: row.get("rerun")?,
        clock: instant(row, "clock")?,
        configuration: json(row, "configuration")?,
        state: text(row, "state")?,
        orders_sent: row.get("orders_sent")?,
    })
}

#[async_trait]
impl Workflows for Bus {
    async fn find(&self, workflow: &CorrelationId) -> Result<Option<Workflow>, StoreError> {
        let workflow = workflow.clone();
        self.database()
            .read(move |connection| Ok(find(connection, FIND, [workflow.as_str()], read_workflow)?))
            .await
    }

    async fn of_account(&self, account: &str) -> Result<Vec<Workflow>, StoreError> {
        let account = account.to_owned();
        self.database()
            .read(move |connection| Ok(collect(connection, OF_ACCOUNT, [account], read_workflow)?))
            .await
    }

    async fn start(
        &self,
        workflow: &Workflow,
        event: &Event,
        seen: usize,
    ) -> Result<bool, StoreError> {
        let publications = self.prepare(std::slice::from_ref(event)).await?;
        let workflow = workflow.clone();
        let seen = i64::try_from(seen).unwrap_or(i64::MAX);
        let now = self.now();
        let started = self
            .database()
            .write(Durability::Flushed, move |connection| {
                let account = workflow.account.as_str();
                let changed = find(connection, HAVE_CHANGED, params![account, seen], |_| Ok(()))?;
                if changed.is_none() {
                    insert(connection, &workflow, micros(now))?;
                    publish::store(connection, &publications, now)?;
                }
                Ok(changed.is_none())
            })
            .await?;
        self.tell_due();
        Ok(started)
    }

    async fn begin_orders(&self, workflow: &CorrelationId) -> Result<bool, StoreError> {
        let workflow = workflow.clone();
        let now = micros(self.now());
        self.database()
            .write(Durability::Flushed, move |connection| {
                let workflow = workflow.as_str();
                let moved = execute(connection, BEGIN_ORDERS, params![workflow, now])?;
                let was_moved = find(connection, IS_EXECUTING, [workflow], |_| Ok(()))?;
                Ok(moved == 1 || was_moved.is_some())
            })
            .await
    }
}

fn insert(connection: &Connection, workflow: &Workflow, now: i64) -> Result<(), Failure> {
    execute(
        connection,
        INSERT,
        params![
            workflow.correlation_id.as_str(),
            workflow.account.as_str(),
            workflow.slot,
            workflow.rerun,
            micros(workflow.clock),
            workflow.state.name(),
            workflow.orders_sent,
            now,
            to_json(&workflow.configuration)?,
        ],
    )?;
    Ok(())
}
