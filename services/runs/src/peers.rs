//! The parts that a run needs, in the words of the model. Nothing is decided here.

mod billing;
mod instances;
mod runner;

use souk_kit::House;

pub(crate) use self::{
    billing::{Authorized, Billing, Extended},
    instances::Instances,
    runner::Runner,
};

/// All of them.
pub(crate) struct Peers {
    pub(crate) instances: Instances,
    pub(crate) billing: Billing,
    pub(crate) runner: Runner,
}

impl Peers {
    pub(crate) fn new(house: &House) -> Self {
        Self {
            instances: Instances(house.clone()),
            billing: Billing(house.clone()),
            runner: Runner(house.clone()),
        }
    }
}
