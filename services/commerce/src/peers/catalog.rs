//! The catalogue: what slugs stand for, and the other way round.

use souk_kit::{House, Refusal};
use souk_proto::souk::catalog::v1::{
    GetOfferingVersionRequest, ResolvePlanRequest, catalog_service_client::CatalogServiceClient,
    offering_version::State,
};
use souk_types::{
    Acting, PartName, Reason,
    id::{OfferingVersionId, PlanId},
};

use crate::{
    Error,
    model::mapping::{Found, PlanRef},
};

/// Asks the catalogue.
#[derive(Clone)]
pub(crate) struct Catalog {
    house: House,
}

impl Catalog {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// The plan behind a pair of slugs, at the newest published version.
    pub(crate) async fn resolve(&self, acting: Acting, plan: &PlanRef) -> Result<Found, Error> {
        let channel = self.house.dial().to(PartName::Catalog, acting);
        let request =
            ResolvePlanRequest { offering_slug: plan.offering.clone(), plan_slug: plan.plan.clone() };
        let answer = match CatalogServiceClient::new(channel).resolve_plan(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                let refusal = Refusal::read("catalog", &status);
                return match () {
                    // A slug that could not even be one names nothing either.
                    () if refusal.is(Reason::OfferingNotFound)
                        || refusal.is(Reason::OfferingNotPublished)
                        || refusal.is(Reason::InvalidArgument) =>
                    {
                        Ok(Found::NoOffering)
                    }
                    () if refusal.is(Reason::PlanNotFound) => Ok(Found::NoPlan),
                    () if refusal.is(Reason::OfferingPaused) => Ok(Found::Paused),
                    () if refusal.is(Reason::OfferingEnded) => Ok(Found::Ended),
                    () => Err(refusal.into()),
                };
            }
        };
        match (answer.offering_version_id.parse(), answer.plan_id.parse()) {
            (Ok(offering_version_id), Ok(plan_id)) => Ok(Found::Plan { offering_version_id, plan_id }),
            _ => Err(Error::Bug("the catalogue named no version or plan".into())),
        }
    }

    /// The slugs of a plan of a version that may be taken.
    pub(crate) async fn slugs(
        &self,
        acting: Acting,
        offering_version_id: OfferingVersionId,
        plan_id: PlanId,
    ) -> Result<PlanRef, Error> {
        let channel = self.house.dial().to(PartName::Catalog, acting);
        let request = GetOfferingVersionRequest { offering_version_id: offering_version_id.to_string() };
        let answer = CatalogServiceClient::new(channel).get_offering_version(request).await;
        let answer = answer.map_err(|status| Refusal::read("catalog", &status))?.into_inner();
        let version = answer.offering_version.unwrap_or_default();
        if version.state() != State::Published {
            return Err(Error::VersionNotPublished { offering_version_id });
        }
        let wanted = plan_id.to_string();
        let plan = version.plans.into_iter().find(|plan| plan.plan_id == wanted);
        let plan = plan.ok_or(Error::PlanNotFound { offering_version_id, plan_id: wanted })?;
        Ok(PlanRef { offering: version.offering_slug, plan: plan.slug })
    }
}
