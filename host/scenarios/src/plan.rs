//! Scenarios of portfolio plugins: an account, targets, and the plan between.

use crate::answer::{Answer, Difference};
use crate::file::{Budget, ExpectedError, PlanTask};
use crate::reader::{Reader, Value};
use crate::report::{Finding, FindingKind, Report};
use crate::subject::of_call_error;
use crate::update::{Change, NewAnswer};
use alchemiser_events::{Decimal, Money, PlanAction, Price, Quantity, Symbol, Weight};
use alchemiser_sandbox::{
    CallError, Plan, PlanInstrument, PlanRequest, PlanSettings, PlannedItem, Plugin,
};
use alchemiser_worker::PortfolioSettings;
use std::collections::BTreeMap;
use toml::de::DeTable;

/// What a plan should say of a symbol. What is left out may be anything.
#[derive(Clone, Debug)]
pub struct ExpectedItem {
    /// Its place among the expectations of the scenario, from 0.
    pub index: usize,
    /// Its line, from 1.
    pub line: usize,
    /// The symbol.
    pub symbol: Symbol,
    /// What to do with it.
    pub action: Option<PlanAction>,
    /// Whether all of it is sold.
    pub close_position: Option<bool>,
    /// Numbers by the name of their field.
    pub numbers: BTreeMap<&'static str, Decimal>,
}

const ACTIONS: [(&str, PlanAction); 3] = [
    ("buy", PlanAction::Buy),
    ("sell", PlanAction::Sell),
    ("hold", PlanAction::Hold),
];

/// The numbers of an item that can be expected.
const NUMBERS: [&str; 8] = [
    "current_quantity",
    "target_quantity",
    "reference_price",
    "current_value",
    "target_value",
    "trade_amount",
    "current_weight",
    "target_weight",
];

