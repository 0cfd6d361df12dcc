//! What callers ask before new nouns have ids, and what is kept of an answer so that repeats get the same.
//!
//! The JSON of an [`Ask`] names the command in the request log; the JSON of a [`Reply`] is its first answer.
//! Both outlive a release: fields are added, never renamed.

use std::time::Duration;

use souk_types::{
    Credits, Random, Time,
    id::{InstanceId, LedgerEntryId, LotId, OrgId, ReceiptId, ReservationId, WalletId},
};

use super::{
    AccountState, Receipt, Wallet, WalletState,
    command::{Adjust, Answer, Authorize, Command, End, Extend, Reversal, Reverse, Settle, TopUp},
    lots::{Lot, Source},
    pricing::{Quote, Share, Usage},
};

/// What a caller asks.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Ask {
    /// An org's wallet.
    OpenWallet {
        /// The org.
        org_id: OrgId,
    },
    /// An instance's spending right on its org's wallet.
    OpenAccount {
        /// The org.
        org_id: OrgId,
        /// The instance.
        instance_id: InstanceId,
        /// What its usage is priced by.
        schedule_hash: String,
    },
    /// Another state of an instance's spending right.
    SetAccountState {
        /// The instance.
        instance_id: InstanceId,
        /// The wanted state.
        state: AccountState,
    },
    /// Other prices of an instance's spending right.
    SetAccountSchedule {
        /// The instance.
        instance_id: InstanceId,
        /// What its usage is priced by from now on.
        schedule_hash: String,
    },
    /// Another state of an org's wallet.
    SetWalletState {
        /// The org.
        org_id: OrgId,
        /// The wanted state.
        state: WalletState,
    },
    /// Credits given, or free ones taken, by an operator.
    AdjustWallet {
        /// The org.
        org_id: OrgId,
        /// Above zero gives, below zero takes.
        amount: Credits,
        /// Why.
        note: String,
        /// When given credits expire.
        expire_time: Option<Time>,
    },
    /// A top-up taken back, as far as anything is left of it.
    ReverseTopUp {
        /// The org.
        org_id: OrgId,
        /// What the top-up came from.
        source_ref: String,
        /// How much at the most; zero: all that is left.
        amount: Credits,
        /// What causes it.
        cause: String,
    },
    /// A new lot in an org's wallet.
    TopUp {
        /// The org.
        org_id: OrgId,
        /// How much.
        amount: Credits,
        /// Where it comes from.
        source: Source,
        /// What exactly it comes from.
        source_ref: String,
        /// When the lot expires.
        expire_time: Option<Time>,
    },
    /// A reservation.
    Authorize {
        /// Who spends.
        instance_id: InstanceId,
        /// What is expected to be used; empty: the schedule's default estimate.
        estimate: Vec<Usage>,
        /// How long the reservation holds; `None`: as long as usual.
        ttl: Option<Duration>,
        /// What causes it.
        source_ref: String,
    },
    /// More on a reservation, or a longer time for it.
    Extend {
        /// The reservation.
        reservation_id: ReservationId,
        /// What more is expected to be used; empty: nothing.
        estimate: Vec<Usage>,
        /// How long it holds from now on; `None`: as it stands.
        ttl: Option<Duration>,
    },
    /// The charge for what was used.
    Settle {
        /// The reservation.
        reservation_id: ReservationId,
        /// What was used.
        usage: Vec<Usage>,
    },
    /// A reservation given back unused.
    Release {
        /// The reservation.
        reservation_id: ReservationId,
    },
}

/// What an ask is about when it names no org; its org is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// An org.
    Org(OrgId),
    /// An instance's account.
    Account(InstanceId),
    /// A reservation.
    Reservation(ReservationId),
}

/// The wallet of an org: it has one, so the org names it, and both can be opened and filled in one batch.
#[must_use]
pub const fn wallet_of(org_id: OrgId) -> WalletId {
    WalletId::from_bits(org_id.bits())
}

