//! Reading nouns back.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use sea_orm::{QueryOrder as _, QuerySelect as _, entity::prelude::*};
use souk_db::Error as DbError;
use souk_types::{
    Credits, OfferingId, OfferingVersionId, PlanId, Scope, Time,
    page::{Page, Paged},
};

use super::{
    Store,
    tables::{offering, plan, version},
};
use crate::{
    error::Error,
    model::{
        Filter, Listed, Offering, Plan, Profile, Terms, Version,
        life::{self, Life},
        name::Slug,
    },
};

impl Store {
    /// One version with its plans.
    pub(crate) async fn version(&self, _opened: &Scope, id: OfferingVersionId) -> Result<Version, Error> {
        let row =
            version::Entity::find_by_id(id.to_string()).one(self.db.read()).await.map_err(DbError::from)?;
        let row = row.ok_or(Error::VersionNotFound(id))?;
        let mut versions = self.whole(vec![row]).await?;
        versions.remove(&id).ok_or(Error::VersionNotFound(id))
    }

    /// One offering that may be taken, by id.
    pub(crate) async fn listed_by_id(
        &self,
        _opened: &Scope,
        id: OfferingId,
    ) -> Result<Option<Listed>, Error> {
        let found = offering::Entity::find_by_id(id.to_string());
        self.listed(found).await.map(|listed| listed.into_iter().next())
    }

    /// One offering that may be taken, by slug.
    pub(crate) async fn listed_by_slug(&self, _opened: &Scope, slug: &Slug) -> Result<Option<Listed>, Error> {
        let found = offering::Entity::find().filter(offering::Column::Slug.eq(slug.as_str()));
        self.listed(found).await.map(|listed| listed.into_iter().next())
    }

    /// A page of what may be taken, by slug.
    pub(crate) async fn list_offerings(
        &self,
        _opened: &Scope,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Listed>, Error> {
        let mut found = offering::Entity::find()
            .filter(offering::Column::Slug.gt(page.after.as_str()))
            .filter(offering::Column::State.eq(life::State::Active.as_str()))
            .order_by_asc(offering::Column::Slug)
            .limit(page.size.saturating_add(1));
        if !filter.category.is_empty() {
            found = found.filter(offering::Column::Category.eq(filter.category.as_str()));
        }
        if !filter.value_stream.is_empty() {
            found = found.filter(offering::Column::ValueStream.eq(filter.value_stream.as_str()));
        }
        let listed = self.listed(found).await?;
        Ok(Paged::cut(listed, page, |listed| listed.offering.slug.to_string()))
    }

    /// An offering, published or not, by slug.
    pub(crate) async fn offering_by_slug(
        &self,
        _opened: &Scope,
        slug: &Slug,
    ) -> Result<Option<Offering>, Error> {
        let found = offering::Entity::find().filter(offering::Column::Slug.eq(slug.as_str()));
        let row = found.one(self.db.read()).await.map_err(DbError::from)?;
        Ok(row.map(read_offering).transpose()?)
    }

    /// An offering, published or not, by id.
    pub(crate) async fn offering_by_id(
        &self,
        _opened: &Scope,
        id: OfferingId,
    ) -> Result<Option<Offering>, Error> {
        let row = offering::Entity::find_by_id(id.to_string()).one(self.db.read()).await;
        Ok(row.map_err(DbError::from)?.map(read_offering).transpose()?)
    }

    /// A page of an offering's versions, drafts included, the newest first.
    pub(crate) async fn list_versions(
        &self,
        _opened: &Scope,
        offering_id: OfferingId,
        page: &Page,
    ) -> Result<Paged<Version>, Error> {
        let mut found = version::Entity::find()
            .filter(version::Column::OfferingId.eq(offering_id.to_string()))
            .order_by_desc(version::Column::Id)
            .limit(page.size.saturating_add(1));
        if !page.after.is_empty() {
            found = found.filter(version::Column::Id.lt(page.after.as_str()));
        }
        let rows = found.all(self.db.read()).await.map_err(DbError::from)?;
        let versions = self.whole(rows).await?.into_values().rev().collect();
        Ok(Paged::cut(versions, page, |version: &Version| version.offering_version_id.to_string()))
    }

    /// The plan of a version that has this slug.
    pub(crate) async fn plan_by_slug(
        &self,
        _opened: &Scope,
        version_id: OfferingVersionId,
        slug: &str,
    ) -> Result<Option<PlanId>, Error> {
        // A plan's slug as a shop wrote it: what is none is asked for in vain.
        let found = plan::Entity::find()
            .filter(plan::Column::OfferingVersionId.eq(version_id.to_string()))
            .filter(plan::Column::Slug.eq(slug));
        let row = found.one(self.db.read()).await.map_err(DbError::from)?;
        Ok(row.map(|row| parse("plan id", &row.id)).transpose()?)
    }

    /// The offerings of a query that have a published version, each with its newest.
    async fn listed(&self, found: Select<offering::Entity>) -> Result<Vec<Listed>, Error> {
        let published = found.filter(offering::Column::NewestVersionId.is_not_null());
        let rows = published.all(self.db.read()).await.map_err(DbError::from)?;
        let ids = rows.iter().filter_map(|row| row.newest_version_id.clone());
        let newest = version::Entity::find().filter(version::Column::Id.is_in(ids));
        let newest = newest.all(self.db.read()).await.map_err(DbError::from)?;
        let mut newest = self.whole(newest).await?;
        let mut listed = Vec::new();
        for row in rows {
            let id = parse("newest_version_id", row.newest_version_id.as_deref().unwrap_or_default())?;
            let newest = newest.remove(&id).ok_or(Error::Broken("the newest version is missing"))?;
            listed.push(Listed { offering: read_offering(row)?, newest });
        }
        Ok(listed)
    }

    /// Versions with their plans, by id.
    async fn whole(&self, rows: Vec<version::Model>) -> Result<BTreeMap<OfferingVersionId, Version>, Error> {
        let ids = rows.iter().map(|row| row.id.clone());
        let found = plan::Entity::find()
            .filter(plan::Column::OfferingVersionId.is_in(ids))
            .order_by_asc(plan::Column::OfferingVersionId)
            .order_by_asc(plan::Column::Place);
        let mut plans: BTreeMap<String, Vec<Plan>> = BTreeMap::new();
        for row in found.all(self.db.read()).await.map_err(DbError::from)? {
            plans.entry(row.offering_version_id.clone()).or_default().push(read_plan(row)?);
        }
        let mut versions = BTreeMap::new();
        for row in rows {
            let plans = plans.remove(&row.id).unwrap_or_default();
            let version = read_version(row, plans)?;
            versions.insert(version.offering_version_id, version);
        }
        Ok(versions)
    }
}

/// A stored text as what it must be.
pub(super) fn parse<T: FromStr<Err: Display>>(what: &'static str, text: &str) -> Result<T, DbError> {
    text.parse().map_err(|error: T::Err| DbError::value(what, error.to_string()))
}

fn json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::value(what, error))
}

