//! Files by path, changes to them, and how two sets of files differ.
//!
//! A path is checked here before it may stand in a change: what reaches the repository is a plain file below
//! a plain folder on every system that may ever check it out.

use std::{collections::BTreeMap, fmt};

use super::Folder;
use crate::error::Error;

/// Files by their path in the repository, sorted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bundle(BTreeMap<String, Vec<u8>>);

impl Bundle {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: String, content: Vec<u8>) {
        self.0.insert(path, content);
    }

    /// The content of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// All files, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts all files of another bundle into this one.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The files sorted by the instance they belong to, and what belongs to none.
    #[must_use]
    pub fn by_folder(self) -> (BTreeMap<Folder, Self>, Self) {
        let (mut folders, mut rest) = (BTreeMap::<Folder, Self>::new(), Self::default());
        for (path, content) in self.0 {
            match Folder::of_path(&path) {
                Some((folder, _)) => folders.entry(folder).or_default().insert(path, content),
                None => rest.insert(path, content),
            }
        }
        (folders, rest)
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text where it is text: a failing test that prints numbers helps nobody.
        out.debug_map()
            .entries(self.0.iter().map(|(path, content)| (path, String::from_utf8_lossy(content))))
            .finish()
    }
}

/// One change to the repository. Changes act in the order in which they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a file, whatever stood at its path.
    Put {
        /// Where.
        path: String,
        /// What.
        content: Vec<u8>,
    },
    /// Removes the file, or the folder with all that is in it; nothing when it is absent.
    Remove {
        /// Where.
        path: String,
    },
}

impl Change {
    /// The path it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Put { path, .. } | Self::Remove { path } => path,
        }
    }

    /// Refuses a change that may not be made.
    ///
    /// # Errors
    /// [`Error::PathRefused`].
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Put { path, .. } => check_path(path),
            // Whatever a foreign writer named a file, it must be possible to remove it.
            Self::Remove { path } if path.split('/').all(|name| !name.is_empty()) => Ok(()),
            Self::Remove { path } => Err(Error::PathRefused { path: path.clone(), why: PLAIN }),
        }
    }
}

/// The changes after which a folder holds exactly the bundle, whatever it held before. An empty bundle
/// removes the folder.
#[must_use]
pub fn replace(folder: &Folder, bundle: &Bundle) -> Vec<Change> {
    let mut changes = vec![Change::Remove { path: folder.to_string() }];
    changes.extend(
        bundle.iter().map(|(path, content)| Change::Put { path: path.to_owned(), content: content.to_vec() }),
    );
    changes
}

const PLAIN: &str = "must be relative, without empty names";

/// Refuses a path for a file that is not a plain relative one.
///
/// # Errors
/// [`Error::PathRefused`] with the rule that is broken.
pub fn check_path(path: &str) -> Result<(), Error> {
    let refuse = |why| Err(Error::PathRefused { path: path.to_owned(), why });
    if path.is_empty() || path.len() > 1024 {
        return refuse("must have 1 to 1024 bytes");
    }
    // No backslash, colon, tilde or letter beyond ASCII: each is read as something else somewhere.
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b)) {
        return refuse("may hold letters, digits, '-', '_', '.' and '/' only");
    }
    for name in path.split('/') {
        if name.is_empty() {
            return refuse(PLAIN);
        }
        if name == "." || name == ".." {
            return refuse("must not climb");
        }
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(".git")) {
            return refuse("must not name files that Git itself reads");
        }
        if name.ends_with('.') {
            return refuse("must not end a name with a dot");
        }
    }
    Ok(())
}

/// How a file differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    /// It should be there and is not.
    Missing,
    /// It is there with another content, or as something other than a plain file.
    Changed,
    /// It is there and should not be.
    Foreign,
}

/// One file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// Where.
    pub path: String,
    /// How.
    pub deviation: Deviation,
}

impl fmt::Display for Drift {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.deviation {
            Deviation::Missing => "missing",
            Deviation::Changed => "changed",
            Deviation::Foreign => "foreign",
        };
        write!(out, "{} is {how}", self.path)
    }
}

/// Every file that is not as expected, in the order of paths. Both bundles cover the same folder.
#[must_use]
pub fn drift(expected: &Bundle, found: &Bundle) -> Vec<Drift> {
    let note = |path: &str, deviation| Drift { path: path.to_owned(), deviation };
    let mut drifts: Vec<_> = expected
        .iter()
        .filter_map(|(path, content)| match found.get(path) {
            None => Some(note(path, Deviation::Missing)),
            Some(other) if other != content => Some(note(path, Deviation::Changed)),
            Some(_) => None,
        })
        .chain(
            found
                .iter()
                .filter(|(path, _)| expected.get(path).is_none())
                .map(|(path, _)| note(path, Deviation::Foreign)),
        )
        .collect();
    drifts.sort();
    drifts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            "a/.",
            ".git",
            ".git/config",
            "a/.GIT/x",
            ".gitmodules",
            "a/.gitattributes",
            "git~1/x",
            "a\0b",
            "a\nb",
            "a b",
            "C:/x",
            "a\\b",
            "é",
            "a/b.",
            "-\u{202e}",
        ] {
            assert!(matches!(check_path(path), Err(Error::PathRefused { .. })), "{path:?}");
        }
        assert!(check_path(&"a/".repeat(600)).is_err());
        for path in ["a", "a/b.yaml", "clusters/eu-1/instances/org_1/x", ".well-known/x", "a..b"] {
            assert!(check_path(path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn whatever_stands_there_can_be_removed() {
        let remove = |path: &str| Change::Remove { path: path.to_owned() }.check();
        assert!(remove("a/é b\n/.gitmodules").is_ok());
        assert!(remove("").is_err() && remove("/a").is_err() && remove("a//b").is_err());
    }

    #[test]
    fn drift_names_each_file_and_how_it_differs() {
        let bundle = |files: &[(&str, &str)]| {
            let mut bundle = Bundle::default();
            files.iter().for_each(|(path, text)| bundle.insert((*path).to_owned(), text.as_bytes().to_vec()));
            bundle
        };
        let expected = bundle(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let found = bundle(&[("a", "1"), ("c", "other"), ("d", "4")]);
        let text: Vec<_> = drift(&expected, &found).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["b is missing", "c is changed", "d is foreign"]);
        assert_eq!(drift(&expected, &expected), []);
    }
}
