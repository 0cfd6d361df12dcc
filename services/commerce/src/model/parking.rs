//! Why a line or a delivery is parked: kept, visible to an operator, acted on only after somebody mends it.
//!
//! The names are stored and shown; like `souk_types::Reason` they are stable for ever.

use std::{fmt, str::FromStr};

macro_rules! reasons {
    ($($name:ident = $text:literal, $what:literal, $remedy:literal;)+) => {
        /// Why something is parked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $what] $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name, as stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What is the matter, in one clause.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }

            /// What to do about it, in one sentence.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }

        impl FromStr for Reason {
            type Err = UnknownReason;
            fn from_str(text: &str) -> Result<Self, UnknownReason> {
                match text { $($text => Ok(Self::$name),)+ other => Err(UnknownReason(other.to_owned())) }
            }
        }
    };
}

/// No parking reason has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no parking reason is called {0:?}")]
pub struct UnknownReason(pub String);

reasons! {
    OwnerUnknown = "OWNER_UNKNOWN", "no link says which project the buyer's orders belong to", "Link the buyer to a project (souk shop link), or give the shop a fallback project, then replay the order.";
    LineUnmapped = "LINE_UNMAPPED", "nothing says what souk should provision for the variant", "Ignore it if souk has nothing to do with the product; else set souk.kind and its fields in the variant's metadata, or map the variant, then replay the order.";
    MappingChanged = "MAPPING_CHANGED", "the variant's metadata no longer says what the variant was mapped to", "Put the metadata back, or map the variant anew if it now means something else, then replay the order.";
    SnapshotIncomplete = "SNAPSHOT_INCOMPLETE", "the event does not carry what souk's query asks for", "Install the subscription query from /saleor/manifest, then let the shop send the order again.";
    VariantUnreadable = "VARIANT_UNREADABLE", "the variant of the line was deleted or may not be read", "Install the subscription query from /saleor/manifest unchanged; if the variant was deleted, map it by its id, then replay the order.";
    ZeroPricePack = "ZERO_PRICE_PACK", "credits would be given for nothing", "Set souk.allow_zero_price to true in the variant's metadata if that is meant, then replay the order.";
    GiftLine = "GIFT_LINE", "the line is a gift that nobody paid for", "Set souk.allow_zero_price to true in the variant's metadata if that is meant, then replay the order.";
    CreditsInvalid = "CREDITS_INVALID", "souk.credits is not a positive whole number, or the total is more than a wallet can hold", "Put the number of credits a unit brings into souk.credits, digits only, then replay the order.";
    OfferingUnknown = "OFFERING_UNKNOWN", "no published offering has the slug in souk.offering", "Publish the offering or mend the slug, then replay the order.";
    PlanUnknown = "PLAN_UNKNOWN", "the newest published version of the offering has no plan with the slug in souk.plan", "Publish a version with the plan or mend the slug, then replay the order.";
    OfferingPaused = "OFFERING_PAUSED", "the offering in souk.offering is paused", "Nothing: the line goes on within minutes of the offering's resumption; replay the order to have that at once.";
    OfferingEnded = "OFFERING_ENDED", "the offering in souk.offering is not sold any more", "Map the variant to a plan of another offering, or pay the line back, then replay the order.";
    TooManyUnits = "TOO_MANY_UNITS", "the line asks for more instances than one line may bring", "Check the order with the shop; raise the limit of units a line if it is meant, then replay the order.";
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Parked, why, and what exactly was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Why.
    pub reason: Reason,
    /// What was found, for the operator; empty where the reason says it all.
    pub detail: String,
}

impl Parked {
    /// Parked for a reason that says it all.
    #[must_use]
    pub const fn because(reason: Reason) -> Self {
        Self { reason, detail: String::new() }
    }

    /// Parked, with what was found.
    pub fn with(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_every_reason_has_a_remedy() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert!(reason.remedy().ends_with('.') && !reason.what().ends_with('.'), "{reason}");
        }
        assert!("OWNER_UNKNOWN ".parse::<Reason>().is_err());
    }
}
