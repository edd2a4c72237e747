//! Events that are damaged, or made to be expensive: an error or a verdict in
//! bounded time, on a small stack.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use alchemiser_rules::{EventError, Pattern, RuleSet, Scratch};

const MEBIBYTE: usize = 1 << 20;

/// What is meant to take milliseconds may take so long on a machine under load;
/// what is quadratic in a mebibyte takes far longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The verdict of one pattern alone, reached in time, on a stack half as large
/// as threads commonly have.
fn verdict(pattern: &str, event: Vec<u8>) -> Result<bool, EventError> {
    let pattern = Pattern::from_json(pattern).unwrap();
    let work = move || {
        let start = Instant::now();
        let verdict = pattern.matches(&event);
        assert!(start.elapsed() < PATIENCE);
        assert_eq!(pattern.explain(&event).is_ok(), verdict.is_ok());
        verdict
    };
    let thread = std::thread::Builder::new().stack_size(MEBIBYTE);
    thread.spawn(work).unwrap().join().unwrap()
}

fn is_too_deep(verdict: &Result<bool, EventError>) -> bool {
    matches!(verdict, Err(EventError::Syntax { problem, .. }) if problem.contains("nested more than 1000 deep"))
}

#[test]
fn nesting_is_bounded() {
    // Under a path that is looked at, and under one that is not.
    for pattern in [r#"{"a":[1],"a.a":[1]}"#, r#"{"b":[{"exists":false}]}"#] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| {
                format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth)).into_bytes()
            };
            assert!(verdict(pattern, nested(999)).is_ok());
            assert!(is_too_deep(&verdict(pattern, nested(1000))));
            assert!(is_too_deep(&verdict(pattern, nested(10_000))));
            assert!(is_too_deep(&verdict(
                pattern,
                nested(MEBIBYTE / open.len())
            )));
            let unclosed = format!("{{\"a\":{}", open.repeat(MEBIBYTE)).into_bytes();
            assert!(is_too_deep(&verdict(pattern, unclosed)));
        }
    }
}

#[test]
fn arrays_of_a_mebibyte_are_searched_in_time() {
    let list = |element: &str| {
        let count = MEBIBYTE / (element.len() + 1);
        format!("{{\"a\":[{}]}}", vec![element; count].join(",")).into_bytes()
    };
    let table = [
        (r#"{"a":[1],"a.b":[2]}"#, "[]", Ok(false)),
        (r#"{"a":[1],"a.b":[2]}"#, "[1]", Ok(false)),
        (r#"{"a":[2]}"#, "1", Ok(false)),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"b":1},{"c":2}"#,
            Ok(false),
        ),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"b":1},{"c":2,"b":1}"#,
            Ok(true),
        ),
        (
            r#"{"a":{"b":[1],"c":[{"exists":false}]}}"#,
            r#"{"b":1,"c":1}"#,
            Ok(false),
        ),
        (
            r#"{"a":{"b":[1],"c":[2],"d":[3]}}"#,
            r#"[[{"b":1,"c":2}],{"d":3}]"#,
            Ok(false),
        ),
        (
            r#"{"a":{"b":[1],"c":{"d":[1],"e":[1]}}}"#,
            r#"{"b":1,"c":[{"d":1},{"e":1}]}"#,
            Ok(false),
        ),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"[{"b":1},[{"c":2},[1]]]"#,
            Ok(false),
        ),
    ];
    for (pattern, element, expected) in table {
        assert_eq!(verdict(pattern, list(element)), expected, "{element}");
    }
}

