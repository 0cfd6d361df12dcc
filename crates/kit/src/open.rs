//! Opens a request: binds the caller to the tenant that the method's rule names. The layer in
//! `access` has checked audience, caller and token before; this is where permission and scope are
//! decided, once, and the body is decoded once.

use souk_proto::{Replay, Rule, Ruled, Tenant, Verb as RuleVerb};
use souk_types::{
    Caller, Fault, Membership, OrgId, ProjectId, Reason, Scope, SessionId, Time, Trace, Violation,
    access::{Reach, Verb},
    call::Call,
};
use tonic::{Request, Status};

use crate::{access::Opened, status::status};

/// The longest request id.
const REQUEST_ID: usize = 255;

/// Opens a request whose message carries a rule.
///
/// # Errors
/// `PERMISSION_DENIED`, `…_NOT_FOUND` for tenants the caller may not know of, `PROJECT_REQUIRED`,
/// `REQUEST_ID_REQUIRED`, and `TOKEN_MISSING` where the access layer did not run.
pub fn open<M: Ruled>(request: Request<M>) -> Result<(Call, M), Status> {
    let (_, extensions, message) = request.into_parts();
    let opened = extensions.get::<Opened>().cloned();
    bind(opened, &message).map(|call| (call, message)).map_err(status)
}

/// The session that the caller of a request showed, where they showed one. Ask before `open`, which takes
/// the request apart.
#[must_use]
pub fn session<M>(request: &Request<M>) -> Option<SessionId> {
    request.extensions().get::<Opened>().and_then(|opened| opened.claims.session)
}

fn bind<M: Ruled>(opened: Option<Opened>, message: &M) -> Result<Call, Fault> {
    let rule = M::RULE;
    let opened =
        opened.ok_or_else(|| Fault::new(Reason::TokenMissing, rule.part, "the call names no caller"))?;
    let request_id = request_id(rule, message.request_id())?;
    let Opened { claims, trace, deadline } = opened;
    let caller = &claims.caller;
    left_by_scopes(rule, caller)?;
    let (scope, project_id) = match rule.tenant {
        Tenant::OrgField => (org_scope(rule, caller, message.org_id())?, None),
        Tenant::ProjectField => project_scope(rule, caller, message.project_id())?,
        Tenant::Resource => (resource_scope(rule, caller), None),
        Tenant::Caller => (caller_scope(rule, caller)?, None),
        Tenant::None => (platform_scope(rule, caller)?, None),
    };
    Ok(Call { rpc: rule.path, caller: caller.clone(), scope, project_id, request_id, trace, deadline })
}

fn request_id(rule: &Rule, request_id: &str) -> Result<String, Fault> {
    if !rule.has_request_id {
        return Ok(String::new());
    }
    let printable = request_id.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if request_id.is_empty() || request_id.len() > REQUEST_ID || !printable {
        let fault = Fault::new(
            Reason::RequestIdRequired,
            rule.part,
            "request_id must be 1 to 255 printable ASCII characters",
        );
        return Err(fault);
    }
    Ok(request_id.to_owned())
}

const fn verb(rule: &Rule) -> Verb {
    match rule.permission {
        Some((_, RuleVerb::Admin)) => Verb::Admin,
        Some((_, RuleVerb::Use)) => Verb::Use,
        // Without a permission a person may only see.
        Some((_, RuleVerb::Read)) | None => Verb::Read,
    }
}

/// Whether the scopes of a key leave it this method. They are asked first and whatever the tenant: what
/// a key was not given it does not have anywhere, and the answer tells nothing of what exists.
fn left_by_scopes(rule: &Rule, caller: &Caller) -> Result<(), Fault> {
    let Caller::Key { scopes, .. } = caller else { return Ok(()) };
    let left = match rule.permission {
        Some((domain, _)) => scopes.leave(domain, verb(rule)),
        // What everybody may do a key may do, and any key may ask who it is.
        None => !scopes.narrow() || rule.anonymous || asks_of_self(rule),
    };
    if left {
        return Ok(());
    }
    let fault = denied(rule).with("scopes", scopes.names().join(" "));
    Err(Fault { message: "the API key is narrowed to other permissions".into(), ..fault })
}

fn asks_of_self(rule: &Rule) -> bool {
    rule.tenant == Tenant::Caller && rule.replay == Replay::Read
}

#[expect(
    clippy::disallowed_methods,
    reason = "the access rule was checked: this is the door that makes scopes"
)]
const fn grant(reach: Reach) -> Scope {
    Scope::grant(reach)
}

fn denied(rule: &Rule) -> Fault {
    let named = |(domain, _)| format!("{domain}.{}", verb(rule).as_str());
    let permission = rule.permission.map_or_else(String::new, named);
    Fault::new(Reason::PermissionDenied, rule.part, "the caller may not do this")
        .with("permission", permission)
}

fn hidden_org(rule: &Rule, org: impl std::fmt::Display) -> Fault {
    Fault::new(Reason::OrgNotFound, rule.part, "no such org, or not for this caller to see")
        .with("org_id", org)
}

fn bad_field(rule: &Rule, field: &str, problem: &str) -> Fault {
    Fault::invalid(rule.part, vec![Violation::new(field, problem)])
}

