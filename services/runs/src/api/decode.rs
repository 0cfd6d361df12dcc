//! Requests, checked and in the model's words.

use souk_kit::wire::Check;
use souk_proto::souk::runs::v1 as pb;
use souk_types::{Fault, InstanceId, ProjectId, Reason, RunId};

use crate::model::CreateRun;

const PART: &str = "runs";
/// The longest name of a conversation.
const SESSION_ID: usize = 255;

pub(super) fn create_run(ask: pb::CreateRunRequest) -> Result<CreateRun, Fault> {
    let mut check = Check::default();
    let instance_id: Option<InstanceId> = check.parse("instance_id", &ask.instance_id);
    let printable = ask.session_id.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let fits = printable && ask.session_id.len() <= SESSION_ID;
    check.require(fits, "session_id", "must be at most 255 printable ASCII characters");
    // PostgreSQL keeps no text with it, and no component knows what to do with it.
    check.require(!ask.input.contains('\0'), "input", "must not contain the character U+0000");
    let (input, session_id) = (ask.input, ask.session_id);
    check.done(PART, instance_id.map(|instance_id| CreateRun { instance_id, input, session_id }))
}

pub(super) fn run_id(text: &str) -> Result<RunId, Fault> {
    let mut check = Check::default();
    let run_id = check.parse("run_id", text);
    check.done(PART, run_id)
}

pub(super) fn list(
    project_id: Option<ProjectId>,
    instance_id: &str,
) -> Result<(ProjectId, Option<InstanceId>), Fault> {
    let mut check = Check::default();
    let instance_id = check.parse_optional("instance_id", instance_id);
    let project_id =
        project_id.ok_or_else(|| Fault::new(Reason::ProjectRequired, PART, "name the project"))?;
    check.done(PART, Some((project_id, instance_id)))
}

pub(super) fn watch(ask: &pb::WatchRunRequest) -> Result<(RunId, i64), Fault> {
    let mut check = Check::default();
    let run_id = check.parse("run_id", &ask.run_id);
    check.require(ask.after_sequence >= 0, "after_sequence", "must not be negative");
    check.done(PART, run_id.map(|run_id| (run_id, ask.after_sequence)))
}
