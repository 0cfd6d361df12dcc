//! Credits: whole millionths of a credit, never a float, never wrapping.

use std::fmt;

/// An amount of credits in millionths (`micros`). Signed, because ledger entries are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);
    /// Millionths in one credit.
    pub const MICROS: i64 = 1_000_000;

    /// An amount in millionths.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// An amount in whole credits; `None` when it does not fit.
    #[must_use]
    pub const fn from_whole(credits: i64) -> Option<Self> {
        match credits.checked_mul(Self::MICROS) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// The amount in millionths.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The sum; `None` when it does not fit.
    #[must_use]
    pub const fn plus(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference; `None` when it does not fit.
    #[must_use]
    pub const fn minus(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The amount `quantity` times; `None` when it does not fit.
    #[must_use]
    pub const fn times(self, quantity: i64) -> Option<Self> {
        match self.0.checked_mul(quantity) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// Whether the amount is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Credits {
    /// Prints credits with up to six decimals: `12.5`, `-0.000001`, `1000`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs();
        let unit = Self::MICROS.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (micros / unit, micros % unit);
        if rest == 0 {
            return write!(out, "{sign}{whole}");
        }
        let digits = format!("{rest:06}");
        write!(out, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_a_price() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (-1, "-0.000001"),
            (1_500_000, "1.5"),
            (-12_000_000, "-12"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Credits::from_micros(micros).to_string(), text);
        }
    }

    #[test]
    fn nothing_wraps() {
        let most = Credits::from_micros(i64::MAX);
        assert_eq!(most.plus(Credits::from_micros(1)), None);
        assert_eq!(Credits::from_micros(i64::MIN).minus(Credits::from_micros(1)), None);
        assert_eq!(most.times(2), None);
        assert_eq!(Credits::from_whole(i64::MAX), None);
    }
}
