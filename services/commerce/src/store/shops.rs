//! Shops, and what operators say of their buyers and variants.

use sea_orm::{
    Condition, IntoActiveModel as _, QueryOrder as _, QuerySelect as _,
    entity::prelude::*,
    sea_query::{OnConflict, Query},
};
use serde_json::json;
use souk_db::{Error as DbError, Request, Tx, once};
use souk_types::{
    Call, Scope,
    id::ShopId,
    page::{Page, Paged},
};

use super::{
    About, ORDERS, SUBJECT, Store, reading,
    tables::{line, link, mapping, order, shop},
    tell,
};
use crate::{
    Error,
    model::{
        Shop,
        command::{AddShop, LinkBuyer, MapVariant},
        mapping::{Mapping, Target},
        owner::{LinkKind, Owner},
        parking,
    },
};

impl Store {
    /// Adds a shop.
    pub(crate) async fn add_shop(
        &self,
        call: &Call,
        ask: &AddShop,
        fallback: Option<Owner>,
    ) -> Result<Shop, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("commerce.add_shop", |tx| async move {
            once(&tx, request, || insert_shop(&tx, request, ask, fallback)).await
        });
        match written.await {
            // Another copy of the same shop won between our look and our insert.
            Err(Error::Db(DbError::Duplicate(_))) => Err(Error::ShopExists { api_url: ask.api_url.clone() }),
            outcome => outcome.map(souk_db::Once::into_answer),
        }
    }

    /// A page of shops, oldest first.
    pub(crate) async fn list_shops(&self, _opened: &Scope, page: &Page) -> Result<Paged<Shop>, Error> {
        let rows = shop::Entity::find()
            .filter(shop::Column::Id.gt(page.after.as_str()))
            .order_by_asc(shop::Column::Id)
            .limit(page.size.saturating_add(1))
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        let shops = rows.into_iter().map(reading::shop).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(shops, page, |shop| shop.shop_id.to_string()))
    }

    /// The shop with exactly this API URL.
    pub(crate) async fn shop_by_api_url(&self, api_url: &str) -> Result<Option<Shop>, Error> {
        let found = shop::Entity::find().filter(shop::Column::ApiUrl.eq(api_url)).one(self.db.read()).await;
        Ok(found.map_err(DbError::from)?.map(reading::shop).transpose()?)
    }

    /// Links a buyer; answers how many parked lines are tried again.
    pub(crate) async fn link_buyer(&self, call: &Call, ask: &LinkBuyer, owner: Owner) -> Result<u64, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("commerce.link_buyer", |tx| async move {
            once(&tx, request, || put_link(&tx, request, ask, owner)).await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// Maps a variant; answers how many parked lines are tried again.
    pub(crate) async fn map_variant(
        &self,
        call: &Call,
        ask: &MapVariant,
        row: &Mapping,
    ) -> Result<u64, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("commerce.map_variant", |tx| async move {
            once(&tx, request, || async {
                let shop = lock_shop(&tx, ask.shop_id).await?;
                put_mapping(&tx, &shop.id, &ask.variant_id, row).await?;
                let about =
                    About { id: format!("{}/{}", shop.id, ask.variant_id), version: now(&tx), org_id: None };
                let payload = json!({
                    "shopId": shop.id, "variantId": ask.variant_id, "kind": row.target.kind(),
                });
                tell(&tx, &request.into(), "VariantMapped", about, payload).await?;
                let parked = parked(&shop.id).add(line::Column::VariantId.eq(&ask.variant_id));
                judge_again(&tx, parked, Condition::all()).await
            })
            .await
        });
        written.await.map(souk_db::Once::into_answer)
    }
}

/// Events of rows that are overwritten are ordered by when: they have no version of their own.
fn now(tx: &Tx) -> i64 {
    tx.now().micros()
}

/// Takes the shop's row until the write ends.
pub(super) async fn lock_shop(tx: &Tx, shop_id: ShopId) -> Result<shop::Model, Error> {
    let row = shop::Entity::find_by_id(shop_id.to_string()).lock_exclusive().one(tx).await;
    row.map_err(DbError::from)?.ok_or_else(|| Error::ShopNotFound { shop_id: shop_id.to_string() })
}

