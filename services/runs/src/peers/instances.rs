//! instances: what an instance may do.

use souk_kit::{House, Refusal};
use souk_proto::souk::instances::v1::{
    self as pb, GetEntitlementsRequest, instances_service_client::InstancesServiceClient,
};
use souk_types::{Acting, InstanceId, PartName, Reason};

use crate::{
    error::Error,
    model::{Entitlements, InstanceState, Limits},
};

const PART: &str = "instances";

pub(crate) struct Instances(pub(super) House);

impl Instances {
    /// What the instance may do; `None` when there is no such instance.
    pub(crate) async fn entitlements(
        &self,
        instance_id: InstanceId,
        acting: Acting,
    ) -> Result<Option<Entitlements>, Error> {
        let mut client = InstancesServiceClient::new(self.0.dial().to(PartName::Instances, acting));
        let ask = GetEntitlementsRequest { instance_id: instance_id.to_string() };
        match client.get_entitlements(ask).await {
            Ok(answer) => {
                let said = answer.into_inner().entitlements.ok_or_else(|| unreadable("entitlements"))?;
                read(instance_id, said).map(Some)
            }
            Err(status) => {
                let refusal = Refusal::read(PART, &status);
                if refusal.is(Reason::InstanceNotFound) { Ok(None) } else { Err(refusal.into()) }
            }
        }
    }
}

const fn unreadable(what: &'static str) -> Error {
    Error::Unreadable { part: PART, what }
}

fn read(instance_id: InstanceId, said: pb::Entitlements) -> Result<Entitlements, Error> {
    if said.instance_id != instance_id.to_string() {
        return Err(unreadable("instance_id"));
    }
    let limits = said.limits.unwrap_or_default();
    Ok(Entitlements {
        instance_id,
        state: state(said.state()).ok_or_else(|| unreadable("state"))?,
        org_id: said.org_id.parse().map_err(|_| unreadable("org_id"))?,
        project_id: said.project_id.parse().map_err(|_| unreadable("project_id"))?,
        offering_version_id: said
            .offering_version_id
            .parse()
            .map_err(|_| unreadable("offering_version_id"))?,
        pause_reasons: said.pause_reasons,
        limits: Limits {
            runs_per_minute: i64::from(limits.runs_per_minute),
            input_bytes: limits.input_bytes,
            concurrent_runs: i64::from(limits.concurrent_runs),
        },
        effective_config: said.effective_config_json,
        artifact_hash: said.artifact_hash,
    })
}

const fn state(state: pb::State) -> Option<InstanceState> {
    Some(match state {
        pb::State::Unspecified => return None,
        pb::State::Requested | pb::State::Provisioning => InstanceState::Coming,
        pb::State::Active => InstanceState::Active,
        pb::State::Paused => InstanceState::Paused,
        pb::State::Terminating | pb::State::Terminated => InstanceState::Terminated,
        pb::State::Failed => InstanceState::Failed,
    })
}
