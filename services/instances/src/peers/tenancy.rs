//! Tenancy: whose a project is, when an operator names one that is not their own.

use souk_kit::{House, Refusal};
use souk_proto::souk::tenancy::v1::{GetProjectRequest, tenancy_service_client::TenancyServiceClient};
use souk_types::{Acting, OrgId, PartName, ProjectId, Reason};

use crate::error::Error;

/// Asks tenancy.
#[derive(Clone)]
pub(crate) struct Tenancy {
    house: House,
}

impl Tenancy {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// The org that a project belongs to.
    pub(crate) async fn org_of(&self, acting: Acting, project: ProjectId) -> Result<OrgId, Error> {
        let mut client = TenancyServiceClient::new(self.house.dial().to(PartName::Tenancy, acting));
        let request = GetProjectRequest { project_id: project.to_string() };
        let answer = client.get_project(request).await.map_err(|status| {
            let refusal = Refusal::read("tenancy", &status);
            if refusal.is(Reason::ProjectNotFound) { Error::ProjectNotFound(project) } else { refusal.into() }
        })?;
        let org = answer.into_inner().project.and_then(|project| project.org_id.parse().ok());
        org.ok_or(Error::Garbled { part: "tenancy", field: "org_id" })
    }
}
