//! What is wanted of an instance, and the files that say so.
//!
//! Pure: no I/O, no clock, no Git. The same desired state always renders to the same bytes, and the bytes
//! read back to the same desired state; a test holds both.

mod bundle;
mod check;
mod document;
mod folder;
mod parse;
mod render;
mod state;
mod yaml;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize, de};
use souk_types::id::{InstanceId, OfferingVersionId, OrgId, ProjectId};

pub use bundle::{Bundle, Change, Deviation, Drift, check_path, drift, replace};
pub use document::Document;
pub use folder::{Env, Folder};
pub use parse::parse;
pub use render::{CONNECTOR_POLICY, GATEWAY_POLICY, GATEWAY_ROUTE, content_hash, render};
pub use state::{
    AppliedState, Committed, DesiredState, Finding, Removal, Standing, Verdict, judge, weigh, weigh_removal,
};

/// Group and version of the custom resources: `GatewayRoute`, `GatewayPolicy` and `ConnectorPolicy`, one file
/// each. Labels under `souk.dev/` say whose a resource is (`env`, `org`, `project`, `instance`), annotations
/// what it says (`revision`, `content-hash`); Argo CD and the local reconciler read the same ones.
pub const API_VERSION: &str = "souk.dev/v1alpha1";

/// All that is wanted of one instance, at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The tenant.
    pub org_id: OrgId,
    /// The project within it.
    pub project_id: ProjectId,
    /// The instance.
    pub instance_id: InstanceId,
    /// What it runs.
    pub offering_version_id: OfferingVersionId,
    /// The plan's slug.
    pub plan: String,
    /// Counts up with every change of this instance; starts at 1.
    pub revision: i64,
    /// Where the gateway answers for it.
    pub route: Route,
    /// The capabilities it may use; what is not listed is refused.
    pub capabilities: BTreeSet<String>,
    /// How fast it may be called.
    pub rate_limits: RateLimits,
    /// How much one call may carry.
    pub payload_caps: PayloadCaps,
    /// The tools it may call; what is not listed is refused.
    pub tools: BTreeSet<String>,
    /// The MCP servers it may reach; what is not listed is refused.
    pub mcp_servers: BTreeSet<String>,
    /// Capability defaults, version, plan and overrides, already merged.
    pub effective_config: Document,
}

/// Host and path that lead to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A host of its own; `None` for the gateway's host.
    pub host: Option<String>,
    /// The path prefix, with a leading slash and without a trailing one.
    pub path: String,
}

impl Route {
    /// The route an instance has when nothing else is said: `/i/{instanceId}` on the gateway's host.
    #[must_use]
    pub fn default_of(instance_id: InstanceId) -> Self {
        Self { host: None, path: format!("/i/{instance_id}") }
    }
}

/// Limits of an instance of its own; `None` leaves the gateway's general limit alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimits {
    /// Calls in a minute.
    pub requests_per_minute: Option<i64>,
    /// Calls at once above the steady rate.
    pub burst: Option<i64>,
    /// Runs at the same time.
    pub concurrent_runs: Option<i64>,
}

/// Caps of an instance of its own; `None` leaves the gateway's general cap alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadCaps {
    /// Bytes of one request.
    pub request_bytes: Option<i64>,
    /// Bytes of one response.
    pub response_bytes: Option<i64>,
}

/// The name of what stands in an instance's files, whatever the revision: `sha256:` and 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// Takes a hash's text form; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        (digits.len() == 64 && digits.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The 64 hex digits alone, as they stand on the wire.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or_default()
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What the repository says of one instance, read back and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The state that the files describe, with the revision they carry.
    pub desired: Desired,
    /// The hash that each of the files carries.
    pub content_hash: ContentHash,
}

/// The name of a commit: 40 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CommitId(String);

impl CommitId {
    /// Takes a commit's name; `None` when it is not 40 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 40 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("expected sha256: and 64 hex digits"))
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("expected 40 hex digits"))
    }
}

#[cfg(test)]
mod tests;
