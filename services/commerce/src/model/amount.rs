//! Money as the shop states it: an exact decimal, read from text. Never a float.
//!
//! souk decides nothing by money but whether a price is zero; credits are `souk_types::Credits`.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

/// An exact amount in the order's currency, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(Decimal);

/// The text is not an amount that can be held exactly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a decimal amount")]
pub struct NotAnAmount(pub String);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Whether something was asked for it.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.0 > Decimal::ZERO
    }

    /// The sum; `None` when it cannot be held.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(|sum| Self(sum.normalize()))
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads a JSON number's text, `149.0`, `89.99`, `1E+2`. What would have to be rounded is refused.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let refuse = || NotAnAmount(text.chars().take(40).collect());
        let read = if text.contains(['e', 'E']) {
            Decimal::from_scientific(text).map_err(|_| refuse())?
        } else {
            Decimal::from_str_exact(text).map_err(|_| refuse())?
        };
        Ok(Self(read.normalize()))
    }
}

impl TryFrom<String> for Amount {
    type Error = NotAnAmount;
    fn try_from(text: String) -> Result<Self, NotAnAmount> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_amounts_have_one_text() {
        for (text, shown) in [
            ("149.0", "149"),
            ("89.99", "89.99"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("1E+2", "100"),
            ("5.50", "5.5"),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_cannot_be_held_exactly_is_refused() {
        let long = "9".repeat(40);
        for text in [
            "",
            "NaN",
            "null",
            "1e999999999",
            "0x10",
            "\"5\"",
            "1,5",
            &long,
            "0.00000000000000000000000000001",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
