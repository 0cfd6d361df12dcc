//! Runs.

use serde_json::{Value, json};

use super::{Case, change, read, words};
use crate::world::{Who, World, text};

fn a_run(world: &mut World) -> Value {
    let run = world.run();
    json!({"runId": run["runId"]})
}

/// What of a run changes when it ends.
const ENDS: &[&str] = &[
    "run.state",
    "run.output",
    "run.outputs",
    "run.usage",
    "run.costMicros",
    "run.chargedMicros",
    "run.balanceMicros",
    "run.receiptId",
    "run.ledgerEntryId",
    "run.error",
    "run.endTime",
    "run.etag",
];

pub(super) const CASES: &[Case] = &[
    change(
        "runs.CancelRun",
        |world, _| json!({"runId": world.hanging_run()}),
        |world, done| {
            let id = text(done.ask, "runId");
            let question = format!("SELECT COUNT(*) FROM run WHERE run_id = '{id}' AND state = 'CANCELLED'");
            world.tables.number("runs", &question) == 1
        },
    )
    .moving(
        "it answers where the run stands when it is over or the wait for that is",
        ENDS,
        |world, answer| world.must(Who::Operator, "runs.GetRun", json!({"runId": answer["run"]["runId"]})),
    ),
    change(
        "runs.CreateRun",
        |world, _| json!({"instanceId": world.instance(), "input": "a word"}),
        |world, done| {
            let id = text(done.answer, "run.runId");
            let question = format!("SELECT COUNT(*) FROM run WHERE run_id = '{id}' AND charged > 0");
            world.tables.number("runs", &question) == 1
        },
    ),
    read("runs.GetRun", |world, _| a_run(world), |_, _, ask| words(ask, &["runId"])),
    read(
        "runs.ListRuns",
        |world, _| {
            let run = world.run();
            json!({"projectId": run["projectId"], "pageSize": 1000})
        },
        |world, _, _| world.tables.texts("runs", "SELECT run_id FROM run ORDER BY run_id DESC LIMIT 1"),
    ),
    read("runs.WatchRun", |world, _| a_run(world), |_, _, ask| words(ask, &["runId"])),
];
