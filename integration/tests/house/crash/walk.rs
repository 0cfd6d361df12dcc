//! One walk: an order until its instance is ACTIVE, a publish, a run, a terminate — each step asked again
//! under the same id until it is answered, whatever dies meanwhile.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::{
    harness::Souk,
    shop::{Kind, Line, Shop, post},
};

const CREDIT: i64 = 1_000_000;
/// Answers that are waited for before a walk is given up; each is a command of its own.
const LOOKS: usize = 600;
/// Runs of a dead process are taken over when its lease is out.
const SETTINGS: &str = "[runs]\nlease_seconds = 3\n";

/// A platform that walks are made on.
pub(super) struct Ground {
    pub(super) souk: Souk,
    shop: Shop,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    /// How often the process was started anew because it had died.
    pub(super) deaths: usize,
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

impl Ground {
    pub(super) fn new() -> Self {
        let mut souk = Souk::up();
        souk.settings(SETTINGS);
        let project = souk.json(&["workspace"])["projectId"].as_str().unwrap().to_owned();
        let shop = Shop::new();
        shop.add(&souk, &project);
        assert!(souk.terminate());
        souk.start(&[]);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { souk, shop, http, runtime, deaths: 0 }
    }

    /// Where the process tells its commits.
    pub(super) fn told(&self) -> &Path {
        self.souk.scratch()
    }

    /// Says at which commit the process ends itself; empty: at none.
    pub(super) fn die_at(&self, line: &str) {
        std::fs::write(self.told().join("die-at"), line).unwrap();
    }

    /// Starts the process anew if it has died, this time to stay.
    fn raise(&mut self) {
        if !self.souk.lives() {
            self.deaths += 1;
            self.die_at("");
            self.souk.start(&[]);
        }
    }

    /// Asks until there is an answer that satisfies.
    fn until(&mut self, words: &[&str], enough: impl Fn(&Value) -> bool) -> Value {
        let mut last = String::new();
        for _ in 0..LOOKS {
            self.raise();
            let told = self.souk.cli(&[words, &["--json"]].concat());
            // A run that failed is an answer: it is printed, and the command ends badly.
            if told.ok || told.out.contains("\"runId\"") {
                // A watch prints a document a line; the last one counts.
                let text =
                    if words[1] == "watch" { told.out.lines().last().unwrap_or("null") } else { &told.out };
                let value: Value =
                    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
                if enough(&value) {
                    return value;
                }
            }
            last = format!("{}{}", told.out, told.err);
        }
        panic!("{words:?}: {last}");
    }

    fn ask(&mut self, words: &[&str]) -> Value {
        self.until(words, |_| true)
    }

    fn deliver(&mut self, number: usize) {
        let line = |kind: Kind| Line { id: format!("line-{number}-{}", kind as u8), kind, units: 1 };
        let order = self.shop.order(&format!("order-{number}"), &[line(Kind::Plan), line(Kind::Pack)]);
        let delivery = self.shop.deliver(&order, "order_fully_paid");
        for _ in 0..LOOKS {
            self.raise();
            let url = self.souk.url.clone();
            if self.runtime.block_on(post(&self.http, &url, &delivery)) == Some(200) {
                return;
            }
        }
        panic!("order {number} was not taken");
    }

