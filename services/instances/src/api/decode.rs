//! Requests into commands; everything wrong with one is said at once.

use serde_json::{Map, Value};
use souk_kit::wire::Check;
use souk_proto::souk::instances::v1::{AutoActivateRequest, CreateInstanceRequest, UpdateConfigRequest};
use souk_types::{Fault, InstanceId};

use crate::{
    error::DOMAIN,
    model::{AutoActivate, Configure, CreateInstance, Hold},
};

/// The longest `source_ref`, in bytes.
const SOURCE_REF: usize = 255;
/// The largest `config_json`, in bytes.
const CONFIG: usize = 64 * 1024;
/// Most capabilities that one update names.
const CAPABILITIES: usize = 100;

pub(super) fn create_instance(ask: &CreateInstanceRequest) -> Result<CreateInstance, Fault> {
    let mut check = Check::default();
    let version = check.parse("offering_version_id", &ask.offering_version_id);
    let plan = check.parse("plan_id", &ask.plan_id);
    let printable = ask.source_ref.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    check.require(
        ask.source_ref.len() <= SOURCE_REF && printable,
        "source_ref",
        "must be at most 255 printable ASCII characters",
    );
    let command = version.zip(plan).map(|(offering_version_id, plan_id)| CreateInstance {
        offering_version_id,
        plan_id,
        source_ref: ask.source_ref.clone(),
    });
    check.done(DOMAIN, command)
}

pub(super) fn auto_activate(ask: &AutoActivateRequest) -> Result<AutoActivate, Fault> {
    let mut check = Check::default();
    let version = check.parse("offering_version_id", &ask.offering_version_id);
    check.done(DOMAIN, version.map(|offering_version_id| AutoActivate { offering_version_id }))
}

pub(super) fn instance_id(text: &str) -> Result<InstanceId, Fault> {
    let mut check = Check::default();
    let id = check.parse("instance_id", text);
    check.done(DOMAIN, id)
}

pub(super) fn hold(id: &str, reason: String) -> Result<(InstanceId, Hold), Fault> {
    instance_id(id).map(|id| (id, Hold { reason }))
}

pub(super) fn update_config(ask: &UpdateConfigRequest) -> Result<(InstanceId, Configure), Fault> {
    let mut check = Check::default();
    let id = check.parse("instance_id", &ask.instance_id);
    check.require(ask.config_json.len() <= CONFIG, "config_json", "must be at most 64 KiB");
    check.require(ask.capabilities.len() <= CAPABILITIES, "capabilities", "must be at most 100 names");
    let config: Map<String, Value> = match serde_json::from_str(&ask.config_json) {
        _ if ask.config_json.len() > CONFIG => Map::new(),
        Ok(Value::Object(config)) => config,
        Ok(_) | Err(_) => {
            check.note("config_json", "must be a JSON object by capability");
            Map::new()
        }
    };
    let capabilities: std::collections::BTreeSet<String> = ask.capabilities.iter().cloned().collect();
    let named = |name: &String| capabilities.is_empty() || capabilities.contains(name);
    check.require(config.keys().all(named), "config_json", "must name only what capabilities names");
    check.done(DOMAIN, id.map(|id| (id, Configure { config, capabilities })))
}
