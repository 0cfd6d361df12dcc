//! The use cases: making offerings, publishing versions in steps, reading what is offered.
//!
//! Publishing: a DRAFT row first, then steps that may be repeated (check, keep, announce), then one write
//! that publishes and answers the request. A failed step leaves the row; the next try with equal content,
//! under whatever request id, goes on with the same row.

use souk_capability::Registry;
use souk_objects::Objects;
use souk_types::{
    Call, Fault, OfferingId, OfferingVersionId,
    fault::Class,
    page::{Page, Paged},
};

use crate::{
    error::Error,
    model::{
        ChangeLife, Changed, CreateOffering, Filter, Listed, Offering, Prepared, Publish, Resolved, Version,
        life::State, name::Slug, review::review,
    },
    peers::Peers,
    store::{Drafted, Store},
};

/// What the use cases stand on.
pub(crate) struct Service {
    /// The tables.
    pub(crate) store: Store,
    /// The other parts.
    pub(crate) peers: Peers,
    /// The artifacts, which nobody else writes.
    pub(crate) objects: Objects,
    /// What a version can ask for.
    pub(crate) registry: &'static Registry,
}

impl Service {
    /// Makes an offering.
    pub(crate) async fn create_offering(&self, call: &Call, ask: CreateOffering) -> Result<Offering, Error> {
        let outcome = self.store.create_offering(call, &ask).await;
        match outcome {
            Err(error) => Err(self.told(call, &ask, error).await),
            made => made,
        }
    }

    /// Publishes a version, or answers the one with equal content.
    pub(crate) async fn publish(&self, call: &Call, ask: Publish) -> Result<Version, Error> {
        match self.publish_in_steps(call, &ask).await {
            Err(error) => Err(self.told(call, &ask, error).await),
            published => published,
        }
    }

    async fn publish_in_steps(&self, call: &Call, ask: &Publish) -> Result<Version, Error> {
        // A repeat is answered though the other parts are away, or would say something else today.
        if let Some(version_id) = self.store.published(call, ask).await? {
            return self.store.version(&call.scope, version_id).await;
        }
        let (version_id, prepared) = match self.store.draft_version(ask).await? {
            Drafted::Published { version_id, price_schedule_hash } => {
                // Passed the check before, whose warnings stay with it; an artifact that was lost since is mended.
                self.keep(ask).await?;
                (version_id, Prepared { price_schedule_hash, warnings: Vec::new() })
            }
            Drafted::Draft(version_id) => (version_id, self.prepare(call, ask, version_id).await?),
        };
        let version_id = self.store.publish_version(call, ask, version_id, &prepared).await?;
        self.store.version(&call.scope, version_id).await
    }

    /// Everything outside of the database that a published version stands on; may be done again.
    async fn prepare(
        &self,
        call: &Call,
        ask: &Publish,
        version_id: OfferingVersionId,
    ) -> Result<Prepared, Error> {
        let mut warnings = Vec::new();
        let mut findings = review(self.registry, &ask.content);
        // Checked before it is kept: a credential must not reach the object store.
        match self.peers.runner.check_flow(call, ask.flow.clone()).await {
            Ok(checked) => {
                findings.extend(checked.findings);
                warnings = checked.warnings;
            }
            // What is found already has to be mended whatever the runner says.
            Err(_) if !findings.is_empty() => {}
            Err(away) => return Err(away),
        }
        if !findings.is_empty() {
            findings.truncate(FINDINGS);
            self.store.set_findings(version_id, &findings).await?;
            return Err(Error::Refused(findings));
        }
        self.keep(ask).await?;
        // Derived from the row, whose content names the schedule: always the same command.
        let request_id = format!("publish:{version_id}");
        let schedule = &ask.content.schedule;
        let price_schedule_hash = self.peers.billing.put_price_schedule(call, request_id, schedule).await?;
        warnings.truncate(WARNINGS);
        Ok(Prepared { price_schedule_hash, warnings })
    }

    /// Keeps the flow under its hash. Only for a flow without findings.
    async fn keep(&self, ask: &Publish) -> Result<(), Error> {
        let kept = self.objects.put_artifact(ask.flow.clone()).await?;
        if kept == ask.content.artifact_hash {
            Ok(())
        } else {
            Err(Error::Broken("the object store kept another content"))
        }
    }

    /// Takes a step in an offering's life.
    pub(crate) async fn change_life(&self, call: &Call, ask: ChangeLife) -> Result<Changed, Error> {
        let offering = match self.store.change_life(call, &ask).await {
            Err(error) => return Err(self.told(call, &ask, error).await),
            Ok(offering) => offering,
        };
        let newest = match offering.newest_version_id {
            Some(id) => Some(self.store.version(&call.scope, id).await?),
            None => None,
        };
        Ok(Changed { offering, newest })
    }

    /// Leaves a line in the audit trail for a command that was refused; the refusal goes on.
    async fn told(&self, call: &Call, ask: &(impl serde::Serialize + Sync), error: Error) -> Error {
        let Some(reason) = error.refusal() else { return error };
        if let Err(failure) = self.store.refused(call, ask, reason).await {
            let fault = Fault::from(failure);
            tracing::warn!(%fault, reason = reason.as_str(), "refusal not audited");
        }
        error
    }

