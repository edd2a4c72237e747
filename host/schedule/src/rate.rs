//! `rate(value unit)`: equal distances from a start.

use jiff::{SignedDuration, Timestamp};

use crate::mistake::{ExpressionError, ExpressionMistake};
use alchemiser_suggest::nearest;

/// The units, in one and in several, with their lengths in seconds. A day is
/// 24 hours.
const UNITS: [(&str, &str, i64); 3] = [
    ("minute", "minutes", 60),
    ("hour", "hours", 3_600),
    ("day", "days", 86_400),
];

/// A hundred years in seconds. What is further apart is a slip, and where it is
/// far enough there is no second time.
const LONGEST: i64 = 36_525 * 86_400;

/// Fires again and again after the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    seconds: i64,
}

impl Rate {
    /// The time from one firing to the next.
    #[must_use]
    pub fn period(self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds)
    }

    /// Reads what stands between the brackets, which begins at `offset` of the
    /// expression.
    pub(crate) fn parse(text: &str, offset: usize) -> Result<Self, ExpressionError> {
        let mistake = |part: &str, message: String, advice: String| -> ExpressionError {
            let start = part.as_ptr().addr() - text.as_ptr().addr() + offset;
            ExpressionMistake {
                span: start..start + part.len(),
                message,
                advice,
            }
            .into()
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [value, unit] = parts[..] else {
            let message = format!("a rate is a number and a unit, and `{text}` is not");
            return Err(mistake(text, message, "write `rate(5 minutes)`".to_owned()));
        };
        let digits = value.trim_start_matches('0');
        if digits.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("`{value}` is no whole number above 0");
            let advice = "write `rate(5 minutes)`".to_owned();
            return Err(mistake(value, message, advice));
        }
        let one_only = digits == "1";
        let known = UNITS
            .iter()
            .find(|(one, several, _)| unit == *one || unit == *several);
        let Some((one, several, seconds)) = known else {
            let message = format!("there is no unit `{unit}`");
            let words = UNITS
                .iter()
                .map(|(one, several, _)| if one_only { *one } else { *several });
            let advice = match nearest(unit, words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => "rates are in minutes, hours or days".to_owned(),
            };
            return Err(mistake(unit, message, advice));
        };
        let expected = if one_only { one } else { several };
        if unit != *expected {
            let message = format!("`{digits} {unit}` is refused by EventBridge");
            return Err(mistake(
                unit,
                message,
                format!("write `rate({digits} {expected})`"),
            ));
        }
        let number: Option<i64> = digits.parse().ok();
        let rate = number
            .and_then(|number| number.checked_mul(*seconds))
            .filter(|seconds| *seconds <= LONGEST)
            .map(|seconds| Self { seconds });
        rate.ok_or_else(|| {
            let message = format!("`{value} {unit}` are more than a hundred years");
            mistake(value, message, "write a smaller number".to_owned())
        })
    }

    pub(crate) fn next_after(self, after: Timestamp, start: Timestamp) -> Option<Timestamp> {
        if after < start {
            return Some(start);
        }
        let periods = after.duration_since(start).as_secs() / self.seconds + 1;
        let since_start = SignedDuration::from_secs(self.seconds.checked_mul(periods)?);
        start.checked_add(since_start).ok()
    }
}
