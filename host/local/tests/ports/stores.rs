//! Accounts and the ledger.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_broker::{BrokerOrder, BrokerOrderStatus, PaperAccount, PaperStore as _};
use alchemiser_events::{
    AccountName, BrokerOrderId, ClientOrderId, Decimal, Money, OrderResult, OrderStatus, OrderType,
    PlanId, Price, Quantity, Side, Symbol, Timestamp,
};
use alchemiser_worker::{Ledger as _, LedgerEntry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn name(number: usize) -> ClientOrderId {
    ClientOrderId::parse(&format!("al-{number}")).unwrap()
}

fn spy() -> Symbol {
    Symbol::parse("SPY").unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// Buys `quantity` for 10.01 each, or sells all of it if that is nothing.
fn trade(account: &mut PaperAccount, name: ClientOrderId, quantity: &str) -> BrokerOrder {
    let price = Price::new(decimal("10.01")).unwrap();
    let quantity = Quantity::new(decimal(quantity)).unwrap();
    let side = if quantity.is_zero() {
        let held = account.positions.remove(&spy()).unwrap();
        account.cash = account.cash + held.at(price);
        Side::Sell
    } else {
        let held = account.positions.entry(spy()).or_default();
        *held = *held + quantity;
        account.cash = account.cash - quantity.at(price);
        Side::Buy
    };
    BrokerOrder {
        id: BrokerOrderId::paper(&name),
        client_order_id: name,
        symbol: spy(),
        side,
        quantity,
        status: BrokerOrderStatus::Filled,
        filled_quantity: quantity,
        average_price: Some(price),
        filled_at: None,
        reason: None,
    }
}

#[tokio::test]
async fn an_account_is_opened_by_its_first_order_and_kept_to_the_cent() {
    let path = scratch();
    let clock = ManualClock::new();
    let paper = AccountName::parse("paper").unwrap();
    let starting = Money::new(decimal("1000"));
    {
        let directory = open(path.path(), &clock);
        let store = directory.paper_store(&paper, starting);
        assert_eq!(store.account().await.unwrap().cash, starting);
        let queries = directory.queries().unwrap();
        assert!(queries.paper_account(&paper).unwrap().is_none());

        for (number, quantity) in [(1, "1.123456789"), (2, "2")] {
            let decide =
                Box::new(move |account: &mut PaperAccount| trade(account, name(number), quantity));
            let order = store.place(&name(number), decide).await.unwrap();
            assert_eq!(store.order(&name(number)).await.unwrap(), Some(order));
        }
    }
    // A later setting does not change an account that is there.
    let directory = open(path.path(), &clock);
    let store = directory.paper_store(&paper, Money::new(decimal("5")));
    let account = store.account().await.unwrap();
    assert_eq!(account.cash.to_string(), "968.73");
    assert_eq!(account.positions[&spy()].to_string(), "3.123456789");
    assert_eq!(store.order(&name(3)).await.unwrap(), None);

    let decide = Box::new(|account: &mut PaperAccount| trade(account, name(3), "0"));
    store.place(&name(3), decide).await.unwrap();
    let account = store.account().await.unwrap();
    assert_eq!(account.cash, starting);
    assert!(account.positions.is_empty());

    let other = AccountName::parse("other").unwrap();
    let other = directory.paper_store(&other, starting);
    assert_eq!(other.order(&name(1)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_placed_once_whoever_places_it() {
    let path = scratch();
    let clock = ManualClock::new();
    let paper = AccountName::parse("paper").unwrap();
    let directories = [open(path.path(), &clock), open(path.path(), &clock)];
    let decided = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..20 {
        for directory in &directories {
            let store = directory.paper_store(&paper, Money::new(decimal("1000")));
            let decided = Arc::clone(&decided);
            tasks.push(tokio::spawn(async move {
                let decide = Box::new(move |account: &mut PaperAccount| {
                    decided.fetch_add(1, Ordering::Relaxed);
                    trade(account, name(number), "1")
                });
                store.place(&name(number), decide).await.unwrap()
            }));
        }
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().status, BrokerOrderStatus::Filled);
    }
    assert_eq!(decided.load(Ordering::Relaxed), 20);
    let account = directories[0]
        .queries()
        .unwrap()
        .paper_account(&paper)
        .unwrap()
        .unwrap();
    assert_eq!(account.cash.to_string(), "799.80");
    assert_eq!(account.positions[&spy()].to_string(), "20");
}

fn entry(number: usize, quantity: &str) -> LedgerEntry {
    let quantity = Quantity::new(decimal(quantity)).unwrap();
    LedgerEntry {
        correlation_id: correlation("w"),
        plan_id: PlanId::parse("plan").unwrap(),
        order: OrderResult {
            symbol: spy(),
            action: Side::Buy,
            status: OrderStatus::Filled,
            success: true,
            client_order_id: name(number),
            order_id: None,
            order_type: OrderType::Market,
            requested_qty: quantity,
            filled_qty: quantity,
            remaining_qty: Quantity::ZERO,
            avg_fill_price: None,
            trade_amount: Money::ZERO,
            timestamp: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
            filled_at: None,
            error_message: None,
        },
        strategy_weights: BTreeMap::new(),
    }
}

#[tokio::test]
async fn the_ledger_keeps_the_first_entry_of_an_order_and_the_order_of_entries() {
    let path = scratch();
    let directory = open(path.path(), &ManualClock::new());
    let ledger = directory.ledger();
    let entries = [entry(2, "1"), entry(1, "0.5")];
    for entry in &entries {
        ledger.record(entry).await.unwrap();
    }
    ledger.record(&entry(2, "7")).await.unwrap();
    let workflow = correlation("w");
    assert_eq!(ledger.of_workflow(&workflow).await.unwrap(), entries);
    assert_eq!(
        directory.queries().unwrap().ledger(&workflow).unwrap(),
        entries
    );
    assert!(
        ledger
            .of_workflow(&correlation("v"))
            .await
            .unwrap()
            .is_empty()
    );
}
