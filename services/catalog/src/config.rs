//! What an operator may set of the catalogue.

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

use crate::model::content::Limits;

/// The section `[catalog]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest flow, in bytes. A message carries 4 MiB at most, and a flow is not all of it.
    /// Default 2 MiB.
    pub max_flow_bytes: usize,
    /// Most plans of a version. Default 50.
    pub max_plans: usize,
    /// Largest configuration of a version or a plan, in bytes of JSON. Default 16 KiB: a page of the
    /// catalogue carries all of them.
    pub max_config_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_flow_bytes: 2 * 1024 * 1024, max_plans: 50, max_config_bytes: 16 * 1024 }
    }
}

impl Config {
    pub(crate) const fn limits(&self) -> Limits {
        Limits { flow_bytes: self.max_flow_bytes, plans: self.max_plans, config_bytes: self.max_config_bytes }
    }
}

impl Section for Config {
    const NAME: &'static str = "catalog";

    fn check(&self, mistakes: &mut Vec<String>) {
        let mut within = |name: &str, value: usize, most: usize| {
            if !(1..=most).contains(&value) {
                mistakes.push(format!("{name}: must be from 1 to {most}"));
            }
        };
        within("max_flow_bytes", self.max_flow_bytes, 3 * 1024 * 1024);
        within("max_plans", self.max_plans, 100);
        within("max_config_bytes", self.max_config_bytes, 32 * 1024);
    }
}
