//! Members, teams, invitations, sessions and the audit trail.

use souk_db::Once;
use souk_types::{
    Call, Caller, Membership, Secret,
    page::{Page, Paged},
};

use super::Service;
use crate::{
    error::Error,
    model::{
        AcceptInvitation, ChangeTeam, CreateTeam, Credential, DeleteTeam, EndSession, Invitation,
        InviteMember, Member, RemoveMember, RevokeInvitation, Session, SetMemberRole, Team,
        audit::AuditEntry, credential::Kind,
    },
    store::Codes,
};

impl Service {
    pub(crate) async fn list_members(&self, call: &Call, page: &Page) -> Result<Paged<Member>, Error> {
        self.store.list_members(&call.scope, page).await
    }

    pub(crate) async fn set_member_role(&self, call: &Call, ask: SetMemberRole) -> Result<Member, Error> {
        by_a_person(call)?;
        self.store.set_member_role(call, &ask).await
    }

    pub(crate) async fn remove_member(&self, call: &Call, ask: RemoveMember) -> Result<(), Error> {
        self.store.remove_member(call, &ask).await
    }

    /// Invites an address; the code for the inviter is in this answer only, the mail carries another.
    pub(crate) async fn invite(
        &self,
        call: &Call,
        ask: InviteMember,
    ) -> Result<(Invitation, Secret<String>), Error> {
        by_a_person(call)?;
        let (shown, mailed) = (
            Credential::mint(Kind::InvitationCode, self.store.random()),
            Credential::mint(Kind::InvitationCode, self.store.random()),
        );
        let (code_hash, mail_hash) = (shown.hash(), mailed.hash());
        let sealed = self.seal.seal(ask.email.as_str(), mailed.into_secret().expose());
        let sealed = sealed.ok_or(Error::Unsealable)?;
        let codes = Codes { code_hash, mail_hash, sealed };
        match self.store.invite(call, &ask, &codes, self.config.invitations()).await? {
            Once::Fresh(row) => Ok((row, shown.into_secret())),
            Once::Replayed(row) => Err(Error::InvitationAlreadyShown(row.invitation_id)),
        }
    }

    pub(crate) async fn list_invitations(
        &self,
        call: &Call,
        page: &Page,
    ) -> Result<Paged<Invitation>, Error> {
        self.store.list_invitations(&call.scope, page).await
    }

    pub(crate) async fn revoke_invitation(
        &self,
        call: &Call,
        ask: RevokeInvitation,
    ) -> Result<Invitation, Error> {
        self.store.revoke_invitation(call, &ask).await
    }

    pub(crate) async fn accept_invitation(
        &self,
        call: &Call,
        code: &Secret<String>,
    ) -> Result<Membership, Error> {
        let code = Credential::parse(Kind::InvitationCode, code.expose());
        let code_hash = code.map_err(|_| Error::InvitationInvalid)?.hash();
        self.store.accept_invitation(call, &AcceptInvitation { code_hash }, self.config.bounds()).await
    }

    pub(crate) async fn create_team(&self, call: &Call, ask: CreateTeam) -> Result<Team, Error> {
        self.store.create_team(call, &ask, self.config.max_teams_per_org).await
    }

    pub(crate) async fn list_teams(&self, call: &Call, page: &Page) -> Result<Paged<Team>, Error> {
        self.store.list_teams(&call.scope, page).await
    }

    pub(crate) async fn change_team(&self, call: &Call, ask: ChangeTeam) -> Result<Team, Error> {
        self.store.change_team(call, &ask).await
    }

    pub(crate) async fn delete_team(&self, call: &Call, ask: DeleteTeam) -> Result<(), Error> {
        self.store.delete_team(call, &ask).await
    }

    /// The caller's own sessions. A key is bound to its org: where its person is signed in is not its to know.
    pub(crate) async fn list_sessions(&self, call: &Call, page: &Page) -> Result<Paged<Session>, Error> {
        if matches!(call.caller, Caller::Key { .. }) {
            return Err(Error::SessionsByKey);
        }
        self.store.list_sessions(call.user_id().ok_or(Error::NoPerson)?, page).await
    }

    pub(crate) async fn revoke_session(&self, call: &Call, ask: EndSession) -> Result<(), Error> {
        self.store.revoke_session(call, &ask).await
    }

    pub(crate) async fn list_audit_entries(
        &self,
        call: &Call,
        page: &Page,
    ) -> Result<Paged<AuditEntry>, Error> {
        self.store.list_audit_entries(&call.scope, page).await
    }
}

/// A key gives nobody a role: whoever holds one signs in and makes keys, which neither the scopes nor the
/// revocation of this one would reach.
const fn by_a_person(call: &Call) -> Result<(), Error> {
    if matches!(call.caller, Caller::Key { .. }) { Err(Error::RoleByKey) } else { Ok(()) }
}
