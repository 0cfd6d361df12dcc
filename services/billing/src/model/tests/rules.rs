//! Each rule by example, on a shop of one wallet, one instance and a price of one micro a `unit`.

use std::{sync::Arc, time::Duration};

use souk_types::{Reason, access::Reach};

use super::{
    Command, Request, TopUp, asked, at, authorize, entry, instance, lot, micros, org, rsv, schedule, scope,
    settle,
    shop::{Shop, expire, figures, parts, release, set_wallet},
    top_up, usage, wallet,
};
use crate::{
    error::Error,
    model::{
        Account, AccountState, Reservation, ReservationState, Wallet, WalletState,
        command::{Answer, Authorize, MAX_TTL, Refusal},
        decide::decide,
        facts,
        ledger::{Book, Platform},
        lots::{Allocation, Lot, Source},
        state::State,
    },
};

#[test]
fn authorize_reserves_and_settle_charges_and_gives_back() {
    let mut shop = Shop::with(100);
    let reservation = shop.allowed(1, 40);
    assert_eq!((reservation.budget, reservation.expire_time), (micros(40), at(101)));
    assert_eq!(shop.counters(), (60, 40));
    let receipt = shop.settled(1, 25);
    assert_eq!(figures(&receipt), (25, 25, 0, 75));
    assert_eq!((receipt.late, receipt.ledger_entry_id), (false, entry(2_001_000)));
    assert_eq!(shop.counters(), (75, 0));
    let booked = shop.shelf.entries.last().unwrap();
    let lines: Vec<_> = booked.lines.iter().map(|line| (line.book, line.amount.micros())).collect();
    assert_eq!(lines, [(Book::Wallet(wallet(1)), -25), (Book::Platform(Platform::Earned), 25)]);
    assert_eq!((booked.amount(), booked.balance), (micros(-25), micros(75)));
}

#[test]
fn an_empty_estimate_is_the_default_one() {
    let mut shop = Shop::with(100);
    let Ok(Answer::Allowed { reservation, .. }) = shop.ask(authorize(1, 1, &[])) else {
        panic!("must be allowed")
    };
    assert_eq!(reservation.budget, micros(7));
}

#[test]
fn all_or_nothing() {
    let mut shop = Shop::with(100);
    let (required, available) = (micros(101), micros(100));
    assert_eq!(shop.refused(1, 101), Refusal::InsufficientCredits { required, available });
    assert_eq!(shop.counters(), (100, 0));
    shop.allowed(1, 100);
    assert_eq!(shop.refused(2, 1).reason(), Reason::InsufficientCredits);
    // Nothing free refuses also what is expected to cost nothing.
    assert!(matches!(shop.ask(authorize(1, 2, &[("free", 5)])), Ok(Answer::Refused(_))));
}

#[test]
fn rounding_happens_once_a_settle() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 10);
    let used = [("third", 1), ("third", 1), ("unit", 2), ("third", 2)];
    let Ok(Answer::Settled(receipt)) = shop.ask(settle(1, 5, &used)) else { panic!("must settle") };
    assert_eq!(figures(&receipt), (4, 4, 0, 96));
}

#[test]
fn lots_burn_in_order() {
    let mut shop = Shop::new();
    for (id, priority, end) in [(1, 1, Some(500)), (2, 0, None), (3, 0, Some(900)), (4, 0, Some(800))] {
        let lot = TopUp { priority, expire_time: end.map(at), ..top_up(1, id, 10) };
        shop.ask(Command::TopUp(lot)).unwrap();
        shop.now += 1;
    }
    assert_eq!(parts(&shop.allowed(1, 25).allocations), [(4, 10), (3, 10), (2, 5)]);
    // The charge follows what was taken, and goes on in burn order where that is not enough.
    assert_eq!(parts(&shop.settled(1, 32).charges), [(4, 10), (3, 10), (2, 5), (2, 5), (1, 2)]);
}

