//! Instances: one for each unit of a plan line.

use souk_kit::{House, Refusal};
use souk_proto::souk::instances::v1::{
    CreateInstanceRequest, instances_service_client::InstancesServiceClient,
};
use souk_types::{
    PartName,
    id::{OfferingVersionId, PlanId},
};

use super::Trouble;
use crate::model::Owner;

/// Asks instances.
#[derive(Clone)]
pub(crate) struct Instances {
    house: House,
}

impl Instances {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Makes an instance for `owner`; answers its id. `request_id` makes repeats one.
    pub(crate) async fn create(
        &self,
        owner: Owner,
        request_id: &str,
        (offering_version_id, plan_id): (OfferingVersionId, PlanId),
    ) -> Result<String, Trouble> {
        let channel = self.house.dial().to(PartName::Instances, self.house.acting_for(owner.org_id));
        let request = CreateInstanceRequest {
            project_id: owner.project_id.to_string(),
            request_id: request_id.to_owned(),
            offering_version_id: offering_version_id.to_string(),
            plan_id: plan_id.to_string(),
            source_ref: request_id.to_owned(),
        };
        let answer = InstancesServiceClient::new(channel).create_instance(request).await;
        let answer = answer.map_err(|status| Refusal::read("instances", &status))?.into_inner();
        match answer.instance {
            Some(instance) if !instance.instance_id.is_empty() => Ok(instance.instance_id),
            _ => Err(Trouble::Later { pause: None, why: "instances named no instance".to_owned() }),
        }
    }
}
