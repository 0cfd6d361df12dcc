//! The JSON that souk's subscription query gives, field by field. Nothing is understood here.
//!
//! Amounts stay text (`RawValue`). Fields that another query may leave out are optional, so that such a body
//! can be named instead of merely refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Root<'a> {
    #[serde(borrow)]
    pub(super) data: Option<BTreeMap<String, Option<&'a RawValue>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(rename = "__typename")]
    pub(super) typename: Option<String>,
    pub(super) issued_at: Option<String>,
    pub(super) recipient: Option<Recipient>,
    pub(super) order: Option<Order>,
}

#[derive(Deserialize)]
pub(super) struct Recipient {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) number: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) status: Option<String>,
    pub(super) charge_status: Option<String>,
    pub(super) user_email: Option<String>,
    pub(super) user: Option<User>,
    pub(super) channel: Option<Channel>,
    pub(super) private_metadata: Option<Vec<Item>>,
    pub(super) total: Option<Taxed>,
    pub(super) total_charged: Option<Money>,
    pub(super) total_refunded: Option<Money>,
    pub(super) granted_refunds: Option<Vec<Grant>>,
    pub(super) fulfillments: Option<Vec<Fulfillment>>,
    pub(super) lines: Option<Vec<Line>>,
}

impl Order {
    /// The fields without which nothing can be decided.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        [
            ("order.updatedAt", self.updated_at.is_none()),
            ("order.status", self.status.is_none()),
            ("order.chargeStatus", self.charge_status.is_none()),
            // Without these two a refund that was made before the order was first seen would not be seen.
            ("order.grantedRefunds", self.granted_refunds.is_none()),
            ("order.fulfillments", self.fulfillments.is_none()),
            ("order.lines", self.lines.is_none()),
        ]
        .into_iter()
        .filter_map(|(path, missing)| missing.then_some(path))
        .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) external_reference: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Channel {
    pub(super) slug: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
pub(super) struct Taxed {
    pub(super) gross: Option<Money>,
}

#[derive(Deserialize)]
pub(super) struct Money {
    pub(super) amount: Box<RawValue>,
    pub(super) currency: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) amount: Money,
    pub(super) lines: Option<Vec<LineUnits>>,
}

#[derive(Deserialize)]
pub(super) struct Fulfillment {
    pub(super) status: String,
    pub(super) lines: Option<Vec<LineUnits>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LineUnits {
    pub(super) quantity: i64,
    pub(super) order_line: Option<LineRef>,
}

#[derive(Deserialize)]
pub(super) struct LineRef {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) product_name: Option<String>,
    pub(super) product_sku: Option<String>,
    pub(super) product_variant_id: Option<String>,
    pub(super) quantity: i64,
    pub(super) is_gift: Option<bool>,
    pub(super) unit_price: Option<Taxed>,
    pub(super) variant: Option<Variant>,
}

#[derive(Deserialize)]
pub(super) struct Variant {
    pub(super) id: Option<String>,
    pub(super) metadata: Option<Vec<Item>>,
}
