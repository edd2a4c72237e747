//! Simulated accounts.

use crate::database::{Durability, Failure, collect, execute, find, json, micros, text, to_json};
use crate::directory::State;
use alchemiser_broker::{BrokerOrder, PaperAccount, PaperStore, PaperStoreError};
use alchemiser_events::{AccountName, ClientOrderId, Money, Symbol};
use alchemiser_fail_points::fail_point;
use alchemiser_worker::StoreError;
use async_trait::async_trait;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CASH: &str = "SELECT cash FROM paper_accounts WHERE account = ?1";

pub(crate) const POSITIONS: &str =
    "SELECT symbol, quantity FROM paper_positions WHERE account = ?1";

pub(crate) const ORDER: &str =
    "SELECT body FROM paper_orders WHERE account = ?1 AND client_order_id = ?2";

const OPEN_ACCOUNT: &str = "
    INSERT INTO paper_accounts (account, starting_cash, cash, created_at)
    VALUES (?1, ?2, ?2, ?3)
    ON CONFLICT (account) DO NOTHING";

const SET_CASH: &str = "UPDATE paper_accounts SET cash = ?2 WHERE account = ?1";

const SET_POSITION: &str = "
    INSERT INTO paper_positions (account, symbol, quantity) VALUES (?1, ?2, ?3)
    ON CONFLICT (account, symbol) DO UPDATE SET quantity = excluded.quantity";

const CLOSE_POSITION: &str = "DELETE FROM paper_positions WHERE account = ?1 AND symbol = ?2";

const INSERT_ORDER: &str = "
    INSERT INTO paper_orders (account, client_order_id, placed_at, body)
    VALUES (?1, ?2, ?3, ?4)";

/// A simulated account in a state directory.
#[derive(Clone)]
pub struct LocalPaperStore {
    state: Arc<State>,
    account: AccountName,
    starting_cash: Money,
}

impl LocalPaperStore {
    pub(crate) fn new(state: Arc<State>, account: AccountName, starting_cash: Money) -> Self {
        Self {
            state,
            account,
            starting_cash,
        }
    }
}

/// An account that was traded on.
pub(crate) fn find_account(
    connection: &Connection,
    account: &AccountName,
) -> Result<Option<PaperAccount>, Failure> {
    let account = account.as_str();
    let Some(cash) = find(connection, CASH, [account], |row| text(row, "cash"))? else {
        return Ok(None);
    };
    let positions = collect(connection, POSITIONS, [account], |row| {
        Ok((text(row, "symbol")?, text(row, "quantity")?))
    })?;
    Ok(Some(PaperAccount {
        cash,
        positions: positions.into_iter().collect(),
    }))
}

fn find_order(
    connection: &Connection,
    account: &AccountName,
    name: &ClientOrderId,
) -> Result<Option<BrokerOrder>, Failure> {
    let parameters = (account.as_str(), name.as_str());
    Ok(find(connection, ORDER, parameters, |row| {
        json(row, "body")
    })?)
}

/// Writes what differs.
fn store_account(
    connection: &Connection,
    account: &AccountName,
    before: &PaperAccount,
    after: &PaperAccount,
) -> Result<(), Failure> {
    let account = account.as_str();
    if after.cash != before.cash {
        execute(connection, SET_CASH, (account, after.cash.to_string()))?;
    }
    for (symbol, quantity) in &after.positions {
        if before.positions.get(symbol) != Some(quantity) {
            let parameters = (account, symbol.as_str(), quantity.to_string());
            execute(connection, SET_POSITION, parameters)?;
        }
    }
    let is_closed = |symbol: &&Symbol| !after.positions.contains_key(*symbol);
    for symbol in before.positions.keys().filter(is_closed) {
        execute(connection, CLOSE_POSITION, (account, symbol.as_str()))?;
    }
    Ok(())
}

#[async_trait]
impl PaperStore for LocalPaperStore {
    async fn account(&self) -> Result<PaperAccount, PaperStoreError> {
        let account = self.account.clone();
        let found = self
            .state
            .database
            .read(move |connection| find_account(connection, &account))
            .await
            .map_err(in_broker_terms)?;
        Ok(found.unwrap_or_else(|| PaperAccount {
            cash: self.starting_cash,
            positions: BTreeMap::new(),
        }))
    }

    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, PaperStoreError> {
        let account = self.account.clone();
        let name = name.clone();
        self.state
            .database
            .read(move |connection| find_order(connection, &account, &name))
            .await
            .map_err(in_broker_terms)
    }

    async fn place(
        &self,
        name: &ClientOrderId,
        decide: Box<dyn for<'a> FnOnce(&'a mut PaperAccount) -> BrokerOrder + Send>,
    ) -> Result<BrokerOrder, PaperStoreError> {
        let name = name.clone();
        let account = self.account.clone();
        let starting_cash = self.starting_cash;
        let now = micros(self.state.clock.now());
        self.state
            .database
            .write(Durability::Flushed, move |connection| {
                if let Some(order) = find_order(connection, &account, &name)? {
                    return Ok(order);
                }
                let opening = params![account.as_str(), starting_cash.to_string(), now];
                execute(connection, OPEN_ACCOUNT, opening)?;
                let before = find_account(connection, &account)?.unwrap_or_default();

                let mut after = before.clone();
                let order = decide(&mut after);
                store_account(connection, &account, &before, &after)?;
                fail_point!(AccountMoved);
                let parameters = params![account.as_str(), name.as_str(), now, to_json(&order)?];
                execute(connection, INSERT_ORDER, parameters)?;
                Ok(order)
            })
            .await
            .map_err(in_broker_terms)
    }
}

fn in_broker_terms(error: StoreError) -> PaperStoreError {
    match error {
        StoreError::Unusable(reason) => PaperStoreError::Unusable(reason),
        error => PaperStoreError::Unavailable(error.to_string()),
    }
}
