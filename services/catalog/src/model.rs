//! The catalogue's nouns and commands. No I/O, no clock, nothing of the wire.
//!
//! # Invariants
//! 1. A version's content never changes: it is named by the SHA-256 of its canonical content, once per
//!    offering.
//! 2. A PUBLISHED version stays PUBLISHED, has a publish time and a price schedule that billing knows; its
//!    artifact is in the object store.
//! 3. A DRAFT is never offered, and a flow with findings is never kept.
//! 4. Only what is ACTIVE is taken; an offering that ended stays so.

pub(crate) mod content;
pub(crate) mod finding;
pub(crate) mod json;
pub(crate) mod life;
pub(crate) mod name;
pub(crate) mod review;
pub(crate) mod schedule;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use souk_objects::Hash;
use souk_types::{Credits, OfferingId, OfferingVersionId, PlanId, Time, Violation};

pub(crate) use self::finding::Finding;
use self::{
    content::Content,
    life::{Life, Step},
    name::Slug,
    schedule::Schedule,
};

/// A stable product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offering {
    /// Its id.
    pub(crate) offering_id: OfferingId,
    /// Its natural key.
    pub(crate) slug: Slug,
    /// What people read of it.
    pub(crate) profile: Profile,
    /// When it was made.
    pub(crate) create_time: Time,
    /// Counts the changes of its row from 1; the etag.
    pub(crate) version: i64,
    /// Where it stands. Answers that were kept before there was a choice do not say it.
    #[serde(default)]
    pub(crate) life: Life,
    /// The newest published version, when there is one.
    #[serde(default)]
    pub(crate) newest_version_id: Option<OfferingVersionId>,
}

/// What people read of an offering, and where they find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) display_name: String,
    /// One paragraph.
    pub(crate) description: String,
    /// The category page it stands on.
    pub(crate) category: String,
    /// The value stream page it stands on.
    pub(crate) value_stream: String,
}

/// Longest display name, in characters.
const NAME: usize = 200;
/// Longest description, in characters.
const DESCRIPTION: usize = 4000;
/// Longest category or value stream, in characters.
const PAGE: usize = 100;

impl Profile {
    /// What is wrong with it.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        if self.display_name.trim().is_empty() {
            wrong.push(Violation::new("display_name", "required"));
        }
        let texts = [
            ("display_name", &self.display_name, NAME),
            ("category", &self.category, PAGE),
            ("value_stream", &self.value_stream, PAGE),
        ];
        wrong.extend(texts.into_iter().filter_map(|(field, text, most)| name::line(field, text, most)));
        if self.description.chars().count() > DESCRIPTION {
            let description = format!("must have at most {DESCRIPTION} characters");
            wrong.push(Violation::new("description", description));
        }
        wrong
    }
}

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Stored, not offered.
    Draft,
    /// May be taken. Final.
    Published,
}

impl State {
    /// The word, as it stands in tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Draft, Self::Published]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("no version state is called {text:?}"))
    }
}

/// An immutable release of an offering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its id.
    pub(crate) offering_version_id: OfferingVersionId,
    /// The offering it belongs to.
    pub(crate) offering_id: OfferingId,
    /// That offering's slug.
    pub(crate) offering_slug: Slug,
    /// The name of its whole content.
    pub(crate) content_hash: Hash,
    /// The name of its flow.
    pub(crate) artifact_hash: Hash,
    /// Where it stands.
    pub(crate) state: State,
    /// Capabilities it asks for, sorted.
    pub(crate) capabilities: Vec<String>,
    /// Connectors it uses, sorted.
    pub(crate) connectors: Vec<String>,
    /// Default configuration, a JSON object by capability.
    pub(crate) config_json: String,
    /// Its plans, in the publisher's order.
    pub(crate) plans: Vec<Plan>,
    /// The plan that activating by itself takes; self-service.
    pub(crate) default_plan_id: PlanId,
    /// What it costs to run.
    pub(crate) schedule: Schedule,
    /// The schedule's name at billing; `None` before it was announced.
    pub(crate) price_schedule_hash: Option<Hash>,
    /// When it was published; `None` for a draft.
    pub(crate) publish_time: Option<Time>,
    /// What keeps a draft from being published.
    pub(crate) findings: Vec<Finding>,
    /// What its publisher should know of what was published all the same.
    pub(crate) warnings: Vec<Finding>,
}

