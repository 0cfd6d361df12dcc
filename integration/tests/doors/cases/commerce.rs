//! Commerce.

use serde_json::json;

use super::{Case, change, read};
use crate::world::{World, text};

/// Whether one row of commerce's tables is so.
fn one(world: &World, table: &str, condition: &str) -> bool {
    world.tables.number("commerce", &format!("SELECT COUNT(*) FROM {table} WHERE {condition}")) == 1
}

pub(super) const CASES: &[Case] = &[
    change(
        "commerce.AddShop",
        |world, _| world.shop_ask(),
        |world, done| one(world, "shop", &format!("api_url = '{}'", text(done.ask, "apiUrl"))),
    ),
    change(
        "commerce.IngestOrderSnapshot",
        |world, _| {
            let (shop, slug) = (world.shop(), world.stock.slug.clone());
            world.snapshot(&shop, &slug)
        },
        |world, done| {
            let order = text(done.answer, "orderId");
            one(world, "order_line", &format!("order_id = '{order}' AND state = 'DONE'"))
        },
    ),
    change(
        "commerce.LinkBuyer",
        |world, _| {
            let (shop, value) = (world.shop(), world.fresh("buyer"));
            let kind = "BUYER_LINK_KIND_USER";
            json!({"shopId": shop, "kind": kind, "value": value, "projectId": world.home.project})
        },
        |world, done| one(world, "buyer_link", &format!("value = '{}'", text(done.ask, "value"))),
    ),
    read(
        "commerce.ListOrders",
        |world, _| {
            world.parked_order();
            json!({"parked": true})
        },
        |world, _, _| world.tables.texts("commerce", "SELECT id FROM shop_order ORDER BY id DESC LIMIT 1"),
    ),
    read(
        "commerce.ListShops",
        |world, _| {
            world.shop();
            json!({"pageSize": 1000})
        },
        |world, _, _| world.tables.texts("commerce", "SELECT id FROM shop"),
    ),
    change(
        "commerce.MapVariant",
        |world, _| {
            let (shop, variant) = (world.shop(), world.fresh("variant"));
            json!({"shopId": shop, "variantId": variant, "credits": {"amountMicros": "1000000"}})
        },
        |world, done| one(world, "mapping", &format!("variant_id = '{}'", text(done.ask, "variantId"))),
    ),
    change(
        "commerce.ReplayOrder",
        |world, _| {
            let (order, slug) = world.parked_order();
            let product = json!({"slug": slug, "displayName": "Came later"});
            let made = world.must(crate::world::Who::Operator, "catalog.CreateOffering", product);
            world.published(text(&made, "offering.offeringId"), slug, "echo");
            json!({"orderId": order})
        },
        |world, done| {
            let order = text(done.ask, "orderId");
            one(world, "order_line", &format!("order_id = '{order}' AND state = 'DONE'"))
        },
    ),
];
