//! The decision: what becomes of each line of a snapshot, given what is known.
//!
//! Pure. The caller loads the known order, the mapping rows, the buyer links and the catalogue's answers, and
//! writes what comes out (new mapping rows, line states) in one transaction before any effect is called for.

use std::collections::BTreeMap;

use souk_types::Credits;

use super::{
    mapping::{Found, Mapping, PlanRef, Target, resolve},
    order::{LineState, Order, OrderState, Pin, Standing, settles},
    owner::{Owner, Owners},
    parking::{Parked, Reason},
    snapshot::{Line, Snapshot},
};

/// What was looked up for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// The shop's mapping rows for `Snapshot::variant_ids`, by variant.
    pub mappings: BTreeMap<String, Mapping>,
    /// The catalogue's answers for `Order::wants`.
    pub catalog: BTreeMap<PlanRef, Found>,
    /// The buyer links for `owner::candidates`, and the shop's fallback.
    pub owners: Owners,
}

/// What the operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The most instances that one line may bring.
    pub max_instances: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_instances: 100 }
    }
}

/// What becomes of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlan {
    /// The shop's id of the line.
    pub line_id: String,
    /// Where it stands from now on.
    pub state: LineState,
    /// Whether it is pinned by this very plan: its effects are to be called for.
    pub fresh: bool,
}

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the snapshot stands to what was known.
    pub standing: Standing,
    /// What the order amounts to from now on.
    pub state: OrderState,
    /// The lines by id; none for a stale snapshot.
    pub lines: Vec<LinePlan>,
    /// Mapping rows to write, by variant.
    pub mappings: BTreeMap<String, Mapping>,
}

/// Decides what becomes of each line of `snapshot`.
#[must_use]
pub fn plan(snapshot: &Snapshot, known: &Order, lookups: &Lookups, policy: &Policy) -> Plan {
    let standing = known.standing(snapshot);
    let settled = known.settled || settles(snapshot);
    let present = OrderState::of(&snapshot.status, &snapshot.charge_status, settled);
    let mut plan = Plan { standing, state: present, lines: Vec::new(), mappings: BTreeMap::new() };
    if standing == Standing::Stale {
        if let Some((status, charge)) = &known.facts {
            plan.state = OrderState::of(status, charge, settled);
        }
        return plan;
    }
    let mut judge =
        Judge { lookups, policy, owner: lookups.owners.resolve(snapshot), mappings: BTreeMap::new() };
    for line in snapshot.sorted_lines() {
        let (state, fresh) = match (known.pin(&line.line_id), present) {
            (Some(pin), _) => (LineState::Pinned(pin.clone()), false),
            (None, OrderState::Waiting(wait)) => (LineState::Waiting(wait), false),
            (None, OrderState::Void) => (LineState::Void, false),
            (None, OrderState::Settled) => judge.line(line),
        };
        plan.lines.push(LinePlan { line_id: line.line_id.clone(), state, fresh });
    }
    plan.mappings = judge.mappings;
    plan
}

/// Judges the lines of one settled snapshot, one after the other.
struct Judge<'a> {
    lookups: &'a Lookups,
    policy: &'a Policy,
    owner: Option<Owner>,
    /// Rows made so far: two lines of one variant must see the same row.
    mappings: BTreeMap<String, Mapping>,
}

impl Judge<'_> {
    fn line(&mut self, line: &Line) -> (LineState, bool) {
        if line.units() == 0 {
            return (LineState::Empty, false);
        }
        match self.pin(line) {
            Ok(pin) => (LineState::Pinned(pin), true),
            Err(parked) => (LineState::Parked(parked), false),
        }
    }

    /// What the line is comes before whose it is: a line that souk has nothing to do with says so even when
    /// nobody knows the buyer.
    fn pin(&mut self, line: &Line) -> Result<Pin, Parked> {
        let target = self.target(line)?;
        let credits = self.worth(line, &target)?;
        let owner = self.owner.ok_or_else(|| Parked::because(Reason::OwnerUnknown))?;
        Ok(Pin { owner, target, units: line.units(), credits })
    }

    fn target(&mut self, line: &Line) -> Result<Target, Parked> {
        let row = line
            .variant_id
            .as_ref()
            .and_then(|variant| self.lookups.mappings.get(variant).or_else(|| self.mappings.get(variant)));
        let (target, made) = resolve(line, row, &self.lookups.catalog)?;
        if let (Some(variant), Some(row)) = (&line.variant_id, made) {
            self.mappings.insert(variant.clone(), row);
        }
        Ok(target)
    }

    /// The credits of all units, zero for a plan; or what keeps the line from being granted.
    fn worth(&self, line: &Line, target: &Target) -> Result<Credits, Parked> {
        if line.is_gift && !line.declared.allow_zero_price {
            let pack = matches!(target, Target::Pack { .. });
            return Err(Parked::because(if pack { Reason::ZeroPricePack } else { Reason::GiftLine }));
        }
        match target {
            Target::Plan { .. } if line.units() > self.policy.max_instances => Err(Parked::with(
                Reason::TooManyUnits,
                format!("{} units, at most {}", line.units(), self.policy.max_instances),
            )),
            Target::Plan { .. } => Ok(Credits::ZERO),
            Target::Pack { credits } => {
                let Some(price) = line.unit_price else {
                    return Err(Parked::with(Reason::SnapshotIncomplete, "the line has no unit price"));
                };
                if !price.is_positive() && !line.declared.allow_zero_price {
                    return Err(Parked::because(Reason::ZeroPricePack));
                }
                credits.times(line.units()).ok_or_else(|| {
                    let detail = format!("{} units of {credits} credits", line.units());
                    Parked::with(Reason::CreditsInvalid, detail)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
