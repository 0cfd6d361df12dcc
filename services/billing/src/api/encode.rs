//! From what the core answers to the wire.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::billing::v1 as pb;
use souk_types::{Fault, Reason, Time};

use crate::{
    error::DOMAIN,
    model::{
        Receipt, Wallet, WalletState,
        ask::Reply,
        ledger::{Book, Kind, Posted},
        lots::{Lot, Source},
        pricing::{Price, Quote, Share},
    },
};

/// A reply that is not one to the method: the request log gave what another kind of command answered.
fn strange() -> Fault {
    Fault::bug(DOMAIN, "the reply is not one to this method")
}

pub(super) fn wallet_opened(reply: Reply) -> Result<pb::OpenWalletResponse, Fault> {
    let Reply::WalletOpened { wallet_id } = reply else { return Err(strange()) };
    Ok(pb::OpenWalletResponse { wallet_id: wallet_id.to_string() })
}

pub(super) fn account_opened(reply: Reply) -> Result<pb::OpenAccountResponse, Fault> {
    let Reply::Account { wallet_id } = reply else { return Err(strange()) };
    Ok(pb::OpenAccountResponse { wallet_id: wallet_id.to_string() })
}

pub(super) fn account_set(reply: Reply) -> Result<pb::SetAccountStateResponse, Fault> {
    let Reply::Account { .. } = reply else { return Err(strange()) };
    Ok(pb::SetAccountStateResponse {})
}

pub(super) fn authorized(reply: Reply) -> Result<pb::AuthorizeResponse, Fault> {
    match reply {
        Reply::Allowed { reservation_id, budget, expire_time, prices } => Ok(pb::AuthorizeResponse {
            allowed: true,
            reservation_id: reservation_id.to_string(),
            budget_micros: budget.micros(),
            expire_time: Some(timestamp(expire_time)),
            reason: String::new(),
            prices: prices.into_iter().map(quote).collect(),
        }),
        Reply::Refused { reason } => {
            Ok(pb::AuthorizeResponse { reason: known(reason)?, ..pb::AuthorizeResponse::default() })
        }
        _ => Err(strange()),
    }
}

fn known(reason: String) -> Result<String, Fault> {
    let known = Reason::ALL.iter().any(|one| one.as_str() == reason);
    if known { Ok(reason) } else { Err(strange()) }
}

fn quote(quote: Quote) -> pb::Price {
    let Price { per, price } = quote.price;
    pb::Price { dimension: quote.dimension, amount_micros: price.micros(), per }
}

pub(super) fn extended(reply: Reply) -> Result<pb::ExtendResponse, Fault> {
    let (reason, budget, expire_time) = match reply {
        Reply::Extended { budget, expire_time } => (String::new(), budget, expire_time),
        Reply::NotExtended { reason, budget, expire_time } => (known(reason)?, budget, expire_time),
        _ => return Err(strange()),
    };
    Ok(pb::ExtendResponse {
        allowed: reason.is_empty(),
        budget_micros: budget.micros(),
        expire_time: Some(timestamp(expire_time)),
        reason,
    })
}

pub(super) fn reversed(reply: Reply) -> Result<pb::ReverseTopUpResponse, Fault> {
    let Reply::Reversed(reversal) = reply else { return Err(strange()) };
    Ok(pb::ReverseTopUpResponse {
        reversed_micros: reversal.reversed.micros(),
        pending_micros: reversal.pending.micros(),
        consumed_micros: reversal.consumed.micros(),
        balance_micros: reversal.balance.micros(),
        ledger_entry_id: reversal.ledger_entry_id.map(|id| id.to_string()).unwrap_or_default(),
    })
}

pub(super) fn adjusted(reply: Reply) -> Result<pb::AdjustWalletResponse, Fault> {
    let Reply::Adjusted { balance, ledger_entry_id } = reply else { return Err(strange()) };
    let ledger_entry_id = ledger_entry_id.to_string();
    Ok(pb::AdjustWalletResponse { balance_micros: balance.micros(), ledger_entry_id })
}

pub(super) fn wallet_set(reply: Reply) -> Result<pb::SetWalletStateResponse, Fault> {
    let Reply::WalletSet { wallet, lots } = reply else { return Err(strange()) };
    Ok(pb::SetWalletStateResponse { wallet: Some(whole_wallet(&wallet, lots)) })
}

pub(super) fn account_rescheduled(reply: Reply) -> Result<pb::SetAccountScheduleResponse, Fault> {
    let Reply::Account { .. } = reply else { return Err(strange()) };
    Ok(pb::SetAccountScheduleResponse {})
}

pub(super) fn settled(reply: Reply) -> Result<pb::SettleResponse, Fault> {
    let Reply::Settled { receipt: own, shares } = reply else { return Err(strange()) };
    Ok(pb::SettleResponse {
        balance_micros: own.balance.micros(),
        ledger_entry_id: own.ledger_entry_id.to_string(),
        receipt: Some(receipt(&own, shares)),
    })
}

