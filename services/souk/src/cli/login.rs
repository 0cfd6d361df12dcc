//! `souk login` and `souk whoami`.

use clap::Args;
use serde_json::json;
use souk_proto::souk::{
    gateway::v1::{SignInRequest, gateway_service_client::GatewayServiceClient},
    tenancy::v1::{
        CreateSignInLinkRequest, GetCallerRequest, GetCallerResponse,
        tenancy_service_client::TenancyServiceClient,
    },
};

use super::{
    output::{Failure, Output},
    remote::Remote,
};

/// `souk login`.
#[derive(Args)]
pub(crate) struct Login {
    /// Whose link it is; the user is made when first seen.
    #[arg(long, default_value = "operator@localhost")]
    email: String,
    /// Use the link at once and keep its access token for later commands.
    #[arg(long)]
    save: bool,
}

pub(crate) async fn run(remote: &Remote, ask: Login, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let request = CreateSignInLinkRequest { request_id: remote.request_id(""), email: ask.email.clone() };
    let link = client.create_sign_in_link(request).await?.into_inner();
    if ask.save {
        let mut gateway = GatewayServiceClient::new(remote.channel()?);
        let signed_in = gateway.sign_in(SignInRequest { code: link.code }).await?.into_inner();
        let path = remote.save(&signed_in.access_token)?;
        output.say(&format!("signed in as {} · saved in {}", ask.email, path.display()));
        // The file keeps it; only a program that asked for it is shown it.
        return match output.is_json() {
            true => output.line("accessToken", &signed_in.access_token),
            false => Ok(()),
        };
    }
    let url = format!("{}/sign-in/{}", remote.server(), link.code);
    if output.is_json() {
        return output.value(&json!({"signIn": url, "email": ask.email, "expiresIn": 600}));
    }
    output.say(&format!("a sign-in link for {}, good once and for ten minutes:", ask.email));
    output.text(&url)
}

pub(crate) async fn whoami(remote: &Remote, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let caller = client.get_caller(GetCallerRequest {}).await?.into_inner();
    output.message("souk.tenancy.v1.GetCallerResponse", &caller, text)
}

fn text(caller: &GetCallerResponse) -> String {
    let user = caller.user.clone().unwrap_or_default();
    let mut lines = vec![format!("{}  {}", user.user_id, user.email)];
    if caller.operator {
        lines.push("operator of the platform".to_owned());
    }
    for membership in &caller.memberships {
        let role = membership.role().as_str_name().trim_start_matches("ROLE_").to_lowercase();
        lines.push(format!("{role} of {}  {}", membership.org_id, membership.project_ids.join(" ")));
    }
    lines.join("\n")
}
