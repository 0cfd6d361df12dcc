//! What tenancy tells the others, written with the change: kinds, payloads and who caused them.
//!
//! Payloads name ids only: addresses, names and secrets of people stay in their rows.

use serde_json::{Value, json};
use souk_db::{Error, Tx, outbox};
use souk_types::{Call, Event, InvitationId, OrgId, TeamId, UserId, id::EventId};

use crate::model::{ApiKey, Invitation, Member, Org, Project, Session, Team, Workspace, invitation::Mail};

/// Who caused a change, in the course of which trace.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    actor: String,
    trace: String,
}

impl Cause {
    /// The caller.
    pub(crate) fn of(call: &Call) -> Self {
        Self { actor: call.caller.actor(), trace: call.trace.id.clone() }
    }

    /// Tenancy itself: start, loops.
    pub(crate) fn own() -> Self {
        Self { actor: "part:tenancy".to_owned(), trace: String::new() }
    }

    /// The same trace, but a person acted who only now is known.
    pub(super) fn by(&self, user: UserId) -> Self {
        Self { actor: format!("user:{user}"), trace: self.trace.clone() }
    }
}

/// A fact about one noun.
pub(super) struct Fact {
    kind: &'static str,
    org_id: Option<OrgId>,
    aggregate_id: String,
    aggregate_seq: i64,
    payload: Value,
}

impl Fact {
    pub(super) fn user_created(user: UserId) -> Self {
        Self::of("souk.tenancy.v1.UserCreated", None, user, 1, json!({ "userId": user }))
    }

    pub(super) fn org_created(org: &Org, user: UserId) -> Self {
        let payload = json!({ "orgId": org.org_id, "userId": user });
        Self::of("souk.tenancy.v1.OrgCreated", Some(org.org_id), org.org_id, org.version, payload)
    }

    pub(super) fn project_created(project: &Project) -> Self {
        let (org, id) = (project.org_id, project.project_id);
        let payload = json!({ "projectId": id, "orgId": org, "slug": project.slug });
        Self::of("souk.tenancy.v1.ProjectCreated", Some(org), id, project.version, payload)
    }

    pub(super) fn workspace_completed(row: &Workspace) -> Self {
        let payload = json!({
            "orgId": row.org_id,
            "projectId": row.project_id,
            "trialMicros": row.trial.micros().to_string(),
        });
        let noun = format!("workspace/{}", row.org_id);
        Self::of("souk.tenancy.v1.WorkspaceCompleted", Some(row.org_id), noun, row.version, payload)
    }

    pub(super) fn api_key_created(key: &ApiKey) -> Self {
        Self::key("souk.tenancy.v1.ApiKeyCreated", key)
    }

    pub(super) fn api_key_revoked(key: &ApiKey) -> Self {
        Self::key("souk.tenancy.v1.ApiKeyRevoked", key)
    }

    fn key(kind: &'static str, key: &ApiKey) -> Self {
        let payload = json!({ "apiKeyId": key.api_key_id, "orgId": key.org_id, "userId": key.user_id });
        Self::of(kind, key.org_id, key.api_key_id, key.version, payload)
    }

    pub(super) fn session_started(session: &Session) -> Self {
        Self::session("souk.tenancy.v1.SessionStarted", session)
    }

    pub(super) fn session_ended(session: &Session) -> Self {
        Self::session("souk.tenancy.v1.SessionEnded", session)
    }

    fn session(kind: &'static str, session: &Session) -> Self {
        let payload = json!({ "sessionId": session.session_id, "userId": session.user_id });
        Self::of(kind, None, session.session_id, session.version, payload)
    }

    pub(super) fn member(kind: &'static str, member: &Member) -> Self {
        let (org, user) = (member.org_id, member.user.user_id);
        let payload = json!({ "orgId": org, "userId": user, "role": member.role });
        Self::of(kind, Some(org), format!("{org}/{user}"), member.version, payload)
    }

    pub(super) fn invitation(kind: &'static str, row: &Invitation) -> Self {
        Self::invited(kind, (row.invitation_id, row.org_id), row.version)
    }

    /// An invitation of which no more than this is at hand.
    pub(super) fn invited(kind: &'static str, (id, org): (InvitationId, OrgId), version: i64) -> Self {
        let payload = json!({ "invitationId": id, "orgId": org });
        Self::of(kind, Some(org), id, version, payload)
    }

    pub(super) fn mail_failed(mail: &Mail) -> Self {
        let (id, org) = (mail.invitation_id, mail.org_id);
        let payload = json!({ "invitationId": id, "orgId": org, "attempts": mail.attempts });
        let noun = format!("mail/{id}");
        Self::of("souk.tenancy.v1.InvitationMailFailed", Some(org), noun, mail.version, payload)
    }

    pub(super) fn team(kind: &'static str, team: &Team) -> Self {
        Self::of_team(kind, (team.team_id, team.org_id), team.version)
    }

    pub(super) fn of_team(kind: &'static str, (id, org): (TeamId, OrgId), version: i64) -> Self {
        Self::of(kind, Some(org), id, version, json!({ "teamId": id, "orgId": org }))
    }

    pub(super) fn user_proven(user: UserId) -> Self {
        Self::of("souk.tenancy.v1.UserProven", None, user, 2, json!({ "userId": user }))
    }

    fn of(
        kind: &'static str,
        org_id: Option<OrgId>,
        noun: impl std::fmt::Display,
        aggregate_seq: i64,
        payload: Value,
    ) -> Self {
        Self { kind, org_id, aggregate_id: noun.to_string(), aggregate_seq, payload }
    }

    /// Writes it with the change in course.
    pub(super) async fn tell(self, tx: &Tx, cause: &Cause) -> Result<(), Error> {
        let now = tx.now();
        let event = Event {
            event_id: EventId::new(now, tx.random()),
            kind: self.kind.to_owned(),
            org_id: self.org_id,
            aggregate_id: self.aggregate_id,
            aggregate_seq: self.aggregate_seq,
            occur_time: now,
            actor: cause.actor.clone(),
            trace: cause.trace.clone(),
            payload: self.payload,
        };
        outbox::put(tx, &event).await
    }
}
