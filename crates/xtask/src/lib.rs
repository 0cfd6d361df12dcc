//! The generator: proto files in, everything under `gen/` out.
//!
//! `generate` makes all files in memory from `proto/` and from the registry of reasons, so that a test
//! can compare them with what is committed; `write` puts them on disk. An ordinary `cargo build` never
//! comes here. Two runs give identical bytes: nothing here may read a clock, the network or the
//! environment.

mod access;
mod compile;
mod edge;
mod emit;
mod errors;
mod rules;
mod rust;
mod typescript;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

pub use typescript::generate_typescript;

/// Folders and files that hold generated output only; whatever else lies there is left over.
const OWNED: &[&str] =
    &["gen/rust/src", "gen/souk.binpb", "gen/souk-edge.binpb", "gen/access.md", "gen/errors.md"];

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A proto file does not compile; the text names file and line.
    #[error("the proto files do not compile: {0}")]
    Proto(String),
    /// Methods without a usable access rule, all of them at once.
    #[error("the access rules are not complete:\n  {}", .0.join("\n  "))]
    Rules(Vec<String>),
    /// The generated Rust is not Rust: a fault of the generator.
    #[error("the generated {file} cannot be parsed: {cause}")]
    Code {
        /// Which file.
        file: String,
        /// What the parser says.
        cause: syn::Error,
    },
    /// A file could not be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A tool from npm is missing or failed.
    #[error("{0}")]
    Tool(String),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |cause| Self::Io { path, cause }
    }
}

/// Generated files: path below the repository's root → content.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Makes every generated file in memory, from `root/proto` and the registry of reasons.
///
/// # Errors
/// The protos do not compile, or an access rule is missing or contradicts its message.
pub fn generate(root: &Path) -> Result<Files, Error> {
    let compiled = compile::compile(&root.join("proto"))?;
    let rules = rules::read(&compiled.pool)?;
    let mut files = rust::bindings(&compiled)?;
    files.insert("gen/rust/src/rules.rs".into(), emit::rules(&rules)?.into_bytes());
    files.insert("gen/souk-edge.binpb".into(), edge::prune(&compiled, &rules)?);
    files.insert("gen/souk.binpb".into(), compiled.descriptor);
    files.insert("gen/access.md".into(), access::table(&rules).into_bytes());
    files.insert("gen/errors.md".into(), errors::table().into_bytes());
    Ok(files)
}

/// Writes generated files below `root`, removes left-over ones, and adds pages for new reasons.
///
/// # Errors
/// A file cannot be written or removed.
pub fn write(root: &Path, files: &Files) -> Result<(), Error> {
    for (path, content) in files {
        let path = root.join(path);
        // An equal file keeps its time stamp, so that cargo rebuilds nothing.
        if fs::read(&path).is_ok_and(|present| present == *content) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        fs::write(&path, content).map_err(Error::io(&path))?;
    }
    for path in left_over(root, files)? {
        let path = root.join(path);
        fs::remove_file(&path).map_err(Error::io(&path))?;
    }
    errors::add_missing_pages(root)
}

/// Names every difference between what is generated and what lies on disk; empty when all is current.
///
/// # Errors
/// A folder cannot be read.
pub fn drift(root: &Path, files: &Files) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for (path, content) in files {
        match fs::read(root.join(path)) {
            Ok(present) if present == *content => {}
            Ok(_) => found.push(format!("{} is out of date", path.display())),
            Err(_) => found.push(format!("{} is missing", path.display())),
        }
    }
    found.extend(left_over(root, files)?.iter().map(|path| format!("{} is left over", path.display())));
    found.extend(errors::missing_pages(root).iter().map(|path| format!("{} is missing", path.display())));
    Ok(found)
}

/// Files in the generated folders that no run of the generator makes any more.
fn left_over(root: &Path, files: &Files) -> Result<BTreeSet<PathBuf>, Error> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = OWNED.iter().map(PathBuf::from).collect();
    while let Some(path) = open.pop() {
        let full = root.join(&path);
        if full.is_dir() {
            for entry in fs::read_dir(&full).map_err(Error::io(&full))? {
                open.push(path.join(entry.map_err(Error::io(&full))?.file_name()));
            }
        } else if full.exists() && !files.contains_key(&path) {
            found.insert(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_mends_drift_and_leaves_written_pages_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let files = Files::from([("gen/rust/src/pb/a.rs".into(), b"new".to_vec())]);
        for (path, text) in [
            ("gen/rust/src/pb/a.rs", "old"),
            ("gen/rust/src/pb/gone.rs", "x"),
            ("docs/errors/INTERNAL.md", "mine"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let found = drift(root, &files).unwrap().join("\n");
        assert!(
            found.contains("pb/a.rs is out of date") && found.contains("pb/gone.rs is left over"),
            "{found}"
        );
        assert!(found.contains("docs/errors/UNAVAILABLE.md is missing"), "{found}");

        write(root, &files).unwrap();
        assert_eq!(drift(root, &files).unwrap(), Vec::<String>::new());
        assert_eq!(fs::read_to_string(root.join("docs/errors/INTERNAL.md")).unwrap(), "mine");
    }
}
