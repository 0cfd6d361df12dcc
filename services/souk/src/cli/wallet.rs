//! `souk wallet`, `souk ledger` and `souk receipts`.

use std::time::Duration;

use clap::{Args, Subcommand};
use souk_kit::{clock::MachineClock, wire};
use souk_proto::souk::billing::v1::{
    AdjustWalletRequest, AdjustWalletResponse, GetReceiptRequest, GetWalletRequest, LedgerEntry,
    ListLedgerEntriesRequest, ListLedgerEntriesResponse, Receipt, ReceiptLine, SetWalletStateRequest,
    Wallet as WireWallet, WalletState, WatchWalletRequest, billing_service_client::BillingServiceClient,
};
use souk_types::{Clock, Credits};
use tonic::Code;

use super::{
    output::{Failure, Output, table, unread},
    remote::Remote,
    yaml::micros,
};

const WALLET: &str = "souk.billing.v1.Wallet";
/// The most that one call lists.
const PAGE: u32 = 1000;

/// `souk wallet`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Wallet {
    /// The org [default: the caller's only one].
    #[arg(long, default_value = "")]
    org: String,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the wallet whenever it changed.
    Watch {
        /// The org [default: the caller's only one].
        #[arg(long, default_value = "")]
        org: String,
    },
    /// Give an org credits, or take free ones; for operators.
    Adjust(Adjust),
    /// Let an org spend nothing until unfrozen; for operators.
    Freeze {
        /// The org.
        org: String,
    },
    /// Let an org spend again; for operators.
    Unfreeze {
        /// The org.
        org: String,
    },
}

