//! Strategies that cheat are found out, and honest ones are left alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_events::{Decimal, ErrorDetail, Symbol, Weight};
use alchemiser_market::{Market, Session};
use alchemiser_sandbox::Usage;
use alchemiser_scenarios::{
    Answer, Asked, Finding, FindingKind, Instance, Markets, Report, ScenarioFile, Subject, Task,
    run_strategy,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A strategy as a function of market, session, and the number of calls before.
struct Fake<F>(F);

struct Started<'a, F> {
    answer: &'a F,
    market: Arc<Market>,
    calls: u32,
}

impl<F: Fn(&Market, Session, u32) -> Answer> Subject for Fake<F> {
    fn start(&self, market: &Arc<Market>) -> Result<Box<dyn Instance + '_>, Answer> {
        Ok(Box::new(Started {
            answer: &self.0,
            market: Arc::clone(market),
            calls: 0,
        }))
    }
}

impl<F: Fn(&Market, Session, u32) -> Answer> Instance for Started<'_, F> {
    fn ask(&mut self, session: Session) -> Asked {
        let answer = (self.answer)(&self.market, session, self.calls);
        self.calls += 1;
        let usage = Usage {
            time: Duration::from_millis(2),
            fuel: Some(1000 + u64::from(session.0)),
            memory: 1 << 20,
        };
        Asked {
            answer,
            usage: Some(usage),
        }
    }
}

fn symbol() -> Symbol {
    Symbol::parse("SPY").unwrap()
}

fn weight(weight: Decimal) -> Answer {
    Answer::Weights(BTreeMap::from([(symbol(), Weight::new(weight).unwrap())]))
}

fn error(class: &str) -> ErrorDetail {
    ErrorDetail {
        class: class.to_owned(),
        message: format!("this is a {class}"),
        retryable: false,
        context: BTreeMap::from([("symbol".to_owned(), "SPY".to_owned())]),
    }
}

/// The last close on or before a session, by a thousand.
fn close(market: &Market, session: Session) -> Answer {
    match market.price(&symbol(), session) {
        Ok(price) => weight(price.decimal() / Decimal::ONE_THOUSAND),
        Err(_) => Answer::Error(error("InsufficientHistory")),
    }
}

const PRICES: &str = "prices = { SPY = [100, 101, 102, 103], TLT = [50, 51, 52, 53] }";

fn run(subject: &dyn Subject, scenario: &str) -> Report {
    let text = format!("[[scenario]]\nname = \"a\"\n{scenario}");
    let path = Path::new("scenarios.toml");
    let file = ScenarioFile::parse(&text, path, &mut Markets::new());
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    let scenario = &file.scenarios[0];
    let Task::Strategy(task) = &scenario.task else {
        panic!("it has no request");
    };
    run_strategy(subject, task, scenario.tolerance, &scenario.budget)
}

/// The findings as text.
fn findings(report: &Report) -> String {
    let text = |finding: &Finding| {
        let Finding {
            kind,
            line,
            place,
            message,
            differences,
            ..
        } = finding;
        let place = place.map(|place| format!("{} ({})", place.date, place.session.0));
        let mut text = format!("{kind:?} {line:?} {}: {message}", place.unwrap_or_default());
        for row in differences {
            text.push_str(&format!(
                "\n    {} {:?} {:?} {:?}",
                row.name, row.expected, row.got, row.difference
            ));
        }
        text
    };
    let texts: Vec<String> = report.findings.iter().map(text).collect();
    texts.join("\n")
}

#[test]
fn an_honest_strategy_passes() {
    let honest = Fake(|market: &Market, session, _| close(market, session));
    for expect in [
        "",
        "[[scenario.expect]]\nsession = 2\nweights = { SPY = 0.102 }",
        "[[scenario.expect]]\ndate = 2018-01-02\nweights = { spy = 0.101, TLT = 0 }",
        "[[scenario.expect]]\nweights = { SPY = \"0.1030000001\" }",
    ] {
        let report = run(&honest, &format!("{PRICES}\n{expect}"));
        assert_eq!(findings(&report), "", "{expect}");
        assert!(report.passed());
        assert_eq!(report.cost.fuel, Some(1003));
        assert_eq!(report.cost.memory, 1 << 20);
        assert_eq!(report.cost.time, Duration::from_millis(2));
    }
}

