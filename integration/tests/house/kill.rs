//! kill −9 at random moments during 200 orders and runs: after the last restart nothing is lost and nothing
//! is doubled. The seed is printed; `SOUK_SEED` repeats it.

pub(crate) mod books;
mod clients;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use souk_testkit::SeededRandom;
use souk_types::Random as _;

use self::clients::{Clients, Job};
use crate::{
    harness::Souk,
    shop::{Kind, Line, Shop},
};

const ORDERS: usize = 100;
const RUNS: usize = 100;
/// Kills while all of it is asked for the first time, and while all of it is asked for again.
const KILLS: u64 = 9;
const KILLS_AGAIN: u64 = 3;
const CREDIT: i64 = 1_000_000;
const TRIAL: i64 = 1000 * CREDIT;
/// Runs of a dead process are taken over when its lease is out: not longer than the test's patience.
const SETTINGS: &str = "[runs]\nlease_seconds = 3\n";
/// Looks at the platform before a wait is given up; each is a command of its own.
const LOOKS: usize = 1500;

/// Numbers of a seed.
pub(crate) struct Dice(Arc<SeededRandom>);

impl Dice {
    /// Dice of the seed that the environment names, else of a fresh one. The seed is printed.
    pub(crate) fn new() -> Self {
        let named = std::env::var_os("SOUK_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
        let seed: u64 = named.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("SOUK_SEED={seed} repeats the choices of this test");
        Self(SeededRandom::new(seed))
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit
    }

    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(u64::try_from(last + 1).unwrap())).unwrap();
            items.swap(last, other);
        }
    }
}

/// One order of the test: what was bought, and what must come of it.
struct Bought {
    id: String,
    lines: Vec<Line>,
}

fn bought(dice: &Dice, number: usize) -> Bought {
    let line = |kind: Kind, units| Line { id: format!("line-{number}-{}", kind as u8), kind, units };
    let mut lines = Vec::new();
    if dice.below(2) == 0 {
        lines.push(line(Kind::Plan, i64::try_from(1 + dice.below(2)).unwrap()));
    }
    if lines.is_empty() || dice.below(2) == 0 {
        lines.push(line(Kind::Pack, i64::try_from(1 + dice.below(3)).unwrap()));
    }
    if dice.below(4) == 0 {
        lines.push(line(Kind::Merchandise, 1));
    }
    dice.shuffle(&mut lines);
    Bought { id: format!("order-{number}"), lines }
}

/// An instance to run: of the demo's flow, on a plan without a limit of runs.
fn runnable(souk: &Souk) -> String {
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/souk/demo");
    let manifest = std::fs::read_to_string(demo.join("support-triage.yaml")).unwrap();
    let manifest = manifest
        .replace("slug: support-triage", "slug: sturdy-desk")
        .replace(", limits: {runsPerMinute: 60}", "");
    let path = souk.scratch().join("sturdy-desk.yaml");
    std::fs::write(&path, manifest).unwrap();
    std::fs::copy(demo.join("support-triage.flow.json"), souk.scratch().join("support-triage.flow.json"))
        .unwrap();
    souk.json(&["offerings", "publish", path.to_str().unwrap()]);
    let activated = souk.json(&["instances", "activate", "sturdy-desk"]);
    let instance = activated["instanceId"].as_str().unwrap().to_owned();
    assert!(souk.cli(&["instances", "watch", &instance, "--until", "ACTIVE"]).ok);
    instance
}

