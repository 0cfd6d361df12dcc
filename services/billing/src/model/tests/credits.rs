//! By example: extending, reversing, adjusting, expiring, freezing, repricing.

use std::time::Duration;

use souk_types::Time;

use super::{
    Command, TopUp, at, authorize, entry, instance, lot, micros, rsv, schedule,
    shop::{Shop, expire, figures, parts, release, set_wallet},
    top_up, usage, wallet,
};
use crate::{
    error::Error,
    model::{
        AccountState, Reservation, ReservationState, WalletState,
        command::{Adjust, Answer, Extend, MAX_TTL, Refusal, Reversal, Reverse},
        facts,
        ledger::{Book, Kind, Platform},
    },
};

fn extend(id: u128, units: i64, ttl: Option<u64>) -> Command {
    let estimate = if units == 0 { Vec::new() } else { usage(&[("unit", units)]) };
    Command::Extend(Extend { reservation_id: rsv(id), estimate, ttl: ttl.map(Duration::from_micros) })
}

fn reverse(amount: i64, first: u128) -> Command {
    Command::Reverse(Reverse {
        wallet_id: wallet(1),
        source_ref: "order".to_owned(),
        amount: micros(amount),
        cause: "refund".to_owned(),
        ledger_entry_id: entry(first * 100_000),
    })
}

fn adjust(amount: i64, id: u128) -> Adjust {
    Adjust {
        wallet_id: wallet(1),
        lot_id: lot(id),
        ledger_entry_id: entry(id * 50_000),
        amount: micros(amount),
        note: "a mistake of ours".to_owned(),
        expire_time: None,
    }
}

fn lapse(first: u128) -> Command {
    Command::ExpireLots { wallet_id: wallet(1), ledger_entry_id: entry(first * 10_000) }
}

impl Shop {
    fn extended(&mut self, command: Command) -> Reservation {
        match self.ask(command) {
            Ok(Answer::Extended(reservation)) => *reservation,
            other => panic!("expected to be extended: {other:?}"),
        }
    }

    fn not_extended(&mut self, command: Command) -> Refusal {
        let before = self.shelf.clone();
        match self.ask(command) {
            Ok(Answer::NotExtended { refusal, reservation }) => {
                assert_eq!(self.shelf, before, "the reservation stays as it was");
                assert_eq!(Some(&*reservation), before.reservations.get(&reservation.reservation_id));
                refusal
            }
            other => panic!("expected no extension: {other:?}"),
        }
    }

    /// (reversed, pending, consumed, balance).
    fn reversed(&mut self, command: Command) -> (i64, i64, i64, i64) {
        match self.ask(command) {
            Ok(Answer::Reversed(Reversal { reversed, pending, consumed, balance, ledger_entry_id })) => {
                assert_eq!(ledger_entry_id.is_some(), reversed > micros(0));
                (reversed.micros(), pending.micros(), consumed.micros(), balance.micros())
            }
            other => panic!("expected a reversal: {other:?}"),
        }
    }

    /// Kind, platform book, the wallet's amount and the cause of the latest entries.
    fn booked(&self, last: usize) -> Vec<(Kind, Platform, i64, &str)> {
        let entries = self.shelf.entries.iter().rev().take(last).rev();
        let entry = |entry: &'_ crate::model::ledger::Entry| match entry.lines.get(1).map(|line| line.book) {
            Some(Book::Platform(book)) => (entry.kind, book, entry.amount().micros()),
            other => panic!("{other:?}"),
        };
        entries
            .map(|one| (entry(one), one))
            .map(|((a, b, c), one)| (a, b, c, one.source_ref.as_str()))
            .collect()
    }

    fn mortal(amount: i64, end: i64) -> Self {
        let mut shop = Self::new();
        shop.ask(Command::TopUp(TopUp { expire_time: Some(at(end)), ..top_up(1, 1, amount) })).unwrap();
        shop
    }
}

#[test]
fn extending_reserves_more_and_holds_longer() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 40);
    shop.now = 50;
    let longer = shop.extended(extend(1, 0, Some(100)));
    assert_eq!((longer.budget, longer.expire_time), (micros(40), at(150)));
    let more = shop.extended(extend(1, 60, None));
    assert_eq!((more.budget, more.expire_time, shop.counters()), (micros(100), at(150), (0, 100)));
    assert_eq!(parts(&more.allocations), [(1, 100)]);
    // Nothing is free any more, and holding longer costs nothing; never sooner than promised.
    assert_eq!(shop.extended(extend(1, 0, Some(10))).expire_time, at(150));
    shop.now = 149;
    assert_eq!(figures(&shop.settled(1, 80)), (80, 80, 0, 20));
}