#[test]
fn an_expired_lot_reserves_nothing_more_but_its_reserved_part_pays() {
    let mut shop = Shop::new();
    let mortal = TopUp { expire_time: Some(at(50)), ..top_up(1, 1, 100) };
    shop.ask(Command::TopUp(mortal)).unwrap();
    shop.allowed(1, 60);
    shop.now = 50;
    let (required, available) = (micros(1), micros(0));
    assert_eq!(shop.refused(2, 1), Refusal::InsufficientCredits { required, available });
    assert_eq!(figures(&shop.settled(1, 70)), (70, 60, 10, 40));
}

#[test]
fn what_no_wallet_can_pay_is_overrun() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 30);
    shop.allowed(2, 60);
    assert_eq!(figures(&shop.settled(1, 45)), (45, 40, 5, 60), "30 reserved and the 10 available");
    assert_eq!(shop.counters(), (0, 60), "what others reserved is not touched");
    let lines = &shop.shelf.entries.last().unwrap().lines;
    let lines: Vec<_> = lines.iter().map(|line| (line.book, line.amount.micros())).collect();
    let platform = Book::Platform;
    let expected =
        [(Book::Wallet(wallet(1)), -40), (platform(Platform::Earned), 45), (platform(Platform::Overrun), -5)];
    assert_eq!(lines, expected);
}

#[test]
fn a_second_settle_is_answered_by_the_first_receipt() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 30);
    let first = shop.settled(1, 20);
    let before = shop.shelf.clone();
    shop.now = 5_000;
    let Ok(Answer::Settled(second)) = shop.ask(settle(1, 999, &[("unknown", -1)])) else {
        panic!("must be answered by the first receipt")
    };
    assert_eq!(*second, first);
    assert_eq!(shop.shelf, before);
}

#[test]
fn a_late_settle_charges_what_is_available_swept_or_not() {
    let late = |swept: bool| {
        let mut shop = Shop::with(100);
        shop.allowed(1, 80);
        shop.now = 101;
        if swept {
            shop.ask(expire(1)).unwrap();
            assert_eq!(shop.counters(), (100, 0));
        }
        let receipt = shop.settled(1, 120);
        (receipt, shop.counters(), shop.kinds(), shop.shelf.reservations)
    };
    let (receipt, ..) = late(true);
    assert_eq!((figures(&receipt), receipt.late), ((120, 100, 20, 0), true));
    assert_eq!(late(true), late(false));
}

#[test]
fn after_expiry_the_credits_may_be_gone() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 80);
    shop.now = 101;
    shop.ask(expire(1)).unwrap();
    shop.allowed(2, 95);
    assert_eq!(figures(&shop.settled(1, 50)), (50, 5, 45, 95));
}

#[test]
fn a_reservation_expires_when_its_time_is_over_and_once() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 80);
    shop.now = 100;
    let expire = expire(1);
    let Ok(Answer::Reservation(early)) = shop.ask(expire.clone()) else { panic!("must answer") };
    assert_eq!((early.state, shop.counters()), (ReservationState::Open, (20, 80)));
    shop.now = 101;
    shop.ask(expire.clone()).unwrap();
    let swept = shop.shelf.clone();
    shop.ask(expire).unwrap();
    assert_eq!(shop.shelf, swept);
    assert_eq!(shop.counters(), (100, 0));
}

#[test]
fn release_is_the_end_and_settle_is_too() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 80);
    shop.ask(release(1)).unwrap();
    assert_eq!(shop.counters(), (100, 0));
    let before = shop.shelf.clone();
    shop.ask(release(1)).unwrap();
    assert_eq!(shop.shelf, before);
    let closed = |id, state| Err(Error::ReservationClosed { reservation_id: rsv(id), state });
    assert_eq!(shop.ask(settle(1, 9, &[("unit", 1)])), closed(1, ReservationState::Released));
    shop.allowed(2, 10);
    shop.settled(2, 10);
    assert_eq!(shop.ask(release(2)), closed(2, ReservationState::Settled));
    assert_eq!(shop.ask(release(3)), Err(Error::ReservationNotFound(rsv(3))));
}