    /// A page of what may be taken, by slug.
    pub(crate) async fn list_offerings(
        &self,
        call: &Call,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Listed>, Error> {
        let listed = self.store.list_offerings(&call.scope, filter, page).await?;
        Ok(light(listed, Listed::weight, |listed| listed.offering.slug.to_string()))
    }

    /// The offering that an id or a slug names, published or not.
    pub(crate) async fn offering_id(&self, call: &Call, name: &str) -> Result<OfferingId, Error> {
        let found = match (name.parse(), name.parse::<Slug>()) {
            (Ok(offering_id), _) => self.store.offering_by_id(&call.scope, offering_id).await?,
            (_, Ok(slug)) => self.store.offering_by_slug(&call.scope, &slug).await?,
            _ => None,
        };
        let found = found.ok_or_else(|| Error::OfferingNotFound { offering: name.to_owned() })?;
        Ok(found.offering_id)
    }

    /// A page of an offering's versions, drafts with their findings, the newest first.
    pub(crate) async fn list_versions(
        &self,
        call: &Call,
        offering_id: OfferingId,
        page: &Page,
    ) -> Result<Paged<Version>, Error> {
        let versions = self.store.list_versions(&call.scope, offering_id, page).await?;
        Ok(light(versions, Version::weight, |version| version.offering_version_id.to_string()))
    }

    /// One published offering, wherever it stands, by id or slug.
    pub(crate) async fn offering(&self, call: &Call, name: &str) -> Result<Listed, Error> {
        let not_found = || Error::OfferingNotFound { offering: name.to_owned() };
        let found = match (name.parse(), name.parse::<Slug>()) {
            (Ok(offering_id), _) => self.store.listed_by_id(&call.scope, offering_id).await?,
            (_, Ok(slug)) => self.store.listed_by_slug(&call.scope, &slug).await?,
            _ => None,
        };
        found.ok_or_else(not_found)
    }

    /// One version, drafts included.
    pub(crate) async fn version(&self, call: &Call, id: OfferingVersionId) -> Result<Version, Error> {
        self.store.version(&call.scope, id).await
    }

    /// The newest published version of an offering and one of its plans, by slugs. Slugs come from shops:
    /// one that is none is one that is not found.
    pub(crate) async fn resolve(&self, call: &Call, offering: &str, plan: &str) -> Result<Resolved, Error> {
        let not_found = || Error::OfferingNotFound { offering: offering.to_owned() };
        let slug: Slug = offering.parse().map_err(|_| not_found())?;
        let found = self.store.offering_by_slug(&call.scope, &slug).await?.ok_or_else(not_found)?;
        let Some(offering_version_id) = found.newest_version_id else {
            return Err(Error::OfferingNotPublished { slug: slug.to_string() });
        };
        on_sale(found)?;
        let plan_id = self.store.plan_by_slug(&call.scope, offering_version_id, plan).await?;
        let plan_id = plan_id
            .ok_or_else(|| Error::PlanNotFound { offering: slug.to_string(), plan: plan.to_owned() })?;
        Ok(Resolved { offering_version_id, plan_id })
    }
}

impl Error {
    /// The reason of a refusal that a person may want to know of later; `None` for failures.
    fn refusal(&self) -> Option<souk_types::Reason> {
        let reason = self.reason();
        match reason.class() {
            Class::Bug | Class::Unavailable | Class::Late | Class::Cancelled | Class::Aborted => None,
            _ => Some(reason),
        }
    }
}

/// Most findings that are kept with a draft: who mends so many sees the rest next time.
const FINDINGS: usize = 1000;

/// Most warnings that are kept with a version: they are read with it for as long as it stands.
const WARNINGS: usize = 100;

/// What one answer may weigh; a message has 4 MiB.
const ANSWER: usize = 3 * 1024 * 1024;

/// Refuses what nobody takes at this moment.
fn on_sale(offering: Offering) -> Result<(), Error> {
    let Offering { slug, life, .. } = offering;
    let (why, end_time) = (life.reason, life.end_time);
    match life.state {
        State::Active => Ok(()),
        State::Paused => Err(Error::OfferingPaused { slug, why }),
        State::Ending | State::Ended => Err(Error::OfferingEnded { slug, why, end_time }),
    }
}

/// Cuts a page that one answer could not carry: it goes on earlier then.
fn light<T>(page: Paged<T>, weigh: fn(&T) -> usize, key: fn(&T) -> String) -> Paged<T> {
    let mut weight = 0_usize;
    let fits = page.items.iter().take_while(|item| {
        weight = weight.saturating_add(weigh(item));
        weight <= ANSWER
    });
    // One always fits: configurations and plans are bounded.
    let count = fits.count().max(1);
    if count >= page.items.len() {
        return page;
    }
    let mut items = page.items;
    items.truncate(count);
    let next = items.last().map(key);
    Paged { items, next }
}
