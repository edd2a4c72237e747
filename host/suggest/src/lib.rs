//! "Did you mean …?": the advice that comes with a word that nobody knows.
//!
//! *Invariant:* this crate does no I/O.

use std::ops::Range;

/// The known word that a word was most likely meant to be, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        // Below this, two words have little more in common than their length,
        // unless both are short and a single slip lies between them.
        .filter(|(likeness, candidate)| {
            *likeness > 0.8 || strsim::damerau_levenshtein(word, candidate) == 1
        })
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Advice for a word that is not among the known ones: the nearest of them, or
/// all of them when none is near.
pub fn instead_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known here: `{}`", known.join("`, `")),
    }
}

/// serde's message in the words of somebody who writes TOML, with advice when it
/// is about a key or a value that nobody knows.
pub fn with_advice(message: &str) -> String {
    let message = message.trim();
    // serde lists the known ones in prose.
    let unknown = |what, name| {
        let (unknown, known) = message.strip_prefix(what)?.split_once("`, expected ")?;
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let advice = instead_of(unknown, &known);
        Some(format!("unknown {name} `{unknown}`; {advice}"))
    };
    let unexpected = |what| {
        let (found, expected) = message.strip_prefix(what)?.rsplit_once(", expected ")?;
        let found = found.strip_prefix("found ").unwrap_or(found);
        Some(format!(
            "it is {}, and {} is expected",
            named(found),
            kind(expected)
        ))
    };
    unknown("unknown field `", "key")
        .or_else(|| unknown("unknown variant `", "value"))
        .or_else(|| unexpected("invalid type: "))
        .or_else(|| unexpected("invalid value: "))
        .unwrap_or_else(|| message.replacen("missing field", "missing key", 1))
}

/// The same of a message about a TOML text; `span` is what it is about, in bytes.
pub fn toml_mistake(message: &str, text: &str, span: Range<usize>) -> String {
    match (message.trim(), text.get(span.clone())) {
        ("duplicate key", Some(key)) if is_header(text, &span) => format!(
            "the table `[{key}]` is there twice; where there may be several, each begins with \
             `[[{key}]]`"
        ),
        ("duplicate key", Some(key)) => format!("the key `{key}` is there twice; leave one"),
        (message, _) => with_advice(message),
    }
}

/// Whether a key stands in the header of a table.
fn is_header(text: &str, key: &Range<usize>) -> bool {
    let before = text.get(..key.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with('[')
}

/// What serde found.
fn named(found: &str) -> String {
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "an array".to_owned(),
        "null" | "unit value" | "Option value" => "nothing".to_owned(),
        _ => match found.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("boolean" | "integer", value)) => {
                value.split('`').nth(1).unwrap_or(value).to_owned()
            }
            Some(("floating", value)) => value.replace("point ", "").replace('`', ""),
            _ => found.to_owned(),
        },
    }
}

/// What serde expected: Rust's types are nobody's business here.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65,535",
        "u32" => "a whole number from 0 to 4,294,967,295",
        "u64" | "u128" | "usize" => "a whole number from 0 on",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32,768 to 32,767",
        "i32" => "a whole number from -2,147,483,648 to 2,147,483,647",
        "i64" | "i128" | "isize" => "a whole number",
        "any valid TOML value" => "a number that is nearer to 0",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        "a string" | "string" | "a borrowed string" => "a text in quotes",
        "a sequence" => "an array",
        "a map" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_come_with_the_nearest() {
        assert_eq!(
            with_advice("unknown field `stat`, expected one of `stage`, `account`, `state`"),
            "unknown key `stat`; did you mean `state`?"
        );
        assert_eq!(
            with_advice("unknown field `colour`, expected `starting_cash` or `spread_bps`\n"),
            "unknown key `colour`; known here: `starting_cash`, `spread_bps`"
        );
        assert_eq!(
            with_advice("unknown variant `pnl`, expected `trade`"),
            "unknown value `pnl`; known here: `trade`"
        );
        assert_eq!(with_advice("invalid type"), "invalid type");
    }

    #[test]
    fn types_are_named_as_toml_has_them() {
        for (message, expected) in [
            (
                "invalid type: floating point `2.5`, expected u32",
                "it is 2.5, and a whole number from 0 to 4,294,967,295 is expected",
            ),
            (
                "invalid value: integer `-1`, expected usize",
                "it is -1, and a whole number from 0 on is expected",
            ),
            (
                "invalid type: found string \"many\", expected i64",
                "it is the text \"many\", and a whole number is expected",
            ),
            (
                "invalid type: string \"a, expected b\", expected a sequence",
                "it is the text \"a, expected b\", and an array is expected",
            ),
            (
                "invalid type: boolean `true`, expected a string",
                "it is true, and a text in quotes is expected",
            ),
            (
                "invalid type: sequence, expected struct Limits",
                "it is an array, and a table is expected",
            ),
            (
                "invalid type: map, expected f64",
                "it is a table, and a number is expected",
            ),
            (
                "invalid type: integer `99999999999999999999` as i128, expected any valid TOML value",
                "it is 99999999999999999999, and a number that is nearer to 0 is expected",
            ),
            ("missing field `weight`", "missing key `weight`"),
        ] {
            assert_eq!(with_advice(message), expected);
        }
    }

    #[test]
    fn near_is_alike_or_one_slip_away() {
        let known = ["dsl", "momentum", "rebalance"];
        for (word, expected) in [
            ("dls", Some("dsl")),
            ("ds", Some("dsl")),
            ("momentun", Some("momentum")),
            ("rebalancing", Some("rebalance")),
            ("portfolio", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
