//! `souk instances …`.

mod life;

use clap::{Args, Subcommand};
use souk_proto::souk::instances::v1::{
    AutoActivateRequest, GetInstanceRequest, Instance, ListInstancesRequest, ListInstancesResponse, State,
    WatchInstanceRequest, condition::Status as Holds, instances_service_client::InstancesServiceClient,
};

use tonic::Code;

use super::{
    offerings::version_of,
    output::{Failure, Output, table, unread},
    projects::project_of,
    remote::Remote,
};

/// An instance, as its user names it.
#[derive(Args)]
pub(crate) struct Named {
    /// The instance: its id, or its offering's slug.
    pub(crate) instance: String,
    /// The project that a slug is looked for in: its id or its slug [default: the caller's only one].
    #[arg(long, default_value = "")]
    pub(crate) project: String,
}

/// `souk instances …`.
#[derive(Subcommand)]
pub(crate) enum Instances {
    /// List a project's instances, newest first.
    Ls {
        /// The project: its id or its slug [default: the caller's only one].
        #[arg(long, default_value = "")]
        project: String,
    },
    /// Show one instance with its conditions and events.
    Get {
        #[command(flatten)]
        named: Named,
    },
    /// Follow one instance: a line whenever it changes.
    Watch {
        #[command(flatten)]
        named: Named,
        /// End when it reaches this state: ACTIVE.
        #[arg(long, value_name = "STATE", value_parser = parse_state)]
        until: Option<State>,
    },
    /// Activate an offering under its default plan.
    Activate {
        /// The offering's slug or id, or a version's id.
        offering: String,
        /// The project: its id or its slug [default: the caller's only one].
        #[arg(long, default_value = "")]
        project: String,
    },
    /// Pause an instance: it stays, and spends nothing.
    Pause {
        #[command(flatten)]
        named: Named,
    },
    /// Resume an instance that was paused by hand, or try a failed one again.
    Resume {
        #[command(flatten)]
        named: Named,
    },
    /// Take an instance down for good.
    Terminate {
        #[command(flatten)]
        named: Named,
        /// Refuse when the instance changed since it had this etag.
        #[arg(long, default_value = "")]
        etag: String,
    },
    /// Its configuration.
    #[command(subcommand)]
    Config(life::Config),
    /// List what happened to an instance, newest first.
    Events {
        #[command(flatten)]
        named: Named,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
}

const INSTANCE: &str = "souk.instances.v1.Instance";

pub(crate) async fn run(remote: &Remote, ask: Instances, output: &Output) -> Result<(), Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    match ask {
        Instances::Ls { project } => list(remote, project, output).await,
        Instances::Get { named } => {
            let instance_id = named.id(remote).await?;
            let answer = client.get_instance(GetInstanceRequest { instance_id }).await?.into_inner();
            output.message(INSTANCE, &answer.instance.unwrap_or_default(), whole)
        }
        Instances::Watch { named, until } => watch(remote, &named, until, output).await,
        Instances::Activate { offering, project } => {
            let request = AutoActivateRequest {
                project_id: project_of(remote, project).await?,
                request_id: remote.request_id(""),
                offering_version_id: version_of(remote, &offering).await?,
            };
            let answer = client.auto_activate(request).await?.into_inner();
            output.message("souk.instances.v1.AutoActivateResponse", &answer, |answer| {
                format!("{}  {}", answer.instance_id, state(answer.state().as_str_name()))
            })
        }
        Instances::Pause { named } => life::pause(remote, &named, output).await,
        Instances::Resume { named } => life::resume(remote, &named, output).await,
        Instances::Terminate { named, etag } => life::terminate(remote, &named, etag, output).await,
        Instances::Config(ask) => life::config(remote, ask, output).await,
        Instances::Events { named, limit } => life::events(remote, &named, limit, output).await,
    }
}

impl Named {
    /// The id of the instance. A slug names the only instance of its offering that is not gone: which of
    /// several was meant is never guessed, since what follows may take it down.
    pub(crate) async fn id(&self, remote: &Remote) -> Result<String, Failure> {
        let name = &self.instance;
        if name.starts_with("ins_") {
            return Ok(name.clone());
        }
        let project_id = project_of(remote, self.project.clone()).await?;
        choose(name, all(remote, project_id).await?.instances)
    }
}

/// The one instance of an offering that is not gone.
fn choose(slug: &str, instances: Vec<Instance>) -> Result<String, Failure> {
    let gone = |instance: &Instance| matches!(instance.state(), State::Terminating | State::Terminated);
    let lives = instances.into_iter().filter(|instance| instance.offering_slug == slug && !gone(instance));
    let ids: Vec<_> = lives.map(|instance| instance.instance_id).collect();
    match ids.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(format!("no instance has the id or the offering {slug:?}"))
            .hint(format!("see what there is: souk instances ls; or: souk instances activate {slug}"))),
        several => {
            let text = format!("{} instances are of the offering {slug:?}: {}", ids.len(), several.join(" "));
            Err(Failure::new(text).hint("name one by its id; how they stand: souk instances ls"))
        }
    }
}

