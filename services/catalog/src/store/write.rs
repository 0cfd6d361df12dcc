//! Changes, each one write: the effect, its events and its answer in the request log.

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, IntoActiveModel as _, QueryOrder as _, QuerySelect as _,
    entity::prelude::*, sea_query::OnConflict,
};
use serde::Serialize;
use souk_db::{
    Error as DbError, Request, Tx, once,
    once::{peek, refused},
    outbox,
};
use souk_objects::Hash;
use souk_types::{Call, Event, EventId, OfferingId, OfferingVersionId, PartName, PlanId, Reason};

use super::{
    Drafted, Store,
    read::{parse, read_offering},
    tables::{offering, plan, version},
};
use crate::{
    error::Error,
    model::{
        CreateOffering, Finding, Offering, Prepared, Publish, State,
        content::Content,
        life::{self, Life},
    },
};

/// Within what a request id is unique: the catalogue belongs to the platform.
pub(super) const SUBJECT: &str = "platform";

/// Who causes a change, for its events.
pub(super) struct Author {
    actor: String,
    trace: String,
}

impl Author {
    pub(super) fn of(request: &Request) -> Self {
        Self { actor: request.actor.clone(), trace: request.trace.clone() }
    }

    /// The loops of this part.
    pub(super) fn own() -> Self {
        Self { actor: format!("part:{}", PartName::Catalog), trace: String::new() }
    }
}

