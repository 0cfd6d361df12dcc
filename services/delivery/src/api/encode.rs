//! Model → messages.

use souk_kit::wire::timestamp;
use souk_proto::souk::delivery::v1 as pb;

use crate::model::{AppliedState, Committed};

pub(super) fn committed(committed: Committed) -> pb::ApplyResponse {
    pb::ApplyResponse {
        commit_id: committed.commit_id.to_string(),
        content_hash: committed.content_hash.hex().to_owned(),
        revision: committed.revision,
    }
}

pub(super) fn applied(state: AppliedState) -> pb::GetAppliedResponse {
    let applied = pb::Applied {
        instance_id: state.instance_id.to_string(),
        revision: state.revision,
        content_hash: state.content_hash.hex().to_owned(),
        commit_id: state.commit_id.to_string(),
        apply_time: Some(timestamp(state.apply_time)),
        host: state.route.host.unwrap_or_default(),
        path: state.route.path,
        ..pb::Applied::default()
    };
    pb::GetAppliedResponse { applied: Some(applied) }
}
