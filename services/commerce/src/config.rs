//! What an operator may set of commerce.

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

use crate::model::plan::Policy;

/// The section `[commerce]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Most instances that one order line may bring; more park it. Default 100.
    pub max_units_per_line: i64,
    /// Most deliveries that are read at once; each may hold 2 MiB. More are asked to come again.
    /// Default 64.
    pub max_deliveries: usize,
    /// Most deliveries, orders or lines that one turn of a loop takes. Default 16.
    pub batch: u64,
    /// How often the loops look without being rung, in milliseconds. Default 500.
    pub poll_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_units_per_line: 100, max_deliveries: 64, batch: 16, poll_millis: 500 }
    }
}

impl Config {
    pub(crate) const fn policy(&self) -> Policy {
        Policy { max_instances: self.max_units_per_line }
    }
}

impl Section for Config {
    const NAME: &'static str = "commerce";

    fn check(&self, mistakes: &mut Vec<String>) {
        let mut within = |name: &str, holds: bool, most: u64| {
            if !holds {
                mistakes.push(format!("{name}: must be from 1 to {most}"));
            }
        };
        within("max_units_per_line", (1..=10_000).contains(&self.max_units_per_line), 10_000);
        within("max_deliveries", (1..=10_000).contains(&self.max_deliveries), 10_000);
        within("batch", (1..=1000).contains(&self.batch), 1000);
        within("poll_millis", (1..=60_000).contains(&self.poll_millis), 60_000);
    }
}
