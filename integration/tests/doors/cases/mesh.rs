//! What parts mount for each other, the engines, and the door's own methods.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Case, change, read};
use crate::world::{Who, flow, text};

pub(super) const CASES: &[Case] = &[
    read("events.Follow", |_, _| json!({}), |_, _, _| vec!["eventId".to_owned()]),
    read("operations.HoldWrites", |_, _| json!({}), |_, _, _| vec!["holdTime".to_owned()]),
    read(
        "runner.CheckFlow",
        |_, _| json!({"flowJson": STANDARD.encode(flow("http-get"))}),
        |_, _, _| vec!["UNSUPPORTED_COMPONENT".to_owned()],
    ),
    read(
        "runner.Execute",
        |world, _| json!({"artifactHash": world.stock.artifact, "input": "a word"}),
        |_, _, _| vec!["started".to_owned()],
    ),
    // Nobody listens there: an endpoint that does not answer is an answer too, and costs nothing.
    read(
        "runner.TestModelEndpoint",
        |world, _| {
            let mut ask = world.endpoint_ask();
            ask["url"] = json!("http://127.0.0.1:1/v1");
            world.must(Who::Operator, "models.PutModelEndpoint", ask.clone());
            json!({"name": ask["name"]})
        },
        |_, _, ask| vec![text(ask, "name"), "MODEL_UNAVAILABLE".to_owned()],
    ),
    read("gateway.IssueToken", |_, _| json!({}), |_, _, _| vec!["accessToken".to_owned()]),
    change(
        "gateway.SignIn",
        |world, _| {
            let email = world.fresh("guest") + "@doors.example";
            let link = world.must(Who::Operator, "tenancy.CreateSignInLink", json!({"email": email}));
            json!({"code": link["code"]})
        },
        |world, done| {
            let user = text(done.answer, "userId");
            let question = format!("SELECT COUNT(*) FROM sessions WHERE user_id = '{user}'");
            world.tables.number("tenancy", &question) == 1
        },
    ),
];
