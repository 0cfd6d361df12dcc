//! An order event's JSON, read into a [`Snapshot`].
//!
//! Money is read from the number's own text, never through a float. Of metadata only what staff or the
//! storefront's backend wrote is read: the order's private metadata and the variant's metadata.

mod wire;

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use souk_types::Time;

use crate::{
    Error,
    model::{
        Amount, Snapshot,
        snapshot::{Buyer, ChargeStatus, Declared, Line, Totals},
    },
};

/// The longest id that is taken, in bytes. Request ids are made of two of them and hold 255.
const MAX_ID: usize = 100;
/// The longest other text that is kept, in characters.
const MAX_TEXT: usize = 500;
/// The most lines that are taken.
const MAX_LINES: usize = 1000;

/// A verified delivery's body, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the body says it is, `OrderFullyPaid`.
    pub typename: String,
    /// When it was rendered.
    pub issued_at: Option<Time>,
    /// The app that it was made for, as the shop's id.
    pub recipient: Option<String>,
    /// The order.
    pub order: Reading,
}

/// An order event's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All that is needed.
    Complete(Box<Snapshot>),
    /// Rendered by another query than souk's: the delivery is kept and parked `SNAPSHOT_INCOMPLETE`.
    Incomplete {
        /// The shop's id of the order.
        order_id: String,
        /// The number that people know the order by, if it is there.
        number: Option<String>,
        /// What is missing, as paths of the query.
        missing: Vec<&'static str>,
    },
}

