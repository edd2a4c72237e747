//! `alchemiser indicator`: the values of an indicator.

use super::{dates, evaluate::before_the_first};
use crate::arguments::{Arguments, Indicator};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine;
use crate::output::{Align, Table};
use crate::project::Project;
use alchemiser_events::{ErrorDetail, SessionDate, Symbol};
use alchemiser_indicators::Specification;
use alchemiser_market::{DataError, Market, ReadError, Requirement, View};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Prints one value for each date.
pub fn indicator(command: &Indicator, arguments: &Arguments) -> CommandResult {
    let wrong = |error: &dyn std::fmt::Display| CommandFailure::usage("ArgumentError", error);
    let symbol = Symbol::parse(&command.symbol).map_err(|error| wrong(&error))?;
    let indicator = command
        .name
        .parse::<alchemiser_indicators::Indicator>()
        .map_err(|error| wrong(&error))?;
    let specification =
        Specification::new(indicator, command.window).map_err(|error| wrong(&error))?;

    let project = Project::open(arguments)?;
    let market = machine::market(&project.data(&command.data))?;
    let mut table = Table::new(&[Align::Left, Align::Right]);
    for date in dates::asked(&command.dates, market.calendar())? {
        let value = value(&market, &symbol, command, date);
        if arguments.json {
            let mut line = json!({
                "indicator": command.name,
                "symbol": symbol,
                "window": specification.window(),
                "date": date,
            });
            match value {
                Ok(value) => line["value"] = value.into(),
                Err(error) => line["error"] = error_json(&error),
            }
            println!("{line}");
        } else {
            let text = value.map_or_else(
                |error| format!("{}: {}", error.class, error.message),
                |value| value.to_string(),
            );
            table.row([date.to_string(), text]);
        }
    }
    table.print();
    Ok(())
}

/// Asked the way a strategy would ask.
fn value(
    market: &Arc<Market>,
    symbol: &Symbol,
    command: &Indicator,
    date: SessionDate,
) -> Result<f64, ErrorDetail> {
    let session = market
        .calendar()
        .on_or_before(date)
        .ok_or_else(|| before_the_first(date, market))?;
    let all_history = Requirement {
        symbol: symbol.clone(),
        sessions: None,
    };
    let mut view = View::new(Arc::clone(market), &[all_history]);
    view.advance(session)
        .map_err(|error| detail("NoSession", error, BTreeMap::new()))?;
    let mut read = || {
        let handle = view.find(symbol.as_str())?;
        let series = view.indicator(&command.name, handle, command.window)?;
        view.value(series, session)
    };
    read().map_err(|error| match &error {
        ReadError::Data(data) => detail(data.class(), data, fields(data)),
        ReadError::Violation(violation) => detail("Violation", violation, BTreeMap::new()),
    })
}

fn fields(error: &DataError) -> BTreeMap<String, String> {
    let fields: Vec<(&str, String)> = match error {
        DataError::NoData { symbol } => vec![("symbol", symbol.to_string())],
        DataError::InsufficientHistory { symbol, need, have } => vec![
            ("symbol", symbol.to_string()),
            ("need", need.to_string()),
            ("have", have.to_string()),
        ],
        DataError::NonFinite { what } => vec![("what", what.clone())],
        DataError::BadData { symbol, .. } => vec![("symbol", symbol.to_string())],
        DataError::Argument { operator, .. } => vec![("operator", operator.clone())],
    };
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn detail(
    class: &str,
    message: impl std::fmt::Display,
    context: BTreeMap<String, String>,
) -> ErrorDetail {
    ErrorDetail {
        class: class.to_owned(),
        message: message.to_string(),
        retryable: false,
        context,
    }
}
