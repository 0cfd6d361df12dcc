//! Model → messages.

use souk_kit::wire::timestamp;
use souk_proto::souk::delivery::v1 as pb;
use souk_types::Time;

use crate::model::{AppliedState, CommitId, Committed, ContentHash};

fn commit(commit: Option<&CommitId>) -> String {
    commit.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn committed(committed: Committed) -> pb::ApplyResponse {
    let content_hash = committed.content_hash.as_ref().map(ContentHash::hex);
    pb::ApplyResponse {
        commit_id: commit(committed.commit_id.as_ref()),
        content_hash: content_hash.unwrap_or_default().to_owned(),
        revision: committed.revision,
    }
}

pub(super) fn removed(committed: Committed) -> pb::RemoveResponse {
    pb::RemoveResponse { commit_id: commit(committed.commit_id.as_ref()), revision: committed.revision }
}

pub(super) fn applied(state: AppliedState) -> pb::GetAppliedResponse {
    pb::GetAppliedResponse { applied: Some(whole(state)) }
}

fn whole(state: AppliedState) -> pb::Applied {
    let gone = pb::Applied {
        instance_id: state.instance_id.to_string(),
        org_id: state.org_id.to_string(),
        revision: state.revision,
        commit_id: commit(state.commit_id.as_ref()),
        apply_time: Some(timestamp(state.apply_time)),
        removed: true,
        ..pb::Applied::default()
    };
    let Some(standing) = state.standing else { return gone };
    let limit = |limit: Option<i64>| limit.unwrap_or(0);
    pb::Applied {
        removed: false,
        project_id: standing.project_id.to_string(),
        offering_version_id: standing.offering_version_id.to_string(),
        content_hash: standing.content_hash.hex().to_owned(),
        host: standing.route.host.unwrap_or_default(),
        path: standing.route.path,
        capabilities: standing.capabilities,
        // It came as a number of this width.
        runs_per_minute: i32::try_from(limit(standing.runs_per_minute)).unwrap_or(i32::MAX),
        input_bytes: limit(standing.input_bytes),
        ..gone
    }
}

pub(super) fn change(state: AppliedState) -> pb::WatchAppliedResponse {
    pb::WatchAppliedResponse { applied: Some(whole(state)), ..Default::default() }
}

pub(super) fn complete() -> pb::WatchAppliedResponse {
    pb::WatchAppliedResponse { complete: true, ..Default::default() }
}

pub(super) fn heartbeat(now: Time) -> pb::WatchAppliedResponse {
    pb::WatchAppliedResponse { heartbeat_time: Some(timestamp(now)), ..Default::default() }
}
