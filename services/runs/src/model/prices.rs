//! What usage costs, as billing will settle it, and when a run needs more than it may spend.
//!
//! Prices are billing's: here they are only multiplied, so that an engine can be stopped in time. What is
//! charged is what billing says.

use souk_types::Credits;

use super::Usage;

/// The dimension that no run has more than one of: reserving more of it is of no use.
const RUNS: &str = "runs";
/// The dimension that an input is counted in.
const INPUT: &str = "input_tokens";
/// The fewest bytes of an input that make a token.
const BYTES_PER_TOKEN: i64 = 3;
/// More is asked for when so many hundredths of the budget are used.
const NEAR: i128 = 80;
/// Parts of what was used so far that are asked for, the next when one is refused.
const PARTS: [i64; 3] = [1, 4, 16];

/// The price of one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    /// What is counted.
    pub(crate) dimension: String,
    /// Millionths of a credit for each `per` units.
    pub(crate) amount_micros: i64,
    /// How many units the amount buys; less than 1 is 1.
    pub(crate) per: i64,
}

/// The prices that a reservation is settled at. A dimension that is not among them costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prices(Vec<Price>);

impl Prices {
    pub(crate) const fn new(prices: Vec<Price>) -> Self {
        Self(prices)
    }

    /// What usage costs: the exact sum, rounded up once.
    #[must_use]
    pub(crate) fn cost(&self, usage: &Usage) -> Credits {
        let (mut whole, mut part) = (0_i128, (0_i128, 1_i128));
        for (dimension, quantity) in usage.iter() {
            let Some(price) = self.of(dimension) else { continue };
            let (amount, per) = (i128::from(price.amount_micros.max(0)), i128::from(price.per.max(1)));
            let cost = amount.saturating_mul(i128::from(quantity.max(0)));
            whole = whole.saturating_add(cost / per);
            part = match add(part, (cost % per, per)) {
                Some(sum) => sum,
                // Beyond counting exactly: rounded up here already.
                None => {
                    whole = whole.saturating_add(1);
                    part
                }
            };
        }
        let rounded = whole.saturating_add(part.0 / part.1 + i128::from(part.0 % part.1 != 0));
        Credits::from_micros(i64::try_from(rounded).unwrap_or(i64::MAX))
    }

    fn of(&self, dimension: &str) -> Option<&Price> {
        self.0.iter().find(|price| price.dimension == dimension)
    }

    fn costs(&self, dimension: &str) -> bool {
        self.of(dimension).is_some_and(|price| price.amount_micros > 0)
    }

    /// What an input of so many bytes may come to, when that is more than `budget` holds: to be reserved on
    /// top before an engine sees it, or a large input is used up at the platform's cost.
    #[must_use]
    pub(crate) fn beyond(&self, input_bytes: usize, budget: Credits) -> Option<Usage> {
        if !self.costs(INPUT) {
            return None;
        }
        let tokens = up(i64::try_from(input_bytes).unwrap_or(i64::MAX), BYTES_PER_TOKEN);
        let input = Usage::of([(INPUT, tokens)]);
        let all = Usage::of([(INPUT, tokens), (RUNS, 1)]);
        (self.cost(&all) > budget).then_some(input)
    }
}

/// A quantity in so many parts, rounded up.
const fn up(quantity: i64, parts: i64) -> i64 {
    quantity / parts + if quantity % parts == 0 { 0 } else { 1 }
}

/// Adds two fractions; `None` beyond what can be counted.
fn add((a, b): (i128, i128), (c, d): (i128, i128)) -> Option<(i128, i128)> {
    let common = b.checked_mul(d)? / gcd(b, d);
    let sum = a.checked_mul(common / b)?.checked_add(c.checked_mul(common / d)?)?;
    Some((sum, common))
}

const fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What a run may spend, against what it used.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    prices: Prices,
    budget: Credits,
    /// What was used when billing last said no: asked again only when more was used.
    refused: Option<Credits>,
}

/// What a run needs of billing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// More, soon: what is used comes near the budget.
    Soon,
    /// More, now: what is used is beyond the budget.
    Now,
}

impl Meter {
    pub(crate) const fn new(prices: Prices, budget: Credits) -> Self {
        Self { prices, budget, refused: None }
    }

    /// What may be spent in all.
    #[must_use]
    pub(crate) const fn budget(&self) -> Credits {
        self.budget
    }

    /// Billing gave more.
    pub(crate) fn extended(&mut self, budget: Credits) {
        // A reservation never shrinks: an answer that is late says less than is known.
        self.budget = self.budget.max(budget);
        self.refused = None;
    }

    /// Billing said no.
    pub(crate) fn refused(&mut self, usage: &Usage) {
        self.refused = Some(self.prices.cost(usage));
    }

    /// What is needed for this usage.
    #[must_use]
    pub(crate) fn need(&self, usage: &Usage) -> Need {
        let cost = self.prices.cost(usage);
        if cost > self.budget {
            return Need::Now;
        }
        let near = i128::from(cost.micros()) * 100 > i128::from(self.budget.micros()) * NEAR;
        // Less than a tenth more than at the last no: the answer would be the same.
        let asked = self
            .refused
            .is_some_and(|refused| i128::from(cost.micros()) * 10 < i128::from(refused.micros()) * 11);
        if near && !asked && !self.wants(usage, false).is_empty() { Need::Soon } else { Need::Nothing }
    }