fn org_scope(rule: &Rule, caller: &Caller, named: &str) -> Result<Scope, Fault> {
    let named = match named {
        "" => None,
        text => Some(text.parse::<OrgId>().map_err(|error| bad_field(rule, "org_id", &error.to_string()))?),
    };
    match caller {
        Caller::Anonymous => Err(denied(rule)),
        Caller::Part { org: Some(acting), .. } => match named {
            Some(org) if org != *acting => Err(hidden_org(rule, org)),
            _ => Ok(grant(Reach::Org(*acting))),
        },
        Caller::Part { org: None, .. } => Err(denied(rule)),
        Caller::User { .. } | Caller::Key { .. } => {
            let memberships = caller.memberships();
            let org = match (named, memberships) {
                (Some(org), _) => org,
                (None, [only]) => only.org_id,
                (None, _) => return Err(bad_field(rule, "org_id", "required: the caller has no single org")),
            };
            match memberships.iter().find(|membership| membership.org_id == org) {
                _ if caller.is_operator() => Ok(grant(Reach::Org(org))),
                Some(membership) if membership.role.allows(verb(rule)) => Ok(grant(Reach::Org(org))),
                Some(_) => Err(denied(rule)),
                None => Err(hidden_org(rule, org)),
            }
        }
    }
}

fn project_scope(rule: &Rule, caller: &Caller, named: &str) -> Result<(Scope, Option<ProjectId>), Fault> {
    let named = match named {
        "" => None,
        text => Some(
            text.parse::<ProjectId>().map_err(|error| bad_field(rule, "project_id", &error.to_string()))?,
        ),
    };
    let required =
        || Fault::new(Reason::ProjectRequired, rule.part, "name the project: the caller has no single one");
    match caller {
        Caller::Anonymous => Err(denied(rule)),
        Caller::Part { org: Some(acting), .. } => {
            Ok((grant(Reach::Org(*acting)), Some(named.ok_or_else(required)?)))
        }
        Caller::Part { org: None, .. } => Err(denied(rule)),
        Caller::User { .. } | Caller::Key { .. } => {
            let (memberships, operator) = (caller.memberships(), caller.is_operator());
            let project = named.or_else(|| only_project(memberships)).ok_or_else(required)?;
            match memberships.iter().find(|membership| membership.projects.contains(&project)) {
                Some(home) if operator || home.role.allows(verb(rule)) => {
                    Ok((grant(Reach::Org(home.org_id)), Some(project)))
                }
                Some(_) => Err(denied(rule)),
                None if operator => Ok((grant(Reach::Every), Some(project))),
                None => {
                    let text = "no such project, or not for this caller to see";
                    Err(Fault::new(Reason::ProjectNotFound, rule.part, text).with("project_id", project))
                }
            }
        }
    }
}

fn only_project(memberships: &[Membership]) -> Option<ProjectId> {
    let mut projects = memberships.iter().flat_map(|membership| &membership.projects);
    match (projects.next(), projects.next()) {
        (Some(only), None) => Some(*only),
        _ => None,
    }
}

fn resource_scope(rule: &Rule, caller: &Caller) -> Scope {
    match caller {
        Caller::Anonymous => grant(Reach::Readable(Vec::new())),
        Caller::Part { org: Some(org), .. } => grant(Reach::Org(*org)),
        // A part that acts for the platform may look, never change.
        Caller::Part { org: None, .. } if rule.replay == Replay::Read => grant(Reach::Every),
        Caller::Part { org: None, .. } => grant(Reach::Readable(Vec::new())),
        Caller::User { platform: Some(_), .. } => grant(Reach::Every),
        Caller::User { platform: None, .. } | Caller::Key { .. } => {
            let readable = caller
                .memberships()
                .iter()
                .filter(|membership| membership.role.allows(Verb::Read))
                .map(|membership| (membership.org_id, membership.role.allows(verb(rule))))
                .collect();
            grant(Reach::Readable(readable))
        }
    }
}

fn caller_scope(rule: &Rule, caller: &Caller) -> Result<Scope, Fault> {
    match caller {
        Caller::User { user_id, .. } => Ok(grant(Reach::Subject(*user_id))),
        // What a person owns beyond the org of their key is not the key's to change.
        Caller::Key { user_id, .. } if rule.replay == Replay::Read => Ok(grant(Reach::Subject(*user_id))),
        Caller::Key { .. } => {
            let text = "an API key is bound to its org: the person must sign in for this";
            Err(Fault::new(Reason::PermissionDenied, rule.part, text))
        }
        Caller::Anonymous | Caller::Part { .. } => Err(denied(rule)),
    }
}

fn platform_scope(rule: &Rule, caller: &Caller) -> Result<Scope, Fault> {
    let may = match caller {
        Caller::Part { .. } => true,
        Caller::User { platform: Some(_), .. } => true,
        // Without a tenant no org role says anything: only what everybody may do is left.
        Caller::User { platform: None, .. } | Caller::Key { .. } | Caller::Anonymous => rule.anonymous,
    };
    if may { Ok(grant(Reach::Every)) } else { Err(denied(rule)) }
}

/// Whether the caller still waits at `now`.
#[must_use]
pub fn in_time(call: &Call, now: Time) -> bool {
    call.deadline.is_none_or(|deadline| now < deadline)
}

/// The trace of a request's headers, or a fresh one.
pub(crate) fn trace(headers: &http::HeaderMap, random: &dyn souk_types::Random) -> Trace {
    let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
    header.and_then(Trace::parse).unwrap_or_else(|| Trace::start(random))
}

#[cfg(test)]
mod tests;
