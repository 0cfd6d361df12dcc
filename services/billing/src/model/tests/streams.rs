//! Random streams of commands: duplicates, unknown ids, foreign scopes, amounts near the ends of 64 bits, time
//! jumping both ways, sweeps at any moment, batches that never happened, that happened unheard or arrive in
//! another order. What is made of them is proven in `proofs` and, for the tables, in `store::tests`.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};
use souk_types::{
    Time,
    access::Reach,
    id::{LotId, ReceiptId, WalletId},
};

use super::{
    Command, Request, Settle, TopUp, at, entry, instance, micros, org, rsv, schedule, scope, shelf::Shelf,
    usage, wallet,
};
use crate::model::{
    AccountState, WalletState,
    command::{Adjust, Authorize, End, Extend, Reverse},
    lots::Source,
};

/// One step: who reaches how far, and what is asked; or the sweeps look for what is over.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Reach, Command),
    Sweep,
}

/// What befalls a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The process dies before the commit; all ask again.
    Lost,
    /// The process dies after the commit and before the answers; all ask again.
    Unheard,
    /// The calls arrive in another order.
    Reordered,
}

/// How far time moves before a batch, what befalls it, and what is asked in it.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    pub(crate) jump: i64,
    pub(crate) fault: Fault,
    pub(crate) steps: Vec<Step>,
}

