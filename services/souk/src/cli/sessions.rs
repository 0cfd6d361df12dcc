//! `souk sessions …`.

use clap::Subcommand;
use serde_json::json;
use souk_proto::souk::tenancy::v1::{
    ListSessionsRequest, RevokeSessionRequest, Session, tenancy_service_client::TenancyServiceClient,
};

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk sessions …`.
#[derive(Subcommand)]
pub(crate) enum Sessions {
    /// List the caller's open sessions, newest first.
    Ls,
    /// End one of them; its cookie and its tokens stop working within seconds.
    Revoke {
        /// The session's id.
        session: String,
    },
}

pub(crate) async fn run(remote: &Remote, ask: Sessions, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    match ask {
        Sessions::Ls => {
            let request = ListSessionsRequest { page_size: 1000, page_token: String::new() };
            let page = client.list_sessions(request).await?.into_inner();
            output.message("souk.tenancy.v1.ListSessionsResponse", &page, |page| {
                let head = ["SESSION", "BEGAN", "ENDS", ""];
                table(&head, &page.sessions.iter().map(row).collect::<Vec<_>>())
            })
        }
        Sessions::Revoke { session } => {
            let request =
                RevokeSessionRequest { session_id: session.clone(), request_id: remote.request_id("") };
            client.revoke_session(request).await?;
            if output.is_json() {
                return output.value(&json!({"revoked": session}));
            }
            output.text(&format!("revoked {session}"))
        }
    }
}

fn row(session: &Session) -> Vec<String> {
    let time = |time: Option<prost_types::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let current = if session.current { "this one" } else { "" };
    let (began, ends) = (time(session.create_time), time(session.expire_time));
    vec![session.session_id.clone(), began, ends, current.to_owned()]
}
