//! Measures the platform on this machine: the disk under it, billing alone and through the mesh, and the
//! program as its users start it. Prints a table; `--json` prints one document; `--queue` ends after billing alone.
//!
//! Run it by `just bench`: it expects the program `souk` of the same profile beside itself.

mod callers;
mod core;
mod delivery;
mod disk;
mod mesh;
mod program;
mod report;

use std::{error::Error, path::PathBuf};

use crate::{program::Program, report::Report};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let here = std::env::current_exe()?;
    let here = here.parent().map(PathBuf::from).ok_or("the bench has no folder")?;
    // Beside the program, hence on the disk that builds and data of this checkout lie on.
    let dir = tempfile::tempdir_in(&here)?;
    let mut report = Report::new();
    disk::measure(dir.path(), &mut report, "before")?;
    core::measure(dir.path(), &mut report).await?;
    if asked_for("--queue") {
        return report.print(asked_for("--json"));
    }
    delivery::measure(dir.path(), &mut report)?;
    mesh::measure_pipe(dir.path(), &mut report).await?;
    let mut program = Program::new(here.join("souk"), dir.path().join("data"));
    program.measure_starts(&mut report)?;
    program.start()?;
    mesh::measure_socket(&program.data, &mut report).await?;
    program.measure_runs(&mut report).await?;
    program.measure_memory("after all of this", &mut report)?;
    program.kill()?;
    disk::measure(dir.path(), &mut report, "after")?;
    report.print(asked_for("--json"))
}

fn asked_for(word: &str) -> bool {
    std::env::args_os().any(|one| one == word)
}
