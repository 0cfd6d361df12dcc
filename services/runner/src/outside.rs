//! Foreign systems, one file each. Nothing here decides what a flow does.

pub(crate) mod openai;