#[test]
fn extending_is_all_or_nothing() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 40);
    let (required, available) = (micros(61), micros(60));
    let refusal = shop.not_extended(extend(1, 61, Some(100_000)));
    assert_eq!(refusal, Refusal::InsufficientCredits { required, available });
    let set = |state| Command::SetAccountState { instance_id: instance(1), state };
    shop.ask(set_wallet(WalletState::Frozen)).unwrap();
    assert_eq!(shop.not_extended(extend(1, 0, Some(1))), Refusal::WalletFrozen);
    shop.ask(set(AccountState::Frozen)).unwrap();
    assert_eq!(shop.not_extended(extend(1, 1, None)), Refusal::AccountFrozen);
    shop.ask(set(AccountState::Closed)).unwrap();
    assert_eq!(shop.not_extended(extend(1, 1, None)), Refusal::AccountClosed);
}

#[test]
fn what_has_ended_is_not_extended() {
    let mut shop = Shop::with(100);
    for swept in [false, true] {
        let id = 1 + u128::from(swept);
        shop.allowed(id, 40);
        shop.now += 100;
        if swept {
            shop.ask(expire(id)).unwrap();
        }
        let state = ReservationState::Expired;
        let closed = Err(Error::ReservationClosed { reservation_id: rsv(id), state });
        assert_eq!(shop.ask(extend(id, 1, Some(50))), closed, "swept: {swept}");
    }
    assert_eq!(shop.ask(extend(9, 1, None)), Err(Error::ReservationNotFound(rsv(9))));
    shop.allowed(3, 1);
    shop.ask(release(3)).unwrap();
    assert!(matches!(shop.ask(extend(3, 1, None)), Err(Error::ReservationClosed { .. })));
    shop.allowed(4, 1);
    let day = u64::try_from(MAX_TTL.as_micros()).unwrap();
    for bad in [0, day + 1] {
        assert!(matches!(shop.ask(extend(4, 1, Some(bad))), Err(Error::Invalid(_))));
    }
    let now = shop.now;
    assert_eq!(shop.extended(extend(4, 1, Some(day))).expire_time, at(now) + MAX_TTL);
}

#[test]
fn an_extension_is_priced_as_the_reservation_and_charged_in_burn_order() {
    let mut shop = Shop::new();
    for (id, priority) in [(1, 1), (2, 2)] {
        shop.ask(Command::TopUp(TopUp { priority, ..top_up(1, id, 10) })).unwrap();
    }
    shop.allowed(1, 10);
    shop.allowed(2, 4);
    shop.ask(release(1)).unwrap();
    let dear = schedule(&[("unit", 50, 1)], &[("unit", 1)]);
    let schedule_hash = dear.content_hash().to_owned();
    shop.shelf.schedules.push(dear);
    let (instance_id, unknown) = (instance(1), "unknown".to_owned());
    let set = |schedule_hash| Command::SetAccountSchedule { instance_id, schedule_hash };
    assert_eq!(shop.ask(set(unknown.clone())), Err(Error::ScheduleNotFound(unknown)));
    shop.ask(set(schedule_hash.clone())).unwrap();
    let before = shop.shelf.clone();
    shop.ask(set(schedule_hash)).unwrap();
    assert_eq!(shop.shelf, before);
    assert_eq!(parts(&shop.extended(extend(2, 6, None)).allocations), [(1, 6), (2, 4)]);
    assert_eq!(parts(&shop.settled(2, 7).charges), [(1, 6), (2, 1)]);
    assert!(matches!(shop.ask(authorize(1, 3, &[("unit", 1)])), Ok(Answer::Refused(_))), "at fifty a unit");
    let close = Command::SetAccountState { instance_id, state: AccountState::Closed };
    shop.ask(close).unwrap();
    assert_eq!(shop.ask(set("other".to_owned())), Err(Error::AccountClosed(instance_id)));
}

