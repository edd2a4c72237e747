//! Generated patterns and events: the rule set's verdicts are those of the
//! naive matcher.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod naive;

use alchemiser_rules::{EventError, Explanation, Pattern, PatternLimits, RuleSet, Scratch};
use naive::{Json, NUMBERS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const TEXTS: [&str; 20] = [
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
    "É",
    "a*b",
    "10.0.0.1",
    "010.0.0.1",
    "10.0.1.9",
    "::1",
    "0:0::1",
];

// With dots, so that one field can be spelt in several ways.
const NAMES: [&str; 7] = ["a", "b", "c", "a.b", "b.a", "", "a.b.c"];

fn text() -> impl Strategy<Value = Json> {
    select(TEXTS.as_slice()).prop_map(|text| Json::String(text.to_owned()))
}

fn number() -> impl Strategy<Value = Json> {
    select(NUMBERS.as_slice()).prop_map(|(text, _)| Json::Number(text))
}

fn comparable() -> impl Strategy<Value = Json> {
    let comparable = NUMBERS.iter().filter(|(_, value)| value.is_some());
    let texts: Vec<&str> = comparable.map(|(text, _)| *text).collect();
    select(texts).prop_map(Json::Number)
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => text(),
        2 => number(),
        1 => any::<bool>().prop_map(Json::Bool),
        1 => Just(Json::Null),
    ]
}

fn one(name: &str, value: Json) -> Json {
    Json::Object(vec![(name.to_owned(), value)])
}

fn numeric() -> impl Strategy<Value = Json> {
    let sign = |text: &str| Json::String(text.to_owned());
    let single = (select(vec!["=", "<", "<=", ">", ">="]), comparable())
        .prop_map(move |(operator, bound)| vec![sign(operator), bound]);
    let ascending = vec![
        "-1.5",
        "-0.0",
        "0.1",
        "1.0",
        "2",
        "9007199254740992",
        "1e300",
    ];
    let range = (
        select(vec![">", ">="]),
        select(vec!["<", "<="]),
        subsequence(ascending, 2),
    )
        .prop_map(move |(from, to, bounds)| {
            let [low, high] = [Json::Number(bounds[0]), Json::Number(bounds[1])];
            vec![sign(from), low, sign(to), high]
        });
    prop_oneof![single, range].prop_map(|parts| one("numeric", Json::Array(parts)))
}

fn wildcard() -> impl Strategy<Value = Json> {
    let texts = vec![
        "*", "a*", "*b", "a*b", "*a*", "", "a\\*b", "*a*b*", "ab", "*ß*",
    ];
    select(texts).prop_map(|text| Json::String(text.to_owned()))
}

fn list(of: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    vec(of, 1..3).prop_map(|list| match list.as_slice() {
        [one] => one.clone(),
        _ => Json::Array(list),
    })
}

fn not_empty() -> impl Strategy<Value = Json> {
    select(&TEXTS[1..]).prop_map(|text| Json::String(text.to_owned()))
}

fn anything_but() -> impl Strategy<Value = Json> {
    prop_oneof![
        list(text()),
        list(comparable()),
        list(not_empty()).prop_map(|list| one("prefix", list)),
        list(not_empty()).prop_map(|list| one("suffix", list)),
        list(text()).prop_map(|list| one("equals-ignore-case", list)),
        list(wildcard()).prop_map(|list| one("wildcard", list)),
    ]
    .prop_map(|operand| one("anything-but", operand))
}

fn test() -> impl Strategy<Value = Json> {
    let ignoring_case = || text().prop_map(|text| one("equals-ignore-case", text));
    let ranges = vec!["10.0.0.0/24", "10.0.0.0/8", "::/64", "0.0.0.0/0"];
    prop_oneof![
        6 => scalar(),
        1 => prop_oneof![text(), ignoring_case()].prop_map(|text| one("prefix", text)),
        1 => prop_oneof![text(), ignoring_case()].prop_map(|text| one("suffix", text)),
        1 => ignoring_case(),
        1 => text().prop_map(|text| one("exactly", text)),
        1 => wildcard().prop_map(|text| one("wildcard", text)),
        1 => select(ranges).prop_map(|range| one("cidr", Json::String(range.to_owned()))),
        1 => numeric(),
        2 => anything_but(),
        2 => any::<bool>().prop_map(|flag| one("exists", Json::Bool(flag))),
    ]
}

