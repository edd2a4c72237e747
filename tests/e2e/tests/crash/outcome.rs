//! All that a state is left with, and what must hold of it.

use e2e::{Account, State};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;

/// Everything that must be as if nothing had happened.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Every event, to the byte.
    archive: Vec<String>,
    /// Event, target and how it ended.
    deliveries: Vec<(String, String, String)>,
    workflows: Vec<(String, String)>,
    account: Option<Account>,
    ledger: Vec<Value>,
    orders: Vec<Value>,
    dead_letters: Vec<Value>,
}

impl Outcome {
    /// What there is in a state in which nobody is at work, after looking
    /// whether it is sound.
    #[track_caller]
    pub(crate) fn of(state: &State) -> Self {
        let outcome = Self {
            archive: state.rows(
                "SELECT body FROM events ORDER BY correlation_id, sequence, event_id",
                |row| row.get(0),
            ),
            deliveries: state.rows(
                "SELECT event_id, target, state FROM deliveries
                 JOIN events ON event = events.position ORDER BY event_id, target",
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            ),
            workflows: state.rows(
                "SELECT correlation_id, state FROM workflows ORDER BY correlation_id",
                |row| Ok((row.get(0)?, row.get(1)?)),
            ),
            account: state.account(),
            ledger: state.ledger(),
            orders: state.orders(),
            dead_letters: state.dead_letters(),
        };
        outcome.is_sound(state);
        outcome
    }

    /// What holds of every state, whatever was done in it.
    #[track_caller]
    fn is_sound(&self, state: &State) {
        let text = |query| state.rows(query, |row| row.get::<_, String>(0));
        assert_eq!(text("PRAGMA integrity_check"), ["ok"]);
        assert!(text("PRAGMA foreign_key_check").is_empty());

        // Every workflow has ended, and of each end the owner was told once.
        for (workflow, state) in &self.workflows {
            assert!(
                ["completed", "failed"].contains(&state.as_str()),
                "{workflow} is {state}"
            );
        }
        let mut ends: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let events: Vec<Value> = self.archive.iter().map(|body| parse(body)).collect();
        for event in &events {
            let workflow = event["correlation_id"].as_str().unwrap();
            let event_type = event["event_type"].as_str().unwrap();
            *ends.entry((workflow, event_type)).or_default() += 1;
        }
        let count = |workflow: &str, event_type| ends.get(&(workflow, event_type)).copied();
        for (workflow, state) in &self.workflows {
            assert_eq!(count(workflow, "WorkflowStarted"), Some(1));
            let completed = count(workflow, "WorkflowCompleted").unwrap_or(0);
            let failed = count(workflow, "WorkflowFailed").unwrap_or(0);
            assert_eq!(completed, usize::from(state == "completed"), "{workflow}");
            assert_eq!(
                count(workflow, "TradingNotificationRequested"),
                Some(completed + failed),
                "{workflow}"
            );
        }

        // Every event once, and every delivery at its end.
        let ids: BTreeSet<&str> = events
            .iter()
            .map(|event| event["event_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), events.len());
        for delivery in &self.deliveries {
            assert!(
                ["done", "dead"].contains(&delivery.2.as_str()),
                "{delivery:?}"
            );
        }

        // Every order once, each in the ledger, and the account is what they
        // make of it.
        let sent: Vec<&Value> = self.orders.iter().map(|order| &order["id"]).collect();
        let recorded: Vec<&Value> = self
            .ledger
            .iter()
            .map(|entry| &entry["order"]["order_id"])
            .filter(|order| !order.is_null())
            .collect();
        assert_eq!(sent, recorded);
        let names: BTreeSet<&str> = self
            .ledger
            .iter()
            .map(|entry| entry["order"]["client_order_id"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), self.ledger.len());
        if let Some(account) = &self.account {
            assert_eq!(*account, traded(&self.orders));
        }

        // What the events refer to can be read.
        for event in &events {
            each_reference(event, &mut |sha256, size| {
                let path = state.path().join("blobs").join(&sha256[..2]).join(sha256);
                let content = fs::read(&path).expect("what an event refers to is there");
                assert_eq!(content.len() as u64, size);
                assert_eq!(hexadecimal(&Sha256::digest(&content)), sha256);
            });
        }
    }

    /// Holds it to what is expected, and shows no more than what differs.
    #[track_caller]
    pub(crate) fn must_be(&self, expected: &Self, after: &str) {
        same("event", &self.archive, &expected.archive, after);
        same("delivery", &self.deliveries, &expected.deliveries, after);
        same("workflow", &self.workflows, &expected.workflows, after);
        same("order", &self.orders, &expected.orders, after);
        same("ledger entry", &self.ledger, &expected.ledger, after);
        same(
            "dead letter",
            &self.dead_letters,
            &expected.dead_letters,
            after,
        );
        assert_eq!(self.account, expected.account, "after {after}");
    }

    pub(crate) fn orders(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn has_both_sides(&self) -> bool {
        let has = |side: &str| self.orders.iter().any(|order| order["side"] == side);
        has("BUY") && has("SELL")
    }
}

#[track_caller]
fn same<T: Debug + PartialEq>(what: &str, found: &[T], expected: &[T], after: &str) {
    let extra = found.iter().find(|item| !expected.contains(item));
    assert!(
        extra.is_none(),
        "after {after}, there is a {what} too many: {extra:?}"
    );
    let lost = expected.iter().find(|item| !found.contains(item));
    assert!(lost.is_none(), "after {after}, a {what} is lost: {lost:?}");
    assert!(
        found == expected,
        "after {after}, every {what} is there, in another order or number"
    );
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// What the broker's orders make of a new account.
fn traded(orders: &[Value]) -> Account {
    let mut account = Account {
        cash: Decimal::from(100_000),
        positions: BTreeMap::new(),
    };
    for order in orders {
        let quantity = decimal(&order["filled_quantity"]);
        if quantity.is_zero() {
            continue;
        }
        let value = (quantity * decimal(&order["average_price"]))
            .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        let symbol = order["symbol"].as_str().unwrap().to_owned();
        let position = account.positions.entry(symbol).or_default();
        let is_buy = order["side"] == "BUY";
        let (shares, cash) = if is_buy {
            (quantity, -value)
        } else {
            (-quantity, value)
        };
        *position += shares;
        account.cash += cash;
    }
    account.positions.retain(|_, quantity| !quantity.is_zero());
    account
}

/// Visits every `{"sha256": …, "size": …}` of a document.
fn each_reference(value: &Value, visit: &mut impl FnMut(&str, u64)) {
    match value {
        Value::Object(fields) => {
            if let (Some(sha256), Some(size)) = (fields.get("sha256"), fields.get("size")) {
                visit(sha256.as_str().unwrap(), size.as_u64().unwrap());
            }
            fields
                .values()
                .for_each(|field| each_reference(field, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| each_reference(item, visit)),
        _ => {}
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