#[test]
fn a_reversal_takes_what_is_free_now_and_the_reserved_part_later() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 20);
    shop.settled(1, 20);
    shop.allowed(2, 30);
    shop.allowed(3, 10);
    assert_eq!(shop.reversed(reverse(0, 1)), (40, 40, 20, 40));
    assert_eq!(shop.counters(), (0, 40));
    assert_eq!(shop.booked(1), [(Kind::Reversal, Platform::Reversed, -40, "refund")]);
    // What work consumes is never taken back; what it gives back is.
    assert_eq!(figures(&shop.settled(2, 25)), (25, 25, 0, 10));
    let booked = shop.booked(2);
    assert_eq!(booked.first().map(|entry| (entry.0, entry.2)), Some((Kind::Settle, -25)));
    assert_eq!(booked.last(), Some(&(Kind::Reversal, Platform::Reversed, -5, "refund")));
    assert_eq!(shop.counters(), (0, 10));
    shop.ask(release(3)).unwrap();
    assert_eq!(shop.counters(), (0, 0));
    assert_eq!(shop.kinds().last(), Some(&facts::WALLET_DEPLETED));
    let lot = shop.shelf.lots.get(&lot(1)).unwrap();
    assert_eq!((lot.reversed, lot.pending), (micros(55), micros(0)));
    // Nothing is left, and asking again says so.
    assert_eq!(shop.reversed(reverse(0, 2)), (0, 0, 45, 0));
}

#[test]
fn partial_reversals_add_up() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 50);
    assert_eq!(shop.reversed(reverse(30, 1)), (30, 0, 0, 70));
    assert_eq!(shop.reversed(reverse(30, 2)), (20, 10, 0, 50));
    assert_eq!(shop.reversed(reverse(30, 3)), (0, 30, 0, 50));
    assert_eq!(shop.reversed(reverse(30, 4)), (0, 10, 0, 50));
    assert_eq!(shop.reversed(reverse(30, 5)), (0, 0, 0, 50));
    assert_eq!(figures(&shop.settled(1, 20)), (20, 20, 0, 0));
    assert_eq!(shop.reversed(reverse(0, 6)), (0, 0, 20, 0));
}

#[test]
fn what_a_reservation_gives_back_is_taken_before_anyone_else_gets_it() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 100);
    assert_eq!(shop.reversed(reverse(70, 1)), (0, 70, 0, 100));
    shop.now = 101;
    shop.ask(expire(1)).unwrap();
    assert_eq!(shop.counters(), (30, 0));
    assert_eq!(shop.refused(2, 31).reason(), souk_types::Reason::InsufficientCredits);
    // A late settle charges what is left after the seller.
    assert_eq!(figures(&shop.settled(1, 100)), (100, 30, 70, 0));
}

#[test]
fn a_reversal_names_one_top_up() {
    let mut shop = Shop::with(10);
    shop.ask(Command::TopUp(TopUp { source_ref: "other".to_owned(), ..top_up(1, 2, 10) })).unwrap();
    let given = Adjust { note: "order".to_owned(), ..adjust(10, 3) };
    shop.ask(Command::Adjust(given)).unwrap();
    assert_eq!(shop.reversed(reverse(0, 1)), (10, 0, 0, 20));
    let Command::Reverse(ask) = reverse(1, 2) else { unreachable!() };
    let unknown = Reverse { source_ref: "nothing".to_owned(), ..ask.clone() };
    let source_ref = "nothing".to_owned();
    assert_eq!(shop.ask(Command::Reverse(unknown)), Err(Error::LotNotFound { source_ref }));
    let out = Err(Error::AmountOutOfRange { field: "amount_micros" });
    assert_eq!(shop.ask(reverse(-1, 2)), out);
    for bad in
        [Reverse { source_ref: String::new(), ..ask.clone() }, Reverse { cause: "x".repeat(256), ..ask }]
    {
        assert!(matches!(shop.ask(Command::Reverse(bad)), Err(Error::Invalid(_))));
    }
    // A reference that was used twice names both lots, the first to burn first.
    for id in [5, 6] {
        shop.ask(Command::TopUp(TopUp { source_ref: "order".to_owned(), ..top_up(1, id, 10) })).unwrap();
    }
    assert_eq!(shop.reversed(reverse(15, 3)), (15, 0, 0, 25));
}

#[test]
fn expired_credits_are_posted_once() {
    let mut shop = Shop::mortal(100, 50);
    shop.ask(lapse(1)).unwrap();
    assert_eq!(shop.counters(), (100, 0), "not yet");
    shop.allowed(1, 30);
    shop.now = 50;
    shop.ask(lapse(2)).unwrap();
    assert_eq!(shop.booked(1), [(Kind::Expiry, Platform::Expired, -70, "order")]);
    assert_eq!(shop.counters(), (0, 30), "what is reserved outlives its lot");
    let before = shop.shelf.clone();
    assert_eq!(shop.ask(lapse(3)), Ok(Answer::Lapsed(0)));
    assert_eq!(shop.shelf, before);
    assert_eq!(figures(&shop.settled(1, 10)), (10, 10, 0, 20));
    assert_eq!(shop.refused(2, 1).reason(), souk_types::Reason::InsufficientCredits);
    shop.ask(lapse(4)).unwrap();
    assert_eq!((shop.counters(), shop.kinds().last()), ((0, 0), Some(&facts::WALLET_DEPLETED)));
}

