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
    AccountState, Receipt,
    command::{Answer, Authorize, Command, Settle, TopUp},
    lots::Source,
    pricing::{Share, Usage},
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
            Self::OpenWallet { org_id } | Self::OpenAccount { org_id, .. } | Self::TopUp { org_id, .. } => {
                About::Org(*org_id)
            }
            Self::SetAccountState { instance_id, .. } | Self::Authorize { instance_id, .. } => {
                About::Account(*instance_id)
            }
            Self::Settle { reservation_id, .. } | Self::Release { reservation_id } => {
                About::Reservation(*reservation_id)
            }
        }
    }

    /// The command, with ids for what it makes; `usual_ttl` is how long reservations hold when nothing is said.
    #[must_use]
    pub fn command(self, now: Time, random: &dyn Random, usual_ttl: Duration) -> Command {
        match self {
            Self::OpenWallet { org_id } => Command::OpenWallet { org_id, wallet_id: wallet_of(org_id) },
            Self::OpenAccount { org_id, instance_id, schedule_hash } => {
                Command::OpenAccount { instance_id, wallet_id: wallet_of(org_id), schedule_hash }
            }
            Self::SetAccountState { instance_id, state } => Command::SetAccountState { instance_id, state },
            Self::TopUp { org_id, amount, source, source_ref, expire_time } => Command::TopUp(TopUp {
                wallet_id: wallet_of(org_id),
                lot_id: LotId::new(now, random),
                ledger_entry_id: LedgerEntryId::new(now, random),
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
            Self::Settle { reservation_id, usage } => Command::Settle(Settle {
                reservation_id,
                receipt_id: ReceiptId::new(now, random),
                ledger_entry_id: LedgerEntryId::new(now, random),
                usage,
            }),
            Self::Release { reservation_id } => Command::Release { reservation_id },
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
    /// The work may start.
    Allowed {
        /// What pays for it.
        reservation_id: ReservationId,
        /// What was reserved.
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
            Answer::Allowed(reservation) => Self::Allowed {
                reservation_id: reservation.reservation_id,
                budget: reservation.budget,
                expire_time: reservation.expire_time,
            },
            Answer::Refused(refusal) => Self::Refused { reason: refusal.reason().as_str().to_owned() },
            Answer::Settled(receipt) => {
                let shares = shares(&receipt)?;
                Self::Settled { receipt, shares }
            }
            Answer::Released { balance, .. } => Self::Released { balance },
            // Only the sweep asks for it, and reads nothing of the answer.
            Answer::Reservation(_) => Self::Released { balance: Credits::ZERO },
        })
    }
}
