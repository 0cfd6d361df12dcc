//! The platform under test: the same program as `souk`, with an observer that tells each commit and ends the
//! process at a chosen one. Nothing of it is in what is shipped.
//!
//! `SOUK_UNDER_TEST` names a directory: every commit adds `<site> <phase>` to its file `visited`; where its
//! file `die-at` holds exactly that line, the process aborts there, as it would by kill −9.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use souk_db::{CommitObserver, Unobserved};

/// Tells commits to a directory.
struct Told {
    dir: PathBuf,
    visited: Mutex<File>,
}

impl Told {
    fn at(&self, site: &'static str, phase: &'static str) {
        let line = format!("{site} {phase}");
        let mut visited = self.visited.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a line: an abort between two leaves no half of one.
        visited.write_all(format!("{line}\n").as_bytes()).ok();
        let wanted = std::fs::read_to_string(self.dir.join("die-at")).unwrap_or_default();
        if wanted.trim_end() == line {
            std::process::abort();
        }
    }
}

impl CommitObserver for Told {
    fn before(&self, site: &'static str) {
        self.at(site, "before");
    }

    fn after(&self, site: &'static str) {
        self.at(site, "after");
    }
}

fn main() -> ExitCode {
    let told = std::env::var_os("SOUK_UNDER_TEST").map(PathBuf::from).and_then(|dir| {
        let visited = OpenOptions::new().create(true).append(true).open(dir.join("visited")).ok()?;
        Some(Told { dir, visited: Mutex::new(visited) })
    });
    match told {
        Some(told) => souk::main_observed(Arc::new(told)),
        None => souk::main_observed(Arc::new(Unobserved)),
    }
}
