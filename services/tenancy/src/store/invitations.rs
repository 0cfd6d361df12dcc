//! Invitations: one open one an address and org, closed once.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use souk_db::{Once, Request, Tx, for_every_tenant, once, one_locked, scoped};
use souk_types::{
    Call, InvitationId, OrgId, Scope, Time, UserId,
    page::{Page, Paged},
};

use super::{
    Store, denied,
    events::{Cause, Fact},
    members::as_admin,
    orgs::{lock_user, own_org},
    person, read,
    rows::{invitations, mails, members, users},
};
use crate::{
    error::Error,
    model::{
        Invitation, InviteMember, RevokeInvitation,
        invitation::{MailState, State},
    },
};

/// How long invitations of a day are counted.
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How often an org may invite one address in a day.
const PER_ADDRESS: u64 = 10;

/// What is stored of a new invitation besides the command.
#[derive(Clone, Debug)]
pub(crate) struct Codes {
    /// The hash of the code that the inviter is shown.
    pub(crate) code_hash: String,
    /// The hash of the code that the mail carries.
    pub(crate) mail_hash: String,
    /// That code, sealed for the address.
    pub(crate) sealed: String,
}

/// What the operator set about invitations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long they are open.
    pub(crate) life: std::time::Duration,
    /// How many of an org may be open.
    pub(crate) open: u64,
    /// How many an org may make in a day.
    pub(crate) per_day: u64,
    /// How the mail of a new one stands.
    pub(crate) mail: MailState,
}

