//! The access rule of every method: made by `cargo run -p xtask -- gen` from `(souk.access.v1.rule)`.
//!
//! The kit reads `rule(path)` before a body is decoded, and `Ruled` when it opens one. A request without
//! a rule has no `Ruled`, so a handler for it does not compile.

/// Whether a method exists outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Served at the gateway.
    Edge,
    /// Served between parts only.
    Mesh,
}

/// What a permission lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// See.
    Read,
    /// Use what stands there.
    Use,
    /// Change what stands there.
    Admin,
}

/// How a method finds out whose data it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// The request's `org_id` names the org.
    OrgField,
    /// The request's `project_id` names the project; empty: the caller's only one.
    ProjectField,
    /// The addressed thing belongs to an org; outside is NOT_FOUND.
    Resource,
    /// The caller's own.
    Caller,
    /// No tenant: the catalogue, sign-in, the operator's platform.
    None,
}

/// What a second call with the same `request_id` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replay {
    /// Gives the first answer again.
    Result,
    /// Names the thing made first, without the secret that was shown once.
    Identity,
    /// Reads; may be repeated freely.
    Read,
    /// Must never be retried by a machine.
    Once,
}

/// Who may call a method, on whose data, and what a repeated call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it stands in the HTTP/2 request: `/souk.billing.v1.BillingService/Authorize`.
    pub path: &'static str,
    /// The domain of the package: `billing`.
    pub part: &'static str,
    /// Whether it exists outside the mesh.
    pub audience: Audience,
    /// The parts that may call with a token of their own; `*` is every part.
    pub callers: &'static [&'static str],
    /// Whether it answers without any credential.
    pub anonymous: bool,
    /// What a person must hold: domain and verb. None with tenant `Caller`: any signed-in person.
    pub permission: Option<(&'static str, Verb)>,
    /// Whose data it touches.
    pub tenant: Tenant,
    /// What a repeated call does.
    pub replay: Replay,
    /// Whether the answer is a stream.
    pub server_streaming: bool,
    /// Whether the request carries a `request_id`.
    pub has_request_id: bool,
}

/// A request whose method has an access rule.
pub trait Ruled {
    /// The rule of the one method that takes this request.
    const RULE: &'static Rule;

    /// The request's own `org_id`; empty where it has none.
    fn org_id(&self) -> &str {
        ""
    }

    /// The request's own `project_id`; empty where it has none.
    fn project_id(&self) -> &str {
        ""
    }

    /// The request's own `request_id`; empty where it has none.
    fn request_id(&self) -> &str {
        ""
    }
}

/// The rule of a method, by its HTTP/2 path. None: no such method.
#[must_use]
pub fn rule(path: &str) -> Option<&'static Rule> {
    RULES.binary_search_by(|rule| rule.path.cmp(path)).ok().and_then(|place| RULES.get(place))
}
