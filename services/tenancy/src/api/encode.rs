//! Nouns into answers.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::tenancy::v1 as pb;
use souk_types::{Membership, Role, Secret, SessionId, Time};

use crate::model::{
    ApiKey, Invitation, Member, NewOrg, Org, Principal, Project, ReadyWorkspace, Session, Team, User,
    audit::AuditEntry,
    invitation::{MailState, State},
};

pub(super) fn ready_workspace(ready: ReadyWorkspace) -> pb::AutoCreateWorkspaceResponse {
    pb::AutoCreateWorkspaceResponse {
        org_id: ready.org_id.to_string(),
        project_id: ready.project_id.to_string(),
        wallet_balance_micros: ready.balance.micros(),
        trial_refused_reason: ready.trial_refused,
    }
}

fn org(org: Org) -> pb::Org {
    pb::Org {
        org_id: org.org_id.to_string(),
        display_name: org.display_name,
        create_time: Some(timestamp(org.create_time)),
        etag: etag(org.version),
    }
}

pub(super) fn project(project: Project) -> pb::Project {
    pb::Project {
        project_id: project.project_id.to_string(),
        org_id: project.org_id.to_string(),
        slug: project.slug,
        display_name: project.display_name,
        create_time: Some(timestamp(project.create_time)),
        etag: etag(project.version),
    }
}

pub(super) fn new_org(new: NewOrg) -> pb::CreateOrgResponse {
    pb::CreateOrgResponse { org: Some(org(new.org)), project: Some(project(new.project)) }
}

fn user(user: User) -> pb::User {
    pb::User {
        user_id: user.user_id.to_string(),
        email: user.email,
        display_name: user.display_name,
        create_time: Some(timestamp(user.create_time)),
    }
}

const fn role(role: Role) -> pb::Role {
    match role {
        Role::Viewer => pb::Role::Viewer,
        Role::Member => pb::Role::Member,
        Role::Admin => pb::Role::Admin,
    }
}

pub(super) fn membership(membership: Membership) -> pb::Membership {
    pb::Membership {
        org_id: membership.org_id.to_string(),
        role: role(membership.role).into(),
        project_ids: membership.projects.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn caller(
    (person, memberships, operator): (User, Vec<Membership>, bool),
) -> pb::GetCallerResponse {
    pb::GetCallerResponse {
        user: Some(user(person)),
        memberships: memberships.into_iter().map(membership).collect(),
        operator,
    }
}

pub(super) fn api_key(key: ApiKey) -> pb::ApiKey {
    pb::ApiKey {
        api_key_id: key.api_key_id.to_string(),
        org_id: key.org_id.map(|org| org.to_string()).unwrap_or_default(),
        user_id: key.user_id.to_string(),
        display_name: key.display_name,
        hint: key.hint,
        create_time: Some(timestamp(key.create_time)),
        expire_time: key.expire_time.map(timestamp),
        revoke_time: key.revoke_time.map(timestamp),
        scopes: key.scopes,
    }
}

pub(super) fn new_api_key((key, secret): (ApiKey, Secret<String>)) -> pb::CreateApiKeyResponse {
    pb::CreateApiKeyResponse { api_key: Some(api_key(key)), secret: secret.expose().clone() }
}

pub(super) fn sign_in_link((code, expire_time): (Secret<String>, Time)) -> pb::CreateSignInLinkResponse {
    pb::CreateSignInLinkResponse { code: code.expose().clone(), expire_time: Some(timestamp(expire_time)) }
}

pub(super) fn new_session(
    (session, secret, person): (Session, Secret<String>, User),
) -> pb::RedeemSignInLinkResponse {
    pb::RedeemSignInLinkResponse {
        session_id: session.session_id.to_string(),
        secret: secret.expose().clone(),
        user: Some(user(person)),
        expire_time: Some(timestamp(session.expire_time)),
    }
}

pub(super) fn principal(principal: Principal) -> pb::ResolvePrincipalResponse {
    pb::ResolvePrincipalResponse {
        user: Some(user(principal.user)),
        memberships: principal.memberships.into_iter().map(membership).collect(),
        operator: principal.operator,
        session_id: principal.session_id.map(|id| id.to_string()).unwrap_or_default(),
        expire_time: principal.expire_time.map(timestamp),
        bound: principal.bound.is_some(),
        api_key_id: principal.bound.as_ref().map(|key| key.api_key_id.to_string()).unwrap_or_default(),
        scopes: principal.bound.map(|key| key.scopes.names()).unwrap_or_default(),
    }
}

pub(super) fn member(member: Member) -> pb::Member {
    pb::Member {
        org_id: member.org_id.to_string(),
        user: Some(user(member.user)),
        role: role(member.role).into(),
        create_time: Some(timestamp(member.create_time)),
        etag: etag(member.version),
    }
}

pub(super) fn invitation(row: Invitation) -> pb::Invitation {
    let state = match row.state {
        State::Open => pb::invitation::State::Open,
        State::Accepted => pb::invitation::State::Accepted,
        State::Revoked => pb::invitation::State::Revoked,
        State::Expired => pb::invitation::State::Expired,
    };
    let mail_state = match row.mail {
        MailState::Pending => pb::invitation::MailState::Pending,
        MailState::Sent => pb::invitation::MailState::Sent,
        MailState::Logged => pb::invitation::MailState::Logged,
        MailState::Failed => pb::invitation::MailState::Failed,
        MailState::Dropped => pb::invitation::MailState::Dropped,
    };
    pb::Invitation {
        invitation_id: row.invitation_id.to_string(),
        org_id: row.org_id.to_string(),
        email: row.email,
        role: role(row.role).into(),
        state: state.into(),
        inviter_user_id: row.inviter.to_string(),
        create_time: Some(timestamp(row.create_time)),
        expire_time: Some(timestamp(row.expire_time)),
        mail_state: mail_state.into(),
        mail_error: row.mail_error,
    }
}

pub(super) fn new_invitation((row, code): (Invitation, Secret<String>)) -> pb::InviteMemberResponse {
    pb::InviteMemberResponse { invitation: Some(invitation(row)), code: code.expose().clone() }
}

pub(super) fn team(team: Team) -> pb::Team {
    pb::Team {
        team_id: team.team_id.to_string(),
        org_id: team.org_id.to_string(),
        slug: team.slug,
        display_name: team.display_name,
        user_ids: team.users.iter().map(ToString::to_string).collect(),
        create_time: Some(timestamp(team.create_time)),
        etag: etag(team.version),
    }
}

pub(super) fn session(session: &Session, current: Option<SessionId>) -> pb::Session {
    pb::Session {
        session_id: session.session_id.to_string(),
        create_time: Some(timestamp(session.create_time)),
        expire_time: Some(timestamp(session.expire_time)),
        current: current == Some(session.session_id),
    }
}

pub(super) fn audit_entry(entry: AuditEntry) -> pb::AuditEntry {
    pb::AuditEntry {
        audit_entry_id: entry.audit_entry_id.to_string(),
        org_id: entry.org_id.map(|org| org.to_string()).unwrap_or_default(),
        occur_time: Some(timestamp(entry.occur_time)),
        actor: entry.actor,
        method: entry.method,
        request_id: entry.request_id,
        outcome: entry.outcome,
        resource_id: entry.resource_id,
        trace_id: entry.trace_id,
    }
}