fn object(within: impl Strategy<Value = Json>, most: usize) -> impl Strategy<Value = Json> {
    let name = select(NAMES.as_slice()).prop_map(str::to_owned);
    vec((name, within), 1..=most).prop_map(Json::Object)
}

fn pattern() -> impl Strategy<Value = Json> {
    let field = vec(test(), 1..3).prop_map(Json::Array);
    let value = field.prop_recursive(2, 8, 3, |inner| fields(inner, 2));
    fields(value, 3)
}

/// An object of a pattern, with `$or` now and then.
fn fields(within: impl Strategy<Value = Json> + Clone, most: usize) -> impl Strategy<Value = Json> {
    let or = vec(object(within.clone(), 2), 2..4)
        .prop_map(|branches| ("$or".to_owned(), Json::Array(branches)));
    let name = select(NAMES.as_slice()).prop_map(str::to_owned);
    let entry = prop_oneof![5 => (name, within), 1 => or];
    vec(entry, 1..=most).prop_map(Json::Object)
}

fn event() -> impl Strategy<Value = Json> {
    let value = scalar().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            3 => object(inner.clone(), 4),
            2 => vec(inner, 0..4).prop_map(Json::Array),
        ]
    });
    object(value, 4)
}

/// Reads a pattern that is valid, however long.
fn compile(pattern: &Json) -> Result<Pattern, TestCaseError> {
    let limits = PatternLimits {
        characters: usize::MAX,
        ..PatternLimits::default()
    };
    Pattern::from_json_within(&pattern.to_string(), &limits).map_err(|error| {
        let message = error.to_string();
        if message.contains("combinations") {
            TestCaseError::reject(message)
        } else {
            TestCaseError::fail(format!("{pattern}: {message}"))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_those_of_the_naive_matcher(
        patterns in vec(pattern(), 1..12),
        events in vec(event(), 1..4),
        removed in any::<u16>(),
    ) {
        let mut rules = RuleSet::new();
        for (index, pattern) in patterns.iter().enumerate() {
            rules.insert(index, &compile(pattern)?);
        }
        let empty = RuleSet::<usize>::new().memory();
        let kept: Vec<usize> = (0..patterns.len()).filter(|index| removed >> index & 1 == 0).collect();
        for index in 0..patterns.len() {
            prop_assert_eq!(kept.contains(&index) || rules.remove(&index), true);
        }
        prop_assert!(rules.len() == kept.len() && rules.memory() >= empty);
        let mut scratch = Scratch::default();
        for event in &events {
            let mut found: Vec<usize> = rules
                .matching(event.to_string().as_bytes(), &mut scratch)
                .unwrap()
                .copied()
                .collect();
            found.sort_unstable();
            let expected: Vec<usize> = kept
                .iter()
                .copied()
                .filter(|index| naive::matches(&patterns[*index], event))
                .collect();
            prop_assert_eq!(found, expected, "{}", event);
        }
    }

    #[test]
    fn explanations_are_those_of_the_verdict(pattern in pattern(), event in event()) {
        let compiled = compile(&pattern)?;
        let text = event.to_string();
        let expected = naive::matches(&pattern, &event);
        prop_assert_eq!(compiled.matches(text.as_bytes()), Ok(expected));
        let explained = compiled.explain(text.as_bytes()).unwrap();
        prop_assert_eq!(explained == Explanation::Matches, expected, "{}", explained);
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..64), pattern in pattern(), event in event(), at in any::<prop::sample::Index>()) {
        let compiled = compile(&pattern)?;
        let _ = compiled.matches(&bytes);
        // Damage to what would be an event.
        let mut text = event.to_string().into_bytes();
        let index = at.index(text.len());
        text[index] = bytes.pop().unwrap_or(b'}');
        let verdict = compiled.matches(&text);
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok() && std::str::from_utf8(&text).is_ok();
        let is_object = text.trim_ascii_start().first() == Some(&b'{');
        match verdict {
            Ok(_) => prop_assert!(parsed && is_object),
            Err(EventError::NotAnObject) => prop_assert!(parsed && !is_object),
            Err(EventError::NotUtf8 { .. } | EventError::Syntax { .. }) => prop_assert!(!parsed),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
