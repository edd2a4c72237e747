//! How symbols are written.

/// The one spelling of a symbol: upper case, `.` between share classes.
/// `None` if the text is no symbol: 1 to 10 of A–Z, 0–9, `.` and `-`, with no
/// `.` or `-` at an end or doubled.
///
/// ```
/// use alchemiser_sdk::spelling;
///
/// assert_eq!(spelling("brk/b").as_deref(), Some("BRK.B"));
/// assert_eq!(spelling("T L T"), None);
/// ```
#[must_use]
pub fn spelling(text: &str) -> Option<String> {
    const LONGEST: usize = 10;

    let symbol = text.to_ascii_uppercase().replace('/', ".");
    // A mark only ever stands between two parts, so no part may be empty.
    let is_legal = symbol.len() <= LONGEST
        && symbol.split(['.', '-']).all(|part| {
            let is_legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            !part.is_empty() && part.bytes().all(is_legal)
        });
    is_legal.then_some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_one_spelling() {
        let cases = [
            ("SPY", Some("SPY")),
            ("brk/b", Some("BRK.B")),
            ("BF-A", Some("BF-A")),
            ("3M", Some("3M")),
            ("ABCDEFGHIJ", Some("ABCDEFGHIJ")),
            ("ABCDEFGHIJK", None),
            ("", None),
            (".A", None),
            ("A.", None),
            ("A..B", None),
            ("A.-B", None),
            ("T L T", None),
            ("é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(spelling(text).as_deref(), expected, "{text}");
        }
    }
}
