//! Delivery.

use serde_json::{Value, json};
use souk_types::PartName;

use super::{Case, change, read, words};
use crate::world::{World, text};

fn desired(world: &mut World) -> Value {
    let instance = world.instance_id();
    json!({"orgId": world.stage.org, "desired": {
        "instanceId": instance, "orgId": world.stage.org, "projectId": world.home.project,
        "offeringVersionId": world.stock.version, "planSlug": "free", "revision": "1",
        "path": format!("/i/{instance}"), "capabilities": ["chat"], "effectiveConfigJson": "{}",
    }})
}

fn applied(world: &mut World) -> String {
    let ask = desired(world);
    world.part(PartName::Instances, "delivery.Apply", ask.clone());
    world.rest();
    text(&ask, "desired.instanceId")
}

fn count(world: &World, table: &str, instance: &str) -> i64 {
    let question = format!("SELECT COUNT(*) FROM {table} WHERE instance_id = '{instance}'");
    world.tables.number("delivery", &question)
}

pub(super) const CASES: &[Case] = &[
    change(
        "delivery.Apply",
        |world, _| desired(world),
        |world, done| count(world, "applied", &text(done.ask, "desired.instanceId")) == 1,
    ),
    read(
        "delivery.GetApplied",
        |world, _| json!({"instanceId": applied(world)}),
        |_, _, ask| words(ask, &["instanceId"]),
    ),
    change(
        "delivery.Remove",
        |world, _| {
            let instance = applied(world);
            json!({"orgId": world.stage.org, "instanceId": instance, "revision": "2"})
        },
        |world, done| {
            let instance = text(done.ask, "instanceId");
            let question = "SELECT COUNT(*) FROM outbox WHERE kind = 'souk.delivery.v1.InstanceRemoved'
                            AND aggregate_id = ";
            world.tables.number("delivery", &format!("{question}'{instance}'")) == 1
        },
    ),
    read(
        "delivery.WatchApplied",
        |world, _| {
            applied(world);
            json!({})
        },
        |_, _, _| vec!["contentHash".to_owned()],
    ),
];
