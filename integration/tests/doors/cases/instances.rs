//! Instances.

use serde_json::{Value, json};

use super::{By, Case, Done, change, read, words};
use crate::world::{Who, World, text};

/// Where an instance stands, as the operator is told.
fn state(world: &mut World, instance: &str) -> String {
    let ask = json!({"instanceId": instance});
    text(&world.must(Who::Operator, "instances.GetInstance", ask), "instance.state")
}

fn an_instance(world: &mut World) -> Value {
    json!({"instanceId": world.instance()})
}

fn stands(world: &mut World, done: &Done<'_>, wanted: &str) -> bool {
    state(world, &text(done.ask, "instanceId")) == wanted
}

/// Why parts pause, and why people do.
fn pause(world: &mut World, by: &By) -> Value {
    let mut ask = an_instance(world);
    if matches!(by.who, Who::Part(..)) {
        ask["reason"] = json!("REFUNDED");
    }
    ask
}

/// What of an instance changes on its way to serving.
const LIVES: &[&str] = &[
    "instance.state",
    "instance.conditions",
    "instance.events",
    "instance.updateTime",
    "instance.etag",
    "instance.waitingFor",
    "instance.deadlineTime",
];

pub(super) const CASES: &[Case] = &[
    change(
        "instances.AutoActivate",
        |world, _| {
            let version = world.offering().version;
            json!({"projectId": world.home.project, "offeringVersionId": version})
        },
        |world, done| state(world, &text(done.answer, "instanceId")) == "STATE_ACTIVE",
    )
    .moving(
        "it answers where the instance stands when it is committed or two seconds are over",
        &["state"],
        |world, answer| {
            let state = state(world, &text(answer, "instanceId"));
            json!({"instanceId": answer["instanceId"], "state": state})
        },
    ),
    change(
        "instances.CreateInstance",
        |world, _| {
            let offering = world.offering();
            let (version, plan) = (offering.version, offering.free);
            json!({"projectId": world.home.project, "offeringVersionId": version, "planId": plan})
        },
        |world, done| state(world, &text(done.answer, "instance.instanceId")) == "STATE_ACTIVE",
    )
    .moving(
        "it answers where the instance stands when it is committed or two seconds are over",
        LIVES,
        |world, answer| {
            let ask = json!({"instanceId": answer["instance"]["instanceId"]});
            world.must(Who::Operator, "instances.GetInstance", ask)
        },
    ),
    read(
        "instances.GetEntitlements",
        |world, _| an_instance(world),
        |world, _, ask| [words(ask, &["instanceId"]), vec![world.stock.artifact.clone()]].concat(),
    ),
    read("instances.GetInstance", |world, _| an_instance(world), |_, _, ask| words(ask, &["instanceId"])),
    read(
        "instances.ListInstanceEvents",
        |world, _| an_instance(world),
        |_, _, _| vec!["occurTime".to_owned()],
    ),
    read(
        "instances.ListInstances",
        |world, _| {
            world.instance();
            json!({"projectId": world.home.project, "pageSize": 1000})
        },
        |world, _, _| {
            let newest = "SELECT instance_id FROM instance ORDER BY instance_id DESC LIMIT 1";
            world.tables.texts("instances", newest)
        },
    ),
    change("instances.Pause", pause, |world, done| stands(world, done, "STATE_PAUSED")),
    change(
        "instances.Resume",
        |world, by| {
            let ask = pause(world, by);
            // Whoever resumes takes back the reason of their own kind.
            let who = if matches!(by.who, Who::Part(..)) { by.who } else { Who::Admin };
            world.must(who, "instances.Pause", ask.clone());
            world.rest();
            ask
        },
        |world, done| stands(world, done, "STATE_ACTIVE"),
    ),
    change(
        "instances.Terminate",
        |world, _| an_instance(world),
        |world, done| stands(world, done, "STATE_TERMINATED"),
    ),
    change(
        "instances.UpdateConfig",
        |world, _| {
            let mut ask = an_instance(world);
            ask["configJson"] = json!(r#"{"chat": {}}"#);
            ask
        },
        |world, done| {
            let ask = json!({"instanceId": done.ask["instanceId"]});
            let now = world.must(Who::Operator, "instances.GetInstance", ask);
            text(&now, "instance.configJson").contains("chat")
        },
    ),
    read("instances.WatchInstance", |world, _| an_instance(world), |_, _, ask| words(ask, &["instanceId"])),
];
