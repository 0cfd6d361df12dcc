//! `souk audit`.

use clap::Args;
use souk_proto::souk::tenancy::v1::{
    AuditEntry, ListAuditEntriesRequest, tenancy_service_client::TenancyServiceClient,
};

use super::{
    keys::org_of,
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk audit`.
#[derive(Args)]
pub(crate) struct Audit {
    /// The org [default: the caller's only one].
    #[arg(long, default_value = "")]
    org: String,
    /// At most so many entries.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
}

pub(crate) async fn run(remote: &Remote, ask: Audit, output: &Output) -> Result<(), Failure> {
    let mut client = TenancyServiceClient::new(remote.channel()?);
    let org_id = org_of(remote, ask.org).await?;
    let request = ListAuditEntriesRequest { org_id, page_size: ask.limit, page_token: String::new() };
    let page = client.list_audit_entries(request).await?.into_inner();
    output.message("souk.tenancy.v1.ListAuditEntriesResponse", &page, |page| {
        let head = ["TIME", "WHO", "WHAT", "OUTCOME", "THING"];
        table(&head, &page.audit_entries.iter().map(row).collect::<Vec<_>>())
    })
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let time = entry.occur_time.map(|time| time.to_string()).unwrap_or_default();
    let method = entry.method.rsplit('/').next().unwrap_or_default().to_owned();
    vec![time, entry.actor.clone(), method, entry.outcome.clone(), entry.resource_id.clone()]
}
