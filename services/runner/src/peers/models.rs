//! models: where a named endpoint lies, and where its key stands in the secret store.

use souk_kit::{House, Refusal};
use souk_proto::souk::models::v1::{ResolveModelEndpointRequest, models_service_client::ModelsServiceClient};
use souk_secrets::{Path, Version};
use souk_types::{PartName, Reason};

const PART: &str = "models";

/// Where an endpoint lies, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its base URL.
    pub(crate) url: String,
    /// The model names it may be asked for; empty: any.
    pub(crate) models: Vec<String>,
    /// The model taken where a flow names none; empty: the flow must.
    pub(crate) default_model: String,
    /// Where its key stands; none when it has no key.
    pub(crate) key: Option<(Path, Version)>,
}

/// Why an endpoint is not known.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// No endpoint has the name.
    Missing,
    /// models does not answer, or not as it should.
    Away(Box<Refusal>),
    /// Its answer cannot be right.
    Broken,
}

/// The client of models.
#[derive(Clone)]
pub(crate) struct Models(House);

impl Models {
    pub(crate) const fn new(house: House) -> Self {
        Self(house)
    }

    /// Where the endpoint of this name lies.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Place, Unknown> {
        let channel = self.0.dial().to(PartName::Models, self.0.acting_for_platform());
        let ask = ResolveModelEndpointRequest { name: name.to_owned() };
        let answer = ModelsServiceClient::new(channel).resolve_model_endpoint(ask).await;
        let answer = answer.map_err(|status| match Refusal::read(PART, &status) {
            missing if missing.is(Reason::ModelEndpointNotFound) => Unknown::Missing,
            other => Unknown::Away(Box::new(other)),
        })?;
        let answer = answer.into_inner();
        let endpoint = answer.model_endpoint.ok_or(Unknown::Broken)?;
        let key = match answer.secret_path.as_str() {
            "" => None,
            path => {
                let version = Version::try_from(answer.secret_version).map_err(|_| Unknown::Broken)?;
                Some((path.parse().map_err(|_| Unknown::Broken)?, version))
            }
        };
        let (models, default_model) = (endpoint.models, endpoint.default_model);
        Ok(Place { url: endpoint.url, models, default_model, key })
    }
}
