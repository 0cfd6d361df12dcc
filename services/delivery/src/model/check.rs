//! Whether a desired state may be rendered. Every mistake is named at once.
//!
//! The writer escapes whatever it is given; these rules keep out what the readers of the files (a gateway,
//! a cluster) would understand differently.

use std::collections::BTreeSet;

use souk_types::Violation;

use super::{Desired, Route};

/// How many names an allow-list may hold.
const NAMES: usize = 1000;
/// How many bytes a name of an allow-list may have.
const NAME_BYTES: usize = 512;
/// How many bytes a path may have.
const PATH_BYTES: usize = 512;

/// Everything wrong with a desired state.
pub(super) fn violations(desired: &Desired) -> Vec<Violation> {
    let mut found = Vec::new();
    if desired.revision < 1 {
        found.push(Violation::new("revision", "must be 1 or more"));
    }
    let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if !(1..=63).contains(&desired.plan.len()) || !desired.plan.bytes().all(slug) {
        found.push(Violation::new("plan", "must be 1 to 63 of a-z, 0-9, '-', '_' and '.'"));
    }
    route(desired, &mut found);
    names("capabilities", &desired.capabilities, &mut found);
    names("tools", &desired.tools, &mut found);
    names("mcp_servers", &desired.mcp_servers, &mut found);
    for (field, limit) in [
        ("rate_limits.requests_per_minute", desired.rate_limits.requests_per_minute),
        ("rate_limits.burst", desired.rate_limits.burst),
        ("rate_limits.concurrent_runs", desired.rate_limits.concurrent_runs),
        ("payload_caps.request_bytes", desired.payload_caps.request_bytes),
        ("payload_caps.response_bytes", desired.payload_caps.response_bytes),
    ] {
        // Zero would be read as "no limit" by some and "nothing" by others.
        if limit.is_some_and(|limit| limit < 1) {
            found.push(Violation::new(field, "must be 1 or more, or absent"));
        }
    }
    found
}

fn route(desired: &Desired, found: &mut Vec<Violation>) {
    let route = &desired.route;
    let label = |label: &str| {
        let letters = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    if let Some(host) = &route.host
        && (host.len() > 253 || !host.split('.').all(label))
    {
        found.push(Violation::new("route.host", "must be a lower-case DNS name without a port"));
    }
    let segment = |segment: &str| {
        let letters = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
        !segment.is_empty() && letters && segment != "." && segment != ".."
    };
    let root_of_own_host = route.path == "/" && route.host.is_some();
    let good = route.path.len() <= PATH_BYTES
        && route.path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
    if !good && !root_of_own_host {
        let rule = "must be /-separated names of letters, digits and -_.~ ('/' alone needs a host)";
        found.push(Violation::new("route.path", rule));
    }
    // Every instance is reached there by its own id: nobody takes another one's place, not even early.
    let by_id = route.path == "/i" || route.path.starts_with("/i/");
    if route.host.is_none() && by_id && *route != Route::default_of(desired.instance_id) {
        let rule = "on the gateway's host /i/ leads to instances by their id: must be the instance's own";
        found.push(Violation::new("route.path", rule));
    }
}

fn names(field: &'static str, names: &BTreeSet<String>, found: &mut Vec<Violation>) {
    if names.len() > NAMES {
        found.push(Violation::new(
            field,
            format!("lists {} names; at most {NAMES} are possible", names.len()),
        ));
    }
    if names.iter().any(|name| name.is_empty() || name.len() > NAME_BYTES) {
        found.push(Violation::new(field, format!("each name must have 1 to {NAME_BYTES} bytes")));
    }
}
