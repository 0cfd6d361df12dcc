//! Requests into commands. Everything wrong with one is said at once.

use souk_kit::wire::{Check, span};
use souk_proto::souk::tenancy::v1 as pb;
use souk_types::{
    Fault, ProjectId, Role, Scopes, Secret,
    access::{Permission, Verb},
};

use super::DOMAIN;
use crate::model::{
    AutoCreateWorkspace, ChangeTeam, CreateApiKey, CreateOrg, CreateProject, CreateSignInLink, CreateTeam,
    DeleteTeam, EndSession, InviteMember, Proof, RemoveMember, RevokeApiKey, RevokeInvitation, SetMemberRole,
    team::Seat,
};

pub(super) fn auto_create_workspace(
    ask: pb::AutoCreateWorkspaceRequest,
) -> Result<AutoCreateWorkspace, Fault> {
    let mut check = Check::default();
    let display_name = check.parse_optional("display_name", &ask.display_name);
    check.done(DOMAIN, Some(AutoCreateWorkspace { display_name }))
}

pub(super) fn create_org(ask: pb::CreateOrgRequest) -> Result<CreateOrg, Fault> {
    let mut check = Check::default();
    let name = check.parse("display_name", &ask.display_name);
    check.done(DOMAIN, name.map(|display_name| CreateOrg { display_name }))
}

pub(super) fn create_project(ask: pb::CreateProjectRequest) -> Result<CreateProject, Fault> {
    let mut check = Check::default();
    let slug = check.parse("slug", &ask.slug);
    let display_name = check.parse_optional("display_name", &ask.display_name);
    check.done(DOMAIN, slug.map(|slug| CreateProject { slug, display_name }))
}

pub(super) fn project_id(ask: &pb::GetProjectRequest) -> Result<ProjectId, Fault> {
    let mut check = Check::default();
    let id = check.parse("project_id", &ask.project_id);
    check.done(DOMAIN, id)
}

/// The longest that an API key with an end works.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(3650 * 24 * 3600);

pub(super) fn create_api_key(ask: pb::CreateApiKeyRequest) -> Result<CreateApiKey, Fault> {
    let mut check = Check::default();
    let name = check.parse("display_name", &ask.display_name);
    let time_to_live = ask.time_to_live.map(|duration| span(duration).unwrap_or_default());
    check.require(time_to_live.is_none_or(|span| !span.is_zero()), "time_to_live", "must be more than zero");
    // Later than the year 9999 is no moment of JSON: one such key keeps all clients from listing any.
    check.require(
        time_to_live.is_none_or(|span| span <= LONGEST),
        "time_to_live",
        "must be at most 3650 days",
    );
    let scopes = scopes(&mut check, &ask.scopes);
    check.done(DOMAIN, name.map(|display_name| CreateApiKey { display_name, time_to_live, scopes }))
}

/// The permissions a key is narrowed to: such as some method asks of people, so that a typo makes no key
/// that opens nothing.
fn scopes(check: &mut Check, texts: &[String]) -> Vec<String> {
    let mut held = Vec::new();
    for text in texts {
        match text.parse::<Permission>() {
            Ok(permission) if asked_somewhere(permission) => held.push(permission),
            Ok(_) => check.note("scopes", &format!("{text:?}: no method asks for it")),
            Err(error) => check.note("scopes", &format!("{text:?}: {error}")),
        }
    }
    Scopes::of(held).names()
}

fn asked_somewhere(permission: Permission) -> bool {
    let verb = match permission.verb {
        Verb::Read => souk_proto::Verb::Read,
        Verb::Use => souk_proto::Verb::Use,
        Verb::Admin => souk_proto::Verb::Admin,
    };
    let asked = Some((permission.domain.as_str(), verb));
    souk_proto::RULES
        .iter()
        .any(|rule| rule.audience == souk_proto::Audience::Edge && rule.permission == asked)
}

pub(super) fn revoke_api_key(ask: &pb::RevokeApiKeyRequest) -> Result<RevokeApiKey, Fault> {
    let mut check = Check::default();
    let id = check.parse("api_key_id", &ask.api_key_id);
    check.done(DOMAIN, id.map(|api_key_id| RevokeApiKey { api_key_id }))
}