fn receipt(receipt: &Receipt, shares: Vec<Share>) -> pb::Receipt {
    let line = |share: Share| pb::ReceiptLine {
        dimension: share.dimension,
        quantity: share.quantity,
        amount_micros: share.amount.micros(),
    };
    pb::Receipt {
        receipt_id: receipt.receipt_id.to_string(),
        reservation_id: receipt.reservation_id.to_string(),
        lines: shares.into_iter().map(line).collect(),
        cost_micros: receipt.cost.micros(),
        charged_micros: receipt.charged.micros(),
        overrun_micros: receipt.overrun.micros(),
        create_time: Some(timestamp(receipt.create_time)),
    }
}

pub(super) fn released(reply: Reply) -> Result<pb::ReleaseResponse, Fault> {
    let Reply::Released { balance } = reply else { return Err(strange()) };
    Ok(pb::ReleaseResponse { balance_micros: balance.micros() })
}

pub(super) fn topped_up(reply: Reply) -> Result<pb::TopUpResponse, Fault> {
    let Reply::ToppedUp { balance, ledger_entry_id, lot_id } = reply else { return Err(strange()) };
    Ok(pb::TopUpResponse {
        balance_micros: balance.micros(),
        ledger_entry_id: ledger_entry_id.to_string(),
        lot_id: lot_id.to_string(),
    })
}

pub(super) fn receipt_found((own, shares): (Receipt, Vec<Share>)) -> pb::GetReceiptResponse {
    pb::GetReceiptResponse { receipt: Some(receipt(&own, shares)) }
}

pub(super) fn wallet((wallet, lots): (Wallet, Vec<Lot>)) -> pb::GetWalletResponse {
    pb::GetWalletResponse { wallet: Some(whole_wallet(&wallet, lots)) }
}

/// The etag and the message of a watch.
pub(super) fn watched((wallet, lots): (Wallet, Vec<Lot>)) -> (String, pb::WatchWalletResponse) {
    let wallet = whole_wallet(&wallet, lots);
    (wallet.etag.clone(), pb::WatchWalletResponse { wallet: Some(wallet), heartbeat_time: None })
}

pub(super) fn heartbeat(now: Time) -> pb::WatchWalletResponse {
    pb::WatchWalletResponse { wallet: None, heartbeat_time: Some(timestamp(now)) }
}

fn whole_wallet(wallet: &Wallet, lots: Vec<Lot>) -> pb::Wallet {
    let state = match wallet.state {
        WalletState::Active => pb::WalletState::Active,
        WalletState::Frozen => pb::WalletState::Frozen,
    };
    pb::Wallet {
        wallet_id: wallet.wallet_id.to_string(),
        org_id: wallet.org_id.to_string(),
        available_micros: wallet.available.micros(),
        reserved_micros: wallet.reserved.micros(),
        lots: lots.into_iter().map(lot).collect(),
        etag: etag(wallet.version),
        state: state.into(),
    }
}

fn lot(lot: Lot) -> pb::Lot {
    let source = match lot.source {
        Source::Trial => pb::Source::Trial,
        Source::Purchase => pb::Source::Purchase,
        Source::Adjustment => pb::Source::Adjustment,
        // Nothing makes these yet; the contract names them when something does.
        Source::Promotion => pb::Source::Unspecified,
    };
    pb::Lot {
        lot_id: lot.lot_id.to_string(),
        source: source.into(),
        original_micros: lot.original.micros(),
        available_micros: lot.available.micros(),
        reserved_micros: lot.reserved.micros(),
        priority: lot.priority,
        expire_time: lot.expire_time.map(timestamp),
        source_ref: lot.source_ref,
    }
}

pub(super) fn ledger_entry(posted: Posted) -> pb::LedgerEntry {
    let kind = match posted.kind {
        Kind::TopUp => pb::ledger_entry::Kind::TopUp,
        Kind::Settle => pb::ledger_entry::Kind::Settle,
        Kind::Reversal => pb::ledger_entry::Kind::Reversal,
        Kind::Adjustment => pb::ledger_entry::Kind::Adjustment,
        Kind::Expiry => pb::ledger_entry::Kind::Expiry,
    };
    let book = match posted.line.book {
        Book::Wallet(id) => format!("wallet:{id}"),
        Book::Platform(book) => book.as_str().to_owned(),
    };
    let id = posted.ledger_entry_id.to_string();
    pb::LedgerEntry {
        posting_id: id.clone(),
        ledger_entry_id: id,
        book,
        amount_micros: posted.line.amount.micros(),
        kind: kind.into(),
        create_time: Some(timestamp(posted.create_time)),
        instance_id: posted.instance_id.map(|id| id.to_string()).unwrap_or_default(),
        reservation_id: posted.reservation_id.map(|id| id.to_string()).unwrap_or_default(),
        source_ref: posted.source_ref,
    }
}
