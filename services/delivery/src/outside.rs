//! Foreign systems, one file each: today the Git repository.
//!
//! What is said here stays here: no caller sees a type of a foreign library.

pub mod git;
