//! `souk wallet` and `souk ledger`.

use clap::Args;
use souk_proto::souk::billing::v1::{
    GetWalletRequest, LedgerEntry, ListLedgerEntriesRequest, ListLedgerEntriesResponse, Wallet as WireWallet,
    billing_service_client::BillingServiceClient,
};
use souk_types::Credits;

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk wallet`.
#[derive(Args)]
pub(crate) struct Wallet {
    /// The org [default: the caller's only one].
    #[arg(long, default_value = "")]
    org: String,
}

/// `souk ledger`.
#[derive(Args)]
pub(crate) struct Ledger {
    /// The org [default: the caller's only one].
    #[arg(long, default_value = "")]
    org: String,
    /// Only what this instance spent.
    #[arg(long, default_value = "")]
    instance: String,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: i32,
}

pub(crate) async fn show(remote: &Remote, ask: Wallet, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let answer = client.get_wallet(GetWalletRequest { org_id: ask.org }).await?.into_inner();
    output.message("souk.billing.v1.Wallet", &answer.wallet.unwrap_or_default(), text)
}

fn text(wallet: &WireWallet) -> String {
    let credits = Credits::from_micros;
    let mut lines = vec![
        format!("wallet     {}", wallet.wallet_id),
        format!("available  {} credits", credits(wallet.available_micros)),
        format!("reserved   {} credits", credits(wallet.reserved_micros)),
    ];
    for lot in &wallet.lots {
        let source = lot.source().as_str_name().trim_start_matches("SOURCE_").to_lowercase();
        let left = credits(lot.available_micros.saturating_add(lot.reserved_micros));
        lines.push(format!("  {source:<9} {left} of {}  {}", credits(lot.original_micros), lot.source_ref));
    }
    lines.join("\n")
}

pub(crate) async fn ledger(remote: &Remote, ask: Ledger, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let request = ListLedgerEntriesRequest {
        org_id: ask.org,
        instance_id: ask.instance,
        page_size: ask.limit,
        page_token: String::new(),
    };
    let page = client.list_ledger_entries(request).await?.into_inner();
    output.message("souk.billing.v1.ListLedgerEntriesResponse", &page, entries)
}

fn entries(page: &ListLedgerEntriesResponse) -> String {
    let row = |entry: &LedgerEntry| {
        let kind = entry.kind().as_str_name().trim_start_matches("KIND_").to_lowercase();
        let amount = Credits::from_micros(entry.amount_micros).to_string();
        vec![entry.ledger_entry_id.clone(), kind, amount, entry.source_ref.clone()]
    };
    table(&["ENTRY", "KIND", "CREDITS", "SOURCE"], &page.ledger_entries.iter().map(row).collect::<Vec<_>>())
}
