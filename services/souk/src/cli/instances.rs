//! `souk instances …`.

use clap::Subcommand;
use souk_proto::souk::instances::v1::{
    AutoActivateRequest, GetInstanceRequest, Instance, ListInstancesRequest, ListInstancesResponse, State,
    WatchInstanceRequest, condition::Status as Holds, instances_service_client::InstancesServiceClient,
};

use super::{
    offerings::version_of,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk instances …`.
#[derive(Subcommand)]
pub(crate) enum Instances {
    /// List a project's instances, newest first.
    Ls {
        /// The project [default: the caller's only one].
        #[arg(long, default_value = "")]
        project: String,
    },
    /// Show one instance with its conditions and events.
    Get {
        /// The instance: its id, or its offering's slug.
        instance: String,
    },
    /// Follow one instance: a line whenever it changes.
    Watch {
        /// The instance: its id, or its offering's slug.
        instance: String,
        /// End when it reaches this state: ACTIVE.
        #[arg(long)]
        until: Option<String>,
    },
    /// Activate an offering under its default plan.
    Activate {
        /// The offering's slug or id, or a version's id.
        offering: String,
        /// The project [default: the caller's only one].
        #[arg(long, default_value = "")]
        project: String,
    },
}

const INSTANCE: &str = "souk.instances.v1.Instance";

pub(crate) async fn run(remote: &Remote, ask: Instances, output: &Output) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    match ask {
        Instances::Ls { project } => list(remote, project, output).await,
        Instances::Get { instance } => {
            let instance_id = instance_of(remote, &instance).await?;
            let answer = client.get_instance(GetInstanceRequest { instance_id }).await?.into_inner();
            output.message(INSTANCE, &answer.instance.unwrap_or_default(), whole)
        }
        Instances::Watch { instance, until } => watch(remote, &instance, until, output).await,
        Instances::Activate { offering, project } => {
            let request = AutoActivateRequest {
                project_id: project,
                request_id: remote.request_id(""),
                offering_version_id: version_of(remote, &offering).await?,
            };
            let answer = client.auto_activate(request).await?.into_inner();
            output.message("souk.instances.v1.AutoActivateResponse", &answer, |answer| {
                format!("{}  {}", answer.instance_id, state(answer.state().as_str_name()))
            })
        }
    }
}

/// The instance that is named by its id, or by its offering's slug: the newest of the caller's only project
/// that is not gone.
pub(crate) async fn instance_of(remote: &Remote, name: &str) -> Result<String, Failure> {
    if name.starts_with("ins_") {
        return Ok(name.to_owned());
    }
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let request = ListInstancesRequest { page_size: 1000, ..Default::default() };
    let instances = client.list_instances(request).await?.into_inner().instances;
    let gone = |instance: &Instance| matches!(instance.state(), State::Terminating | State::Terminated);
    let found = instances.into_iter().find(|instance| instance.offering_slug == name && !gone(instance));
    let unknown =
        || Failure::new(format!("no instance of {name}")).hint(format!("souk instances activate {name}"));
    found.map(|instance| instance.instance_id).ok_or_else(unknown)
}

fn state(name: &str) -> &str {
    name.trim_start_matches("STATE_")
}

async fn list(remote: &Remote, project: String, output: &Output) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let mut all = ListInstancesResponse::default();
    let mut page_token = String::new();
    loop {
        let request = ListInstancesRequest { project_id: project.clone(), page_token, ..Default::default() };
        let page = client.list_instances(request).await?.into_inner();
        all.instances.extend(page.instances);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.message("souk.instances.v1.ListInstancesResponse", &all, |all| {
        let row = |instance: &Instance| {
            vec![
                instance.instance_id.clone(),
                state(instance.state().as_str_name()).to_owned(),
                instance.offering_slug.clone(),
                instance.plan_slug.clone(),
                instance.source_ref.clone(),
            ]
        };
        let rows: Vec<_> = all.instances.iter().map(row).collect();
        table(&["INSTANCE", "STATE", "OFFERING", "PLAN", "SOURCE"], &rows)
    })
}

async fn watch(
    remote: &Remote,
    instance: &str,
    until: Option<String>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let request = WatchInstanceRequest { instance_id: instance_of(remote, instance).await? };
    let mut answers = client.watch_instance(request).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        let Some(instance) = answer.instance else { continue };
        output.message(INSTANCE, &instance, line)?;
        let reached = state(instance.state().as_str_name());
        if until
            .as_ref()
            .is_some_and(|until| until.trim_start_matches("STATE_").eq_ignore_ascii_case(reached))
        {
            break;
        }
    }
    Ok(())
}

fn conditions(instance: &Instance) -> String {
    let one = |condition: &souk_proto::souk::instances::v1::Condition| {
        let mark = match condition.status() {
            Holds::True => "+",
            Holds::False => "-",
            Holds::Unknown | Holds::Unspecified => "?",
        };
        format!("{mark}{}", condition.r#type)
    };
    instance.conditions.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn line(instance: &Instance) -> String {
    let state = state(instance.state().as_str_name());
    format!("{state:<13} {}  {}", conditions(instance), instance.pause_reasons.join(" "))
        .trim_end()
        .to_owned()
}

fn whole(instance: &Instance) -> String {
    let mut lines = vec![
        format!("instance  {}", instance.instance_id),
        format!("state     {} {}", state(instance.state().as_str_name()), instance.pause_reasons.join(" ")),
        format!("offering  {} ({})", instance.offering_slug, instance.offering_version_id),
        format!("plan      {}", instance.plan_slug),
        format!("project   {}", instance.project_id),
        format!("path      {}", instance.path),
    ];
    for condition in &instance.conditions {
        let status = condition.status().as_str_name().trim_start_matches("STATUS_").to_lowercase();
        lines.push(format!(
            "  {:<12} {status:<8} {}  {}",
            condition.r#type, condition.reason, condition.message
        ));
    }
    for event in &instance.events {
        lines.push(format!("  · {}  {}", event.r#type, event.message));
    }
    lines.join("\n")
}
