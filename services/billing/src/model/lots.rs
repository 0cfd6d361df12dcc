//! Lots: credits with a source, a priority and perhaps an expiry, and the order in which they burn.
//!
//! A lot is changed by `shifted` only, which refuses to go below zero or above what came in.

use souk_types::{
    Credits, Time,
    id::{LotId, OrgId, WalletId},
};

use super::words;
use crate::error::Error;

words! {
    /// Where the credits of a lot come from.
    Source {
        /// Given once to a new user.
        Trial = "TRIAL",
        /// Bought.
        Purchase = "PURCHASE",
        /// Given away.
        Promotion = "PROMOTION",
        /// Put right by an operator.
        Adjustment = "ADJUSTMENT",
    }
}

/// Credits that came into a wallet together.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lot {
    /// Its id.
    pub lot_id: LotId,
    /// The org of the wallet.
    pub org_id: OrgId,
    /// The wallet it lies in.
    pub wallet_id: WalletId,
    /// Where the credits come from.
    pub source: Source,
    /// What exactly they come from, in the source's own words (an order line, a user); may be empty.
    pub source_ref: String,
    /// Lower burns first.
    pub priority: i32,
    /// From this moment on it reserves nothing more; `None`: never expires.
    pub expire_time: Option<Time>,
    /// What came in.
    pub original: Credits,
    /// Free to be reserved.
    pub available: Credits,
    /// Held by open reservations.
    pub reserved: Credits,
    /// Taken back so far.
    pub reversed: Credits,
    /// What of the reserved part is taken back as soon as a reservation gives it back.
    pub pending: Credits,
    /// What caused the latest reversal, in the caller's own words; may be empty.
    pub reversal_ref: String,
    /// When it came in.
    pub create_time: Time,
    /// Counts the changes of this row from 1; the etag.
    pub version: i64,
}

/// Credits of one lot, within a reservation or a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The lot.
    pub lot_id: LotId,
    /// How much of it, in millionths of a credit.
    #[serde(rename = "amount_micros")]
    pub amount: Credits,
}

/// A lot's place in the order of burning: smaller burns first. Made of what never changes in a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BurnKey {
    priority: i32,
    never_expires: bool,
    expire_time: Option<Time>,
    create_time: Time,
    lot_id: LotId,
}

impl BurnKey {
    /// The lot whose place it is.
    #[must_use]
    pub const fn lot_id(&self) -> LotId {
        self.lot_id
    }
}

/// What a movement adds to (or takes from) the two counters of a lot or a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// available → reserved.
    Reserve,
    /// reserved → available.
    GiveBack,
    /// available → spent, expired or adjusted away.
    Spend,
    /// reserved → spent.
    SpendReserved,
    /// available → reversed.
    Reverse,
    /// reserved, and pending → reversed.
    ReverseReserved,
}

impl Shift {
    /// The counters `(available, reserved)` after `amount` moved; `None` below zero or out of range.
    pub(crate) fn apply(self, of: (Credits, Credits), amount: Credits) -> Option<(Credits, Credits)> {
        let (available, reserved) = of;
        let after = match self {
            Self::Reserve => (available.minus(amount)?, reserved.plus(amount)?),
            Self::GiveBack => (available.plus(amount)?, reserved.minus(amount)?),
            Self::Spend | Self::Reverse => (available.minus(amount)?, reserved),
            Self::SpendReserved | Self::ReverseReserved => (available, reserved.minus(amount)?),
        };
        let sound = !amount.is_negative() && !after.0.is_negative() && !after.1.is_negative();
        sound.then_some(after)
    }
}

impl Lot {
    /// Its place in the order of burning.
    #[must_use]
    pub const fn burn_key(&self) -> BurnKey {
        BurnKey {
            priority: self.priority,
            never_expires: self.expire_time.is_none(),
            expire_time: self.expire_time,
            create_time: self.create_time,
            lot_id: self.lot_id,
        }
    }

    /// What a new reservation or charge may take at this moment: nothing once the lot has expired.
    #[must_use]
    pub fn free(&self, now: Time) -> Credits {
        if self.expire_time.is_none_or(|end| now < end) { self.available } else { Credits::ZERO }
    }

    /// Whether anything of it is available or reserved.
    #[must_use]
    pub fn holds_something(&self) -> bool {
        self.available > Credits::ZERO || self.reserved > Credits::ZERO
    }