#[test]
fn errors_are_answers_too() {
    let late = Fake(|market: &Market, session, _| close(market, session));
    let prices = "prices = { SPY = [nan, nan, 102, 103], TLT = [50, 51, 52, 53] }";
    let expect = "[[scenario.expect]]\nsession = 1\n\
                  error = { class = \"InsufficientHistory\", symbol = \"SPY\", message = \"is a\" }";
    assert_eq!(findings(&run(&late, &format!("{prices}\n{expect}"))), "");

    let mut texts = Vec::new();
    for expect in [
        "session = 1\nerror = { class = \"NoData\" }",
        "session = 1\nerror = { class = \"InsufficientHistory\", symbol = \"TLT\" }",
        "session = 1\nerror = { class = \"InsufficientHistory\", message = \"is no\" }",
        "session = 1\nweights = {}",
        "session = 2\nerror = { class = \"NoData\" }",
        "session = 2\nweights = { TLT = 0.5, SPY = 0.1 }",
        "session = 2\nweights = { SPY = 0.102000002 }",
        "session = 2",
    ] {
        let report = run(&late, &format!("{prices}\n[[scenario.expect]]\n{expect}"));
        texts.push(format!("{expect}\n  {}", findings(&report)));
    }
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn tolerance_is_the_scenarios() {
    let honest = Fake(|market: &Market, session, _| close(market, session));
    let expect = "[[scenario.expect]]\nsession = 2\nweights = { SPY = 0.1025 }";
    let passes = |tolerance| {
        run(
            &honest,
            &format!("tolerance = {tolerance}\n{PRICES}\n{expect}"),
        )
        .passed()
    };
    assert!(passes("1e-3"));
    assert!(!passes("1e-4"));
}

#[test]
fn a_counter_is_found_out() {
    let counting = Fake(|_: &Market, _, calls: u32| weight(Decimal::new(i64::from(calls % 2), 0)));
    let report = run(&counting, PRICES);
    assert_eq!(report.findings[0].kind, FindingKind::EarlierCalls);
    insta::assert_snapshot!(findings(&report));
}

/// Asked twice about one session it gives one answer.
#[test]
fn a_cache_is_found_out() {
    let first: std::sync::Mutex<Option<(usize, Answer)>> = std::sync::Mutex::default();
    let caching = Fake(|market: &Market, session, calls: u32| {
        let mut first = first.lock().unwrap();
        if calls == 0 {
            *first = None;
        }
        let (_, answer) = first.get_or_insert_with(|| (0, close(market, session)));
        answer.clone()
    });
    let report = run(&caching, PRICES);
    assert_eq!(report.findings[0].kind, FindingKind::EarlierCalls);
    insta::assert_snapshot!(findings(&report));
}

#[test]
fn whoever_sees_the_future_is_found_out() {
    let tomorrow =
        Fake(|market: &Market, session: Session, _| close(market, Session(session.0 + 1)));
    let length = Fake(|market: &Market, _, _| {
        let sessions = market.calendar().dates().len();
        weight(Decimal::new(i64::try_from(sessions).unwrap(), 2))
    });
    let subjects: [(&str, &dyn Subject); 2] = [
        ("tomorrow's close", &tomorrow),
        ("how long the data is", &length),
    ];
    let mut texts = Vec::new();
    for (what, subject) in subjects {
        let report = run(subject, PRICES);
        assert_eq!(report.findings[0].kind, FindingKind::Future, "{what}");
        texts.push(format!("{what}\n  {}", findings(&report)));
    }
    insta::assert_snapshot!(texts.join("\n\n"));
}

/// A look ahead in a long market is found even where nothing is expected.
#[test]
fn samples_are_taken_of_long_markets() {
    let prices = "prices = { generate = { seed = 1, sessions = 3000, symbols = [\"SPY\"] } }";
    let late = Fake(|market: &Market, session: Session, calls: u32| {
        if session.0 > 2500 && calls > 100 {
            weight(Decimal::ZERO)
        } else {
            close(market, session)
        }
    });
    let report = run(&late, prices);
    assert_eq!(report.findings[0].kind, FindingKind::EarlierCalls);
    // All of the last 1000 in a row, and some alone and with other futures.
    let honest = Fake(|market: &Market, session, _| close(market, session));
    let calls = run(&honest, prices).cost.calls;
    assert!((1000..1200).contains(&calls), "{calls}");
}

#[test]
fn a_defect_is_a_failure_unless_it_is_expected() {
    let crashing = Fake(|market: &Market, session: Session, _| {
        if session == Session(2) {
            Answer::Defect {
                detail: error("MemoryLimit"),
                advice: "keep less".to_owned(),
            }
        } else {
            close(market, session)
        }
    });
    let report = run(&crashing, PRICES);
    assert_eq!(
        findings(&report),
        "Defect None 2018-01-03 (2): MemoryLimit: this is a MemoryLimit; keep less"
    );
    let expect = "[[scenario.expect]]\nsession = 2\nerror = { class = \"MemoryLimit\" }";
    assert_eq!(
        findings(&run(&crashing, &format!("{PRICES}\n{expect}"))),
        ""
    );
}

/// What exceeds a limit does so as of other sessions too.
#[test]
fn a_defect_that_is_expected_once_may_happen_again() {
    let exceeds = |from: u32, class: &'static str| {
        Fake(move |market: &Market, session: Session, _| {
            if session >= Session(from) {
                Answer::Defect {
                    detail: error(class),
                    advice: String::new(),
                }
            } else {
                close(market, session)
            }
        })
    };
    let expect = "[[scenario.expect]]\nsession = 3\nerror = { class = \"MemoryLimit\" }";
    let scenario = format!("{PRICES}\n{expect}");
    for from in 0..=3 {
        let report = run(&exceeds(from, "MemoryLimit"), &scenario);
        assert_eq!(findings(&report), "", "from session {from}");
    }
    assert_eq!(
        findings(&run(&exceeds(2, "TimeLimit"), &scenario)),
        "Defect None 2018-01-03 (2): TimeLimit: this is a TimeLimit"
    );
    assert_eq!(
        findings(&run(&exceeds(3, "TimeLimit"), &scenario)),
        "Defect Some(4) 2018-01-04 (3): expected the error MemoryLimit; it is TimeLimit: this is \
         a TimeLimit"
    );
}

