//! Price schedules as a publisher writes them. What a piece of work costs by one is billing's business, and
//! so is the schedule's name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use souk_types::Violation;

/// Most dimensions of a schedule, as at billing.
const DIMENSIONS: usize = 64;

/// The price of one dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Price {
    /// What is counted.
    pub(crate) dimension: String,
    /// Millionths of a credit for each `per` units; not below zero.
    pub(crate) amount_micros: i64,
    /// How many units the amount buys; at least 1.
    pub(crate) per: i64,
}

/// So much of one dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quantity {
    /// What is counted.
    pub(crate) dimension: String,
    /// How many units; not below zero.
    pub(crate) quantity: i64,
}

/// A schedule that billing can price by. Lines are sorted by dimension, each of which stands once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    prices: Vec<Price>,
    default_estimate: Vec<Quantity>,
}

impl Schedule {
    /// Checks a schedule; a `per` of 0 means 1.
    ///
    /// # Errors
    /// Everything that is wrong, as fields of `price_schedule`.
    pub(crate) fn new(
        mut prices: Vec<Price>,
        mut default_estimate: Vec<Quantity>,
    ) -> Result<Self, Vec<Violation>> {
        for price in &mut prices {
            if price.per == 0 {
                price.per = 1;
            }
        }
        let mut wrong = Vec::new();
        check_prices(&prices, &mut wrong);
        if prices.len() <= DIMENSIONS {
            check_estimate(&prices, &default_estimate, &mut wrong);
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        prices.sort_by(|left, right| left.dimension.cmp(&right.dimension));
        default_estimate.sort_by(|left, right| left.dimension.cmp(&right.dimension));
        Ok(Self { prices, default_estimate })
    }

    /// One price a dimension, sorted.
    pub(crate) fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// What is reserved when an authorize names no estimate, sorted.
    pub(crate) fn default_estimate(&self) -> &[Quantity] {
        &self.default_estimate
    }
}

fn check_prices(prices: &[Price], wrong: &mut Vec<Violation>) {
    if prices.is_empty() || prices.len() > DIMENSIONS {
        let description = format!("must have 1 to {DIMENSIONS} prices");
        wrong.push(Violation::new("price_schedule.prices", description));
        return;
    }
    let mut seen = BTreeSet::new();
    for (place, price) in prices.iter().enumerate() {
        let mut note = |field: &str, problem: &str| {
            wrong.push(Violation::new(format!("price_schedule.prices[{place}].{field}"), problem));
        };
        if !is_dimension(&price.dimension) {
            note("dimension", "must be 1 to 63 characters of a-z, 0-9 and _, the first a letter");
        } else if !seen.insert(&price.dimension) {
            note("dimension", "has a price already");
        }
        if price.amount_micros < 0 {
            note("amount_micros", "must not be negative");
        }
        if price.per < 1 {
            note("per", "must be at least 1");
        }
    }
}

fn check_estimate(prices: &[Price], estimate: &[Quantity], wrong: &mut Vec<Violation>) {
    if estimate.is_empty() || estimate.len() > DIMENSIONS {
        let description = format!("must have 1 to {DIMENSIONS} lines");
        wrong.push(Violation::new("price_schedule.default_estimate", description));
        return;
    }
    let mut seen = BTreeSet::new();
    for (place, line) in estimate.iter().enumerate() {
        let mut note = |field: &str, problem: &str| {
            wrong.push(Violation::new(format!("price_schedule.default_estimate[{place}].{field}"), problem));
        };
        if !prices.iter().any(|price| price.dimension == line.dimension) {
            note("dimension", "has no price");
        } else if !seen.insert(&line.dimension) {
            note("dimension", "is estimated already");
        }
        if line.quantity < 0 {
            note("quantity", "must not be negative");
        }
    }
}

fn is_dimension(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(prices: &[(&str, i64, i64)], estimate: &[(&str, i64)]) -> Result<Schedule, Vec<String>> {
        let prices = prices.iter().map(|(dimension, amount_micros, per)| Price {
            dimension: (*dimension).to_owned(),
            amount_micros: *amount_micros,
            per: *per,
        });
        let estimate = estimate.iter().map(|(dimension, quantity)| Quantity {
            dimension: (*dimension).to_owned(),
            quantity: *quantity,
        });
        Schedule::new(prices.collect(), estimate.collect())
            .map_err(|wrong| wrong.into_iter().map(|violation| violation.field).collect())
    }

    #[test]
    fn order_says_nothing_and_no_per_is_one() {
        let one = schedule(&[("runs", 1, 0), ("input_tokens", 2, 1000)], &[("runs", 1)]).unwrap();
        let two = schedule(&[("input_tokens", 2, 1000), ("runs", 1, 1)], &[("runs", 1)]).unwrap();
        assert_eq!(one, two);
    }

    #[test]
    fn every_bad_line_is_named() {
        let prices = [("runs", -1, 1), ("Runs", 1, -1), ("runs", 1, 1), ("", 0, i64::MIN)];
        let wrong = schedule(&prices, &[("runs", -1), ("tokens", 1), ("runs", 1)]).unwrap_err();
        let expected = [
            "prices[0].amount_micros",
            "prices[1].dimension",
            "prices[1].per",
            "prices[2].dimension",
            "prices[3].dimension",
            "prices[3].per",
            "default_estimate[0].quantity",
            "default_estimate[1].dimension",
            "default_estimate[2].dimension",
        ];
        assert_eq!(wrong, expected.map(|field| format!("price_schedule.{field}")));
        let wrong = schedule(&[], &[]).unwrap_err();
        assert_eq!(wrong, ["price_schedule.prices", "price_schedule.default_estimate"]);
        assert_eq!(schedule(&[("a", 1, 1); 65], &[("a", 1); 65]).unwrap_err(), ["price_schedule.prices"]);
    }
}
