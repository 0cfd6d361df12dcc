//! `souk projects …`.

use clap::Subcommand;
use souk_proto::souk::tenancy::v1::{
    CreateProjectRequest, GetCallerRequest, ListProjectsRequest, Project,
    tenancy_service_client::TenancyServiceClient,
};

use super::{
    keys::org_of,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk projects …`.
#[derive(Subcommand)]
pub(crate) enum Projects {
    /// List an org's projects, oldest first.
    Ls {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Make a project.
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
}

pub(crate) async fn run(remote: &Remote, ask: Projects, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    match ask {
        Projects::Ls { org } => {
            let org_id = org_of(remote, org).await?;
            let request = ListProjectsRequest { org_id, page_size: 1000, page_token: String::new() };
            let page = client.list_projects(request).await?.into_inner();
            output.message("souk.tenancy.v1.ListProjectsResponse", &page, |page| {
                let row = |project: &Project| {
                    vec![project.project_id.clone(), project.slug.clone(), project.display_name.clone()]
                };
                table(&["PROJECT", "SLUG", "NAME"], &page.projects.iter().map(row).collect::<Vec<_>>())
            })
        }
        Projects::Create { slug, name, org } => {
            let org_id = org_of(remote, org).await?;
            let request_id = remote.request_id("");
            let request = CreateProjectRequest { org_id, request_id, slug, display_name: name };
            let project = client.create_project(request).await?.into_inner().project.unwrap_or_default();
            output.message("souk.tenancy.v1.Project", &project, |project| {
                format!("{}  {}", project.project_id, project.slug)
            })
        }
    }
}

/// The id of a project that is named by its id, or by its slug in an org of the caller's. No name stays none: the
/// server then takes the caller's only project.
pub(crate) async fn project_of(remote: &Remote, name: String) -> Result<String, Failure> {
    if name.is_empty() || name.starts_with("prj_") {
        return Ok(name);
    }
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let caller = client.get_caller(GetCallerRequest {}).await?.into_inner();
    let mut ids = Vec::new();
    for membership in caller.memberships {
        let (mut page_token, org_id) = (String::new(), membership.org_id);
        loop {
            let request = ListProjectsRequest { org_id: org_id.clone(), page_size: 1000, page_token };
            let page = client.list_projects(request).await?.into_inner();
            let called = page.projects.into_iter().filter(|project| project.slug == name);
            ids.extend(called.map(|project| project.project_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    match ids.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(format!("no project has the id or the slug {name:?}"))
            .hint("see what there is: souk projects ls; or make one: souk workspace")),
        several => {
            Err(Failure::new(format!("several projects have the slug {name:?}: {}", several.join(" ")))
                .hint("name one by its id"))
        }
    }
}
