//! Access rules: read from the method options and checked against the messages they speak of.
//!
//! Every complaint is gathered before the generator gives up, so that one run names all of them.

use std::{collections::BTreeMap, str::FromStr as _};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, ServiceDescriptor,
};
use souk_types::{PartName, access::Verb};

use crate::Error;

/// Whether a method exists outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Edge,
    Mesh,
}

/// How a method finds out whose data it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    OrgField,
    ProjectField,
    Resource,
    Caller,
    None,
}

/// What a second call with the same `request_id` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    Result,
    Identity,
    Read,
    Once,
}

/// The fields of a request that the generated trait reads.
pub(crate) const READ_FIELDS: [&str; 3] = ["org_id", "project_id", "request_id"];

/// One method and its rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `/souk.billing.v1.BillingService/Authorize`
    pub path: String,
    /// Second segment of the package: `billing`.
    pub part: String,
    /// Full name of the request message.
    pub request: String,
    pub audience: Audience,
    pub callers: Vec<String>,
    pub anonymous: bool,
    pub permission: Option<(String, Verb)>,
    pub tenant: Tenant,
    pub replay: Replay,
    pub server_streaming: bool,
    /// Which of `READ_FIELDS` the request has.
    pub fields: Vec<&'static str>,
}

impl Rule {
    /// Whether the request has a field of this name.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }
}

/// Reads the rule of every method in a `souk.` package, sorted by path.
pub(crate) fn read(pool: &DescriptorPool) -> Result<Vec<Rule>, Error> {
    let mut problems = Vec::new();
    let mut rules = Vec::new();
    let Some(option) = pool.get_extension_by_name("souk.access.v1.rule") else {
        return Err(Error::Rules(vec!["the option souk.access.v1.rule is not declared".to_owned()]));
    };
    for service in pool.services().filter(|service| service.package_name().starts_with("souk.")) {
        for method in service.methods() {
            match rule(&option, &service, &method) {
                Ok(rule) => rules.push(rule),
                Err(found) => {
                    problems.extend(found.iter().map(|problem| format!("{}: {problem}", method.full_name())));
                }
            }
        }
    }
    problems.extend(shared_requests(&rules));
    if !problems.is_empty() {
        problems.sort();
        return Err(Error::Rules(problems));
    }
    rules.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rules)
}

/// Requests that two methods use: a message then has no single rule.
fn shared_requests(rules: &[Rule]) -> Vec<String> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in rules {
        users.entry(&rule.request).or_default().push(&rule.path);
    }
    users
        .into_iter()
        .filter(|(_, paths)| paths.len() > 1)
        .map(|(request, paths)| {
            format!("{request} is the request of {}; give each its own", paths.join(" and "))
        })
        .collect()
}

fn rule(
    option: &ExtensionDescriptor,
    service: &ServiceDescriptor,
    method: &MethodDescriptor,
) -> Result<Rule, Vec<String>> {
    let options = method.options();
    if !options.has_extension(option) {
        return Err(vec!["has no (souk.access.v1.rule)".to_owned()]);
    }
    let value = options.get_extension(option);
    let Some(stated) = value.as_message() else {
        return Err(vec!["(souk.access.v1.rule) is not a message".to_owned()]);
    };
    let mut problems = Vec::new();
    let input = method.input();
    let rule = Rule {
        path: format!("/{}/{}", service.full_name(), method.name()),
        part: service.package_name().split('.').nth(1).unwrap_or_default().to_owned(),
        request: input.full_name().to_owned(),
        audience: keep(audience(stated), &mut problems, Audience::Mesh),
        callers: keep(callers(stated), &mut problems, Vec::new()),
        anonymous: flag(stated, "anonymous"),
        permission: keep(permission(stated), &mut problems, None),
        tenant: keep(tenant(stated, &input), &mut problems, Tenant::None),
        replay: keep(replay(stated), &mut problems, Replay::Once),
        server_streaming: method.is_server_streaming(),
        fields: READ_FIELDS.into_iter().filter(|field| has_text(&input, field)).collect(),
    };
    if problems.is_empty() {
        problems = contradictions(&rule, method);
    }
    if problems.is_empty() { Ok(rule) } else { Err(problems) }
}

