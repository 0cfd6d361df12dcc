//! Where an instance's files stand: `clusters/<env>/instances/<org>/<project>/<instanceId>`.
//!
//! Built from typed ids and a checked environment name only, never from free text.

use std::{fmt, str::FromStr};

use souk_types::{
    Violation,
    id::{InstanceId, OrgId, ProjectId},
};

/// The name of a cell: lower-case letters, digits and inner hyphens, at most 63.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Env(String);

impl Env {
    /// Takes a cell's name.
    ///
    /// # Errors
    /// Anything that is not a DNS label.
    pub fn new(name: &str) -> Result<Self, Violation> {
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let edges = !name.starts_with('-') && !name.ends_with('-');
        if (1..=63).contains(&name.len()) && letters && edges {
            Ok(Self(name.to_owned()))
        } else {
            Err(Violation::new("env", "must be 1 to 63 lower-case letters, digits and inner hyphens"))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder above all instances of the cell. Whatever stands below it is delivery's.
    #[must_use]
    pub fn instances(&self) -> String {
        format!("clusters/{}/instances", self.0)
    }
}

/// The folder of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder {
    /// The cell.
    pub env: Env,
    /// The tenant.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
    /// The instance.
    pub instance_id: InstanceId,
}

impl Folder {
    /// The folder that a path of the repository leads into, and what is left of the path within it
    /// (empty for the folder itself); `None` when it leads into none.
    #[must_use]
    pub fn of_path(path: &str) -> Option<(Self, &str)> {
        let rest = path.strip_prefix("clusters/")?;
        let (env, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix("instances/")?;
        let (org, rest) = rest.split_once('/')?;
        let (project, rest) = rest.split_once('/')?;
        let (instance, file) = rest.split_once('/').unwrap_or((rest, ""));
        let folder = Self {
            env: Env::new(env).ok()?,
            org_id: OrgId::from_str(org).ok()?,
            project_id: ProjectId::from_str(project).ok()?,
            instance_id: InstanceId::from_str(instance).ok()?,
        };
        Some((folder, file))
    }

    /// The path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        format!("{self}/{name}")
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}/{}", self.env.instances(), self.org_id, self.project_id, self.instance_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        Folder {
            env: Env::new("prod").unwrap(),
            org_id: OrgId::from_bits(1),
            project_id: ProjectId::from_bits(2),
            instance_id: InstanceId::from_bits(3),
        }
    }

    #[test]
    fn a_path_leads_back_to_its_folder() {
        let own = folder();
        assert_eq!(Folder::of_path(&own.to_string()), Some((own.clone(), "")));
        assert_eq!(Folder::of_path(&own.file("a/b.yaml")), Some((own, "a/b.yaml")));
    }

    #[test]
    fn other_paths_lead_nowhere() {
        let good = folder().to_string();
        for path in ["", "clusters", "clusters/prod/instances/x/y/z", "README.md"] {
            assert_eq!(Folder::of_path(path), None, "{path}");
        }
        assert_eq!(Folder::of_path(&good.replace("/prod/", "/Prod/")), None);
        assert_eq!(Folder::of_path(&good.replace("/instances/", "/stores/")), None);
        assert_eq!(Folder::of_path(&format!("x/{good}")), None);
    }

    #[test]
    fn an_environment_is_a_dns_label() {
        for name in ["", "-a", "a-", "..", "a/b", "A", "a.b", "a b", "é", &"a".repeat(64)] {
            assert!(Env::new(name).is_err(), "{name:?}");
        }
        for name in ["local", "eu-1", "0", &"a".repeat(63)] {
            assert!(Env::new(name).is_ok(), "{name:?}");
        }
    }
}
