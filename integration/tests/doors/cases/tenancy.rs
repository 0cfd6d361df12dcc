//! Tenancy: what admins of an org do, and what its people see of it.

use serde_json::{Value, json};

use super::{
    Case, Done, change,
    people::{of_home, one},
    read, words,
};
use crate::world::{Who, World, text};

fn invitation(world: &mut World) -> Value {
    let email = world.fresh("invited") + "@doors.example";
    json!({"orgId": world.home.org, "email": email, "role": "ROLE_MEMBER"})
}

fn key(world: &mut World) -> String {
    let ask = json!({"orgId": world.home.org, "displayName": "A key"});
    text(&world.must(Who::Admin, "tenancy.CreateApiKey", ask), "apiKey.apiKeyId")
}

/// Whether the person of a request is in its team, as the operator is told.
fn teamed(world: &mut World, done: &Done<'_>) -> bool {
    let ask = of_home(world);
    let teams = world.must(Who::Operator, "tenancy.ListTeams", ask);
    let team = teams["teams"].as_array().unwrap().iter().find(|team| team["teamId"] == done.ask["teamId"]);
    team.unwrap()["userIds"].as_array().is_some_and(|ids| ids.contains(&done.ask["userId"]))
}

/// How many teams of that id are listed.
fn has_team(world: &mut World, team: &Value) -> bool {
    let ask = of_home(world);
    world.must(Who::Operator, "tenancy.ListTeams", ask).to_string().contains(team.as_str().unwrap())
}

/// The role of a member, as the operator is told; empty when there is no such member.
fn role(world: &mut World, user: &Value) -> String {
    let ask = of_home(world);
    let members = world.must(Who::Operator, "tenancy.ListMembers", ask);
    let members = members["members"].as_array().unwrap();
    let found = members.iter().find(|member| member["user"]["userId"] == *user);
    found.map(|member| text(member, "role")).unwrap_or_default()
}

/// Where an invitation stands, as the operator is told.
fn invited(world: &mut World, id: &str) -> String {
    let ask = of_home(world);
    let listed = world.must(Who::Operator, "tenancy.ListInvitations", ask);
    let listed = listed["invitations"].as_array().unwrap();
    let found = listed.iter().find(|invitation| invitation["invitationId"] == id);
    found.map(|invitation| text(invitation, "state")).unwrap_or_default()
}

pub(super) const CASES: &[Case] = &[
    change(
        "tenancy.AddTeamMember",
        |world, _| {
            let team = world.team();
            json!({"teamId": team, "userId": world.person(Who::Viewer).user_id})
        },
        teamed,
    ),
    change(
        "tenancy.CreateApiKey",
        |world, _| json!({"orgId": world.home.org, "displayName": world.fresh("key")}),
        |world, done| {
            one(world, "api_keys", &format!("api_key_id = '{}'", text(done.answer, "apiKey.apiKeyId")))
        },
    ),
    change(
        "tenancy.CreateProject",
        |world, _| json!({"orgId": world.home.org, "slug": world.fresh("project")}),
        |world, done| one(world, "projects", &format!("slug = '{}'", text(done.ask, "slug"))),
    ),
    change(
        "tenancy.CreateTeam",
        |world, _| json!({"orgId": world.home.org, "slug": world.fresh("team")}),
        |world, done| has_team(world, &done.answer["team"]["teamId"]),
    ),
    change(
        "tenancy.DeleteTeam",
        |world, _| json!({"teamId": world.team()}),
        |world, done| !has_team(world, &done.ask["teamId"]),
    ),
    read(
        "tenancy.GetProject",
        |world, _| json!({"projectId": world.home.project}),
        |_, _, ask| words(ask, &["projectId"]),
    ),
    change(
        "tenancy.InviteMember",
        |world, _| invitation(world),
        |world, done| invited(world, &text(done.answer, "invitation.invitationId")) == "STATE_OPEN",
    ),
    read(
        "tenancy.ListApiKeys",
        |world, _| {
            key(world);
            of_home(world)
        },
        |world, _, _| {
            let newest = "SELECT api_key_id FROM api_keys ORDER BY api_key_id DESC LIMIT 1";
            world.tables.texts("tenancy", newest)
        },
    ),
    read(
        "tenancy.ListAuditEntries",
        |world, _| of_home(world),
        |_, _, ask| [words(ask, &["orgId"]), vec!["CreateApiKey".to_owned()]].concat(),
    ),
    read(
        "tenancy.ListInvitations",
        |world, _| {
            let ask = invitation(world);
            world.must(Who::Admin, "tenancy.InviteMember", ask);
            of_home(world)
        },
        |world, _, _| {
            let newest = "SELECT invitation_id FROM invitations ORDER BY invitation_id DESC LIMIT 1";
            world.tables.texts("tenancy", newest)
        },
    ),
    read(
        "tenancy.ListMembers",
        |world, _| of_home(world),
        |world, _, _| [Who::Viewer, Who::Admin].map(|who| world.person(who).user_id).to_vec(),
    ),
    read("tenancy.ListProjects", |world, _| of_home(world), |world, _, _| vec![world.home.project.clone()]),
    read(
        "tenancy.ListTeams",
        |world, _| {
            world.team();
            of_home(world)
        },
        |_, _, _| vec!["teamId".to_owned()],
    ),
    change(
        "tenancy.RemoveMember",
        |world, _| {
            let user = world.leaver().user_id;
            json!({"orgId": world.home.org, "userId": user})
        },
        |world, done| role(world, &done.ask["userId"]).is_empty(),
    ),
    change(
        "tenancy.RemoveTeamMember",
        |world, _| {
            let ask = json!({"teamId": world.team(), "userId": world.person(Who::Viewer).user_id});
            world.must(Who::Admin, "tenancy.AddTeamMember", ask.clone());
            ask
        },
        |world, done| !teamed(world, done),
    ),
    change(
        "tenancy.RevokeApiKey",
        |world, _| json!({"apiKeyId": key(world)}),
        |world, done| {
            let id = text(done.ask, "apiKeyId");
            one(world, "api_keys", &format!("api_key_id = '{id}' AND revoke_time IS NOT NULL"))
        },
    ),
    change(
        "tenancy.RevokeInvitation",
        |world, _| {
            let ask = invitation(world);
            let made = world.must(Who::Admin, "tenancy.InviteMember", ask);
            json!({"invitationId": made["invitation"]["invitationId"]})
        },
        |world, done| invited(world, &text(done.ask, "invitationId")) == "STATE_REVOKED",
    ),
    change(
        "tenancy.SetMemberRole",
        |world, _| {
            let user = world.leaver().user_id;
            json!({"orgId": world.home.org, "userId": user, "role": "ROLE_VIEWER"})
        },
        |world, done| role(world, &done.ask["userId"]) == "ROLE_VIEWER",
    ),
];
