//! The parts that tenancy asks for something, in tenancy's own words. Only this room knows their wire.

pub(crate) mod billing;

pub(crate) use billing::Billing;
