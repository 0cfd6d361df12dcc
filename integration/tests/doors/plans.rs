//! What a plan needs before it is had: people take self-service plans; the others come from a shop.

use serde_json::json;
use souk_types::PartName;

use crate::world::{Who, World};

#[test]
fn people_take_self_service_plans_only() {
    let mut world = World::new();
    let offering = world.stock.clone();
    let ask = json!({
        "projectId": world.home.project, "offeringVersionId": offering.version, "planId": offering.paid,
    });
    let before = world.tables.dump();
    for who in [Who::Admin, Who::Operator] {
        let no = world.call(who, "instances.CreateInstance", ask.clone()).expect_err("it must be bought");
        assert_eq!(no.reason, "PLAN_NEEDS_PURCHASE", "{who:?} {no:?}");
    }
    world.rest();
    let changed = before.differences(&world.tables.dump());
    assert!(changed.is_empty(), "{}", changed.join("\n    "));
    world.part(PartName::Commerce, "instances.CreateInstance", ask);
}
