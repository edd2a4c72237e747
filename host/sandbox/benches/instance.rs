//! What a call costs.

#![allow(clippy::unwrap_used, missing_docs)]

use alchemiser_events::{Decimal, Price, SessionDate, Symbol};
use alchemiser_market::{Bar, Market, Session};
use alchemiser_sandbox::{
    CacheLocation, Explain, Sandbox, Settings, StrategyRequest, componentize,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

fn market() -> Arc<Market> {
    let bars = (1..=28)
        .zip(10_000_i64..)
        .map(|(day, cents)| Bar {
            date: SessionDate::parse(&format!("2018-01-{day:02}")).unwrap(),
            close: Price::new(Decimal::new(cents, 2)).unwrap(),
        })
        .collect();
    let symbol = Symbol::parse("AAPL").unwrap();
    Arc::new(Market::new(&BTreeMap::from([(symbol, bars)]), BTreeMap::new()).unwrap())
}

fn instance(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        cache: CacheLocation::Directory(folder.path().join("aot")),
        ..Settings::default()
    };
    let component = componentize(&test_support::core_module("torture")).unwrap();
    let sandbox = Sandbox::new(settings).unwrap();
    let plugin = sandbox.load("torture", &component).unwrap();
    let request = StrategyRequest {
        parameters: r#"{"behaviour": "behave"}"#.to_owned(),
        files: Vec::new(),
    };
    let market = market();

    // A new store, the instance in it, `load`, `requirements`, and all dropped.
    criterion.bench_function("fresh instance", |bencher| {
        bencher.iter(|| plugin.strategy(black_box(&request)).unwrap());
    });
    criterion.bench_function("fresh instance and one evaluation", |bencher| {
        bencher.iter(|| {
            let mut strategy = plugin.strategy(&request).unwrap().bind(Arc::clone(&market));
            strategy.evaluate(Session(20), Explain::No).unwrap()
        });
    });
    // Four calls of the market and two log lines in each.
    criterion.bench_function("warm evaluation", |bencher| {
        let mut strategy = plugin.strategy(&request).unwrap().bind(Arc::clone(&market));
        bencher.iter(|| {
            strategy
                .evaluate(black_box(Session(20)), Explain::No)
                .unwrap()
        });
    });
    criterion.bench_function("load of a compiled plugin", |bencher| {
        bencher.iter(|| sandbox.load("torture", black_box(&component)).unwrap());
    });
}

criterion_group!(benches, instance);
criterion_main!(benches);
