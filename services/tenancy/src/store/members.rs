//! Members of orgs. Whoever changes who is an admin holds the org's row, so that of two changes at once the
//! second sees the first.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, OnConflict},
};
use souk_db::{Once, Request, Tx, once, one_locked, scoped};
use souk_types::{
    Call, OrgId, Role, Scope, UserId,
    page::{Page, Paged},
};

use super::{
    Store, denied,
    events::{Cause, Fact},
    invitations, keys,
    orgs::own_org,
    person, read,
    rows::{members, orgs, team_members, users},
};
use crate::{
    error::Error,
    model::{Member, RemoveMember, SetMemberRole, User, member::keeps_admin},
};

impl Store {
    /// One page of the scope's org's members, by address.
    pub(crate) async fn list_members(&self, scope: &Scope, page: &Page) -> Result<Paged<Member>, Error> {
        let org = self.require_org(scope).await?.to_string();
        let own = members::Entity::find()
            .select_only()
            .column(members::Column::UserId)
            .filter(members::Column::OrgId.eq(&org))
            .into_query();
        let people = users::Entity::find()
            .filter(users::Column::UserId.in_subquery(own))
            .filter(users::Column::Email.gt(page.after.as_str()))
            .order_by_asc(users::Column::Email)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let rows = scoped::<members::Entity>(scope)
            .filter(members::Column::UserId.is_in(people.iter().map(|user| user.user_id.clone())))
            .all(self.0.read())
            .await?;
        let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.user_id.clone(), row)).collect();
        let mut items = Vec::with_capacity(people.len());
        for user in people {
            // Who left between the two looks is no member.
            if let Some(row) = rows.get(&user.user_id) {
                items.push(read::member(row, read::user(user)?)?);
            }
        }
        Ok(Paged::cut(items, page, |member| member.user.email.clone()))
    }

    /// Gives a member of the scope's org another role.
    pub(crate) async fn set_member_role(&self, call: &Call, ask: &SetMemberRole) -> Result<Member, Error> {
        let org_id = own_org(&call.scope)?;
        let request = &Request::of(call, org_id, Some(org_id), ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.set_member_role", |tx| async move {
            once(&tx, request, || async {
                as_admin(&tx, call, org_id).await?;
                let member = member(&tx, org_id, ask.user_id).await?;
                if ask.etag.as_ref().is_some_and(|etag| *etag != format!("v{}", member.version)) {
                    return Err(Error::EtagMismatch { version: member.version });
                }
                change_role(&tx, cause, member, ask.role).await
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Removes a member of the scope's org and all by which they could come back.
    pub(crate) async fn remove_member(&self, call: &Call, ask: &RemoveMember) -> Result<(), Error> {
        let org_id = own_org(&call.scope)?;
        let request = &Request::of(call, org_id, Some(org_id), ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.remove_member", |tx| async move {
            once(&tx, request, || async {
                as_admin(&tx, call, org_id).await?;
                let member = member(&tx, org_id, ask.user_id).await?;
                remove(&tx, cause, member).await
            })
            .await
        });
        written.await.map(Once::into_answer)
    }
}

/// Holds the org's row until the write ends.
pub(super) async fn hold_org(tx: &Tx, scope: &Scope, org_id: OrgId) -> Result<orgs::Model, Error> {
    let found = one_locked::<orgs::Entity>(tx, scope, org_id.to_string()).await;
    found.map_err(|denial| denied(denial, "tenancy.admin", || Error::OrgNotFound(org_id)))
}

/// Holds the org's row for a caller who changes it, and asks again whether they are its admin now: what the
/// caller's token says may be seconds old, and in those an admin who was removed could let themselves in
/// again.
pub(super) async fn as_admin(tx: &Tx, call: &Call, org_id: OrgId) -> Result<(), Error> {
    hold_org(tx, &call.scope, org_id).await?;
    let user = person(call)?.to_string();
    let row = members::Entity::find_by_id((org_id.to_string(), user.clone())).one(tx).await?;
    if row.is_some_and(|row| row.role == Role::Admin.as_str()) {
        return Ok(());
    }
    let operator =
        users::Entity::find_by_id(user).one(tx).await?.is_some_and(|user| user.platform_role.is_some());
    if operator { Ok(()) } else { Err(Error::Denied { permission: "tenancy.admin" }) }
}

/// A member of an org.
pub(super) async fn member(tx: &Tx, org_id: OrgId, user_id: UserId) -> Result<Member, Error> {
    let missing = || Error::MemberNotFound { org_id, user_id };
    let key = (org_id.to_string(), user_id.to_string());
    let row = members::Entity::find_by_id(key).one(tx).await?.ok_or_else(missing)?;
    let user = users::Entity::find_by_id(user_id.to_string()).one(tx).await?.ok_or_else(missing)?;
    Ok(read::member(&row, read::user(user)?)?)
}

async fn keep_admin(tx: &Tx, member: &Member, becomes: Option<Role>) -> Result<(), Error> {
    let admins = members::Entity::find()
        .filter(members::Column::OrgId.eq(member.org_id.to_string()))
        .filter(members::Column::Role.eq(Role::Admin.as_str()))
        .count(tx)
        .await?;
    if keeps_admin(admins, member.role, becomes) { Ok(()) } else { Err(Error::LastAdmin(member.org_id)) }
}

async fn change_role(tx: &Tx, cause: &Cause, member: Member, role: Role) -> Result<Member, Error> {
    if member.role == role {
        return Ok(member);
    }
    keep_admin(tx, &member, Some(role)).await?;
    let demoted = member.role == Role::Admin;
    let member = Member { role, version: member.version.saturating_add(1), ..member };
    members::Entity::update_many()
        .col_expr(members::Column::Role, Expr::value(role.as_str()))
        .col_expr(members::Column::Version, Expr::value(member.version))
        .filter(members::Column::OrgId.eq(member.org_id.to_string()))
        .filter(members::Column::UserId.eq(member.user.user_id.to_string()))
        .exec(tx)
        .await?;
    if demoted {
        invitations::revoke_of(tx, cause, Some(member.org_id), member.user.user_id).await?;
    }
    Fact::member("souk.tenancy.v1.MemberRoleChanged", &member).tell(tx, cause).await?;
    Ok(member)
}

async fn remove(tx: &Tx, cause: &Cause, member: Member) -> Result<(), Error> {
    keep_admin(tx, &member, None).await?;
    let (org_id, user_id) = (member.org_id, member.user.user_id);
    members::Entity::delete_by_id((org_id.to_string(), user_id.to_string())).exec(tx).await?;
    team_members::Entity::delete_many()
        .filter(team_members::Column::OrgId.eq(org_id.to_string()))
        .filter(team_members::Column::UserId.eq(user_id.to_string()))
        .exec(tx)
        .await?;
    keys::revoke_of(tx, cause, Some(org_id), user_id).await?;
    // They were shown the codes of the invitations they made.
    invitations::revoke_of(tx, cause, Some(org_id), user_id).await?;
    let gone = Member { version: member.version.saturating_add(1), ..member };
    Ok(Fact::member("souk.tenancy.v1.MemberRemoved", &gone).tell(tx, cause).await?)
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Members of an org.
    pub(crate) members: u64,
    /// Orgs of a user.
    pub(crate) orgs: u64,
}

/// Makes a person a member; one who is keeps the role they have. The rows of the org and of the person are
/// held.
pub(super) async fn join(
    tx: &Tx,
    cause: &Cause,
    (org_id, role): (OrgId, Role),
    user: &User,
    bounds: Bounds,
) -> Result<Member, Error> {
    let own = || members::Entity::find();
    let key = (org_id.to_string(), user.user_id.to_string());
    if let Some(row) = members::Entity::find_by_id(key).one(tx).await? {
        return Ok(read::member(&row, user.clone())?);
    }
    let belongs = own().filter(members::Column::UserId.eq(user.user_id.to_string())).count(tx).await?;
    if belongs >= bounds.orgs {
        return Err(Error::LimitReached { what: "orgs of a user", limit: bounds.orgs });
    }
    if own().filter(members::Column::OrgId.eq(org_id.to_string())).count(tx).await? >= bounds.members {
        return Err(Error::LimitReached { what: "members of an org", limit: bounds.members });
    }
    let now = tx.now();
    let row = members::ActiveModel {
        org_id: Set(org_id.to_string()),
        user_id: Set(user.user_id.to_string()),
        role: Set(role.as_str().to_owned()),
        create_time: Set(now.micros()),
        version: Set(1),
    };
    members::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([members::Column::OrgId, members::Column::UserId]).do_nothing().to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    let member = Member { org_id, user: user.clone(), role, create_time: now, version: 1 };
    Fact::member("souk.tenancy.v1.MemberAdded", &member).tell(tx, cause).await?;
    Ok(member)
}