fn jobs(dice: &Dice, shop: &Shop, orders: &[Bought]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for order in orders {
        let body = shop.order(&order.id, &order.lines);
        for event in ["order_paid", "order_fully_paid"] {
            jobs.push(Job::Deliver(shop.deliver(&body, event)));
        }
    }
    jobs.extend((0..RUNS).map(Job::Run));
    dice.shuffle(&mut jobs);
    jobs
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_is_doubled() {
    let dice = Dice::new();
    let mut souk = Souk::up();
    souk.settings(SETTINGS);
    let project = souk.json(&["workspace"])["projectId"].as_str().unwrap().to_owned();
    let instance = runnable(&souk);
    let shop = Shop::new();
    shop.add(&souk, &project);
    let orders: Vec<Bought> = (0..ORDERS).map(|number| bought(&dice, number)).collect();
    let jobs = jobs(&dice, &shop, &orders);
    let mut killed = 0;
    let runs = all_answered(&mut souk, &dice, (jobs.clone(), KILLS), &instance, &mut killed);
    // All of it once more, while what the first time left behind is still at work.
    let again = all_answered(&mut souk, &dice, (jobs, KILLS_AGAIN), &instance, &mut killed);
    assert_eq!(again, runs, "a request id answers the same run for ever");
    println!("killed {killed} times");
    settled(&souk);
    check_orders(&souk, &orders, &instance);
    check_books(&souk, &orders, &runs);
    assert!(souk.terminate());
    books::check(&souk.data());
}

/// Has every job answered while the platform is killed again and again; gives the run of each number.
fn all_answered(
    souk: &mut Souk,
    dice: &Dice,
    (jobs, kills): (Vec<Job>, u64),
    instance: &str,
    killed: &mut u64,
) -> BTreeMap<usize, String> {
    let total = u64::try_from(jobs.len()).unwrap();
    let clients = Clients::start(souk, jobs, instance);
    for round in 0..kills {
        // Spread over the work: each kill somewhere in its own share of the answers.
        let goal = total * round / kills + dice.below(total / kills);
        clients.answered(usize::try_from(goal).unwrap());
        clients.moment(Duration::from_millis(dice.below(60)));
        *killed += kill(souk, dice);
        clients.moved(souk);
    }
    clients.end()
}

/// Kills, and starts again; every third time once more before the start is through. Says how many times.
fn kill(souk: &mut Souk, dice: &Dice) -> u64 {
    souk.kill_9();
    let again = dice.below(3) == 0;
    if again {
        souk.start_and_kill(Duration::from_millis(dice.below(700)));
    }
    souk.start(&[]);
    1 + u64::from(again)
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().cloned().unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn micros(value: &Value, key: &str) -> i64 {
    value[key].as_str().map_or(0, |text| text.parse().unwrap())
}

/// Waits until nothing is on its way any more.
fn settled(souk: &Souk) {
    let mut left = Value::Null;
    for _ in 0..LOOKS {
        let orders = list(&souk.json(&["orders", "ls"]), "orders");
        let lines = orders.iter().flat_map(|order| list(order, "lines"));
        let working = lines.filter(|line| text(line, "state") == "STATE_WORKING").count();
        let instances = list(&souk.json(&["instances", "ls"]), "instances");
        let young = instances.iter().filter(|instance| text(instance, "state") != "STATE_ACTIVE").count();
        let runs = list(&souk.json(&["runs", "ls", "--limit", "1000"]), "runs");
        let open = runs.iter().filter(|run| text(run, "endTime").is_empty()).count();
        left = serde_json::json!({
            "orders": ORDERS - orders.len(), "lines": working, "instances": young, "runs": open,
        });
        if left == serde_json::json!({"orders": 0, "lines": 0, "instances": 0, "runs": 0}) {
            return;
        }
    }
    panic!("still on its way: {left}");
}

/// Every line is done once, by instances and top-ups that no other line has, and there are no more.
fn check_orders(souk: &Souk, orders: &[Bought], runnable: &str) {
    let listed = list(&souk.json(&["orders", "ls"]), "orders");
    let by_id: BTreeMap<_, _> = listed.iter().map(|order| (text(order, "externalId"), order)).collect();
    assert_eq!((listed.len(), by_id.len()), (orders.len(), orders.len()));
    let mut instances = BTreeSet::from([runnable.to_owned()]);
    let mut expected = 1;
    for order in orders {
        let found = list(by_id[&*order.id], "lines");
        assert_eq!(found.len(), order.lines.len(), "{}", order.id);
        for line in &order.lines {
            let found = found.iter().find(|found| text(found, "lineId") == line.id).expect(&line.id);
            let ids = list(found, "instanceIds");
            let state = text(found, "state");
            match line.kind {
                Kind::Plan => {
                    assert_eq!((state, ids.len()), ("STATE_DONE", usize::try_from(line.units).unwrap()));
                    expected += ids.len();
                    instances.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
                }
                Kind::Pack => {
                    assert_eq!((state, ids.len()), ("STATE_DONE", 0), "{found}");
                    assert_eq!(micros(found, "creditsMicros"), 1000 * CREDIT * line.units);
                }
                Kind::Merchandise => {
                    assert_eq!((state, text(found, "parkedReason")), ("STATE_PARKED", "LINE_UNMAPPED"));
                }
            }
        }
    }
    assert_eq!(instances.len(), expected, "no two lines share an instance");
    let listed = list(&souk.json(&["instances", "ls"]), "instances");
    let sources: BTreeSet<_> = listed.iter().map(|instance| text(instance, "sourceRef")).collect();
    assert_eq!(sources.len(), listed.len(), "one instance a unit");
    let listed: BTreeSet<_> = listed.iter().map(|i| text(i, "instanceId").to_owned()).collect();
    assert_eq!(listed, instances, "no instance but those");
}

/// The wallet is what was given and bought less what runs were charged, each in the ledger once.
fn check_books(souk: &Souk, orders: &[Bought], answered: &BTreeMap<usize, String>) {
    let runs = list(&souk.json(&["runs", "ls", "--limit", "1000"]), "runs");
    let ids: BTreeSet<_> = runs.iter().map(|run| text(run, "runId").to_owned()).collect();
    assert_eq!((runs.len(), ids.len()), (RUNS, RUNS), "one run a request id");
    assert_eq!(ids, answered.values().cloned().collect(), "the runs that were answered");
    for run in &runs {
        match text(run, "state") {
            "STATE_SUCCEEDED" => assert!(micros(run, "chargedMicros") > 0, "{run}"),
            "STATE_FAILED" => assert_eq!(run["error"]["reason"], "RUN_INTERRUPTED", "{run}"),
            state => panic!("{state}: {run}"),
        }
    }
    let failed = runs.iter().filter(|run| text(run, "state") == "STATE_FAILED").count();
    println!("{failed} of {RUNS} runs were interrupted");

    let ledger = list(&souk.json(&["ledger", "--limit", "1000"]), "ledgerEntries");
    let packs = orders.iter().flat_map(|order| {
        let packs = order.lines.iter().filter(|line| line.kind == Kind::Pack);
        packs.map(|line| (format!("saleor:{}:{}", order.id, line.id), 1000 * CREDIT * line.units))
    });
    let mut expected: Vec<(String, i64)> = packs.collect();
    let charged = runs.iter().filter(|run| micros(run, "chargedMicros") > 0);
    expected.extend(charged.map(|run| (text(run, "runId").to_owned(), -micros(run, "chargedMicros"))));
    expected.sort();
    let posted = ledger.iter().filter(|entry| !text(entry, "sourceRef").starts_with("trial:"));
    let posted = posted.map(|entry| (text(entry, "sourceRef").to_owned(), micros(entry, "amountMicros")));
    let mut posted: Vec<_> = posted.filter(|(_, amount)| *amount != 0).collect();
    posted.sort();
    assert_eq!(posted, expected, "each top-up and each charge once");

    let wallet = souk.json(&["wallet"]);
    let balance = TRIAL + expected.iter().map(|(_, amount)| amount).sum::<i64>();
    assert_eq!(micros(&wallet, "availableMicros"), balance);
    assert_eq!(micros(&wallet, "reservedMicros"), 0, "what an interrupted run held is free again");
    let sum: i64 = ledger.iter().map(|entry| micros(entry, "amountMicros")).sum();
    assert_eq!(sum, balance, "the wallet is the sum of its entries");
}
