//! The operators by name.

use alchemiser_indicators::Indicator;
use std::fmt;

/// The head of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Symphony,
    Asset,
    Group,
    WeightEqual,
    WeightSpecified,
    WeightInverseVolatility,
    Filter,
    SelectTop,
    SelectBottom,
    If,
    Comparison(Comparison),
    Indicator(Indicator),
}

/// How a condition compares its two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Equal,
}

impl Operator {
    /// Every operator.
    pub(crate) const ALL: [Self; 24] = [
        Self::Symphony,
        Self::Asset,
        Self::Group,
        Self::WeightEqual,
        Self::WeightSpecified,
        Self::WeightInverseVolatility,
        Self::Filter,
        Self::SelectTop,
        Self::SelectBottom,
        Self::If,
        Self::Comparison(Comparison::Greater),
        Self::Comparison(Comparison::Less),
        Self::Comparison(Comparison::GreaterOrEqual),
        Self::Comparison(Comparison::LessOrEqual),
        Self::Comparison(Comparison::Equal),
        Self::Indicator(Indicator::ALL[0]),
        Self::Indicator(Indicator::ALL[1]),
        Self::Indicator(Indicator::ALL[2]),
        Self::Indicator(Indicator::ALL[3]),
        Self::Indicator(Indicator::ALL[4]),
        Self::Indicator(Indicator::ALL[5]),
        Self::Indicator(Indicator::ALL[6]),
        Self::Indicator(Indicator::ALL[7]),
        Self::Indicator(Indicator::ALL[8]),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Symphony => "defsymphony",
            Self::Asset => "asset",
            Self::Group => "group",
            Self::WeightEqual => "weight-equal",
            Self::WeightSpecified => "weight-specified",
            Self::WeightInverseVolatility => "weight-inverse-volatility",
            Self::Filter => "filter",
            Self::SelectTop => "select-top",
            Self::SelectBottom => "select-bottom",
            Self::If => "if",
            Self::Comparison(comparison) => comparison.name(),
            Self::Indicator(indicator) => indicator.name(),
        }
    }
}

impl Comparison {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
        }
    }

    /// Compares exactly: equal means the same number.
    #[expect(clippy::float_cmp, reason = "the language defines `=` as exact")]
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Greater => left > right,
            Self::Less => left < right,
            Self::GreaterOrEqual => left >= right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What to write instead of an operator that does not exist, if anything comes
/// near.
pub(crate) fn suggestion(unknown: &str) -> Option<String> {
    /// Above this similarity a name is taken for a slip of the pen.
    const NEAR: f64 = 0.75;

    if matches!(unknown, "and" | "or" | "not") {
        return Some("nest `if` forms instead".to_owned());
    }
    Operator::ALL
        .into_iter()
        .map(|operator| {
            let similarity = strsim::normalized_damerau_levenshtein(unknown, operator.name());
            (similarity, operator)
        })
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, operator)| format!("did you mean `{operator}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        let mut names = Operator::ALL.map(Operator::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn suggests_the_nearest_name() {
        let cases = [
            ("weight-equl", Some("did you mean `weight-equal`?")),
            ("stdev-returns", Some("did you mean `stdev-return`?")),
            ("select-tops", Some("did you mean `select-top`?")),
            ("and", Some("nest `if` forms instead")),
            ("percentage-price-oscillator", None),
        ];
        for (unknown, expected) in cases {
            assert_eq!(suggestion(unknown).as_deref(), expected, "{unknown}");
        }
    }
}
