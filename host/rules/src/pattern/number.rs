//! Numbers as EventBridge compares them.

use std::fmt;

/// A number of a pattern: by value where binary floating point holds exactly
/// what was written, so that `1`, `1.0` and `1e0` are equal; else by what was
/// written, so that numbers which only rounding makes equal are not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    Value(f64),
    Text(Box<str>),
}

impl Number {
    /// A number as written in JSON or TOML; `None` for what is no decimal
    /// number (`inf`, `nan`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text);
        Decimal::parse(text)?;
        Some(match comparable(text.as_bytes()) {
            Some(value) => Self::Value(value),
            None => Self::Text(text.into()),
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value}"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

/// The value of a decimal number, if binary floating point holds exactly what
/// was written: if no other number as short as it is nearer to that value.
/// Zero has no sign.
pub(crate) fn comparable(text: &[u8]) -> Option<f64> {
    short(text).or_else(|| long(text))
}

/// How many digits every decimal number may have and still be told from all
/// others of as many digits by its nearest `f64`.
const DIGITS_HELD: usize = f64::DIGITS as usize;

/// The powers of ten that an `f64` holds exactly. Dividing or multiplying an
/// exact integer by one rounds once, hence correctly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The value of a number of few digits and without an exponent, which is how
/// nearly all are written.
fn short(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if unsigned.len() > DIGITS_HELD + 1 {
        return None;
    }
    let (mut digits, mut count, mut decimals) = (0_u64, 0, None);
    for byte in unsigned {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if decimals.is_none() => decimals = Some(count),
            _ => return None,
        }
    }
    if count == 0 || count > DIGITS_HELD {
        return None;
    }
    let decimals = decimals.map_or(0, |whole| count - whole);
    // Exact: fifteen digits are below 2^53.
    let value = digits as f64 / POWERS_OF_TEN[decimals];
    Some(if negative && digits != 0 {
        -value
    } else {
        value
    })
}

#[cold]
fn long(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let written = Decimal::parse(text)?;
    let value: f64 = text.parse().ok()?;
    let held = Decimal::parse(&format!("{value:e}"));
    // The sign of zero goes.
    (held == Some(written)).then_some(value + 0.0)
}

/// A decimal number in one form for each value: no zeros at either end of the
/// digits.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let unsigned_exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(&all) || !is_number(unsigned_exponent) {
            return None;
        }
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let zeros_dropped = i64::try_from(significant.len() - digits.len()).ok()?;
        let decimals = i64::try_from(fraction.len()).ok()?;
        // An exponent beyond `i64` is beyond every `f64` too; the bounds keep
        // what is added to it from overflowing.
        let sign = if exponent.starts_with('-') { -1 } else { 1 };
        let magnitude = unsigned_exponent.parse::<i64>().unwrap_or(i64::MAX / 2);
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: sign * magnitude.min(i64::MAX / 2) + zeros_dropped - decimals,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{Number, comparable, long};

    #[test]
    fn numbers_are_equal_by_value_unless_floating_point_would_round() {
        let equal = [
            ("1", "1.0"),
            ("1", "+1e0"),
            ("1500", "1.5E3"),
            ("0", "-0.0"),
            ("0", "0e5"),
            ("0", "-0e99999999999999999999"),
            ("-2.50", "-25e-1"),
            ("9007199254740992", "9007199254740992.0"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("9007199254740993", "9007199254740993"),
            ("1e400", "1e400"),
        ];
        for (left, right) in equal {
            assert_eq!(
                Number::parse(left),
                Number::parse(right),
                "{left} = {right}"
            );
        }
        let different = [
            ("1", "-1"),
            ("0.3", "0.30000000000000004"),
            ("9007199254740992", "9007199254740993"),
            ("0.12345678901234567890", "0.12345678901234568"),
            ("1e400", "1e401"),
            ("0", "1e-400"),
            ("0", "1e-99999999999999999999"),
        ];
        for (left, right) in different {
            assert_ne!(
                Number::parse(left),
                Number::parse(right),
                "{left} ≠ {right}"
            );
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        for text in [
            "", "inf", "-nan", "1_000", "0x10", ".", "1e", "--1", "e5", "1e+-5",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_and_the_long_agree(text in "-?[0-9]{1,12}(\\.[0-9]{1,8})?") {
            let value = comparable(text.as_bytes());
            prop_assert_eq!(value.map(f64::to_bits), long(text.as_bytes()).map(f64::to_bits));
        }

        #[test]
        fn every_float_is_comparable_as_printed(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite() && value != 0.0);
            for text in [format!("{value:e}"), value.to_string()] {
                prop_assert_eq!(comparable(text.as_bytes()), Some(value));
            }
        }
    }
}
