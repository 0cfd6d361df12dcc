//! What streams prove of the core: after every batch the invariants hold (the shelf checks them), batched and
//! one by one is the same, the naive model agrees with every answer, and the sweeps decide nothing.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};

use super::{
    Command, Request, at, lot, micros,
    naive::{Books, Naive, Outcome},
    org, schedule,
    shelf::Shelf,
    streams::{Fault, Step, Tick, amounts, arrivals, hash, numbered, opening, streams, sweep, tariffs},
    usage, wallet,
};
use crate::{
    error::Error,
    model::{
        ReservationState,
        command::Answer,
        ledger::{Book, Kind, Platform},
    },
};

fn outcome(answer: &Result<Answer, Error>) -> Outcome {
    match answer {
        Err(error) => {
            assert!(!matches!(error, Error::Broken(_)), "{error}");
            Outcome::Failed
        }
        Ok(Answer::Refused(refusal)) => Outcome::Refused(refusal.reason().as_str()),
        Ok(Answer::Allowed { reservation, .. }) => {
            Outcome::Allowed { budget: reservation.budget.micros().into() }
        }
        Ok(Answer::Extended(reservation)) => Outcome::Extended {
            budget: reservation.budget.micros().into(),
            until: reservation.expire_time.micros(),
        },
        Ok(Answer::NotExtended { refusal, .. }) => Outcome::NotExtended(refusal.reason().as_str()),
        Ok(Answer::Reversed(reversal)) => Outcome::Reversed {
            now: reversal.reversed.micros().into(),
            later: reversal.pending.micros().into(),
            consumed: reversal.consumed.micros().into(),
            balance: reversal.balance.micros().into(),
        },
        Ok(Answer::Settled(receipt)) => Outcome::Settled {
            first: receipt.ledger_entry_id,
            charged: receipt.charged.micros().into(),
            overrun: receipt.overrun.micros().into(),
            balance: receipt.balance.micros().into(),
        },
        Ok(
            Answer::Wallet(_)
            | Answer::WalletSet { .. }
            | Answer::Account(_)
            | Answer::ToppedUp { .. }
            | Answer::Adjusted { .. }
            | Answer::Released { .. }
            | Answer::Reservation(_)
            | Answer::Lapsed(_),
        ) => Outcome::Done,
    }
}

fn books(shelf: &Shelf) -> Books {
    let sum = |book: Platform| -> i128 {
        let lines = shelf.entries.iter().flat_map(|entry| &entry.lines);
        let lines = lines.filter(|line| line.book == Book::Platform(book));
        lines.map(|line| i128::from(line.amount.micros())).sum()
    };
    Books {
        came_in: -sum(Platform::Granted) - sum(Platform::Sold),
        earned: sum(Platform::Earned),
        borne: -sum(Platform::Overrun),
        reversed: sum(Platform::Reversed),
        expired: sum(Platform::Expired),
        adjusted: sum(Platform::Adjusted),
    }
}

fn agree(shelf: &Shelf, naive: &Naive) {
    for id in (0..3).map(wallet) {
        let own = shelf.wallets.get(&id);
        let own = own.map(|own| (own.available.micros().into(), own.reserved.micros().into()));
        assert_eq!(own, naive.balance(id), "{id}");
    }
    assert_eq!(books(shelf), naive.books);
}

fn shelf() -> Shelf {
    Shelf::with(tariffs().iter().map(|(prices, default)| schedule(prices, default)).collect())
}