pub(crate) type Lines = Vec<(&'static str, i64)>;
pub(crate) type Prices = Vec<(&'static str, i64, i64)>;

pub(crate) fn tariffs() -> [(Prices, Lines); 2] {
    [
        (vec![("a", 3, 2), ("b", 7, 5), ("c", 1, 1000)], vec![("a", 10), ("b", 3)]),
        (vec![("a", i64::MAX, 1), ("b", i64::MAX, 1000), ("c", 0, 1)], vec![("c", 1)]),
    ]
}

pub(crate) fn hash(which: usize) -> String {
    let tariffs = tariffs();
    let Some((prices, default)) = tariffs.get(which) else { return "unknown".to_owned() };
    schedule(prices, default).content_hash().to_owned()
}

pub(super) fn amounts() -> impl Strategy<Value = i64> {
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
    let name = prop_oneof![20 => select(vec!["a", "b", "c"]), 3 => Just("unpriced")];
    let quantity = prop_oneof![12 => amounts().prop_map(|amount| amount.saturating_abs()), 1 => amounts()];
    vec((name, quantity), 0..3)
}

fn refs() -> impl Strategy<Value = String> {
    select(vec!["one", "one", "two", "three", ""]).prop_map(str::to_owned)
}

fn end(id: u128) -> End {
    End { reservation_id: rsv(id), ledger_entry_id: entry(0) }
}

/// How orgs, instances and credits come and change.
fn affairs() -> BoxedStrategy<Command> {
    let opened = (0..3_u128, 0..3_u128)
        .prop_map(|(owner, id)| Command::OpenWallet { org_id: org(owner), wallet_id: wallet(id) });
    let account = (0..4_u128, 0..3_u128, select(vec![0, 0, 0, 0, 1, 2])).prop_map(|(by, from, tariff)| {
        let schedule_hash = hash(tariff);
        Command::OpenAccount { instance_id: instance(by), wallet_id: wallet(from), schedule_hash }
    });
    let states = select(vec![AccountState::Active, AccountState::Active, AccountState::Frozen]);
    let states = prop_oneof![12 => states, 1 => Just(AccountState::Closed)];
    let set = (0..4_u128, states)
        .prop_map(|(by, state)| Command::SetAccountState { instance_id: instance(by), state });
    let reprice = (0..4_u128, select(vec![0, 0, 0, 1, 2])).prop_map(|(by, tariff)| {
        Command::SetAccountSchedule { instance_id: instance(by), schedule_hash: hash(tariff) }
    });
    let freeze = (0..3_u128, select(vec![WalletState::Active, WalletState::Active, WalletState::Frozen]))
        .prop_map(|(id, state)| Command::SetWalletState { wallet_id: wallet(id), state });
    let top_up = (0..3_u128, 0..10_u128, amounts(), refs(), -1..2_i32, option::of(0..400_i64));
    let top_up = top_up.prop_map(|(to, id, amount, source_ref, priority, end)| {
        let expire_time = end.map(at);
        Command::TopUp(TopUp { priority, source_ref, expire_time, ..super::top_up(to, id, amount) })
    });
    let adjust = (0..3_u128, 20..24_u128, amounts(), any::<bool>(), option::weighted(0.2, 0..400_i64));
    let adjust = adjust.prop_map(|(of, id, amount, takes, end)| {
        Command::Adjust(Adjust {
            wallet_id: wallet(of),
            lot_id: LotId::from_bits(id),
            ledger_entry_id: entry(0),
            amount: micros(if takes { amount.saturating_neg() } else { amount }),
            note: "why".to_owned(),
            expire_time: end.map(at),
        })
    });
    let reverse =
        (0..3_u128, refs(), prop_oneof![Just(0), amounts()]).prop_map(|(of, source_ref, amount)| {
            let (cause, ledger_entry_id) = ("refund".to_owned(), entry(0));
            let (wallet_id, amount) = (wallet(of), micros(amount));
            Command::Reverse(Reverse { wallet_id, source_ref, amount, cause, ledger_entry_id })
        });
    prop_oneof![
        2 => opened, 2 => account, 2 => set, 2 => reprice, 2 => freeze, 8 => top_up, 3 => adjust, 4 => reverse
    ]
    .boxed()
}

fn commands() -> impl Strategy<Value = Command> {
    let authorize = (0..4_u128, 0..16_u128, quantities(), 0..150_u64).prop_map(|(by, id, lines, ttl)| {
        Command::Authorize(Authorize {
            instance_id: instance(by),
            reservation_id: rsv(id),
            estimate: usage(&lines),
            ttl: Duration::from_micros(ttl),
            source_ref: String::new(),
        })
    });
    let extend = (0..16_u128, quantities(), option::of(0..150_u64)).prop_map(|(id, lines, ttl)| {
        let (reservation_id, estimate) = (rsv(id), usage(&lines));
        Command::Extend(Extend { reservation_id, estimate, ttl: ttl.map(Duration::from_micros) })
    });
    let settle = (0..16_u128, quantities()).prop_map(|(id, lines)| super::settle(id, 0, &lines));
    let release = (0..16_u128).prop_map(|id| Command::Release(end(id)));
    let expire = (0..16_u128).prop_map(|id| Command::Expire(end(id)));
    let lapse =
        (0..3_u128).prop_map(|id| Command::ExpireLots { wallet_id: wallet(id), ledger_entry_id: entry(0) });
    prop_oneof![
        12 => affairs(), 10 => authorize, 5 => extend, 7 => settle, 3 => release, 2 => expire, 1 => lapse
    ]
}

pub(crate) fn streams() -> impl Strategy<Value = Vec<Tick>> {
    let step = prop_oneof![
        40 => (reaches(), commands()).prop_map(|(reach, command)| Step::Ask(reach, command)),
        2 => Just(Step::Sweep),
    ];
    let jump = prop_oneof![8 => 0..40_i64, 1 => -60..200_i64];
    let faults = select(vec![Fault::Lost, Fault::Unheard, Fault::Reordered]);
    let fault = prop_oneof![5 => Just(Fault::None), 2 => faults];
    let tick = (jump, fault, vec(step, 1..14));
    vec(tick.prop_map(|(jump, fault, steps)| Tick { jump, fault, steps }), 1..16)
}

/// Two orgs in business, so that a stream does not spend itself on opening accounts.
pub(crate) fn opening() -> Tick {
    let mut steps = vec![];
    for bits in 0..2_u128 {
        steps.push(Command::OpenWallet { org_id: org(bits), wallet_id: wallet(bits) });
        let (instance_id, wallet_id) = (instance(bits), wallet(bits));
        steps.push(Command::OpenAccount { instance_id, wallet_id, schedule_hash: hash(0) });
        let source_ref = "one".to_owned();
        steps.push(Command::TopUp(TopUp { source_ref, ..super::top_up(bits, 100 + bits, 200) }));
    }
    let steps = steps.into_iter().map(|command| Step::Ask(Reach::Every, command)).collect();
    Tick { jump: 0, fault: Fault::None, steps }
}

/// The requests of a tick in the order they arrive, each with entry and receipt ids of its own, also when the
/// rest is a duplicate. The number says whether a caller asks (`Some`: by that id) or a sweep does.
pub(crate) fn arrivals(
    tick: &Tick,
    shelf: &Shelf,
    now: Time,
    number: &mut u128,
) -> Vec<(Option<u128>, Request)> {
    let mut requests = vec![];
    for step in &tick.steps {
        let asked = match step {
            Step::Ask(reach, command) => vec![(true, reach.clone(), command.clone())],
            Step::Sweep => {
                sweep(shelf, now).into_iter().map(|command| (false, Reach::Every, command)).collect()
            }
        };
        for (by_caller, reach, command) in asked {
            *number += 1;
            let request = Request { scope: scope(reach), command: numbered(command, *number) };
            requests.push((by_caller.then_some(*number), request));
        }
    }
    if tick.fault == Fault::Reordered {
        requests.reverse();
    }
    requests
}

/// What the sweeps ask at this moment.
pub(crate) fn sweep(shelf: &Shelf, now: Time) -> Vec<Command> {
    let (over, wallets): (_, std::collections::BTreeSet<WalletId>) = shelf.due(now);
    let ledger_entry_id = entry(0);
    let expire = |reservation_id| Command::Expire(End { reservation_id, ledger_entry_id });
    let lapse = |wallet_id| Command::ExpireLots { wallet_id, ledger_entry_id };
    over.into_iter().map(expire).chain(wallets.into_iter().map(lapse)).collect()
}

/// Far enough apart for all the entries that one command may make.
pub(crate) fn numbered(command: Command, number: u128) -> Command {
    let ledger_entry_id = entry(number * 1_000);
    match command {
        Command::TopUp(ask) => {
            let source = *Source::ALL.get(usize::from(number.is_multiple_of(2))).unwrap();
            Command::TopUp(TopUp { ledger_entry_id, source, ..ask })
        }
        Command::Settle(ask) => {
            Command::Settle(Settle { ledger_entry_id, receipt_id: ReceiptId::from_bits(number), ..ask })
        }
        Command::Adjust(ask) => Command::Adjust(Adjust { ledger_entry_id, ..ask }),
        Command::Reverse(ask) => Command::Reverse(Reverse { ledger_entry_id, ..ask }),
        Command::Release(ask) => Command::Release(End { ledger_entry_id, ..ask }),
        Command::Expire(ask) => Command::Expire(End { ledger_entry_id, ..ask }),
        Command::ExpireLots { wallet_id, .. } => Command::ExpireLots { wallet_id, ledger_entry_id },
        other => other,
    }
}