impl Store {
    /// Invites an address into the scope's org; an open invitation of the address is replaced.
    pub(crate) async fn invite(
        &self,
        call: &Call,
        ask: &InviteMember,
        codes: &Codes,
        terms: Terms,
    ) -> Result<Once<Invitation>, Error> {
        let (org_id, inviter) = (own_org(&call.scope)?, person(call)?);
        let request = &Request::of(call, org_id, Some(org_id), &(ask, inviter))?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.invite_member", |tx| async move {
            once(&tx, request, || async {
                as_admin(&tx, call, org_id).await?;
                proven(&tx, inviter).await?;
                not_a_member(&tx, org_id, ask).await?;
                replace(&tx, cause, org_id, ask).await?;
                room(&tx, org_id, terms).await?;
                patience(&tx, (org_id, inviter), ask, terms).await?;
                let row = new_row(&tx, (org_id, inviter), ask, (codes, terms));
                insert(&tx, cause, row, (codes, terms)).await
            })
            .await
        });
        written.await
    }

    /// One page of the scope's org's invitations, newest first.
    pub(crate) async fn list_invitations(
        &self,
        scope: &Scope,
        page: &Page,
    ) -> Result<Paged<Invitation>, Error> {
        self.require_org(scope).await?;
        let mut query = scoped::<invitations::Entity>(scope);
        if !page.after.is_empty() {
            query = query.filter(invitations::Column::InvitationId.lt(page.after.as_str()));
        }
        let rows = query
            .order_by_desc(invitations::Column::InvitationId)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let letters = scoped::<mails::Entity>(scope)
            .filter(mails::Column::InvitationId.is_in(rows.iter().map(|row| row.invitation_id.clone())))
            .all(self.0.read())
            .await?;
        let letters: BTreeMap<_, _> =
            letters.into_iter().map(|row| (row.invitation_id.clone(), row)).collect();
        let now = self.now();
        let whole = |row: invitations::Model| {
            let letter = letters.get(&row.invitation_id);
            read::invitation(row, letter, now)
        };
        let items = rows.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |row| row.invitation_id.to_string()))
    }

    /// Revokes an open invitation.
    pub(crate) async fn revoke_invitation(
        &self,
        call: &Call,
        ask: &RevokeInvitation,
    ) -> Result<Invitation, Error> {
        let (id, cause) = (ask.invitation_id, &Cause::of(call));
        let written = self.0.write("tenancy.revoke_invitation", |tx| async move {
            let row = one_locked::<invitations::Entity>(&tx, &call.scope, id.to_string()).await;
            let row =
                row.map_err(|denial| denied(denial, "tenancy.admin", || Error::InvitationNotFound(id)))?;
            let org_id: OrgId = read::parse("org_id", &row.org_id)?;
            let request = Request::of(call, org_id, Some(org_id), ask)?;
            once(&tx, &request, || async {
                let found = load(&tx, row).await?;
                if found.state != State::Open {
                    return Err(Error::InvitationClosed { id, state: found.state.as_str() });
                }
                close(&tx, cause, id, State::Revoked).await?.ok_or(Error::InvitationNotFound(id))
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Whether an invitation may still be accepted.
    pub(crate) async fn is_open(&self, id: InvitationId) -> Result<bool, Error> {
        let row = scoped::<invitations::Entity>(&for_every_tenant())
            .filter(invitations::Column::InvitationId.eq(id.to_string()))
            .one(self.0.read())
            .await?;
        let now = self.now().micros();
        Ok(row.is_some_and(|row| row.state == State::Open.as_str() && row.expire_time > now))
    }

    /// Forgets invitations that ended before `before`, and their mails, at most `limit`; says whether there
    /// may be more.
    pub(crate) async fn forget_invitations(&self, before: Time, limit: u64) -> Result<bool, Error> {
        let written = self.0.write("tenancy.forget_invitations", |tx| async move {
            let over: Vec<String> = invitations::Entity::find()
                .select_only()
                .column(invitations::Column::InvitationId)
                .filter(invitations::Column::ExpireTime.lt(before.micros()))
                .limit(limit)
                .into_tuple()
                .all(&tx)
                .await?;
            let full = u64::try_from(over.len()) == Ok(limit);
            let mail = mails::Column::InvitationId.is_in(over.clone());
            mails::Entity::delete_many().filter(mail).exec(&tx).await?;
            let own = invitations::Column::InvitationId.is_in(over);
            invitations::Entity::delete_many().filter(own).exec(&tx).await?;
            Ok(full)
        });
        written.await
    }
}

/// The row of the invitation that a hash of either of its codes opens at this moment.
pub(super) async fn by_hash(tx: &Tx, hash: &str) -> Result<Option<invitations::Model>, Error> {
    let either = Condition::any()
        .add(invitations::Column::CodeHash.eq(hash))
        .add(invitations::Column::MailHash.eq(hash));
    Ok(invitations::Entity::find()
        .filter(either)
        .filter(invitations::Column::State.eq(State::Open.as_str()))
        .filter(invitations::Column::ExpireTime.gt(tx.now().micros()))
        .one(tx)
        .await?)
}

/// Closes an open invitation, drops its mail and tells of it; `None` when somebody else did meanwhile.
pub(super) async fn close(
    tx: &Tx,
    cause: &Cause,
    id: InvitationId,
    state: State,
) -> Result<Option<Invitation>, Error> {
    let closed = invitations::Entity::update_many()
        .col_expr(invitations::Column::State, Expr::value(state.as_str()))
        .col_expr(invitations::Column::Version, Expr::col(invitations::Column::Version).add(1))
        .filter(invitations::Column::InvitationId.eq(id.to_string()))
        .filter(invitations::Column::State.eq(State::Open.as_str()))
        .exec(tx)
        .await?;
    if closed.rows_affected != 1 {
        return Ok(None);
    }
    mails::Entity::update_many()
        .col_expr(mails::Column::State, Expr::value(MailState::Dropped.as_str()))
        .col_expr(mails::Column::SealedCode, Expr::value(""))
        .col_expr(mails::Column::NextAttemptTime, Expr::value(None::<i64>))
        .col_expr(mails::Column::Version, Expr::col(mails::Column::Version).add(1))
        .filter(mails::Column::InvitationId.eq(id.to_string()))
        // What waits for a try, whether to be sent or to be written to the log.
        .filter(mails::Column::NextAttemptTime.is_not_null())
        .exec(tx)
        .await?;
    let row = invitations::Entity::find_by_id(id.to_string()).one(tx).await?;
    let row = row.ok_or(Error::InvitationNotFound(id))?;
    let row = load(tx, row).await?;
    let kind = match state {
        State::Accepted => "souk.tenancy.v1.InvitationAccepted",
        State::Expired => "souk.tenancy.v1.InvitationExpired",
        State::Open | State::Revoked => "souk.tenancy.v1.InvitationRevoked",
    };
    Fact::invitation(kind, &row).tell(tx, cause).await?;
    Ok(Some(row))
}

/// Revokes the open invitations that a person made, into one org or everywhere.
pub(super) async fn revoke_of(
    tx: &Tx,
    cause: &Cause,
    org_id: Option<OrgId>,
    inviter: UserId,
) -> Result<(), Error> {
    let mut query = invitations::Entity::find()
        .filter(invitations::Column::InviterUserId.eq(inviter.to_string()))
        .filter(invitations::Column::State.eq(State::Open.as_str()));
    if let Some(org_id) = org_id {
        query = query.filter(invitations::Column::OrgId.eq(org_id.to_string()));
    }
    for row in query.order_by_asc(invitations::Column::InvitationId).lock_exclusive().all(tx).await? {
        close(tx, cause, read::parse("invitation_id", &row.invitation_id)?, State::Revoked).await?;
    }
    Ok(())
}

async fn load(tx: &Tx, row: invitations::Model) -> Result<Invitation, Error> {
    let letter = mails::Entity::find_by_id(row.invitation_id.clone()).one(tx).await?;
    Ok(read::invitation(row, letter.as_ref(), tx.now())?)
}

/// Refuses an inviter whose address nobody proved: whoever holds the session may be somebody else, and whom
/// they let in would stay in the owner's org after the first proof has ended all else that they began.
async fn proven(tx: &Tx, inviter: UserId) -> Result<(), Error> {
    let row = users::Entity::find_by_id(inviter.to_string()).one(tx).await?;
    match row.ok_or(Error::UserNotFound(inviter))?.proof_time {
        Some(_) => Ok(()),
        None => Err(Error::InviterUnproven),
    }
}

async fn not_a_member(tx: &Tx, org_id: OrgId, ask: &InviteMember) -> Result<(), Error> {
    let known = users::Entity::find().filter(users::Column::Email.eq(ask.email.as_str())).one(tx).await?;
    let Some(known) = known else { return Ok(()) };
    let key = (org_id.to_string(), known.user_id.clone());
    match members::Entity::find_by_id(key).one(tx).await? {
        None => Ok(()),
        Some(row) => Err(Error::AlreadyMember { org_id, user_id: read::parse("user_id", &row.user_id)? }),
    }
}

/// Closes the address's open invitation: one whose time is over is expired, another is revoked.
async fn replace(tx: &Tx, cause: &Cause, org_id: OrgId, ask: &InviteMember) -> Result<(), Error> {
    let earlier = invitations::Entity::find()
        .filter(invitations::Column::OrgId.eq(org_id.to_string()))
        .filter(invitations::Column::Email.eq(ask.email.as_str()))
        .filter(invitations::Column::State.eq(State::Open.as_str()))
        .lock_exclusive()
        .all(tx)
        .await?;
    for row in earlier {
        let over = row.expire_time <= tx.now().micros();
        let state = if over { State::Expired } else { State::Revoked };
        close(tx, cause, read::parse("invitation_id", &row.invitation_id)?, state).await?;
    }
    Ok(())
}

/// Whether the org, whose row is held, may make one more.
async fn room(tx: &Tx, org_id: OrgId, terms: Terms) -> Result<(), Error> {
    let now = tx.now();
    let own = || invitations::Entity::find().filter(invitations::Column::OrgId.eq(org_id.to_string()));
    let open = own()
        .filter(invitations::Column::State.eq(State::Open.as_str()))
        .filter(invitations::Column::ExpireTime.gt(now.micros()));
    if open.count(tx).await? >= terms.open {
        return Err(Error::LimitReached { what: "open invitations of an org", limit: terms.open });
    }
    // Each sends a mail to somebody who did not ask for it.
    let today = own().filter(invitations::Column::CreateTime.gt((now - DAY).micros()));
    if today.count(tx).await? >= terms.per_day {
        return Err(Error::LimitReached { what: "invitations of an org in a day", limit: terms.per_day });
    }
    Ok(())
}

/// Whether the inviter may send one more mail today, whatever orgs they make for it, and whether the address
/// was not asked often enough: replaced invitations are mails all the same. The org's row is held.
async fn patience(
    tx: &Tx,
    (org_id, inviter): (OrgId, UserId),
    ask: &InviteMember,
    terms: Terms,
) -> Result<(), Error> {
    // Who invites into several orgs at once waits.
    lock_user(tx, inviter).await?;
    let since = (tx.now() - DAY).micros();
    let today = || invitations::Entity::find().filter(invitations::Column::CreateTime.gt(since));
    let own = today().filter(invitations::Column::InviterUserId.eq(inviter.to_string()));
    if own.count(tx).await? >= terms.per_day {
        return Err(Error::LimitReached { what: "invitations of a person in a day", limit: terms.per_day });
    }
    let same = today()
        .filter(invitations::Column::OrgId.eq(org_id.to_string()))
        .filter(invitations::Column::Email.eq(ask.email.as_str()));
    if same.count(tx).await? >= PER_ADDRESS {
        return Err(Error::LimitReached { what: "invitations of an address in a day", limit: PER_ADDRESS });
    }
    Ok(())
}

fn new_row(
    tx: &Tx,
    (org_id, inviter): (OrgId, UserId),
    ask: &InviteMember,
    (codes, terms): (&Codes, Terms),
) -> invitations::Model {
    let now = tx.now();
    invitations::Model {
        invitation_id: InvitationId::new(now, tx.random()).to_string(),
        org_id: org_id.to_string(),
        email: ask.email.to_string(),
        role: ask.role.as_str().to_owned(),
        state: State::Open.as_str().to_owned(),
        inviter_user_id: inviter.to_string(),
        code_hash: codes.code_hash.clone(),
        mail_hash: codes.mail_hash.clone(),
        create_time: now.micros(),
        expire_time: (now + terms.life).micros(),
        version: 1,
    }
}

async fn insert(
    tx: &Tx,
    cause: &Cause,
    row: invitations::Model,
    (codes, terms): (&Codes, Terms),
) -> Result<Invitation, Error> {
    let letter = mails::Model {
        invitation_id: row.invitation_id.clone(),
        org_id: row.org_id.clone(),
        email: row.email.clone(),
        sealed_code: codes.sealed.clone(),
        state: terms.mail.as_str().to_owned(),
        attempts: 0,
        next_attempt_time: Some(row.create_time),
        last_error: String::new(),
        create_time: row.create_time,
        expire_time: row.expire_time,
        version: 1,
    };
    invitations::Entity::insert(invitations::ActiveModel::from(row.clone()))
        .exec_without_returning(tx)
        .await?;
    mails::Entity::insert(mails::ActiveModel::from(letter.clone())).exec_without_returning(tx).await?;
    tx.ring(super::mails::TOPIC);
    let made = read::invitation(row, Some(&letter), tx.now())?;
    Fact::invitation("souk.tenancy.v1.InvitationMade", &made).tell(tx, cause).await?;
    Ok(made)
}
