//! Delivery: desired state in, applied state out.

use souk_kit::{House, Refusal, dial::PartChannel};
use souk_proto::souk::delivery::v1::{
    ApplyRequest, Desired, GetAppliedRequest, RemoveRequest, delivery_service_client::DeliveryServiceClient,
};
use souk_types::{PartName, Reason};

use super::{setback, within};
use crate::model::{Instance, Setback, effective};

/// Asks delivery.
#[derive(Clone)]
pub(crate) struct Delivery {
    house: House,
}

impl Delivery {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    fn client(&self, instance: &Instance) -> DeliveryServiceClient<PartChannel> {
        let acting = self.house.acting_for(instance.org_id);
        DeliveryServiceClient::new(self.house.dial().to(PartName::Delivery, acting))
    }

    /// Commits what the instance should be; answers the committed revision.
    pub(crate) async fn apply(&self, instance: &Instance) -> Result<i64, Setback> {
        let request = ApplyRequest {
            org_id: instance.org_id.to_string(),
            request_id: format!("apply:{}:{}", instance.instance_id, instance.revision),
            desired: Some(desired(instance)),
        };
        let answer = self.client(instance).apply(within(request)).await;
        Ok(answer.map_err(|status| setback("delivery", &status))?.into_inner().revision)
    }

    /// Commits that the instance should be no more; answers the committed revision.
    pub(crate) async fn remove(&self, instance: &Instance) -> Result<i64, Setback> {
        let request = RemoveRequest {
            org_id: instance.org_id.to_string(),
            request_id: format!("remove:{}:{}", instance.instance_id, instance.revision),
            instance_id: instance.instance_id.to_string(),
            revision: instance.revision,
        };
        let answer = self.client(instance).remove(within(request)).await;
        Ok(answer.map_err(|status| setback("delivery", &status))?.into_inner().revision)
    }

    /// The revision that is applied; `None` where none ever was.
    pub(crate) async fn applied_revision(&self, instance: &Instance) -> Result<Option<i64>, Setback> {
        let request = GetAppliedRequest { instance_id: instance.instance_id.to_string() };
        match self.client(instance).get_applied(within(request)).await {
            Ok(answer) => {
                let applied = answer.into_inner().applied.filter(|applied| !applied.removed);
                Ok(applied.map(|applied| applied.revision))
            }
            Err(status) if Refusal::read("delivery", &status).is(Reason::AppliedStateNotFound) => Ok(None),
            Err(status) => Err(setback("delivery", &status)),
        }
    }
}

fn desired(instance: &Instance) -> Desired {
    let pins = &instance.pins;
    Desired {
        instance_id: instance.instance_id.to_string(),
        org_id: instance.org_id.to_string(),
        project_id: instance.project_id.to_string(),
        offering_version_id: pins.offering_version_id.to_string(),
        plan_slug: pins.plan_slug.clone(),
        revision: instance.revision,
        host: String::new(),
        path: instance.path(),
        capabilities: effective::capabilities(&instance.config.effective),
        runs_per_minute: pins.limits.runs_per_minute,
        input_bytes: pins.limits.input_bytes,
        // Deny by default: a tool is allowed by a binding, and there are none yet.
        tools: Vec::new(),
        effective_config_json: serde_json::Value::Object(instance.config.effective.clone()).to_string(),
    }
}
