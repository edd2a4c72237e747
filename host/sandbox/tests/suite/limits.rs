//! Whatever a plugin does ends in a typed error, and nothing else is harmed.

use crate::harness::{self, evaluate, instance, market, request, text, torture};
use alchemiser_market::Session;
use alchemiser_sandbox::{Explain, Failure, Limit, Limits, Sandbox, Settings};
use std::time::{Duration, Instant};

/// What each behaviour ends in, in the call that is asked to misbehave.
#[test]
fn each_misbehaviour_has_its_own_error() {
    let plugin = torture();
    let mut texts = Vec::new();
    for parameters in [
        r#"{"behaviour": "endless-loop"}"#,
        r#"{"behaviour": "memory-bomb"}"#,
        r#"{"behaviour": "huge-allocation"}"#,
        r#"{"behaviour": "panic"}"#,
        r#"{"behaviour": "stack-overflow"}"#,
        r#"{"behaviour": "large-frames"}"#,
        r#"{"behaviour": "large-answer"}"#,
        r#"{"behaviour": "huge-error"}"#,
        r#"{"behaviour": "error-with-control-characters"}"#,
        r#"{"behaviour": "nan-weight"}"#,
        r#"{"behaviour": "negative-weight"}"#,
        r#"{"behaviour": "weight-above-one"}"#,
        r#"{"behaviour": "weights-above-one"}"#,
        r#"{"behaviour": "unknown-symbol"}"#,
        r#"{"behaviour": "no-symbol"}"#,
        r#"{"behaviour": "duplicate-symbol"}"#,
        r#"{"behaviour": "log-flood"}"#,
        r#"{"behaviour": "quiet-log-flood"}"#,
        r#"{"behaviour": "huge-log-line"}"#,
        r#"{"behaviour": "look-ahead"}"#,
        r#"{"behaviour": "undeclared-symbol"}"#,
        r#"{"behaviour": "undeclared-history"}"#,
        r#"{"behaviour": "made-up-handle"}"#,
        r#"{"behaviour": "ask-market", "during": "load"}"#,
        r#"{"behaviour": "endless-loop", "during": "load"}"#,
        r#"{"behaviour": "memory-bomb", "during": "load"}"#,
        r#"{"behaviour": "ask-market", "during": "requirements"}"#,
        r#"{"behaviour": "endless-loop", "during": "requirements"}"#,
        r#"{"behaviour": "no-symbol", "during": "requirements"}"#,
        r#"{"behaviour": "behave", "speed": 3}"#,
        "not JSON",
    ] {
        let error = evaluate(&plugin, parameters).unwrap_err();
        assert!(!error.retryable(), "{parameters}");
        texts.push(format!("{parameters}\n    {}", text(&error)));

        // The same plugin goes on.
        evaluate(&plugin, r#"{"behaviour": "behave"}"#).unwrap();
    }
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn errors_carry_fields_for_machines() {
    let plugin = torture();
    let mut texts = Vec::new();
    for behaviour in ["memory-bomb", "undeclared-history", "duplicate-symbol"] {
        let parameters = format!(r#"{{"behaviour": "{behaviour}"}}"#);
        let error = evaluate(&plugin, &parameters).unwrap_err();
        let detail = serde_json::to_string_pretty(&error.detail()).unwrap();
        let digest = error.plugin.sha256;
        texts.push(
            detail
                .replace(&digest.to_string(), "[digest]")
                .replace(&digest.short(), "[build]"),
        );
    }
    insta::assert_snapshot!(texts.join("\n"));
}

/// A plugin may say much, within the output limit; errors stay readable.
#[test]
fn long_errors_are_cut() {
    let error = evaluate(&torture(), r#"{"behaviour": "long-error"}"#).unwrap_err();
    assert_eq!(error.class(), "Long");
    assert!(error.to_string().len() < 5000);
}

#[test]
fn an_endless_loop_ends_in_time() {
    let plugin = torture();
    let begin = Instant::now();
    let error = evaluate(&plugin, r#"{"behaviour": "endless-loop"}"#).unwrap_err();
    let elapsed = begin.elapsed();
    let limit = plugin.limits().time;
    assert_eq!(*error.failure, Failure::Limit(Limit::Time { limit }));
    assert!(elapsed >= limit, "{elapsed:?}");
    assert!(elapsed < limit + Duration::from_secs(5), "{elapsed:?}");
}

/// The sandbox sleeps while no instance lives; the clock must start again.
#[test]
fn time_is_measured_after_a_pause_too() {
    let settings = harness::settings();
    let plugin = Sandbox::new(settings)
        .unwrap()
        .load("torture", &harness::TORTURE)
        .unwrap();
    for _ in 0..2 {
        let error = evaluate(&plugin, r#"{"behaviour": "endless-loop"}"#).unwrap_err();
        assert_eq!(error.class(), "TimeLimit");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn neighbours_go_on_while_one_loops() {
    let plugin = torture();
    std::thread::scope(|scope| {
        let looping: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| evaluate(&plugin, r#"{"behaviour": "endless-loop"}"#)))
            .collect();
        let mut neighbour = instance(&plugin, r#"{"behaviour": "behave"}"#).unwrap();
        for session in 20..50 {
            neighbour.evaluate(Session(session), Explain::No).unwrap();
        }
        for thread in looping {
            assert_eq!(thread.join().unwrap().unwrap_err().class(), "TimeLimit");
        }
        neighbour.evaluate(Session(50), Explain::No).unwrap();
    });
}

#[test]
fn limits_go_by_the_name_of_the_plugin() {
    let mut settings = harness::settings();
    let large = Limits {
        memory: 64 << 20,
        ..settings.limits
    };
    settings.limits_by_plugin.insert("large".to_owned(), large);
    let sandbox = Sandbox::new(settings).unwrap();
    for (name, most) in [("small", 16), ("large", 64)] {
        let plugin = sandbox.load(name, &harness::TORTURE).unwrap();
        let mut leaking = instance(&plugin, r#"{"behaviour": "leak"}"#).unwrap();
        let (evaluations, error) = (0..)
            .find_map(|count| {
                let error = leaking.evaluate(Session(30), Explain::No).err()?;
                Some((count, error))
            })
            .unwrap();
        assert_eq!(
            *error.failure,
            Failure::Limit(Limit::Memory { limit: most << 20 })
        );
        // Each evaluation keeps 1 MiB; the plugin itself takes a little more
        // than 1 MiB, and its allocator some.
        assert!((most - 4..most).contains(&evaluations), "{evaluations}");
    }
}

#[test]
fn an_instance_ends_with_a_crash_and_not_with_an_answer() {
    let plugin = torture();
    let mut crashed = instance(&plugin, r#"{"behaviour": "panic"}"#).unwrap();
    assert_eq!(
        crashed
            .evaluate(Session(30), Explain::No)
            .unwrap_err()
            .class(),
        "Trap"
    );
    assert!(crashed.has_ended());
    let error = crashed.evaluate(Session(31), Explain::No).unwrap_err();
    insta::assert_snapshot!(text(&error));

    for parameters in [
        r#"{"behaviour": "nan-weight"}"#,
        r#"{"behaviour": "error-with-control-characters"}"#,
    ] {
        let mut refused = instance(&plugin, parameters).unwrap();
        let first = refused.evaluate(Session(30), Explain::No).unwrap_err();
        assert!(!refused.has_ended());
        let second = refused.evaluate(Session(31), Explain::No).unwrap_err();
        assert_eq!(first.class(), second.class());
    }
}

#[test]
fn more_instances_than_slots_are_refused_for_now() {
    let settings = Settings {
        instances: 2,
        ..harness::settings()
    };
    let plugin = Sandbox::new(settings)
        .unwrap()
        .load("torture", &harness::TORTURE)
        .unwrap();
    let behave = request(r#"{"behaviour": "behave"}"#);
    let first = plugin.strategy(&behave).unwrap();
    let _second = plugin.strategy(&behave).unwrap();
    let Err(error) = plugin.strategy(&behave) else {
        panic!("a third instance in two slots");
    };
    assert!(error.retryable());
    insta::assert_snapshot!(text(&error));

    drop(first);
    let mut third = plugin.strategy(&behave).unwrap().bind(market());
    third.evaluate(Session(30), Explain::No).unwrap();
}

#[test]
fn an_explanation_is_cut_short() {
    let evaluation = evaluate(&torture(), r#"{"behaviour": "explanation-flood"}"#).unwrap();
    assert!(evaluation.explanation.truncated);
    assert!(evaluation.explanation.entries.len() <= 10_000);
}
