//! What a variant stands for: a plan of an offering, or a pack of credits.
//!
//! The first settled sight of a variant turns its metadata into a mapping row; from then on the row wins, and
//! metadata that says something else parks the line, because a variant is read live and an edit between
//! payment and rendering must not change what was bought.

use std::{collections::BTreeMap, fmt};

use souk_types::{
    Credits,
    id::{OfferingVersionId, PlanId},
};

use super::{
    parking::{Parked, Reason},
    snapshot::{Declared, Line},
};

/// A plan by slugs, as a variant names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PlanRef {
    /// The offering's slug.
    pub offering: String,
    /// The plan's slug.
    pub plan: String,
}

impl fmt::Display for PlanRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.offering, self.plan)
    }
}

/// What the catalogue says of a plan by slugs, at the newest published version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There it is.
    Plan {
        /// The newest published version.
        offering_version_id: OfferingVersionId,
        /// The plan of that version.
        plan_id: PlanId,
    },
    /// No published offering has the slug.
    NoOffering,
    /// The version has no such plan.
    NoPlan,
    /// The offering is paused: what it sells is not sold at present.
    Paused,
    /// The offering's life is over, or has a date at which it will be.
    Ended,
}

/// What a variant stands for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// One instance a unit.
    Plan {
        /// The slugs it was resolved from.
        wanted: PlanRef,
        /// The pinned version.
        offering_version_id: OfferingVersionId,
        /// The plan of that version.
        plan_id: PlanId,
    },
    /// Credits.
    Pack {
        /// Credits that one unit brings; positive.
        credits: Credits,
    },
}

impl Target {
    /// The kind of line, as declared and shown.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Plan { .. } => PLAN,
            Self::Pack { .. } => PACK,
        }
    }

    fn is_what(&self, declaration: &Declaration) -> bool {
        match (self, declaration) {
            (Self::Plan { wanted, .. }, Declaration::Plan(plan)) => wanted == plan,
            (Self::Pack { credits }, Declaration::Pack(said)) => credits == said,
            _ => false,
        }
    }
}

/// Who made a mapping row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first sight of the variant's metadata.
    Metadata,
    /// An operator, who may also map what declares nothing or can no longer be read.
    Operator,
}

impl Source {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "METADATA",
            Self::Operator => "OPERATOR",
        }
    }
}

/// A mapping row: what a variant of a shop stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What it stands for.
    pub target: Target,
    /// Who said so.
    pub source: Source,
}

const PLAN: &str = "plan";
const PACK: &str = "credit_pack";

/// What a variant's metadata says, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// Nothing of souk's.
    Nothing,
    /// A plan.
    Plan(PlanRef),
    /// A pack of so many credits a unit.
    Pack(Credits),
}

impl Declared {
    /// Understands the metadata. Nothing is guessed: a half-said thing is not mapped.
    ///
    /// # Errors
    /// `LINE_UNMAPPED` when fields are missing or the kind is unknown, `CREDITS_INVALID`.
    pub fn understand(&self) -> Result<Declaration, Parked> {
        let unmapped = |detail: &str| Err(Parked::with(Reason::LineUnmapped, detail));
        match (self.kind.as_deref(), &self.offering, &self.plan) {
            (Some(PLAN), Some(offering), Some(plan)) => {
                Ok(Declaration::Plan(PlanRef { offering: offering.clone(), plan: plan.clone() }))
            }
            (Some(PLAN), ..) => unmapped("a plan needs souk.offering and souk.plan"),
            (Some(PACK), ..) => {
                read_credits(self.credits.as_deref().unwrap_or_default()).map(Declaration::Pack)
            }
            (Some(_), ..) => unmapped("souk.kind is neither plan nor credit_pack"),
            (None, None, None) if self.credits.is_none() => Ok(Declaration::Nothing),
            (None, ..) => unmapped("souk.kind is missing"),
        }
    }
}

fn read_credits(text: &str) -> Result<Credits, Parked> {
    // Digits only, no sign, no leading zero: what a person would read as the same number and nothing else.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let whole: Option<i64> = if plain { text.parse().ok() } else { None };
    whole.and_then(Credits::from_whole).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        Parked::with(Reason::CreditsInvalid, format!("souk.credits is {shown:?}"))
    })
}

/// A line's target, and the row to be written if this is the variant's first sight.
pub type Mapped = (Target, Option<Mapping>);

