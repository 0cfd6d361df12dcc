//! `souk instances pause|resume|terminate|config|events`: what changes an instance, and what happened to it.

use std::io::Read as _;

use clap::Subcommand;
use souk_proto::souk::instances::v1::{
    GetEntitlementsRequest, GetInstanceRequest, Instance, ListInstanceEventsRequest,
    ListInstanceEventsResponse, PauseRequest, ResumeRequest, TerminateRequest, UpdateConfigRequest,
};

use super::{INSTANCE, InstancesServiceClient, Named, line, moment};
use crate::cli::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk instances config …`.
#[derive(Subcommand)]
pub(crate) enum Config {
    /// Show what its tenant set above the plan's configuration, a JSON object by capability.
    Get {
        #[command(flatten)]
        named: Named,
        /// What is served: the registry's, the version's, the plan's and the tenant's words together.
        #[arg(long)]
        effective: bool,
    },
    /// Set what its tenant says above the plan's configuration; served once the new revision is applied.
    Set {
        #[command(flatten)]
        named: Named,
        /// A JSON object by capability, `@FILE` for one in a file, or `-` for one on standard input.
        config: String,
        /// Only of this capability, the others stay; may be given again [default: all].
        #[arg(long = "only", value_name = "CAPABILITY")]
        only: Vec<String>,
        /// Refuse when the instance changed since it had this etag.
        #[arg(long, default_value = "")]
        etag: String,
    },
}

pub(super) async fn pause(remote: &Remote, named: &Named, output: &Output) -> Result<(), Failure> {
    let request = PauseRequest {
        instance_id: named.id(remote).await?,
        request_id: remote.request_id(""),
        reason: String::new(),
    };
    let answer = InstancesServiceClient::new(remote.channel()?).pause(request).await?.into_inner();
    output.message(INSTANCE, &answer.instance.unwrap_or_default(), line)
}

pub(super) async fn resume(remote: &Remote, named: &Named, output: &Output) -> Result<(), Failure> {
    let request = ResumeRequest {
        instance_id: named.id(remote).await?,
        request_id: remote.request_id(""),
        reason: String::new(),
    };
    let answer = InstancesServiceClient::new(remote.channel()?).resume(request).await?.into_inner();
    output.message(INSTANCE, &answer.instance.unwrap_or_default(), line)
}

pub(super) async fn terminate(
    remote: &Remote,
    named: &Named,
    etag: String,
    output: &Output,
) -> Result<(), Failure> {
    let request =
        TerminateRequest { instance_id: named.id(remote).await?, request_id: remote.request_id(""), etag };
    let answer = InstancesServiceClient::new(remote.channel()?).terminate(request).await?.into_inner();
    output.message(INSTANCE, &answer.instance.unwrap_or_default(), line)
}

pub(super) async fn config(remote: &Remote, ask: Config, output: &Output) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    match ask {
        Config::Get { named, effective } => {
            let instance_id = named.id(remote).await?;
            let text = if effective {
                let answer = client.get_entitlements(GetEntitlementsRequest { instance_id }).await?;
                answer.into_inner().entitlements.unwrap_or_default().effective_config_json
            } else {
                let answer = client.get_instance(GetInstanceRequest { instance_id }).await?;
                answer.into_inner().instance.unwrap_or_default().config_json
            };
            let config: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| Failure::broken(&error))?;
            if output.is_json() { output.value(&config) } else { output.text(&format!("{config:#}")) }
        }
        Config::Set { named, config, only, etag } => {
            let request = UpdateConfigRequest {
                config_json: read(&config)?,
                instance_id: named.id(remote).await?,
                request_id: remote.request_id(""),
                etag,
                capabilities: only,
            };
            let answer = client.update_config(request).await?.into_inner();
            output.message(INSTANCE, &answer.instance.unwrap_or_default(), |updated: &Instance| {
                format!("{}  revision {}", line(updated), updated.revision)
            })
        }
    }
}

/// What stands in the argument, in the file that it names, or on standard input.
fn read(config: &str) -> Result<String, Failure> {
    if config == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| Failure::new(format!("standard input: {error}")));
    }
    match config.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| Failure::new(format!("{file}: {error}"))),
        None => Ok(config.to_owned()),
    }
}

pub(super) async fn events(
    remote: &Remote,
    named: &Named,
    limit: i32,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let request = ListInstanceEventsRequest {
        instance_id: named.id(remote).await?,
        page_size: limit,
        page_token: String::new(),
    };
    let page = client.list_instance_events(request).await?.into_inner();
    output.message(
        "souk.instances.v1.ListInstanceEventsResponse",
        &page,
        |page: &ListInstanceEventsResponse| {
            let rows: Vec<_> = page
                .events
                .iter()
                .map(|event| vec![moment(event.occur_time), event.r#type.clone(), event.message.clone()])
                .collect();
            table(&["TIME", "EVENT", "MESSAGE"], &rows)
        },
    )
}