impl Source {
    /// Where lots of this source stand in the order of burning: what was given goes before what was bought.
    #[must_use]
    pub const fn priority(self) -> i32 {
        match self {
            Self::Trial => 10,
            Self::Promotion => 20,
            Self::Adjustment => 30,
            Self::Purchase => 40,
        }
    }
}

impl Ask {
    /// What it is about.
    #[must_use]
    pub const fn about(&self) -> About {
        match self {
            Self::OpenWallet { org_id }
            | Self::OpenAccount { org_id, .. }
            | Self::SetWalletState { org_id, .. }
            | Self::AdjustWallet { org_id, .. }
            | Self::ReverseTopUp { org_id, .. }
            | Self::TopUp { org_id, .. } => About::Org(*org_id),
            Self::SetAccountState { instance_id, .. }
            | Self::SetAccountSchedule { instance_id, .. }
            | Self::Authorize { instance_id, .. } => About::Account(*instance_id),
            Self::Extend { reservation_id, .. }
            | Self::Settle { reservation_id, .. }
            | Self::Release { reservation_id } => About::Reservation(*reservation_id),
        }
    }

    /// The command, with ids for what it makes; `usual_ttl` is how long reservations hold when nothing is said.
    #[must_use]
    pub fn command(self, now: Time, random: &dyn Random, usual_ttl: Duration) -> Command {
        let (lot_id, ledger_entry_id) = (LotId::new(now, random), LedgerEntryId::new(now, random));
        match self {
            Self::OpenWallet { org_id } => Command::OpenWallet { org_id, wallet_id: wallet_of(org_id) },
            Self::OpenAccount { org_id, instance_id, schedule_hash } => {
                Command::OpenAccount { instance_id, wallet_id: wallet_of(org_id), schedule_hash }
            }
            Self::SetAccountState { instance_id, state } => Command::SetAccountState { instance_id, state },
            Self::SetAccountSchedule { instance_id, schedule_hash } => {
                Command::SetAccountSchedule { instance_id, schedule_hash }
            }
            Self::SetWalletState { org_id, state } => {
                Command::SetWalletState { wallet_id: wallet_of(org_id), state }
            }
            Self::AdjustWallet { org_id, amount, note, expire_time } => {
                let wallet_id = wallet_of(org_id);
                Command::Adjust(Adjust { wallet_id, lot_id, ledger_entry_id, amount, note, expire_time })
            }
            Self::ReverseTopUp { org_id, source_ref, amount, cause } => {
                let wallet_id = wallet_of(org_id);
                Command::Reverse(Reverse { wallet_id, source_ref, amount, cause, ledger_entry_id })
            }
            Self::TopUp { org_id, amount, source, source_ref, expire_time } => Command::TopUp(TopUp {
                wallet_id: wallet_of(org_id),
                lot_id,
                ledger_entry_id,
                amount,
                source,
                source_ref,
                priority: source.priority(),
                expire_time,
            }),
            Self::Authorize { instance_id, estimate, ttl, source_ref } => Command::Authorize(Authorize {
                instance_id,
                reservation_id: ReservationId::new(now, random),
                estimate,
                ttl: ttl.unwrap_or(usual_ttl),
                source_ref,
            }),
            Self::Extend { reservation_id, estimate, ttl } => {
                Command::Extend(Extend { reservation_id, estimate, ttl })
            }
            Self::Settle { reservation_id, usage } => {
                let receipt_id = ReceiptId::new(now, random);
                Command::Settle(Settle { reservation_id, receipt_id, ledger_entry_id, usage })
            }
            Self::Release { reservation_id } => Command::Release(End { reservation_id, ledger_entry_id }),
        }
    }
}

