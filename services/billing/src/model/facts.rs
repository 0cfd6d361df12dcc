//! What happened, for the outbox.
//!
//! A fact is an [`souk_types::Event`] without what the core cannot know: its id, who caused it and in whose
//! trace. No two facts share an aggregate and a sequence. Authorize and Extend make none: they are the hot
//! path, they move no credits between books, and watchers re-read the wallet anyway.

use serde_json::{Value, json};
use souk_types::{Credits, Time, id::OrgId};

use super::{Account, Receipt, Reservation, Wallet, lots::Lot};

/// The org opened its wallet.
pub const WALLET_OPENED: &str = "souk.billing.v1.WalletOpened";
/// The wallet's balance became zero: nothing available, nothing reserved.
pub const WALLET_DEPLETED: &str = "souk.billing.v1.WalletDepleted";
/// The wallet's balance was zero and no longer is.
pub const WALLET_REPLENISHED: &str = "souk.billing.v1.WalletReplenished";
/// The wallet was frozen or thawed.
pub const WALLET_STATE_CHANGED: &str = "souk.billing.v1.WalletStateChanged";
/// Credits of a lot were taken back.
pub const LOT_REVERSED: &str = "souk.billing.v1.LotReversed";
/// The free rest of a lot expired.
pub const LOT_EXPIRED: &str = "souk.billing.v1.LotExpired";
/// Credits came in as a new lot.
pub const LOT_ADDED: &str = "souk.billing.v1.LotAdded";
/// An instance got its spending right.
pub const ACCOUNT_OPENED: &str = "souk.billing.v1.AccountOpened";
/// An instance's spending right was frozen, thawed or closed.
pub const ACCOUNT_STATE_CHANGED: &str = "souk.billing.v1.AccountStateChanged";
/// An instance spends at other prices.
pub const ACCOUNT_SCHEDULE_CHANGED: &str = "souk.billing.v1.AccountScheduleChanged";
/// A reservation was charged; one for each receipt.
pub const RESERVATION_SETTLED: &str = "souk.billing.v1.ReservationSettled";
/// A reservation was given back unused.
pub const RESERVATION_RELEASED: &str = "souk.billing.v1.ReservationReleased";
/// A reservation was given back because its time ran out.
pub const RESERVATION_EXPIRED: &str = "souk.billing.v1.ReservationExpired";

/// Something that happened to one noun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// One of the constants of this module.
    pub kind: &'static str,
    /// The org it belongs to.
    pub org_id: OrgId,
    /// The noun, in text form.
    pub aggregate_id: String,
    /// The noun's version after it.
    pub aggregate_seq: i64,
    /// When it happened.
    pub occur_time: Time,
    /// The facts, as JSON in the manner of the wire: lowerCamelCase, amounts as strings.
    pub payload: Value,
}

fn micros(amount: Credits) -> String {
    amount.micros().to_string()
}

/// A fact about a wallet.
pub(super) fn of_wallet(kind: &'static str, wallet: &Wallet, now: Time) -> Fact {
    Fact {
        kind,
        org_id: wallet.org_id,
        aggregate_id: wallet.wallet_id.to_string(),
        aggregate_seq: wallet.version,
        occur_time: now,
        payload: json!({
            "walletId": wallet.wallet_id,
            "state": wallet.state.as_str(),
            "availableMicros": micros(wallet.available),
            "reservedMicros": micros(wallet.reserved),
        }),
    }
}

/// The fact that a wallet's balance came to zero or left it; none otherwise.
pub(super) fn of_balance(before: &Wallet, after: &Wallet, now: Time) -> Option<Fact> {
    let empty = |wallet: &Wallet| wallet.available == Credits::ZERO && wallet.reserved == Credits::ZERO;
    match (empty(before), empty(after)) {
        (false, true) => Some(of_wallet(WALLET_DEPLETED, after, now)),
        (true, false) => Some(of_wallet(WALLET_REPLENISHED, after, now)),
        (true, true) | (false, false) => None,
    }
}

/// The fact that a lot came in.
pub(super) fn of_lot(lot: &Lot, now: Time) -> Fact {
    Fact {
        kind: LOT_ADDED,
        org_id: lot.org_id,
        aggregate_id: lot.lot_id.to_string(),
        aggregate_seq: lot.version,
        occur_time: now,
        payload: json!({
            "lotId": lot.lot_id,
            "walletId": lot.wallet_id,
            "amountMicros": micros(lot.original),
            "source": lot.source.as_str(),
            "sourceRef": lot.source_ref,
        }),
    }
}

/// A fact about a lot of which something left the wallet.
pub(super) fn of_lot_left(kind: &'static str, lot: &Lot, amount: Credits, now: Time) -> Fact {
    Fact {
        payload: json!({
            "lotId": lot.lot_id,
            "walletId": lot.wallet_id,
            "amountMicros": micros(amount),
            "pendingMicros": micros(lot.pending),
            "source": lot.source.as_str(),
            "sourceRef": lot.source_ref,
        }),
        kind,
        ..of_lot(lot, now)
    }
}

/// A fact about an account.
pub(super) fn of_account(kind: &'static str, account: &Account, now: Time) -> Fact {
    Fact {
        kind,
        org_id: account.org_id,
        aggregate_id: account.instance_id.to_string(),
        aggregate_seq: account.version,
        occur_time: now,
        payload: json!({
            "instanceId": account.instance_id,
            "walletId": account.wallet_id,
            "state": account.state.as_str(),
            "priceScheduleHash": account.schedule_hash,
        }),
    }
}

/// A fact about a reservation that holds nothing any longer.
pub(super) fn of_reservation(kind: &'static str, reservation: &Reservation, now: Time) -> Fact {
    Fact {
        kind,
        org_id: reservation.org_id,
        aggregate_id: reservation.reservation_id.to_string(),
        aggregate_seq: reservation.version,
        occur_time: now,
        payload: json!({
            "reservationId": reservation.reservation_id,
            "instanceId": reservation.instance_id,
            "walletId": reservation.wallet_id,
            "budgetMicros": micros(reservation.budget),
        }),
    }
}

/// The fact that a reservation was charged, with the receipt's figures.
pub(super) fn of_receipt(receipt: &Receipt, reservation: &Reservation, now: Time) -> Fact {
    let usage = receipt
        .usage
        .iter()
        .map(|line| json!({ "dimension": line.dimension, "quantity": line.quantity.to_string() }));
    Fact {
        payload: json!({
            "reservationId": receipt.reservation_id,
            "receiptId": receipt.receipt_id,
            "ledgerEntryId": receipt.ledger_entry_id,
            "instanceId": receipt.instance_id,
            "walletId": receipt.wallet_id,
            "sourceRef": reservation.source_ref,
            "usage": usage.collect::<Value>(),
            "costMicros": micros(receipt.cost),
            "chargedMicros": micros(receipt.charged),
            "overrunMicros": micros(receipt.overrun),
            "balanceMicros": micros(receipt.balance),
            "late": receipt.late,
        }),
        ..of_reservation(RESERVATION_SETTLED, reservation, now)
    }
}
