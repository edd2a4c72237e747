//! Numbers as EventBridge compares them.

/// A number: by value where binary floating point holds exactly what was
/// written, so that `1`, `1.0` and `1e0` are equal; else by what was written,
/// so that numbers which only rounding makes equal are not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Value(f64),
    Text(String),
}

/// Up to here every integer is its own `f64`.
const LARGEST_EXACT_INTEGER: u64 = 1 << f64::MANTISSA_DIGITS;

impl Number {
    /// A number as written in JSON or TOML; `None` for what is no decimal
    /// number (`inf`, `nan`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let written = Decimal::parse(text)?;
        let value: f64 = text.parse().ok()?;
        let held = Decimal::parse(&format!("{value:e}"));
        Some(if held == Some(written) {
            Self::Value(value)
        } else {
            Self::Text(text.to_owned())
        })
    }
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Self {
        match number.as_i64() {
            Some(integer) if integer.unsigned_abs() <= LARGEST_EXACT_INTEGER => {
                // Exact, by the bound just checked.
                Self::Value(integer as f64)
            }
            _ => {
                let text = number.to_string();
                Self::parse(&text).unwrap_or(Self::Text(text))
            }
        }
    }
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
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
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
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: exponent
                .parse::<i64>()
                .ok()?
                .checked_add(zeros_dropped - decimals)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Number;

    #[test]
    fn numbers_are_equal_by_value_unless_floating_point_would_round() {
        let equal = [
            ("1", "1.0"),
            ("1", "+1e0"),
            ("1500", "1.5E3"),
            ("0", "-0.0"),
            ("0", "0e5"),
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
        for text in ["", "inf", "-nan", "1_000", "0x10", ".", "1e", "--1", "e5"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_of_an_event_is_the_number_as_written() {
        for text in [
            "0",
            "-7",
            "42.5",
            "18446744073709551615",
            "9007199254740993",
        ] {
            let number: serde_json::Number = serde_json::from_str(text).unwrap();
            assert_eq!(Some(Number::from(&number)), Number::parse(text), "{text}");
        }
    }
}
