//! Price schedules: what a unit of each dimension costs, and what a piece of work costs by it.
//!
//! A schedule is immutable and named by the SHA-256 of its canonical JSON: keys sorted, no white space,
//! integers only, the default estimate merged and sorted by dimension. Sums are exact fractions until the
//! one rounding up at the end; nothing here is ever a float.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use souk_types::{Credits, Violation};

use crate::error::Error;

/// Most dimensions that a schedule may have.
pub const MAX_DIMENSIONS: usize = 64;
/// What a dimension's name is.
const NAME: &str = "needs 1 to 63 characters of a-z, 0-9 and _, the first a letter";
/// Most lines that an estimate or a usage may have.
pub const MAX_LINES: usize = 256;
/// Highest common multiple of all `per` of a schedule. Within it an exact sum that overflows 128 bits means
/// a price far beyond 64 bits, so an overflow is always the truth.
pub const MAX_COMMON_PER: i64 = 1_000_000_000_000;

/// How much of one dimension was used, or is expected to be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The dimension's name in the schedule (`input_token`).
    pub dimension: String,
    /// How many units; not below zero.
    pub quantity: i64,
}

/// The price of a dimension: `price` for each `per` units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// How many units the price is for; at least 1. `3 per 1000` is finer than a millionth a unit.
    pub per: i64,
    /// The price of that many units, in millionths of a credit; not below zero.
    #[serde(rename = "price_micros")]
    pub price: Credits,
}

/// The price of one dimension, named.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quote {
    /// The dimension.
    pub dimension: String,
    /// What it costs.
    pub price: Price,
}

/// What one dimension adds to a cost.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The dimension.
    pub dimension: String,
    /// How many units.
    pub quantity: i64,
    /// What they cost alone, rounded down: shares never sum to more than the cost.
    #[serde(rename = "amount_micros")]
    pub amount: Credits,
}

/// A checked price schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    content: Content,
    content_hash: String,
    common_per: i64,
}

/// The canonical form; its fields stand in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    default_estimate: Vec<Usage>,
    dimensions: BTreeMap<String, Price>,
}

impl Schedule {
    /// Checks a schedule and names it by its content.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming every bad field, [`Error::DimensionUnknown`] when the default estimate uses
    /// a dimension without a price, [`Error::AmountOutOfRange`] when its cost does not fit.
    pub fn new(dimensions: BTreeMap<String, Price>, default_estimate: &[Usage]) -> Result<Self, Error> {
        let mut wrong = Vec::new();
        if dimensions.is_empty() || dimensions.len() > MAX_DIMENSIONS {
            wrong.push(Violation::new("prices", format!("needs 1 to {MAX_DIMENSIONS} dimensions")));
        }
        if default_estimate.is_empty() {
            wrong.push(Violation::new("default_estimate", "needs at least one dimension"));
        }
        let mut common_per = Some(1);
        for (name, price) in &dimensions {
            if !is_name(name) {
                wrong.push(Violation::new(format!("prices[{name:?}]"), NAME));
            }
            if price.price.is_negative() {
                wrong.push(Violation::new(format!("prices[{name}].amount_micros"), "is below zero"));
            }
            if price.per < 1 {
                wrong.push(Violation::new(format!("prices[{name}].per"), "is below 1"));
            } else {
                common_per = common_per.and_then(|common| common_multiple(common, price.per));
            }
        }
        if common_per.is_none() {
            wrong.push(Violation::new(
                "prices",
                format!("the common multiple of all per exceeds {MAX_COMMON_PER}"),
            ));
        }
        check_quantities("default_estimate", default_estimate, &mut wrong);
        let (true, Some(common_per)) = (wrong.is_empty(), common_per) else {
            return Err(Error::Invalid(wrong));
        };
        if let Some(line) = default_estimate.iter().find(|line| !dimensions.contains_key(&line.dimension)) {
            return Err(Error::DimensionUnknown { dimension: line.dimension.clone() });
        }
        let content = Content { default_estimate: merged(default_estimate)?, dimensions };
        let content_hash = sha256_hex(canonical(&content)?.as_bytes());
        let schedule = Self { content, content_hash, common_per };
        schedule.price("default_estimate", &schedule.content.default_estimate)?;
        Ok(schedule)
    }