/// Runs a stream in its batches and one by one, beside the naive model; answers what was reached.
fn drive(stream: Vec<Tick>) -> (Shelf, Vec<Outcome>) {
    let (mut batched, mut single) = (shelf(), shelf());
    let prices = tariffs().into_iter().enumerate().map(|(which, tariff)| (hash(which), tariff)).collect();
    let mut naive = Naive::new(prices);
    let (mut now, mut number) = (0, 10_000);
    let mut outcomes = vec![];
    for tick in [opening()].into_iter().chain(stream) {
        now += tick.jump;
        let requests = arrivals(&tick, &batched, at(now), &mut number);
        let batch: Vec<Request> = requests.into_iter().map(|(_, request)| request).collect();
        if tick.fault == Fault::Lost {
            // Decided, never written: nothing of it is anywhere.
            batched.clone().run(&batch, at(now));
        }
        let answers = batched.run(&batch, at(now));
        for (request, answer) in batch.iter().zip(&answers) {
            let alone = single.run(std::slice::from_ref(request), at(now));
            assert_eq!(alone.first(), Some(answer), "{request:?}");
            assert_eq!(outcome(answer), naive.run(request, now), "{request:?} {answer:?}");
            outcomes.push(outcome(answer));
        }
        assert_eq!(batched, single);
        agree(&batched, &naive);
    }
    // Whatever was left behind, one sweep ends all that is over.
    // What a reservation gives back may have expired: the sweep of lots comes after it.
    for number in [1_000_000, 2_000_000] {
        for (command, number) in sweep(&batched, at(now)).into_iter().zip(number..) {
            batched.run(&[super::asked(numbered(command, number))], at(now)).remove(0).unwrap();
        }
    }
    let held = batched.reservations.values().filter(|row| row.state == ReservationState::Open);
    assert!(held.into_iter().all(|row| row.expire_time > at(now)), "older than its time");
    assert_eq!(batched.due(at(now)), (vec![], [].into()));
    (batched, outcomes)
}

/// A proof about streams is worth what the streams reach.
#[test]
fn streams_reach_what_matters() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::<String, u32>::new();
    let mut count =
        |what: &str, holds: bool| *reached.entry(what.to_owned()).or_default() += u32::from(holds);
    for _ in 0..800 {
        let (shelf, outcomes) = drive(streams().new_tree(&mut runner).unwrap().current());
        let settles = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Settled { .. })).count();
        count("a settle again", settles > shelf.receipts.len());
        for outcome in outcomes {
            match outcome {
                Outcome::Refused(reason) => count(reason, true),
                Outcome::NotExtended(reason) => {
                    let short = reason == "INSUFFICIENT_CREDITS";
                    count("not extended for want of credits", short);
                    count("not extended for what is frozen or closed", !short);
                }
                Outcome::Allowed { budget } => count("allowed at no cost", budget == 0),
                Outcome::Extended { .. } => count("extended", true),
                Outcome::Reversed { now, later, consumed, .. } => {
                    count("reversed at once", now > 0);
                    count("reversed later", later > 0);
                    count("not reversed", consumed > 0);
                    count("reversed in all ways", now > 0 && later > 0 && consumed > 0);
                }
                Outcome::Failed | Outcome::Done | Outcome::Settled { .. } => {}
            }
        }
        for receipt in shelf.receipts.values() {
            let overrun = receipt.overrun.micros() > 0;
            count("overrun", overrun);
            count("paid late", receipt.late && receipt.charged.micros() > 0);
            count("paid by several lots", receipt.charges.len() > 1);
            let budget = shelf.reservations.get(&receipt.reservation_id).unwrap().budget;
            count("paid beyond the budget", !receipt.late && !overrun && receipt.charged > budget);
            count(
                "paid for what has no price",
                receipt.usage.iter().any(|line| line.dimension == "unpriced"),
            );
        }
        for entry in &shelf.entries {
            count(entry.kind.as_str(), true);
            // A reversal that an end of a reservation brought about does not stand first in its command.
            let later = entry.kind == Kind::Reversal && entry.ledger_entry_id.bits() % 1_000 > 0;
            count("taken back by a settle", later);
        }
        for lot in shelf.lots.values() {
            let mut own = shelf.entries.iter().filter(|entry| entry.lot_id == Some(lot.lot_id));
            let expired = own.any(|entry| entry.kind == Kind::Expiry);
            count("reversed and expired", expired && lot.reversed.micros() > 0);
        }
        for fact in &shelf.facts {
            count(fact.kind, true);
        }
    }
    let rare: Vec<_> = reached.iter().filter(|(_, times)| **times < 3).collect();
    assert!(rare.is_empty(), "{rare:?} of {reached:?}");
    // What the loops above count by name, the refusals, the kinds of entries, and the kinds of facts.
    assert_eq!(reached.len(), 16 + 4 + 5 + 13, "{reached:?}");
}

