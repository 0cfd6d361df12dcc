//! The audit trail: what every part's log tells of what people asked for, kept for a while.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::OnConflict,
};
use souk_db::{Tx, cursor, scoped};
use souk_types::{
    Scope, Time,
    page::{Page, Paged},
};

use super::{Store, read, rows::audit_entries};
use crate::{error::Error, model::audit::AuditEntry};

/// How many events that are no entries a cursor may lag behind: a part tells of far more than people ask
/// for, and whoever starts from the cursor passes over the same events again.
const STRIDE: i64 = 256;

impl Store {
    /// Where the follower of a part's log stands.
    pub(crate) async fn audit_cursor(&self, source: &str) -> Result<i64, Error> {
        Ok(cursor::get(self.0.read(), source).await?)
    }

    /// Takes what an event of a part's log told; what was taken before changes nothing.
    pub(crate) async fn take_audit(
        &self,
        source: &str,
        position: i64,
        entry: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        if entry.is_none() && position % STRIDE != 0 {
            return Ok(());
        }
        let written = self.0.write("tenancy.take_audit", |tx| async move {
            let from = cursor::get(&tx, source).await?;
            if position <= from {
                return Ok(());
            }
            cursor::advance(&tx, source, from, position).await?;
            match entry {
                Some(entry) => insert(&tx, entry).await,
                None => Ok(()),
            }
        });
        written.await
    }

    /// Goes on after `position`: what was before it is no entry, or is forgotten by the part's log.
    pub(crate) async fn pass_audit(&self, source: &str, position: i64) -> Result<(), Error> {
        let written = self.0.write("tenancy.pass_audit", |tx| async move {
            let from = cursor::get(&tx, source).await?;
            if position > from {
                cursor::advance(&tx, source, from, position).await?;
            }
            Ok(())
        });
        written.await
    }

    /// One page of the scope's org's trail, newest first.
    pub(crate) async fn list_audit_entries(
        &self,
        scope: &Scope,
        page: &Page,
    ) -> Result<Paged<AuditEntry>, Error> {
        self.require_org(scope).await?;
        let mut query = scoped::<audit_entries::Entity>(scope);
        if !page.after.is_empty() {
            query = query.filter(audit_entries::Column::AuditEntryId.lt(page.after.as_str()));
        }
        let rows = query
            .order_by_desc(audit_entries::Column::AuditEntryId)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let items = rows.into_iter().map(read::audit_entry).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |entry| entry.audit_entry_id.to_string()))
    }

    /// Forgets entries of before `before`, at most `limit`; says whether there may be more.
    pub(crate) async fn forget_audit(&self, before: Time, limit: u64) -> Result<bool, Error> {
        let written = self.0.write("tenancy.forget_audit", |tx| async move {
            let old: Vec<String> = audit_entries::Entity::find()
                .select_only()
                .column(audit_entries::Column::AuditEntryId)
                .filter(audit_entries::Column::OccurTime.lt(before.micros()))
                .limit(limit)
                .into_tuple()
                .all(&tx)
                .await?;
            let full = u64::try_from(old.len()) == Ok(limit);
            let own = audit_entries::Column::AuditEntryId.is_in(old);
            audit_entries::Entity::delete_many().filter(own).exec(&tx).await?;
            Ok(full)
        });
        written.await
    }
}

async fn insert(tx: &Tx, entry: &AuditEntry) -> Result<(), Error> {
    let row = audit_entries::ActiveModel {
        audit_entry_id: Set(entry.audit_entry_id.to_string()),
        // What touches no org is of no org's trail.
        org_id: Set(entry.org_id.map(|org| org.to_string()).unwrap_or_default()),
        occur_time: Set(entry.occur_time.micros()),
        actor: Set(entry.actor.clone()),
        method: Set(entry.method.clone()),
        request_id: Set(entry.request_id.clone()),
        outcome: Set(entry.outcome.clone()),
        resource_id: Set(entry.resource_id.clone()),
        trace_id: Set(entry.trace_id.clone()),
    };
    let key = audit_entries::Column::AuditEntryId;
    audit_entries::Entity::insert(row)
        .on_conflict(OnConflict::column(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
