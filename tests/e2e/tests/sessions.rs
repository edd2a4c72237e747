//! Many sessions on one state: the account lives on, and adds up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Account, Alchemiser, Prices, State};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The workflow of a date.
fn workflow(date: &str) -> String {
    format!("dev-paper-{date}-1600")
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// What the ledger's orders make of a new account.
fn replayed(ledger: &[Value]) -> Account {
    let mut account = Account {
        cash: Decimal::from(100_000),
        positions: BTreeMap::new(),
    };
    for entry in ledger {
        let order = &entry["order"];
        let quantity = decimal(&order["filled_qty"]);
        if quantity.is_zero() {
            continue;
        }
        let amount = cents(quantity * decimal(&order["avg_fill_price"]));
        assert_eq!(decimal(&order["trade_amount"]), amount, "{entry}");
        let symbol = order["symbol"].as_str().unwrap().to_owned();
        let position = account.positions.entry(symbol).or_default();
        match order["action"].as_str().unwrap() {
            "BUY" => {
                *position += quantity;
                account.cash -= amount;
            }
            "SELL" => {
                *position -= quantity;
                account.cash += amount;
            }
            other => panic!("{other}"),
        }
        assert!(account.cash >= Decimal::ZERO, "{entry}");
        assert!(*position >= Decimal::ZERO, "{entry}");
    }
    account.positions.retain(|_, quantity| !quantity.is_zero());
    account
}

/// What is in an account, at the closes of a date.
fn worth(account: &Account, prices: &Prices, date: &str) -> Decimal {
    let positions = account.positions.iter();
    let held = positions.map(|(symbol, quantity)| quantity * prices.close(symbol, date));
    account.cash + held.sum::<Decimal>()
}

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect()
}

/// What the tests on one state share.
struct Walk {
    alchemiser: Alchemiser,
    state: State,
    prices: Prices,
    account: Account,
    orders: usize,
}

impl Walk {
    fn new() -> Self {
        Self {
            alchemiser: Alchemiser::shipped(),
            state: State::new(),
            prices: Prices::bundled(),
            account: replayed(&[]),
            orders: 0,
        }
    }

    /// Runs a session, and checks all that must hold after it.
    fn session(&mut self, date: &str) {
        let before = std::mem::replace(&mut self.account, replayed(&[]));
        let summary = self.state.run(&self.alchemiser, date).exits(0).line();
        assert_eq!(summary["workflow"], workflow(date));
        assert_eq!(summary["session"], date);
        assert_eq!(summary["state"], "completed");
        assert_eq!(summary["already_completed"], false);

        let ledger = self.state.ledger();
        self.account = self.state.account().expect("the account was traded on");
        assert_eq!(self.account, replayed(&ledger));
        assert_eq!(decimal(&summary["cash_before"]), before.cash);
        assert_eq!(decimal(&summary["cash_after"]), self.account.cash);
        let value = cents(worth(&before, &self.prices, date));
        let stated = decimal(&summary["portfolio_value"]);
        // Each position is rounded to the cent.
        let rounding = Decimal::new(before.positions.len() as i64, 2);
        assert!((stated - value).abs() <= rounding, "{stated} for {value}");

        let new = &ledger[self.orders..];
        self.fills(new, date);
        self.events(new, date);
        self.orders = ledger.len();
        self.every_order_once(&ledger);
    }

    /// Buys are filled a basis point above the close, sells one below.
    fn fills(&self, entries: &[Value], date: &str) {
        for entry in entries {
            let order = &entry["order"];
            assert_eq!(entry["correlation_id"], workflow(date));
            assert_eq!(order["status"], "filled", "{order}");
            let close = self.prices.close(order["symbol"].as_str().unwrap(), date);
            let half_spread = match order["action"].as_str().unwrap() {
                "BUY" => Decimal::new(1, 4),
                _ => Decimal::new(-1, 4),
            };
            let price = close * (Decimal::ONE + half_spread);
            assert_eq!(decimal(&order["avg_fill_price"]), price, "{order}");
        }
    }

    /// One event of each type, each caused by the one before.
    fn events(&self, entries: &[Value], date: &str) {
        let events = self.state.events(&self.alchemiser, &workflow(date));
        assert_eq!(
            types(&events),
            [
                "WorkflowStarted",
                "SignalGenerated",
                "RebalancePlanned",
                "TradeExecuted",
                "WorkflowCompleted",
                "TradingNotificationRequested",
            ]
        );
        assert_eq!(events[0]["causation_id"], format!("cmd:{}", workflow(date)));
        for (effect, cause) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3)] {
            assert_eq!(events[effect]["causation_id"], events[cause]["event_id"]);
        }
        let sequences: Vec<&Value> = events.iter().map(|event| &event["sequence"]).collect();
        assert_eq!(json!(sequences), json!([1, 2, 3, 4, 5, 6]));
        // New York's closing auction, in summer and in winter.
        let summer = ("2020-03-08".."2020-11-01").contains(&date);
        let hour = if summer { 20 } else { 21 };
        for event in &events {
            assert_eq!(event["correlation_id"], workflow(date));
            assert_eq!(event["timestamp"], format!("{date}T{hour}:00:00.000000Z"));
        }

        let trade = &events[3]["execution_data"];
        let executed: Vec<&Value> = trade["orders"].as_array().unwrap().iter().collect();
        let recorded: Vec<&Value> = entries.iter().map(|entry| &entry["order"]).collect();
        assert_eq!(executed, recorded);
        assert_eq!(events[5]["trading_success"], true);
        assert_eq!(events[5]["execution_data"], *trade);
    }

    fn every_order_once(&self, ledger: &[Value]) {
        let name = |order: &Value| order["client_order_id"].as_str().unwrap().to_owned();
        let recorded: Vec<String> = ledger.iter().map(|entry| name(&entry["order"])).collect();
        let placed: Vec<String> = self.state.orders().iter().map(name).collect();
        assert_eq!(recorded, placed);
        let different: BTreeSet<&String> = placed.iter().collect();
        assert_eq!(different.len(), placed.len());
    }
}

