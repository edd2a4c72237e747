//! What calls need is measured, and counted the same each time.

use crate::harness::{self, market, request};
use alchemiser_market::Session;
use alchemiser_sandbox::{Explain, Sandbox, Settings, Usage};
use std::time::Duration;

fn sandbox(count_fuel: bool) -> Sandbox {
    Sandbox::new(Settings {
        count_fuel,
        ..harness::settings()
    })
    .unwrap()
}

/// What a fresh instance needs to evaluate some sessions.
fn usages(sandbox: &Sandbox, behaviour: &str, sessions: &[u32]) -> Vec<Usage> {
    let plugin = sandbox.load("torture", &harness::TORTURE).unwrap();
    let parameters = format!(r#"{{"behaviour": "{behaviour}"}}"#);
    let mut strategy = plugin
        .strategy(&request(&parameters))
        .unwrap()
        .bind(market());
    let mut usages = vec![strategy.usage()];
    for &session in sessions {
        // What it answers is not what is looked at.
        let _ = strategy.evaluate(Session(session), Explain::No);
        usages.push(strategy.usage());
    }
    usages
}

fn fuel(usages: &[Usage]) -> Vec<u64> {
    usages.iter().map(|usage| usage.fuel.unwrap()).collect()
}

#[test]
fn fuel_is_the_same_for_the_same_calls() {
    let sessions = [20, 21, 30, 59];
    let first = fuel(&usages(&sandbox(true), "behave", &sessions));
    assert!(first.iter().all(|fuel| *fuel > 0), "{first:?}");
    // In another engine, in an instance whose slot was used before, and while
    // other threads keep the machine busy.
    let other = sandbox(true);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| fuel(&usages(&other, "behave", &sessions))))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), first);
        }
    });
    assert_eq!(fuel(&usages(&other, "behave", &sessions)), first);
}

#[test]
fn a_call_that_is_ended_has_its_time_and_no_fuel() {
    for behaviour in ["endless-loop", "panic"] {
        let [load, call] = usages(&sandbox(true), behaviour, &[30])[..] else {
            panic!("one call was made");
        };
        assert!(load.fuel.is_some());
        assert_eq!(call.fuel, None, "{behaviour}");
        assert!(call.memory > 0, "{behaviour}");
        if behaviour == "endless-loop" {
            assert!(call.time >= Duration::from_millis(500), "{call:?}");
        }
    }
}

#[test]
fn memory_is_the_most_so_far() {
    let leaking = usages(&sandbox(false), "leak", &[30, 31, 32]);
    let memory: Vec<usize> = leaking.iter().map(|usage| usage.memory).collect();
    for pair in memory.windows(2) {
        assert!(pair[1] >= pair[0] + (1 << 19), "{memory:?}");
    }
}

#[test]
fn fuel_is_counted_on_demand_only() {
    for usage in usages(&sandbox(false), "behave", &[30]) {
        assert_eq!(usage.fuel, None);
        assert!(usage.time > Duration::ZERO);
    }
}
