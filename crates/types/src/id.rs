//! Typed ids: a prefix that names the kind and a UUIDv7 in lower-case Crockford base32.
//!
//! An id is 128 bits and `Copy`; the text form (`ins_01jd…`, 26 characters after the prefix) is what
//! stands on the wire, in tables and in Git. Text order equals time order.

use std::{fmt, str::FromStr};

use crate::clock::{Random, Time};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BODY: usize = 26;

/// Why a text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ followed by 26 lower-case base32 characters")]
pub struct BadId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// Makes the 128 bits of a UUIDv7 from the injected time and randomness.
#[must_use]
pub fn uuid_v7(now: Time, random: &dyn Random) -> u128 {
    let millis = u64::try_from(now.micros().max(0) / 1000).unwrap_or(0);
    let mut entropy = [0_u8; 10];
    random.fill(&mut entropy);
    uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid().as_u128()
}

fn encode(bits: u128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0_u8; BODY];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        let digit = usize::from(u8::try_from(rest & 31).unwrap_or(0));
        *slot = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    out.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

fn decode(text: &str) -> Option<u128> {
    // 26 × 5 = 130 bits: the first character carries only three.
    if text.len() != BODY || text.as_bytes().first().is_none_or(|first| *first > b'7') {
        return None;
    }
    text.bytes().try_fold(0_u128, |bits, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some((bits << 5) | u128::try_from(digit).ok()?)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a new id from the injected time and randomness.
            #[must_use]
            pub fn new(now: Time, random: &dyn Random) -> Self {
                Self(uuid_v7(now, random))
            }

            /// Makes the id that always belongs to these 128 bits (names derived from another id).
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits.
            #[must_use]
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!($prefix, "_"))?;
                encode(self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(BadId { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// An organisation: the tenant.
    OrgId = "org";
    /// A project of an organisation.
    ProjectId = "prj";
    /// A team of an organisation.
    TeamId = "tem";
    /// A person.
    UserId = "usr";
    /// An invitation into an organisation.
    InvitationId = "inv";
    /// A stable product of the catalogue.
    OfferingId = "off";
    /// An immutable release of an offering.
    OfferingVersionId = "ofv";
    /// A price with entitlements.
    PlanId = "pln";
    /// A tenant's activation of an offering version.
    InstanceId = "ins";
    /// One execution.
    RunId = "run";
    /// An organisation's wallet.
    WalletId = "wlt";
    /// Credits with a source, a priority and perhaps an expiry.
    LotId = "lot";
    /// Credits authorized and not yet settled.
    ReservationId = "rsv";
    /// One line of the ledger.
    LedgerEntryId = "ent";
    /// The receipt of a settle.
    ReceiptId = "rcp";
    /// A connector's secret, by reference.
    BindingId = "bnd";
    /// A knowledge base.
    KbId = "kb";
    /// A document of a knowledge base.
    DocumentId = "doc";
    /// An upload session.
    UploadId = "upl";
    /// An ingestion of a document.
    IngestionId = "ing";
    /// An order as souk knows it.
    OrderId = "ord";
    /// A shop that sells.
    ShopId = "shp";
    /// An API key.
    ApiKeyId = "key";
    /// An event.
    EventId = "evt";
    /// A store run for a tenant.
    StoreId = "str";
    /// An allow-listed pipeline package.
    PackageId = "pkg";
    /// One run of a pipeline.
    PipelineRunId = "plr";
    /// A registered model.
    ModelId = "mdl";
    /// An immutable version of a model.
    ModelVersionId = "mdv";
    /// A served model version.
    DeploymentId = "dep";
    /// A person's signed-in session.
    SessionId = "ses";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Random for Ones {
        fn fill(&self, out: &mut [u8]) {
            out.fill(0xff);
        }
    }

    #[test]
    fn text_form_round_trips() {
        let id = InstanceId::new(Time::from_micros(1_763_700_000_000_000), &Ones);
        let text = id.to_string();
        assert!(text.starts_with("ins_"), "{text}");
        assert_eq!(text.len(), 4 + BODY);
        assert_eq!(text.parse::<InstanceId>(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    }

    #[test]
    fn other_kinds_and_bad_letters_are_refused() {
        for text in [
            "",
            "ins_",
            "org_00000000000000000000000000",
            "ins_0000000000000000000000000",
            "ins_0000000000000000000000000u",
            "ins_80000000000000000000000000",
            "INS_00000000000000000000000000",
        ] {
            assert_eq!(text.parse::<InstanceId>(), Err(BadId { prefix: "ins" }), "{text}");
        }
    }

    #[test]
    fn text_order_is_time_order() {
        let early = RunId::new(Time::from_micros(1_000_000), &Ones).to_string();
        let late = RunId::new(Time::from_micros(2_000_000), &Ones).to_string();
        assert!(early < late);
    }
}