/// What a caller is answered, and is answered again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reply {
    /// The org has this wallet.
    WalletOpened {
        /// The wallet.
        wallet_id: WalletId,
    },
    /// The instance spends from this wallet.
    Account {
        /// The wallet.
        wallet_id: WalletId,
    },
    /// The credits are there.
    ToppedUp {
        /// What the wallet holds after it (available + reserved).
        balance: Credits,
        /// What booked it.
        ledger_entry_id: LedgerEntryId,
        /// The new lot.
        lot_id: LotId,
    },
    /// The wallet as it was then.
    WalletSet {
        /// The wallet.
        wallet: Box<Wallet>,
        /// Its lots that hold something, in the order of burning.
        lots: Vec<Lot>,
    },
    /// The books are adjusted.
    Adjusted {
        /// What the wallet holds after it (available + reserved).
        balance: Credits,
        /// What booked it.
        ledger_entry_id: LedgerEntryId,
    },
    /// What could be taken back of a top-up.
    Reversed(Reversal),
    /// The work may start.
    Allowed {
        /// What pays for it.
        reservation_id: ReservationId,
        /// What was reserved.
        budget: Credits,
        /// When the reservation expires by itself.
        expire_time: Time,
        /// What it will be settled at; answers of older releases do not say.
        #[serde(default)]
        prices: Vec<Quote>,
    },
    /// The work may go on.
    Extended {
        /// What is reserved in all.
        budget: Credits,
        /// When the reservation expires by itself.
        expire_time: Time,
    },
    /// The reservation stays as it was.
    NotExtended {
        /// The stable reason.
        reason: String,
        /// What is reserved in all.
        budget: Credits,
        /// When the reservation expires by itself.
        expire_time: Time,
    },
    /// The work may not start.
    Refused {
        /// The stable reason.
        reason: String,
    },
    /// The reservation was charged.
    Settled {
        /// The first receipt.
        receipt: Box<Receipt>,
        /// What each dimension adds to it.
        shares: Vec<Share>,
    },
    /// The reservation holds nothing any more.
    Released {
        /// What the wallet holds after it (available + reserved).
        balance: Credits,
    },
}

impl Reply {
    /// What is told of the core's answer.
    ///
    /// # Errors
    /// When the wallet's balance does not fit, which no command lets happen, or what `shares` answers.
    pub fn of(
        answer: Answer,
        shares: impl FnOnce(&Receipt) -> Result<Vec<Share>, crate::error::Error>,
    ) -> Result<Self, crate::error::Error> {
        Ok(match answer {
            Answer::Wallet(wallet) => Self::WalletOpened { wallet_id: wallet.wallet_id },
            Answer::Account(account) => Self::Account { wallet_id: account.wallet_id },
            Answer::ToppedUp { wallet, lot_id, ledger_entry_id } => {
                Self::ToppedUp { balance: wallet.balance()?, ledger_entry_id, lot_id }
            }
            Answer::WalletSet { wallet, lots } => Self::WalletSet { wallet: Box::new(wallet), lots },
            Answer::Adjusted { wallet, ledger_entry_id } => {
                Self::Adjusted { balance: wallet.balance()?, ledger_entry_id }
            }
            Answer::Reversed(reversal) => Self::Reversed(reversal),
            Answer::Allowed { reservation, prices } => Self::Allowed {
                reservation_id: reservation.reservation_id,
                budget: reservation.budget,
                expire_time: reservation.expire_time,
                prices,
            },
            Answer::Extended(reservation) => {
                Self::Extended { budget: reservation.budget, expire_time: reservation.expire_time }
            }
            Answer::NotExtended { refusal, reservation } => Self::NotExtended {
                reason: refusal.reason().as_str().to_owned(),
                budget: reservation.budget,
                expire_time: reservation.expire_time,
            },
            Answer::Refused(refusal) => Self::Refused { reason: refusal.reason().as_str().to_owned() },
            Answer::Settled(receipt) => {
                let shares = shares(&receipt)?;
                Self::Settled { receipt, shares }
            }
            Answer::Released { balance, .. } => Self::Released { balance },
            // Only the sweeps ask for these, and read nothing of the answer.
            Answer::Reservation(_) | Answer::Lapsed(_) => Self::Released { balance: Credits::ZERO },
        })
    }
}
