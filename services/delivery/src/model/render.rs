//! Desired state → files: three custom resources, deterministic to the byte.
//!
//! Each file carries whose it is, at which revision, and the hash of what all of them say.

use sha2::{Digest, Sha256};
use souk_types::Violation;

use super::{
    API_VERSION, Bundle, ContentHash, Desired, Env, Folder, check,
    yaml::{self, Node},
};
use crate::error::Error;

/// The file that says which host and path lead to the instance.
pub const GATEWAY_ROUTE: &str = "gateway-route.yaml";
/// The file that says what the gateway lets through.
pub const GATEWAY_POLICY: &str = "gateway-policy.yaml";
/// The file that says which tools and MCP servers the instance may reach.
pub const CONNECTOR_POLICY: &str = "connector-policy.yaml";

const HEADER: &str = "# Written by souk. A change made here is drift: it is reported and overwritten.\n";

type Entries = Vec<(&'static str, Node)>;

impl Desired {
    /// Everything that forbids to render it, by the names of this model; empty when nothing does.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        check::violations(self)
    }

    /// The folder of the instance in a cell.
    #[must_use]
    pub fn folder(&self, env: &Env) -> Folder {
        Folder {
            env: env.clone(),
            org_id: self.org_id,
            project_id: self.project_id,
            instance_id: self.instance_id,
        }
    }
}

/// Renders an instance's files for a cell.
///
/// # Errors
/// [`Error::Invalid`] with everything that may not be rendered.
pub fn render(env: &Env, desired: &Desired) -> Result<Bundle, Error> {
    let violations = desired.violations();
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let stamp = Stamp { revision: desired.revision.to_string(), hash: content_hash(env, desired).0 };
    Ok(files(env, desired, &stamp))
}

/// The hash of what an instance's files say, revision and hash left out: equal at two revisions when
/// nothing but the revision differs.
#[must_use]
pub fn content_hash(env: &Env, desired: &Desired) -> ContentHash {
    let mut sum = Sha256::new();
    let blank = Stamp { revision: String::new(), hash: String::new() };
    for (path, bytes) in files(env, desired, &blank).iter() {
        // Lengths first: no two bundles may run together to the same bytes.
        for part in [path.as_bytes(), bytes] {
            sum.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            sum.update(part);
        }
    }
    ContentHash(format!("sha256:{}", hex::encode(sum.finalize())))
}

/// What differs between the files as hashed and the files as written.
struct Stamp {
    revision: String,
    hash: String,
}

fn files(env: &Env, desired: &Desired, stamp: &Stamp) -> Bundle {
    let folder = desired.folder(env);
    let mut bundle = Bundle::default();
    for (name, kind, spec) in [
        (GATEWAY_ROUTE, "GatewayRoute", route_spec(desired)),
        (GATEWAY_POLICY, "GatewayPolicy", policy_spec(desired)),
        (CONNECTOR_POLICY, "ConnectorPolicy", connector_spec(desired)),
    ] {
        let document = vec![
            ("apiVersion", Node::Word(API_VERSION)),
            ("kind", Node::Word(kind)),
            ("metadata", Node::Map(metadata(env, desired, stamp))),
            ("spec", Node::Map(spec)),
        ];
        let text = format!("{HEADER}{}", yaml::write(&document));
        bundle.insert(folder.file(name), text.into_bytes());
    }
    bundle
}

/// The name of the custom resources: an id may hold an underscore, a resource's name may not.
pub(super) fn resource_name(desired: &Desired) -> String {
    desired.instance_id.to_string().replace('_', "-")
}

fn metadata(env: &Env, desired: &Desired, stamp: &Stamp) -> Entries {
    let labels = vec![
        ("app.kubernetes.io/managed-by", Node::Word("souk")),
        ("souk.dev/env", Node::text(env.as_str())),
        ("souk.dev/org", Node::text(desired.org_id)),
        ("souk.dev/project", Node::text(desired.project_id)),
        ("souk.dev/instance", Node::text(desired.instance_id)),
    ];
    let annotations = vec![
        ("souk.dev/revision", Node::text(&stamp.revision)),
        ("souk.dev/content-hash", Node::text(&stamp.hash)),
    ];
    vec![
        ("name", Node::text(resource_name(desired))),
        ("labels", Node::Map(labels)),
        ("annotations", Node::Map(annotations)),
    ]
}

fn route_spec(desired: &Desired) -> Entries {
    let mut spec = vec![
        ("instanceId", Node::text(desired.instance_id)),
        ("offeringVersionId", Node::text(desired.offering_version_id)),
        ("plan", Node::text(&desired.plan)),
    ];
    spec.extend(desired.route.host.as_ref().map(|host| ("host", Node::text(host))));
    spec.push(("path", Node::text(&desired.route.path)));
    spec
}

fn policy_spec(desired: &Desired) -> Entries {
    let (rates, caps) = (&desired.rate_limits, &desired.payload_caps);
    vec![
        ("instanceId", Node::text(desired.instance_id)),
        ("capabilities", Node::List(desired.capabilities.iter().cloned().collect())),
        (
            "rateLimits",
            limits([
                ("requestsPerMinute", rates.requests_per_minute),
                ("burst", rates.burst),
                ("concurrentRuns", rates.concurrent_runs),
            ]),
        ),
        (
            "payloadCaps",
            limits([("requestBytes", caps.request_bytes), ("responseBytes", caps.response_bytes)]),
        ),
        // As text: a cluster drops nulls and rounds numbers inside objects it stores.
        ("effectiveConfig", Node::Block(desired.effective_config.as_str().to_owned())),
    ]
}

fn connector_spec(desired: &Desired) -> Entries {
    vec![
        ("instanceId", Node::text(desired.instance_id)),
        ("tools", Node::List(desired.tools.iter().cloned().collect())),
        ("mcpServers", Node::List(desired.mcp_servers.iter().cloned().collect())),
    ]
}

fn limits<const N: usize>(fields: [(&'static str, Option<i64>); N]) -> Node {
    let present = |(key, limit): (&'static str, Option<i64>)| limit.map(|limit| (key, Node::Whole(limit)));
    Node::Map(fields.into_iter().filter_map(present).collect())
}