    /// Whether its time is over and its free rest is still in the wallet.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.available > self.free(now)
    }

    /// What came in, less what was taken back of it or will be; `None` when that does not fit.
    pub(crate) fn not_reversed(&self) -> Option<Credits> {
        self.original.minus(self.reversed)?.minus(self.pending)
    }

    /// The lot after `amount` moved.
    pub(crate) fn shifted(&self, shift: Shift, amount: Credits) -> Result<Self, Error> {
        let (available, reserved) =
            shift.apply((self.available, self.reserved), amount).ok_or(Error::Broken("lot below zero"))?;
        let (pending, reversed) = match shift {
            Shift::Reserve | Shift::GiveBack | Shift::Spend => (Some(self.pending), Some(self.reversed)),
            // What is consumed is not taken back any more.
            Shift::SpendReserved => (Some(self.pending.min(reserved)), Some(self.reversed)),
            Shift::Reverse => (Some(self.pending), self.reversed.plus(amount)),
            Shift::ReverseReserved => (self.pending.minus(amount), self.reversed.plus(amount)),
        };
        let (pending, reversed) = pending.zip(reversed).ok_or(Error::Broken("reversal out of range"))?;
        Self { available, reserved, pending, reversed, ..self.clone() }.sound()
    }

    /// The lot when `amount` more of its reserved part is to be taken back.
    pub(crate) fn postponed(&self, amount: Credits) -> Result<Self, Error> {
        let pending = self.pending.plus(amount).ok_or(Error::Broken("reversal out of range"))?;
        Self { pending, ..self.clone() }.sound()
    }

    fn sound(self) -> Result<Self, Error> {
        if self.pending.is_negative() || self.pending > self.reserved {
            return Err(Error::Broken("more is to be taken back than is reserved"));
        }
        let held = self.available.plus(self.reserved).and_then(|held| held.plus(self.reversed));
        if held.is_none_or(|sum| sum > self.original) {
            return Err(Error::Broken("lot above what came in"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(id: u128, priority: i32, end: Option<i64>, made: i64) -> Lot {
        Lot {
            lot_id: LotId::from_bits(id),
            org_id: OrgId::from_bits(1),
            wallet_id: WalletId::from_bits(1),
            source: Source::Purchase,
            source_ref: String::new(),
            priority,
            expire_time: end.map(Time::from_micros),
            original: Credits::from_micros(10),
            available: Credits::from_micros(6),
            reserved: Credits::from_micros(4),
            reversed: Credits::ZERO,
            pending: Credits::ZERO,
            reversal_ref: String::new(),
            create_time: Time::from_micros(made),
            version: 1,
        }
    }

    #[test]
    fn burns_by_priority_then_expiry_then_age() {
        let in_order = [
            lot(9, -1, None, 50),
            lot(8, 0, Some(i64::MIN), 50),
            lot(7, 0, Some(10), 20),
            lot(3, 0, Some(10), 30),
            lot(6, 0, Some(11), 10),
            lot(5, 0, Some(i64::MAX), 60),
            lot(4, 0, None, 1),
            lot(1, 0, None, 2),
            lot(2, 0, None, 2),
            lot(0, 1, Some(1), 0),
        ];
        assert!(in_order.is_sorted_by_key(Lot::burn_key));
    }

    #[test]
    fn an_expired_lot_has_nothing_free() {
        let lot = lot(1, 0, Some(10), 0);
        assert_eq!(lot.free(Time::from_micros(9)), lot.available);
        assert_eq!(lot.free(Time::from_micros(10)), Credits::ZERO);
    }

    #[test]
    fn goes_neither_below_zero_nor_above_what_came_in() {
        let lot = lot(1, 0, None, 0);
        for (shift, most) in
            [(Shift::Reserve, 6), (Shift::GiveBack, 4), (Shift::Spend, 6), (Shift::SpendReserved, 4)]
        {
            assert!(lot.shifted(shift, Credits::from_micros(most)).is_ok());
            for bad in [most + 1, -1, i64::MAX, i64::MIN] {
                assert!(lot.shifted(shift, Credits::from_micros(bad)).is_err(), "{shift:?} {bad}");
            }
        }
        let overfull = Lot { original: Credits::from_micros(9), ..lot };
        assert!(overfull.shifted(Shift::GiveBack, Credits::from_micros(1)).is_err());
    }

    #[test]
    fn takes_back_no_more_than_is_reserved_and_never_what_is_consumed() {
        let micros = Credits::from_micros;
        let lot = lot(1, 0, None, 0);
        assert!(lot.postponed(micros(5)).is_err());
        let lot = lot.postponed(micros(3)).unwrap();
        assert!(lot.shifted(Shift::ReverseReserved, micros(4)).is_err());
        assert!(lot.shifted(Shift::GiveBack, micros(2)).is_err(), "pending comes first");
        let spent = lot.shifted(Shift::SpendReserved, micros(2)).unwrap();
        assert_eq!((spent.reserved, spent.pending), (micros(2), micros(2)));
        let back = spent.shifted(Shift::ReverseReserved, micros(2)).unwrap();
        assert_eq!((back.reserved, back.pending, back.reversed), (micros(0), micros(0), micros(2)));
        let back = back.shifted(Shift::Reverse, micros(6)).unwrap();
        assert_eq!((back.available, back.reversed), (micros(0), micros(8)));
    }
}
