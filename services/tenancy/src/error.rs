//! What can go wrong in tenancy, named by what the caller can do about it.

use std::time::Duration;

use souk_kit::Refusal;
use souk_types::{ApiKeyId, Fault, InvitationId, OrgId, ProjectId, Reason, SessionId, TeamId, UserId};

/// When a workspace that waits for billing is worth asking for again.
const RETRY: Duration = Duration::from_secs(1);
/// The service that faults name.
const DOMAIN: &str = "tenancy";

/// Why a command had no effect, or not yet its whole effect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No such org within the caller's scope.
    #[error("no such org, or not for this caller to see")]
    OrgNotFound(OrgId),
    /// No such project within the caller's scope.
    #[error("no such project, or not for this caller to see")]
    ProjectNotFound(ProjectId),
    /// No such API key within the caller's scope.
    #[error("no such API key, or not for this caller to see")]
    ApiKeyNotFound(ApiKeyId),
    /// The caller's user has no row here.
    #[error("no such user")]
    UserNotFound(UserId),
    /// Nobody of this id is a member of the org.
    #[error("nobody of this id is a member of the org")]
    MemberNotFound {
        /// The org.
        org_id: OrgId,
        /// Who was named.
        user_id: UserId,
    },
    /// The org would be left without an admin.
    #[error("the org would be left without an admin")]
    LastAdmin(OrgId),
    /// The address belongs to a member.
    #[error("the address belongs to a member of the org")]
    AlreadyMember {
        /// The org.
        org_id: OrgId,
        /// The member.
        user_id: UserId,
    },
    /// Somebody changed it since it was read.
    #[error("somebody changed it since it was read")]
    EtagMismatch {
        /// The present row version.
        version: i64,
    },
    /// No such invitation within the caller's scope.
    #[error("no such invitation, or not for this caller to see")]
    InvitationNotFound(InvitationId),
    /// The invitation is not open any more.
    #[error("the invitation is {state}", state = state.to_ascii_lowercase())]
    InvitationClosed {
        /// Which.
        id: InvitationId,
        /// Where it stands.
        state: &'static str,
    },
    /// The code opens no invitation of this caller.
    #[error("the code opens no open invitation to the caller's address")]
    InvitationInvalid,
    /// The shown code of an invitation does not sign in: mails are sent, or the person was seen before.
    #[error("the code that the inviter was shown does not sign in")]
    InvitationNeedsSignIn,
    /// Somebody whose address nobody proved wants to invite.
    #[error("who invites must have signed in by a link that was sent to their own address")]
    InviterUnproven,
    /// A repeat of the call that invited.
    #[error("the invitation's code was shown once, to the first answer")]
    InvitationAlreadyShown(InvitationId),
    /// No such team within the caller's scope.
    #[error("no such team, or not for this caller to see")]
    TeamNotFound(TeamId),
    /// The org has a team with this slug.
    #[error("the org has a team {slug:?}")]
    TeamSlugTaken {
        /// The slug.
        slug: String,
        /// The org.
        org_id: OrgId,
    },
    /// The caller has no such session.
    #[error("the caller has no such session")]
    SessionNotFound(SessionId),
    /// A key asked for its person's sessions.
    #[error("an API key has no sessions: the person must sign in for this")]
    SessionsByKey,
    /// What waits to be sent could not be sealed.
    #[error("the keyring seals nothing")]
    Unsealable,
    /// The caller sees the noun but lacks the permission in its org.
    #[error("the caller may see this but not do it")]
    Denied {
        /// What is missing.
        permission: &'static str,
    },
    /// A key asked for a key, which would outlive the revocation of the first.
    #[error("an API key makes no API keys: its own revocation would not reach them")]
    KeyByKey,
    /// A key wanted to give somebody a role, which would outlive its revocation.
    #[error("an API key gives nobody a role: its own scopes and revocation would not reach them")]
    RoleByKey,
    /// The org has a project with this slug.
    #[error("the org has a project {slug:?}")]
    SlugTaken {
        /// The slug.
        slug: String,
        /// The org.
        org_id: OrgId,
    },
    /// As many as the configuration allows exist.
    #[error("no more than {limit} {what}")]
    LimitReached {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// A repeat of the call that made a key.
    #[error("the key's secret was shown once, to the first answer")]
    KeyAlreadyShown(ApiKeyId),
    /// A repeat of the call that made a sign-in link.
    #[error("the link's code was shown once, to the first answer")]
    LinkAlreadyShown(UserId),
    /// The code opens nothing: used, expired or never made.
    #[error("the sign-in link was used, has expired or was never made")]
    LinkInvalid,
    /// The credential is mistyped, revoked or was never made.
    #[error("the credential is mistyped, was revoked or was never made")]
    CredentialInvalid {
        /// Which kind: `api_key`, `session`.
        kind: &'static str,
    },
    /// The credential's time is over.
    #[error("the credential has expired")]
    CredentialExpired {
        /// Which kind.
        kind: &'static str,
    },
    /// The workspace stands but billing has not done its part; it is tried again by itself.
    #[error("the workspace is being made and waits for billing")]
    WorkspaceUnfinished {
        /// The org.
        org_id: OrgId,
        /// What is still to be done.
        state: &'static str,
        /// What billing said.
        #[source]
        refusal: Refusal,
    },
    /// A method for people was called by a part.
    #[error("the caller is no person")]
    NoPerson,
    /// An answer of another part cannot be read.
    #[error("{part} answered what cannot be read: {what}")]
    BadAnswer {
        /// The part.
        part: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The database did not do what was asked.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault = |reason| Self::new(reason, DOMAIN, message);
        match error {
            Error::OrgNotFound(id) => fault(Reason::OrgNotFound).with("org_id", id),
            Error::ProjectNotFound(id) => fault(Reason::ProjectNotFound).with("project_id", id),
            Error::ApiKeyNotFound(id) => fault(Reason::ApiKeyNotFound).with("api_key_id", id),
            Error::UserNotFound(id) => fault(Reason::UserNotFound).with("user_id", id),
            Error::MemberNotFound { org_id, user_id } => {
                fault(Reason::MemberNotFound).with("org_id", org_id).with("user_id", user_id)
            }
            Error::LastAdmin(org_id) => fault(Reason::LastAdmin).with("org_id", org_id),
            Error::AlreadyMember { org_id, user_id } => {
                fault(Reason::AlreadyMember).with("org_id", org_id).with("user_id", user_id)
            }
            Error::EtagMismatch { version } => {
                fault(Reason::EtagMismatch).with("etag", format!("v{version}"))
            }
            Error::InvitationNotFound(id) => fault(Reason::InvitationNotFound).with("invitation_id", id),
            Error::InvitationClosed { id, state } => {
                fault(Reason::InvitationClosed).with("invitation_id", id).with("state", state)
            }
            Error::InvitationInvalid => fault(Reason::InvitationInvalid),
            Error::InvitationNeedsSignIn => fault(Reason::InvitationNeedsSignIn),
            Error::InvitationAlreadyShown(id) => fault(Reason::SecretAlreadyShown).with("invitation_id", id),
            Error::TeamNotFound(id) => fault(Reason::TeamNotFound).with("team_id", id),
            Error::TeamSlugTaken { slug, org_id } => {
                fault(Reason::SlugTaken).with("slug", slug).with("org_id", org_id)
            }
            Error::SessionNotFound(id) => fault(Reason::SessionNotFound).with("session_id", id),
            Error::Denied { permission } => fault(Reason::PermissionDenied).with("permission", permission),
            Error::SlugTaken { slug, org_id } => {
                fault(Reason::SlugTaken).with("slug", slug).with("org_id", org_id)
            }
            Error::LimitReached { what, limit } => {
                fault(Reason::LimitReached).with("what", what).with("limit", limit)
            }
            Error::KeyAlreadyShown(id) => fault(Reason::SecretAlreadyShown).with("api_key_id", id),
            Error::LinkAlreadyShown(id) => fault(Reason::SecretAlreadyShown).with("user_id", id),
            Error::LinkInvalid => fault(Reason::SignInLinkInvalid),
            Error::CredentialInvalid { kind } => fault(Reason::TokenInvalid).with("credential", kind),
            Error::CredentialExpired { kind } => fault(Reason::TokenExpired).with("credential", kind),
            Error::WorkspaceUnfinished { org_id, state, refusal } if refusal.is_transient() => {
                let after = refusal.retry_after.unwrap_or(RETRY);
                let fault = fault(Reason::Unavailable).with("org_id", org_id).with("state", state);
                fault.retry_in(after).because(refusal)
            }
            Error::WorkspaceUnfinished { refusal, .. } => refusal.into(),
            Error::NoPerson
            | Error::KeyByKey
            | Error::RoleByKey
            | Error::SessionsByKey
            | Error::InviterUnproven => fault(Reason::PermissionDenied),
            broken @ (Error::BadAnswer { .. } | Error::Unsealable) => Self::bug(DOMAIN, broken),
            Error::Db(error) => error.into_fault(DOMAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_types::Class;

    use super::*;

    fn refused(reason: Reason) -> Fault {
        let refusal = Refusal::read("billing", &souk_kit::status(Fault::new(reason, "billing", "no")));
        Error::WorkspaceUnfinished { org_id: OrgId::from_bits(1), state: "OPENING_WALLET", refusal }.into()
    }

    #[test]
    fn what_billing_will_do_later_is_said_with_a_time() {
        for reason in [Reason::Unavailable, Reason::DeadlineExceeded, Reason::RequestInProgress] {
            let fault = refused(reason);
            assert_eq!((fault.class(), fault.domain), (Class::Unavailable, "tenancy"), "{reason:?}");
            assert!(fault.retry_after.is_some() && fault.metadata.contains_key("org_id"));
        }
        assert_eq!(refused(Reason::AmountOutOfRange).reason, Reason::AmountOutOfRange);
    }

    #[test]
    fn variables_stand_in_the_metadata() {
        let fault = Fault::from(Error::SlugTaken { slug: "web".into(), org_id: OrgId::from_bits(1) });
        assert_eq!(fault.metadata.get("slug").map(String::as_str), Some("web"));
        assert_eq!(Fault::from(Error::KeyAlreadyShown(ApiKeyId::from_bits(2))).metadata.len(), 1);
    }
}
