//! Genuine orders of a real shop, posted through the command line to the program as users have it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{
    harness::Souk,
    shop::{self, Kind, Line, Shop, capture, fixtures},
    tables,
};

const API_URL: &str = "http://localhost:58000/graphql/";
const APP: &str = "QXBwOjM=";
const SCENARIOS: [&str; 5] = [
    "a_single_plan_signed_in",
    "b_guest_multi_line",
    "c_zero_price",
    "f_overcharge_second_fully_paid",
    "g_draft_mark_as_paid",
];
const CREDIT: i64 = 1_000_000;
/// Looks at the platform before a wait is given up.
const LOOKS: usize = 500;

/// Somebody with a workspace.
struct Person {
    token: String,
    project: String,
}

/// A platform that knows the shop, and the three people whose its buyers are.
struct Town {
    souk: Souk,
    user: Person,
    vouched: Person,
    rest: Person,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn micros(value: &Value) -> i64 {
    value.as_str().map_or(0, |text| text.parse().unwrap())
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().cloned().unwrap_or_default()
}

impl Person {
    fn new(souk: &Souk, email: &str) -> Self {
        let token = souk.sign_in_as(email);
        let workspace = souk.cli_as(&token, &["workspace", "--json"]).json();
        Self { token, project: text(&workspace, "projectId").to_owned() }
    }

    /// Offering, plan and state of each instance, in no order that matters.
    fn instances(&self, souk: &Souk) -> Vec<[String; 3]> {
        let told = souk.cli_as(&self.token, &["instances", "ls", "--json"]).json();
        let mut found: Vec<_> = list(&told, "instances")
            .iter()
            .map(|one| ["offeringSlug", "planSlug", "state"].map(|key| text(one, key).to_owned()))
            .collect();
        found.sort();
        found
    }

    /// Whole credits that were bought.
    fn bought(&self, souk: &Souk) -> Vec<i64> {
        let told = souk.cli_as(&self.token, &["ledger", "--json"]).json();
        let entries = list(&told, "ledgerEntries");
        let bought = entries.iter().filter(|entry| text(entry, "sourceRef").starts_with("saleor:"));
        let bought: Vec<i64> = bought.map(|entry| micros(&entry["amountMicros"]) / CREDIT).collect();
        let wallet = souk.cli_as(&self.token, &["wallet", "--json"]).json();
        let trial = 1000;
        let available = micros(&wallet["availableMicros"]) / CREDIT;
        assert_eq!(available, trial + bought.iter().sum::<i64>());
        bought
    }
}

impl Town {
    fn new(app: &[&str]) -> Self {
        let souk = Souk::up();
        let person = |email| Person::new(&souk, email);
        let (user, vouched, rest) =
            (person("buyer@acme.example"), person("bff@example.org"), person("ops@example.org"));
        let jwks = fixtures().join("vectors/jwks-a.json");
        let add = ["shop", "add", "--api-url", API_URL, "--jwks", jwks.to_str().unwrap()];
        souk.json(&[&add[..], &["--fallback-project", &rest.project], app].concat());
        for (kind, value, project) in [
            ("user", "VXNlcjoy", &user.project),
            ("org-ref", "org_trusted_from_bff", &vouched.project),
            // What a customer may write leads nowhere, even where somebody linked it.
            ("org-ref", "org_spoofed_by_anonymous", &rest.project),
            ("org-ref", "org_from_customer_writable_metadata", &rest.project),
        ] {
            let link = ["shop", "link", "--shop", API_URL, "--kind", kind, "--value", value];
            souk.json(&[&link[..], &["--project", project]].concat());
        }
        Self { souk, user, vouched, rest }
    }

    fn post(&self, deliveries: &[Value]) -> Value {
        let path = self.souk.scratch().join("capture.json");
        std::fs::write(&path, json!({"deliveries": deliveries}).to_string()).unwrap();
        self.souk.json(&["orders", "post", path.to_str().unwrap()])
    }

