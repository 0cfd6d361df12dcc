//! The platform under test: the same program as `souk`. What a test wants to see or break in a running
//! process is installed here, never in what is shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    souk::main()
}
