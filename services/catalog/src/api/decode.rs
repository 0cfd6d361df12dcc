//! Requests into commands; everything wrong with one is said at once.

use souk_kit::wire::{self, Check};
use souk_proto::souk::catalog::v1::{
    CreateOfferingRequest, EndOfferingLifeRequest, ListOfferingsRequest, PauseOfferingRequest, Plan,
    PriceSchedule, PublishOfferingVersionRequest, ResolvePlanRequest, ResumeOfferingRequest,
};
use souk_types::{Fault, OfferingVersionId, Violation};

use crate::{
    error::{DOMAIN, bounded},
    model::{
        ChangeLife, CreateOffering, Filter, Profile, Publish,
        content::{Content, Draft, DraftPlan, Limits},
        life::Step,
        name::line,
        schedule::{Price, Quantity},
    },
};

/// Longest filter that can match anything.
const FILTER: usize = 400;
/// Longest reason for tenants, in characters.
const REASON: usize = 200;

fn done<T>(mut check: Check, wrong: Vec<Violation>, value: Option<T>) -> Result<T, Fault> {
    for violation in wrong {
        check.note(&violation.field, &violation.description);
    }
    let mut outcome = check.done(DOMAIN, value);
    if let Err(fault) = &mut outcome {
        fault.violations = bounded(std::mem::take(&mut fault.violations));
    }
    outcome
}

pub(crate) fn create_offering(ask: CreateOfferingRequest) -> Result<CreateOffering, Fault> {
    let mut check = Check::default();
    let slug = check.parse("slug", &ask.slug);
    let profile = Profile {
        display_name: ask.display_name,
        description: ask.description,
        category: ask.category,
        value_stream: ask.value_stream,
    };
    let wrong = profile.violations();
    done(check, wrong, slug.map(|slug| CreateOffering { slug, profile }))
}

pub(crate) fn publish(ask: PublishOfferingVersionRequest, limits: &Limits) -> Result<Publish, Fault> {
    let mut check = Check::default();
    let offering_id = check.parse("offering_id", &ask.offering_id);
    // Given by us; sent back by a publisher who starts from an answer, it would seem to mean something.
    let given = |plan: &Plan| !plan.plan_id.is_empty();
    if let Some(place) = ask.plans.iter().position(given) {
        check.note(&format!("plans[{place}].plan_id"), "must be empty: ids are given by the catalogue");
    }
    if ask.price_schedule.as_ref().is_some_and(|schedule| !schedule.price_schedule_hash.is_empty()) {
        check.note("price_schedule.price_schedule_hash", "must be empty: the content names the schedule");
    }
    let flow = ask.flow_json;
    let draft = Draft {
        flow: flow.clone(),
        capabilities: ask.capabilities,
        connectors: ask.connectors,
        config_json: ask.config_json,
        plans: ask.plans.into_iter().map(plan).collect(),
        default_plan_slug: ask.default_plan_slug,
        schedule: ask.price_schedule.map(schedule),
    };
    let (content, wrong) = match Content::new(draft, limits) {
        Ok(content) => (Some(content), Vec::new()),
        Err(wrong) => (None, wrong),
    };
    let command =
        offering_id.zip(content).map(|(offering_id, content)| Publish { offering_id, content, flow });
    done(check, wrong, command)
}

fn plan(plan: Plan) -> DraftPlan {
    let limits = plan.limits.unwrap_or_default();
    DraftPlan {
        slug: plan.slug,
        display_name: plan.display_name,
        self_service: plan.self_service,
        config_json: plan.config_json,
        runs_per_minute: limits.runs_per_minute,
        input_bytes: limits.input_bytes,
        concurrent_runs: limits.concurrent_runs,
        included_credits_micros: plan.included_credits_micros,
    }
}

fn schedule(schedule: PriceSchedule) -> (Vec<Price>, Vec<Quantity>) {
    let prices = schedule.prices.into_iter().map(|price| Price {
        dimension: price.dimension,
        amount_micros: price.amount_micros,
        per: price.per,
    });
    let estimate = schedule
        .default_estimate
        .into_iter()
        .map(|line| Quantity { dimension: line.dimension, quantity: line.quantity });
    (prices.collect(), estimate.collect())
}

pub(crate) fn pause(ask: PauseOfferingRequest) -> Result<ChangeLife, Fault> {
    let wrong = line("reason", &ask.reason, REASON);
    change(Check::default(), &ask.offering_id, wrong, Some(Step::Pause { reason: ask.reason }))
}

pub(crate) fn resume(ask: &ResumeOfferingRequest) -> Result<ChangeLife, Fault> {
    change(Check::default(), &ask.offering_id, None, Some(Step::Resume))
}

pub(crate) fn end_life(ask: EndOfferingLifeRequest) -> Result<ChangeLife, Fault> {
    let mut check = Check::default();
    let end_time = ask.end_time.and_then(wire::time);
    let problem = if ask.end_time.is_none() { "required" } else { "is no time that can be kept" };
    check.require(end_time.is_some(), "end_time", problem);
    let wrong = line("reason", &ask.reason, REASON);
    let step = end_time.map(|end_time| Step::End { end_time, reason: ask.reason });
    change(check, &ask.offering_id, wrong, step)
}

fn change(
    mut check: Check,
    offering_id: &str,
    wrong: Option<Violation>,
    step: Option<Step>,
) -> Result<ChangeLife, Fault> {
    let offering_id = check.parse("offering_id", offering_id);
    let wrong = wrong.into_iter().collect();
    done(check, wrong, offering_id.zip(step).map(|(offering_id, step)| ChangeLife { offering_id, step }))
}

pub(crate) fn filter(ask: ListOfferingsRequest) -> Result<Filter, Fault> {
    let mut check = Check::default();
    check.require(ask.category.len() <= FILTER, "category", "is too long");
    check.require(ask.value_stream.len() <= FILTER, "value_stream", "is too long");
    check.done(DOMAIN, Some(Filter { category: ask.category, value_stream: ask.value_stream }))
}

pub(crate) fn required(field: &str, text: String) -> Result<String, Fault> {
    let mut check = Check::default();
    check.require(!text.is_empty(), field, "required");
    check.done(DOMAIN, Some(text))
}

pub(crate) fn version_id(text: &str) -> Result<OfferingVersionId, Fault> {
    let mut check = Check::default();
    let id = check.parse("offering_version_id", text);
    check.done(DOMAIN, id)
}

pub(crate) fn resolve(ask: ResolvePlanRequest) -> Result<(String, String), Fault> {
    let mut check = Check::default();
    check.require(!ask.offering_slug.is_empty(), "offering_slug", "required");
    check.require(!ask.plan_slug.is_empty(), "plan_slug", "required");
    check.done(DOMAIN, Some((ask.offering_slug, ask.plan_slug)))
}
