//! The catalogue.

use serde_json::{Value, json};

use super::{Case, Done, change, read, words};
use crate::world::{Who, World, text};

/// Where an offering stands, as the operator is told.
fn state(world: &mut World, done: &Done<'_>) -> String {
    let ask = json!({"offeringId": done.ask["offeringId"]});
    text(&world.must(Who::Operator, "catalog.GetOffering", ask), "offering.state")
}

fn an_offering(world: &mut World) -> Value {
    json!({"offeringId": world.offering().id})
}

pub(super) const CASES: &[Case] = &[
    change(
        "catalog.CreateOffering",
        |world, _| world.product(),
        |world, done| {
            let id = text(done.answer, "offering.offeringId");
            world.tables.number("catalog", &format!("SELECT COUNT(*) FROM offering WHERE id = '{id}'")) == 1
        },
    ),
    change(
        "catalog.EndOfferingLife",
        |world, _| {
            let mut ask = an_offering(world);
            ask["endTime"] = json!("2100-01-01T00:00:00Z");
            ask
        },
        |world, done| state(world, done) == "STATE_ENDING",
    ),
    read("catalog.GetOffering", |world, _| an_offering(world), |_, _, ask| words(ask, &["offeringId"])),
    read(
        "catalog.GetOfferingVersion",
        |world, _| json!({"offeringVersionId": world.stock.version}),
        |_, _, ask| words(ask, &["offeringVersionId"]),
    ),
    read("catalog.ListCapabilities", |_, _| json!({}), |_, _, _| vec!["web_widget.branding".to_owned()]),
    read(
        "catalog.ListOfferingVersions",
        |world, _| json!({"offeringId": world.stock.id}),
        |world, _, _| vec![world.stock.version.clone()],
    ),
    read(
        "catalog.ListOfferings",
        |_, _| json!({"pageSize": 1000}),
        |world, _, _| vec![world.stock.slug.clone()],
    ),
    change(
        "catalog.PauseOffering",
        |world, _| an_offering(world),
        |world, done| state(world, done) == "STATE_PAUSED",
    ),
    change(
        "catalog.PublishOfferingVersion",
        |world, _| {
            let (id, _) = world.bare_offering();
            World::manifest(&id, "echo")
        },
        |world, done| {
            let id = text(done.answer, "offeringVersion.offeringVersionId");
            let question = "SELECT COUNT(*) FROM offering_version WHERE state = 'PUBLISHED' AND id = ";
            world.tables.number("catalog", &format!("{question}'{id}'")) == 1
        },
    ),
    read(
        "catalog.ResolvePlan",
        |world, _| json!({"offeringSlug": world.stock.slug, "planSlug": "paid"}),
        |world, _, _| vec![world.stock.version.clone(), world.stock.paid.clone()],
    ),
    change(
        "catalog.ResumeOffering",
        |world, _| {
            let ask = an_offering(world);
            world.must(Who::Operator, "catalog.PauseOffering", ask.clone());
            ask
        },
        |world, done| state(world, done) == "STATE_ACTIVE",
    ),
];