impl Event {
    /// Reads a body whose signature was checked.
    ///
    /// # Errors
    /// `PAYLOAD_UNREADABLE` when it is not an order event.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(body).map_err(|_| Error::unreadable("it is not UTF-8"))?;
        if text.trim_start().starts_with('[') {
            return Err(Error::unreadable("it is a payload of a webhook without a subscription query"));
        }
        let root: wire::Root<'_> = json(text)?;
        match root.data {
            None => Self::of(json(text)?),
            Some(data) => {
                let mut fields = data.into_values().flatten();
                match (fields.next(), fields.next()) {
                    (Some(event), None) => Self::of(json(event.get())?),
                    _ => Err(Error::unreadable("its data does not hold exactly one event")),
                }
            }
        }
    }

    fn of(event: wire::Event) -> Result<Self, Error> {
        let Some(typename) = event.typename else {
            return Err(Error::unreadable("it does not name its event: __typename is missing"));
        };
        let Some(order) = event.order else {
            return Err(Error::unreadable("it carries no order"));
        };
        let issued_at = event.issued_at.as_deref().map(time).transpose()?;
        Ok(Self {
            typename,
            issued_at,
            recipient: event.recipient.map(|app| app.id),
            order: read_order(order, issued_at)?,
        })
    }

    /// Checks the body against what is not signed: the event header, and the app that we are.
    ///
    /// # Errors
    /// `EVENT_MISMATCH`. Without an `app_id` the recipient is not compared.
    pub fn check(&self, event_header: &str, app_id: Option<&str>) -> Result<(), Error> {
        let named = header_name(&self.typename);
        if named != event_header {
            let found = event_header.chars().take(100).collect();
            return Err(Error::EventMismatch { what: "event", found, expected: named });
        }
        match (app_id, self.recipient.as_deref()) {
            (Some(app_id), recipient) if recipient != Some(app_id) => Err(Error::EventMismatch {
                what: "recipient",
                found: recipient.unwrap_or("nobody").chars().take(100).collect(),
                expected: app_id.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// The header's name of an event type: `OrderFullyPaid` is `order_fully_paid`.
fn header_name(typename: &str) -> String {
    let mut name = String::with_capacity(typename.len() + 4);
    for letter in typename.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::unreadable(error.to_string()))
}

fn time(text: &str) -> Result<Time, Error> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|time| Time::from_micros(time.timestamp_micros()))
        .map_err(|_| Error::unreadable("a time in it is not one"))
}

fn amount(number: &RawValue) -> Result<Amount, Error> {
    number.get().parse().map_err(|_| Error::unreadable("an amount in it is not a decimal number"))
}

/// Ids become parts of request ids, with colons between them.
fn id(text: String) -> Result<String, Error> {
    let fits = (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if fits { Ok(text) } else { Err(Error::unreadable("an id in it is not one that Saleor makes")) }
}

/// Free text as it is kept: not endless, and without NUL, which PostgreSQL cannot hold. Empty is absent.
fn text(text: Option<String>) -> Option<String> {
    let text: String = text?.chars().filter(|letter| *letter != '\0').take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

/// A text that is compared, and so must not be cut: one that is too long counts as absent.
fn exact(given: Option<String>) -> Option<String> {
    given.filter(|text| text.chars().count() <= MAX_TEXT && !text.contains('\0') && !text.is_empty())
}

fn look_up(metadata: &[wire::Item], key: &str) -> Option<String> {
    exact(metadata.iter().find(|item| item.key == key).map(|item| item.value.clone()))
}

fn read_order(order: wire::Order, issued_at: Option<Time>) -> Result<Reading, Error> {
    let order_id = id(order.id.clone())?;
    let missing = order.missing();
    let number = text(order.number.clone());
    let (Some(updated_at), Some(status), Some(charge), Some(lines)) =
        (&order.updated_at, &order.status, &order.charge_status, &order.lines)
    else {
        return Ok(Reading::Incomplete { order_id, number, missing });
    };
    if !missing.is_empty() {
        return Ok(Reading::Incomplete { order_id, number, missing });
    }
    let charge_status = ChargeStatus::from(text(Some(charge.clone())).unwrap_or_default());
    let refunds = Refunds::of(&order, &charge_status)?;
    Ok(Reading::Complete(Box::new(Snapshot {
        number: number.unwrap_or_default(),
        updated_at: time(updated_at)?,
        issued_at,
        status: text(Some(status.clone())).unwrap_or_default().into(),
        charge_status,
        buyer: buyer(&order),
        org_ref: look_up(order.private_metadata.as_deref().unwrap_or_default(), "souk.org_id"),
        channel: text(order.channel.as_ref().and_then(|channel| channel.slug.clone())),
        totals: totals(&order)?,
        lines: read_lines(lines, &refunds)?,
        order_id,
    })))
}

fn buyer(order: &wire::Order) -> Buyer {
    let user = order.user.as_ref();
    Buyer {
        user_id: exact(user.and_then(|user| user.id.clone())),
        email: text(order.user_email.clone().or_else(|| user.and_then(|user| user.email.clone()))),
        external_reference: exact(user.and_then(|user| user.external_reference.clone())),
    }
}

fn totals(order: &wire::Order) -> Result<Totals, Error> {
    let money = |money: &Option<wire::Money>| money.as_ref().map(|money| amount(&money.amount)).transpose();
    let gross = order.total.as_ref().and_then(|total| total.gross.as_ref());
    Ok(Totals {
        currency: text(gross.and_then(|gross| gross.currency.clone())),
        gross: gross.map(|gross| amount(&gross.amount)).transpose()?,
        charged: money(&order.total_charged)?,
        refunded: money(&order.total_refunded)?,
    })
}

fn read_lines(lines: &[wire::Line], refunds: &Refunds) -> Result<Vec<Line>, Error> {
    if lines.len() > MAX_LINES {
        return Err(Error::unreadable(format!("it has more than {MAX_LINES} lines")));
    }
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(lines.len());
    for line in lines {
        let line = read_line(line, refunds)?;
        if !seen.insert(line.line_id.clone()) {
            return Err(Error::unreadable("two of its lines have one id"));
        }
        read.push(line);
    }
    Ok(read)
}

fn read_line(line: &wire::Line, refunds: &Refunds) -> Result<Line, Error> {
    let variant = line.variant.as_ref();
    let variant_id =
        exact(line.product_variant_id.clone()).or_else(|| exact(variant.and_then(|it| it.id.clone())));
    let metadata = variant.and_then(|variant| variant.metadata.as_deref());
    let price = line.unit_price.as_ref().and_then(|price| price.gross.as_ref());
    let line_id = id(line.id.clone())?;
    Ok(Line {
        // A variant without its metadata is as good as unread: empty metadata arrives as an empty list.
        has_variant: metadata.is_some(),
        declared: metadata.map(declared).unwrap_or_default(),
        variant_id,
        sku: text(line.product_sku.clone()),
        product_name: text(line.product_name.clone()),
        quantity: line.quantity,
        refunded_quantity: refunds.of_line(&line_id),
        unit_price: price.map(|price| amount(&price.amount)).transpose()?,
        is_gift: line.is_gift.unwrap_or(false),
        line_id,
    })
}

fn declared(metadata: &[wire::Item]) -> Declared {
    Declared {
        kind: look_up(metadata, "souk.kind"),
        offering: look_up(metadata, "souk.offering"),
        plan: look_up(metadata, "souk.plan"),
        credits: look_up(metadata, "souk.credits"),
        allow_zero_price: look_up(metadata, "souk.allow_zero_price").as_deref() == Some("true"),
    }
}

/// Units paid back or returned, by line.
struct Refunds(std::collections::BTreeMap<String, i64>);

impl Refunds {
    /// A granted refund counts once money moved for it: what was paid back covers it, or nothing is charged
    /// any more. Several grants are covered smallest first, so that their order means nothing.
    fn of(order: &wire::Order, charge: &ChargeStatus) -> Result<Self, Error> {
        let mut refunds = Self(std::collections::BTreeMap::new());
        let paid_back = match &order.total_refunded {
            Some(money) => amount(&money.amount)?,
            None => Amount::ZERO,
        };
        let mut grants = Vec::new();
        for grant in order.granted_refunds.as_deref().unwrap_or_default() {
            grants.push((
                amount(&grant.amount.amount)?,
                &grant.id,
                grant.lines.as_deref().unwrap_or_default(),
            ));
        }
        grants.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
        let mut sum = Amount::ZERO;
        for (granted, _, lines) in grants {
            sum = sum.plus(granted).ok_or_else(|| Error::unreadable("its refunds do not add up"))?;
            if sum <= paid_back || *charge == ChargeStatus::None {
                refunds.add(lines);
            }
        }
        for fulfillment in order.fulfillments.as_deref().unwrap_or_default() {
            if matches!(fulfillment.status.as_str(), "REFUNDED" | "RETURNED" | "REFUNDED_AND_RETURNED") {
                refunds.add(fulfillment.lines.as_deref().unwrap_or_default());
            }
        }
        Ok(refunds)
    }

    fn add(&mut self, lines: &[wire::LineUnits]) {
        for line in lines {
            if let Some(order_line) = &line.order_line {
                let units = self.0.entry(order_line.id.clone()).or_insert(0);
                *units = units.saturating_add(line.quantity.max(0));
            }
        }
    }

    fn of_line(&self, line_id: &str) -> i64 {
        self.0.get(line_id).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
