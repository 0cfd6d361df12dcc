//! Model endpoints.

use serde_json::json;

use super::{Case, change, read, words};
use crate::world::{Who, World, text};

/// Whether the operator is told of an endpoint.
fn known(world: &mut World, name: &str) -> bool {
    world.call(Who::Operator, "models.GetModelEndpoint", json!({"name": name})).is_ok()
}

pub(super) const CASES: &[Case] = &[
    change(
        "models.DeleteModelEndpoint",
        |world, _| json!({"name": world.endpoint()}),
        |world, done| !known(world, &text(done.ask, "name")),
    ),
    read(
        "models.GetModelEndpoint",
        |world, _| json!({"name": world.endpoint()}),
        |_, _, ask| words(ask, &["name"]),
    ),
    read(
        "models.ListModelEndpoints",
        |world, _| {
            world.endpoint();
            json!({"pageSize": 1000})
        },
        |_, _, _| vec!["ENDPOINT_".to_owned()],
    ),
    change(
        "models.PutModelEndpoint",
        |world, _| world.endpoint_ask(),
        |world, done| known(world, &text(done.ask, "name")),
    ),
    read(
        "models.ResolveModelEndpoint",
        |world, _| json!({"name": world.endpoint()}),
        |_, _, ask| words(ask, &["name"]),
    ),
];