#[test]
fn a_reversal_after_expiry_finds_the_reserved_part_only_swept_or_not() {
    for swept in [true, false] {
        let mut shop = Shop::mortal(100, 50);
        shop.allowed(1, 30);
        shop.now = 50;
        if swept {
            shop.ask(lapse(1)).unwrap();
        }
        let (reversed, pending, consumed, _) = shop.reversed(reverse(90, 1));
        assert_eq!((reversed, pending, consumed), (0, 30, 60), "swept: {swept}");
        shop.ask(release(1)).unwrap();
        shop.ask(lapse(2)).unwrap();
        assert_eq!(shop.counters(), (0, 0));
        let books = |book| {
            let lines = shop.shelf.entries.iter().flat_map(|entry| &entry.lines);
            lines
                .filter(|line| line.book == Book::Platform(book))
                .map(|line| line.amount.micros())
                .sum::<i64>()
        };
        assert_eq!((books(Platform::Reversed), books(Platform::Expired)), (30, 70));
    }
}

#[test]
fn an_operator_gives_and_takes() {
    let mut shop = Shop::mortal(10, 50);
    shop.ask(Command::TopUp(TopUp { source_ref: "other".to_owned(), ..top_up(1, 2, 10) })).unwrap();
    let Ok(Answer::Adjusted { wallet, .. }) = shop.ask(Command::Adjust(adjust(5, 3))) else { panic!() };
    assert_eq!(wallet.available, micros(25));
    assert_eq!(shop.booked(1), [(Kind::Adjustment, Platform::Adjusted, 5, "a mistake of ours")]);
    shop.allowed(1, 4);
    shop.ask(Command::Adjust(adjust(-18, 4))).unwrap();
    assert_eq!(shop.counters(), (3, 4));
    assert_eq!(shop.booked(1), [(Kind::Adjustment, Platform::Adjusted, -18, "a mistake of ours")]);
    let short = Err(Error::InsufficientCredits { required: micros(4), available: micros(3) });
    assert_eq!(shop.ask(Command::Adjust(adjust(-4, 5))), short, "what is reserved is not taken");
    let end = |end: i64| Some(Time::from_micros(end));
    for bad in [
        Adjust { note: " ".to_owned(), ..adjust(1, 6) },
        Adjust { note: "é".repeat(201), ..adjust(1, 6) },
        Adjust { note: "a\tb".to_owned(), ..adjust(1, 6) },
        Adjust { expire_time: end(1), ..adjust(1, 6) },
        Adjust { expire_time: end(900), ..adjust(-1, 6) },
    ] {
        assert!(matches!(shop.ask(Command::Adjust(bad)), Err(Error::Invalid(_))));
    }
    for amount in [0, i64::MIN] {
        let out = Err(Error::AmountOutOfRange { field: "amount_micros" });
        assert_eq!(shop.ask(Command::Adjust(adjust(amount, 6))), out);
    }
    shop.ask(Command::Adjust(Adjust { note: "é".repeat(200), expire_time: end(900), ..adjust(1, 6) }))
        .unwrap();
}

#[test]
fn a_frozen_wallet_takes_credits_in_and_settles() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 10);
    let Ok(Answer::WalletSet { wallet, lots }) = shop.ask(set_wallet(WalletState::Frozen)) else { panic!() };
    assert_eq!((wallet.state, wallet.available, lots.len()), (WalletState::Frozen, micros(90), 1));
    let before = shop.shelf.clone();
    shop.ask(set_wallet(WalletState::Frozen)).unwrap();
    assert_eq!(shop.shelf, before);
    assert_eq!(shop.refused(2, 1), Refusal::WalletFrozen);
    shop.ask(Command::TopUp(top_up(1, 2, 5))).unwrap();
    assert_eq!(figures(&shop.settled(1, 10)), (10, 10, 0, 95));
    shop.ask(set_wallet(WalletState::Active)).unwrap();
    shop.allowed(2, 95);
}
