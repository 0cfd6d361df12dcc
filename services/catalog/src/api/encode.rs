//! Nouns into messages.

use souk_kit::wire;
use souk_proto::souk::catalog::v1::{
    Capability, Finding, Offering, OfferingVersion, Plan, PlanLimits, Price, PriceSchedule, Quantity,
    offering, offering_version,
};

use crate::model;

pub(crate) fn offering(offering: model::Offering) -> Offering {
    let state = match offering.life.state {
        model::life::State::Active => offering::State::Active,
        model::life::State::Paused => offering::State::Paused,
        model::life::State::Ending => offering::State::Ending,
        model::life::State::Ended => offering::State::Ended,
    };
    Offering {
        offering_id: offering.offering_id.to_string(),
        slug: offering.slug.to_string(),
        display_name: offering.profile.display_name,
        description: offering.profile.description,
        category: offering.profile.category,
        value_stream: offering.profile.value_stream,
        create_time: Some(wire::timestamp(offering.create_time)),
        etag: wire::etag(offering.version),
        newest_version: None,
        state: state.into(),
        end_time: offering.life.end_time.map(wire::timestamp),
    }
}

/// As anybody may read it: the warnings name nodes of the flow and endpoints, which is the publisher's business.
pub(crate) fn listed(listed: model::Listed) -> Offering {
    let newest = OfferingVersion { warnings: Vec::new(), ..version(listed.newest) };
    Offering { newest_version: Some(newest), ..offering(listed.offering) }
}

pub(crate) fn changed(changed: model::Changed) -> Offering {
    Offering { newest_version: changed.newest.map(version), ..offering(changed.offering) }
}

pub(crate) fn capability(capability: &souk_capability::Capability) -> Capability {
    Capability {
        name: capability.name().to_owned(),
        display_name: capability.display_name().to_owned(),
        description: capability.description().to_owned(),
        schema_json: capability.schema().to_string(),
        default_config_json: serde_json::Value::Object(capability.defaults().clone()).to_string(),
    }
}

fn finding(finding: model::Finding) -> Finding {
    let model::Finding { code, node_id, field, message } = finding;
    Finding { code, node_id, field, message }
}

pub(crate) fn version(version: model::Version) -> OfferingVersion {
    let state = match version.state {
        model::State::Draft => offering_version::State::Draft,
        model::State::Published => offering_version::State::Published,
    };
    let schedule_hash = version.price_schedule_hash.map(|hash| hash.to_string());
    OfferingVersion {
        offering_version_id: version.offering_version_id.to_string(),
        offering_id: version.offering_id.to_string(),
        content_hash: version.content_hash.to_string(),
        artifact_hash: version.artifact_hash.to_string(),
        state: state.into(),
        capabilities: version.capabilities,
        connectors: version.connectors,
        config_json: version.config_json,
        plans: version.plans.into_iter().map(plan).collect(),
        default_plan_id: version.default_plan_id.to_string(),
        price_schedule: Some(schedule(&version.schedule, schedule_hash.unwrap_or_default())),
        publish_time: version.publish_time.map(wire::timestamp),
        offering_slug: version.offering_slug.to_string(),
        findings: version.findings.into_iter().map(finding).collect(),
        warnings: version.warnings.into_iter().map(finding).collect(),
    }
}

fn plan(plan: model::Plan) -> Plan {
    let terms = plan.terms;
    Plan {
        plan_id: plan.plan_id.to_string(),
        slug: terms.slug.to_string(),
        display_name: terms.display_name,
        self_service: terms.self_service,
        config_json: terms.config_json,
        limits: Some(PlanLimits {
            runs_per_minute: terms.runs_per_minute,
            input_bytes: terms.input_bytes,
            concurrent_runs: terms.concurrent_runs,
        }),
        included_credits_micros: terms.included_credits.micros(),
    }
}

fn schedule(schedule: &model::schedule::Schedule, price_schedule_hash: String) -> PriceSchedule {
    let prices = schedule.prices().iter().map(|price| Price {
        dimension: price.dimension.clone(),
        amount_micros: price.amount_micros,
        per: price.per,
    });
    let default_estimate = schedule
        .default_estimate()
        .iter()
        .map(|line| Quantity { dimension: line.dimension.clone(), quantity: line.quantity });
    PriceSchedule {
        price_schedule_hash,
        prices: prices.collect(),
        default_estimate: default_estimate.collect(),
    }
}
