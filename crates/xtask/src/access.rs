//! `gen/access.md`: who may call what, for an auditor to read without knowing the code.
//!
//! Computed from the same rules and the same role table that the running parts use.

use std::{collections::BTreeMap, fmt::Write as _};

use souk_types::Role;

use crate::rules::{Audience, Replay, Rule, Tenant};

const HEAD: &str = "# Who may call what

Made from the `(souk.access.v1.rule)` of every method by `cargo run -p xtask -- gen`. Do not edit; review every change.

- **anonymous**: no credential. **viewer**, **member**, **admin**: the role a signed-in person holds in the org whose data is touched; in any other org the answer is NOT_FOUND, or PERMISSION_DENIED where the org is named. **operator**: runs the platform, in every org.
- **parts**: the parts of the mesh that may call with a token of their own; a part acts for exactly one org.
- **tenant**: how the method finds out whose data it touches. `org_id`, `project_id`: the request names it. `resource`: the addressed thing belongs to it. `caller`: the caller's own. `none`: no tenant's data; a permission is then the operator's alone.
- **replay**: what a second call with the same `request_id` does. `result`: the first answer again. `identity`: the thing made first, without its secret. `read`: reads only. `once`: never repeated by a machine.
- `own` means any signed-in person, for what is their own.
";

/// The whole page.
pub(crate) fn table(rules: &[Rule]) -> String {
    let mut text = HEAD.to_owned();
    let mut services: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        services.entry(service(rule)).or_default().push(rule);
    }
    for (service, rules) in services {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n## {service}\n\n| method | audience | permission | tenant | replay | anonymous | viewer | member | admin | operator | parts |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        );
        for rule in rules {
            row(&mut text, rule);
        }
    }
    lists(&mut text, rules);
    text
}

fn row(text: &mut String, rule: &Rule) {
    let permission = rule
        .permission
        .as_ref()
        .map_or_else(|| "–".to_owned(), |(domain, verb)| format!("{domain}.{}", low(verb)));
    let parts = if rule.callers.is_empty() {
        "–".to_owned()
    } else {
        rule.callers.join(", ").replace('*', "every")
    };
    let stream = if rule.server_streaming { " (stream)" } else { "" };
    let _ = writeln!(
        text,
        "| {}{stream} | {} | {permission} | {} | {} | {} | {} | {} | {} | {} | {parts} |",
        method(rule),
        low(&rule.audience),
        tenant(rule.tenant),
        low(&rule.replay),
        if rule.anonymous { "yes" } else { "–" },
        person(rule, Some(Role::Viewer)),
        person(rule, Some(Role::Member)),
        person(rule, Some(Role::Admin)),
        person(rule, None),
    );
}

/// What a person may do: `None` stands for the operator.
fn person(rule: &Rule, role: Option<Role>) -> &'static str {
    let allowed = match (&rule.permission, role) {
        _ if rule.audience == Audience::Mesh => false,
        _ if rule.anonymous => true,
        (None, _) => return "own",
        (Some(_), None) => true,
        (Some(_), Some(_)) if rule.tenant == Tenant::None => false,
        (Some((_, verb)), Some(role)) => role.allows(*verb),
    };
    if allowed { "yes" } else { "–" }
}

/// The short lists that an audit begins with.
fn lists(text: &mut String, rules: &[Rule]) {
    let edge = |rule: &Rule| rule.audience == Audience::Edge;
    list(text, "Answers without any credential", rules, |rule| rule.anonymous);
    list(text, "The operator's alone", rules, |rule| {
        edge(rule) && rule.permission.is_some() && rule.tenant == Tenant::None
    });
    list(text, "Any signed-in person, for their own", rules, |rule| {
        edge(rule) && !rule.anonymous && rule.permission.is_none()
    });
    list(text, "Changes something and is open to members who are not admins", rules, |rule| {
        edge(rule) && rule.replay != Replay::Read && person(rule, Some(Role::Member)) == "yes"
    });
    list(text, "Changes something and is open to viewers (must be empty)", rules, |rule| {
        edge(rule)
            && !rule.anonymous
            && rule.replay != Replay::Read
            && person(rule, Some(Role::Viewer)) == "yes"
    });
    list(text, "Never repeated by a machine", rules, |rule| rule.replay == Replay::Once);
}

fn list(text: &mut String, title: &str, rules: &[Rule], belongs: impl Fn(&Rule) -> bool) {
    let _ = writeln!(text, "\n## {title}\n");
    let mut none = true;
    for rule in rules.iter().filter(|rule| belongs(rule)) {
        none = false;
        let _ = writeln!(text, "- {}/{}", service(rule), method(rule));
    }
    if none {
        text.push_str("None.\n");
    }
}

const fn tenant(tenant: Tenant) -> &'static str {
    match tenant {
        Tenant::OrgField => "org_id",
        Tenant::ProjectField => "project_id",
        Tenant::Resource => "resource",
        Tenant::Caller => "caller",
        Tenant::None => "none",
    }
}

fn service(rule: &Rule) -> &str {
    rule.path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

fn method(rule: &Rule) -> &str {
    rule.path.rsplit('/').next().unwrap_or_default()
}

fn low(word: &impl std::fmt::Debug) -> String {
    format!("{word:?}").to_lowercase()
}
