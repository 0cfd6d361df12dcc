//! An order as it is kept and shown: the shop's facts, and what became of each line.

use serde::{Deserialize, Serialize};
use souk_types::{
    Credits, Time,
    id::{OrderId, ShopId},
};

use super::{mapping::Target, owner::Owner, parking};

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stand {
    /// The order is not settled yet.
    Waiting,
    /// Somebody must act.
    Parked,
    /// Pinned; its effects are on their way.
    Working,
    /// Its effects are there.
    Done,
    /// Brings nothing, and will not.
    Void,
}

impl Stand {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Parked => "PARKED",
            Self::Working => "WORKING",
            Self::Done => "DONE",
            Self::Void => "VOID",
        }
    }

    /// Reads what [`Stand::as_str`] wrote.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Parked, Self::Working, Self::Done, Self::Void];
        all.into_iter().find(|stand| stand.as_str() == name)
    }
}

/// One line and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The shop's id of it.
    pub line_id: String,
    /// Stock-keeping unit; may be empty.
    pub sku: String,
    /// The product, for people.
    pub product_name: String,
    /// Units bought and not given back.
    pub units: i64,
    /// Where it stands.
    pub stand: Stand,
    /// Why it is parked.
    pub parked_reason: Option<String>,
    /// What was found.
    pub parked_detail: String,
    /// Whose it is, once pinned.
    pub owner: Option<Owner>,
    /// What one unit brings, once pinned.
    pub target: Option<Target>,
    /// The credits of all units; zero for a plan.
    pub credits: Credits,
    /// What each done effect brought, by unit: instances, or a ledger entry.
    pub results: Vec<String>,
    /// The request id of its first effect.
    pub request_key: String,
}

impl Line {
    /// What to do about it; empty when it is not parked.
    #[must_use]
    pub fn remedy(&self) -> String {
        let Some(reason) = self.parked_reason.as_deref() else { return String::new() };
        let remedy = remedy(reason);
        if self.parked_detail.is_empty() { remedy } else { format!("{} ({})", remedy, self.parked_detail) }
    }
}

/// What to do about a reason of either registry.
fn remedy(reason: &str) -> String {
    if let Ok(parked) = reason.parse::<parking::Reason>() {
        return parked.remedy().to_owned();
    }
    let refusal = souk_types::Reason::ALL.iter().find(|known| known.as_str() == reason);
    let remedy = refusal.map_or("see the log of commerce", |known| known.remedy());
    format!("{remedy}; then replay the order.")
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub order_id: OrderId,
    /// The shop.
    pub shop_id: ShopId,
    /// The shop's id of it.
    pub external_id: String,
    /// The number that people know it by.
    pub number: String,
    /// The shop's word for where it stands.
    pub status: String,
    /// The shop's word for how much is paid.
    pub charge_status: String,
    /// When the shop last changed it; `None` while no whole snapshot came.
    pub snapshot_time: Option<Time>,
    /// Why the order as a whole is parked.
    pub parked_reason: Option<String>,
    /// Its lines, by id.
    pub lines: Vec<Line>,
    /// When souk first saw it.
    pub create_time: Time,
    /// Row version.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in ["OWNER_UNKNOWN", "WALLET_FROZEN", "NEVER_HEARD_OF"] {
            assert!(remedy(reason).ends_with("replay the order."), "{}", remedy(reason));
        }
    }

    #[test]
    fn stands_round_trip() {
        for stand in [Stand::Waiting, Stand::Parked, Stand::Working, Stand::Done, Stand::Void] {
            assert_eq!(Stand::from_name(stand.as_str()), Some(stand));
        }
        assert_eq!(Stand::from_name("done"), None);
    }
}