#[test]
fn arrays_beside_each_other_are_not_combined() {
    // Each of four arrays has a thousand elements that would do; only the last
    // has none, and none of the others is to blame.
    let array =
        |name: &str, element: &str| format!("\"{name}\":[{}]", vec![element; 1000].join(","));
    let both = r#"{"x":1,"y":1}"#;
    let event = format!(
        "{{\"r\":[{{{},{},{},{}}}]}}",
        array("a", both),
        array("b", both),
        array("c", both),
        array("d", r#"{"x":1},{"y":1}"#)
    );
    let fields = ["a", "b", "c", "d"].map(|name| format!(r#""{name}":{{"x":[1],"y":[1]}}"#));
    let pattern = format!(r#"{{"r":{{{}}}}}"#, fields.join(","));
    assert_eq!(verdict(&pattern, event.into_bytes()), Ok(false));
}

#[test]
fn repeated_names_are_combined_within_bounds() {
    // Each name repeated is a choice of its own; to tell whether they can be
    // made together is as hard as satisfying a formula.
    let variable = |index: usize| {
        let clauses = |side: usize| {
            let clauses: Vec<String> = (0..40)
                .filter(|clause| (clause * 7 + index * 3 + side) % 5 < 2)
                .map(|clause| format!("\"c{clause:02}\":1"))
                .collect();
            format!("{{{}}}", clauses.join(","))
        };
        format!("\"v\":[{},{}]", clauses(0), clauses(1))
    };
    let clauses: Vec<String> = (0..40)
        .map(|clause| format!("\"c{clause:02}\":[1]"))
        .collect();
    let never = r#""z":[{"exists":true}]"#;
    let pattern = format!("{{\"v\":{{{},{never}}}}}", clauses.join(","));
    for count in [1, 2, 20, 2000] {
        let variables: Vec<String> = (0..count).map(variable).collect();
        let event = format!(
            "{{{},\"v\":[{{\"z\":1}},{{\"c00\":1}}]}}",
            variables.join(",")
        );
        let verdict = verdict(&pattern, event.into_bytes());
        assert!(
            matches!(verdict, Ok(_) | Err(EventError::TooManyCombinations)),
            "{verdict:?}"
        );
    }
}

#[test]
fn many_rules_and_a_large_event_take_bounded_time() {
    let mut rules = RuleSet::new();
    for index in 0..10_000 {
        let pattern = format!(
            r#"{{"fills":{{"symbol":["S{index}"],"side":["BUY"],"qty":[{{"numeric":[">",5]}}]}}}}"#
        );
        rules.insert(index, &Pattern::from_json(&pattern).unwrap());
    }
    let fills: Vec<String> = (0..3000)
        .map(|index| {
            let side = if index % 2 == 0 { "BUY" } else { "SELL" };
            format!(
                r#"{{"symbol":"S{index}","side":"{side}","qty":{}}}"#,
                index % 10
            )
        })
        .collect();
    let event = format!("{{\"fills\":[{}]}}", fills.join(","));
    let mut scratch = Scratch::default();
    let start = Instant::now();
    let matching = rules.matching(event.as_bytes(), &mut scratch).unwrap();
    assert_eq!(matching.len(), 600);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn values_repeated_in_an_event_cost_no_more_for_that() {
    let tests = [
        r#""x""#,
        r#"{"anything-but":"y"}"#,
        r#"{"prefix":"x"}"#,
        r#"{"equals-ignore-case":"X"}"#,
        r#"{"exists":true}"#,
        r#"{"wildcard":"*x*"}"#,
        r#"{"cidr":"10.0.0.0/8"},"x""#,
    ];
    for test in tests {
        let mut rules = RuleSet::new();
        for index in 0..10_000 {
            let pattern = format!(r#"{{"a":[{test}],"b{index}":[1,{{"exists":false}}]}}"#);
            rules.insert(index, &Pattern::from_json(&pattern).unwrap());
        }
        let event = format!("{{\"a\":[{}]}}", vec!["\"x\""; MEBIBYTE / 4].join(","));
        let start = Instant::now();
        let mut scratch = Scratch::default();
        assert_eq!(
            rules
                .matching(event.as_bytes(), &mut scratch)
                .unwrap()
                .len(),
            10_000
        );
        assert!(start.elapsed() < PATIENCE, "{test}");
    }
}

#[test]
fn long_texts_are_matched_in_time() {
    let text = "a".repeat(MEBIBYTE);
    let patterns = [
        r#"{"a":[{"wildcard":"*a*a*a*a*a*a*a*b"}]}"#,
        r#"{"a":[{"wildcard":"*aaaaaaaaaaaaaaaaaaaaaaaab*"}]}"#,
        r#"{"a":[{"suffix":{"equals-ignore-case":"ba"}}]}"#,
        r#"{"a":[{"cidr":"::/0"},{"equals-ignore-case":"é"}]}"#,
        r#"{"a":[1,{"numeric":["=",1]}]}"#,
    ];
    for pattern in patterns {
        for text in [
            &text,
            &"1".repeat(MEBIBYTE),
            &"\\u0061".repeat(MEBIBYTE / 6),
        ] {
            let event = format!("{{\"a\":\"{text}\",\"{text}\":1}}");
            assert_eq!(verdict(pattern, event.into_bytes()), Ok(false), "{pattern}");
        }
    }
}

#[test]
fn huge_numbers_are_numbers() {
    let digits = "9".repeat(MEBIBYTE);
    let table = [
        (digits.clone(), false),
        (format!("0.{digits}"), false),
        (format!("1e{digits}"), false),
        (format!("-1e-{digits}"), false),
        (format!("0e{digits}"), true),
        (format!("0.{}", "0".repeat(MEBIBYTE)), true),
        (format!("1{}", "0".repeat(308)), true),
        (format!("1{}", "0".repeat(309)), false),
        (format!("5{}e-1000", "0".repeat(1000)), true),
    ];
    for (number, comparable) in table {
        let event = format!("{{\"a\":{number}}}").into_bytes();
        let any = r#"{"a":[{"numeric":[">=",0]}]}"#;
        assert_eq!(verdict(any, event.clone()), Ok(comparable), "{number:.20}");
        assert_eq!(
            verdict(r#"{"a":[{"anything-but":7}]}"#, event),
            Ok(true),
            "{number:.20}"
        );
    }
}

#[test]
fn what_is_no_event_is_refused() {
    let refused = |event: &[u8]| verdict(r#"{"a":["x"]}"#, event.to_vec()).unwrap_err();
    for event in [
        b"".as_slice(),
        b"{",
        b"{\"a\":\"x\"",
        b"{\"a\":\"x\"}}",
        b"{\"b\":tru}",
        b"\xef\xbb\xbf{}",
    ] {
        assert!(
            matches!(refused(event), EventError::Syntax { .. }),
            "{event:?}"
        );
    }
    for event in [b"[]".as_slice(), b"\"x\"", b"1", b"null"] {
        assert_eq!(refused(event), EventError::NotAnObject);
    }
    // Overlong, a surrogate, beyond the last character, a lone continuation.
    for text in [
        b"\xc0\xaf".as_slice(),
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\x80",
        b"\xff",
    ] {
        let event = [b"{\"b\":\"", text, b"\"}"].concat();
        assert_eq!(refused(&event), EventError::NotUtf8 { offset: 6 });
    }
}

#[test]
fn lone_surrogates_are_values_that_nothing_equals() {
    let event = br#"{"a":"x\ud800","b\udfff":1}"#;
    let table = [
        (r#"{"a":[{"prefix":"x"}]}"#, true),
        (r#"{"a":[{"anything-but":"x"}]}"#, true),
        (r#"{"a":[{"wildcard":"x*"}]}"#, true),
        (r#"{"a":["x�"]}"#, false),
        (r#"{"a":[{"equals-ignore-case":"x"}]}"#, false),
        (r#"{"a":[{"prefix":{"equals-ignore-case":"X"}}]}"#, true),
        (r#"{"b":[1]}"#, false),
    ];
    for (pattern, expected) in table {
        assert_eq!(verdict(pattern, event.to_vec()), Ok(expected), "{pattern}");
    }
}

#[test]
fn what_is_held_on_to_is_told() {
    let mut rules = RuleSet::new();
    let empty = rules.memory();
    for index in 0..1000 {
        let pattern = format!(
            r#"{{"f{index}":["v{index}",{{"prefix":"p{index}"}},{{"numeric":[">",{index}]}}]}}"#
        );
        rules.insert(index, &Pattern::from_json(&pattern).unwrap());
    }
    let full = rules.memory();
    assert!((100_000..2_000_000).contains(&(full - empty)), "{full}");
    // Coming and going, rules leave nothing behind.
    for _ in 0..20 {
        for index in 0..1000 {
            let pattern = format!(r#"{{"g{index}":["w{index}",{{"suffix":"s{index}"}}]}}"#);
            rules.insert(index, &Pattern::from_json(&pattern).unwrap());
        }
    }
    assert!(rules.memory() <= full * 2, "{}", rules.memory());
    assert_eq!(rules.len(), 1000);

    let mut scratch = Scratch::default();
    let event = format!("{{\"g1\":[{}]}}", vec!["1"; MEBIBYTE / 2].join(","));
    assert_eq!(
        rules
            .matching(event.as_bytes(), &mut scratch)
            .unwrap()
            .len(),
        0
    );
    assert!(scratch.memory() < 80 * event.len(), "{}", scratch.memory());
}