    /// What to ask billing for, the most first: as much again as was used, or a part of it. With `all` also of
    /// what a run has only one of, where the budget does not hold even that.
    #[must_use]
    pub(crate) fn wants(&self, usage: &Usage, all: bool) -> Vec<Usage> {
        let grows = |dimension: &str| (all || dimension != RUNS) && self.prices.costs(dimension);
        let part = |part: i64| {
            let priced = usage.iter().filter(|(dimension, quantity)| grows(dimension) && *quantity > 0);
            Usage::of(priced.map(|(dimension, quantity)| (dimension, up(quantity, part))))
        };
        let mut wants: Vec<_> = PARTS.into_iter().map(part).filter(|want| !want.is_nothing()).collect();
        wants.dedup();
        wants
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prices(prices: &[(&str, i64, i64)]) -> Prices {
        let price = |(dimension, amount_micros, per): &(&str, i64, i64)| Price {
            dimension: (*dimension).to_owned(),
            amount_micros: *amount_micros,
            per: *per,
        };
        Prices::new(prices.iter().map(price).collect())
    }

    const fn micros(micros: i64) -> Credits {
        Credits::from_micros(micros)
    }

    #[test]
    fn the_exact_sum_is_rounded_up_once() {
        let thirds = prices(&[("a", 1, 3), ("b", 1, 3), ("c", 1, 3)]);
        assert_eq!(thirds.cost(&Usage::of([("a", 1), ("b", 1), ("c", 1)])), micros(1));
        assert_eq!(thirds.cost(&Usage::of([("a", 1), ("b", 3)])), micros(2));
        assert_eq!(thirds.cost(&Usage::of([("unpriced", i64::MAX)])), micros(0));
        assert_eq!(prices(&[("a", 5, 0)]).cost(&Usage::of([("a", 2)])), micros(10));
        assert_eq!(prices(&[("a", i64::MAX, 1)]).cost(&Usage::of([("a", i64::MAX)])), micros(i64::MAX));
    }

    #[test]
    fn an_input_that_the_budget_does_not_hold_is_reserved_on_top() {
        let table = prices(&[("runs", 100, 1), ("input_tokens", 3, 1)]);
        assert_eq!(table.beyond(300, micros(400)), None);
        assert_eq!(table.beyond(301, micros(400)), Some(Usage::of([("input_tokens", 101)])));
        assert_eq!(prices(&[("runs", 100, 1)]).beyond(1 << 20, micros(100)), None, "no model is priced");
    }

    #[test]
    fn more_is_asked_for_near_the_end_and_in_ever_smaller_parts() {
        let mut meter = Meter::new(prices(&[("runs", 10, 1), ("output_tokens", 1, 1)]), micros(100));
        let used = |tokens| Usage::of([("runs", 1), ("output_tokens", tokens)]);
        assert_eq!(meter.need(&used(70)), Need::Nothing);
        assert_eq!(meter.need(&used(71)), Need::Soon);
        assert_eq!(meter.need(&used(91)), Need::Now);
        let wants = meter.wants(&used(71), false);
        assert_eq!(wants.first(), Some(&Usage::of([("output_tokens", 71)])));
        assert_eq!(wants.last(), Some(&Usage::of([("output_tokens", 5)])));
        meter.refused(&used(71));
        assert_eq!(meter.need(&used(72)), Need::Nothing);
        assert_eq!(meter.need(&used(80)), Need::Soon);
        meter.extended(micros(200));
        meter.extended(micros(150));
        assert_eq!((meter.budget(), meter.need(&used(91))), (micros(200), Need::Nothing));
        // One run at its full price needs nothing more.
        let meter = Meter::new(prices(&[("runs", 100, 1)]), micros(100));
        assert_eq!(meter.need(&used(5)), Need::Nothing);
        assert!(meter.wants(&used(5), false).is_empty());
        assert_eq!(meter.wants(&used(5), true), [Usage::of([("runs", 1)])]);
    }

    proptest! {
        #[test]
        fn a_cost_is_the_ceiling_of_the_sum(
            lines in proptest::collection::vec((0_i64..1000, 1_i64..50, 0_i64..100_000), 0..6)
        ) {
            let table: Vec<_> = lines.iter().enumerate().map(|(at, (amount, per, _))| Price {
                dimension: format!("d{at}"), amount_micros: *amount, per: *per,
            }).collect();
            let names: Vec<_> = (0..lines.len()).map(|at| format!("d{at}")).collect();
            let usage = Usage::of(names.iter().zip(&lines).map(|(name, line)| (name.as_str(), line.2)));
            let common: i128 = lines.iter().map(|line| i128::from(line.1)).product();
            let sum: i128 = lines.iter().map(|(amount, per, quantity)| {
                i128::from(*amount) * i128::from(*quantity) * (common / i128::from(*per))
            }).sum();
            let ceiling = (sum + common - 1) / common;
            prop_assert_eq!(i128::from(Prices::new(table).cost(&usage).micros()), ceiling);
        }
    }
}
