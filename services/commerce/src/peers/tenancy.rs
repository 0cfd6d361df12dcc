//! Tenancy: which org a project is of.

use souk_kit::{House, Refusal};
use souk_proto::souk::tenancy::v1::{GetProjectRequest, tenancy_service_client::TenancyServiceClient};
use souk_types::{Acting, PartName, id::ProjectId};

use crate::{Error, model::Owner};

/// Asks tenancy.
#[derive(Clone)]
pub(crate) struct Tenancy {
    house: House,
}

impl Tenancy {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// The project with its org. `PROJECT_NOT_FOUND` passes through.
    pub(crate) async fn owner(&self, acting: Acting, project_id: ProjectId) -> Result<Owner, Error> {
        let channel = self.house.dial().to(PartName::Tenancy, acting);
        let request = GetProjectRequest { project_id: project_id.to_string() };
        let answer = TenancyServiceClient::new(channel).get_project(request).await;
        let answer = answer.map_err(|status| Refusal::read("tenancy", &status))?.into_inner();
        let org_id = answer.project.map(|project| project.org_id).unwrap_or_default();
        match org_id.parse() {
            Ok(org_id) => Ok(Owner { org_id, project_id }),
            Err(error) => Err(Error::Bug(format!("tenancy named no org: {error}").into())),
        }
    }
}
