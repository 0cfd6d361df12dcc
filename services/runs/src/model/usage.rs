//! What a run used, by dimension. Counts only grow; what an engine reports is checked before it is believed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest name of a dimension, and how many a run may have.
const DIMENSION_BYTES: usize = 64;
const DIMENSIONS: usize = 32;

/// Units by dimension: `runs`, `input_tokens`, `output_tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Usage(BTreeMap<String, i64>);

/// A report that no engine in its right mind makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine reported a usage that cannot be: {quantity} of {dimension:?}")]
pub(crate) struct BadUsage {
    /// Which dimension.
    pub(crate) dimension: String,
    /// How many units.
    pub(crate) quantity: i64,
}

impl Usage {
    /// So much of these dimensions.
    pub(crate) fn of<'a>(quantities: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        Self(quantities.into_iter().map(|(dimension, quantity)| (dimension.to_owned(), quantity)).collect())
    }

    /// Adds what an engine reports since its last report.
    ///
    /// # Errors
    /// A quantity below zero or beyond counting, a dimension without a usable name, too many dimensions.
    pub(crate) fn add(&mut self, dimension: &str, quantity: i64) -> Result<(), BadUsage> {
        let bad = || BadUsage { dimension: dimension.chars().take(DIMENSION_BYTES).collect(), quantity };
        let named = !dimension.is_empty()
            && dimension.len() <= DIMENSION_BYTES
            && dimension.bytes().all(|byte| byte.is_ascii_graphic());
        let room = self.0.len() < DIMENSIONS || self.0.contains_key(dimension);
        if quantity < 0 || !named || !room {
            return Err(bad());
        }
        let before = self.0.get(dimension).copied().unwrap_or(0);
        let after = before.checked_add(quantity).ok_or_else(bad)?;
        self.0.insert(dimension.to_owned(), after);
        Ok(())
    }

    /// Takes a dimension out: it has no price.
    pub(crate) fn drop_dimension(&mut self, dimension: &str) -> bool {
        self.0.remove(dimension).is_some()
    }

    /// Whether nothing was used.
    #[must_use]
    pub(crate) fn is_nothing(&self) -> bool {
        self.0.values().all(|quantity| *quantity == 0)
    }

    /// Dimensions and units, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(dimension, quantity)| (dimension.as_str(), *quantity))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reports_add_up_and_bad_ones_change_nothing() {
        let mut usage = Usage::default();
        assert!(usage.is_nothing());
        usage.add("runs", 1).unwrap();
        usage.add("input_tokens", 3).unwrap();
        usage.add("input_tokens", 4).unwrap();
        let good = usage.clone();
        for (dimension, quantity) in
            [("runs", -1), ("", 1), ("a b", 1), ("input_tokens", i64::MAX), (&"x".repeat(65), 1)]
        {
            assert!(usage.add(dimension, quantity).is_err(), "{dimension} {quantity}");
            assert_eq!(usage, good);
        }
        assert_eq!(usage.iter().collect::<Vec<_>>(), [("input_tokens", 7), ("runs", 1)]);
        assert!(!usage.is_nothing());
    }

    #[test]
    fn dimensions_are_bounded() {
        let mut usage = Usage::default();
        for place in 0..DIMENSIONS {
            usage.add(&format!("d{place}"), 1).unwrap();
        }
        assert!(usage.add("more", 1).is_err());
        assert!(usage.add("d0", 1).is_ok());
    }

    proptest! {
        #[test]
        fn nothing_wraps_and_nothing_shrinks(reports in proptest::collection::vec(any::<i64>(), 0..20)) {
            let (mut usage, mut sum) = (Usage::default(), 0_i128);
            for quantity in reports {
                if usage.add("runs", quantity).is_ok() {
                    sum += i128::from(quantity);
                }
                let now = usage.iter().next().map_or(0, |(_, quantity)| quantity);
                prop_assert!(now >= 0);
                prop_assert_eq!(i128::from(now), sum);
            }
        }
    }
}
