//! Files → applied state: the strict inverse of rendering.
//!
//! What was read is rendered again and must be the same bytes. So a file that somebody touched, one that is
//! missing, one too many or one of another instance is never taken for applied state.

use std::collections::BTreeSet;

use serde::{Deserialize, de::DeserializeOwned};
use souk_types::id::{InstanceId, OfferingVersionId, OrgId, ProjectId};

use super::{
    API_VERSION, Applied, Bundle, CONNECTOR_POLICY, Desired, Document, Folder, GATEWAY_POLICY, GATEWAY_ROUTE,
    PayloadCaps, RateLimits, Route, content_hash, drift, render,
};
use crate::error::Error;

/// The largest file that is worth reading; delivery writes none as large.
const FILE_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resource<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(rename = "name")]
    _name: String,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[serde(rename = "app.kubernetes.io/managed-by")]
    _managed_by: String,
    #[serde(rename = "souk.dev/env")]
    _env: String,
    #[serde(rename = "souk.dev/org")]
    org_id: OrgId,
    #[serde(rename = "souk.dev/project")]
    project_id: ProjectId,
    #[serde(rename = "souk.dev/instance")]
    instance_id: InstanceId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    #[serde(rename = "souk.dev/revision")]
    revision: String,
    #[serde(rename = "souk.dev/content-hash")]
    _content_hash: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RouteSpec {
    #[serde(rename = "instanceId")]
    _instance_id: InstanceId,
    offering_version_id: OfferingVersionId,
    plan: String,
    host: Option<String>,
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicySpec {
    #[serde(rename = "instanceId")]
    _instance_id: InstanceId,
    capabilities: BTreeSet<String>,
    rate_limits: RateSpec,
    payload_caps: CapSpec,
    effective_config: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RateSpec {
    requests_per_minute: Option<i64>,
    burst: Option<i64>,
    concurrent_runs: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CapSpec {
    request_bytes: Option<i64>,
    response_bytes: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConnectorSpec {
    #[serde(rename = "instanceId")]
    _instance_id: InstanceId,
    tools: BTreeSet<String>,
    mcp_servers: BTreeSet<String>,
}

/// Reads an instance's files, as they stand in its folder, back into applied state.
///
/// # Errors
/// [`Error::AppliedStateNotFound`] when the folder holds nothing; [`Error::BundleUnreadable`] when it holds
/// anything but what [`render`] writes.
pub fn parse(folder: &Folder, found: &Bundle) -> Result<Applied, Error> {
    if found.is_empty() {
        return Err(Error::AppliedStateNotFound { instance_id: folder.instance_id });
    }
    let unreadable = |why: String| Error::BundleUnreadable { folder: folder.to_string(), why };
    let desired = read(folder, found).map_err(unreadable)?;
    let written = render(&folder.env, &desired).map_err(|error| unreadable(error.to_string()))?;
    let deviations = drift(&written, found);
    if let Some(first) = deviations.first() {
        return Err(unreadable(format!("{first} (one of {})", deviations.len())));
    }
    Ok(Applied { content_hash: content_hash(&folder.env, &desired), desired })
}

fn read(folder: &Folder, found: &Bundle) -> Result<Desired, String> {
    let route: Resource<RouteSpec> = resource(folder, found, GATEWAY_ROUTE, "GatewayRoute")?;
    let policy: Resource<PolicySpec> = resource(folder, found, GATEWAY_POLICY, "GatewayPolicy")?;
    let connector: Resource<ConnectorSpec> = resource(folder, found, CONNECTOR_POLICY, "ConnectorPolicy")?;
    let revision = &route.metadata.annotations.revision;
    let labels = route.metadata.labels;
    // The other files' names, labels and hashes are not compared one by one: they are rendered anew.
    let config = policy.spec.effective_config;
    Ok(Desired {
        org_id: labels.org_id,
        project_id: labels.project_id,
        instance_id: labels.instance_id,
        offering_version_id: route.spec.offering_version_id,
        plan: route.spec.plan,
        revision: revision.parse().map_err(|_| format!("{revision:?} is no revision"))?,
        route: Route { host: route.spec.host, path: route.spec.path },
        capabilities: policy.spec.capabilities,
        rate_limits: RateLimits {
            requests_per_minute: policy.spec.rate_limits.requests_per_minute,
            burst: policy.spec.rate_limits.burst,
            concurrent_runs: policy.spec.rate_limits.concurrent_runs,
        },
        payload_caps: PayloadCaps {
            request_bytes: policy.spec.payload_caps.request_bytes,
            response_bytes: policy.spec.payload_caps.response_bytes,
        },
        tools: connector.spec.tools,
        mcp_servers: connector.spec.mcp_servers,
        effective_config: Document::from_canonical(&config).ok_or("effectiveConfig is not canonical JSON")?,
    })
}

fn resource<S: DeserializeOwned>(
    folder: &Folder,
    found: &Bundle,
    name: &str,
    kind: &str,
) -> Result<Resource<S>, String> {
    let bytes = found.get(&folder.file(name)).ok_or_else(|| format!("{name} is missing"))?;
    if bytes.len() > FILE_BYTES {
        return Err(format!("{name} has {} bytes", bytes.len()));
    }
    let resource: Resource<S> =
        serde_norway::from_slice(bytes).map_err(|error| format!("{name} cannot be read: {error}"))?;
    if resource.api_version != API_VERSION || resource.kind != kind {
        return Err(format!("{name} holds {} {}", resource.api_version, resource.kind));
    }
    Ok(resource)
}
