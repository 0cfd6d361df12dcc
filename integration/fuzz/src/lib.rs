//! Drives a property with hostile inputs: a fixed number of them in the ordinary tests, or for as long as
//! `SOUK_FUZZ_SECONDS` says (`just fuzz`). An input is a recorded thing and the edits that bend it, so what
//! fails is shown with the fewest edits that do.
//!
//! Here stand the driver and the edits alone; what must hold stands with each target in `tests/targets`.

pub mod drive;
pub mod edit;

pub use crate::{
    drive::drive,
    edit::{Edit, bend, edits},
};