impl Store {
    /// Makes an offering.
    pub(crate) async fn create_offering(&self, call: &Call, ask: &CreateOffering) -> Result<Offering, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("catalog.create_offering", |tx| async move {
            once(&tx, request, || insert_offering(&tx, request, ask)).await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// The version that a repeated publish was answered with: needs nobody but this database.
    pub(crate) async fn published(
        &self,
        call: &Call,
        ask: &Publish,
    ) -> Result<Option<OfferingVersionId>, Error> {
        let request = Request::of(call, SUBJECT, None, ask)?;
        Ok(peek(&self.db, &request).await?)
    }

    /// Finds or makes the row that a publish works on.
    pub(crate) async fn draft_version(&self, ask: &Publish) -> Result<Drafted, Error> {
        let content_hash =
            &ask.content.hash().map_err(|_| Error::Broken("a content without a canonical form"))?;
        self.db
            .write("catalog.draft_version", |tx| async move {
                // The request is answered by the write that publishes, so that a crash in between leaves no
                // request that is at work for ever.
                let row = find_or_insert(&tx, ask, content_hash).await?;
                let version_id = parse("offering version id", &row.id)?;
                match (parse("state", &row.state)?, row.price_schedule_hash) {
                    (State::Draft, _) => Ok(Drafted::Draft(version_id)),
                    (State::Published, Some(hash)) => Ok(Drafted::Published {
                        version_id,
                        price_schedule_hash: parse("price_schedule_hash", &hash)?,
                    }),
                    (State::Published, None) => Err(Error::Broken("a published version without prices")),
                }
            })
            .await
    }

    /// Keeps what the check found with a draft.
    pub(crate) async fn set_findings(
        &self,
        version_id: OfferingVersionId,
        findings: &[Finding],
    ) -> Result<(), Error> {
        let findings = &json("findings", &findings)?;
        self.db
            .write("catalog.set_findings", |tx| async move {
                version::Entity::update_many()
                    .col_expr(version::Column::Findings, Expr::value(findings.as_str()))
                    .col_expr(version::Column::Version, Expr::col(version::Column::Version).add(1_i64))
                    .filter(version::Column::Id.eq(version_id.to_string()))
                    .filter(version::Column::State.eq(State::Draft.as_str()))
                    .exec(&tx)
                    .await
                    .map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    /// Publishes a draft whose steps are done and answers the request; a published version only answers.
    pub(crate) async fn publish_version(
        &self,
        call: &Call,
        ask: &Publish,
        version_id: OfferingVersionId,
        prepared: &Prepared,
    ) -> Result<OfferingVersionId, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("catalog.publish_version", |tx| async move {
            once(&tx, request, || async {
                publish(&tx, request, version_id, prepared).await?;
                // The content never changes: the id says the whole answer.
                Ok::<_, Error>(version_id)
            })
            .await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// Tells the audit trail of a refusal.
    pub(crate) async fn refused(
        &self,
        call: &Call,
        ask: &(impl Serialize + Sync),
        reason: Reason,
    ) -> Result<(), Error> {
        let request = Request::of(call, SUBJECT, None, ask)?;
        Ok(refused(&self.db, &request, reason.as_str()).await?)
    }
}

async fn insert_offering(tx: &Tx, request: &Request, ask: &CreateOffering) -> Result<Offering, Error> {
    let offering = Offering {
        offering_id: OfferingId::new(tx.now(), tx.random()),
        slug: ask.slug.clone(),
        profile: ask.profile.clone(),
        create_time: tx.now(),
        version: 1,
        life: Life::default(),
        newest_version_id: None,
    };
    let row = offering::ActiveModel {
        id: Set(offering.offering_id.to_string()),
        slug: Set(ask.slug.to_string()),
        display_name: Set(ask.profile.display_name.clone()),
        description: Set(ask.profile.description.clone()),
        category: Set(ask.profile.category.clone()),
        value_stream: Set(ask.profile.value_stream.clone()),
        newest_version_id: Set(None),
        create_time: Set(offering.create_time.micros()),
        version: Set(offering.version),
        state: Set(offering.life.state.as_str().to_owned()),
        end_time: Set(None),
        reason: Set(String::new()),
    };
    let inserted = offering::Entity::insert(row)
        .on_conflict(OnConflict::column(offering::Column::Slug).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await
        .map_err(DbError::from)?;
    if inserted == 0 {
        let taken = offering::Entity::find().filter(offering::Column::Slug.eq(ask.slug.as_str()));
        let taken = taken.one(tx).await.map_err(DbError::from)?;
        let taken = taken.ok_or(Error::Broken("a slug is in use by nobody"))?;
        let (slug, offering_id) = (taken.slug, parse("offering id", &taken.id)?);
        return Err(Error::SlugTaken { slug, offering_id });
    }
    let facts = serde_json::json!({ "offeringId": offering.offering_id, "slug": offering.slug });
    let author = Author::of(request);
    tell(tx, &author, ("souk.catalog.v1.OfferingCreated", &offering.offering_id.to_string(), 1), facts)
        .await?;
    tx.ring(offering.offering_id.to_string());
    Ok(offering)
}

/// The one row of this content, made when there is none. Copies that arrive together meet at its key.
async fn find_or_insert(tx: &Tx, ask: &Publish, content_hash: &Hash) -> Result<version::Model, Error> {
    let offering = offering::Entity::find_by_id(ask.offering_id.to_string());
    let offering = offering.one(tx).await.map_err(DbError::from)?;
    let offering =
        offering.ok_or_else(|| Error::OfferingNotFound { offering: ask.offering_id.to_string() })?;
    if offering.state == life::State::Ended.as_str() {
        let offering = read_offering(offering)?;
        let Life { end_time, reason: why, .. } = offering.life;
        return Err(Error::OfferingEnded { slug: offering.slug, why, end_time });
    }
    let content = &ask.content;
    let version_id = OfferingVersionId::new(tx.now(), tx.random());
    let plans = plans(tx, version_id, content);
    let default_plan = plans.iter().find(|plan| plan.slug == content.default_plan_slug.as_str());
    let default_plan = default_plan.ok_or(Error::Broken("the default plan is none of the plans"))?;
    let row = version::Model {
        id: version_id.to_string(),
        offering_id: offering.id.clone(),
        offering_slug: offering.slug,
        content_hash: content_hash.to_string(),
        artifact_hash: content.artifact_hash.to_string(),
        state: State::Draft.as_str().to_owned(),
        capabilities: json("capabilities", &content.capabilities)?,
        connectors: json("connectors", &content.connectors)?,
        config: content.config_json.clone(),
        default_plan_id: default_plan.id.clone(),
        schedule: json("schedule", &content.schedule)?,
        price_schedule_hash: None,
        findings: "[]".to_owned(),
        create_time: tx.now().micros(),
        publish_time: None,
        version: 1,
        warnings: "[]".to_owned(),
    };
    let key = [version::Column::OfferingId, version::Column::ContentHash];
    let inserted = version::Entity::insert(row.clone().into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await
        .map_err(DbError::from)?;
    if inserted == 1 {
        let plans = plans.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
        plan::Entity::insert_many(plans).exec_without_returning(tx).await.map_err(DbError::from)?;
        return Ok(row);
    }
    let first = version::Entity::find()
        .filter(version::Column::OfferingId.eq(&offering.id))
        .filter(version::Column::ContentHash.eq(content_hash.as_str()));
    let first = first.one(tx).await.map_err(DbError::from)?;
    first.ok_or(Error::Broken("a content is taken by no version"))
}

fn plans(tx: &Tx, version_id: OfferingVersionId, content: &Content) -> Vec<plan::Model> {
    let row = |(place, terms): (i64, &crate::model::Terms)| plan::Model {
        id: PlanId::new(tx.now(), tx.random()).to_string(),
        offering_version_id: version_id.to_string(),
        place,
        slug: terms.slug.to_string(),
        display_name: terms.display_name.clone(),
        self_service: terms.self_service,
        config: terms.config_json.clone(),
        runs_per_minute: terms.runs_per_minute.into(),
        input_bytes: terms.input_bytes,
        concurrent_runs: terms.concurrent_runs.into(),
        included_credits: terms.included_credits.micros(),
    };
    (0..).zip(&content.plans).map(row).collect()
}

async fn publish(
    tx: &Tx,
    request: &Request,
    version_id: OfferingVersionId,
    prepared: &Prepared,
) -> Result<(), Error> {
    let row = version::Entity::find_by_id(version_id.to_string()).lock_exclusive();
    let row = row.one(tx).await.map_err(DbError::from)?.ok_or(Error::VersionNotFound(version_id))?;
    if row.state == State::Published.as_str() {
        return Ok(());
    }
    let version = row.version.saturating_add(1);
    let facts = serde_json::json!({
        "offeringId": row.offering_id,
        "offeringSlug": row.offering_slug,
        "offeringVersionId": row.id,
        "contentHash": row.content_hash,
        "artifactHash": row.artifact_hash,
        "priceScheduleHash": prepared.price_schedule_hash.as_str(),
        "defaultPlanId": row.default_plan_id,
    });
    let offering_id = row.offering_id.clone();
    let mut row = row.into_active_model();
    row.state = Set(State::Published.as_str().to_owned());
    row.price_schedule_hash = Set(Some(prepared.price_schedule_hash.to_string()));
    row.publish_time = Set(Some(tx.now().micros()));
    row.findings = Set("[]".to_owned());
    row.warnings = Set(json("warnings", &prepared.warnings)?);
    row.version = Set(version);
    version::Entity::update(row).exec(tx).await.map_err(DbError::from)?;
    offer_newest(tx, &offering_id).await?;
    let kind = "souk.catalog.v1.OfferingVersionPublished";
    tell(tx, &Author::of(request), (kind, &version_id.to_string(), version), facts).await?;
    tx.ring(version_id.to_string());
    tx.ring(offering_id);
    Ok(())
}

/// Points an offering to its newest published version: by publish time, then by id.
async fn offer_newest(tx: &Tx, offering_id: &str) -> Result<(), Error> {
    let row = offering::Entity::find_by_id(offering_id).lock_exclusive();
    let row = row.one(tx).await.map_err(DbError::from)?.ok_or(Error::Broken("a version without offering"))?;
    let newest = version::Entity::find()
        .filter(version::Column::OfferingId.eq(offering_id))
        .filter(version::Column::State.eq(State::Published.as_str()))
        .order_by_desc(version::Column::PublishTime)
        .order_by_desc(version::Column::Id);
    let newest = newest.one(tx).await.map_err(DbError::from)?;
    let version = row.version.saturating_add(1);
    let mut row = row.into_active_model();
    row.newest_version_id = Set(newest.map(|newest| newest.id));
    row.version = Set(version);
    offering::Entity::update(row).exec(tx).await.map_err(DbError::from)?;
    Ok(())
}

/// Writes an event: its kind, the noun and the noun's version, and the facts.
pub(super) async fn tell(
    tx: &Tx,
    author: &Author,
    (kind, noun, version): (&str, &str, i64),
    facts: serde_json::Value,
) -> Result<(), Error> {
    let event = Event {
        event_id: EventId::new(tx.now(), tx.random()),
        kind: kind.to_owned(),
        org_id: None,
        aggregate_id: noun.to_owned(),
        aggregate_seq: version,
        occur_time: tx.now(),
        actor: author.actor.clone(),
        trace: author.trace.clone(),
        payload: facts,
    };
    Ok(outbox::put(tx, &event).await?)
}

fn json(what: &'static str, value: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::value(what, error))
}
