//! `souk workspace`.

use clap::Args;
use souk_proto::souk::tenancy::v1::{
    AutoCreateWorkspaceRequest, AutoCreateWorkspaceResponse, tenancy_service_client::TenancyServiceClient,
};
use souk_types::Credits;

use super::{
    output::{Failure, Output},
    remote::Remote,
};

/// `souk workspace`.
#[derive(Args)]
pub(crate) struct Workspace {
    /// Its name for people [default: made from the caller's address].
    #[arg(long)]
    name: Option<String>,
}

pub(crate) async fn run(remote: &Remote, ask: Workspace, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let display_name = ask.name.unwrap_or_default();
    let request = AutoCreateWorkspaceRequest { request_id: remote.request_id(""), display_name };
    let workspace = client.auto_create_workspace(request).await?.into_inner();
    output.message("souk.tenancy.v1.AutoCreateWorkspaceResponse", &workspace, text)
}

fn text(workspace: &AutoCreateWorkspaceResponse) -> String {
    let balance = Credits::from_micros(workspace.wallet_balance_micros);
    let trial = match workspace.trial_refused_reason.as_str() {
        "" => String::new(),
        reason => format!("\ntrial    none: {reason}"),
    };
    let (org, project) = (&workspace.org_id, &workspace.project_id);
    format!("org      {org}\nproject  {project}\nwallet   {balance} credits{trial}")
}