#[test]
fn the_account_adds_up_over_two_dozen_sessions() {
    let mut walk = Walk::new();
    let dates = walk.prices.sessions(24, "2020-03-20");
    for date in &dates {
        walk.session(date);
    }
    assert!(walk.orders > 50, "a month of March 2020 has trades");
    let sold = walk.state.ledger();
    let sold = sold
        .iter()
        .filter(|entry| entry["order"]["action"] == "SELL");
    assert!(sold.count() > 10);

    let listed = walk
        .state
        .call(&walk.alchemiser, ["workflow", "list", "--json"]);
    let listed = listed.exits(0).lines();
    let expected: BTreeSet<String> = dates.iter().map(|date| workflow(date)).collect();
    let found: BTreeSet<String> = listed
        .iter()
        .map(|line| line["workflow"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, expected);
    assert!(listed.iter().all(|line| line["state"] == "completed"));
    assert_eq!(walk.state.dead_letters(), Vec::<Value>::new());
}

#[test]
fn a_session_is_not_done_twice() {
    let mut walk = Walk::new();
    for date in ["2022-12-22", "2022-12-23"] {
        walk.session(date);
        let archive = walk.state.archive(&walk.alchemiser);

        let again = walk.state.run(&walk.alchemiser, date).exits(0).line();
        assert_eq!(again["already_completed"], true);
        assert_eq!(again["workflow"], workflow(date));
        let again = walk
            .state
            .call(&walk.alchemiser, ["run", "--date", date])
            .exits(0);
        assert!(again.stdout.contains("already completed"), "{again:#?}");

        assert_eq!(walk.state.archive(&walk.alchemiser), archive);
        assert_eq!(walk.state.ledger().len(), walk.orders);
        assert_eq!(walk.state.account().unwrap(), walk.account);
    }
}

/// Several processes that are asked for the same at once do it once.
#[test]
fn a_session_is_done_once_by_many() {
    const DATE: &str = "2022-12-28";
    let alchemiser = Alchemiser::shipped();
    let alone = State::new();
    let _ = alone.run(&alchemiser, DATE).exits(0);
    let expected = alone.archive(&alchemiser);

    for _ in 0..5 {
        let state = State::new();
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| state.run(&alchemiser, DATE)))
                .collect();
            for run in runs {
                let summary = run.join().unwrap().exits(0).line();
                assert_eq!(summary["state"], "completed");
            }
        });
        assert_eq!(state.archive(&alchemiser), expected);
        assert_eq!(state.account(), alone.account());
        assert_eq!(state.orders(), alone.orders());
        assert_eq!(state.ledger(), alone.ledger());
    }
}

#[test]
fn an_account_cannot_go_back() {
    let mut walk = Walk::new();
    walk.session("2022-12-23");
    let archive = walk.state.archive(&walk.alchemiser);

    let refused = walk.state.run(&walk.alchemiser, "2022-12-22").exits(2);
    assert_eq!(refused.line()["error"]["class"], "Superseded");
    for date in ["2022-12-22", "2022-12-23"] {
        assert!(refused.stderr.contains(date), "{refused:#?}");
    }
    assert_eq!(walk.state.archive(&walk.alchemiser), archive);
    assert_eq!(walk.state.account().unwrap(), walk.account);

    // Sessions may be left out.
    walk.session("2022-12-28");
}

/// Without a date it is the last session of the prices.
#[test]
fn the_last_session_is_the_default() {
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    let summary = state.call(&alchemiser, ["run", "--json"]).exits(0).line();
    assert_eq!(summary["session"], "2022-12-28");
}

#[test]
fn the_account_starts_with_what_the_settings_say() {
    let alchemiser = Alchemiser::shipped()
        .with("PAPER__STARTING_CASH", "5000.50")
        .with("APP__ACCOUNT", "savings")
        .with("APP__STAGE", "trial");
    let state = State::new();
    let summary = state.run(&alchemiser, "2022-12-28").exits(0).line();
    assert_eq!(summary["workflow"], "trial-savings-2022-12-28-1600");
    assert_eq!(summary["cash_before"], "5000.50");
    assert_eq!(summary["portfolio_value"], "5000.50");
    assert_eq!(summary["account"], "savings");
}
