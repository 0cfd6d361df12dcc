//! Requests into commands; everything wrong with one is said at once.

use souk_kit::wire::Check;
use souk_proto::souk::instances::v1::{AutoActivateRequest, CreateInstanceRequest};
use souk_types::{Fault, InstanceId};

use crate::{
    error::DOMAIN,
    model::{AutoActivate, CreateInstance},
};

/// The longest `source_ref`, in bytes.
const SOURCE_REF: usize = 255;

pub(super) fn create_instance(ask: &CreateInstanceRequest) -> Result<CreateInstance, Fault> {
    let mut check = Check::default();
    let version = check.parse("offering_version_id", &ask.offering_version_id);
    let plan = check.parse("plan_id", &ask.plan_id);
    let printable = ask.source_ref.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    check.require(
        ask.source_ref.len() <= SOURCE_REF && printable,
        "source_ref",
        "must be at most 255 printable ASCII characters",
    );
    let command = version.zip(plan).map(|(offering_version_id, plan_id)| CreateInstance {
        offering_version_id,
        plan_id,
        source_ref: ask.source_ref.clone(),
    });
    check.done(DOMAIN, command)
}

pub(super) fn auto_activate(ask: &AutoActivateRequest) -> Result<AutoActivate, Fault> {
    let mut check = Check::default();
    let version = check.parse("offering_version_id", &ask.offering_version_id);
    check.done(DOMAIN, version.map(|offering_version_id| AutoActivate { offering_version_id }))
}

pub(super) fn instance_id(text: &str) -> Result<InstanceId, Fault> {
    let mut check = Check::default();
    let id = check.parse("instance_id", text);
    check.done(DOMAIN, id)
}