#[test]
fn a_misspelt_class_comes_with_the_right_one() {
    let short = Fake(|_: &Market, _, _| Answer::Error(error("InsufficientHistory")));
    let expect = "[[scenario.expect]]\nerror = { class = \"InsufficentHistory\" }";
    assert_eq!(
        findings(&run(&short, &format!("{PRICES}\n{expect}"))),
        "Expectation Some(4) 2018-01-04 (3): expected the error InsufficentHistory; it is \
         InsufficientHistory (this is a InsufficientHistory); did you mean `InsufficientHistory`?"
    );
}

#[test]
fn what_cannot_be_loaded_says_so() {
    struct Refusing;
    impl Subject for Refusing {
        fn start(&self, _: &Arc<Market>) -> Result<Box<dyn Instance + '_>, Answer> {
            Err(Answer::Error(error("ParameterError")))
        }
    }
    let expect = "[[scenario.expect]]\nerror = { class = \"ParameterError\" }";
    assert_eq!(
        findings(&run(&Refusing, &format!("{PRICES}\n{expect}"))),
        ""
    );
    insta::assert_snapshot!(findings(&run(&Refusing, PRICES)));
}

#[test]
fn budgets_are_held() {
    let honest = Fake(|market: &Market, session, _| close(market, session));
    let report = |budget| run(&honest, &format!("budget = {budget}\n{PRICES}"));
    assert_eq!(findings(&report("{ time_ms = 2, fuel = 1003 }")), "");
    insta::assert_snapshot!(findings(&report("{ time_ms = 1.5, fuel = 1_002 }")));
}
