//! Strategies that behave.

use crate::harness::{TORTURE_PORTFOLIO, evaluate, instance, request, settings, text, torture};
use alchemiser_market::Session;
use alchemiser_sandbox::{
    Explain, ExplanationDetail, LogLevel, Sandbox, Settings, StrategyFile, StrategyRequest,
};

const BEHAVE: &str = r#"{"behaviour": "behave"}"#;

#[test]
fn weights_explanation_and_log_come_out() {
    let evaluation = evaluate(&torture(), BEHAVE).unwrap();
    let weights: Vec<String> = evaluation
        .weights
        .iter()
        .map(|(symbol, weight)| format!("{symbol} {weight}"))
        .collect();
    assert_eq!(weights, ["AAPL 0.75"]);

    let entry = &evaluation.explanation.entries[0];
    assert_eq!(entry.text, "AAPL above its average");
    assert_eq!(
        entry.detail,
        ExplanationDetail::condition(100.30, 100.255, true)
    );
    assert!(!evaluation.explanation.truncated);

    // Debug lines are below the level.
    let log: Vec<&str> = evaluation
        .log
        .iter()
        .map(|line| line.message.as_str())
        .collect();
    assert_eq!(log, ["decided"]);
}

#[test]
fn nothing_is_explained_unless_asked_for() {
    let mut strategy = instance(&torture(), BEHAVE).unwrap();
    let evaluation = strategy.evaluate(Session(30), Explain::No).unwrap();
    assert!(evaluation.explanation.entries.is_empty());
}

#[test]
fn the_log_level_lets_more_through() {
    let settings = Settings {
        log_level: LogLevel::Debug,
        ..settings()
    };
    let sandbox = Sandbox::new(settings).unwrap();
    let plugin = sandbox.load("torture", &crate::harness::TORTURE).unwrap();
    let mut strategy = instance(&plugin, BEHAVE).unwrap();
    for session in [30, 31] {
        let evaluation = strategy.evaluate(Session(session), Explain::No).unwrap();
        assert_eq!(evaluation.log.len(), 2);
    }
}

#[test]
fn requirements_are_known_before_prices() {
    let strategy = torture().strategy(&request(BEHAVE)).unwrap();
    let requirements: Vec<_> = strategy
        .requirements()
        .iter()
        .map(|requirement| (requirement.symbol.as_str(), requirement.sessions))
        .collect();
    assert_eq!(requirements, [("AAPL", Some(20)), ("MSFT", Some(20))]);
}

#[test]
fn files_are_handed_over_whole() {
    let request = StrategyRequest {
        parameters: r#"{"behaviour": "echo-files"}"#.to_owned(),
        files: vec![StrategyFile {
            name: "a.clj".to_owned(),
            content: vec![0, 255, 13],
        }],
    };
    let Err(error) = torture().strategy(&request) else {
        panic!("it repeats the files as an error");
    };
    assert_eq!(error.class(), "Echo");
    assert!(error.to_string().contains(r#"[("a.clj", [0, 255, 13])]"#));
}

/// A strategy that was shown a session could remember it.
#[test]
fn sessions_never_decrease() {
    let mut strategy = instance(&torture(), BEHAVE).unwrap();
    strategy.evaluate(Session(30), Explain::No).unwrap();
    strategy.evaluate(Session(30), Explain::No).unwrap();
    let back = strategy.evaluate(Session(29), Explain::No).unwrap_err();
    let beyond = strategy.evaluate(Session(4711), Explain::No).unwrap_err();
    insta::assert_snapshot!(format!("{}\n{}", text(&back), text(&beyond)));
    strategy.evaluate(Session(31), Explain::No).unwrap();
}

/// The same instance day after day, or a new one each day: the same weights.
#[test]
fn warm_and_fresh_agree() {
    let plugin = torture();
    let mut warm = instance(&plugin, BEHAVE).unwrap();
    for session in 20..50 {
        let session = Session(session);
        let fresh = instance(&plugin, BEHAVE)
            .unwrap()
            .evaluate(session, Explain::Yes)
            .unwrap();
        assert_eq!(warm.evaluate(session, Explain::Yes).unwrap(), fresh);
    }
}

#[test]
fn a_portfolio_is_no_strategy() {
    let sandbox = Sandbox::new(settings()).unwrap();
    let plugin = sandbox.load("portfolio", &TORTURE_PORTFOLIO).unwrap();
    let Err(error) = plugin.strategy(&request("{}")) else {
        panic!("a portfolio plugin made a strategy");
    };
    insta::assert_snapshot!(text(&error));
}

#[test]
fn plugins_and_sandboxes_cross_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    fn moved<T: Send>() {}
    shared::<alchemiser_sandbox::Plugin>();
    shared::<Sandbox>();
    moved::<alchemiser_sandbox::LoadedStrategy>();
    moved::<alchemiser_sandbox::StrategyInstance>();
}
