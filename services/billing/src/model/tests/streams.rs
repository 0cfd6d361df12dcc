//! Random streams of commands: duplicates, unknown ids, foreign scopes, amounts near the ends of 64 bits, time
//! jumping both ways. After every batch the invariants hold, and the naive model agrees with every answer.

use std::{collections::BTreeMap, time::Duration};

use proptest::{
    collection::vec, option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner,
};
use souk_types::{
    access::Reach,
    id::{ReceiptId, WalletId},
};

use super::{
    Command, Request, Settle, TopUp, at, entry, instance, lot, micros,
    naive::{Naive, Outcome},
    org, rsv, schedule, scope,
    shelf::Shelf,
    usage, wallet,
};
use crate::{
    error::Error,
    model::{
        AccountState, Wallet, WalletState,
        command::{Answer, Authorize},
        ledger::{Book, Platform},
        lots::Source,
    },
};

/// One step: who reaches how far, and what is asked; or a wallet is frozen or thawed behind the core's back.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Reach, Command),
    Freeze(u128),
}

pub(crate) type Lines = Vec<(&'static str, i64)>;
pub(crate) type Prices = Vec<(&'static str, i64, i64)>;

pub(crate) fn tariffs() -> [(Prices, Lines); 2] {
    [
        (vec![("a", 3, 2), ("b", 7, 5), ("c", 1, 1000)], vec![("a", 10), ("b", 3)]),
        (vec![("a", i64::MAX, 1), ("b", i64::MAX, 1000), ("c", 0, 1)], vec![("c", 1)]),
    ]
}

fn hash(which: usize) -> String {
    let tariffs = tariffs();
    let Some((prices, default)) = tariffs.get(which) else { return "unknown".to_owned() };
    schedule(prices, default).content_hash().to_owned()
}

fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 1..60_i64,
        2 => 0..5_000_i64,
        1 => select(vec![i64::MIN, -1, 0, i64::MAX, i64::MAX - 1, i64::MAX / 2]),
    ]
}

fn reaches() -> impl Strategy<Value = Reach> {
    prop_oneof![
        12 => Just(Reach::Every),
        2 => (0..3_u128).prop_map(|bits| Reach::Org(org(bits))),
        1 => (0..3_u128, any::<bool>()).prop_map(|(bits, may)| Reach::Readable(vec![(org(bits), may)])),
    ]
}

fn quantities() -> impl Strategy<Value = Lines> {
    let name = prop_oneof![20 => select(vec!["a", "b", "c"]), 1 => Just("unknown")];
    let quantity = prop_oneof![12 => amounts().prop_map(|amount| amount.saturating_abs()), 1 => amounts()];
    vec((name, quantity), 0..3)
}

fn commands() -> impl Strategy<Value = Command> {
    let opened = (0..3_u128, 0..3_u128)
        .prop_map(|(owner, id)| Command::OpenWallet { org_id: org(owner), wallet_id: wallet(id) });
    let account = (0..4_u128, 0..3_u128, select(vec![0, 0, 0, 0, 1, 2])).prop_map(|(by, from, tariff)| {
        let schedule_hash = hash(tariff);
        Command::OpenAccount { instance_id: instance(by), wallet_id: wallet(from), schedule_hash }
    });
    let states = select(vec![AccountState::Active, AccountState::Active, AccountState::Frozen]);
    let states = prop_oneof![8 => states, 1 => Just(AccountState::Closed)];
    let set = (0..4_u128, states)
        .prop_map(|(by, state)| Command::SetAccountState { instance_id: instance(by), state });
    let top_up = (0..3_u128, 0..10_u128, amounts(), -1..2_i32, option::of(0..400_i64));
    let top_up = top_up.prop_map(|(to, id, amount, priority, end)| {
        Command::TopUp(TopUp { priority, expire_time: end.map(at), ..super::top_up(to, id, amount) })
    });
    let authorize = (0..4_u128, 0..16_u128, quantities(), 0..150_u64).prop_map(|(by, id, lines, ttl)| {
        Command::Authorize(Authorize {
            instance_id: instance(by),
            reservation_id: rsv(id),
            estimate: usage(&lines),
            ttl: Duration::from_micros(ttl),
            source_ref: String::new(),
        })
    });
    let settle = (0..16_u128, quantities()).prop_map(|(id, lines)| super::settle(id, 0, &lines));
    let release = (0..16_u128).prop_map(|id| Command::Release { reservation_id: rsv(id) });
    let expire = (0..16_u128).prop_map(|id| Command::Expire { reservation_id: rsv(id) });
    prop_oneof![
        1 => opened, 1 => account, 1 => set, 4 => top_up, 8 => authorize, 6 => settle, 2 => release, 2 => expire
    ]
}