/// What the rule says that its own parts, or the method, deny.
fn contradictions(rule: &Rule, method: &MethodDescriptor) -> Vec<String> {
    let reads = rule.replay == Replay::Read;
    let marked = text(&method.options(), "idempotency_level") == "NO_SIDE_EFFECTS";
    let edge = rule.audience == Audience::Edge;
    let bare = rule.permission.is_none();
    let checks = [
        (method.is_client_streaming(), "streams from the client, which browsers cannot do"),
        (
            !reads && rule.replay != Replay::Once && !rule.has("request_id"),
            "changes something, so its request needs `string request_id`",
        ),
        (reads && !marked, "replay READ needs `option idempotency_level = NO_SIDE_EFFECTS`"),
        (!reads && marked, "is marked NO_SIDE_EFFECTS, so replay must be READ"),
        (rule.anonymous && !edge, "is anonymous and MESH: between parts everybody has a name"),
        (rule.anonymous && !bare, "is anonymous and asks for a permission"),
        (!edge && rule.callers.is_empty(), "is MESH and names no caller, so nobody may call it"),
        (!edge && !bare, "is MESH and asks for a permission that only people hold"),
        (
            edge && bare && !rule.anonymous && rule.tenant != Tenant::Caller,
            "is EDGE without a permission: say tenant CALLER (any signed-in person) or anonymous",
        ),
        (
            !bare && rule.tenant == Tenant::Caller,
            "has tenant CALLER: nobody needs a permission for their own",
        ),
    ];
    checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what.to_owned()).collect()
}

/// The value, or a stand-in while the complaint is gathered.
fn keep<T>(found: Result<T, String>, problems: &mut Vec<String>, stand_in: T) -> T {
    found.unwrap_or_else(|problem| {
        problems.push(problem);
        stand_in
    })
}

fn audience(rule: &DynamicMessage) -> Result<Audience, String> {
    match text(rule, "audience").as_str() {
        "AUDIENCE_EDGE" => Ok(Audience::Edge),
        "AUDIENCE_MESH" => Ok(Audience::Mesh),
        _ => Err("states no audience".to_owned()),
    }
}

fn replay(rule: &DynamicMessage) -> Result<Replay, String> {
    match text(rule, "replay").as_str() {
        "REPLAY_RESULT" => Ok(Replay::Result),
        "REPLAY_IDENTITY" => Ok(Replay::Identity),
        "REPLAY_READ" => Ok(Replay::Read),
        "REPLAY_ONCE" => Ok(Replay::Once),
        _ => Err("states no replay".to_owned()),
    }
}

fn callers(rule: &DynamicMessage) -> Result<Vec<String>, String> {
    let value = rule.get_field_by_name("callers");
    let listed = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    let names: Vec<String> = listed.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    match names.iter().find(|name| *name != "*" && PartName::from_str(name).is_err()) {
        Some(unknown) => Err(format!("callers name {unknown:?}, which is no part")),
        None => Ok(names),
    }
}

fn permission(rule: &DynamicMessage) -> Result<Option<(String, Verb)>, String> {
    let permission = text(rule, "permission");
    if permission.is_empty() {
        return Ok(None);
    }
    let (domain, verb) = permission.split_once('.').unwrap_or((&permission, ""));
    if PartName::from_str(domain).is_err() {
        return Err(format!("permission {permission:?} is of no known domain"));
    }
    let verb = match verb {
        "read" => Verb::Read,
        "use" => Verb::Use,
        "admin" => Verb::Admin,
        _ => return Err(format!("permission {permission:?} does not end in .read, .use or .admin")),
    };
    Ok(Some((domain.to_owned(), verb)))
}

fn tenant(rule: &DynamicMessage, request: &MessageDescriptor) -> Result<Tenant, String> {
    let value = rule.get_field_by_name("tenant");
    let Some(stated) = value.as_ref().and_then(|value| value.as_message()) else {
        return Err("states no tenant".to_owned());
    };
    let field = text(stated, "field");
    match (text(stated, "kind").as_str(), field.as_str()) {
        ("KIND_FIELD", "org_id" | "project_id") if !has_text(request, &field) => {
            Err(format!("tenant is FIELD({field}), but {} has no `string {field}`", request.full_name()))
        }
        ("KIND_FIELD", "org_id") => Ok(Tenant::OrgField),
        ("KIND_FIELD", "project_id") => Ok(Tenant::ProjectField),
        ("KIND_FIELD", other) => {
            Err(format!("tenant is FIELD({other}); only org_id and project_id name one"))
        }
        (_, other) if !other.is_empty() => Err(format!("tenant names the field {other} without KIND_FIELD")),
        ("KIND_RESOURCE", _) => Ok(Tenant::Resource),
        ("KIND_CALLER", _) => Ok(Tenant::Caller),
        ("KIND_NONE", _) => Ok(Tenant::None),
        _ => Err("states no tenant".to_owned()),
    }
}

/// Whether the message has a plain string field of this name.
fn has_text(message: &MessageDescriptor, field: &str) -> bool {
    message
        .get_field_by_name(field)
        .is_some_and(|field| field.kind() == Kind::String && !field.is_list() && !field.supports_presence())
}

fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or_default()
}

/// A string field, or the name of an enum field's value.
fn text(message: &DynamicMessage, field: &str) -> String {
    let Some(descriptor) = message.descriptor().get_field_by_name(field) else {
        return String::new();
    };
    let value = message.get_field(&descriptor);
    match (descriptor.kind(), value.as_enum_number()) {
        (Kind::Enum(kind), Some(number)) => {
            kind.get_value(number).map(|value| value.name().to_owned()).unwrap_or_default()
        }
        _ => value.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests;
