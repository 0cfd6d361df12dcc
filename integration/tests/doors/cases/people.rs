//! Tenancy: what is a person's own, and how one gets in.

use serde_json::json;

use super::{By, Case, change, read};
use crate::world::{Who, World, text};

/// Whether one row of tenancy's tables is so.
pub(super) fn one(world: &World, table: &str, condition: &str) -> bool {
    world.tables.number("tenancy", &format!("SELECT COUNT(*) FROM {table} WHERE {condition}")) == 1
}

/// A session of the caller besides the one that calls.
fn other_session(world: &mut World, by: &By) -> String {
    let user = world.sign_in(&by.person.email).user_id;
    let newest = "SELECT session_id FROM sessions WHERE user_id = ";
    let newest = format!("{newest}'{user}' ORDER BY session_id DESC LIMIT 1");
    world.tables.texts("tenancy", &newest).remove(0)
}

pub(super) const CASES: &[Case] = &[
    change(
        "tenancy.AcceptInvitation",
        |world, by| {
            // Into an org that the caller is not in yet, by somebody who may.
            let org = world.must(Who::Operator, "tenancy.CreateOrg", json!({"displayName": "Host"}));
            let (org, email) = (text(&org, "org.orgId"), by.person.email.clone());
            let org = if by.who == Who::Operator { world.away.org.clone() } else { org };
            let host = if by.who == Who::Operator { Who::Foreign } else { Who::Operator };
            let ask = json!({"orgId": org, "email": email, "role": "ROLE_VIEWER"});
            let invited = world.must(host, "tenancy.InviteMember", ask);
            json!({"code": invited["code"]})
        },
        |world, done| {
            let (org, user) = (text(done.answer, "membership.orgId"), &done.by.person.user_id);
            one(world, "members", &format!("org_id = '{org}' AND user_id = '{user}' AND role = 'VIEWER'"))
        },
    ),
    change(
        "tenancy.AutoCreateWorkspace",
        |world, _| json!({"displayName": world.fresh("Mine")}),
        |world, done| {
            let (org, user) = (text(done.answer, "orgId"), &done.by.person.user_id);
            one(world, "members", &format!("org_id = '{org}' AND user_id = '{user}' AND role = 'ADMIN'"))
        },
    ),
    change(
        "tenancy.CreateOrg",
        |world, _| json!({"displayName": world.fresh("Ours")}),
        |world, done| {
            let (org, user) = (text(done.answer, "org.orgId"), &done.by.person.user_id);
            one(world, "members", &format!("org_id = '{org}' AND user_id = '{user}' AND role = 'ADMIN'"))
        },
    ),
    change(
        "tenancy.CreateSignInLink",
        |world, _| json!({"email": world.fresh("guest") + "@doors.example"}),
        |world, done| one(world, "users", &format!("email = '{}'", text(done.ask, "email"))),
    ),
    change(
        "tenancy.EndSession",
        |world, _| {
            let email = world.fresh("guest") + "@doors.example";
            let user = world.sign_in(&email).user_id;
            let newest = format!("SELECT session_id FROM sessions WHERE user_id = '{user}'");
            json!({"sessionId": world.tables.texts("tenancy", &newest)[0]})
        },
        |world, done| {
            let id = text(done.ask, "sessionId");
            one(world, "sessions", &format!("session_id = '{id}' AND end_time IS NOT NULL"))
        },
    ),
    read(
        "tenancy.GetCaller",
        |_, _| json!({}),
        |_, by, _| vec![by.person.user_id.clone(), by.person.email.clone()],
    ),
    read(
        "tenancy.ListSessions",
        |_, _| json!({}),
        |world, by, _| {
            let open = "SELECT session_id FROM sessions WHERE end_time IS NULL AND user_id = ";
            world.tables.texts("tenancy", &format!("{open}'{}'", by.person.user_id))
        },
    ),
    change(
        "tenancy.RedeemSignInLink",
        |world, _| {
            let email = world.fresh("guest") + "@doors.example";
            let link = world.must(Who::Operator, "tenancy.CreateSignInLink", json!({"email": email}));
            json!({"code": link["code"]})
        },
        |world, done| one(world, "sessions", &format!("session_id = '{}'", text(done.answer, "sessionId"))),
    ),
    read(
        "tenancy.ResolvePrincipal",
        |world, _| {
            let email = world.fresh("guest") + "@doors.example";
            json!({"sessionSecret": world.session(&email).1})
        },
        |world, _, _| world.tables.texts("tenancy", "SELECT email FROM users ORDER BY user_id DESC LIMIT 1"),
    ),
    change(
        "tenancy.RevokeSession",
        |world, by| json!({"sessionId": other_session(world, by)}),
        |world, done| {
            let id = text(done.ask, "sessionId");
            one(world, "sessions", &format!("session_id = '{id}' AND end_time IS NOT NULL"))
        },
    ),
];

/// The same words for lists of an org.
pub(super) fn of_home(world: &World) -> serde_json::Value {
    json!({"orgId": world.home.org, "pageSize": 1000})
}
