//! Patterns and events from a small alphabet: the rule set's verdicts are those
//! of the naive matcher that the tests hold it against.
#![no_main]

#[path = "../../tests/naive/mod.rs"]
mod naive;

use alchemiser_rules::{Pattern, PatternLimits, RuleSet, Scratch};
use arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use naive::{Json, NUMBERS};

const NAMES: [&str; 7] = ["a", "b", "c", "a.b", "b.a", "", "a.b.c"];
const TEXTS: [&str; 16] = [
    "",
    "a",
    "A",
    "b",
    "ab",
    "aB",
    "abc",
    "bab",
    "1",
    "ß",
    "SS",
    "ss",
    "é",
    "10.0.0.1",
    "010.0.0.1",
    "::1",
];
const WILDCARDS: [&str; 7] = ["*", "a*", "*b", "a*b", "*a*", "", "a\\*b"];
const RANGES: [&str; 4] = ["10.0.0.0/24", "10.0.0.0/8", "::/64", "0.0.0.0/0"];
const ASCENDING: [&str; 5] = ["-1.5", "-0.0", "0.1", "1.0", "2"];

fn string(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn one(name: &str, value: Json) -> Json {
    Json::Object(vec![(name.to_owned(), value)])
}

fn text(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(string(input.choose(&TEXTS)?))
}

fn scalar(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(match input.int_in_range(0..=5)? {
        0..=2 => text(input)?,
        3 => Json::Number(input.choose(&NUMBERS)?.0),
        4 => Json::Bool(input.arbitrary()?),
        _ => Json::Null,
    })
}

fn event(input: &mut Unstructured<'_>, depth: usize) -> Result<Json> {
    let entries = input.int_in_range(1..=4)?;
    (0..entries)
        .map(|_| Ok(((*input.choose(&NAMES)?).to_owned(), value(input, depth)?)))
        .collect::<Result<_>>()
        .map(Json::Object)
}

fn value(input: &mut Unstructured<'_>, depth: usize) -> Result<Json> {
    match input.int_in_range(0..=3)? {
        0 if depth > 0 => event(input, depth - 1),
        1 if depth > 0 => (0..input.int_in_range(0..=3)?)
            .map(|_| value(input, depth - 1))
            .collect::<Result<_>>()
            .map(Json::Array),
        _ => scalar(input),
    }
}

fn list(
    input: &mut Unstructured<'_>,
    one: fn(&mut Unstructured<'_>) -> Result<Json>,
) -> Result<Json> {
    let count = input.int_in_range(1..=2)?;
    (0..count)
        .map(|_| one(input))
        .collect::<Result<_>>()
        .map(Json::Array)
}

fn comparable(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(Json::Number(input.choose(&ASCENDING)?))
}

fn wildcard(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(string(input.choose(&WILDCARDS)?))
}

fn not_empty(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(string(input.choose(&TEXTS[1..])?))
}

fn test(input: &mut Unstructured<'_>) -> Result<Json> {
    Ok(match input.int_in_range(0..=17)? {
        0..=4 => scalar(input)?,
        5 => one("prefix", text(input)?),
        6 => one("suffix", text(input)?),
        7 => one("equals-ignore-case", text(input)?),
        8 => one("prefix", one("equals-ignore-case", text(input)?)),
        9 => one("suffix", one("equals-ignore-case", text(input)?)),
        10 => one("wildcard", wildcard(input)?),
        11 => one("cidr", string(input.choose(&RANGES)?)),
        12 => one("exactly", text(input)?),
        13 | 14 => one("exists", Json::Bool(input.arbitrary()?)),
        15 => {
            let operator = *input.choose(&["=", "<", "<=", ">", ">="])?;
            one(
                "numeric",
                Json::Array(vec![string(operator), comparable(input)?]),
            )
        }
        16 => {
            let high = input.int_in_range(1..=ASCENDING.len() - 1)?;
            let low = input.int_in_range(0..=high - 1)?;
            let from = *input.choose(&[">", ">="])?;
            let to = *input.choose(&["<", "<="])?;
            let (low, high) = (Json::Number(ASCENDING[low]), Json::Number(ASCENDING[high]));
            one(
                "numeric",
                Json::Array(vec![string(from), low, string(to), high]),
            )
        }
        _ => one(
            "anything-but",
            match input.int_in_range(0..=5)? {
                0 => list(input, text)?,
                1 => list(input, comparable)?,
                2 => one("prefix", list(input, not_empty)?),
                3 => one("suffix", list(input, not_empty)?),
                4 => one("equals-ignore-case", list(input, text)?),
                _ => one("wildcard", list(input, wildcard)?),
            },
        ),
    })
}

fn pattern(input: &mut Unstructured<'_>, depth: usize) -> Result<Json> {
    let entries = input.int_in_range(1..=3)?;
    (0..entries)
        .map(|_| {
            Ok(match input.int_in_range(0..=7)? {
                0 if depth > 0 => {
                    let branches = input.int_in_range(2..=3)?;
                    let branches = (0..branches)
                        .map(|_| pattern(input, depth - 1))
                        .collect::<Result<_>>()?;
                    ("$or".to_owned(), Json::Array(branches))
                }
                1 | 2 if depth > 0 => {
                    let name = (*input.choose(&NAMES)?).to_owned();
                    (name, pattern(input, depth - 1)?)
                }
                _ => ((*input.choose(&NAMES)?).to_owned(), list(input, test)?),
            })
        })
        .collect::<Result<_>>()
        .map(Json::Object)
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let count = input.int_in_range(1..=6)?;
    let patterns = (0..count)
        .map(|_| pattern(input, 2))
        .collect::<Result<Vec<Json>>>()?;
    let limits = PatternLimits {
        characters: usize::MAX,
        ..PatternLimits::default()
    };
    let mut rules = RuleSet::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let read = Pattern::from_json_within(&pattern.to_string(), &limits).unwrap();
        rules.insert(index, &read);
    }
    let removed = input.int_in_range(0..=count)?;
    rules.remove(&removed);
    let mut scratch = Scratch::default();
    for _ in 0..3 {
        let event = event(input, 4)?;
        let text = event.to_string();
        let mut found: Vec<usize> = rules
            .matching(text.as_bytes(), &mut scratch)
            .unwrap()
            .copied()
            .collect();
        found.sort_unstable();
        let expected: Vec<usize> = (0..count)
            .filter(|index| *index != removed && naive::matches(&patterns[*index], &event))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    match check(&mut Unstructured::new(bytes)) {
        Ok(()) => Corpus::Keep,
        Err(_) => Corpus::Reject,
    }
});
