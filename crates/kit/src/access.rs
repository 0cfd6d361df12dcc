//! The layer before every handler of a part: which method, which token, may this caller call it at all.
//!
//! What it lets through carries `Opened` for `open`, which then decides permission and tenant. Methods
//! without a rule do not exist here; health and reflection are mounted outside of this layer.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, header::AUTHORIZATION};
use souk_proto::{Audience, Rule, rule};
use souk_types::{Caller, Clock, Fault, Random, Reason, Time, Trace};

use crate::{
    open::trace,
    status::status,
    token::{Claims, Tokens},
};

/// What the layer found out of a call, for `open`.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) claims: Arc<Claims>,
    pub(crate) trace: Trace,
    pub(crate) deadline: Option<Time>,
}

/// One part's door within the mesh.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// Whether tokens made for the mesh socket open this door.
    pub(crate) any_part: bool,
}

/// Turns a fault into a gRPC answer without a body.
pub(crate) fn refuse(fault: Fault) -> Response {
    status(fault).into_http::<Body>()
}

/// The layer.
pub(crate) async fn check(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    match door.admit(&request) {
        Ok(opened) => {
            request.extensions_mut().insert(opened);
            next.run(request).await
        }
        Err(fault) => refuse(fault),
    }
}

impl Door {
    fn admit(&self, request: &Request) -> Result<Opened, Fault> {
        let path = request.uri().path();
        let rule = rule(path)
            .ok_or_else(|| Fault::new(Reason::Unimplemented, "kit", "no such method").with("method", path))?;
        let token = bearer(request.headers())
            .ok_or_else(|| Fault::new(Reason::TokenMissing, rule.part, "the call carries no mesh token"))?;
        let claims = self.tokens.verify(token, self.any_part)?;
        may_call(rule, &claims.caller)?;
        let deadline = timeout(request.headers()).map(|span| self.clock.now() + span);
        Ok(Opened { claims, trace: trace(request.headers(), self.random.as_ref()), deadline })
    }
}

/// Whether this caller may call the method at all, whatever tenant it is about.
fn may_call(rule: &'static Rule, caller: &Caller) -> Result<(), Fault> {
    let may = match caller {
        Caller::Part { part, .. } => rule.callers.iter().any(|name| *name == "*" || *name == part.as_str()),
        Caller::User { .. } | Caller::Key { .. } => rule.audience == Audience::Edge,
        Caller::Anonymous => rule.anonymous,
    };
    if may {
        return Ok(());
    }
    if matches!(caller, Caller::Anonymous) && rule.audience == Audience::Edge {
        return Err(Fault::new(Reason::TokenMissing, rule.part, "the method needs a signed-in caller"));
    }
    let fault = Fault::new(Reason::PermissionDenied, rule.part, "the caller may not call this method");
    Err(fault.with("method", rule.path).with("caller", caller.actor()))
}

/// Whether a caller without a credential may call the method at all: the door asks it before it takes
/// anything else from a stranger.
///
/// # Errors
/// `TOKEN_MISSING`, `PERMISSION_DENIED`.
pub fn for_strangers(rule: &'static Rule) -> Result<(), Fault> {
    may_call(rule, &Caller::Anonymous)
}

/// The bearer token of an authorization header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The span of a `grpc-timeout` header.
#[must_use]
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let amount: u64 = (digits.len() <= 8).then(|| digits.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, span) in [
            ("10S", Some(10_000)),
            ("250m", Some(250)),
            ("1H", Some(3_600_000)),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("123456789S", None),
            ("1x", None),
            ("1é", None),
        ] {
            assert_eq!(
                timeout(&headers("grpc-timeout", text)).map(|span| span.as_millis()),
                span,
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_a_bearer_token_counts() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(&headers("authorization", value)), token, "{value}");
        }
    }

    #[test]
    fn every_rule_lets_exactly_its_callers_through() {
        for rule in souk_proto::RULES {
            let user = Caller::User {
                user_id: souk_types::id::UserId::from_bits(1),
                memberships: vec![],
                platform: None,
            };
            assert_eq!(may_call(rule, &user).is_ok(), rule.audience == Audience::Edge, "{}", rule.path);
            assert_eq!(may_call(rule, &Caller::Anonymous).is_ok(), rule.anonymous, "{}", rule.path);
            for part in souk_types::PartName::ALL {
                let caller = Caller::Part { part: *part, org: None };
                let named = rule.callers.contains(&"*") || rule.callers.contains(&part.as_str());
                assert_eq!(may_call(rule, &caller).is_ok(), named, "{} {part}", rule.path);
            }
        }
    }
}
