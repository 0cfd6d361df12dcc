//! `souk offerings …`.

use std::path::PathBuf;

use clap::Subcommand;
use souk_kit::Refusal;
use souk_proto::souk::catalog::v1::{
    CreateOfferingRequest, GetOfferingRequest, ListOfferingsRequest, ListOfferingsResponse, Offering,
    OfferingVersion, PublishOfferingVersionRequest, catalog_service_client::CatalogServiceClient,
};
use souk_types::Reason;

use super::{
    Manifest,
    output::{Failure, Output, table},
    remote::{Remote, Shown},
};

/// `souk offerings …`.
#[derive(Subcommand)]
pub(crate) enum Offerings {
    /// List what may be taken.
    Ls {
        /// Only of this category.
        #[arg(long, default_value = "")]
        category: String,
        /// Only of this value stream.
        #[arg(long, default_value = "")]
        value_stream: String,
    },
    /// Publish a version from a manifest (YAML), making its offering when there is none.
    Publish {
        /// The manifest.
        file: PathBuf,
    },
}

pub(crate) async fn run(remote: &Remote, ask: Offerings, output: &Output) -> Result<(), Failure> {
    match ask {
        Offerings::Ls { category, value_stream } => list(remote, category, value_stream, output).await,
        Offerings::Publish { file } => {
            let (manifest, flow) = Manifest::read(&file)?;
            let version = publish_manifest(remote, &manifest, flow).await?;
            output.message("souk.catalog.v1.OfferingVersion", &version, published)
        }
    }
}

async fn list(
    remote: &Remote,
    category: String,
    value_stream: String,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let mut all = ListOfferingsResponse::default();
    let mut page_token = String::new();
    loop {
        let (category, value_stream) = (category.clone(), value_stream.clone());
        let request = ListOfferingsRequest { category, value_stream, page_token, ..Default::default() };
        let page = client.list_offerings(request).await?.into_inner();
        all.offerings.extend(page.offerings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.message("souk.catalog.v1.ListOfferingsResponse", &all, |all| {
        let row = |offering: &Offering| {
            let version = offering.newest_version.clone().unwrap_or_default();
            let plans = version.plans.iter().map(|plan| plan.slug.as_str()).collect::<Vec<_>>().join(" ");
            vec![offering.slug.clone(), offering.display_name.clone(), plans, version.offering_version_id]
        };
        table(&["OFFERING", "NAME", "PLANS", "VERSION"], &all.offerings.iter().map(row).collect::<Vec<_>>())
    })
}

fn published(version: &OfferingVersion) -> String {
    let prices = version.price_schedule.clone().unwrap_or_default();
    format!(
        "published  {}\nversion    {}\nflow       {}\nprices     {}",
        version.offering_slug, version.offering_version_id, version.artifact_hash, prices.price_schedule_hash
    )
}

/// Publishes a manifest's version, making its offering when there is none.
pub(crate) async fn publish_manifest(
    remote: &Remote,
    manifest: &Manifest,
    flow: Vec<u8>,
) -> Result<OfferingVersion, Failure> {
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let request = PublishOfferingVersionRequest {
        offering_id: offering(&mut client, remote, manifest).await?,
        request_id: remote.request_id("publish"),
        flow_json: flow.into(),
        capabilities: manifest.capabilities.clone(),
        connectors: manifest.connectors.clone(),
        config_json: manifest.config_json(),
        plans: manifest.plans(),
        default_plan_slug: manifest.default_plan.clone(),
        price_schedule: Some(manifest.schedule()),
    };
    let answer = client.publish_offering_version(request).await?.into_inner();
    Ok(answer.offering_version.unwrap_or_default())
}

/// The offering's id: of a new one, or of the one that has the slug.
async fn offering(
    client: &mut CatalogServiceClient<Shown>,
    remote: &Remote,
    manifest: &Manifest,
) -> Result<String, Failure> {
    let request = CreateOfferingRequest {
        request_id: remote.request_id("offering"),
        slug: manifest.slug.clone(),
        display_name: manifest.name.clone(),
        description: manifest.description.clone(),
        category: manifest.category.clone(),
        value_stream: manifest.value_stream.clone(),
    };
    match client.create_offering(request).await {
        Ok(answer) => Ok(answer.into_inner().offering.unwrap_or_default().offering_id),
        Err(status) => {
            let refusal = Refusal::read("catalog", &status);
            let known = refusal.metadata.get("offering_id").filter(|_| refusal.is(Reason::SlugTaken));
            known.cloned().ok_or_else(|| Failure::refused(&status))
        }
    }
}

/// The newest published version of an offering that is named by slug or id; a version's id stands for
/// itself.
pub(crate) async fn version_of(remote: &Remote, name: &str) -> Result<String, Failure> {
    if name.starts_with("ofv_") {
        return Ok(name.to_owned());
    }
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let answer = client.get_offering(GetOfferingRequest { offering_id: name.to_owned() }).await?.into_inner();
    let version = answer.offering.unwrap_or_default().newest_version.unwrap_or_default();
    Ok(version.offering_version_id)
}
