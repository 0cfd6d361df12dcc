//! Nouns into answers.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::tenancy::v1 as pb;
use souk_types::{Membership, Role, Secret, Time};

use crate::model::{ApiKey, NewOrg, Org, Principal, Project, ReadyWorkspace, Session, User};

pub(super) fn ready_workspace(ready: ReadyWorkspace) -> pb::AutoCreateWorkspaceResponse {
    pb::AutoCreateWorkspaceResponse {
        org_id: ready.org_id.to_string(),
        project_id: ready.project_id.to_string(),
        wallet_balance_micros: ready.balance.micros(),
        trial_refused_reason: String::new(),
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

fn membership(membership: Membership) -> pb::Membership {
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
