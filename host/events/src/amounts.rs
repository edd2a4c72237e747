//! Money, prices, quantities and weights. All are exact decimals; none is ever
//! a binary float.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

/// The number is outside what the type means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// A weight outside 0–1.
    #[error("weight {0} is not between 0 and 1")]
    Weight(Decimal),
    /// A price that is not above 0.
    #[error("price {0} is not above 0")]
    Price(Decimal),
    /// A quantity below 0.
    #[error("quantity {0} is below 0")]
    Quantity(Decimal),
}

/// US dollars, to the cent; half a cent rounds away from zero, once, when the
/// value is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

/// US dollars for one share, above 0, unrounded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

/// Shares, never negative, at most nine decimals.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

/// A share of the portfolio, 0 to 1, in full precision.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(Decimal);

impl Money {
    /// Nothing, written `0.00` as every amount is.
    pub const ZERO: Self = Self(Decimal::from_parts(0, 0, 0, false, 2));

    /// Rounds to the cent, half away from zero.
    pub fn new(amount: Decimal) -> Self {
        let mut cents = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        cents.rescale(2);
        // A decimal knows a negative zero; equal amounts have equal text.
        cents.set_sign_negative(cents.is_sign_negative() && !cents.is_zero());
        Self(cents)
    }

    /// The amount without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Price {
    /// Refuses anything that is not above 0.
    pub fn new(price: Decimal) -> Result<Self, AmountError> {
        if price > Decimal::ZERO {
            Ok(Self(price.normalize()))
        } else {
            Err(AmountError::Price(price))
        }
    }
}

impl Quantity {
    /// No shares.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Decimals kept; brokers take no more.
    const DECIMALS: u32 = 9;

    /// Cuts off after nine decimals; refuses anything below 0.
    pub fn new(quantity: Decimal) -> Result<Self, AmountError> {
        if quantity < Decimal::ZERO {
            return Err(AmountError::Quantity(quantity));
        }
        let cut = quantity.round_dp_with_strategy(Self::DECIMALS, RoundingStrategy::ToZero);
        Ok(Self(cut.normalize()))
    }

    /// Whether there is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What these shares cost at a price, to the cent.
    pub fn at(self, price: Price) -> Money {
        Money::new(self.0 * price.0)
    }

    /// The difference, or nothing where `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self((self.0 - other.0).max(Decimal::ZERO).normalize())
    }
}

impl Weight {
    /// Nothing of the portfolio.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// All of the portfolio.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Refuses anything outside 0–1.
    pub fn new(weight: Decimal) -> Result<Self, AmountError> {
        if (Decimal::ZERO..=Decimal::ONE).contains(&weight) {
            Ok(Self(weight.normalize()))
        } else {
            Err(AmountError::Weight(weight))
        }
    }

    /// Whether it is exactly 0.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl Default for Money {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).normalize())
    }
}

/// Decimals travel as text without exponent. Numbers are accepted too, through
/// their shortest decimal text.
pub mod decimal_text {
    use super::{Decimal, DecimalVisitor, Deserializer, Serializer};

    /// Writes plain decimal text.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads text or a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a decimal number as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::from_str_exact(text)
            .map_err(|_| E::custom(format!("`{text}` is not a decimal number")))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! decimal_type {
    ($name:ident, $construct:expr) => {
        impl $name {
            /// The number itself, for arithmetic.
            pub fn decimal(self) -> Decimal {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                decimal_text::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = decimal_text::deserialize(deserializer)?;
                $construct(number).map_err(de::Error::custom)
            }
        }
    };
}

decimal_type!(Money, |number| Ok::<_, AmountError>(Money::new(number)));
decimal_type!(Price, Price::new);
decimal_type!(Quantity, Quantity::new);
decimal_type!(Weight, Weight::new);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn money_rounds_half_a_cent_away_from_zero() {
        for (amount, cents) in [
            ("6.675", "6.68"),
            ("-6.675", "-6.68"),
            ("6.674999", "6.67"),
            ("0", "0.00"),
            ("100", "100.00"),
        ] {
            assert_eq!(Money::new(decimal(amount)).to_string(), cents);
        }
    }

    #[test]
    fn text_and_numbers_are_read_and_text_is_written() {
        for json in ["\"0.3\"", "0.3", "\"0.30\""] {
            let weight: Weight = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&weight).unwrap(), "\"0.3\"");
        }
        for json in ["\"NaN\"", "\"1e5\"", "\"\"", "true", "\"1.5\"", "-0.1"] {
            assert!(serde_json::from_str::<Weight>(json).is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Price>("\"0\"").is_err());
        assert!(serde_json::from_str::<Quantity>("\"-1\"").is_err());
    }

    #[test]
    fn quantities_keep_nine_decimals() {
        let quantity = Quantity::new(decimal("1.9999999999")).unwrap();
        assert_eq!(quantity.to_string(), "1.999999999");
        assert_eq!(
            quantity.saturating_sub(Quantity::new(decimal("2")).unwrap()),
            Quantity::ZERO
        );
    }
}
