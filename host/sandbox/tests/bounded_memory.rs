//! Hundreds of failed calls leave nothing behind. In a process of its own, so
//! that no other test is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use alchemiser_market::{Market, Session};
use alchemiser_sandbox::Explain;
use alchemiser_sandbox::{CacheLocation, Limits, Sandbox, Settings, StrategyRequest, componentize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Memory of this process in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"))
        .unwrap();
    kibibytes.trim().parse::<usize>().unwrap() << 10
}

#[test]
fn torture_leaves_nothing_behind() {
    let sandbox = Sandbox::new(Settings {
        cache: CacheLocation::Disabled,
        limits: Limits {
            time: Duration::from_millis(50),
            ..Limits::default()
        },
        ..Settings::default()
    })
    .unwrap();
    let component = componentize(&test_support::core_module("torture")).unwrap();
    let plugin = sandbox.load("torture", &component).unwrap();
    let date = alchemiser_events::SessionDate::parse("2018-01-02").unwrap();
    let bar = alchemiser_market::Bar {
        date,
        close: alchemiser_events::Price::new(1.into()).unwrap(),
    };
    let symbol = alchemiser_events::Symbol::parse("AAPL").unwrap();
    let bars = BTreeMap::from([(symbol, vec![bar])]);
    let market = Arc::new(Market::new(&bars, BTreeMap::new()).unwrap());

    let round = || {
        for behaviour in [
            "endless-loop",
            "memory-bomb",
            "huge-allocation",
            "panic",
            "stack-overflow",
            "large-answer",
            "long-error",
            "nan-weight",
            "log-flood",
            "huge-log-line",
        ] {
            let request = StrategyRequest {
                parameters: format!(r#"{{"behaviour": "{behaviour}"}}"#),
                files: Vec::new(),
            };
            let mut strategy = plugin.strategy(&request).unwrap().bind(Arc::clone(&market));
            strategy.evaluate(Session(0), Explain::Yes).unwrap_err();
        }
    };
    round();
    let before = resident();
    for _ in 0..20 {
        round();
    }
    let after = resident();
    assert!(
        after < before + (32 << 20),
        "from {before} to {after} bytes in 200 calls"
    );
}
