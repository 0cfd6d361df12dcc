//! Rows into nouns and back. What a row says that no noun can say is a fault of the database, named.

use std::{error::Error as Cause, str::FromStr};

use souk_db::Error;
use souk_types::{Credits, PlatformRole, Role, Time, UserId};

use super::rows::{
    api_keys, audit_entries, invitations, mails, members, orgs, projects, sessions, teams, users, workspaces,
};
use crate::model::{
    ApiKey, Invitation, Member, Org, Project, Session, Team, User, Workspace,
    audit::AuditEntry,
    invitation::{Mail, MailState, State},
};

/// The platform role as it stands in a row.
pub(super) const OPERATOR: &str = "OPERATOR";

pub(super) fn parse<T>(what: &'static str, text: &str) -> Result<T, Error>
where
    T: FromStr<Err: Cause + Send + Sync + 'static>,
{
    text.parse().map_err(|error| Error::value(what, error))
}

pub(super) fn parse_some<T>(what: &'static str, text: Option<&str>) -> Result<Option<T>, Error>
where
    T: FromStr<Err: Cause + Send + Sync + 'static>,
{
    text.map(|text| parse(what, text)).transpose()
}

pub(super) fn role(text: &str) -> Result<Role, Error> {
    parse("role", text)
}

fn platform_role(text: Option<&str>) -> Result<Option<PlatformRole>, Error> {
    match text {
        None => Ok(None),
        Some(OPERATOR) => Ok(Some(PlatformRole::Operator)),
        Some(other) => Err(Error::value("platform_role", format!("unknown: {other}"))),
    }
}

pub(super) fn org(row: orgs::Model) -> Result<Org, Error> {
    Ok(Org {
        org_id: parse("org_id", &row.org_id)?,
        display_name: row.display_name,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

pub(super) fn project(row: projects::Model) -> Result<Project, Error> {
    Ok(Project {
        project_id: parse("project_id", &row.project_id)?,
        org_id: parse("org_id", &row.org_id)?,
        slug: row.slug,
        display_name: row.display_name,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

pub(super) fn user(row: users::Model) -> Result<User, Error> {
    Ok(User {
        user_id: parse("user_id", &row.user_id)?,
        email: row.email,
        display_name: row.display_name,
        operator: platform_role(row.platform_role.as_deref())?.is_some(),
        create_time: Time::from_micros(row.create_time),
    })
}

pub(super) fn api_key(row: api_keys::Model) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        api_key_id: parse("api_key_id", &row.api_key_id)?,
        org_id: parse_some("org_id", row.org_id.as_deref())?,
        user_id: parse("user_id", &row.user_id)?,
        display_name: row.display_name,
        hint: row.hint,
        scopes: row.scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        create_time: Time::from_micros(row.create_time),
        expire_time: row.expire_time.map(Time::from_micros),
        revoke_time: row.revoke_time.map(Time::from_micros),
        version: row.version,
    })
}

pub(super) fn session(row: &sessions::Model) -> Result<Session, Error> {
    Ok(Session {
        session_id: parse("session_id", &row.session_id)?,
        user_id: parse("user_id", &row.user_id)?,
        create_time: Time::from_micros(row.create_time),
        expire_time: Time::from_micros(row.expire_time),
        end_time: row.end_time.map(Time::from_micros),
        version: row.version,
    })
}

pub(super) fn workspace(row: workspaces::Model) -> Result<Workspace, Error> {
    Ok(Workspace {
        org_id: parse("org_id", &row.org_id)?,
        project_id: parse("project_id", &row.project_id)?,
        trial_user: parse_some("trial_user_id", row.trial_user_id.as_deref())?,
        trial: Credits::from_micros(row.trial_micros),
        state: parse("state", &row.state)?,
        attempts: row.attempts,
        next_attempt_time: row.next_attempt_time.map(Time::from_micros),
        last_reason: row.last_reason,
        trial_refused: row.trial_refused,
        version: row.version,
    })
}

pub(super) fn member(row: &members::Model, user: User) -> Result<Member, Error> {
    Ok(Member {
        org_id: parse("org_id", &row.org_id)?,
        user,
        role: role(&row.role)?,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

/// An invitation as it stands at `now`, and its mail; none is kept of one that was closed long ago.
pub(super) fn invitation(
    row: invitations::Model,
    letter: Option<&mails::Model>,
    now: Time,
) -> Result<Invitation, Error> {
    let expire_time = Time::from_micros(row.expire_time);
    let state: State = parse("state", &row.state)?;
    let sent = letter.map(|letter| parse("state", &letter.state)).transpose()?;
    Ok(Invitation {
        invitation_id: parse("invitation_id", &row.invitation_id)?,
        org_id: parse("org_id", &row.org_id)?,
        email: row.email,
        role: role(&row.role)?,
        state: state.at(now, expire_time),
        inviter: parse("inviter_user_id", &row.inviter_user_id)?,
        create_time: Time::from_micros(row.create_time),
        expire_time,
        mail: sent.unwrap_or(MailState::Dropped),
        mail_error: letter.map(|letter| letter.last_error.clone()).unwrap_or_default(),
        version: row.version,
    })
}

pub(super) fn mail(row: mails::Model) -> Result<Mail, Error> {
    Ok(Mail {
        invitation_id: parse("invitation_id", &row.invitation_id)?,
        org_id: parse("org_id", &row.org_id)?,
        email: parse("email", &row.email)?,
        sealed_code: row.sealed_code,
        state: parse("state", &row.state)?,
        attempts: row.attempts,
        next_attempt_time: row.next_attempt_time.map(Time::from_micros),
        last_error: row.last_error,
        expire_time: Time::from_micros(row.expire_time),
        version: row.version,
    })
}

pub(super) fn team(row: teams::Model, users: Vec<UserId>) -> Result<Team, Error> {
    Ok(Team {
        team_id: parse("team_id", &row.team_id)?,
        org_id: parse("org_id", &row.org_id)?,
        slug: row.slug,
        display_name: row.display_name,
        users,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

pub(super) fn audit_entry(row: audit_entries::Model) -> Result<AuditEntry, Error> {
    let org = (!row.org_id.is_empty()).then_some(row.org_id);
    Ok(AuditEntry {
        audit_entry_id: parse("audit_entry_id", &row.audit_entry_id)?,
        org_id: parse_some("org_id", org.as_deref())?,
        occur_time: Time::from_micros(row.occur_time),
        actor: row.actor,
        method: row.method,
        request_id: row.request_id,
        outcome: row.outcome,
        resource_id: row.resource_id,
        trace_id: row.trace_id,
    })
}
