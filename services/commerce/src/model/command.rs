//! What can be asked of commerce. The JSON of a command names it: repeats are recognised by it.

use serde::{Deserialize, Serialize};
use souk_types::{
    Credits,
    id::{OfferingVersionId, OrderId, PlanId, ProjectId, ShopId},
};

use super::{owner::BuyerKey, snapshot::Snapshot};

/// Add a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddShop {
    /// Its API URL, as its deliveries name it.
    pub api_url: String,
    /// Its public keys; `None`: fetched from it.
    pub jwks_json: Option<String>,
    /// The id that it gave souk's app; `None`: not compared.
    pub app_id: Option<String>,
    /// Where lines without another owner go.
    pub fallback_project_id: Option<ProjectId>,
}

/// Say to which project a buyer's orders belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkBuyer {
    /// The shop.
    pub shop_id: ShopId,
    /// What identifies the buyer there.
    pub key: BuyerKey,
    /// The project.
    pub project_id: ProjectId,
}

/// What an operator says a variant is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Wish {
    /// A plan of a version.
    Plan {
        /// The version.
        offering_version_id: OfferingVersionId,
        /// The plan.
        plan_id: PlanId,
    },
    /// Credits that one unit brings; positive.
    Credits(Credits),
}

/// Say what a variant stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapVariant {
    /// The shop.
    pub shop_id: ShopId,
    /// The shop's id of the variant.
    pub variant_id: String,
    /// What it is.
    pub wish: Wish,
}

/// Try an order again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayOrder {
    /// The order.
    pub order_id: OrderId,
}

/// What a delivery says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum News {
    /// All that is needed.
    Complete(Box<Snapshot>),
    /// That there is one, and too little else.
    Incomplete {
        /// The shop's id of it.
        external_id: String,
        /// The number that people know it by; may be empty.
        number: String,
    },
}

impl News {
    /// The shop's id of the order.
    #[must_use]
    pub fn external_id(&self) -> &str {
        match self {
            Self::Complete(snapshot) => &snapshot.order_id,
            Self::Incomplete { external_id, .. } => external_id,
        }
    }
}

/// Take in an order as its shop states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ingest {
    /// The shop.
    pub shop_id: ShopId,
    /// SHA-256 of the delivery's body in hex.
    pub body_hash: String,
    /// What it says.
    pub news: News,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Taken in.
    Applied,
    /// The same as before.
    Duplicate,
    /// Older than what is known.
    Stale,
    /// Kept, and waits for somebody to act.
    Parked,
}

impl Outcome {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "APPLIED",
            Self::Duplicate => "DUPLICATE",
            Self::Stale => "STALE",
            Self::Parked => "PARKED",
        }
    }
}

/// The answer to a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// What became of it.
    pub outcome: Outcome,
    /// The order; `None` when the snapshot was parked whole.
    pub order_id: Option<OrderId>,
    /// Why it was parked.
    pub parked_reason: Option<String>,
}
