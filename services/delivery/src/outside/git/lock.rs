//! One writer at a time among souk's own handles and processes.
//!
//! The kernel holds this lock for an open file, so it ends with its holder, however that one dies. The
//! `.lock` files of Git do not: `branch` clears those that a dead holder of this lock left.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use super::storage;
use crate::error::Error;

/// The lock, held until dropped.
pub(super) struct Held(#[expect(dead_code, reason = "held open: closing it releases the lock")] File);

/// Waits for the lock at `path` and takes it.
pub(super) fn take(path: &Path) -> Result<Held, Error> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(storage("open the lock", path))?;
    file.lock().map_err(storage("take the lock", path))?;
    Ok(Held(file))
}