#[test]
fn whether_the_sweep_came_first_does_not_decide_what_a_release_means() {
    for swept in [true, false] {
        let mut shop = Shop::with(100);
        shop.allowed(1, 80);
        shop.now = 101;
        if swept {
            shop.ask(expire(1)).unwrap();
        }
        shop.ask(release(1)).unwrap();
        assert_eq!(shop.counters(), (100, 0));
        assert!(matches!(shop.ask(settle(1, 9, &[])), Err(Error::ReservationClosed { .. })));
    }
}

#[test]
fn frozen_and_closed_refuse_but_open_reservations_settle() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 10);
    shop.allowed(2, 10);
    let set = |state| Command::SetAccountState { instance_id: instance(1), state };
    shop.ask(set(AccountState::Frozen)).unwrap();
    assert_eq!(shop.refused(3, 1), Refusal::AccountFrozen);
    shop.ask(set(AccountState::Active)).unwrap();
    shop.allowed(3, 1);
    shop.ask(set(AccountState::Closed)).unwrap();
    assert_eq!(shop.refused(4, 1), Refusal::AccountClosed);
    assert_eq!(figures(&shop.settled(1, 12)), (12, 12, 0, 88));
    shop.ask(set_wallet(WalletState::Frozen)).unwrap();
    assert_eq!(shop.refused(4, 1), Refusal::AccountClosed, "what is final comes first");
    assert_eq!(figures(&shop.settled(2, 10)), (10, 10, 0, 78));
    shop.ask(Command::TopUp(top_up(1, 2, 5))).unwrap();
    for state in [AccountState::Active, AccountState::Frozen] {
        assert_eq!(shop.ask(set(state)), Err(Error::AccountClosed(instance(1))));
    }
    assert!(shop.ask(set(AccountState::Closed)).is_ok());
}

#[test]
fn a_frozen_wallet_refuses() {
    let mut shop = Shop::with(100);
    shop.ask(set_wallet(WalletState::Frozen)).unwrap();
    assert_eq!(shop.refused(1, 1), Refusal::WalletFrozen);
}

#[test]
fn a_wallet_says_when_it_is_depleted_and_replenished() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 60);
    shop.allowed(2, 40);
    shop.settled(1, 60);
    assert_eq!(shop.counters(), (0, 40));
    assert!(!shop.kinds().contains(&facts::WALLET_DEPLETED), "what is reserved counts");
    shop.settled(2, 41);
    shop.ask(Command::TopUp(top_up(1, 2, 5))).unwrap();
    shop.ask(Command::TopUp(top_up(1, 3, 5))).unwrap();
    let expected = [
        facts::WALLET_OPENED,
        facts::ACCOUNT_OPENED,
        facts::LOT_ADDED,
        facts::WALLET_REPLENISHED,
        facts::RESERVATION_SETTLED,
        facts::RESERVATION_SETTLED,
        facts::WALLET_DEPLETED,
        facts::LOT_ADDED,
        facts::WALLET_REPLENISHED,
        facts::LOT_ADDED,
    ];
    assert_eq!(shop.kinds(), expected);
    let settled = shop.shelf.facts.get(5).unwrap();
    assert_eq!(settled.payload.pointer("/overrunMicros"), Some(&"1".into()));
    assert_eq!(settled.payload.pointer("/usage/0/quantity"), Some(&"41".into()));
}

#[test]
fn a_wallet_holds_no_more_than_fits() {
    let mut shop = Shop::with(i64::MAX - 5);
    shop.allowed(1, i64::MAX - 5);
    let out = |field| Err(Error::AmountOutOfRange { field });
    assert_eq!(shop.ask(Command::TopUp(top_up(1, 2, 6))), out("wallet balance"));
    for amount in [0, -1, i64::MIN] {
        assert_eq!(shop.ask(Command::TopUp(top_up(1, 2, amount))), out("amount_micros"));
    }
    shop.ask(Command::TopUp(top_up(1, 2, 5))).unwrap();
    assert_eq!(shop.ask(settle(1, 9, &[("unit", i64::MAX), ("unit", 1)])), out("usage"));
    assert_eq!(figures(&shop.settled(1, i64::MAX)), (i64::MAX, i64::MAX, 0, 0));
}

