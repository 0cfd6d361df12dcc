//! The parts that publishing calls. Their messages go no further than these rooms.

mod billing;
mod runner;

use souk_kit::House;

use self::{billing::Billing, runner::Runner};

/// The other parts, as the catalogue knows them.
pub(crate) struct Peers {
    /// Checks flows.
    pub(crate) runner: Runner,
    /// Prices by schedules.
    pub(crate) billing: Billing,
}

impl Peers {
    pub(crate) fn new(house: House) -> Self {
        Self { runner: Runner::new(house.clone()), billing: Billing::new(house) }
    }
}