pub(super) fn create_sign_in_link(ask: &pb::CreateSignInLinkRequest) -> Result<CreateSignInLink, Fault> {
    let mut check = Check::default();
    let email = check.parse("email", &ask.email);
    check.done(DOMAIN, email.map(|email| CreateSignInLink { email }))
}

pub(super) fn end_session(ask: &pb::EndSessionRequest) -> Result<EndSession, Fault> {
    let mut check = Check::default();
    let id = check.parse("session_id", &ask.session_id);
    check.done(DOMAIN, id.map(|session_id| EndSession { session_id }))
}

fn role(check: &mut Check, role: pb::Role) -> Option<Role> {
    match role {
        pb::Role::Viewer => Some(Role::Viewer),
        pb::Role::Member => Some(Role::Member),
        pb::Role::Admin => Some(Role::Admin),
        pb::Role::Unspecified => {
            check.note("role", "required");
            None
        }
    }
}

pub(super) fn set_member_role(ask: &pb::SetMemberRoleRequest) -> Result<SetMemberRole, Fault> {
    let mut check = Check::default();
    let user_id = check.parse("user_id", &ask.user_id);
    let role = role(&mut check, ask.role());
    let etag = (!ask.etag.is_empty()).then(|| ask.etag.clone());
    check.done(DOMAIN, user_id.zip(role).map(|(user_id, role)| SetMemberRole { user_id, role, etag }))
}

pub(super) fn remove_member(ask: &pb::RemoveMemberRequest) -> Result<RemoveMember, Fault> {
    let mut check = Check::default();
    let user_id = check.parse("user_id", &ask.user_id);
    check.done(DOMAIN, user_id.map(|user_id| RemoveMember { user_id }))
}

pub(super) fn invite_member(ask: &pb::InviteMemberRequest) -> Result<InviteMember, Fault> {
    let mut check = Check::default();
    let email = check.parse("email", &ask.email);
    let role = role(&mut check, ask.role());
    check.done(DOMAIN, email.zip(role).map(|(email, role)| InviteMember { email, role }))
}

pub(super) fn revoke_invitation(ask: &pb::RevokeInvitationRequest) -> Result<RevokeInvitation, Fault> {
    let mut check = Check::default();
    let id = check.parse("invitation_id", &ask.invitation_id);
    check.done(DOMAIN, id.map(|invitation_id| RevokeInvitation { invitation_id }))
}

pub(super) fn create_team(ask: &pb::CreateTeamRequest) -> Result<CreateTeam, Fault> {
    let mut check = Check::default();
    let slug = check.parse("slug", &ask.slug);
    let display_name = check.parse_optional("display_name", &ask.display_name);
    check.done(DOMAIN, slug.map(|slug| CreateTeam { slug, display_name }))
}

pub(super) fn change_team((team, user): (&str, &str), seat: Seat) -> Result<ChangeTeam, Fault> {
    let mut check = Check::default();
    let team_id = check.parse("team_id", team);
    let user_id = check.parse("user_id", user);
    check.done(DOMAIN, team_id.zip(user_id).map(|(team_id, user_id)| ChangeTeam { team_id, user_id, seat }))
}

pub(super) fn delete_team(ask: &pb::DeleteTeamRequest) -> Result<DeleteTeam, Fault> {
    let mut check = Check::default();
    let id = check.parse("team_id", &ask.team_id);
    check.done(DOMAIN, id.map(|team_id| DeleteTeam { team_id }))
}

pub(super) fn revoke_session(ask: &pb::RevokeSessionRequest) -> Result<EndSession, Fault> {
    let mut check = Check::default();
    let id = check.parse("session_id", &ask.session_id);
    check.done(DOMAIN, id.map(|session_id| EndSession { session_id }))
}

pub(super) fn proof(ask: pb::ResolvePrincipalRequest) -> Result<Proof, Fault> {
    use pb::resolve_principal_request::Credential;
    let mut check = Check::default();
    let proof = match ask.credential {
        Some(Credential::ApiKey(text)) => Some(Proof::ApiKey(Secret::new(text))),
        Some(Credential::SessionSecret(text)) => Some(Proof::SessionSecret(Secret::new(text))),
        Some(Credential::SessionId(id)) => check.parse("session_id", &id).map(Proof::SessionId),
        None => {
            check.note("credential", "required");
            None
        }
    };
    check.done(DOMAIN, proof)
}
