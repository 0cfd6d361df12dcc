//! The nouns of tenancy and the commands on them. Pure: no I/O, no clock, no wire, no table.
//!
//! A command is what a request says once it has been checked; its JSON recognises repeats, so no secret
//! ever stands in one.

pub(crate) mod audit;
pub(crate) mod credential;
pub(crate) mod email;
pub(crate) mod invitation;
pub(crate) mod member;
pub(crate) mod name;
pub(crate) mod team;
pub(crate) mod trial;
pub(crate) mod workspace;

use serde::{Deserialize, Serialize};
use souk_types::{ApiKeyId, Membership, OrgId, ProjectId, Scopes, SessionId, Time, UserId};

pub(crate) use self::{
    credential::Credential,
    email::Email,
    invitation::{AcceptInvitation, Invitation, InviteMember, RevokeInvitation},
    member::{Member, RemoveMember, SetMemberRole},
    name::{DisplayName, Slug},
    team::{ChangeTeam, CreateTeam, DeleteTeam, Team},
    workspace::Workspace,
};

/// An organisation: the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Org {
    /// Its id.
    pub(crate) org_id: OrgId,
    /// Text for people.
    pub(crate) display_name: String,
    /// When it was made.
    pub(crate) create_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// A project of an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Project {
    /// Its id.
    pub(crate) project_id: ProjectId,
    /// The org it belongs to.
    pub(crate) org_id: OrgId,
    /// Natural key within the org.
    pub(crate) slug: String,
    /// Text for people.
    pub(crate) display_name: String,
    /// When it was made.
    pub(crate) create_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// Their id.
    pub(crate) user_id: UserId,
    /// The address they sign in with.
    pub(crate) email: String,
    /// Text for people.
    pub(crate) display_name: String,
    /// Whether they run the platform.
    pub(crate) operator: bool,
    /// When they were first seen.
    pub(crate) create_time: Time,
}

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiKey {
    /// Its id.
    pub(crate) api_key_id: ApiKeyId,
    /// The org it acts within; `None` for a platform key, which acts wherever its operator may.
    pub(crate) org_id: Option<OrgId>,
    /// The person it acts for.
    pub(crate) user_id: UserId,
    /// What it is for.
    pub(crate) display_name: String,
    /// Its first characters.
    pub(crate) hint: String,
    /// The names of the permissions it is narrowed to; empty: it has all that its person's role has.
    pub(crate) scopes: Vec<String>,
    /// When it was made.
    pub(crate) create_time: Time,
    /// When it ends by itself.
    pub(crate) expire_time: Option<Time>,
    /// When it was revoked.
    pub(crate) revoke_time: Option<Time>,
    /// Row version.
    pub(crate) version: i64,
}

/// A person's signed-in session, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) session_id: SessionId,
    /// Whose it is.
    pub(crate) user_id: UserId,
    /// When it began.
    pub(crate) create_time: Time,
    /// When it ends by itself.
    pub(crate) expire_time: Time,
    /// When it was ended.
    pub(crate) end_time: Option<Time>,
    /// Row version.
    pub(crate) version: i64,
}

/// A minted sign-in link, without its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignInLink {
    /// Whose link it is.
    pub(crate) user_id: UserId,
    /// When it can no longer be redeemed.
    pub(crate) expire_time: Time,
}

/// Who a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The person.
    pub(crate) user: User,
    /// Where they belong, as far as the credential reaches.
    pub(crate) memberships: Vec<Membership>,
    /// Whether the credential acts as an operator.
    pub(crate) operator: bool,
    /// The org's key that the credential is, which reaches its one membership alone.
    pub(crate) bound: Option<Bound>,
    /// The session, where the credential is one.
    pub(crate) session_id: Option<SessionId>,
    /// When the credential ends; `None`: not by itself.
    pub(crate) expire_time: Option<Time>,
}

/// An org's key, as far as it says who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The key.
    pub(crate) api_key_id: ApiKeyId,
    /// What it is narrowed to.
    pub(crate) scopes: Scopes,
}

/// How far a credential reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Wherever its person belongs.
    Everywhere,
    /// Within one org.
    Org(OrgId),
}

/// Whether something that lasts and can be taken back still counts at `now`.
///
/// # Errors
/// What it ended by.
pub(crate) fn alive(now: Time, expire: Option<Time>, end: Option<Time>) -> Result<(), Ended> {
    match (end, expire) {
        (Some(_), _) => Err(Ended::TakenBack),
        (None, Some(expire)) if expire <= now => Err(Ended::Expired),
        (None, _) => Ok(()),
    }
}

/// Why something no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody revoked or ended it.
    TakenBack,
    /// Its time is over.
    Expired,
}

/// Asks for the caller's workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AutoCreateWorkspace {
    /// What the org is called; `None`: after the caller's address.
    pub(crate) display_name: Option<DisplayName>,
}

/// The answer to `AutoCreateWorkspace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadyWorkspace {
    /// The org.
    pub(crate) org_id: OrgId,
    /// Its default project.
    pub(crate) project_id: ProjectId,
    /// What the wallet can reserve.
    pub(crate) balance: souk_types::Credits,
    /// Why no trial came with it; empty: it came.
    #[serde(default)]
    pub(crate) trial_refused: String,
}

/// Asks for an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateOrg {
    /// What it is called.
    pub(crate) display_name: DisplayName,
}

/// The answer to `CreateOrg`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewOrg {
    /// The org.
    pub(crate) org: Org,
    /// Its default project.
    pub(crate) project: Project,
}

/// Asks for a project in the org of the call's scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateProject {
    /// Natural key.
    pub(crate) slug: Slug,
    /// What it is called; `None`: as its slug.
    pub(crate) display_name: Option<DisplayName>,
}

/// Asks for an API key in the org of the call's scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateApiKey {
    /// What it is for.
    pub(crate) display_name: DisplayName,
    /// How long it works.
    pub(crate) time_to_live: Option<std::time::Duration>,
    /// The names of the permissions it is narrowed to, each once and in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<String>,
}

/// Names a key to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RevokeApiKey {
    /// The key.
    pub(crate) api_key_id: ApiKeyId,
}

/// Asks for a sign-in link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateSignInLink {
    /// Whose link it is.
    pub(crate) email: Email,
}

/// Names a session to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EndSession {
    /// The session.
    pub(crate) session_id: SessionId,
}

/// What stands for somebody.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// An API key's text, as it came.
    ApiKey(souk_types::Secret<String>),
    /// A session's secret, as it came.
    SessionSecret(souk_types::Secret<String>),
    /// A session that a verified token names.
    SessionId(SessionId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_exclusive_and_taking_back_wins() {
        let at = Time::from_micros;
        assert_eq!(alive(at(9), Some(at(10)), None), Ok(()));
        assert_eq!(alive(at(10), Some(at(10)), None), Err(Ended::Expired));
        assert_eq!(alive(at(11), None, None), Ok(()));
        assert_eq!(alive(at(11), Some(at(10)), Some(at(3))), Err(Ended::TakenBack));
    }
}
