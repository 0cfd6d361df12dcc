//! `souk capabilities …`.

use clap::Subcommand;
use souk_proto::souk::catalog::v1::{
    Capability, ListCapabilitiesRequest, catalog_service_client::CatalogServiceClient,
};

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk capabilities …`.
#[derive(Subcommand)]
pub(crate) enum Capabilities {
    /// List what an offering version can ask for.
    Ls,
    /// Show one with the JSON Schema and the defaults of its configuration.
    Get {
        /// Its name: web_widget.branding.
        name: String,
    },
}

pub(crate) async fn run(remote: &Remote, ask: Capabilities, output: &Output) -> Result<(), Failure> {
    let mut client = CatalogServiceClient::new(remote.channel()?);
    let all = client.list_capabilities(ListCapabilitiesRequest {}).await?.into_inner();
    match ask {
        Capabilities::Ls => output.message("souk.catalog.v1.ListCapabilitiesResponse", &all, |all| {
            let row = |one: &Capability| vec![one.name.clone(), one.description.clone()];
            table(&["CAPABILITY", "DESCRIPTION"], &all.capabilities.iter().map(row).collect::<Vec<_>>())
        }),
        Capabilities::Get { name } => {
            let found = all.capabilities.into_iter().find(|one| one.name == name);
            let unknown = || {
                Failure::new(format!("no capability is called {name:?}"))
                    .hint("see what there is: souk capabilities ls")
            };
            output.message("souk.catalog.v1.Capability", &found.ok_or_else(unknown)?, whole)
        }
    }
}

fn whole(one: &Capability) -> String {
    format!(
        "{}  {}\n{}\n\ndefaults\n{}\n\nschema\n{}",
        one.name,
        one.display_name,
        one.description,
        pretty(&one.default_config_json),
        pretty(&one.schema_json)
    )
}

/// JSON on several lines; what is none stays as it came.
fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}
