//! From what the core answers to the wire.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::billing::v1 as pb;
use souk_types::{Fault, Reason};

use crate::{
    error::DOMAIN,
    model::{
        Receipt, Wallet,
        ask::Reply,
        ledger::{Book, Kind, Posted},
        lots::{Lot, Source},
        pricing::Share,
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
        Reply::Allowed { reservation_id, budget, expire_time } => Ok(pb::AuthorizeResponse {
            allowed: true,
            reservation_id: reservation_id.to_string(),
            budget_micros: budget.micros(),
            expire_time: Some(timestamp(expire_time)),
            reason: String::new(),
            prices: Vec::new(),
        }),
        Reply::Refused { reason } => {
            let known = Reason::ALL.iter().any(|one| one.as_str() == reason);
            let reason = if known { reason } else { return Err(strange()) };
            Ok(pb::AuthorizeResponse { reason, ..pb::AuthorizeResponse::default() })
        }
        _ => Err(strange()),
    }
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

pub(super) fn wallet((wallet, lots): (Wallet, Vec<Lot>)) -> pb::GetWalletResponse {
    let wallet = pb::Wallet {
        wallet_id: wallet.wallet_id.to_string(),
        org_id: wallet.org_id.to_string(),
        available_micros: wallet.available.micros(),
        reserved_micros: wallet.reserved.micros(),
        lots: lots.into_iter().map(lot).collect(),
        etag: etag(wallet.version),
        state: pb::WalletState::Active.into(),
    };
    pb::GetWalletResponse { wallet: Some(wallet) }
}

fn lot(lot: Lot) -> pb::Lot {
    let source = match lot.source {
        Source::Trial => pb::Source::Trial,
        Source::Purchase => pb::Source::Purchase,
        // Nothing makes these yet; the contract names them when something does.
        Source::Promotion | Source::Adjustment => pb::Source::Unspecified,
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
