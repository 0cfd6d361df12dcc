//! Foreign systems, one room each. What they send is read into `model` here and goes no further.

pub mod saleor;
