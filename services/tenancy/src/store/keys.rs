//! API keys: those of an org, and the operator's platform keys, which belong to none.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use souk_db::{Once, Request, Tx, for_every_tenant, once, one_locked, scoped};
use souk_types::{
    ApiKeyId, Call, OrgId, Scope, Time, UserId,
    page::{Page, Paged},
};

use super::{
    PLATFORM, Store, denied,
    events::{Cause, Fact},
    members::as_admin,
    orgs::own_org,
    people::ensure_user,
    person, read,
    rows::{api_keys, users},
};
use crate::{
    error::Error,
    model::{ApiKey, CreateApiKey, Credential, Email, RevokeApiKey},
};

/// What is stored of a freshly minted key.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    hash: String,
    hint: String,
}

impl Minted {
    pub(crate) fn of(key: &Credential) -> Self {
        Self { hash: key.hash(), hint: key.hint() }
    }
}

/// What a new key row says besides its secret.
struct Terms<'a> {
    org_id: Option<OrgId>,
    user_id: UserId,
    display_name: &'a str,
    expire_time: Option<Time>,
    scopes: &'a [String],
}

impl Store {
    /// Makes a key of the scope's org that acts for the caller.
    pub(crate) async fn create_api_key(
        &self,
        call: &Call,
        ask: &CreateApiKey,
        minted: &Minted,
    ) -> Result<Once<ApiKey>, Error> {
        let (org_id, user_id) = (own_org(&call.scope)?, person(call)?);
        // The person is part of the command: a repeat by somebody else is not one.
        let request = &Request::of(call, org_id, Some(org_id), &(ask, user_id))?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.create_api_key", |tx| async move {
            once(&tx, request, || async {
                as_admin(&tx, call, org_id).await?;
                let terms = Terms {
                    org_id: Some(org_id),
                    user_id,
                    display_name: ask.display_name.as_str(),
                    expire_time: ask.time_to_live.map(|span| tx.now() + span),
                    scopes: &ask.scopes,
                };
                insert(&tx, cause, minted, terms).await
            })
            .await
        });
        written.await
    }

    /// One page of the scope's org's keys, oldest first.
    pub(crate) async fn list_api_keys(&self, scope: &Scope, page: &Page) -> Result<Paged<ApiKey>, Error> {
        self.require_org(scope).await?;
        let rows = scoped::<api_keys::Entity>(scope)
            .filter(api_keys::Column::ApiKeyId.gt(page.after.as_str()))
            .order_by_asc(api_keys::Column::ApiKeyId)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let items = rows.into_iter().map(read::api_key).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |key| key.api_key_id.to_string()))
    }

    /// Revokes a key; one that was revoked before stays as it was.
    pub(crate) async fn revoke_api_key(&self, call: &Call, ask: &RevokeApiKey) -> Result<ApiKey, Error> {
        let (id, cause) = (ask.api_key_id, &Cause::of(call));
        let written = self.0.write("tenancy.revoke_api_key", |tx| async move {
            let row = one_locked::<api_keys::Entity>(&tx, &call.scope, id.to_string()).await;
            let row = row.map_err(|denial| denied(denial, "tenancy.admin", || Error::ApiKeyNotFound(id)))?;
            let key = read::api_key(row)?;
            let subject = key.org_id.map_or_else(|| PLATFORM.to_owned(), |org| org.to_string());
            let request = Request::of(call, subject, key.org_id, ask)?;
            once(&tx, &request, || async { revoke(&tx, cause, key).await }).await
        });
        written.await.map(Once::into_answer)
    }

    /// Makes sure that `email` is an operator and holds the platform key with hash `known`. Where that key
    /// is missing, revokes the platform keys there are and makes `minted` the only one.
    pub(crate) async fn ensure_platform_key(
        &self,
        email: &Email,
        known: Option<&str>,
        minted: &Minted,
    ) -> Result<Option<ApiKey>, Error> {
        let cause = &Cause::own();
        let written = self.0.write("tenancy.ensure_platform_key", |tx| async move {
            let user_id = ensure_user(&tx, cause, email).await?.0.user_id;
            users::Entity::update_many()
                .col_expr(users::Column::PlatformRole, Expr::value(read::OPERATOR))
                // Whoever reads the data directory needs no mail to prove who they are.
                .col_expr(users::Column::ProofTime, Expr::value(tx.now().micros()))
                .filter(users::Column::UserId.eq(user_id.to_string()))
                .exec(&tx)
                .await?;
            let live = scoped::<api_keys::Entity>(&for_every_tenant())
                .filter(api_keys::Column::OrgId.is_null())
                .filter(api_keys::Column::UserId.eq(user_id.to_string()))
                .filter(api_keys::Column::RevokeTime.is_null())
                .order_by_asc(api_keys::Column::ApiKeyId)
                .lock_exclusive()
                .all(&tx)
                .await?;
            if live.iter().any(|row| Some(row.secret_hash.as_str()) == known) {
                return Ok(None);
            }
            for row in live {
                revoke(&tx, cause, read::api_key(row)?).await?;
            }
            let terms =
                Terms { org_id: None, user_id, display_name: "operator", expire_time: None, scopes: &[] };
            insert(&tx, cause, minted, terms).await.map(Some)
        });
        written.await
    }
}

