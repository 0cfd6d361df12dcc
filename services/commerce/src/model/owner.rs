//! Who owns what an order brings: the project that a buyer link names.
//!
//! Only three things identify a buyer, strongest first, none of which a customer can write. There is no
//! guessing by address.

use std::{collections::BTreeMap, str::FromStr};

use souk_types::id::{OrgId, ProjectId};

use super::snapshot::Snapshot;

/// What of an order a buyer link looks at. Declared strongest first: that is the order of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum LinkKind {
    /// `souk.org_id` in the order's private metadata.
    OrgRef,
    /// The user's external reference.
    External,
    /// The shop's id of the user.
    User,
}

/// No kind of link has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of buyer link is called {0:?}")]
pub struct UnknownLinkKind(pub String);

impl LinkKind {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrgRef => "ORG_REF",
            Self::External => "EXTERNAL",
            Self::User => "USER",
        }
    }
}

impl FromStr for LinkKind {
    type Err = UnknownLinkKind;
    fn from_str(text: &str) -> Result<Self, UnknownLinkKind> {
        match text {
            "ORG_REF" => Ok(Self::OrgRef),
            "EXTERNAL" => Ok(Self::External),
            "USER" => Ok(Self::User),
            other => Err(UnknownLinkKind(other.to_owned())),
        }
    }
}

/// One thing that identifies a buyer within one shop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct BuyerKey {
    /// What it is.
    pub kind: LinkKind,
    /// Its value, compared exactly.
    pub value: String,
}

/// A project and the org it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// The org.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
}

/// What identifies the buyer of `snapshot`, strongest first.
#[must_use]
pub fn candidates(snapshot: &Snapshot) -> Vec<BuyerKey> {
    [
        (LinkKind::OrgRef, &snapshot.org_ref),
        (LinkKind::External, &snapshot.buyer.external_reference),
        (LinkKind::User, &snapshot.buyer.user_id),
    ]
    .into_iter()
    .filter_map(|(kind, value)| value.clone().map(|value| BuyerKey { kind, value }))
    .collect()
}

/// The buyer links of one shop that bear on an order, and where the rest goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The links found for the order's candidates.
    pub links: BTreeMap<BuyerKey, Owner>,
    /// The shop's fallback project.
    pub fallback: Option<Owner>,
}

impl Owners {
    /// The owner of `snapshot`'s lines: the first candidate with a link, else the fallback.
    #[must_use]
    pub fn resolve(&self, snapshot: &Snapshot) -> Option<Owner> {
        candidates(snapshot).iter().find_map(|key| self.links.get(key).copied()).or(self.fallback)
    }
}
