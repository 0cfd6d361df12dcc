//! What an offering version can ask for: the capability registry, the checks of a configuration, and the
//! merge that makes an instance's effective configuration.
//!
//! Pure: no I/O, no clock, nothing fetched. The registry is `capability-registry.yaml`, built in. Messages
//! name fields and rules, never a value: a configuration may hold what is nobody else's to read.
//!
//! # Invariants
//! 1. Merging what `check` passes gives what `check` passes: schemas use only keywords for which this holds.
//! 2. The result depends on what is said alone, never on the order of keys, and comes with its keys sorted.
//! 3. A tenant's overrides never reach a field that the plan decides, and never add a capability.

mod check;
mod format;
mod merge;
mod registry;
mod schema;

pub use crate::{
    check::Violation,
    registry::{Broken, Capability, Registry},
};
