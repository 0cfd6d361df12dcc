//! `souk keys …`.

use clap::Subcommand;
use serde_json::json;
use souk_kit::{clock::MachineClock, wire};
use souk_proto::souk::tenancy::v1::{
    ApiKey, CreateApiKeyRequest, GetCallerRequest, ListApiKeysRequest, RevokeApiKeyRequest,
    tenancy_service_client::TenancyServiceClient,
};
use souk_types::{Clock, Time};

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk keys …`.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make an API key; its secret is shown once.
    Create {
        /// What the key is for.
        #[arg(long)]
        name: String,
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
        /// How many days it works [default: until revoked].
        #[arg(long)]
        days: Option<u16>,
        /// What the key is narrowed to, e.g. runs.use; may stand more than once [default: all of the role].
        #[arg(long = "scope", value_name = "PERMISSION", value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// List an org's API keys.
    Ls {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Revoke an API key.
    Revoke {
        /// The key's id.
        key: String,
    },
}

pub(crate) async fn run(remote: &Remote, ask: Keys, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    match ask {
        Keys::Create { name, org, days, scopes } => {
            let seconds = days.map(|days| i64::from(days) * 86_400);
            let request = CreateApiKeyRequest {
                org_id: org_of(remote, org).await?,
                request_id: remote.request_id(""),
                display_name: name,
                time_to_live: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
                scopes,
            };
            let answer = client.create_api_key(request).await?.into_inner();
            let key = answer.api_key.unwrap_or_default();
            if output.is_json() {
                let key = output.proto_json("souk.tenancy.v1.ApiKey", &key)?;
                return output.value(&json!({"apiKey": key, "secret": answer.secret}));
            }
            output.say(&format!("{} · the secret is shown this once:", key.api_key_id));
            output.text(&answer.secret)
        }
        Keys::Ls { org } => {
            let org_id = org_of(remote, org).await?;
            let request = ListApiKeysRequest { org_id, page_size: 1000, page_token: String::new() };
            let page = client.list_api_keys(request).await?.into_inner();
            let now = MachineClock.now();
            output.message("souk.tenancy.v1.ListApiKeysResponse", &page, |page| {
                let row = |key: &ApiKey| {
                    let state = state(key, now).to_owned();
                    let scopes = key.scopes.join(" ");
                    vec![key.api_key_id.clone(), key.display_name.clone(), key.hint.clone(), state, scopes]
                };
                table(
                    &["KEY", "NAME", "HINT", "STATE", "SCOPES"],
                    &page.api_keys.iter().map(row).collect::<Vec<_>>(),
                )
            })
        }
        Keys::Revoke { key } => {
            let request = RevokeApiKeyRequest { api_key_id: key, request_id: remote.request_id("") };
            let key = client.revoke_api_key(request).await?.into_inner().api_key.unwrap_or_default();
            output.message("souk.tenancy.v1.ApiKey", &key, |key| format!("revoked {}", key.api_key_id))
        }
    }
}

fn state(key: &ApiKey, now: Time) -> &'static str {
    let expired = key.expire_time.and_then(wire::time).is_some_and(|expires| expires <= now);
    if key.revoke_time.is_some() {
        "revoked"
    } else if expired {
        "expired"
    } else {
        "works"
    }
}

/// The org that was named, else the caller's only one.
pub(crate) async fn org_of(remote: &Remote, named: String) -> Result<String, Failure> {
    if !named.is_empty() {
        return Ok(named);
    }
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let caller = client.get_caller(GetCallerRequest {}).await?.into_inner();
    match caller.memberships.as_slice() {
        [only] => Ok(only.org_id.clone()),
        [] => Err(Failure::new("the caller belongs to no org").hint("souk workspace")),
        _ => Err(Failure::new("the caller belongs to more than one org").hint("name it: --org ORG")),
    }
}