/// Revokes the keys that act for a person: those of one org, or all of every org.
pub(super) async fn revoke_of(
    tx: &Tx,
    cause: &Cause,
    org_id: Option<OrgId>,
    user_id: UserId,
) -> Result<(), Error> {
    let mut query = scoped::<api_keys::Entity>(&for_every_tenant())
        .filter(api_keys::Column::UserId.eq(user_id.to_string()))
        .filter(api_keys::Column::RevokeTime.is_null());
    query = match org_id {
        Some(org_id) => query.filter(api_keys::Column::OrgId.eq(org_id.to_string())),
        None => query.filter(api_keys::Column::OrgId.is_not_null()),
    };
    for row in query.order_by_asc(api_keys::Column::ApiKeyId).lock_exclusive().all(tx).await? {
        revoke(tx, cause, read::api_key(row)?).await?;
    }
    Ok(())
}

async fn insert(tx: &Tx, cause: &Cause, minted: &Minted, terms: Terms<'_>) -> Result<ApiKey, Error> {
    let now = tx.now();
    let row = api_keys::Model {
        api_key_id: ApiKeyId::new(now, tx.random()).to_string(),
        org_id: terms.org_id.map(|org| org.to_string()),
        user_id: terms.user_id.to_string(),
        display_name: terms.display_name.to_owned(),
        hint: minted.hint.clone(),
        secret_hash: minted.hash.clone(),
        create_time: now.micros(),
        expire_time: terms.expire_time.map(Time::micros),
        revoke_time: None,
        version: 1,
        scopes: terms.scopes.join(" "),
    };
    api_keys::Entity::insert(api_keys::ActiveModel::from(row.clone())).exec_without_returning(tx).await?;
    let key = read::api_key(row)?;
    Fact::api_key_created(&key).tell(tx, cause).await?;
    Ok(key)
}

/// Revokes a key whose row is held.
async fn revoke(tx: &Tx, cause: &Cause, key: ApiKey) -> Result<ApiKey, Error> {
    if key.revoke_time.is_some() {
        return Ok(key);
    }
    let key = ApiKey { revoke_time: Some(tx.now()), version: key.version.saturating_add(1), ..key };
    api_keys::Entity::update_many()
        .col_expr(api_keys::Column::RevokeTime, Expr::value(key.revoke_time.map(Time::micros)))
        .col_expr(api_keys::Column::Version, Expr::value(key.version))
        .filter(api_keys::Column::ApiKeyId.eq(key.api_key_id.to_string()))
        .exec(tx)
        .await?;
    Fact::api_key_revoked(&key).tell(tx, cause).await?;
    Ok(key)
}
