//! An order as its shop stated it at one moment, in souk's words.
//!
//! Only what a customer cannot write stands here: order and line *public* metadata never enter.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use souk_types::Time;

use super::amount::Amount;

macro_rules! statuses {
    ($(#[$doc:meta])* $kind:ident { $($(#[$note:meta])* $name:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $kind {
            $($(#[$note])* $name,)+
            /// One that souk does not know.
            Other(String),
        }

        impl $kind {
            /// The shop's own word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$name => $text,)+ Self::Other(text) => text }
            }
        }

        impl From<String> for $kind {
            fn from(text: String) -> Self {
                match text.as_str() { $($text => Self::$name,)+ _ => Self::Other(text) }
            }
        }

        impl From<$kind> for String {
            fn from(status: $kind) -> Self {
                status.as_str().to_owned()
            }
        }
    };
}

statuses! {
    /// How far the order is.
    Status {
        /// Being written by staff.
        Draft = "DRAFT",
        /// Placed, waits for staff.
        Unconfirmed = "UNCONFIRMED",
        /// Nothing fulfilled yet.
        Unfulfilled = "UNFULFILLED",
        /// Some lines fulfilled.
        PartiallyFulfilled = "PARTIALLY_FULFILLED",
        /// All lines fulfilled.
        Fulfilled = "FULFILLED",
        /// Some units came back.
        PartiallyReturned = "PARTIALLY_RETURNED",
        /// All units came back.
        Returned = "RETURNED",
        /// Cancelled by staff.
        Canceled = "CANCELED",
        /// Never paid in time.
        Expired = "EXPIRED",
    }
}

statuses! {
    /// How much of the total is charged at present.
    ChargeStatus {
        /// Nothing, or nothing any more.
        None = "NONE",
        /// Less than the total.
        Partial = "PARTIAL",
        /// The total.
        Full = "FULL",
        /// More than the total.
        Overcharged = "OVERCHARGED",
    }
}

/// Who bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Buyer {
    /// The shop's id of the signed-in user; `None` for a guest.
    pub user_id: Option<String>,
    /// The address the order was placed with.
    pub email: Option<String>,
    /// What staff or the identity provider wrote on the user: the subject at the provider.
    pub external_reference: Option<String>,
}

/// The order's sums, for people to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// ISO 4217 code of all amounts of the order.
    pub currency: Option<String>,
    /// What the order costs, with tax.
    pub gross: Option<Amount>,
    /// What is charged at present.
    pub charged: Option<Amount>,
    /// What was paid back.
    pub refunded: Option<Amount>,
}

/// What the variant's metadata (written by staff only) says the line is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Declared {
    /// `souk.kind`: `plan` or `credit_pack`.
    pub kind: Option<String>,
    /// `souk.offering`: the offering's slug.
    pub offering: Option<String>,
    /// `souk.plan`: the plan's slug.
    pub plan: Option<String>,
    /// `souk.credits`: credits one unit brings, as written.
    pub credits: Option<String>,
    /// `souk.allow_zero_price` is `true`.
    pub allow_zero_price: bool,
}

/// One line of the order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// The shop's id of the line.
    pub line_id: String,
    /// The shop's id of the variant; kept by the order when the variant is gone.
    pub variant_id: Option<String>,
    /// Whether the variant could be read when the event was rendered. If not, `declared` is empty.
    pub has_variant: bool,
    /// The stock keeping unit, for people to read.
    pub sku: Option<String>,
    /// The product's name, for people to read.
    pub product_name: Option<String>,
    /// Units ordered.
    pub quantity: i64,
    /// Units paid back or returned.
    pub refunded_quantity: i64,
    /// Price of one unit after discounts, with tax.
    pub unit_price: Option<Amount>,
    /// Added by a promotion, not by the buyer.
    pub is_gift: bool,
    /// What staff say the variant is.
    pub declared: Declared,
}

impl Line {
    /// Units that are bought and not paid back.
    #[must_use]
    pub fn units(&self) -> i64 {
        self.quantity.max(0).saturating_sub(self.refunded_quantity.max(0)).max(0)
    }
}

/// An order as its shop stated it at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The shop's id of the order.
    pub order_id: String,
    /// The number that people know the order by.
    pub number: String,
    /// When the order last changed: its version.
    pub updated_at: Time,
    /// When the event was rendered; orders snapshots of one version.
    pub issued_at: Option<Time>,
    /// How far it is.
    pub status: Status,
    /// How much of it is charged.
    pub charge_status: ChargeStatus,
    /// Who bought.
    pub buyer: Buyer,
    /// The org reference that the storefront's backend wrote into private metadata.
    pub org_ref: Option<String>,
    /// Slug of the sales channel.
    pub channel: Option<String>,
    /// The sums.
    pub totals: Totals,
    /// The lines; their order means nothing.
    pub lines: Vec<Line>,
}

/// SHA-256 over what a snapshot says, when it was rendered left out, so that two renderings of one state
/// are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// 64 lower-case hex digits.
    #[must_use]
    pub fn hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads what [`Digest::hex`] wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }
}

impl Snapshot {
    /// Ids of the variants that the lines name.
    #[must_use]
    pub fn variant_ids(&self) -> BTreeSet<String> {
        self.lines.iter().filter_map(|line| line.variant_id.clone()).collect()
    }

    /// The lines by id: the order in which they are judged.
    #[must_use]
    pub fn sorted_lines(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|one, other| one.line_id.cmp(&other.line_id));
        lines
    }

    /// What it says, in 32 bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut sum = Sum(Sha256::new());
        sum.text(&self.order_id);
        sum.text(&self.number);
        sum.text(&self.updated_at.micros().to_string());
        sum.text(self.status.as_str());
        sum.text(self.charge_status.as_str());
        sum.maybe(self.buyer.user_id.as_deref());
        sum.maybe(self.buyer.email.as_deref());
        sum.maybe(self.buyer.external_reference.as_deref());
        sum.maybe(self.org_ref.as_deref());
        sum.maybe(self.channel.as_deref());
        sum.maybe(self.totals.currency.as_deref());
        for amount in [self.totals.gross, self.totals.charged, self.totals.refunded] {
            sum.amount(amount);
        }
        for line in self.sorted_lines() {
            sum.line(line);
        }
        sum.close()
    }
}

/// Feeds a hash so that no two different snapshots feed it the same bytes: every text has its length.
struct Sum(Sha256);

impl Sum {
    fn text(&mut self, text: &str) {
        self.0.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        self.text(text.unwrap_or_default());
    }

    fn amount(&mut self, amount: Option<Amount>) {
        self.maybe(amount.map(|amount| amount.to_string()).as_deref());
    }

    fn line(&mut self, line: &Line) {
        self.text(&line.line_id);
        self.maybe(line.variant_id.as_deref());
        self.maybe(line.sku.as_deref());
        self.maybe(line.product_name.as_deref());
        self.text(&line.quantity.to_string());
        self.text(&line.refunded_quantity.to_string());
        self.amount(line.unit_price);
        self.0.update([u8::from(line.has_variant), u8::from(line.is_gift)]);
        let declared = &line.declared;
        for text in [&declared.kind, &declared.offering, &declared.plan, &declared.credits] {
            self.maybe(text.as_deref());
        }
        self.0.update([u8::from(declared.allow_zero_price)]);
    }

    fn close(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}
