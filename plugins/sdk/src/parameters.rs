//! Reading a plugin's parameters.

use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

/// The parameters of a plugin that takes none; writing one is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Reads parameters, a JSON object. The export macros do it for a plugin.
///
/// # Errors
/// `ParameterError`. The message begins with the path of the key that is
/// wrong, and for an unknown key says which was likely meant.
///
/// ```
/// use alchemiser_sdk::parse_parameters;
///
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Parameters {
///     symbols: Vec<String>,
/// }
///
/// let refused = parse_parameters::<Parameters>(r#"{"symbols": ["SPY", 3]}"#).unwrap_err();
/// assert_eq!(
///     refused.message,
///     "parameters.symbols[1]: it is 3, and a text in quotes is expected"
/// );
/// let refused = parse_parameters::<Parameters>(r#"{"symbol": ["SPY"]}"#).unwrap_err();
/// assert_eq!(
///     refused.message,
///     "parameters: unknown key `symbol`; did you mean `symbols`?"
/// );
/// ```
pub fn parse_parameters<P: DeserializeOwned>(json: &str) -> Result<P> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let parameters = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refusal(error.path(), &error.inner().to_string()))?;
    // The host hands over one object. What else comes would be its defect.
    reader
        .end()
        .map_err(|error| Error::parameter("parameters", error.to_string()))?;
    Ok(parameters)
}

/// serde's refusal in the words of somebody who writes `book.toml`.
fn refusal(path: &Path, message: &str) -> Error {
    // serde_json closes its messages with a place in the JSON text, which
    // nobody ever sees.
    let message = message.split(" at line ").next().unwrap_or(message);
    let key = |start| message.strip_prefix(start)?.split('`').next();
    let unknown = key("unknown field `");

    let mut keys = String::new();
    let segments: Vec<&Segment> = path.iter().collect();
    for (place, segment) in segments.iter().enumerate() {
        match segment {
            // The path of an unknown key may end with it.
            Segment::Map { key }
                if place + 1 == segments.len() && Some(key.as_str()) == unknown => {}
            Segment::Map { key } | Segment::Enum { variant: key } => {
                keys.push('.');
                keys.push_str(key);
            }
            Segment::Seq { index } => keys.push_str(&format!("[{index}]")),
            Segment::Unknown => {}
        }
    }

    let what = unknown
        .or_else(|| key("missing field `"))
        .or_else(|| keys.strip_prefix('.'))
        .unwrap_or("parameters");
    let message = alchemiser_suggest::with_advice(message)
        .replacen("unknown field", "unknown key", 1)
        .replacen(", there are no fields", "; none is known here", 1);
    Error::parameter(what, format!("parameters{keys}: {message}"))
}

/// What is common to check of parameters in [`Strategy::load`](crate::Strategy::load).
///
/// ```
/// use alchemiser_sdk::check;
///
/// let refused = check::range("lookback", 0, 1..=500).unwrap_err();
/// assert_eq!(refused.message, "parameters.lookback: it is 0, and must be from 1 to 500");
///
/// let refused = check::symbols("symbols", &["SPY", "TLT", "spy"]).unwrap_err();
/// assert_eq!(refused.message, "parameters.symbols[2]: `spy` is named twice");
/// ```
pub mod check {
    use crate::error::{Error, Result};
    use crate::symbol::spelling;
    use std::fmt::Display;
    use std::ops::RangeInclusive;

    /// That a number lies in a range, both ends included.
    ///
    /// # Errors
    /// `ParameterError`, with key, number and range.
    pub fn range<N: Copy + PartialOrd + Display>(
        key: &str,
        number: N,
        range: RangeInclusive<N>,
    ) -> Result<()> {
        if range.contains(&number) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        that(
            key,
            false,
            format_args!("it is {number}, and must be from {least} to {most}"),
        )
    }

    /// That there are symbols, each a symbol and none twice.
    ///
    /// # Errors
    /// `ParameterError`, with key and place.
    pub fn symbols<S: AsRef<str>>(key: &str, symbols: &[S]) -> Result<()> {
        that(
            key,
            !symbols.is_empty(),
            "it is empty; name what may be held",
        )?;
        let mut known = Vec::new();
        for (place, symbol) in symbols.iter().enumerate() {
            let symbol = symbol.as_ref();
            let spelt = spelling(symbol);
            let wrong = if symbol.is_empty() {
                "is empty, and no symbol"
            } else if spelt.is_none() {
                "is not a symbol"
            } else if known.contains(&spelt) {
                "is named twice"
            } else {
                known.push(spelt);
                continue;
            };
            let key = format!("{key}[{place}]");
            return that(&key, false, format_args!("`{symbol}` {wrong}"));
        }
        Ok(())
    }