/// The same stream, forward in time, without its sweeps.
fn unswept(stream: &[Tick]) -> Vec<Tick> {
    let quiet = |step: &&Step| {
        let ends = matches!(step, Step::Ask(_, Command::Expire(_) | Command::ExpireLots { .. }));
        !ends && !matches!(step, Step::Sweep)
    };
    let tick = |tick: &Tick| Tick {
        jump: tick.jump.max(0),
        fault: Fault::None,
        steps: tick.steps.iter().filter(quiet).cloned().collect(),
    };
    stream.iter().map(tick).collect()
}

/// What was decided, without what the wallet held after it: what has expired is in it until it is swept.
/// `swept`: expired lots are swept before each command, and the reservation that it ends.
fn decisions(stream: &[Tick], swept: bool) -> Vec<Outcome> {
    let mut shelf = shelf();
    let (mut now, mut number, mut sweeps) = (0, 10_000, 1_000_000);
    let mut outcomes = vec![];
    for tick in [opening()].iter().chain(stream) {
        now += tick.jump;
        for (_, request) in arrivals(tick, &shelf, at(now), &mut number) {
            let own = match &request.command {
                Command::Settle(ask) => Some(ask.reservation_id),
                Command::Release(ask) => Some(ask.reservation_id),
                _ => None,
            };
            // What is refused sweeps nothing.
            let own =
                own.filter(|_| shelf.clone().run(std::slice::from_ref(&request), at(now)).remove(0).is_ok());
            let concerns = |command: &Command| match command {
                Command::Expire(ask) => Some(ask.reservation_id) == own,
                _ => true,
            };
            for command in sweep(&shelf, at(now)).into_iter().filter(|command| swept && concerns(command)) {
                sweeps += 1;
                shelf.run(&[super::asked(numbered(command, sweeps))], at(now));
            }
            let mut decided = outcome(&shelf.run(&[request], at(now)).remove(0));
            if let Outcome::Settled { balance, .. } | Outcome::Reversed { balance, .. } = &mut decided {
                *balance = 0;
            }
            outcomes.push(decided);
        }
    }
    outcomes
}

/// Whether a stream tries how much fits into a wallet: what has expired fills it until it is swept.
fn tries_the_brim(stream: &[Tick]) -> bool {
    let vast = |step: &Step| match step {
        Step::Ask(_, Command::TopUp(ask)) => ask.amount > micros(i64::MAX / 1_000),
        Step::Ask(_, Command::Adjust(ask)) => ask.amount > micros(i64::MAX / 1_000),
        _ => false,
    };
    stream.iter().flat_map(|tick| &tick.steps).any(vast)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_keep_the_invariants_and_agree_with_the_naive_model(stream in streams()) {
        drive(stream);
    }

    #[test]
    fn the_sweeps_decide_nothing(stream in streams()) {
        let stream = unswept(&stream);
        prop_assume!(!tries_the_brim(&stream));
        prop_assert_eq!(decisions(&stream, true), decisions(&stream, false));
    }

    #[test]
    fn prices_agree_with_the_naive_model(lines in vec((select(vec!["a", "b", "c"]), any::<i64>()), 0..3)) {
        let (prices, default) = tariffs().into_iter().next().unwrap();
        let own = schedule(&prices, &default).price("usage", &usage(&lines)).ok();
        let naive = Naive::new([(hash(0), (prices, default))].into());
        let other = naive.cost(&hash(0), &usage(&lines));
        prop_assert_eq!(own, other.map(|cost| micros(i64::try_from(cost).unwrap())));
    }

    #[test]
    fn a_lot_id_in_use_makes_nothing_new(amount in amounts(), again in amounts()) {
        let mut shelf = Shelf::default();
        let ask = |amount, number| {
            super::asked(numbered(Command::TopUp(super::top_up(0, 1, amount)), number))
        };
        shelf.run(&[super::asked(Command::OpenWallet { org_id: org(0), wallet_id: wallet(0) })], at(0));
        let first = shelf.run(&[ask(amount, 1)], at(0)).remove(0).is_ok();
        let second = shelf.run(&[ask(again, 2)], at(1)).remove(0).is_ok();
        prop_assert_eq!(shelf.lots.contains_key(&lot(1)), first || second);
        prop_assert!(!(first && second));
    }
}
