//! Users, where they belong, and whom a credential stands for.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::OnConflict,
};
use souk_db::{Tx, for_every_tenant, scoped};
use souk_types::{Membership, OrgId, ProjectId, Role, SessionId, UserId};

use super::{
    Store,
    events::{Cause, Fact},
    orgs::projects_of,
    read,
    rows::{api_keys, members, sessions, users},
};
use crate::{
    error::Error,
    model::{ApiKey, Email, Session, Span, User},
};

impl Store {
    /// One person's row.
    pub(crate) async fn user(&self, user_id: UserId) -> Result<User, Error> {
        let row = users::Entity::find_by_id(user_id.to_string()).one(self.0.read()).await?;
        Ok(read::user(row.ok_or(Error::UserNotFound(user_id))?)?)
    }

    /// Where a person belongs, oldest org first, at most `limit`.
    pub(crate) async fn memberships(
        &self,
        user_id: UserId,
        span: Span,
        limit: u64,
    ) -> Result<Vec<Membership>, Error> {
        let mut query = scoped::<members::Entity>(&for_every_tenant())
            .filter(members::Column::UserId.eq(user_id.to_string()));
        if let Span::Org(org) = span {
            query = query.filter(members::Column::OrgId.eq(org.to_string()));
        }
        let rows = query.order_by_asc(members::Column::OrgId).limit(limit).all(self.0.read()).await?;
        let mut held: Vec<(OrgId, Role)> = Vec::with_capacity(rows.len());
        for row in rows {
            held.push((read::parse("org_id", &row.org_id)?, read::role(&row.role)?));
        }
        self.with_projects(held).await
    }

    /// Memberships with the projects they reach.
    pub(crate) async fn with_projects(&self, held: Vec<(OrgId, Role)>) -> Result<Vec<Membership>, Error> {
        let orgs: Vec<OrgId> = held.iter().map(|(org, _)| *org).collect();
        let mut projects: BTreeMap<OrgId, Vec<ProjectId>> = BTreeMap::new();
        for project in projects_of(self, &orgs).await? {
            projects.entry(project.org_id).or_default().push(project.project_id);
        }
        let whole = |(org_id, role)| {
            let projects = projects.remove(&org_id).unwrap_or_default();
            Membership { org_id, role, projects }
        };
        Ok(held.into_iter().map(whole).collect())
    }

    /// The key with this hash, whatever has become of it.
    pub(crate) async fn key_by_hash(&self, hash: &str) -> Result<Option<ApiKey>, Error> {
        let row = scoped::<api_keys::Entity>(&for_every_tenant())
            .filter(api_keys::Column::SecretHash.eq(hash))
            .one(self.0.read())
            .await?;
        Ok(row.map(read::api_key).transpose()?)
    }

    /// The session with this hash, whatever has become of it.
    pub(crate) async fn session_by_hash(&self, hash: &str) -> Result<Option<Session>, Error> {
        let query = sessions::Entity::find().filter(sessions::Column::SecretHash.eq(hash));
        Ok(query.one(self.0.read()).await?.as_ref().map(read::session).transpose()?)
    }

    /// The session with this id, whatever has become of it.
    pub(crate) async fn session(&self, id: SessionId) -> Result<Option<Session>, Error> {
        let row = sessions::Entity::find_by_id(id.to_string()).one(self.0.read()).await?;
        Ok(row.as_ref().map(read::session).transpose()?)
    }
}

/// The user with this address, made when first seen, and whether that was now.
pub(super) async fn ensure_user(tx: &Tx, cause: &Cause, email: &Email) -> Result<(User, bool), Error> {
    let now = tx.now();
    let user_id = UserId::new(now, tx.random());
    let row = users::ActiveModel {
        user_id: Set(user_id.to_string()),
        email: Set(email.to_string()),
        display_name: Set(email.local().to_owned()),
        platform_role: Set(None),
        create_time: Set(now.micros()),
        version: Set(1),
        proof_time: Set(None),
    };
    let made = users::Entity::insert(row)
        .on_conflict(OnConflict::column(users::Column::Email).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if made == 1 {
        Fact::user_created(user_id).tell(tx, cause).await?;
    }
    let row = users::Entity::find().filter(users::Column::Email.eq(email.as_str())).one(tx).await?;
    Ok((read::user(row.ok_or(Error::UserNotFound(user_id))?)?, made == 1))
}