/// Batches, each with how far time moves before it.
pub(crate) fn streams() -> impl Strategy<Value = Vec<(i64, Vec<Step>)>> {
    let step = prop_oneof![
        40 => (reaches(), commands()).prop_map(|(reach, command)| Step::Ask(reach, command)),
        1 => (0..3_u128).prop_map(Step::Freeze),
    ];
    let jump = prop_oneof![8 => 0..40_i64, 1 => -60..200_i64];
    vec((jump, vec(step, 1..12)), 1..16)
}

/// Two orgs in business, so that a stream does not spend itself on opening accounts.
pub(crate) fn opening() -> Vec<Step> {
    let mut steps = vec![];
    for bits in 0..2_u128 {
        steps.push(Command::OpenWallet { org_id: org(bits), wallet_id: wallet(bits) });
        let (instance_id, wallet_id) = (instance(bits), wallet(bits));
        steps.push(Command::OpenAccount { instance_id, wallet_id, schedule_hash: hash(0) });
        steps.push(Command::TopUp(super::top_up(bits, 100 + bits, 200)));
    }
    steps.into_iter().map(|command| Step::Ask(Reach::Every, command)).collect()
}

/// Gives the step's new entry and receipt ids of its own, also when the rest is a duplicate.
pub(crate) fn numbered(command: Command, number: u128) -> Command {
    let ledger_entry_id = entry(number);
    match command {
        Command::TopUp(ask) => {
            let source = *Source::ALL.get(usize::from(number.is_multiple_of(2))).unwrap();
            Command::TopUp(TopUp { ledger_entry_id, source, ..ask })
        }
        Command::Settle(ask) => {
            Command::Settle(Settle { ledger_entry_id, receipt_id: ReceiptId::from_bits(number), ..ask })
        }
        other => other,
    }
}

fn outcome(answer: &Result<Answer, Error>) -> Outcome {
    match answer {
        Err(error) => {
            assert!(!matches!(error, Error::Broken(_)), "{error}");
            Outcome::Failed
        }
        Ok(Answer::Refused(refusal)) => Outcome::Refused(refusal.reason().as_str()),
        Ok(Answer::Allowed(reservation)) => Outcome::Allowed { budget: reservation.budget.micros().into() },
        Ok(Answer::Settled(receipt)) => Outcome::Settled {
            first: receipt.ledger_entry_id,
            charged: receipt.charged.micros().into(),
            overrun: receipt.overrun.micros().into(),
            balance: receipt.balance.micros().into(),
        },
        Ok(
            Answer::Wallet(_)
            | Answer::Account(_)
            | Answer::ToppedUp { .. }
            | Answer::Released { .. }
            | Answer::Reservation(_),
        ) => Outcome::Done,
    }
}

pub(crate) fn freeze(shelf: &mut Shelf, id: WalletId) {
    if let Some(wallet) = shelf.wallets.get_mut(&id) {
        let state = match wallet.state {
            WalletState::Active => WalletState::Frozen,
            WalletState::Frozen => WalletState::Active,
        };
        *wallet = Wallet { state, version: wallet.version + 1, ..wallet.clone() };
    }
}