    /// Reads a schedule back from its canonical JSON.
    ///
    /// # Errors
    /// [`Error::Broken`] when the text is no schedule; else as [`Schedule::new`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let content: Content =
            serde_json::from_str(text).map_err(|_| Error::Broken("unreadable schedule"))?;
        Self::new(content.dimensions, &content.default_estimate)
    }

    /// The canonical JSON, of which the hash is taken.
    ///
    /// # Errors
    /// [`Error::Broken`] when it cannot be written, which does not happen.
    pub fn to_json(&self) -> Result<String, Error> {
        canonical(&self.content)
    }

    /// SHA-256 of the canonical JSON, lower-case hex.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The prices, by dimension.
    #[must_use]
    pub const fn dimensions(&self) -> &BTreeMap<String, Price> {
        &self.content.dimensions
    }

    /// The prices as they are told to callers, by name.
    #[must_use]
    pub fn quotes(&self) -> Vec<Quote> {
        let quote = |(name, price): (&String, &Price)| Quote { dimension: name.clone(), price: *price };
        self.content.dimensions.iter().map(quote).collect()
    }

    /// What is reserved when the caller gives no estimate.
    #[must_use]
    pub fn default_estimate(&self) -> &[Usage] {
        &self.content.default_estimate
    }

    /// The cost of `usage`, rounded up once; a dimension named twice counts twice, one without a price costs
    /// nothing. `field` names the list in faults.
    ///
    /// # Errors
    /// [`Error::Invalid`] for quantities below zero and for what cannot be the name of a dimension,
    /// [`Error::AmountOutOfRange`] when the cost does not fit 64 bits.
    pub fn price(&self, field: &'static str, usage: &[Usage]) -> Result<Credits, Error> {
        let mut wrong = Vec::new();
        check_quantities(field, usage, &mut wrong);
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        let mut sum = Some(0_i128);
        for line in usage {
            sum = sum.and_then(|sum| sum.checked_add(self.share(line)?));
        }
        sum.and_then(|sum| self.rounded_up(sum)).ok_or(Error::AmountOutOfRange { field })
    }

    /// What each dimension adds to the cost of `usage`, by name; a dimension named twice stands once.
    ///
    /// # Errors
    /// As [`Schedule::price`].
    pub fn shares(&self, usage: &[Usage]) -> Result<Vec<Share>, Error> {
        self.price("usage", usage)?;
        let out = || Error::AmountOutOfRange { field: "usage" };
        let mut sums = BTreeMap::<&str, (i64, i128)>::new();
        for line in usage {
            let (quantity, exact) = sums.entry(&line.dimension).or_default();
            // Free units may be more than fit; what they cost does, since the whole cost does.
            *quantity = quantity.saturating_add(line.quantity);
            let share = self.share(line).ok_or_else(out)?;
            *exact = exact.checked_add(share).ok_or_else(out)?;
        }
        let shares = sums.into_iter().map(|(dimension, (quantity, exact))| {
            let micros = exact.checked_div(i128::from(self.common_per)).ok_or_else(out)?;
            let amount = Credits::from_micros(i64::try_from(micros).map_err(|_| out())?);
            Ok(Share { dimension: dimension.to_owned(), quantity, amount })
        });
        shares.collect()
    }

    /// `quantity × price`, in parts of `1 / common_per` of a millionth.
    fn share(&self, line: &Usage) -> Option<i128> {
        let Some(price) = self.content.dimensions.get(&line.dimension) else { return Some(0) };
        let factor = i128::from(self.common_per).checked_div(i128::from(price.per))?;
        i128::from(line.quantity).checked_mul(i128::from(price.price.micros()))?.checked_mul(factor)
    }

    fn rounded_up(&self, sum: i128) -> Option<Credits> {
        let per = i128::from(self.common_per);
        let micros = sum.checked_add(per - 1)?.checked_div(per)?;
        i64::try_from(micros).ok().map(Credits::from_micros)
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check_quantities(field: &str, usage: &[Usage], wrong: &mut Vec<Violation>) {
    if usage.len() > MAX_LINES {
        wrong.push(Violation::new(field, format!("has more than {MAX_LINES} lines")));
        return;
    }
    for (at, line) in usage.iter().enumerate() {
        if line.quantity < 0 {
            wrong.push(Violation::new(format!("{field}[{at}].quantity"), "is below zero"));
        }
        // It may have no price, but it is kept on the receipt: no text of any length.
        if !is_name(&line.dimension) {
            wrong.push(Violation::new(format!("{field}[{at}].dimension"), NAME));
        }
    }
}

fn merged(usage: &[Usage]) -> Result<Vec<Usage>, Error> {
    let mut sums = BTreeMap::<&str, i64>::new();
    for line in usage {
        let sum = sums.entry(&line.dimension).or_default();
        *sum = sum.checked_add(line.quantity).ok_or(Error::AmountOutOfRange { field: "default_estimate" })?;
    }
    Ok(sums.into_iter().map(|(name, quantity)| Usage { dimension: name.to_owned(), quantity }).collect())
}

fn common_multiple(left: i64, right: i64) -> Option<i64> {
    let (mut divisor, mut rest) = (left, right);
    while rest != 0 {
        (divisor, rest) = (rest, divisor.checked_rem(rest)?);
    }
    left.checked_div(divisor)?.checked_mul(right).filter(|multiple| *multiple <= MAX_COMMON_PER)
}

fn canonical(content: &Content) -> Result<String, Error> {
    serde_json::to_string(content).map_err(|_| Error::Broken("unwritable schedule"))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(lines: &[(&str, i64)]) -> Vec<Usage> {
        lines
            .iter()
            .map(|(name, quantity)| Usage { dimension: (*name).to_owned(), quantity: *quantity })
            .collect()
    }

    fn schedule(prices: &[(&str, i64, i64)], default: &[(&str, i64)]) -> Result<Schedule, Error> {
        let price = |price, per| Price { per, price: Credits::from_micros(price) };
        let dimensions = prices.iter().map(|(name, micros, per)| ((*name).to_owned(), price(*micros, *per)));
        Schedule::new(dimensions.collect(), &usage(default))
    }

    fn cost(schedule: &Schedule, lines: &[(&str, i64)]) -> Result<i64, Error> {
        schedule.price("usage", &usage(lines)).map(Credits::micros)
    }

    #[test]
    fn rounds_up_once_over_the_whole_sum() {
        let schedule = schedule(&[("a", 1, 3), ("b", 1, 6), ("c", 3, 1000)], &[("a", 1)]).unwrap();
        for (lines, micros) in [
            (vec![], 0),
            (vec![("a", 0)], 0),
            (vec![("a", 1)], 1),
            (vec![("a", 3)], 1),
            (vec![("a", 4)], 2),
            (vec![("a", 1), ("b", 1)], 1),
            (vec![("a", 1), ("a", 1), ("b", 2)], 1),
            (vec![("a", 2), ("b", 2), ("c", 1)], 2),
            (vec![("c", 1_000_000)], 3000),
        ] {
            assert_eq!(cost(&schedule, &lines), Ok(micros), "{lines:?}");
        }
    }

    #[test]
    fn overflow_is_an_error_and_only_when_it_is_true() {
        let schedule =
            schedule(&[("dear", i64::MAX, 1), ("cheap", i64::MAX, MAX_COMMON_PER)], &[("dear", 1)]).unwrap();
        let out = Err(Error::AmountOutOfRange { field: "usage" });
        assert_eq!(cost(&schedule, &[("dear", 1)]), Ok(i64::MAX));
        assert_eq!(cost(&schedule, &[("dear", 1), ("cheap", 1)]), out);
        assert_eq!(cost(&schedule, &[("dear", i64::MAX), ("dear", i64::MAX), ("dear", i64::MAX)]), out);
        assert_eq!(cost(&schedule, &[("cheap", MAX_COMMON_PER)]), Ok(i64::MAX));
        assert_eq!(cost(&schedule, &[("cheap", i64::MAX)]), out);
    }

    #[test]
    fn refuses_what_it_cannot_price() {
        let schedule = schedule(&[("a", 1, 1)], &[("a", 1)]).unwrap();
        for bad in ["", "A", "1a", "a b", "über", &"a".repeat(64)] {
            assert!(matches!(cost(&schedule, &[(bad, 1)]), Err(Error::Invalid(_))), "{bad:?}");
        }
        let Err(Error::Invalid(wrong)) = cost(&schedule, &[("a", -1), ("a", 1), ("b", i64::MIN)]) else {
            panic!("quantities below zero must be refused");
        };
        assert_eq!(wrong.len(), 2);
        assert_eq!(wrong.get(1).unwrap().field, "usage[2].quantity");
        assert!(matches!(cost(&schedule, &[("a", 1); MAX_LINES + 1]), Err(Error::Invalid(_))));
    }

    #[test]
    fn what_has_no_price_costs_nothing_and_stands_on_the_receipt() {
        let schedule = schedule(&[("a", 3, 2)], &[("a", 1)]).unwrap();
        assert_eq!(cost(&schedule, &[("b", i64::MAX)]), Ok(0));
        assert_eq!(cost(&schedule, &[("b", 5), ("a", 2)]), Ok(3));
        let shares = schedule.shares(&usage(&[("b", 5), ("a", 3), ("b", 2)])).unwrap();
        let shares: Vec<_> = shares
            .iter()
            .map(|share| (share.dimension.as_str(), share.quantity, share.amount.micros()))
            .collect();
        assert_eq!(shares, [("a", 3, 4), ("b", 7, 0)]);
    }

    #[test]
    fn a_schedule_names_all_its_faults() {
        let Err(Error::Invalid(wrong)) = schedule(&[("A", -1, 0), ("", 1, 1)], &[("A", -1)]) else {
            panic!("must be refused");
        };
        assert_eq!(wrong.len(), 6, "{wrong:?}");
        assert!(matches!(schedule(&[("a", 1, 1)], &[]), Err(Error::Invalid(_))));
        assert!(matches!(schedule(&[], &[("a", 1)]), Err(Error::Invalid(_))));
        assert!(matches!(schedule(&[("a", 1, 1)], &[("b", 1)]), Err(Error::DimensionUnknown { .. })));
        let coprime = [("a", 1, 999_999_999_989), ("b", 1, 999_999_999_961)];
        assert!(matches!(schedule(&coprime, &[("a", 1)]), Err(Error::Invalid(_))));
        let twice = [("a", i64::MAX), ("a", 1)];
        assert_eq!(
            schedule(&[("a", 0, 1)], &twice),
            Err(Error::AmountOutOfRange { field: "default_estimate" })
        );
    }

    #[test]
    fn equal_content_has_an_equal_name() {
        let one =
            schedule(&[("run", 1_000_000, 1), ("token", 3, 1000)], &[("token", 2), ("run", 1), ("token", 3)]);
        let two = schedule(&[("token", 3, 1000), ("run", 1_000_000, 1)], &[("run", 1), ("token", 5)]);
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one, two);
        let json = one.to_json().unwrap();
        let canonical = concat!(
            r#"{"default_estimate":[{"dimension":"run","quantity":1},{"dimension":"token","quantity":5}],"#,
            r#""dimensions":{"run":{"per":1,"price_micros":1000000},"token":{"per":1000,"price_micros":3}}}"#
        );
        assert_eq!(json, canonical);
        // Of the line above, by sha256sum: the name must stay the same for ever.
        assert_eq!(one.content_hash(), "f175aa179e53dab7bf50c77e59d5436eebab0f6a343d09c427590f739b234099");
        assert_eq!(Schedule::from_json(&json).unwrap(), one);
        assert!(Schedule::from_json(&json.replace("per\":1,", "per\":1,\"tier\":2,")).is_err());
    }
}
