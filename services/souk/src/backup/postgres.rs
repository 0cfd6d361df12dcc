//! Tables at scale: written out by PostgreSQL's own `pg_dump`, which sees all parts at one moment.

use std::{io, path::Path, process::Command};

use super::blocking;
use crate::cli::Failure;

/// The name of the dump in a backup, and in the directory that is restored from it.
pub(super) const DUMP: &str = "postgres.dump";
const PROGRAM: &str = "pg_dump";

/// Refuses where the program is not there: a backup without tables is none.
pub(super) fn require_dump() -> Result<(), Failure> {
    match Command::new(PROGRAM).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(Failure::new("the tables are in PostgreSQL, and pg_dump is not on the path")
            .hint("install PostgreSQL's client programs of the server's version, or back the server up by its own means together with the data directory")),
    }
}

/// Writes all schemas out.
pub(super) async fn dump(url: &str, dir: &Path) -> Result<(), Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::new(format!("the PostgreSQL URL: {error}"));
    let mut url = reqwest::Url::parse(url).map_err(|error| bad(&error))?;
    let password = url.password().map(ToOwned::to_owned);
    // What stands on a command line is read by everybody on the machine.
    url.set_password(None).map_err(|()| bad(&"it names no host"))?;
    let to = dir.join(DUMP);
    blocking(move || {
        let mut command = Command::new(PROGRAM);
        command.args(["--format=custom", "--no-password", "--schema=souk_*", "--file"]).arg(&to);
        command.arg(format!("--dbname={url}"));
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        let output =
            command.output().map_err(|error: io::Error| Failure::new(format!("{PROGRAM}: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("{PROGRAM} failed: {}", said.trim())));
        }
        let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&to, only_owner)
            .and_then(|()| std::fs::File::open(&to)?.sync_all())
            .map_err(super::at(&to))
    })
    .await
}