fn numbers(item: &PlannedItem) -> [(&'static str, Decimal); 8] {
    let values = [
        item.current_quantity.decimal(),
        item.target_quantity.decimal(),
        item.reference_price.decimal(),
        item.current_value.decimal(),
        item.target_value.decimal(),
        item.trade_amount.decimal(),
        item.current_weight.decimal(),
        item.target_weight.decimal(),
    ];
    std::array::from_fn(|place| (NUMBERS[place], values[place]))
}

/// Reads `request`. Settings that it leaves out are those of a worker without
/// settings of its own.
pub(crate) fn request(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    parameters: Option<&serde_json::Value>,
) -> Option<PlanRequest> {
    let mistakes = reader.mistakes.len();
    let table = reader.table("request", value)?;
    reader.known_keys(
        table,
        &["targets", "cash", "positions", "instruments", "settings"],
    );
    let cash = match table.get("cash") {
        Some(value) => reader.decimal("cash", value),
        None => Some(Decimal::ZERO),
    };
    let targets = amounts(reader, table, "targets", Weight::new);
    let positions = amounts(reader, table, "positions", Quantity::new);
    let instruments = match table.get("instruments") {
        Some(value) => reader.by_symbol("instruments", value, instrument),
        None => Some(BTreeMap::new()),
    };
    let settings = settings(reader, table.get("settings"));
    let (targets, positions, instruments) = (targets?, positions?, instruments?);
    for symbol in targets.keys().chain(positions.keys()) {
        if reader.mistakes.len() == mistakes && !instruments.contains_key(symbol) {
            let message = format!(
                "`{symbol}` is held or targeted and has no price; write \
                 `instruments = {{ {symbol} = {{ price = 100 }} }}`"
            );
            reader.mistake(value.span(), message);
        }
    }
    (reader.mistakes.len() == mistakes).then_some(PlanRequest {
        targets,
        cash: Money::new(cash?),
        positions,
        instruments,
        settings: settings?,
        parameters: parameters?.to_string(),
    })
}

fn amounts<T>(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &str,
    new: fn(Decimal) -> Result<T, alchemiser_events::AmountError>,
) -> Option<BTreeMap<Symbol, T>> {
    match table.get(key) {
        Some(value) => reader.by_symbol(key, value, |reader, key, value| {
            reader.amount(key, value, new)
        }),
        None => Some(BTreeMap::new()),
    }
}

fn instrument(reader: &mut Reader<'_>, key: &str, value: &Value<'_>) -> Option<PlanInstrument> {
    let table = reader.table(key, value)?;
    reader.known_keys(table, &["price", "fractionable"]);
    let price = match table.get("price") {
        Some(value) => reader.amount("price", value, Price::new),
        None => {
            reader.mistake(value.span(), format!("`{key}` has no `price`"));
            None
        }
    };
    let fractionable = match table.get("fractionable") {
        Some(value) => reader.boolean("fractionable", value),
        None => Some(true),
    };
    Some(PlanInstrument {
        price: price?,
        fractionable: fractionable?,
    })
}

fn settings(reader: &mut Reader<'_>, value: Option<&Value<'_>>) -> Option<PlanSettings> {
    let usual = PortfolioSettings::default();
    let mut numbers = BTreeMap::from([
        ("cash_reserve", usual.cash_reserve_pct),
        ("min_trade_share", usual.min_trade_pct),
        ("min_trade_amount", usual.min_trade_usd),
        ("max_position", usual.max_position),
        ("rebalance_threshold", usual.rebalance_threshold),
    ]);
    let mut allow_margin = usual.allow_margin;
    if let Some(value) = value {
        let table = reader.table("settings", value)?;
        let mut known: Vec<&str> = numbers.keys().copied().collect();
        known.push("allow_margin");
        reader.known_keys(table, &known);
        for (name, number) in &mut numbers {
            if let Some(value) = table.get(*name) {
                let is_share = *name != "min_trade_amount";
                *number = if is_share {
                    reader.amount(name, value, Weight::new)?.decimal()
                } else {
                    reader.decimal(name, value)?
                };
            }
        }
        if let Some(value) = table.get("allow_margin") {
            allow_margin = reader.boolean("allow_margin", value)?;
        }
    }
    let share = |name: &str| Weight::new(numbers[name]).unwrap_or_default();
    Some(PlanSettings {
        cash_reserve: share("cash_reserve"),
        min_trade_share: share("min_trade_share"),
        min_trade_amount: Money::new(numbers["min_trade_amount"]),
        max_position: share("max_position"),
        rebalance_threshold: share("rebalance_threshold"),
        allow_margin,
    })
}

/// Reads what is expected of one symbol.
pub(crate) fn expected_item(
    reader: &mut Reader<'_>,
    index: usize,
    value: &Value<'_>,
    table: &DeTable<'_>,
) -> Option<ExpectedItem> {
    let mut known = vec!["symbol", "action", "close_position", "error"];
    known.extend(NUMBERS);
    reader.known_keys(table, &known);
    let symbol = match table.get("symbol") {
        Some(value) => {
            let text = reader.string("symbol", value)?;
            reader.symbol(value.span(), text)?
        }
        None => {
            let message = "an item of the plan is expected by its `symbol`";
            reader.mistake(value.span(), message);
            return None;
        }
    };
    let action = match table.get("action") {
        Some(value) => {
            let text = reader.string("action", value)?;
            let action = ACTIONS.iter().find(|(name, _)| *name == text);
            if action.is_none() {
                let names = ACTIONS.map(|(name, _)| name);
                let advice = alchemiser_suggest::instead_of(text, &names);
                reader.mistake(
                    value.span(),
                    format!("there is no action `{text}`; {advice}"),
                );
            }
            Some(action?.1)
        }
        None => None,
    };
    let close_position = match table.get("close_position") {
        Some(value) => Some(reader.boolean("close_position", value)?),
        None => None,
    };
    let mut numbers = BTreeMap::new();
    for name in NUMBERS {
        if let Some(value) = table.get(name) {
            numbers.insert(name, reader.decimal(name, value)?);
        }
    }
    Some(ExpectedItem {
        index,
        line: reader.line(value.span().start),
        symbol,
        action,
        close_position,
        numbers,
    })
}

/// Asks a portfolio plugin for the plan of a scenario, twice.
pub fn run_plan(plugin: &Plugin, task: &PlanTask, tolerance: Decimal, budget: &Budget) -> Report {
    let mut report = Report::default();
    let (first, usage) = plugin.plan_measured(&task.request);
    report.cost.count(usage);
    let (again, usage_again) = plugin.plan_measured(&task.request);
    report.cost.count(usage_again);
    report.cost.time = usage.time.min(usage_again.time);

    let alike = match (&first, &again) {
        (Ok(first), Ok(again)) => first == again,
        (Err(first), Err(again)) => first.detail() == again.detail(),
        _ => false,
    };
    if !alike {
        let message =
            "asked twice it makes two plans; a plan may depend on nothing but its request";
        report
            .findings
            .push(finding(FindingKind::EarlierCalls, None, message.to_owned()));
    }
    match (&first, &task.error) {
        (Ok(plan), None) => items(&mut report, plan, task, tolerance),
        (Ok(_), Some((line, expected))) => {
            let message = format!("expected {expected}; there is a plan");
            report
                .findings
                .push(finding(FindingKind::Expectation, Some(*line), message));
        }
        (Err(error), expected) => refused(&mut report, error, expected.as_ref()),
    }
    over_budget(&mut report, budget);
    report
}

fn finding(kind: FindingKind, line: Option<usize>, message: String) -> Finding {
    Finding {
        kind,
        line,
        place: None,
        message,
        differences: Vec::new(),
        change: None,
    }
}

fn refused(report: &mut Report, error: &CallError, expected: Option<&(usize, ExpectedError)>) {
    let (kind, detail, advice) = match of_call_error(error) {
        Answer::Defect { detail, advice } => (FindingKind::Defect, detail, advice),
        Answer::Error(detail) => (FindingKind::Expectation, detail, String::new()),
        Answer::Weights(_) => return,
    };
    let advice = match advice.is_empty() {
        true => advice,
        false => format!("; {advice}"),
    };
    let told = format!("{} ({}){advice}", detail.class, detail.message);
    let line = expected.map(|(line, _)| *line);
    let message = match expected {
        Some((_, expected)) if expected.is_met_by(&detail) => return,
        Some((_, expected)) => expected.not_met_by(&told, &detail),
        None => format!("expected a plan; it is {told}"),
    };
    report.findings.push(finding(kind, line, message));
}

/// Compares the items of a plan with those expected. Only a hold may go
/// unmentioned.
fn items(report: &mut Report, plan: &Plan, task: &PlanTask, tolerance: Decimal) {
    for expected in &task.items {
        let mut planned = plan.items.iter();
        match planned.find(|item| item.symbol == expected.symbol) {
            Some(item) => {
                let differences = item_differences(expected, item, tolerance);
                let is_empty = expected.action.is_none()
                    && expected.close_position.is_none()
                    && expected.numbers.is_empty();
                if differences.is_empty() && !is_empty {
                    continue;
                }
                let change = Change::Answer {
                    expect: expected.index,
                    answer: NewAnswer::Item(written(item, expected)),
                };
                let (kind, message) = if is_empty {
                    let message = format!(
                        "nothing is expected of {}; `--update` writes down what is planned",
                        expected.symbol
                    );
                    (FindingKind::Unfilled, message)
                } else {
                    let message = format!("the plan for {} is another", expected.symbol);
                    (FindingKind::Expectation, message)
                };
                report.findings.push(Finding {
                    differences,
                    change: Some(change),
                    ..finding(kind, Some(expected.line), message)
                });
            }
            None => {
                let message = format!("the plan has no item for {}", expected.symbol);
                let line = Some(expected.line);
                report
                    .findings
                    .push(finding(FindingKind::Expectation, line, message));
            }
        }
    }
    for item in &plan.items {
        let mut expected = task.items.iter();
        if item.action == PlanAction::Hold || expected.any(|other| other.symbol == item.symbol) {
            continue;
        }
        let message = format!(
            "the plan is to {} {}, to {} shares, which nothing expects",
            name(item.action),
            item.symbol,
            item.target_quantity
        );
        report.findings.push(Finding {
            change: Some(Change::Append {
                item: written_new(item),
            }),
            ..finding(FindingKind::Expectation, None, message)
        });
    }
}

fn item_differences(
    expected: &ExpectedItem,
    item: &PlannedItem,
    tolerance: Decimal,
) -> Vec<Difference> {
    let words = |name: &str, expected: String, got: String| {
        (expected != got).then(|| Difference {
            name: name.to_owned(),
            expected: Some(expected),
            got: Some(got),
            difference: None,
        })
    };
    let action = expected
        .action
        .and_then(|action| words("action", name(action), name(item.action)));
    let close = expected.close_position.and_then(|close| {
        words(
            "close_position",
            close.to_string(),
            item.close_position.to_string(),
        )
    });
    let numbers = numbers(item).into_iter().filter_map(|(name, got)| {
        let expected = *expected.numbers.get(name)?;
        Difference::of_numbers(name, Some(expected), Some(got), tolerance)
    });
    action.into_iter().chain(close).chain(numbers).collect()
}

fn name(action: PlanAction) -> String {
    let mut actions = ACTIONS.iter();
    let found = actions.find(|(_, other)| *other == action);
    found.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

/// The fields of an item as they are written into a file: those that are there,
/// or the usual ones if there are none.
fn written(item: &PlannedItem, expected: &ExpectedItem) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    let is_empty = expected.numbers.is_empty() && expected.close_position.is_none();
    if expected.action.is_some() || is_empty {
        fields.push(("action", format!("{:?}", name(item.action))));
    }
    if expected.close_position.is_some() {
        fields.push(("close_position", item.close_position.to_string()));
    }
    for (name, number) in numbers(item) {
        let is_usual = is_empty && expected.action.is_none() && name == "target_quantity";
        if expected.numbers.contains_key(name) || is_usual {
            fields.push((name, number.normalize().to_string()));
        }
    }
    fields
}

fn written_new(item: &PlannedItem) -> Vec<(&'static str, String)> {
    vec![
        ("symbol", format!("{:?}", item.symbol.as_str())),
        ("action", format!("{:?}", name(item.action))),
        (
            "target_quantity",
            item.target_quantity.decimal().normalize().to_string(),
        ),
    ]
}

fn over_budget(report: &mut Report, budget: &Budget) {
    for message in report.cost.over(budget) {
        report
            .findings
            .push(finding(FindingKind::Budget, None, message));
    }
}