#[test]
fn the_source_says_which_book_stands_against() {
    for (source, book) in [
        (Source::Trial, Platform::Granted),
        (Source::Promotion, Platform::Granted),
        (Source::Purchase, Platform::Sold),
        (Source::Adjustment, Platform::Adjusted),
    ] {
        let mut shop = Shop::new();
        shop.ask(Command::TopUp(TopUp { source, ..top_up(1, 1, 8) })).unwrap();
        let line = *shop.shelf.entries.last().unwrap().lines.last().unwrap();
        assert_eq!((line.book, line.amount), (Book::Platform(book), micros(-8)));
        assert_eq!(shop.shelf.lots.get(&lot(1)).unwrap().source_ref, "order");
    }
}

#[test]
fn opening_again_answers_what_stands() {
    let mut shop = Shop::with(3);
    let before = shop.shelf.clone();
    let again = shop.ask(Command::OpenWallet { org_id: org(1), wallet_id: wallet(9) });
    assert!(matches!(again, Ok(Answer::Wallet(Wallet { available, .. })) if available == micros(3)));
    let taken = Command::OpenWallet { org_id: org(2), wallet_id: wallet(1) };
    assert_eq!(shop.ask(taken), Err(Error::IdTaken(wallet(1).to_string())));
    let other = schedule(&[("unit", 2, 1)], &[("unit", 1)]);
    let open = |by, hash: &str| Command::OpenAccount {
        instance_id: instance(by),
        wallet_id: wallet(1),
        schedule_hash: hash.to_owned(),
    };
    let own = shop.shelf.accounts.get(&instance(1)).unwrap().schedule_hash.clone();
    assert!(matches!(shop.ask(open(1, &own)), Ok(Answer::Account(Account { version: 1, .. }))));
    assert_eq!(shop.ask(open(1, other.content_hash())), Err(Error::AccountExists(instance(1))));
    assert_eq!(shop.ask(open(2, "none")), Err(Error::ScheduleNotFound("none".to_owned())));
    assert_eq!(shop.shelf, before);
}

#[test]
fn a_reservation_keeps_its_schedule() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 10);
    let dear = schedule(&[("unit", 50, 1)], &[("unit", 1)]);
    dear.content_hash().clone_into(&mut shop.shelf.accounts.get_mut(&instance(1)).unwrap().schedule_hash);
    shop.shelf.schedules.push(dear);
    assert_eq!(figures(&shop.settled(1, 1)), (1, 1, 0, 99));
    assert_eq!(shop.allowed(2, 1).budget, micros(50));
}

#[test]
fn wrong_fields_change_nothing() {
    let mut shop = Shop::with(100);
    let ask = |ttl| Authorize {
        instance_id: instance(1),
        reservation_id: rsv(1),
        estimate: usage(&[]),
        ttl,
        source_ref: String::new(),
    };
    let too_long = MAX_TTL + Duration::from_micros(1);
    let before = shop.shelf.clone();
    for bad in [
        Command::Authorize(ask(Duration::ZERO)),
        Command::Authorize(ask(too_long)),
        authorize(1, 1, &[("unit", -1)]),
        Command::TopUp(TopUp { expire_time: Some(at(1)), ..top_up(1, 2, 5) }),
        Command::TopUp(TopUp { source_ref: "x".repeat(256), ..top_up(1, 2, 5) }),
        Command::TopUp(TopUp { source_ref: "a\nb".to_owned(), ..top_up(1, 2, 5) }),
    ] {
        assert!(matches!(shop.ask(bad.clone()), Err(Error::Invalid(_))), "{bad:?}");
    }
    assert_eq!(shop.ask(authorize(9, 1, &[])), Err(Error::AccountNotFound(instance(9))));
    assert_eq!(shop.ask(Command::TopUp(top_up(9, 2, 5))), Err(Error::WalletNotFound(wallet(9))));
    assert_eq!(shop.shelf, before);
    assert!(shop.ask(Command::Authorize(ask(MAX_TTL))).is_ok());
}