pub(super) fn read_offering(row: offering::Model) -> Result<Offering, DbError> {
    Ok(Offering {
        offering_id: parse("offering id", &row.id)?,
        slug: parse("slug", &row.slug)?,
        profile: Profile {
            display_name: row.display_name,
            description: row.description,
            category: row.category,
            value_stream: row.value_stream,
        },
        create_time: Time::from_micros(row.create_time),
        version: row.version,
        life: Life {
            state: parse("state", &row.state)?,
            end_time: row.end_time.map(Time::from_micros),
            reason: row.reason,
        },
        newest_version_id: row
            .newest_version_id
            .as_deref()
            .map(|id| parse("newest_version_id", id))
            .transpose()?,
    })
}

fn read_version(row: version::Model, plans: Vec<Plan>) -> Result<Version, DbError> {
    let price_schedule_hash = row.price_schedule_hash.as_deref();
    Ok(Version {
        offering_version_id: parse("offering version id", &row.id)?,
        offering_id: parse("offering id", &row.offering_id)?,
        offering_slug: parse("slug", &row.offering_slug)?,
        content_hash: parse("content_hash", &row.content_hash)?,
        artifact_hash: parse("artifact_hash", &row.artifact_hash)?,
        state: parse("state", &row.state)?,
        capabilities: json("capabilities", &row.capabilities)?,
        connectors: json("connectors", &row.connectors)?,
        config_json: row.config,
        plans,
        default_plan_id: parse("default_plan_id", &row.default_plan_id)?,
        schedule: json("schedule", &row.schedule)?,
        price_schedule_hash: price_schedule_hash
            .map(|hash| parse("price_schedule_hash", hash))
            .transpose()?,
        publish_time: row.publish_time.map(Time::from_micros),
        findings: json("findings", &row.findings)?,
        warnings: json("warnings", &row.warnings)?,
    })
}

fn read_plan(row: plan::Model) -> Result<Plan, DbError> {
    let small = |what, value: i64| i32::try_from(value).map_err(|error| DbError::value(what, error));
    Ok(Plan {
        plan_id: parse("plan id", &row.id)?,
        terms: Terms {
            slug: parse("slug", &row.slug)?,
            display_name: row.display_name,
            self_service: row.self_service,
            config_json: row.config,
            runs_per_minute: small("runs_per_minute", row.runs_per_minute)?,
            input_bytes: row.input_bytes,
            concurrent_runs: small("concurrent_runs", row.concurrent_runs)?,
            included_credits: Credits::from_micros(row.included_credits),
        },
    })
}
