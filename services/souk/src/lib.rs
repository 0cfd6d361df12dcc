//! The one binary: it wires the parts into a process and is the command line. Nothing is decided here that
//! a part should decide.

mod backup;
mod cli;
mod demo;
mod parts;
mod process;
mod reach;
mod settings;

use std::{process::ExitCode, sync::Arc};

use souk_db::{CommitObserver, Unobserved};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    main_observed(Arc::new(Unobserved))
}

/// Runs the command line with an observer of every commit: for the binary under test, which ends itself at
/// chosen ones.
#[must_use]
pub fn main_observed(observer: Arc<dyn CommitObserver>) -> ExitCode {
    cli::main(&observer)
}
