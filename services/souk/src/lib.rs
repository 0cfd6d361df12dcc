//! The one binary: it wires the parts into a process and is the command line. Nothing is decided here that
//! a part should decide.

mod cli;
mod demo;
mod parts;
mod process;
mod settings;

use std::process::ExitCode;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    cli::main()
}