    fn manifest(&self, number: usize) -> String {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/souk/demo");
        let manifest = std::fs::read_to_string(demo.join("support-triage.yaml")).unwrap();
        let manifest = manifest.replace("slug: support-triage", &format!("slug: desk-{number}"));
        let path = self.souk.scratch().join(format!("desk-{number}.yaml"));
        std::fs::write(&path, manifest).unwrap();
        let flow = "support-triage.flow.json";
        std::fs::copy(demo.join(flow), self.souk.scratch().join(flow)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Walks, and holds what came of it to what must come of it.
    pub(super) fn walk(&mut self, number: usize) {
        self.deliver(number);
        let id = |step: &str| format!("{step}-{number}");
        let (manifest, desk) = (self.manifest(number), format!("desk-{number}"));
        let published = self.ask(&["offerings", "publish", &manifest, "--request-id", &id("publish")]);
        let activate = id("activate");
        let activated = self.ask(&["instances", "activate", &desk, "--request-id", &activate]);
        let instance = text(&activated, "instanceId").to_owned();
        self.until(&["instances", "get", &instance], |found| text(found, "state") == "STATE_ACTIVE");
        let run_id = id("run");
        let run = ["run", &instance, "my parcel is late", "--request-id", &run_id];
        let ran = self.ask(&run);
        let terminate = ["instances", "terminate", &instance, "--request-id", &id("terminate")];
        self.ask(&terminate);
        self.until(&["instances", "get", &instance], |found| text(found, "state") == "STATE_TERMINATED");
        let again = self.ask(&run);
        assert_eq!(again["runId"], ran["runId"], "one run a request id");
        let again = self.ask(&["offerings", "publish", &manifest, "--request-id", &id("publish")]);
        assert_eq!(again["offeringVersionId"], published["offeringVersionId"], "one version a request id");
        self.check_order(number);
        self.check_run(&instance, &ran);
    }

    fn check_order(&mut self, number: usize) {
        let external = format!("order-{number}");
        let done = |listed: &Value| {
            let orders = list(listed, "orders");
            let order = orders.iter().find(|order| text(order, "externalId") == external).cloned();
            order.is_some_and(|order| {
                let lines = list(&order, "lines");
                lines.len() == 2 && lines.iter().all(|line| text(line, "state") == "STATE_DONE")
            })
        };
        let listed = self.until(&["orders", "ls"], done);
        let orders = list(&listed, "orders");
        assert_eq!(orders.iter().filter(|order| text(order, "externalId") == external).count(), 1);
        let order = orders.iter().find(|order| text(order, "externalId") == external).unwrap();
        let lines = list(order, "lines");
        let ids: Vec<String> = lines
            .iter()
            .flat_map(|line| list(line, "instanceIds"))
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 1, "one instance for the plan's one unit: {order}");
        self.until(&["instances", "get", &ids[0]], |found| text(found, "state") == "STATE_ACTIVE");
        let ledger = self.ask(&["ledger", "--limit", "1000"]);
        let source = format!("saleor:{external}:line-{number}-1");
        let bought: Vec<i64> = list(&ledger, "ledgerEntries")
            .iter()
            .filter(|entry| text(entry, "sourceRef") == source)
            .map(|entry| micros(entry, "amountMicros"))
            .collect();
        assert_eq!(bought, [1000 * CREDIT], "the pack once");
        let listed = self.ask(&["instances", "ls"]);
        let sources = list(&listed, "instances").into_iter().map(|i| text(&i, "sourceRef").to_owned());
        let sources: Vec<String> = sources.filter(|source| !source.is_empty()).collect();
        assert_eq!(sources.iter().collect::<BTreeSet<_>>().len(), sources.len(), "one instance a unit");
    }

    fn check_run(&mut self, instance: &str, ran: &Value) {
        let run_id = text(ran, "runId");
        let over = |listed: &Value| list(listed, "runs").iter().all(|run| !text(run, "endTime").is_empty());
        let listed = self.until(&["runs", "ls", "--instance", instance], over);
        let runs = list(&listed, "runs");
        assert_eq!(runs.len(), 1, "{listed}");
        assert_eq!(text(&runs[0], "runId"), run_id);
        match text(&runs[0], "state") {
            "STATE_SUCCEEDED" => assert!(micros(&runs[0], "chargedMicros") > 0, "{listed}"),
            "STATE_FAILED" => assert_eq!(runs[0]["error"]["reason"], "RUN_INTERRUPTED", "{listed}"),
            state => panic!("{state}: {listed}"),
        }
        let ledger = self.ask(&["ledger", "--limit", "1000"]);
        let charged: i64 = list(&ledger, "ledgerEntries")
            .iter()
            .filter(|entry| text(entry, "sourceRef") == run_id)
            .map(|entry| micros(entry, "amountMicros"))
            .sum();
        assert_eq!(charged, -micros(&runs[0], "chargedMicros"), "charged once: {listed}");
    }
}
