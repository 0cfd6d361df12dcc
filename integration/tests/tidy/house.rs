//! The repository as the rules see it: every text file, every Rust file parsed once, every manifest.

use std::{fs, path::Path, sync::LazyLock};

use super::reading::{self, Reading};

/// Folders that hold what is not committed.
const UNTRACKED: &[&str] = &[".git", "target", "node_modules", ".souk", ".cache", "__pycache__"];

/// A text file.
pub(crate) struct Text {
    /// Path below the root, with slashes.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

/// A Rust file that people wrote.
pub(crate) struct Rust {
    pub(crate) path: String,
    pub(crate) text: String,
    /// What one walk over the syntax found; the tree itself cannot cross threads.
    pub(crate) reading: Reading,
}

/// A crate of the workspace.
pub(crate) struct Crate {
    /// Folder below the root.
    pub(crate) folder: String,
    pub(crate) manifest: toml::Table,
}

impl Crate {
    pub(crate) fn name(&self) -> &str {
        self.manifest["package"]["name"].as_str().expect("a package has a name")
    }

    /// Names in one dependency table.
    pub(crate) fn dependencies(&self, table: &str) -> Vec<&str> {
        let table = self.manifest.get(table).and_then(toml::Value::as_table);
        table.into_iter().flat_map(|table| table.keys().map(String::as_str)).collect()
    }
}

/// Everything the rules look at.
pub(crate) struct House {
    pub(crate) texts: Vec<Text>,
    pub(crate) rust: Vec<Rust>,
    pub(crate) crates: Vec<Crate>,
}

/// The repository, read once per test run.
pub(crate) fn house() -> &'static House {
    static HOUSE: LazyLock<House> = LazyLock::new(read);
    &HOUSE
}

fn read() -> House {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    walk(&root, "", &mut texts);
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    let rust = texts.iter().filter(|t| t.path.ends_with(".rs") && !t.path.starts_with("gen/")).map(parse);
    let crates = texts.iter().filter(|t| t.path.ends_with("/Cargo.toml")).map(|t| Crate {
        folder: t.path.trim_end_matches("/Cargo.toml").to_owned(),
        manifest: t.text.parse().unwrap_or_else(|error| panic!("{}: {error}", t.path)),
    });
    House { rust: rust.collect(), crates: crates.collect(), texts }
}

fn parse(text: &Text) -> Rust {
    let reading = reading::read(&text.path, &text.text);
    Rust { path: text.path.clone(), text: text.text.clone(), reading }
}

fn walk(root: &Path, folder: &str, found: &mut Vec<Text>) {
    for entry in fs::read_dir(root.join(folder)).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let name = entry.file_name().into_string().expect("file names are UTF-8");
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().expect("the entry has a type");
        if kind.is_dir() && !UNTRACKED.contains(&name.as_str()) {
            walk(root, &path, found);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            found.push(Text { path, text });
        }
    }
}