/// What `line` stands for.
///
/// # Errors
/// Parked, when nothing says it or two things say it differently.
pub fn resolve(
    line: &Line,
    row: Option<&Mapping>,
    catalog: &BTreeMap<PlanRef, Found>,
) -> Result<Mapped, Parked> {
    if !line.has_variant || line.variant_id.is_none() {
        return match row {
            Some(Mapping { target, source: Source::Operator }) => Ok((target.clone(), None)),
            _ => Err(Parked::because(Reason::VariantUnreadable)),
        };
    }
    let declaration = line.declared.understand();
    match row {
        Some(row) => agree(row, declaration).map(|target| (target, None)),
        None => first_sight(declaration?, catalog),
    }
}

fn agree(row: &Mapping, declaration: Result<Declaration, Parked>) -> Result<Target, Parked> {
    let agrees = match (&declaration, row.source) {
        (Ok(Declaration::Nothing), source) => source == Source::Operator,
        (Ok(declaration), _) => row.target.is_what(declaration),
        (Err(_), _) => false,
    };
    if agrees {
        return Ok(row.target.clone());
    }
    let now = match declaration {
        Ok(Declaration::Nothing) => "nothing".to_owned(),
        Ok(Declaration::Plan(plan)) => format!("plan {plan}"),
        Ok(Declaration::Pack(credits)) => format!("{credits} credits"),
        Err(parked) => parked.detail,
    };
    let was = match &row.target {
        Target::Plan { wanted, .. } => format!("plan {wanted}"),
        Target::Pack { credits } => format!("{credits} credits"),
    };
    Err(Parked::with(Reason::MappingChanged, format!("mapped to {was}, the metadata now says {now}")))
}

fn first_sight(declaration: Declaration, catalog: &BTreeMap<PlanRef, Found>) -> Result<Mapped, Parked> {
    let target = match declaration {
        Declaration::Nothing => return Err(Parked::because(Reason::LineUnmapped)),
        Declaration::Pack(credits) => Target::Pack { credits },
        Declaration::Plan(wanted) => match catalog.get(&wanted) {
            Some(&Found::Plan { offering_version_id, plan_id }) => {
                Target::Plan { wanted, offering_version_id, plan_id }
            }
            Some(Found::Paused) => return Err(Parked::with(Reason::OfferingPaused, wanted.to_string())),
            Some(Found::Ended) => return Err(Parked::with(Reason::OfferingEnded, wanted.to_string())),
            Some(Found::NoPlan) => return Err(Parked::with(Reason::PlanUnknown, wanted.to_string())),
            Some(Found::NoOffering) | None => {
                return Err(Parked::with(Reason::OfferingUnknown, wanted.to_string()));
            }
        },
    };
    let row = Mapping { target: target.clone(), source: Source::Metadata };
    Ok((target, Some(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_plain_positive_digits() {
        assert_eq!(read_credits("1000"), Ok(Credits::from_micros(1_000_000_000)));
        let most = (i64::MAX / Credits::MICROS).to_string();
        assert!(read_credits(&most).is_ok());
        let above = (i64::MAX / Credits::MICROS + 1).to_string();
        let huge = "9".repeat(400);
        for text in [
            "", "0", "-5", "+5", " 5", "5 ", "5.0", "1e3", "1_000", "1,000", "0x5", "007", "٣", &above, &huge,
        ] {
            assert_eq!(read_credits(text).unwrap_err().reason, Reason::CreditsInvalid, "{text}");
        }
    }

    #[test]
    fn half_a_declaration_is_not_mapped() {
        let said = |kind: Option<&str>, offering: Option<&str>, plan: Option<&str>, credits: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            Declared {
                kind: text(kind),
                offering: text(offering),
                plan: text(plan),
                credits: text(credits),
                allow_zero_price: false,
            }
            .understand()
        };
        assert_eq!(said(None, None, None, None), Ok(Declaration::Nothing));
        for declared in [
            said(None, Some("a"), Some("b"), None),
            said(None, None, None, Some("5")),
            said(Some("plan"), Some("a"), None, None),
            said(Some("plan"), None, Some("b"), Some("5")),
            said(Some("Plan"), Some("a"), Some("b"), None),
            said(Some("subscription"), Some("a"), Some("b"), None),
        ] {
            assert_eq!(declared.unwrap_err().reason, Reason::LineUnmapped);
        }
        assert_eq!(said(Some("credit_pack"), None, None, None).unwrap_err().reason, Reason::CreditsInvalid);
    }
}
