//! How scenario files are read, refused and written anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_events::{Symbol, Weight};
use alchemiser_market::Session;
use alchemiser_scenarios::{Change, Markets, NewAnswer, ScenarioFile, Task, update};
use std::collections::BTreeMap;
use std::path::Path;

fn parse(text: &str) -> Result<ScenarioFile, String> {
    let path = Path::new("tests/trend.toml");
    ScenarioFile::parse(text, path, &mut Markets::new()).map_err(|error| error.to_string())
}

#[test]
fn prices_come_in_three_forms() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("prices.csv"),
        "date,SPY\n2022-12-27,1\n2022-12-28,2\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("note.txt"), "a note").unwrap();
    let text = r#"
        strategy = "trend.clj"

        [[scenario]]
        name = "literal"
        first_date = 2024-01-06 # a Saturday
        prices = { SPY = [1, 2.5, "3.25"], "brk/b" = [nan, 5, nan] }

        [[scenario]]
        name = "a file"
        prices = "prices.csv"
        files = ["note.txt"]

        [[scenario]]
        name = "generated"
        prices = { generate = { seed = 7, sessions = 3, symbols = ["SPY", "TLT"] } }
    "#;
    let path = folder.path().join("trend.toml");
    let file = ScenarioFile::parse(text, &path, &mut Markets::new()).unwrap();
    assert_eq!(file.strategy.as_deref(), Some("trend.clj"));
    let mut texts = Vec::new();
    for scenario in &file.scenarios {
        let Task::Strategy(task) = &scenario.task else {
            panic!("{}", scenario.name);
        };
        texts.push(format!("{} (line {})", scenario.name, scenario.line));
        let dates = task.market.calendar().dates();
        for (date, session) in dates.iter().zip(0..) {
            let closes: Vec<String> = task
                .market
                .symbols()
                .map(|symbol| {
                    let close = task
                        .market
                        .history(symbol)
                        .unwrap()
                        .price_on(Session(session));
                    let close = close.map_or("-".to_owned(), |close| close.to_string());
                    format!("{symbol} {close}")
                })
                .collect();
            texts.push(format!("  {date} {}", closes.join(", ")));
        }
        for file in &task.files {
            texts.push(format!("  {} {} bytes", file.name, file.content.len()));
        }
    }
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = r#"stratgy = "trend.clj"

[[scenario]]
name = "keys"
price = { SPY = [1, 2] }
prices = { SPY = [1, -2, 0, "x", true], QQQ = 3, "S P" = [1] }
budget = { time = 3, fuel = -1 }
tolerance = -1
parameters = 3

[[scenario.expect]]
sesion = 1

[[scenario]]
prices = { SPY = [1, 2, 3], TLT = [1, 2] }
first_date = "2024-13-01"

[[scenario]]
name = "no prices"

[[scenario]]
name = "sessions"
first_date = "2024-01-02"
prices = { SPY = [1, 2, 3, 4] }

[[scenario.expect]]
session = 4
weights = {}

[[scenario.expect]]
date = "2024-01-06"
weights = { SPY = 1.5 }

[[scenario.expect]]
date = "2024-01-05"
session = 1
error = { klass = "NoData" }

[[scenario.expect]]
weights = { SPY = 1 }
error = { class = "NoData" }

[[scenario]]
name = "sessions"
prices = { generate = { sessions = 0, symbols = ["SPY", 3] } }

[[scenario]]
name = "nobody"
prices = { SPY = [1, nan], TLT = [1, nan] }

[[scenario]]
name = "files"
prices = "nowhere.csv"
files = ["nowhere.txt"]
first_date = "2024-01-02"

[[scenario]]
name = "a plan"
parameters = {}
prices = { SPY = [1] }
[scenario.request]
cash = "much"
targets = { SPY = 1.5, TLT = 0.5 }
positions = { SPY = -1 }
instruments = { SPY = { prize = 3 } }
settings = { cash_reserv = 0.5 }

[[scenario.expect]]
action = "by"

[[scenario.expect]]
symbol = "SPY"
action = "by"

[[scenario]]
name = "another plan"
request = { targets = { TLT = 0.5 } }
expect = [{ error = { class = "NoData" } }, { symbol = "TLT" }]
"#;
    insta::assert_snapshot!(parse(text).unwrap_err());
}

#[test]
fn texts_that_are_no_scenarios() {
    let texts = [
        "",
        "[[scenario]",
        "scenario = 3",
        "[scenario]\nname = \"a\"\n",
        "strategy = 1",
    ];
    let messages: Vec<String> = texts
        .iter()
        .map(|text| format!("{text:?}\n  {}", parse(text).unwrap_err()))
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn updates_leave_the_rest_as_it_is() {
    let text = r#"# Kept.

[[scenario]] # kept too
name    = "odd layout"
prices  = {SPY=[1,2,3]}

[[scenario.expect]]
session = 0   # first
weights = { TLT = 1.0 }   # was bonds

[[scenario.expect]]
session = 1

[[scenario.expect]]
session = 2
[scenario.expect.weights]
TLT = 1.0 # gone

[[scenario]]
name = "inline"
prices = { SPY = [1, 2] }
expect = [{ session = 0, error = { class = "NoData" } }, { weights = {} }]

[[scenario]]
name = "a plan"
request = {}
"#;
    let weights = |pairs: &[(&str, &str)]| {
        let weights: BTreeMap<Symbol, Weight> = pairs
            .iter()
            .map(|(symbol, weight)| {
                let weight = Weight::new(weight.parse().unwrap()).unwrap();
                (Symbol::parse(symbol).unwrap(), weight)
            })
            .collect();
        NewAnswer::Weights(weights)
    };
    let error = NewAnswer::Error {
        class: "InsufficientHistory".to_owned(),
        symbol: Some("SPY".to_owned()),
    };
    let answer = |scenario, expect, answer| (scenario, Change::Answer { expect, answer });
    let changes = [
        answer(
            0,
            0,
            weights(&[("SPY", "0.333333333333333"), ("BRK.B", "0.5"), ("X", "0")]),
        ),
        answer(0, 1, error.clone()),
        answer(0, 2, weights(&[("SPY", "1")])),
        answer(1, 0, weights(&[])),
        answer(1, 1, error),
        (
            2,
            Change::Append {
                item: vec![
                    ("symbol", "\"SPY\"".to_owned()),
                    ("target_quantity", "9.9".to_owned()),
                ],
            },
        ),
    ];
    let updated = update(text, &changes).unwrap();
    insta::assert_snapshot!(updated);
    // What was written is read again.
    assert!(toml::from_str::<toml::Table>(&updated).is_ok());
    assert_eq!(update(&updated, &[]).unwrap(), updated);
}
