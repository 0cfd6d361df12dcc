//! The parts that the gateway itself asks; everybody's calls are passed on by `door`.

pub(crate) mod delivery;
pub(crate) mod tenancy;
