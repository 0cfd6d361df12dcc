//! What the core is asked and what it answers.
//!
//! New nouns get their ids from the caller, so that a decision is a function of its inputs alone.

use std::time::Duration;

use souk_types::{
    Credits, Reason, Scope, Time,
    id::{InstanceId, LedgerEntryId, LotId, OrgId, ReceiptId, ReservationId, WalletId},
};

use super::{
    Account, AccountState, Receipt, Reservation, Wallet, WalletState,
    lots::{Lot, Source},
    pricing::{Quote, Usage},
};

/// Longest time that a reservation may hold credits before it is extended.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// Most bytes of a `source_ref`.
pub const MAX_SOURCE_REF: usize = 255;
/// Most characters of an adjustment's note.
pub const MAX_NOTE: usize = 200;

/// A command and how far its caller reaches: calls of several tenants share a batch, so what was loaded for
/// one may not be seen by the other.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which orgs' rows the caller may see and change.
    pub scope: Scope,
    /// What is asked.
    pub command: Command,
}

/// What the core is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens the org's wallet; answers the one it has.
    OpenWallet {
        /// The org.
        org_id: OrgId,
        /// Id of the new wallet.
        wallet_id: WalletId,
    },
    /// Gives an instance a spending right; answers the one it has when the terms are the same.
    OpenAccount {
        /// The instance.
        instance_id: InstanceId,
        /// Where it spends from.
        wallet_id: WalletId,
        /// What its usage is priced by.
        schedule_hash: String,
    },
    /// Freezes, thaws or closes an instance's spending right.
    SetAccountState {
        /// The instance.
        instance_id: InstanceId,
        /// The wanted state.
        state: AccountState,
    },
    /// Lets an instance spend at other prices; open reservations keep theirs.
    SetAccountSchedule {
        /// The instance.
        instance_id: InstanceId,
        /// What its usage is priced by from now on.
        schedule_hash: String,
    },
    /// Freezes or thaws a wallet.
    SetWalletState {
        /// The wallet.
        wallet_id: WalletId,
        /// The wanted state.
        state: WalletState,
    },
    /// Puts a new lot into a wallet.
    TopUp(TopUp),
    /// Gives credits, or takes free ones.
    Adjust(Adjust),
    /// Takes back what is left of what a top-up brought.
    Reverse(Reverse),
    /// Reserves what the work is expected to cost.
    Authorize(Authorize),
    /// Reserves more, or holds longer, what an open reservation holds.
    Extend(Extend),
    /// Charges what the work did cost.
    Settle(Settle),
    /// Gives a reservation back unused.
    Release(End),
    /// Gives a reservation back if its time is over; else does nothing.
    Expire(End),
    /// Posts the free rest of a wallet's expired lots; does nothing where there is none.
    ExpireLots {
        /// The wallet.
        wallet_id: WalletId,
        /// Id of the first of the new ledger entries.
        ledger_entry_id: LedgerEntryId,
    },
}

/// See [`Command::TopUp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// The wallet.
    pub wallet_id: WalletId,
    /// Id of the new lot.
    pub lot_id: LotId,
    /// Id of the new ledger entry.
    pub ledger_entry_id: LedgerEntryId,
    /// How much; above zero.
    pub amount: Credits,
    /// Where it comes from.
    pub source: Source,
    /// What exactly it comes from.
    pub source_ref: String,
    /// Lower burns first.
    pub priority: i32,
    /// When the lot expires; in the future, or never.
    pub expire_time: Option<Time>,
}

/// See [`Command::Adjust`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjust {
    /// The wallet.
    pub wallet_id: WalletId,
    /// Id of the lot that is made when credits are given.
    pub lot_id: LotId,
    /// Id of the new ledger entry.
    pub ledger_entry_id: LedgerEntryId,
    /// Above zero gives a lot, below zero takes free credits in the order of burning.
    pub amount: Credits,
    /// Why; stands in the ledger.
    pub note: String,
    /// When given credits expire; in the future, or never.
    pub expire_time: Option<Time>,
}

/// See [`Command::Reverse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    /// The wallet.
    pub wallet_id: WalletId,
    /// What the top-up came from.
    pub source_ref: String,
    /// How much at the most; zero: all that is left.
    pub amount: Credits,
    /// What causes it; may be empty.
    pub cause: String,
    /// Id of the first of the new ledger entries.
    pub ledger_entry_id: LedgerEntryId,
}

