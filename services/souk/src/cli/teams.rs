//! `souk teams …`.

use clap::Subcommand;
use serde_json::json;
use souk_proto::souk::tenancy::v1::{
    AddTeamMemberRequest, CreateTeamRequest, DeleteTeamRequest, ListTeamsRequest, RemoveTeamMemberRequest,
    Team, tenancy_service_client::TenancyServiceClient,
};

use super::{
    keys::org_of,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk teams …`.
#[derive(Subcommand)]
pub(crate) enum Teams {
    /// List an org's teams.
    Ls {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Make a team.
    Create {
        /// Its slug: 1 to 40 of a-z, 0-9 and hyphen.
        slug: String,
        /// Its name for people [default: the slug].
        #[arg(long, default_value = "")]
        name: String,
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Put a member of the org into a team.
    Add {
        /// The team's id.
        team: String,
        /// The member's id.
        user: String,
    },
    /// Take a person out of a team.
    Remove {
        /// The team's id.
        team: String,
        /// The person's id.
        user: String,
    },
    /// Delete a team; its people stay in the org.
    Delete {
        /// The team's id.
        team: String,
    },
}

const TEAM: &str = "souk.tenancy.v1.Team";

pub(crate) async fn run(remote: &Remote, ask: Teams, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let request_id = remote.request_id("");
    match ask {
        Teams::Ls { org } => {
            let org_id = org_of(remote, org).await?;
            let request = ListTeamsRequest { org_id, page_size: 1000, page_token: String::new() };
            let page = client.list_teams(request).await?.into_inner();
            output.message("souk.tenancy.v1.ListTeamsResponse", &page, |page| {
                let row = |team: &Team| {
                    let (id, slug) = (team.team_id.clone(), team.slug.clone());
                    vec![id, slug, team.display_name.clone(), team.user_ids.join(" ")]
                };
                table(&["TEAM", "SLUG", "NAME", "PEOPLE"], &page.teams.iter().map(row).collect::<Vec<_>>())
            })
        }
        Teams::Create { slug, name, org } => {
            let org_id = org_of(remote, org).await?;
            let request = CreateTeamRequest { org_id, request_id, slug, display_name: name };
            let team = client.create_team(request).await?.into_inner().team.unwrap_or_default();
            output.message(TEAM, &team, line)
        }
        Teams::Add { team, user } => {
            let request = AddTeamMemberRequest { team_id: team, request_id, user_id: user };
            let team = client.add_team_member(request).await?.into_inner().team.unwrap_or_default();
            output.message(TEAM, &team, line)
        }
        Teams::Remove { team, user } => {
            let request = RemoveTeamMemberRequest { team_id: team, request_id, user_id: user };
            let team = client.remove_team_member(request).await?.into_inner().team.unwrap_or_default();
            output.message(TEAM, &team, line)
        }
        Teams::Delete { team } => {
            client.delete_team(DeleteTeamRequest { team_id: team.clone(), request_id }).await?;
            if output.is_json() {
                return output.value(&json!({"deleted": team}));
            }
            output.text(&format!("deleted {team}"))
        }
    }
}

fn line(team: &Team) -> String {
    format!("{}  {}  {} in it", team.team_id, team.slug, team.user_ids.len())
}