fn state(name: &'static str) -> &'static str {
    name.trim_start_matches("STATE_")
}

/// Every instance of a project.
async fn all(remote: &Remote, project_id: String) -> Result<ListInstancesResponse, Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let mut all = ListInstancesResponse::default();
    let mut page_token = String::new();
    loop {
        let request =
            ListInstancesRequest { project_id: project_id.clone(), page_token, ..Default::default() };
        let page = client.list_instances(request).await?.into_inner();
        all.instances.extend(page.instances);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn list(remote: &Remote, project: String, output: &Output) -> Result<(), Failure> {
    let all = all(remote, project_of(remote, project).await?).await?;
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

async fn watch(remote: &Remote, named: &Named, until: Option<State>, output: &Output) -> Result<(), Failure> {
    let instance_id = named.id(remote).await?;
    let mut shown = String::new();
    loop {
        let follow = follow(remote, &instance_id, until, &mut shown, output);
        let outcome = tokio::select! {
            outcome = follow => outcome,
            () = unread() => return Ok(()),
        };
        match outcome {
            Ok(Watched::Reached) => return Ok(()),
            Ok(Watched::Again) => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// How one stream of a watch ended.
enum Watched {
    /// The state that was waited for is there.
    Reached,
    /// The server ended the stream, as it does at a greatest age: the next one goes on.
    Again,
}

async fn follow(
    remote: &Remote,
    instance_id: &str,
    until: Option<State>,
    shown: &mut String,
    output: &Output,
) -> Result<Watched, Failure> {
    let mut client = InstancesServiceClient::new(remote.channel()?);
    let request = WatchInstanceRequest { instance_id: instance_id.to_owned() };
    let mut answers = client.watch_instance(request).await?.into_inner();
    let mut began = false;
    loop {
        let instance = match answers.message().await {
            Ok(Some(answer)) => answer.instance,
            Ok(None) if began => return Ok(Watched::Again),
            Ok(None) => return Err(Failure::new("the server ended the watch at once").hint("try again")),
            Err(status) if began && status.code() == Code::Unavailable => return Ok(Watched::Again),
            Err(status) => return Err(status.into()),
        };
        began = true;
        let Some(instance) = instance else { continue };
        // A stream that goes on after another begins with what was shown already.
        if *shown != instance.etag {
            output.message(INSTANCE, &instance, line)?;
            shown.clone_from(&instance.etag);
        }
        let Some(until) = until else { continue };
        if instance.state() == until {
            return Ok(Watched::Reached);
        }
        if is_hopeless(instance.state(), until) {
            let name = state(instance.state().as_str_name());
            return Err(Failure::new(format!("the instance is {name} and never becomes {}", word(until)))
                .hint(format!("see its conditions: souk instances get {instance_id}")));
        }
    }
}

/// Whether nothing leads from one state to another without somebody acting.
const fn is_hopeless(from: State, until: State) -> bool {
    match from {
        State::Terminated => true,
        State::Terminating => !matches!(until, State::Terminated),
        State::Failed => !matches!(until, State::Terminating | State::Terminated),
        _ => false,
    }
}

fn word(of: State) -> &'static str {
    state(of.as_str_name())
}

fn parse_state(text: &str) -> Result<State, String> {
    let upper = text.to_ascii_uppercase();
    let known = State::from_str_name(&format!("STATE_{}", upper.trim_start_matches("STATE_")));
    known.filter(|known| *known != State::Unspecified).ok_or_else(|| {
        "the states are REQUESTED, PROVISIONING, ACTIVE, PAUSED, TERMINATING, TERMINATED, FAILED".to_owned()
    })
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

/// A moment for people; nothing where there is none.
fn moment(time: Option<prost_types::Timestamp>) -> String {
    time.map_or_else(String::new, |time| time.to_string())
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
    if instance.end_time.is_some() {
        lines.push(format!("ends      {}", moment(instance.end_time)));
    }
    if !instance.waiting_for.is_empty() {
        lines.push(format!(
            "waits     for {} until {}",
            instance.waiting_for,
            moment(instance.deadline_time)
        ));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_people_write_them() {
        for text in ["active", "ACTIVE", "STATE_ACTIVE"] {
            assert_eq!(parse_state(text), Ok(State::Active), "{text}");
        }
        for text in ["", "FOO", "unspecified"] {
            assert!(parse_state(text).unwrap_err().contains("PROVISIONING"), "{text}");
        }
    }

    #[test]
    fn a_slug_names_one_instance_and_none_of_several() {
        let of = |id: &str, slug: &str, state: State| {
            let (instance_id, offering_slug) = (id.to_owned(), slug.to_owned());
            Instance { instance_id, offering_slug, state: state.into(), ..Instance::default() }
        };
        let mut there = vec![
            of("ins_3", "echo", State::Active),
            of("ins_2", "echo", State::Terminating),
            of("ins_1", "other", State::Active),
        ];
        assert_eq!(choose("echo", there.clone()).unwrap(), "ins_3");
        assert!(choose("nothing", there.clone()).is_err());
        there.push(of("ins_0", "echo", State::Paused));
        let refusal = format!("{:?}", choose("echo", there).unwrap_err());
        assert!(refusal.contains("ins_3 ins_0") && !refusal.contains("ins_2"), "{refusal}");
    }

    #[test]
    fn nobody_waits_for_what_cannot_come() {
        assert!(is_hopeless(State::Failed, State::Active));
        assert!(is_hopeless(State::Terminated, State::Active));
        assert!(!is_hopeless(State::Terminating, State::Terminated));
        assert!(!is_hopeless(State::Paused, State::Active));
    }
}
