//! Other parts, in the engine's words.

pub(crate) mod models;