/// See [`Command::Extend`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extend {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// What more is expected to be used; empty: nothing.
    pub estimate: Vec<Usage>,
    /// How long it holds from now on, if that is longer than it does; above zero, at most [`MAX_TTL`].
    pub ttl: Option<Duration>,
}

/// See [`Command::Release`] and [`Command::Expire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Id of the first new ledger entry, should there be any: what is given back may be taken back.
    pub ledger_entry_id: LedgerEntryId,
}

/// See [`Command::Authorize`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorize {
    /// Who spends.
    pub instance_id: InstanceId,
    /// Id of the new reservation.
    pub reservation_id: ReservationId,
    /// What is expected to be used; empty: the schedule's default estimate.
    pub estimate: Vec<Usage>,
    /// How long the reservation holds; above zero, at most [`MAX_TTL`].
    pub ttl: Duration,
    /// What causes it (a run's id); may be empty.
    pub source_ref: String,
}

/// See [`Command::Settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Id of the new receipt.
    pub receipt_id: ReceiptId,
    /// Id of the new ledger entry, and of the first of those for what is taken back of what it frees.
    pub ledger_entry_id: LedgerEntryId,
    /// What was used.
    pub usage: Vec<Usage>,
}

/// What the core answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To OpenWallet.
    Wallet(Wallet),
    /// To OpenAccount, SetAccountState and SetAccountSchedule.
    Account(Account),
    /// To SetWalletState: the wallet, and its lots that hold something in the order of burning.
    WalletSet {
        /// The wallet as it is now.
        wallet: Wallet,
        /// Its lots.
        lots: Vec<Lot>,
    },
    /// To TopUp.
    ToppedUp {
        /// The wallet as it is now.
        wallet: Wallet,
        /// The new lot.
        lot_id: LotId,
        /// What booked it.
        ledger_entry_id: LedgerEntryId,
    },
    /// To Adjust.
    Adjusted {
        /// The wallet as it is now.
        wallet: Wallet,
        /// What booked it.
        ledger_entry_id: LedgerEntryId,
    },
    /// To Reverse.
    Reversed(Reversal),
    /// To Authorize: allowed; the reservation holds its budget until its `expire_time`.
    Allowed {
        /// The new reservation.
        reservation: Box<Reservation>,
        /// What it will be settled at.
        prices: Vec<Quote>,
    },
    /// To Authorize: not allowed, and why.
    Refused(Refusal),
    /// To Extend: the reservation as it is now.
    Extended(Box<Reservation>),
    /// To Extend: not extended, and why; the reservation as it was.
    NotExtended {
        /// Why not.
        refusal: Refusal,
        /// The reservation.
        reservation: Box<Reservation>,
    },
    /// To Settle: the first receipt, however often it is asked for.
    Settled(Box<Receipt>),
    /// To Release.
    Released {
        /// The reservation as it is now.
        reservation: Box<Reservation>,
        /// What the wallet holds (available + reserved).
        balance: Credits,
    },
    /// To Expire: the reservation as it is now.
    Reservation(Box<Reservation>),
    /// To ExpireLots: how many lots were posted.
    Lapsed(usize),
}

/// See [`Answer::Reversed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reversal {
    /// Taken back now.
    pub reversed: Credits,
    /// Taken back as reservations give it back.
    pub pending: Credits,
    /// Not taken back: it was spent, or had expired.
    pub consumed: Credits,
    /// What the wallet holds after it (available + reserved).
    pub balance: Credits,
    /// What booked it first; `None` when nothing was taken now.
    pub ledger_entry_id: Option<LedgerEntryId>,
}

/// Why an Authorize or an Extend is not allowed. An answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The instance is terminated.
    AccountClosed,
    /// The instance is paused.
    AccountFrozen,
    /// The wallet is frozen.
    WalletFrozen,
    /// The wallet does not have what the estimate costs, or has nothing at all.
    InsufficientCredits {
        /// What the estimate costs.
        required: Credits,
        /// What could be reserved.
        available: Credits,
    },
}

impl Refusal {
    /// The stable reason that callers switch on.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::AccountClosed => Reason::AccountClosed,
            Self::AccountFrozen => Reason::AccountFrozen,
            Self::WalletFrozen => Reason::WalletFrozen,
            Self::InsufficientCredits { .. } => Reason::InsufficientCredits,
        }
    }
}
