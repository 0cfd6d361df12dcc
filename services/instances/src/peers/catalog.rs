//! Catalog: the version and plan that an instance is made from.

use serde_json::{Map, Value};
use souk_kit::{House, Refusal, wire};
use souk_proto::souk::catalog::v1::{
    self as pb, GetOfferingRequest, GetOfferingVersionRequest, catalog_service_client::CatalogServiceClient,
};
use souk_types::{Acting, OfferingId, OfferingVersionId, PartName, Reason};

use crate::{
    error::Error,
    model::{Limits, Plan, Sale, Version},
};

/// Asks catalog.
#[derive(Clone)]
pub(crate) struct Catalog {
    house: House,
}

impl Catalog {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// A published version. A draft is as if it did not exist.
    pub(crate) async fn version(&self, acting: Acting, id: OfferingVersionId) -> Result<Version, Error> {
        let mut client = CatalogServiceClient::new(self.house.dial().to(PartName::Catalog, acting));
        let request = GetOfferingVersionRequest { offering_version_id: id.to_string() };
        let answer = client.get_offering_version(request).await.map_err(|status| {
            let refusal = Refusal::read("catalog", &status);
            if refusal.is(Reason::OfferingVersionNotFound) {
                Error::OfferingVersionNotFound(id)
            } else {
                refusal.into()
            }
        })?;
        let version = answer.into_inner().offering_version.ok_or_else(|| garbled("offering_version"))?;
        if version.state() != pb::offering_version::State::Published {
            return Err(Error::OfferingVersionNotFound(id));
        }
        decode(version)
    }

    /// Whether an offering may be taken.
    pub(crate) async fn sale(&self, acting: Acting, id: OfferingId) -> Result<Sale, Error> {
        let mut client = CatalogServiceClient::new(self.house.dial().to(PartName::Catalog, acting));
        let request = GetOfferingRequest { offering_id: id.to_string() };
        let answer =
            client.get_offering(request).await.map_err(|status| Refusal::read("catalog", &status))?;
        let offering = answer.into_inner().offering.ok_or_else(|| garbled("offering"))?;
        match offering.state() {
            pb::offering::State::Active => Ok(Sale::Open),
            pb::offering::State::Unspecified => Err(garbled("state")),
            pb::offering::State::Paused => Ok(Sale::Paused),
            pb::offering::State::Ending | pb::offering::State::Ended => {
                Ok(Sale::Ended { end_time: offering.end_time.and_then(wire::time) })
            }
        }
    }
}

const fn garbled(field: &'static str) -> Error {
    Error::Garbled { part: "catalog", field }
}

fn decode(version: pb::OfferingVersion) -> Result<Version, Error> {
    let id = |field: &'static str| move |_| garbled(field);
    let default = version.default_plan_id.as_str();
    Ok(Version {
        offering_version_id: version.offering_version_id.parse().map_err(id("offering_version_id"))?,
        offering_id: version.offering_id.parse().map_err(id("offering_id"))?,
        offering_slug: version.offering_slug,
        artifact_hash: version.artifact_hash,
        price_schedule_hash: version
            .price_schedule
            .map(|schedule| schedule.price_schedule_hash)
            .ok_or_else(|| garbled("price_schedule"))?,
        capabilities: version.capabilities,
        config: object(&version.config_json, "config_json")?,
        default_plan_id: if default.is_empty() {
            None
        } else {
            Some(default.parse().map_err(id("default_plan_id"))?)
        },
        plans: version.plans.into_iter().map(plan).collect::<Result<_, _>>()?,
    })
}

fn plan(plan: pb::Plan) -> Result<Plan, Error> {
    let limits = plan.limits.unwrap_or_default();
    Ok(Plan {
        plan_id: plan.plan_id.parse().map_err(|_| garbled("plan_id"))?,
        slug: plan.slug,
        self_service: plan.self_service,
        config: object(&plan.config_json, "plans.config_json")?,
        limits: Limits {
            runs_per_minute: limits.runs_per_minute,
            input_bytes: limits.input_bytes,
            concurrent_runs: limits.concurrent_runs,
        },
    })
}

/// A JSON object; nothing is an empty one.
fn object(text: &str, field: &'static str) -> Result<Map<String, Value>, Error> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|_| garbled(field))
}
