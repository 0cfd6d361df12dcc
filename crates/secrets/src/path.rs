//! Paths of secrets: made of checked segments only, so that no path leads elsewhere than it says.

use std::{fmt, str::FromStr};

/// What every path begins with: the mount and the read side of a KV v2 store.
const PREFIX: &str = "kv/data/";
/// The longest segment, in bytes.
const SEGMENT: usize = 64;
/// The longest path, in bytes.
const PATH: usize = 240;

/// Where a secret stands, such as `kv/data/platform/models/OPENAI_API_KEY`.
///
/// A segment has 1 to 64 of `A-Z a-z 0-9 _ -`: no dots, no slashes, nothing that is encoded on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Without the prefix.
    text: String,
    owner: String,
}

/// A text that is no path of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path of a secret: {0}")]
pub struct BadPath(&'static str);

impl Path {
    /// Where the key of a model endpoint stands. It belongs to the platform.
    ///
    /// # Errors
    /// When the name cannot be a segment.
    pub fn model_endpoint(name: &str) -> Result<Self, BadPath> {
        Self::of(&["platform", "models", name])
    }

    /// Where a part of the platform keeps a secret of its own.
    ///
    /// # Errors
    /// When a name cannot be a segment.
    pub fn part(part: &str, name: &str) -> Result<Self, BadPath> {
        Self::of(&["platform", "parts", part, name])
    }

    /// Where the secret of a connector's binding stands. It belongs to the org.
    ///
    /// # Errors
    /// When an id cannot be a segment.
    pub fn binding(org_id: &str, project_id: &str, binding_id: &str) -> Result<Self, BadPath> {
        Self::of(&["connectors", org_id, project_id, binding_id])
    }

    /// `platform/…` belongs to the platform, `connectors/{org}/{project}/{binding}` to the org; there are
    /// no others.
    fn of(segments: &[&str]) -> Result<Self, BadPath> {
        for segment in segments {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if segment.is_empty() || segment.len() > SEGMENT || !segment.bytes().all(known) {
                return Err(BadPath("a segment has 1 to 64 of A-Z, a-z, 0-9, hyphen and underscore"));
            }
        }
        let owner = match segments {
            ["platform", "models", _] | ["platform", "parts", _, _] => "platform",
            ["connectors", org, _, _] if *org != "platform" => org,
            _ => return Err(BadPath("nothing is kept there")),
        };
        let path = Self { text: segments.join("/"), owner: owner.to_owned() };
        if path.text.len() > PATH { Err(BadPath("it is too long")) } else { Ok(path) }
    }

    /// Whose data key seals it: an org's id, or `platform`.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The path without the mount: `platform/models/OPENAI_API_KEY`.
    #[must_use]
    pub fn below_mount(&self) -> &str {
        &self.text
    }
}

impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let below = text.strip_prefix(PREFIX).ok_or(BadPath("it begins with kv/data/"))?;
        Self::of(&below.split('/').collect::<Vec<_>>())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_it_is_read() {
        let endpoint = Path::model_endpoint("OPENAI_API_KEY").unwrap();
        assert_eq!(endpoint.to_string(), "kv/data/platform/models/OPENAI_API_KEY");
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint.clone()));
        assert_eq!(endpoint.owner(), "platform");
        let binding = Path::binding("org_1", "prj_1", "bnd_1").unwrap();
        assert_eq!((binding.owner(), binding.below_mount()), ("org_1", "connectors/org_1/prj_1/bnd_1"));
        assert_eq!(binding.to_string().parse(), Ok(binding));
    }

    #[test]
    fn no_path_leads_elsewhere() {
        for name in ["", "..", ".", "a/b", "a.b", "a b", "ä", "a%2f", "a\0", "a\\b", &"x".repeat(65)] {
            assert!(Path::model_endpoint(name).is_err(), "{name:?}");
            assert!(Path::binding("org_1", name, "bnd_1").is_err(), "{name:?}");
        }
        for text in [
            "platform/models/A",
            "kv/data/platform/models",
            "kv/data/platform/models/A/B",
            "kv/data/platform/models/A/",
            "kv/data//platform/models/A",
            "kv/data/platform/models/../A",
            "kv/data/connectors/org_1/prj_1",
            "kv/data/connectors/platform/prj_1/bnd_1",
            "kv/metadata/platform/models/A",
            "",
        ] {
            assert!(text.parse::<Path>().is_err(), "{text:?}");
        }
    }
}
