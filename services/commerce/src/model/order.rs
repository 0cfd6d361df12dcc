//! An order as souk knows it: the newest version seen, and where each line stands.
//!
//! Only [`Order::absorb`] moves it. Pins are never taken out here; taking back what was granted is another
//! module's business.

use std::collections::{BTreeMap, BTreeSet};

use souk_types::{
    Credits, Time,
    id::{OfferingVersionId, PlanId},
};

use super::{
    mapping::{Declaration, Mapping, PlanRef, Target},
    owner::Owner,
    parking::Parked,
    plan::Plan,
    snapshot::{ChargeStatus, Digest, Snapshot, Status},
};

/// The version of a snapshot. The greatest one seen is the order's.
///
/// The shop's `updated_at` decides. Two states under one `updated_at` happen, because variant and user are
/// read live; then the later rendering wins, and the digest where even that is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// When the order last changed.
    pub updated_at: Time,
    /// When the snapshot was rendered.
    pub issued_at: Option<Time>,
    /// What it says.
    pub digest: Digest,
}

impl Version {
    /// The version of `snapshot`.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { updated_at: snapshot.updated_at, issued_at: snapshot.issued_at, digest: snapshot.digest() }
    }
}

/// How a snapshot stands to the order known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Newer: it is judged.
    New,
    /// Says what is known: lines not yet pinned are judged again, for links and mappings may have come.
    Duplicate,
    /// Older than what is known: its lines are not looked at.
    Stale,
}

impl Standing {
    /// The name as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Duplicate => "DUPLICATE",
            Self::Stale => "STALE",
        }
    }
}

/// Why an order is not acted on yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Staff still write it.
    Draft,
    /// Staff have not confirmed it.
    Unconfirmed,
    /// Nothing is charged.
    Unpaid,
    /// Less than the total is charged.
    PartlyPaid,
    /// The shop uses a word that souk does not know; granting on a guess cannot be undone.
    StatusUnknown,
}

impl Wait {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Unpaid => "UNPAID",
            Self::PartlyPaid => "PARTLY_PAID",
            Self::StatusUnknown => "STATUS_UNKNOWN",
        }
    }

    /// Reads what [`Wait::as_str`] wrote.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Draft, Self::Unconfirmed, Self::Unpaid, Self::PartlyPaid, Self::StatusUnknown];
        all.into_iter().find(|wait| wait.as_str() == name)
    }
}

/// What an order amounts to at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Not to be acted on yet.
    Waiting(Wait),
    /// Paid and in force: its lines are granted.
    Settled,
    /// Cancelled, expired, or paid back after it was settled: nothing more is granted.
    Void,
}

impl OrderState {
    /// The state of an order with this status and charge; `settled_before` when it was ever settled.
    #[must_use]
    pub const fn of(status: &Status, charge: &ChargeStatus, settled_before: bool) -> Self {
        match (status, charge) {
            (Status::Canceled | Status::Expired, _) => Self::Void,
            (Status::Draft, _) => Self::Waiting(Wait::Draft),
            (Status::Unconfirmed, _) => Self::Waiting(Wait::Unconfirmed),
            (Status::Other(_), _) | (_, ChargeStatus::Other(_)) => Self::Waiting(Wait::StatusUnknown),
            (_, ChargeStatus::Full | ChargeStatus::Overcharged) => Self::Settled,
            (_, ChargeStatus::Partial) => Self::Waiting(Wait::PartlyPaid),
            (_, ChargeStatus::None) if settled_before => Self::Void,
            (_, ChargeStatus::None) => Self::Waiting(Wait::Unpaid),
        }
    }

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting(_) => "WAITING",
            Self::Settled => "SETTLED",
            Self::Void => "VOID",
        }
    }
}

/// What a line was pinned to, before the first call was made for it. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whose it is.
    pub owner: Owner,
    /// What one unit brings.
    pub target: Target,
    /// Units; positive.
    pub units: i64,
    /// Credits of all units together; zero for a plan.
    pub credits: Credits,
}

/// One call that a pinned line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The call's request id: the same call for ever.
    pub request_id: String,
    /// Which unit of the line, from 1; a credit pack has one effect for all units.
    pub unit: i64,
    /// What to call for.
    pub act: Act,
}

/// What a pinned line calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// One instance.
    CreateInstance {
        /// Whose.
        owner: Owner,
        /// Of what.
        offering_version_id: OfferingVersionId,
        /// On which plan.
        plan_id: PlanId,
    },
    /// Credits onto the org's wallet.
    TopUp {
        /// Whose.
        owner: Owner,
        /// How much.
        amount: Credits,
    },
}

