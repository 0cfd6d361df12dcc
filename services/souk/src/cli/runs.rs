//! `souk run INSTANCE TEXT` and `souk runs …`.

use std::io::Read as _;

use clap::Subcommand;
use souk_proto::souk::runs::v1::{
    CancelRunRequest, CreateRunRequest, GetRunRequest, ListRunsRequest, ListRunsResponse, Run, State,
    runs_service_client::RunsServiceClient,
};
use souk_types::Credits;

use super::{
    instances::Named,
    output::{Failure, Output, table},
    projects::project_of,
    remote::Remote,
};

/// `souk runs …`.
#[derive(Subcommand)]
pub(crate) enum Runs {
    /// List a project's runs, newest first.
    Ls {
        /// The project: its id or its slug [default: the caller's only one].
        #[arg(long, default_value = "")]
        project: String,
        /// Only of this instance: its id, or its offering's slug.
        #[arg(long, default_value = "")]
        instance: String,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
    /// Show one run.
    Get {
        /// The run.
        run: String,
    },
    /// Stop a run; what it used so far is charged.
    Cancel {
        /// The run.
        run: String,
    },
}

/// What `souk run` was given.
pub(crate) struct Create {
    pub(crate) named: Named,
    pub(crate) input: Option<String>,
    pub(crate) session: Option<String>,
}

const RUN: &str = "souk.runs.v1.Run";

pub(crate) async fn create(remote: &Remote, ask: Create, output: &Output) -> Result<(), Failure> {
    let input = match ask.input.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(format!("standard input: {error}")))?;
            text
        }
        other => other.unwrap_or_default().to_owned(),
    };
    let request = CreateRunRequest {
        instance_id: ask.named.id(remote).await?,
        request_id: remote.request_id(""),
        input,
        session_id: ask.session.unwrap_or_default(),
    };
    let mut client = RunsServiceClient::new(remote.channel()?);
    let run = client.create_run(request).await?.into_inner().run.unwrap_or_default();
    output.message(RUN, &run, |run| run.output.clone())?;
    if !output.is_json() {
        output.say(&receipt(&run));
    }
    match (run.state(), run.error) {
        (State::Succeeded, _) => Ok(()),
        (_, Some(error)) => {
            Err(Failure::new(format!("the run failed: {}", error.message)).reason(&error.reason))
        }
        (state, None) => Err(Failure::new(format!("the run ended {}", state.as_str_name()))),
    }
}

fn receipt(run: &Run) -> String {
    let usage = run.usage.iter().map(|usage| format!("{} {}", usage.quantity, usage.dimension));
    // What a run used above what the wallet held is not charged.
    let charged = match run.charged_micros == run.cost_micros {
        true => String::new(),
        false => format!(", {} of it charged", Credits::from_micros(run.charged_micros)),
    };
    format!(
        "{} · {} · cost {} credits{charged} · {} left",
        run.run_id,
        usage.collect::<Vec<_>>().join(", "),
        Credits::from_micros(run.cost_micros),
        Credits::from_micros(run.balance_micros)
    )
}

pub(crate) async fn run(remote: &Remote, ask: Runs, output: &Output) -> Result<(), Failure> {
    let mut client = RunsServiceClient::new(remote.channel()?);
    match ask {
        Runs::Get { run } => {
            let answer = client.get_run(GetRunRequest { run_id: run }).await?.into_inner();
            output.message(RUN, &answer.run.unwrap_or_default(), whole)
        }
        Runs::Cancel { run } => {
            let request = CancelRunRequest { run_id: run, request_id: remote.request_id("") };
            let run = client.cancel_run(request).await?.into_inner().run.unwrap_or_default();
            output.message(RUN, &run, whole)?;
            if run.end_time.is_none() && !output.is_json() {
                output.say(&format!("it is being stopped: souk runs get {}", run.run_id));
            }
            Ok(())
        }
        Runs::Ls { project, instance, limit } => {
            let project_id = project_of(remote, project).await?;
            let instance_id = match instance.as_str() {
                "" => instance,
                _ => Named { instance, project: project_id.clone() }.id(remote).await?,
            };
            let request =
                ListRunsRequest { project_id, instance_id, page_size: limit, page_token: String::new() };
            let page = client.list_runs(request).await?.into_inner();
            output.message("souk.runs.v1.ListRunsResponse", &page, rows)
        }
    }
}

fn rows(page: &ListRunsResponse) -> String {
    let row = |run: &Run| {
        let state = run.state().as_str_name().trim_start_matches("STATE_").to_owned();
        let input: String =
            run.input.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
        vec![run.run_id.clone(), state, Credits::from_micros(run.charged_micros).to_string(), input]
    };
    table(&["RUN", "STATE", "CREDITS", "INPUT"], &page.runs.iter().map(row).collect::<Vec<_>>())
}

fn whole(run: &Run) -> String {
    let mut lines = vec![
        format!("run       {}", run.run_id),
        format!("state     {}", run.state().as_str_name().trim_start_matches("STATE_")),
        format!("instance  {}", run.instance_id),
        format!("receipt   {}", run.receipt_id),
        format!("cost      {} credits", Credits::from_micros(run.cost_micros)),
        format!("trace     {}", run.trace_id),
    ];
    if let Some(error) = &run.error {
        lines.push(format!("error     {} ({})", error.message, error.reason));
    }
    for output in &run.outputs {
        lines.push(format!("{}: {}", output.display_name, output.text));
    }
    lines.join("\n")
}
