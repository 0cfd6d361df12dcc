//! Messages → model. Every mistake of a request is named at once, in the names of the contract.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use souk_kit::wire::Check;
use souk_proto::souk::delivery::v1 as pb;
use souk_types::{Fault, id::InstanceId};

use crate::{
    error::DOMAIN,
    model::{Desired, Document, PayloadCaps, RateLimits, Removal, Route},
};

pub(super) fn instance_id(text: &str) -> Result<InstanceId, Fault> {
    let mut check = Check::default();
    let id = check.parse("instance_id", text);
    check.done(DOMAIN, id)
}

pub(super) fn removal(ask: &pb::RemoveRequest) -> Result<Removal, Fault> {
    let mut check = Check::default();
    let org_id = check.parse("org_id", &ask.org_id);
    let instance_id = check.parse("instance_id", &ask.instance_id);
    check.require(ask.revision > 0, "revision", "must be 1 or more");
    let removal = || Some(Removal { org_id: org_id?, instance_id: instance_id?, revision: ask.revision });
    check.done(DOMAIN, removal())
}

pub(super) fn desired(message: pb::Desired) -> Result<Desired, Fault> {
    let mut check = Check::default();
    let instance_id = check.parse("desired.instance_id", &message.instance_id);
    let org_id = check.parse("desired.org_id", &message.org_id);
    let project_id = check.parse("desired.project_id", &message.project_id);
    let version = check.parse("desired.offering_version_id", &message.offering_version_id);
    let capabilities = names(&mut check, "desired.capabilities", message.capabilities);
    let tools = names(&mut check, "desired.tools", message.tools);
    let config = config(&mut check, &message.effective_config_json);
    let limit = |value: i64| (value != 0).then_some(value);
    let requests_per_minute = limit(message.runs_per_minute.into());
    let built = || {
        let instance_id = instance_id?;
        let path = if message.path.is_empty() { Route::default_of(instance_id).path } else { message.path };
        Some(Desired {
            org_id: org_id?,
            project_id: project_id?,
            instance_id,
            offering_version_id: version?,
            plan: message.plan_slug,
            revision: message.revision,
            route: Route { host: Some(message.host).filter(|host| !host.is_empty()), path },
            capabilities,
            rate_limits: RateLimits { requests_per_minute, ..RateLimits::default() },
            payload_caps: PayloadCaps { request_bytes: limit(message.input_bytes), ..PayloadCaps::default() },
            tools,
            mcp_servers: BTreeSet::new(),
            effective_config: config?,
        })
    };
    let desired = built();
    for violation in desired.iter().flat_map(Desired::violations) {
        check.note(field(&violation.field), &violation.description);
    }
    check.done(DOMAIN, desired)
}

fn names(check: &mut Check, field: &str, names: Vec<String>) -> BTreeSet<String> {
    let count = names.len();
    let names: BTreeSet<_> = names.into_iter().collect();
    check.require(names.len() == count, field, "names a thing twice");
    names
}

fn config(check: &mut Check, text: &str) -> Option<Document> {
    const FIELD: &str = "desired.effective_config_json";
    let value = if text.is_empty() { Ok(Value::Object(Map::new())) } else { serde_json::from_str(text) };
    let problem = match value {
        Ok(value @ Value::Object(_)) => match Document::new(&value) {
            Ok(document) => return Some(document),
            Err(violation) => violation.description,
        },
        Ok(_) => "must be a JSON object".to_owned(),
        // What the reader says may quote the text.
        Err(error) => format!("is no JSON: line {}, column {}", error.line(), error.column()),
    };
    check.note(FIELD, &problem);
    None
}

/// The contract's name of a field that the model refused.
fn field(name: &str) -> &'static str {
    match name {
        "revision" => "desired.revision",
        "plan" => "desired.plan_slug",
        "route.host" => "desired.host",
        "route.path" => "desired.path",
        "capabilities" => "desired.capabilities",
        "tools" => "desired.tools",
        "rate_limits.requests_per_minute" => "desired.runs_per_minute",
        "payload_caps.request_bytes" => "desired.input_bytes",
        _ => "desired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> pb::Desired {
        pb::Desired {
            instance_id: InstanceId::from_bits(3).to_string(),
            org_id: souk_types::OrgId::from_bits(1).to_string(),
            project_id: souk_types::ProjectId::from_bits(2).to_string(),
            offering_version_id: souk_types::OfferingVersionId::from_bits(4).to_string(),
            plan_slug: "starter".to_owned(),
            revision: 1,
            ..pb::Desired::default()
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let desired = desired(message()).unwrap();
        assert_eq!(desired.route, Route::default_of(InstanceId::from_bits(3)));
        assert_eq!((desired.rate_limits, desired.payload_caps), Default::default());
        assert_eq!(desired.effective_config.as_str(), "{}");
    }

    #[test]
    fn every_mistake_is_named_as_the_contract_names_it() {
        let bad = pb::Desired {
            plan_slug: "No Slug".to_owned(),
            revision: 0,
            host: "a/b".to_owned(),
            path: "/../x".to_owned(),
            runs_per_minute: -1,
            input_bytes: i64::MIN,
            tools: vec!["a".to_owned(), "a".to_owned()],
            ..message()
        };
        let fault = desired(bad).unwrap_err();
        let fields: BTreeSet<_> = fault.violations.iter().map(|one| one.field.as_str()).collect();
        let wanted = ["plan_slug", "revision", "host", "path", "runs_per_minute", "input_bytes", "tools"];
        let wanted: Vec<_> = wanted.iter().map(|name| format!("desired.{name}")).collect();
        assert_eq!(fields, wanted.iter().map(String::as_str).collect());
        let fault = desired(pb::Desired::default()).unwrap_err();
        assert_eq!(fault.violations.len(), 4, "{:?}", fault.violations);
    }

    #[test]
    fn a_config_is_an_object_and_is_not_quoted_back() {
        for bad in ["[]", "null", "{", "{\"secret\" \"canary\"}", &"[".repeat(500)] {
            let message = pb::Desired { effective_config_json: bad.to_owned(), ..message() };
            let fault = desired(message).unwrap_err();
            assert_eq!(fault.violations[0].field, "desired.effective_config_json");
            assert!(!format!("{fault:?}").contains("canary"));
        }
    }
}
