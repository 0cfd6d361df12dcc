//! Requests into commands; everything wrong with one is said at once.

use souk_kit::wire::{self, Check};
use souk_proto::souk::commerce::v1::{
    AddShopRequest, BuyerLinkKind, IngestOrderSnapshotRequest, LinkBuyerRequest, MapVariantRequest,
    ReplayOrderRequest, SnapshotLine, map_variant_request::Target,
};
use souk_types::{Credits, Fault, Time, id::ShopId};

use crate::{
    error::DOMAIN,
    model::{
        Snapshot,
        command::{AddShop, Ingest, LinkBuyer, MapVariant, News, ReplayOrder, Wish},
        owner::{BuyerKey, LinkKind},
        snapshot::{Buyer, Declared, Line, Totals},
    },
};

/// The longest value that a link or a mapping is found by, in characters: what a snapshot keeps of one.
const MAX_VALUE: usize = 500;

fn maybe(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn value(check: &mut Check, field: &str, text: String) -> Option<String> {
    check.require(!text.is_empty(), field, "required");
    let fits = text.chars().count() <= MAX_VALUE && !text.contains('\0');
    check.require(fits, field, "at most 500 characters, no NUL");
    Some(text)
}

pub(crate) fn add_shop(ask: AddShopRequest) -> Result<AddShop, Fault> {
    let mut check = Check::default();
    let fallback_project_id = check.parse_optional("fallback_project_id", &ask.fallback_project_id);
    let api_url = value(&mut check, "api_url", ask.api_url).unwrap_or_default();
    check.require(ask.app_id.len() <= MAX_VALUE, "app_id", "at most 500 characters");
    let command =
        AddShop { api_url, jwks_json: maybe(ask.jwks_json), app_id: maybe(ask.app_id), fallback_project_id };
    check.done(DOMAIN, Some(command))
}

pub(crate) fn shop_filter(shop_id: &str) -> Result<Option<ShopId>, Fault> {
    let mut check = Check::default();
    let shop_id = check.parse_optional("shop_id", shop_id);
    check.done(DOMAIN, Some(shop_id))
}

pub(crate) fn link_buyer(ask: LinkBuyerRequest) -> Result<LinkBuyer, Fault> {
    let mut check = Check::default();
    let kind = match ask.kind() {
        BuyerLinkKind::OrgRef => Some(LinkKind::OrgRef),
        BuyerLinkKind::External => Some(LinkKind::External),
        BuyerLinkKind::User => Some(LinkKind::User),
        BuyerLinkKind::Unspecified => None,
    };
    check.require(kind.is_some(), "kind", "required: ORG_REF, EXTERNAL or USER");
    let shop_id = check.parse("shop_id", &ask.shop_id);
    let project_id = check.parse("project_id", &ask.project_id);
    let value = value(&mut check, "value", ask.value);
    let command = (|| {
        Some(LinkBuyer {
            shop_id: shop_id?,
            key: BuyerKey { kind: kind?, value: value? },
            project_id: project_id?,
        })
    })();
    check.done(DOMAIN, command)
}

pub(crate) fn map_variant(ask: MapVariantRequest) -> Result<MapVariant, Fault> {
    let mut check = Check::default();
    let shop_id = check.parse("shop_id", &ask.shop_id);
    let variant_id = value(&mut check, "variant_id", ask.variant_id);
    let wish = match ask.target {
        Some(Target::Plan(plan)) => {
            let version = check.parse("plan.offering_version_id", &plan.offering_version_id);
            let plan_id = check.parse("plan.plan_id", &plan.plan_id);
            version
                .zip(plan_id)
                .map(|(offering_version_id, plan_id)| Wish::Plan { offering_version_id, plan_id })
        }
        Some(Target::Credits(credits)) => {
            check.require(credits.amount_micros > 0, "credits.amount_micros", "must be more than zero");
            Some(Wish::Credits(Credits::from_micros(credits.amount_micros)))
        }
        None => {
            check.note("target", "required: plan or credits");
            None
        }
    };
    let command = (|| Some(MapVariant { shop_id: shop_id?, variant_id: variant_id?, wish: wish? }))();
    check.done(DOMAIN, command)
}

pub(crate) fn replay_order(ask: &ReplayOrderRequest) -> Result<ReplayOrder, Fault> {
    let mut check = Check::default();
    let order_id = check.parse("order_id", &ask.order_id);
    check.done(DOMAIN, order_id.map(|order_id| ReplayOrder { order_id }))
}

pub(crate) fn ingest(ask: IngestOrderSnapshotRequest) -> Result<Ingest, Fault> {
    let mut check = Check::default();
    let shop_id = check.parse("shop_id", &ask.shop_id);
    let snapshot = ask.snapshot.unwrap_or_default();
    let body_hash = snapshot.body_hash.clone();
    check.require(!snapshot.external_id.is_empty(), "snapshot.external_id", "required");
    let news = match snapshot.update_time {
        None => News::Incomplete { external_id: snapshot.external_id, number: snapshot.number },
        Some(update_time) => {
            let updated_at = time(&mut check, "snapshot.update_time", update_time);
            let issued_at = snapshot.issue_time.map(|at| time(&mut check, "snapshot.issue_time", at));
            let lines = snapshot.lines.into_iter().enumerate();
            News::Complete(Box::new(Snapshot {
                order_id: snapshot.external_id,
                number: snapshot.number,
                updated_at,
                issued_at,
                status: snapshot.status.into(),
                charge_status: snapshot.charge_status.into(),
                buyer: Buyer {
                    user_id: maybe(snapshot.buyer_id),
                    email: maybe(snapshot.buyer_email),
                    external_reference: maybe(snapshot.buyer_external_reference),
                },
                org_ref: maybe(snapshot.org_reference),
                channel: maybe(snapshot.channel),
                totals: Totals { currency: maybe(snapshot.currency), ..Totals::default() },
                lines: lines.map(|(at, stated)| line(&mut check, at, stated)).collect(),
            }))
        }
    };
    check.done(DOMAIN, shop_id.map(|shop_id| Ingest { shop_id, body_hash, news }))
}

fn time(check: &mut Check, field: &str, at: prost_types::Timestamp) -> Time {
    let time = wire::time(at);
    check.require(time.is_some(), field, "out of range");
    time.unwrap_or_default()
}

fn line(check: &mut Check, at: usize, stated: SnapshotLine) -> Line {
    check.require(!stated.line_id.is_empty(), &format!("snapshot.lines[{at}].line_id"), "required");
    let unit_price = check.parse_optional(&format!("snapshot.lines[{at}].unit_price"), &stated.unit_price);
    Line {
        line_id: stated.line_id,
        variant_id: maybe(stated.variant_id),
        has_variant: !stated.variant_unreadable,
        sku: maybe(stated.sku),
        product_name: maybe(stated.product_name),
        quantity: i64::from(stated.quantity),
        refunded_quantity: i64::from(stated.refunded_quantity),
        unit_price,
        is_gift: stated.is_gift,
        declared: Declared {
            kind: maybe(stated.declared_kind),
            offering: maybe(stated.declared_offering),
            plan: maybe(stated.declared_plan),
            credits: maybe(stated.declared_credits),
            allow_zero_price: stated.allow_zero_price,
        },
    }
}