#[derive(Args)]
struct Adjust {
    /// The org.
    org: String,
    /// How many credits to give; with a minus, to take: 12.5, -3.
    #[arg(allow_hyphen_values = true, value_parser = credits)]
    credits: Credits,
    /// Why; readers of the org see it in their ledger.
    #[arg(long)]
    note: String,
    /// How many days given credits last [default: for ever].
    #[arg(long)]
    days: Option<u16>,
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
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// `souk receipts …`.
#[derive(Subcommand)]
pub(crate) enum Receipts {
    /// Show what a settle charged.
    Get {
        /// The receipt's id.
        receipt: String,
    },
}

/// An amount that may be below zero.
fn credits(text: &str) -> Result<Credits, String> {
    let (minus, amount) = text.strip_prefix('-').map_or((false, text), |amount| (true, amount));
    let amount = micros(amount).ok_or("needs credits with at most six decimals: 12.5, -3")?;
    Ok(Credits::from_micros(if minus { amount.saturating_neg() } else { amount }))
}

pub(crate) async fn show(remote: &Remote, ask: Wallet, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    match ask.verb {
        None => {
            let answer = client.get_wallet(GetWalletRequest { org_id: ask.org }).await?.into_inner();
            output.message(WALLET, &answer.wallet.unwrap_or_default(), text)
        }
        Some(Verb::Watch { org }) => watch(remote, &org, output).await,
        Some(Verb::Adjust(ask)) => adjust(remote, ask, output).await,
        Some(Verb::Freeze { org }) => set(remote, org, WalletState::Frozen, output).await,
        Some(Verb::Unfreeze { org }) => set(remote, org, WalletState::Active, output).await,
    }
}

fn text(wallet: &WireWallet) -> String {
    let credits = Credits::from_micros;
    let mut lines = vec![
        format!("wallet     {}", wallet.wallet_id),
        format!("available  {} credits", credits(wallet.available_micros)),
        format!("reserved   {} credits", credits(wallet.reserved_micros)),
    ];
    if wallet.state() == WalletState::Frozen {
        lines.push("frozen     spends nothing until an operator unfreezes it".to_owned());
    }
    for lot in &wallet.lots {
        let source = lot.source().as_str_name().trim_start_matches("SOURCE_").to_lowercase();
        let left = credits(lot.available_micros.saturating_add(lot.reserved_micros));
        lines.push(format!("  {source:<10} {left} of {}  {}", credits(lot.original_micros), lot.source_ref));
    }
    lines.join("\n")
}

fn line(wallet: &WireWallet) -> String {
    let credits = Credits::from_micros;
    let (available, reserved) = (credits(wallet.available_micros), credits(wallet.reserved_micros));
    let frozen = if wallet.state() == WalletState::Frozen { "  frozen" } else { "" };
    format!("available {available}  reserved {reserved}{frozen}")
}

async fn adjust(remote: &Remote, ask: Adjust, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let end = |days: u16| MachineClock.now() + Duration::from_secs(u64::from(days) * 86_400);
    let request = AdjustWalletRequest {
        org_id: ask.org,
        request_id: remote.request_id(""),
        amount_micros: ask.credits.micros(),
        note: ask.note,
        expire_time: ask.days.map(end).map(wire::timestamp),
    };
    let answer = client.adjust_wallet(request).await?.into_inner();
    output.message("souk.billing.v1.AdjustWalletResponse", &answer, |answer: &AdjustWalletResponse| {
        format!(
            "{}  the wallet holds {}",
            answer.ledger_entry_id,
            Credits::from_micros(answer.balance_micros)
        )
    })
}

async fn set(remote: &Remote, org: String, state: WalletState, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let request_id = remote.request_id("");
    let request = SetWalletStateRequest { org_id: org, request_id, state: state.into() };
    let answer = client.set_wallet_state(request).await?.into_inner();
    output.message(WALLET, &answer.wallet.unwrap_or_default(), text)
}

async fn watch(remote: &Remote, org: &str, output: &Output) -> Result<(), Failure> {
    let mut shown = String::new();
    loop {
        tokio::select! {
            outcome = follow(remote, org, &mut shown, output) => outcome?,
            () = unread() => return Ok(()),
        }
    }
}

/// One stream of a watch; the server ends it at a greatest age, and the next one goes on.
async fn follow(remote: &Remote, org: &str, shown: &mut String, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let request = WatchWalletRequest { org_id: org.to_owned() };
    let mut answers = client.watch_wallet(request).await?.into_inner();
    let mut began = false;
    loop {
        let wallet = match answers.message().await {
            Ok(Some(answer)) => answer.wallet,
            Ok(None) if began => return Ok(()),
            Ok(None) => return Err(Failure::new("the server ended the watch at once").hint("try again")),
            Err(status) if began && status.code() == Code::Unavailable => return Ok(()),
            Err(status) => return Err(status.into()),
        };
        began = true;
        let Some(wallet) = wallet.filter(|wallet| wallet.etag != *shown) else { continue };
        output.message(WALLET, &wallet, line)?;
        shown.clone_from(&wallet.etag);
    }
}

pub(crate) async fn ledger(remote: &Remote, ask: Ledger, output: &Output) -> Result<(), Failure> {
    let mut client = BillingServiceClient::new(remote.channel()?);
    let mut listed = ListLedgerEntriesResponse::default();
    let mut left = if ask.all { u32::MAX } else { ask.limit };
    loop {
        let request = ListLedgerEntriesRequest {
            org_id: ask.org.clone(),
            instance_id: ask.instance.clone(),
            page_size: i32::try_from(left.min(PAGE)).unwrap_or(i32::MAX),
            page_token: std::mem::take(&mut listed.next_page_token),
        };
        let page = client.list_ledger_entries(request).await?.into_inner();
        let many = u32::try_from(page.ledger_entries.len()).unwrap_or(u32::MAX);
        listed.ledger_entries.extend(page.ledger_entries);
        listed.next_page_token = page.next_page_token;
        if !ask.all {
            left = left.saturating_sub(many);
        }
        if left == 0 || listed.next_page_token.is_empty() {
            break;
        }
    }
    output.message("souk.billing.v1.ListLedgerEntriesResponse", &listed, entries)?;
    if !listed.next_page_token.is_empty() {
        output.say("there are more: --all, or a greater --limit");
    }
    Ok(())
}

fn entries(page: &ListLedgerEntriesResponse) -> String {
    let row = |entry: &LedgerEntry| {
        let kind = entry.kind().as_str_name().trim_start_matches("KIND_").to_lowercase();
        let amount = Credits::from_micros(entry.amount_micros).to_string();
        vec![entry.ledger_entry_id.clone(), kind, amount, entry.source_ref.clone()]
    };
    table(&["ENTRY", "KIND", "CREDITS", "SOURCE"], &page.ledger_entries.iter().map(row).collect::<Vec<_>>())
}

pub(crate) async fn receipts(remote: &Remote, ask: Receipts, output: &Output) -> Result<(), Failure> {
    let Receipts::Get { receipt } = ask;
    let mut client = BillingServiceClient::new(remote.channel()?);
    let answer = client.get_receipt(GetReceiptRequest { receipt_id: receipt }).await?.into_inner();
    output.message("souk.billing.v1.Receipt", &answer.receipt.unwrap_or_default(), bill)
}

fn bill(receipt: &Receipt) -> String {
    let credits = |micros: i64| Credits::from_micros(micros).to_string();
    let row = |line: &ReceiptLine| {
        vec![line.dimension.clone(), line.quantity.to_string(), credits(line.amount_micros)]
    };
    let rows: Vec<_> = receipt.lines.iter().map(row).collect();
    let mut lines = vec![table(&["DIMENSION", "UNITS", "CREDITS"], &rows)];
    lines.push(format!("cost     {}", credits(receipt.cost_micros)));
    lines.push(format!("charged  {}", credits(receipt.charged_micros)));
    if receipt.overrun_micros > 0 {
        lines.push(format!("overrun  {}  borne by the platform", credits(receipt.overrun_micros)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_may_be_below_zero_and_is_never_rounded() {
        let read = |text: &str| credits(text).ok().map(Credits::micros);
        for (text, micros) in [("12.5", 12_500_000), ("-3", -3_000_000), ("-0.000001", -1)] {
            assert_eq!(read(text), Some(micros), "{text}");
        }
        for text in ["", "-", "--3", "+3", "1e3", "0.0000001", "9999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