fn book(shelf: &Shelf, book: Platform) -> i128 {
    let lines = shelf.entries.iter().flat_map(|entry| &entry.lines);
    lines.filter(|line| line.book == Book::Platform(book)).map(|line| i128::from(line.amount.micros())).sum()
}

fn agree(shelf: &Shelf, naive: &Naive) {
    for id in (0..3).map(wallet) {
        let own = shelf.wallets.get(&id);
        let own = own.map(|own| (own.available.micros().into(), own.reserved.micros().into()));
        assert_eq!(own, naive.balance(id), "{id}");
    }
    assert_eq!(-book(shelf, Platform::Granted) - book(shelf, Platform::Sold), naive.came_in);
    assert_eq!(book(shelf, Platform::Earned), naive.earned);
    assert_eq!(-book(shelf, Platform::Overrun), naive.borne);
}

/// Runs a stream in its batches and one by one, beside the naive model; answers what was reached.
fn drive(stream: Vec<(i64, Vec<Step>)>) -> (Shelf, Vec<Outcome>) {
    let schedules = tariffs().iter().map(|(prices, default)| schedule(prices, default)).collect();
    let mut batched = Shelf::with(schedules);
    let mut single = batched.clone();
    let prices = tariffs().into_iter().enumerate().map(|(which, tariff)| (hash(which), tariff)).collect();
    let mut naive = Naive::new(prices);
    let (mut now, mut number) = (0, 10_000);
    let mut outcomes = vec![];
    for (jump, steps) in [(0, opening())].into_iter().chain(stream) {
        now += jump;
        let mut batch = vec![];
        let mut frozen = vec![];
        for step in steps {
            match step {
                Step::Freeze(bits) => frozen.push(wallet(bits)),
                Step::Ask(reach, command) => {
                    number += 1;
                    batch.push(Request { scope: scope(reach), command: numbered(command, number) });
                }
            }
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
        for id in frozen {
            freeze(&mut batched, id);
            freeze(&mut single, id);
            naive.freeze(id);
        }
    }
    (batched, outcomes)
}

/// A proof about streams is worth what the streams reach.
#[test]
pub(crate) fn streams_reach_what_matters() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::<String, u32>::new();
    let mut count =
        |what: &str, holds: bool| *reached.entry(what.to_owned()).or_default() += u32::from(holds);
    for _ in 0..300 {
        let (shelf, outcomes) = drive(streams().new_tree(&mut runner).unwrap().current());
        let settles = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Settled { .. })).count();
        count("a settle again", settles > shelf.receipts.len());
        for outcome in outcomes {
            match outcome {
                Outcome::Refused(reason) => count(reason, true),
                Outcome::Allowed { budget } => count("allowed at no cost", budget == 0),
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
        }
        for fact in &shelf.facts {
            count(fact.kind, true);
        }
    }
    let rare: Vec<_> = reached.iter().filter(|(_, times)| **times < 10).collect();
    assert!(rare.is_empty(), "{rare:?} of {reached:?}");
    // What the loops above count by name, the four refusals, and the nine kinds of facts.
    assert_eq!(reached.len(), 6 + 4 + 9, "{reached:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_keep_the_invariants_and_agree_with_the_naive_model(stream in streams()) {
        drive(stream);
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
        let ask = |amount| super::asked(Command::TopUp(super::top_up(0, 1, amount)));
        shelf.run(&[super::asked(Command::OpenWallet { org_id: org(0), wallet_id: wallet(0) })], at(0));
        let first = shelf.run(&[ask(amount)], at(0)).remove(0).is_ok();
        let second = shelf.run(&[ask(again)], at(1)).remove(0).is_ok();
        prop_assert_eq!(shelf.lots.contains_key(&lot(1)), first || second);
        prop_assert!(!(first && second));
    }
}