#[test]
fn a_batch_shares_rows_but_not_reach() {
    let mut shop = Shop::with(100);
    let from = |reach, command| Request { scope: scope(reach), command };
    let readable = Reach::Readable(vec![(org(1), false)]);
    let batch = [
        from(Reach::Org(org(1)), authorize(1, 1, &[("unit", 5)])),
        from(Reach::Org(org(2)), settle(1, 7, &[("unit", 5)])),
        from(readable.clone(), settle(1, 8, &[("unit", 5)])),
        from(Reach::Org(org(2)), authorize(1, 2, &[])),
        from(Reach::Org(org(2)), Command::TopUp(top_up(1, 2, 5))),
        from(readable, Command::OpenWallet { org_id: org(1), wallet_id: wallet(1) }),
        from(Reach::Org(org(1)), release(1)),
    ];
    // A store loads the reservation for the last request too; here it is made within the batch.
    let answers = shop.shelf.run(&batch, at(1));
    let errors: Vec<_> = answers.into_iter().map(Result::err).collect();
    let expected = [
        None,
        Some(Error::ReservationNotFound(rsv(1))),
        Some(Error::Denied(org(1))),
        Some(Error::AccountNotFound(instance(1))),
        Some(Error::WalletNotFound(wallet(1))),
        Some(Error::Denied(org(1))),
        None,
    ];
    assert_eq!(errors, expected);
}

#[test]
fn a_corrupt_row_is_refused_and_costs_no_other_wallet() {
    let mut shop = Shop::with(100);
    shop.allowed(1, 30);
    shop.ask(Command::OpenWallet { org_id: org(2), wallet_id: wallet(2) }).unwrap();
    shop.ask(Command::TopUp(top_up(2, 2, 100))).unwrap();
    let reserved = shop.shelf.reservations.get(&rsv(1)).unwrap();
    let state = |reservation: Reservation| {
        let mut state = State::default();
        for wallet in shop.shelf.wallets.values() {
            let lots = shop.shelf.lots.values().filter(|lot| lot.wallet_id == wallet.wallet_id);
            // Both have enough reserved, so that only the lot's wallet can tell.
            let lots = lots.map(|lot| Lot { available: micros(50), reserved: micros(50), ..lot.clone() });
            let wallet = Wallet { available: micros(50), reserved: micros(50), ..wallet.clone() };
            state.put_wallet(wallet, lots);
        }
        shop.shelf.schedules.iter().for_each(|schedule| state.put_schedule(Arc::clone(schedule)));
        state.put_reservation(reservation);
        state
    };
    let foreign = Allocation { lot_id: lot(2), amount: micros(30) };
    let absent = Allocation { lot_id: lot(9), amount: micros(30) };
    let beyond = Allocation { lot_id: lot(1), amount: micros(51) };
    let negative = Allocation { lot_id: lot(1), amount: micros(-30) };
    let corrupt = [foreign, absent, beyond, negative]
        .map(|part| Reservation { allocations: vec![part], ..reserved.clone() })
        .into_iter()
        .chain([Reservation { state: ReservationState::Settled, ..reserved.clone() }]);
    for reservation in corrupt {
        let mut loaded = state(reservation.clone());
        let before = loaded.clone();
        let decision = decide(&[asked(settle(1, 7, &[("unit", 30)]))], &mut loaded, at(2));
        assert!(matches!(decision.answers.first(), Some(Err(Error::Broken(_)))), "{reservation:?}");
        assert!(decision.rows.is_empty());
        assert_eq!(loaded, before);
    }
}
