//! Rows of tenants, read through what the caller may see.
//!
//! Outside of the scope a row is missing; readable without the method's permission it is denied.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait, PrimaryKeyTrait, QueryFilter as _,
    QuerySelect as _, Select,
};
use souk_types::{
    Scope,
    access::{Admission, Reach},
    id::OrgId,
};

use crate::Error;

/// An entity whose rows belong to an org each.
pub trait Tenant: EntityTrait {
    /// The column with the org's id.
    fn org_column() -> Self::Column;
    /// The org's id of one row.
    fn org_of(model: &Self::Model) -> &str;
}

/// Why a row is not given.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// It does not exist, or the caller may not know that it does.
    #[error("no such row within the scope")]
    Missing,
    /// The caller sees it, but lacks the method's permission in its org.
    #[error("the row is seen, the permission is missing")]
    Denied,
    /// The database failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<DbErr> for Denial {
    fn from(error: DbErr) -> Self {
        Self::Failed(error.into())
    }
}

impl Denial {
    /// Says it in a service's own words.
    pub fn say<E: From<Error>>(self, missing: impl FnOnce() -> E, denied: impl FnOnce() -> E) -> E {
        match self {
            Self::Missing => missing(),
            Self::Denied => denied(),
            Self::Failed(error) => error.into(),
        }
    }
}

/// A query for the rows within `scope`: those of its orgs, none for a subject, all for every tenant.
#[must_use]
pub fn scoped<E: Tenant>(scope: &Scope) -> Select<E> {
    within(E::find(), scope)
}

/// Narrows a query to the rows within `scope`.
#[must_use]
pub fn within<E: Tenant>(query: Select<E>, scope: &Scope) -> Select<E> {
    match scope.orgs() {
        None => query,
        Some(orgs) => query.filter(E::org_column().is_in(orgs.iter().map(ToString::to_string))),
    }
}

/// The row with this key, when `scope` grants it.
///
/// # Errors
/// See `Denial`.
pub async fn one<E: Tenant>(
    conn: &impl ConnectionTrait,
    scope: &Scope,
    key: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>,
) -> Result<E::Model, Denial> {
    admit::<E>(scope, within(E::find_by_id(key), scope).one(conn).await?)
}

/// As `one`, and holds the row until the write ends: `FOR UPDATE` on PostgreSQL; SQLite has one writer.
///
/// # Errors
/// See `Denial`.
pub async fn one_locked<E: Tenant>(
    tx: &crate::Tx,
    scope: &Scope,
    key: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>,
) -> Result<E::Model, Denial> {
    admit::<E>(scope, within(E::find_by_id(key), scope).lock_exclusive().one(tx).await?)
}

fn admit<E: Tenant>(scope: &Scope, row: Option<E::Model>) -> Result<E::Model, Denial> {
    let model = row.ok_or(Denial::Missing)?;
    if matches!(scope.reach(), Reach::Every) {
        return Ok(model);
    }
    let org: OrgId = E::org_of(&model).parse().map_err(|error| Error::value("org_id", error))?;
    match scope.admit(org) {
        Admission::Granted => Ok(model),
        Admission::Denied => Err(Denial::Denied),
        Admission::Hidden => Err(Denial::Missing),
    }
}

/// The one door to every tenant's rows without a caller: sweeps, recovery and consumers of events.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one door, beside the kit's open")]
pub const fn for_every_tenant() -> Scope {
    Scope::grant(Reach::Every)
}