    /// The orders once nothing of them is on its way.
    fn settled(&self, count: usize) -> Vec<Value> {
        settled(&self.souk, count)
    }
}

fn settled(souk: &Souk, count: usize) -> Vec<Value> {
    let mut orders = Vec::new();
    for _ in 0..LOOKS {
        orders = list(&souk.json(&["orders", "ls"]), "orders");
        let moving = |line: &Value| text(line, "state") == "STATE_WORKING";
        let seen =
            |order: &Value| !list(order, "lines").is_empty() || !text(order, "parkedReason").is_empty();
        let at_work = orders.iter().flat_map(|order| list(order, "lines")).any(|line| moving(&line));
        if orders.len() == count && orders.iter().all(seen) && !at_work {
            return orders;
        }
    }
    panic!("still on its way: {orders:#?}");
}

fn ours() -> Vec<Value> {
    let recorded = |name: &&str| list(&capture(name), "deliveries");
    let all = SCENARIOS.iter().flat_map(recorded);
    all.filter(|delivery| delivery["path"] == "/api/webhooks/orders").collect()
}

/// What `expected.json` grants over all scenarios, one text a grant.
fn expected() -> BTreeSet<String> {
    let document = capture("expected");
    let mut grants = BTreeSet::new();
    for name in SCENARIOS {
        let scenario = text(&capture(name), "scenario").to_owned();
        for grant in list(&document["scenarios"][&scenario], "grants") {
            let what = match grant["credits"].as_i64() {
                Some(credits) => format!("{credits} credits"),
                None => format!("{} instances", grant["units"]),
            };
            grants.insert(format!("{scenario}: {} {what}", text(&grant, "sku")));
        }
    }
    grants
}

/// What the orders' lines came to, in the same words.
fn granted(orders: &[Value]) -> BTreeSet<String> {
    let mut scenarios = BTreeMap::new();
    for name in SCENARIOS {
        let capture = capture(name);
        for delivery in list(&capture, "deliveries") {
            let body: Value = serde_json::from_str(text(&delivery, "body_utf8")).unwrap();
            if let Some(id) = body["order"]["id"].as_str() {
                scenarios.insert(id.to_owned(), text(&capture, "scenario").to_owned());
            }
        }
    }
    let mut grants = BTreeSet::new();
    for order in orders {
        let scenario = &scenarios[text(order, "externalId")];
        for line in list(order, "lines").iter().filter(|line| text(line, "state") == "STATE_DONE") {
            let what = match micros(&line["creditsMicros"]) {
                0 => format!("{} instances", list(line, "instanceIds").len()),
                credits => format!("{} credits", credits / CREDIT),
            };
            assert!(grants.insert(format!("{scenario}: {} {what}", text(line, "sku"))));
        }
    }
    grants
}

fn parked(orders: &[Value]) -> Vec<String> {
    let lines = orders.iter().flat_map(|order| list(order, "lines"));
    let parked = lines.filter(|line| text(line, "state") == "STATE_PARKED");
    let mut parked: Vec<_> = parked
        .map(|line| {
            assert!(!text(&line, "remedy").is_empty(), "{line}");
            format!("{} {} ×{}", text(&line, "parkedReason"), text(&line, "sku"), line["units"])
        })
        .collect();
    parked.sort();
    parked
}

/// Posts the recorded deliveries as `arranged` and holds the platform to what must come of them.
fn genuine(arranged: &[Value]) {
    let town = Town::new(&["--app-id", APP]);
    let told = town.post(arranged);
    assert_eq!(list(&told, "orders").len(), SCENARIOS.len());
    let orders = town.settled(SCENARIOS.len());
    assert_eq!(granted(&orders), expected());
    assert_eq!(parked(&orders), ["LINE_UNMAPPED  ×1", "LINE_UNMAPPED MERCH-001 ×2"]);
    let active = |plan: &str| ["support-triage", plan, "STATE_ACTIVE"].map(str::to_owned);
    let souk = &town.souk;
    let wanted = [
        (&town.user, vec![active("pro")], vec![10_000]),
        (&town.vouched, vec![active("starter")], vec![3000]),
        (&town.rest, vec![active("free"), active("pro"), active("pro")], vec![]),
    ];
    for (person, instances, credits) in wanted {
        let reached = (0..LOOKS).any(|_| person.instances(souk) == instances);
        assert!(reached, "{:?}, not {instances:?}", person.instances(souk));
        assert_eq!(person.bought(souk), credits);
    }
}

#[test]
fn genuine_orders_in_order() {
    genuine(&ours());
}

#[test]
fn genuine_orders_the_last_first() {
    genuine(&ours().into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn genuine_orders_each_delivery_twice() {
    genuine(&ours().into_iter().flat_map(|delivery| [delivery.clone(), delivery]).collect::<Vec<_>>());
}

#[test]
fn what_another_query_rendered_is_kept_once_and_says_what_is_missing() {
    let mut town = Town::new(&[]);
    let path = fixtures().join("captures/i_retries.json");
    let told = town.souk.json(&["orders", "post", path.to_str().unwrap()]);
    let orders = list(&told, "orders");
    assert_eq!(orders.len(), 1, "{told}");
    let order = &town.settled(1)[0];
    assert_eq!((text(order, "number"), text(order, "parkedReason")), ("9", "SNAPSHOT_INCOMPLETE"));
    assert_eq!(list(order, "lines"), Vec::<Value>::new());
    assert!(town.souk.terminate());
    let rows = tables::numbers(&town.souk.data(), "commerce", &["SELECT COUNT(*) FROM inbox"]);
    assert_eq!(rows, [1], "fifteen deliveries of the same bytes are one");
}

#[test]
fn an_order_that_was_never_recorded_is_worked_on_and_a_forged_one_is_not() {
    let mut souk = Souk::up();
    let owner = Person::new(&souk, "owner@example.org");
    let shop = Shop::new();
    shop.add(&souk, &owner.project);
    let line = |id: &str, kind, units| Line { id: id.to_owned(), kind, units };
    let lines = [line("L3", Kind::Merchandise, 5), line("L2", Kind::Pack, 7), line("L1", Kind::Plan, 3)];
    let order = shop.order("made-up", &lines);
    let good = shop.deliver(&order, "order_fully_paid");

    let mut forged = Vec::new();
    for place in [0, good.body.len() / 2, good.body.len() - 1] {
        let mut flipped = good.clone();
        flipped.body[place] ^= 1;
        forged.push(flipped);
    }
    let mut stranger = good.clone();
    stranger.signature = Shop::new().deliver(&order, "order_fully_paid").signature;
    forged.push(stranger);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for delivery in &forged {
        assert_eq!(runtime.block_on(shop::post(&client, &souk.url, delivery)), Some(401));
    }
    assert_eq!(list(&souk.json(&["orders", "ls"]), "orders"), Vec::<Value>::new());

    assert_eq!(runtime.block_on(shop::post(&client, &souk.url, &good)), Some(200));
    let orders = settled(&souk, 1);
    let lines: BTreeMap<_, _> =
        list(&orders[0], "lines").into_iter().map(|line| (text(&line, "lineId").to_owned(), line)).collect();
    assert_eq!(list(&lines["L1"], "instanceIds").len(), 3);
    assert_eq!(micros(&lines["L2"]["creditsMicros"]), 7000 * CREDIT);
    assert_eq!(text(&lines["L3"], "parkedReason"), "LINE_UNMAPPED");
    assert_eq!(owner.bought(&souk), [7000]);
    let active = ["support-triage", "starter", "STATE_ACTIVE"].map(str::to_owned);
    let wanted = vec![active.clone(), active.clone(), active];
    assert!((0..LOOKS).any(|_| owner.instances(&souk) == wanted), "{:?}", owner.instances(&souk));
    assert!(souk.terminate());
    let rows = tables::numbers(&souk.data(), "commerce", &["SELECT COUNT(*) FROM inbox"]);
    assert_eq!(rows, [1], "what is forged is not kept");
}

#[test]
fn deliveries_that_never_end_keep_no_order_out() {
    let souk = Souk::up();
    let project = text(&souk.json(&["workspace"]), "projectId").to_owned();
    let shop = Shop::new();
    shop.add(&souk, &project);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: souk\r\nsaleor-api-url: {}\r\nsaleor-event: order_fully_paid\r\n\
         saleor-signature: a..b\r\ncontent-length: 900\r\n\r\n{{",
        shop::PATH,
        shop::API_URL,
    );
    // More than commerce has places.
    let held: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(&souk.grpc).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let line = Line { id: "line".to_owned(), kind: Kind::Pack, units: 1 };
    let delivery = shop.deliver(&shop.order("order", &[line]), "order_fully_paid");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = runtime.block_on(shop::post(&reqwest::Client::new(), &souk.url, &delivery));
    assert_eq!(answered, Some(200));
    drop(held);
}
