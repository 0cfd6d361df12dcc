//! `souk offerings …`.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use prost_types::Timestamp;
use souk_kit::{Refusal, clock::MachineClock, wire};
use souk_proto::souk::catalog::v1::{
    CreateOfferingRequest, EndOfferingLifeRequest, Finding, GetOfferingRequest, ListOfferingVersionsRequest,
    ListOfferingVersionsResponse, ListOfferingsRequest, ListOfferingsResponse, Offering, OfferingVersion,
    PauseOfferingRequest, PublishOfferingVersionRequest, ResumeOfferingRequest,
    catalog_service_client::CatalogServiceClient,
};
use souk_types::{Clock as _, Reason};

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
    /// List an offering's versions, newest first, drafts with what keeps them from being published, others with
    /// their warnings.
    Versions {
        /// The offering: its slug or id.
        offering: String,
    },
    /// Stop an offering's sale and pause its instances.
    Pause {
        /// The offering: its slug or id.
        offering: String,
        /// Why, for the tenants.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Sell a paused offering again and resume its instances.
    Resume {
        /// The offering: its slug or id.
        offering: String,
    },
    /// Stop an offering's sale now, and terminate its instances at a deadline. Again moves the deadline.
    EndLife(EndLife),
}

/// `souk offerings end-life`.
#[derive(clap::Args)]
pub(crate) struct EndLife {
    /// The offering: its slug or id.
    offering: String,
    /// The deadline, in RFC 3339: 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME", required_unless_present = "days", conflicts_with = "days", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// The deadline, in days from now.
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
    /// Why, for the tenants.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

const OFFERING: &str = "souk.catalog.v1.Offering";

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be a time in RFC 3339, like 2027-01-31T00:00:00Z".to_owned())
}

pub(crate) async fn run(remote: &Remote, ask: Offerings, output: &Output) -> Result<(), Failure> {
    match ask {
        Offerings::Ls { category, value_stream } => list(remote, category, value_stream, output).await,
        Offerings::Publish { file } => {
            let (manifest, flow) = Manifest::read(&file)?;
            let version = publish_manifest(remote, &manifest, flow).await?;
            // A program finds them in the version.
            for found in version.warnings.iter().filter(|_| !output.is_json()) {
                output.say(&format!("warning: {}  {}", place(found), found.message));
            }
            output.message("souk.catalog.v1.OfferingVersion", &version, published)
        }
        Offerings::Versions { offering } => versions(remote, offering, output).await,
        Offerings::Pause { offering, reason } => {
            let mut client = CatalogServiceClient::new(remote.channel()?);
            let offering_id = id_of(remote, offering).await?;
            let request = PauseOfferingRequest { offering_id, request_id: remote.request_id(""), reason };
            let answer = client.pause_offering(request).await?.into_inner();
            output.message(OFFERING, &answer.offering.unwrap_or_default(), standing)
        }
        Offerings::Resume { offering } => {
            let mut client = CatalogServiceClient::new(remote.channel()?);
            let offering_id = id_of(remote, offering).await?;
            let request = ResumeOfferingRequest { offering_id, request_id: remote.request_id("") };
            let answer = client.resume_offering(request).await?.into_inner();
            output.message(OFFERING, &answer.offering.unwrap_or_default(), standing)
        }
        Offerings::EndLife(ask) => {
            let mut client = CatalogServiceClient::new(remote.channel()?);
            let end = |days: u16| MachineClock.now() + Duration::from_secs(u64::from(days) * 86_400);
            let request = EndOfferingLifeRequest {
                offering_id: id_of(remote, ask.offering).await?,
                request_id: remote.request_id(""),
                end_time: ask.at.or_else(|| ask.days.map(end).map(wire::timestamp)),
                reason: ask.reason,
            };
            let answer = client.end_offering_life(request).await?.into_inner();
            output.message(OFFERING, &answer.offering.unwrap_or_default(), standing)
        }
    }
}

/// Where an offering stands, in a line.
fn standing(offering: &Offering) -> String {
    let state = offering.state().as_str_name().trim_start_matches("STATE_");
    let end = offering.end_time.map(|end| format!("  until {end}")).unwrap_or_default();
    format!("{}  {state}{end}", offering.slug)
}

/// The id of an offering that is named by id or slug.
async fn id_of(remote: &Remote, name: String) -> Result<String, Failure> {
    if name.starts_with("off_") {
        return Ok(name);
    }
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let answer = client.get_offering(GetOfferingRequest { offering_id: name }).await?.into_inner();
    Ok(answer.offering.unwrap_or_default().offering_id)
}

async fn versions(remote: &Remote, offering: String, output: &Output) -> Result<(), Failure> {
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let mut all = ListOfferingVersionsResponse::default();
    let mut page_token = String::new();
    loop {
        let offering_id = offering.clone();
        let request = ListOfferingVersionsRequest { offering_id, page_token, ..Default::default() };
        let page = client.list_offering_versions(request).await?.into_inner();
        all.offering_versions.extend(page.offering_versions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.message("souk.catalog.v1.ListOfferingVersionsResponse", &all, |all| {
        let row = |version: &OfferingVersion| {
            vec![
                version.offering_version_id.clone(),
                version.state().as_str_name().trim_start_matches("STATE_").to_owned(),
                version.publish_time.map(|time| time.to_string()).unwrap_or_default(),
                version.plans.iter().map(|plan| plan.slug.as_str()).collect::<Vec<_>>().join(" "),
            ]
        };
        let rows: Vec<_> = all.offering_versions.iter().map(row).collect();
        let mut text = table(&["VERSION", "STATE", "PUBLISHED", "PLANS"], &rows);
        for version in all.offering_versions.iter().filter(|version| !version.findings.is_empty()) {
            text.push_str(&format!("\n\n{} cannot be published:", version.offering_version_id));
            for found in &version.findings {
                text.push_str(&format!("\n  {}  {}  {}", found.code, place(found), found.message));
            }
        }
        for version in all.offering_versions.iter().filter(|version| !version.warnings.is_empty()) {
            text.push_str(&format!("\n\n{} has warnings:", version.offering_version_id));
            for found in &version.warnings {
                text.push_str(&format!("\n  {}  {}  {}", found.code, place(found), found.message));
            }
        }
        text
    })
}

/// Where something was found: the node and its field.
fn place(found: &Finding) -> String {
    let place = [found.node_id.as_str(), found.field.as_str()];
    place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
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