async fn insert_shop(
    tx: &Tx,
    request: &Request,
    ask: &AddShop,
    fallback: Option<Owner>,
) -> Result<Shop, Error> {
    let taken = shop::Entity::find().filter(shop::Column::ApiUrl.eq(&ask.api_url)).one(tx).await;
    if taken.map_err(DbError::from)?.is_some() {
        return Err(Error::ShopExists { api_url: ask.api_url.clone() });
    }
    let row = shop::Model {
        id: ShopId::new(tx.now(), tx.random()).to_string(),
        api_url: ask.api_url.clone(),
        jwks: ask.jwks_json.clone(),
        app_id: ask.app_id.clone(),
        fallback_org_id: fallback.map(|owner| owner.org_id.to_string()),
        fallback_project_id: fallback.map(|owner| owner.project_id.to_string()),
        create_time: tx.now().micros(),
        version: 1,
    };
    shop::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await
        .map_err(DbError::from)?;
    let about = About { id: row.id.clone(), version: 1, org_id: None };
    let payload = json!({
        "shopId": row.id, "apiUrl": row.api_url, "fallbackProjectId": row.fallback_project_id,
        "keysPinned": row.jwks.is_some(),
    });
    tell(tx, &request.into(), "ShopAdded", about, payload).await?;
    Ok(reading::shop(row)?)
}

async fn put_link(tx: &Tx, request: &Request, ask: &LinkBuyer, owner: Owner) -> Result<u64, Error> {
    let shop = lock_shop(tx, ask.shop_id).await?;
    let row = link::Model {
        shop_id: shop.id.clone(),
        kind: ask.key.kind.as_str().to_owned(),
        value: ask.key.value.clone(),
        org_id: owner.org_id.to_string(),
        project_id: owner.project_id.to_string(),
        update_time: tx.now().micros(),
    };
    let key = [link::Column::ShopId, link::Column::Kind, link::Column::Value];
    let newer = [link::Column::OrgId, link::Column::ProjectId, link::Column::UpdateTime];
    link::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).update_columns(newer).to_owned())
        .exec_without_returning(tx)
        .await
        .map_err(DbError::from)?;
    let kind = ask.key.kind;
    let about = About {
        id: format!("{}/{}/{}", shop.id, kind.as_str(), ask.key.value),
        version: now(tx),
        org_id: Some(owner.org_id),
    };
    let payload = json!({
        "shopId": shop.id, "kind": kind.as_str(), "value": ask.key.value, "projectId": owner.project_id,
    });
    tell(tx, &request.into(), "BuyerLinked", about, payload).await?;
    let named = match kind {
        LinkKind::OrgRef => order::Column::BuyerOrgRef,
        LinkKind::External => order::Column::BuyerExternal,
        LinkKind::User => order::Column::BuyerUser,
    };
    let parked = parked(&shop.id).add(line::Column::ParkedReason.eq(parking::Reason::OwnerUnknown.as_str()));
    judge_again(tx, parked, Condition::all().add(named.eq(&ask.key.value))).await
}

/// Writes a mapping row; what stands there already gives way.
pub(super) async fn put_mapping(
    tx: &Tx,
    shop_id: &str,
    variant_id: &str,
    row: &Mapping,
) -> Result<(), DbError> {
    let target: &Target = &row.target;
    let row = mapping::Model {
        shop_id: shop_id.to_owned(),
        variant_id: variant_id.to_owned(),
        source: row.source.as_str().to_owned(),
        target: reading::to_json("mapping target", target)?,
        update_time: tx.now().micros(),
    };
    let key = [mapping::Column::ShopId, mapping::Column::VariantId];
    let newer = [mapping::Column::Source, mapping::Column::Target, mapping::Column::UpdateTime];
    mapping::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).update_columns(newer).to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Lines of a shop that were parked before they were pinned.
fn parked(shop_id: &str) -> Condition {
    Condition::all().add(line::Column::ShopId.eq(shop_id)).add(line::Column::Judged.eq("PARKED"))
}

/// Marks the orders of such lines to be judged again; answers how many lines that are.
async fn judge_again(tx: &Tx, lines: Condition, orders: Condition) -> Result<u64, Error> {
    let of_lines = |lines: Condition| {
        let mut ids = Query::select();
        ids.column(line::Column::OrderId).from(line::Entity).cond_where(lines);
        ids
    };
    let mut ids = Query::select();
    ids.column(order::Column::Id).from(order::Entity).cond_where(orders.clone());
    let count = line::Entity::find()
        .filter(lines.clone())
        .filter(line::Column::OrderId.in_subquery(ids))
        .count(tx)
        .await
        .map_err(DbError::from)?;
    order::Entity::update_many()
        .col_expr(order::Column::JudgeTime, Expr::value(tx.now().micros()))
        .col_expr(order::Column::JudgeAttempts, Expr::value(0_i64))
        .filter(orders)
        .filter(order::Column::Id.in_subquery(of_lines(lines)))
        .exec(tx)
        .await
        .map_err(DbError::from)?;
    tx.ring(ORDERS);
    Ok(count)
}
