//! The content of a version: what a publisher sent, checked, in the canonical form that names it.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use souk_objects::Hash;
use souk_types::{Credits, Violation};

use super::{
    Terms, json,
    name::{self, NAME_RULE, Slug},
    schedule::{Price, Quantity, Schedule},
};

/// Most names of capabilities, and of connectors.
const NAMES: usize = 100;
/// Longest display name of a plan, in characters.
const PLAN_NAME: usize = 100;

/// How large a version may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest flow, in bytes.
    pub(crate) flow_bytes: usize,
    /// Most plans.
    pub(crate) plans: usize,
    /// Largest configuration of the version or of a plan, in bytes.
    pub(crate) config_bytes: usize,
}

/// What a publisher sent, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// The flow.
    pub(crate) flow: Bytes,
    /// Capabilities it asks for.
    pub(crate) capabilities: Vec<String>,
    /// Connectors it uses.
    pub(crate) connectors: Vec<String>,
    /// Default configuration.
    pub(crate) config_json: String,
    /// Its plans.
    pub(crate) plans: Vec<DraftPlan>,
    /// The plan that activating by itself takes.
    pub(crate) default_plan_slug: String,
    /// What it costs; `None` when nothing was sent.
    pub(crate) schedule: Option<(Vec<Price>, Vec<Quantity>)>,
}

/// A plan as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct DraftPlan {
    /// Natural key.
    pub(crate) slug: String,
    /// Name for people.
    pub(crate) display_name: String,
    /// Whether it may be taken without a purchase.
    pub(crate) self_service: bool,
    /// What it adds or narrows.
    pub(crate) config_json: String,
    /// Runs within a minute.
    pub(crate) runs_per_minute: i32,
    /// Size of one run's input.
    pub(crate) input_bytes: i64,
    /// Runs at the same time.
    pub(crate) concurrent_runs: i32,
    /// Credits that come with it.
    pub(crate) included_credits_micros: i64,
}

/// The content of a version. Its JSON is what the content hash is taken of: fields keep their order for
/// ever, and new ones are left out where they are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Content {
    /// The name of the flow's bytes.
    #[serde(serialize_with = "digits")]
    pub(crate) artifact_hash: Hash,
    /// Capabilities it asks for.
    pub(crate) capabilities: BTreeSet<String>,
    /// Connectors it uses.
    pub(crate) connectors: BTreeSet<String>,
    /// Default configuration, canonical.
    pub(crate) config_json: String,
    /// Its plans, in the publisher's order; at least one.
    pub(crate) plans: Vec<Terms>,
    /// The slug of one of them that is self-service.
    pub(crate) default_plan_slug: Slug,
    /// What it costs.
    pub(crate) schedule: Schedule,
}

fn digits<S: Serializer>(hash: &Hash, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(hash)
}

impl Content {
    /// Checks what a publisher sent.
    ///
    /// # Errors
    /// Everything that is wrong, as fields of the request.
    pub(crate) fn new(draft: Draft, limits: &Limits) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        if draft.flow.is_empty() {
            wrong.push(Violation::new("flow_json", "required"));
        } else if draft.flow.len() > limits.flow_bytes {
            let description = format!("must have at most {} bytes", limits.flow_bytes);
            wrong.push(Violation::new("flow_json", description));
        }
        let capabilities = names("capabilities", draft.capabilities, &mut wrong);
        let connectors = names("connectors", draft.connectors, &mut wrong);
        let config_json = config("config_json", &draft.config_json, limits, &mut wrong);
        let plans = plans(draft.plans, limits, &mut wrong);
        let default_plan_slug = default_plan(&draft.default_plan_slug, &plans, &mut wrong);
        let schedule = schedule(draft.schedule, &mut wrong);
        match (plans, default_plan_slug, schedule) {
            (Some(plans), Some(default_plan_slug), Some(schedule)) if wrong.is_empty() => Ok(Self {
                artifact_hash: Hash::of(&draft.flow),
                capabilities,
                connectors,
                config_json,
                plans,
                default_plan_slug,
                schedule,
            }),
            _ => Err(wrong),
        }
    }

    /// The name of the whole content.
    ///
    /// # Errors
    /// Never in practice: every field has a JSON form.
    pub(crate) fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(Hash::of(&serde_json::to_vec(self)?))
    }
}

