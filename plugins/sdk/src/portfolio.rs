//! The trait that a portfolio plugin implements.

use crate::error::{Error, Result};
use crate::planner::{RebalancePlan, Request};
use serde::de::DeserializeOwned;

/// Turns target weights into trades.
///
/// Money, prices, quantities and weights are decimals, written as text, in the
/// request as in the plan. A plugin computes with a decimal type, such as that
/// of the crate `rust_decimal`, and never with floating point.
pub trait Portfolio: 'static {
    /// The plugin's parameters in the settings;
    /// [`NoParameters`](crate::NoParameters) if it takes none. Use
    /// `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error.
    type Parameters: DeserializeOwned;

    /// The plan that brings the account to the targets.
    ///
    /// # Errors
    /// Whatever makes the request one that cannot be planned. Nothing is traded
    /// then.
    fn plan(request: &Request, parameters: Self::Parameters) -> Result<RebalancePlan>;
}

/// Reads a decimal of a request: optional sign, digits, optional fraction, and
/// no exponent.
///
/// # Errors
/// `ArgumentError` with the name of the field, when the text has another form or
/// `parse` refuses it.
///
/// ```
/// use alchemiser_sdk::planner::parse_decimal;
/// use rust_decimal::Decimal;
///
/// // `from_str_exact` refuses what it would have to round.
/// let cash = parse_decimal("cash", "1000.25", Decimal::from_str_exact)?;
/// assert_eq!(cash, Decimal::new(100_025, 2));
///
/// let refused = parse_decimal("cash", "1e3", Decimal::from_str_exact).unwrap_err();
/// assert_eq!(refused.to_string(), "ArgumentError: `cash` is `1e3`, which is no decimal number");
/// # Ok::<(), alchemiser_sdk::Error>(())
/// ```
pub fn parse_decimal<D, E>(
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> std::result::Result<D, E>,
) -> Result<D> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction))
        .then(|| parse(text).ok())
        .flatten()
        .ok_or_else(|| Error {
            what: Some(field.to_owned()),
            ..Error::new(
                "ArgumentError",
                format!("`{field}` is `{text}`, which is no decimal number"),
            )
        })
}

pub(crate) mod guest {
    use super::Portfolio;
    use crate::bindings::portfolio::exports::alchemiser::plugin::planner;
    use crate::parameters::parse_parameters;
    use std::marker::PhantomData;

    /// Adapts a [`Portfolio`] to the generated `planner` interface.
    pub struct PortfolioGuest<P>(PhantomData<P>);

    impl<P: Portfolio> planner::Guest for PortfolioGuest<P> {
        fn plan(request: planner::Request) -> Result<planner::RebalancePlan, planner::Error> {
            crate::logging::log_through!(portfolio);
            let parameters = parse_parameters(&request.parameters)?;
            Ok(P::plan(&request, parameters)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_contract() {
        let number = |text: &str| parse_decimal("cash", text, str::parse::<f64>);
        for (text, expected) in [("1", 1.0), ("-0.5", -0.5), ("+2.50", 2.5)] {
            assert_eq!(number(text), Ok(expected));
        }
        for text in ["", "-", ".5", "1.", "1e3", "NaN", "inf", " 1", "1,5", "0x1"] {
            let refused = number(text).map_err(|error| error.what);
            assert_eq!(refused, Err(Some("cash".to_owned())), "{text}");
        }
    }
}
