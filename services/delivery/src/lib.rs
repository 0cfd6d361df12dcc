//! Delivery: what is wanted of each instance, as files in a Git repository, and what of it was applied.
//!
//! `model` renders desired state into files and reads files back; `outside::git` keeps them. The wanted
//! state is owned by the service that calls `Apply`: the repository is a projection that can be rebuilt,
//! so nothing here decides what an instance may do.

pub mod error;
pub mod model;
pub mod outside;