    /// That something else holds, with what is wrong if it does not.
    ///
    /// # Errors
    /// `ParameterError`, with the key and the message.
    pub fn that(key: &str, holds: bool, message: impl Display) -> Result<()> {
        if holds {
            Ok(())
        } else {
            Err(Error::parameter(
                key,
                format!("parameters.{key}: {message}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read matters")]
    struct Parameters {
        symbols: Vec<String>,
        #[serde(default)]
        lookback: u32,
        #[serde(default)]
        limits: BTreeMap<String, Limit>,
        #[serde(default)]
        order: Option<Order>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read matters")]
    struct Limit {
        largest: f64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Order {
        StrongestFirst,
        WeakestFirst,
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        let table = [
            ("{}", "symbols", "parameters: missing key `symbols`"),
            (
                r#"{"symbols": "SPY"}"#,
                "symbols",
                "parameters.symbols: it is the text \"SPY\", and an array is expected",
            ),
            (
                r#"{"symbols": ["SPY", "TLT", 3]}"#,
                "symbols[2]",
                "parameters.symbols[2]: it is 3, and a text in quotes is expected",
            ),
            (
                r#"{"symbols": [], "lookback": -1}"#,
                "lookback",
                "parameters.lookback: it is -1, and a whole number from 0 to 4,294,967,295 is expected",
            ),
            (
                r#"{"symbols": [], "lookback": 2.5}"#,
                "lookback",
                "parameters.lookback: it is 2.5, and a whole number from 0 to 4,294,967,295 is expected",
            ),
            (
                r#"{"symbols": [], "lookbak": 1}"#,
                "lookbak",
                "parameters: unknown key `lookbak`; did you mean `lookback`?",
            ),
            (
                r#"{"symbols": [], "window": 1}"#,
                "window",
                "parameters: unknown key `window`; known here: `symbols`, `lookback`, `limits`, `order`",
            ),
            (
                r#"{"symbols": [], "limits": {"SPY": {"larges": 1}}}"#,
                "larges",
                "parameters.limits.SPY: unknown key `larges`; did you mean `largest`?",
            ),
            (
                r#"{"symbols": [], "limits": {"SPY": {"largest": "1"}}}"#,
                "limits.SPY.largest",
                "parameters.limits.SPY.largest: it is the text \"1\", and a number is expected",
            ),
            (
                r#"{"symbols": [], "order": "strongest"}"#,
                "order",
                "parameters.order: unknown value `strongest`; did you mean `strongest-first`?",
            ),
        ];
        for (json, what, message) in table {
            let error = parse_parameters::<Parameters>(json).unwrap_err();
            assert_eq!(error.class, "ParameterError");
            assert_eq!(
                (error.what.as_deref(), error.message.as_str()),
                (Some(what), message),
                "{json}"
            );
        }
        assert!(parse_parameters::<Parameters>("{\"symbols\": []} x").is_err());
        assert!(parse_parameters::<Parameters>("").is_err());
    }

    #[test]
    fn no_parameters_are_an_empty_object() {
        assert_eq!(parse_parameters("{}"), Ok(NoParameters {}));
        let refused = parse_parameters::<NoParameters>(r#"{"reserve": 1}"#).unwrap_err();
        assert_eq!(
            refused.message,
            "parameters: unknown key `reserve`; none is known here"
        );
    }

    #[test]
    fn checks_say_key_value_and_what_is_allowed() {
        let message = |answer: Result<()>| answer.unwrap_err().message;
        check::range("top", 3, 3..=3).unwrap();
        assert_eq!(
            message(check::range("share", f64::NAN, 0.0..=1.0)),
            "parameters.share: it is NaN, and must be from 0 to 1"
        );
        check::symbols("symbols", &["SPY", "BRK.B"]).unwrap();
        for (symbols, expected) in [
            (
                vec![],
                "parameters.symbols: it is empty; name what may be held",
            ),
            (
                vec!["A", "B", "a"],
                "parameters.symbols[2]: `a` is named twice",
            ),
            (
                vec!["A", "B C"],
                "parameters.symbols[1]: `B C` is not a symbol",
            ),
        ] {
            assert_eq!(message(check::symbols("symbols", &symbols)), expected);
        }
        assert_eq!(
            message(check::that("fast", false, "it must be below `slow`")),
            "parameters.fast: it must be below `slow`"
        );
    }
}
