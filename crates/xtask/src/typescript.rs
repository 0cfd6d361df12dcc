//! `gen/ts`: the browser's client, by buf and protoc-gen-es from `integration/web/node_modules`.

use std::{path::Path, process::Command};

use crate::Error;

/// Runs `buf generate` with the template `buf.gen.yaml`.
///
/// # Errors
/// The tools are not installed, or buf says no.
pub fn generate_typescript(root: &Path) -> Result<(), Error> {
    let root = root.canonicalize().map_err(Error::io(root))?;
    let buf = root.join("integration/web/node_modules/.bin/buf");
    if !buf.exists() {
        return Err(Error::Tool("buf is not installed\nhint: npm ci in integration/web".to_owned()));
    }
    let status = Command::new(&buf).arg("generate").current_dir(&root).status().map_err(Error::io(&buf))?;
    if status.success() { Ok(()) } else { Err(Error::Tool(format!("buf generate: {status}"))) }
}
