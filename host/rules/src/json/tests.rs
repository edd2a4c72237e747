#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::{Marks, NESTING_LIMIT, Problem, Reader, SyntaxError, decode};

fn read(text: &str) -> Result<(), SyntaxError> {
    let marks = Marks::of(text.as_bytes());
    let mut reader = Reader::new(text.as_bytes(), &marks);
    reader.skip_value(0)?;
    reader.end()
}

#[test]
fn malformed_text_is_refused_where_it_goes_wrong() {
    let table = [
        ("", 0, Problem::Value),
        ("[1,", 3, Problem::Value),
        ("[1 2]", 3, Problem::ArrayEnd),
        ("[1}", 2, Problem::ArrayEnd),
        ("{\"a\":1]", 6, Problem::ObjectEnd),
        ("{\"a\" 1}", 5, Problem::Colon),
        ("{a:1}", 1, Problem::Name),
        ("{\"a\":1,}", 7, Problem::Name),
        ("[1,]", 3, Problem::Value),
        ("\"abc", 4, Problem::StringEnd),
        ("\"a\nb\"", 2, Problem::ControlCharacter),
        ("\"0123456\u{1}\"", 8, Problem::ControlCharacter),
        ("\"\\x\"", 1, Problem::Escape),
        ("\"\\u12g4\"", 1, Problem::Escape),
        ("\"\\u12", 1, Problem::Escape),
        ("01", 0, Problem::Number),
        ("-", 1, Problem::Number),
        ("1.", 2, Problem::Number),
        ("1e+", 3, Problem::Number),
        ("+1", 0, Problem::Value),
        (".5", 0, Problem::Value),
        ("tru", 0, Problem::Value),
        ("nulls", 4, Problem::Trailing),
        ("1 1", 2, Problem::Trailing),
        ("\u{feff}1", 0, Problem::Value),
    ];
    for (text, offset, problem) in table {
        assert_eq!(read(text), Err(SyntaxError { offset, problem }), "{text}");
    }
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(&nested(NESTING_LIMIT)), Ok(()));
    let error = read(&nested(NESTING_LIMIT + 1)).unwrap_err();
    assert_eq!(
        (error.offset, error.problem),
        (NESTING_LIMIT, Problem::TooDeep)
    );
}

#[test]
fn a_lone_surrogate_is_read() {
    for text in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800\u0041""#] {
        assert_eq!(read(text), Ok(()), "{text}");
    }
    let mut text = Vec::new();
    decode(br"a\ud83d\ude80\ud83d!", &mut text);
    assert_eq!(
        text,
        [b"a\xf0\x9f\x9a\x80".as_slice(), b"\xed\xa0\xbd!"].concat()
    );
}

/// Text that is nearly JSON, so that each rule of the grammar is tried.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"\\n\"",
        "\"\\",
        "u00e9",
        "\"\\u00e9\"",
        "0",
        "-1",
        "1.5",
        "1e5",
        "e",
        ".",
        "-",
        "true",
        "fals",
        "null",
        " ",
        "\n",
        "\u{1}",
        "é",
        "abcdefgh",
    ]);
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50_000, ..ProptestConfig::default() })]

    #[test]
    fn the_same_texts_are_json_as_elsewhere(text in nearly_json()) {
        prop_assert_eq!(read(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn strings_are_decoded_as_elsewhere(string in any::<String>()) {
        let text = serde_json::to_string(&string).unwrap();
        let escaped: String = string.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for quoted in [&text, &format!("\"{escaped}\"")] {
            let marks = Marks::of(quoted.as_bytes());
            let mut reader = Reader::new(quoted.as_bytes(), &marks);
            let read = reader.string().unwrap();
            prop_assert_eq!(reader.position(), quoted.len());
            let mut decoded = Vec::new();
            decode(reader.slice(read.start, read.end), &mut decoded);
            prop_assert_eq!(&decoded, string.as_bytes());
            prop_assert!(read.escaped || quoted.len() == string.len() + 2);
        }
    }
}

#[test]
fn marks_are_where_strings_can_end() {
    let mut text: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    text.truncate(500);
    let marks = Marks::of(&text);
    for from in 0..text.len() + 100 {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let rest = text.get(from..).unwrap_or_default();
        let found = rest.iter().position(special);
        let expected = found.map_or(text.len(), |index| from + index);
        assert_eq!(marks.next(from), expected, "{from}");
    }
    assert!(!marks.is_ascii());
    assert!(Marks::of(&text[..128]).is_ascii());
    assert!(!Marks::of(&text[..129]).is_ascii());
}
