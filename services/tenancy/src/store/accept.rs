//! Invitations accepted: by somebody who is signed in, or by the code alone, which also signs in.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr};
use souk_db::{Once, Request, Tx, for_every_tenant, once};
use souk_types::{Call, Membership, OrgId, ProjectId, Role, UserId};

use super::{
    Store,
    events::{Cause, Fact},
    invitations::{by_hash, close, revoke_of},
    keys,
    members::{Bounds, hold_org, join},
    orgs::lock_user,
    people::ensure_user,
    person, read,
    rows::{invitations, projects, sessions, users},
    sign_in::{NewSession, begin_session, end},
};
use crate::{
    error::Error,
    model::{AcceptInvitation, Email, Member, Session, User, invitation::State},
};

/// Whom an invitation's code lets in without a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission {
    /// How many there may be.
    pub(crate) bounds: Bounds,
    /// Whether the code in the mail alone signs in.
    pub(crate) by_mail_alone: bool,
}

impl Store {
    /// Accepts an invitation for the caller, whose address must be the invited one.
    pub(crate) async fn accept_invitation(
        &self,
        call: &Call,
        ask: &AcceptInvitation,
        bounds: Bounds,
    ) -> Result<Membership, Error> {
        let user_id = person(call)?;
        let request = &Request::of(call, user_id, None, ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.accept_invitation", |tx| async move {
            once(&tx, request, || async {
                let row = by_hash(&tx, &ask.code_hash).await?.ok_or(Error::InvitationInvalid)?;
                let user = users::Entity::find_by_id(user_id.to_string()).one(&tx).await?;
                let user = read::user(user.ok_or(Error::UserNotFound(user_id))?)?;
                if user.email != row.email {
                    return Err(Error::InvitationInvalid);
                }
                let member = accept(&tx, cause, &row, &user, bounds).await?;
                let projects = projects_in(&tx, member.org_id).await?;
                if row.mail_hash == ask.code_hash {
                    prove(&tx, cause, user.user_id).await?;
                }
                Ok(Membership { org_id: member.org_id, role: member.role, projects })
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Turns an invitation's code into a membership and a session, in one write. The code that the inviter
    /// was shown proves nothing about the address: it does so only where no mails are sent, for somebody who
    /// was never seen. Where mails are sent it never does: an inviter could learn by it whose address has an
    /// account.
    pub(crate) async fn redeem_invitation(
        &self,
        call: &Call,
        hash: &str,
        new: &NewSession,
        admission: Admission,
    ) -> Result<(Session, User), Error> {
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.redeem_invitation", |tx| async move {
            let row = by_hash(&tx, hash).await?.ok_or(Error::LinkInvalid)?;
            let proven = row.mail_hash == hash;
            if !proven && admission.by_mail_alone {
                return Err(Error::InvitationNeedsSignIn);
            }
            let email: Email = read::parse("email", &row.email)?;
            let (user, made) = ensure_user(&tx, cause, &email).await?;
            if !made && !proven {
                return Err(Error::InvitationNeedsSignIn);
            }
            let cause = &cause.by(user.user_id);
            accept(&tx, cause, &row, &user, admission.bounds).await?;
            if proven {
                prove(&tx, cause, user.user_id).await?;
            }
            let session = begin_session(&tx, cause, user.user_id, new).await?;
            Ok((session, user))
        });
        written.await.map_err(|error| match error {
            // Whoever accepted it at the same moment won.
            Error::InvitationInvalid => Error::LinkInvalid,
            other => other,
        })
    }
}

/// Makes the invited person a member and closes the invitation. Of those who do so at once, one does.
async fn accept(
    tx: &Tx,
    cause: &Cause,
    row: &invitations::Model,
    user: &User,
    bounds: Bounds,
) -> Result<Member, Error> {
    let org_id: OrgId = read::parse("org_id", &row.org_id)?;
    let role: Role = read::role(&row.role)?;
    hold_org(tx, &for_every_tenant(), org_id).await?;
    lock_user(tx, user.user_id).await?;
    let id = read::parse("invitation_id", &row.invitation_id)?;
    close(tx, cause, id, State::Accepted).await?.ok_or(Error::InvitationInvalid)?;
    join(tx, cause, (org_id, role), user, bounds).await
}

/// Notes that the address is a person's own. Whatever was begun under it before may be somebody else's: the
/// first proof ends it.
pub(super) async fn prove(tx: &Tx, cause: &Cause, user_id: UserId) -> Result<(), Error> {
    let now = tx.now().micros();
    let first = users::Entity::update_many()
        .col_expr(users::Column::ProofTime, Expr::value(now))
        .filter(users::Column::UserId.eq(user_id.to_string()))
        .filter(users::Column::ProofTime.is_null())
        .exec(tx)
        .await?;
    if first.rows_affected != 1 {
        return Ok(());
    }
    let before = sessions::Entity::find()
        .filter(sessions::Column::UserId.eq(user_id.to_string()))
        .filter(sessions::Column::EndTime.is_null())
        .lock_exclusive()
        .all(tx)
        .await?;
    for row in before {
        end(tx, cause, &read::session(&row)?).await?;
    }
    keys::revoke_of(tx, cause, None, user_id).await?;
    revoke_of(tx, cause, None, user_id).await?;
    Ok(Fact::user_proven(user_id).tell(tx, cause).await?)
}

async fn projects_in(tx: &Tx, org_id: OrgId) -> Result<Vec<ProjectId>, Error> {
    let rows =
        projects::Entity::find().filter(projects::Column::OrgId.eq(org_id.to_string())).all(tx).await?;
    Ok(rows.iter().map(|row| read::parse("project_id", &row.project_id)).collect::<Result<_, _>>()?)
}
