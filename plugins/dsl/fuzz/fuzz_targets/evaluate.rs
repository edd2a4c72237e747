//! Any program that is read can be evaluated: on a few sessions, in their
//! order, with the same answers as afresh, and weights that are shares of one.
#![no_main]

mod grammar;

use alchemiser_sdk::Strategy;
use alchemiser_sdk::testing::TestMarket;
use dsl::Dsl;
use libfuzzer_sys::fuzz_target;

const SESSIONS: u32 = 48;

thread_local! {
    static MARKET: TestMarket = market();
}

/// A steady symbol, two that move, one that is listed late, one with gaps.
fn market() -> TestMarket {
    let days = || (0..SESSIONS).map(f64::from);
    let wave = |day: f64, speed: f64| 100.0 + 10.0 * (day * speed).sin();
    TestMarket::new()
        .symbol("FLAT", days().map(|_| 100.0))
        .symbol("A", days().map(|day| wave(day, 0.7)))
        .symbol("B", days().map(|day| wave(day, 1.3).round()))
        .symbol("LATE", days().map(|day| (day > 30.0).then(|| wave(day, 0.2))))
        .symbol("GAPS", days().map(|day| (day % 5.0 > 0.0).then(|| wave(day, 0.4))))
}

fuzz_target!(|data: &[u8]| {
    // Half of the inputs are text, half say which program to write: no program
    // begins with a byte above those of ASCII.
    let text = match data.split_first() {
        Some((128.., rest)) => grammar::program(rest).into_bytes(),
        _ => data.to_vec(),
    };
    let Ok(mut strategy) = Dsl::read(&text) else {
        return;
    };
    MARKET.with(|market| {
        // Neighbours, a gap, a repetition.
        for session in [0, 1, 2, 3, 9, 30, 31, 32, 33, 34, 46, 47, 47] {
            let answer = market.evaluate(&mut strategy, session);
            let mut fresh = Dsl::read(&text).expect("it was read before");
            assert_eq!(answer, market.evaluate(&mut fresh, session), "as of {session}");
            let Ok(weights) = answer else { continue };
            let units: f64 = weights
                .iter()
                .map(|weight| {
                    assert!(weight.weight > 0.0 && weight.weight <= 1.0);
                    (weight.weight * 1e10).round()
                })
                .sum();
            assert_eq!(units, 1e10);
        }
        let view = market.as_of(SESSIONS - 1);
        let _ = strategy.evaluate(&view.today());
    });
});
