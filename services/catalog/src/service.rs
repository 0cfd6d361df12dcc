//! The use cases: making offerings, publishing versions in steps, reading what is offered.
//!
//! Publishing: a DRAFT row first, then steps that may be repeated (check, keep, announce), then one write
//! that publishes and answers the request. A failed step leaves the row; the next try with equal content,
//! under whatever request id, goes on with the same row.

use souk_objects::{Hash, Objects};
use souk_types::{
    Call, Fault, OfferingVersionId,
    fault::Class,
    page::{Page, Paged},
};

use crate::{
    error::Error,
    model::{CreateOffering, Filter, Listed, Offering, Publish, Resolved, Version, name::Slug},
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
        let (version_id, announced) = match self.store.draft_version(call, ask).await? {
            Drafted::Answered(version_id) => return self.store.version(&call.scope, version_id).await,
            Drafted::Published { version_id, price_schedule_hash } => {
                // Passed the check before; an artifact that was lost since is mended.
                self.keep(ask).await?;
                (version_id, price_schedule_hash)
            }
            Drafted::Draft(version_id) => (version_id, self.prepare(call, ask, version_id).await?),
        };
        let version_id = self.store.publish_version(call, ask, version_id, &announced).await?;
        self.store.version(&call.scope, version_id).await
    }

    /// Everything outside of the database that a published version stands on; may be done again. Answers the
    /// name of its price schedule.
    async fn prepare(
        &self,
        call: &Call,
        ask: &Publish,
        version_id: OfferingVersionId,
    ) -> Result<Hash, Error> {
        // Checked before it is kept: a credential must not reach the object store.
        let findings = self.peers.runner.check_flow(call, ask.flow.clone()).await?;
        if !findings.is_empty() {
            self.store.set_findings(version_id, &findings).await?;
            return Err(Error::Refused(findings));
        }
        self.keep(ask).await?;
        // Derived from the row, whose content names the schedule: always the same command.
        let request_id = format!("publish:{version_id}");
        self.peers.billing.put_price_schedule(call, request_id, &ask.content.schedule).await
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
        self.store.list_offerings(&call.scope, filter, page).await.map(light)
    }

    /// One offering that may be taken, by id or slug.
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
        let newest = self.store.newest(&call.scope, &slug).await?.ok_or_else(not_found)?;
        let Some(offering_version_id) = newest else {
            return Err(Error::OfferingNotPublished { slug: slug.to_string() });
        };
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

/// What one answer may weigh; a message has 4 MiB.
const ANSWER: usize = 3 * 1024 * 1024;

/// Cuts a page that one answer could not carry: it goes on earlier then.
fn light(page: Paged<Listed>) -> Paged<Listed> {
    let mut weight = 0_usize;
    let fits = page.items.iter().take_while(|listed| {
        weight = weight.saturating_add(listed.weight());
        weight <= ANSWER
    });
    // One offering always fits: configurations and plans are bounded.
    let count = fits.count().max(1);
    if count >= page.items.len() {
        return page;
    }
    let mut items = page.items;
    items.truncate(count);
    let next = items.last().map(|listed| listed.offering.slug.to_string());
    Paged { items, next }
}