impl Version {
    /// About how many bytes it takes on the wire, a bit more rather than less.
    pub(crate) fn weight(&self) -> usize {
        let names: usize = self.capabilities.iter().chain(&self.connectors).map(|name| name.len() + 4).sum();
        let plans = self.plans.iter().map(|plan| {
            let terms = &plan.terms;
            terms.config_json.len() + terms.display_name.len() + terms.slug.as_str().len() + 120
        });
        let prices = self.schedule.prices();
        let lines: usize = prices.iter().map(|price| 60 + 2 * price.dimension.len()).sum();
        let findings: usize = self.findings.iter().chain(&self.warnings).map(Finding::weight).sum();
        512 + names + self.config_json.len() + plans.sum::<usize>() + lines + findings
    }
}

/// What the steps before the last one have made of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The schedule's name at billing.
    pub(crate) price_schedule_hash: Hash,
    /// What the publisher should know; a bounded number.
    pub(crate) warnings: Vec<Finding>,
}

/// A price with entitlements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Its id.
    pub(crate) plan_id: PlanId,
    /// What it says.
    pub(crate) terms: Terms,
}

/// What a plan says. Its JSON is part of the content that names a version: fields are added at the end,
/// left out where they are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Terms {
    /// Natural key within the version.
    pub(crate) slug: Slug,
    /// Its name for people.
    pub(crate) display_name: String,
    /// Whether a tenant may take it without a purchase.
    pub(crate) self_service: bool,
    /// What it adds or narrows, a JSON object by capability in canonical form.
    pub(crate) config_json: String,
    /// Runs that may start within a minute; 0: the platform's default, as below.
    pub(crate) runs_per_minute: i32,
    /// Size of one run's input, in bytes.
    pub(crate) input_bytes: i64,
    /// Runs at work at the same time.
    pub(crate) concurrent_runs: i32,
    /// Credits that come with it, for people to compare.
    pub(crate) included_credits: Credits,
}

/// An offering that may be taken, with its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The offering.
    pub(crate) offering: Offering,
    /// The newest published version.
    pub(crate) newest: Version,
}

impl Listed {
    /// About how many bytes it takes on the wire, a bit more rather than less.
    pub(crate) fn weight(&self) -> usize {
        let profile = &self.offering.profile;
        let texts = profile.display_name.len()
            + profile.description.len()
            + profile.category.len()
            + profile.value_stream.len();
        512 + texts + self.newest.weight()
    }
}

/// A version and a plan, found by slugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The version.
    pub(crate) offering_version_id: OfferingVersionId,
    /// The plan.
    pub(crate) plan_id: PlanId,
}

/// Asks for a new offering.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CreateOffering {
    /// Its natural key.
    pub(crate) slug: Slug,
    /// What people read of it.
    pub(crate) profile: Profile,
}

/// Asks to publish a version.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Publish {
    /// The offering.
    pub(crate) offering_id: OfferingId,
    /// What it is; holds the flow's hash.
    pub(crate) content: Content,
    /// The flow's bytes, which their hash stands for in the command's digest.
    #[serde(skip)]
    pub(crate) flow: Bytes,
}

/// Asks for a step in an offering's life.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChangeLife {
    /// The offering.
    pub(crate) offering_id: OfferingId,
    /// The step.
    pub(crate) step: Step,
}

/// An offering and its newest version, where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The offering.
    pub(crate) offering: Offering,
    /// The newest published version.
    pub(crate) newest: Option<Version>,
}

/// Which offerings a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only of this category; empty: all.
    pub(crate) category: String,
    /// Only of this value stream; empty: all.
    pub(crate) value_stream: String,
}