fn names(field: &str, names: Vec<String>, wrong: &mut Vec<Violation>) -> BTreeSet<String> {
    if names.len() > NAMES {
        wrong.push(Violation::new(field, format!("must have at most {NAMES} names")));
        return BTreeSet::new();
    }
    for (place, name) in names.iter().enumerate() {
        if !name::is_name(name) {
            wrong.push(Violation::new(format!("{field}[{place}]"), NAME_RULE));
        }
    }
    names.into_iter().collect()
}

fn config(field: &str, text: &str, limits: &Limits, wrong: &mut Vec<Violation>) -> String {
    json::object(text, limits.config_bytes).unwrap_or_else(|error| {
        wrong.push(Violation::new(field, error.to_string()));
        String::new()
    })
}

/// The plans; `None` when their number alone is wrong, so that ten thousand are not looked at one by one.
fn plans(drafts: Vec<DraftPlan>, limits: &Limits, wrong: &mut Vec<Violation>) -> Option<Vec<Terms>> {
    if drafts.is_empty() || drafts.len() > limits.plans {
        wrong.push(Violation::new("plans", format!("must be 1 to {} plans", limits.plans)));
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut plans = Vec::new();
    for (place, draft) in drafts.into_iter().enumerate() {
        if !seen.insert(draft.slug.clone()) {
            wrong.push(Violation::new(format!("plans[{place}].slug"), "is the slug of another plan"));
        }
        plans.extend(plan(&format!("plans[{place}]"), draft, limits, wrong));
    }
    Some(plans)
}

fn plan(path: &str, draft: DraftPlan, limits: &Limits, wrong: &mut Vec<Violation>) -> Option<Terms> {
    let slug = draft
        .slug
        .parse::<Slug>()
        .map_err(|error| wrong.push(Violation::new(format!("{path}.slug"), error.to_string())))
        .ok();
    if draft.display_name.trim().is_empty() {
        wrong.push(Violation::new(format!("{path}.display_name"), "required"));
    }
    wrong.extend(name::line(format!("{path}.display_name"), &draft.display_name, PLAN_NAME));
    for (field, value) in [
        ("limits.runs_per_minute", i64::from(draft.runs_per_minute)),
        ("limits.input_bytes", draft.input_bytes),
        ("limits.concurrent_runs", i64::from(draft.concurrent_runs)),
        ("included_credits_micros", draft.included_credits_micros),
    ] {
        if value < 0 {
            wrong.push(Violation::new(format!("{path}.{field}"), "must not be negative"));
        }
    }
    Some(Terms {
        config_json: config(&format!("{path}.config_json"), &draft.config_json, limits, wrong),
        slug: slug?,
        display_name: draft.display_name,
        self_service: draft.self_service,
        runs_per_minute: draft.runs_per_minute,
        input_bytes: draft.input_bytes,
        concurrent_runs: draft.concurrent_runs,
        included_credits: Credits::from_micros(draft.included_credits_micros),
    })
}

fn default_plan(text: &str, plans: &Option<Vec<Terms>>, wrong: &mut Vec<Violation>) -> Option<Slug> {
    let mut note = |problem: &str| wrong.push(Violation::new("default_plan_slug", problem));
    if text.is_empty() {
        note("required");
        return None;
    }
    match plans.as_ref()?.iter().find(|plan| plan.slug.as_str() == text) {
        None => note("must be the slug of one of the plans"),
        Some(plan) if !plan.self_service => note("must name a self-service plan"),
        Some(plan) => return Some(plan.slug.clone()),
    }
    None
}

fn schedule(sent: Option<(Vec<Price>, Vec<Quantity>)>, wrong: &mut Vec<Violation>) -> Option<Schedule> {
    let Some((prices, default_estimate)) = sent else {
        wrong.push(Violation::new("price_schedule", "required"));
        return None;
    };
    Schedule::new(prices, default_estimate).map_err(|more| wrong.extend(more)).ok()
}

#[cfg(test)]
mod tests;