impl Pin {
    /// The calls that the line asks for, each with its own request id.
    #[must_use]
    pub fn effects(&self, order_id: &str, line_id: &str) -> Vec<Effect> {
        let owner = self.owner;
        match self.target {
            Target::Pack { .. } => vec![Effect {
                request_id: request_id(order_id, line_id, 1),
                unit: 1,
                act: Act::TopUp { owner, amount: self.credits },
            }],
            Target::Plan { offering_version_id, plan_id, .. } => (1..=self.units)
                .map(|unit| Effect {
                    request_id: request_id(order_id, line_id, unit),
                    unit,
                    act: Act::CreateInstance { owner, offering_version_id, plan_id },
                })
                .collect(),
        }
    }
}

/// The request id of one unit of one line: `saleor:{order}:{line}`, from the second unit on `:{unit}` more.
#[must_use]
pub fn request_id(order_id: &str, line_id: &str, unit: i64) -> String {
    match unit {
        ..=1 => format!("saleor:{order_id}:{line_id}"),
        more => format!("saleor:{order_id}:{line_id}:{more}"),
    }
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineState {
    /// Granted: pinned for ever.
    Pinned(Pin),
    /// Kept until somebody mends what is the matter.
    Parked(Parked),
    /// The order is not settled yet.
    Waiting(Wait),
    /// The order became void before the line was granted.
    Void,
    /// Every unit was paid back before the line was granted.
    Empty,
}

impl LineState {
    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pinned(_) => "PINNED",
            Self::Parked(_) => "PARKED",
            Self::Waiting(_) => "WAITING",
            Self::Void => "VOID",
            Self::Empty => "EMPTY",
        }
    }
}

/// An order as souk knows it. The default is one never heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The newest version seen.
    pub version: Option<Version>,
    /// Status and charge of the newest version.
    pub facts: Option<(Status, ChargeStatus)>,
    /// Whether any snapshot, in whatever order they came, showed it settled.
    pub settled: bool,
    /// Lines by the shop's id.
    pub lines: BTreeMap<String, LineState>,
}

impl Order {
    /// How `snapshot` stands to what is known.
    #[must_use]
    pub fn standing(&self, snapshot: &Snapshot) -> Standing {
        let version = Version::of(snapshot);
        match self.version {
            None => Standing::New,
            Some(known) if (known.updated_at, known.digest) == (version.updated_at, version.digest) => {
                Standing::Duplicate
            }
            Some(known) if version > known => Standing::New,
            Some(_) => Standing::Stale,
        }
    }

    /// What the order amounts to; `None` when it was never heard of.
    #[must_use]
    pub fn state(&self) -> Option<OrderState> {
        self.facts.as_ref().map(|(status, charge)| OrderState::of(status, charge, self.settled))
    }

    /// What the line was pinned to, if it was.
    #[must_use]
    pub fn pin(&self, line_id: &str) -> Option<&Pin> {
        match self.lines.get(line_id) {
            Some(LineState::Pinned(pin)) => Some(pin),
            _ => None,
        }
    }

    /// The plans that the catalogue must be asked for before `snapshot` can be judged.
    #[must_use]
    pub fn wants(&self, snapshot: &Snapshot, rows: &BTreeMap<String, Mapping>) -> BTreeSet<PlanRef> {
        if self.standing(snapshot) == Standing::Stale || !settles(snapshot) {
            return BTreeSet::new();
        }
        snapshot
            .lines
            .iter()
            .filter(|line| self.pin(&line.line_id).is_none())
            .filter(|line| line.variant_id.as_ref().is_none_or(|variant| !rows.contains_key(variant)))
            .filter_map(|line| match line.declared.understand() {
                Ok(Declaration::Plan(plan)) => Some(plan),
                _ => None,
            })
            .collect()
    }

    /// Takes in a snapshot and what was planned for it.
    pub fn absorb(&mut self, snapshot: &Snapshot, plan: &Plan) {
        // Even an old snapshot bears witness that the order was once settled.
        self.settled = self.settled || settles(snapshot);
        if plan.standing == Standing::Stale {
            return;
        }
        // max: a duplicate rendered earlier must not set the version back.
        self.version = self.version.max(Some(Version::of(snapshot)));
        self.facts = Some((snapshot.status.clone(), snapshot.charge_status.clone()));
        self.lines.retain(|_, state| matches!(state, LineState::Pinned(_)));
        for line in &plan.lines {
            self.lines.insert(line.line_id.clone(), line.state.clone());
        }
    }
}

/// Whether `snapshot` by itself shows the order paid and in force.
#[must_use]
pub fn settles(snapshot: &Snapshot) -> bool {
    OrderState::of(&snapshot.status, &snapshot.charge_status, false) == OrderState::Settled
}
