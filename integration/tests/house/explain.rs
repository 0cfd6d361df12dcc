//! `souk explain`: one timeline across the parts, the cause and the next step first.

use serde_json::Value;

use crate::{
    harness::Souk,
    shop::{Kind, Line, Shop, post},
};

const OFFERING: &str = "support-triage";
const LOOKS: usize = 300;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What the timeline says, a line each.
fn timeline(story: &Value) -> Vec<String> {
    let steps = story["timeline"].as_array().unwrap();
    steps.iter().map(|step| format!("{}: {}", text(step, "part"), text(step, "what"))).collect()
}

fn has(story: &Value, part: &str, word: &str) {
    let lines = timeline(story);
    let found = lines.iter().any(|line| line.starts_with(&format!("{part}: ")) && line.contains(word));
    assert!(found, "{part} {word}: {lines:#?} {}", story["gaps"]);
}

#[test]
fn runs_instances_and_orders_are_explained_across_the_parts() {
    let souk = Souk::up();
    let project = text(&souk.json(&["workspace"]), "projectId").to_owned();
    let instance = text(&souk.json(&["instances", "activate", OFFERING]), "instanceId").to_owned();
    assert!(souk.cli(&["instances", "watch", OFFERING, "--until", "ACTIVE"]).ok);
    let run = souk.json(&["run", OFFERING, "hello"]);

    let story = souk.json(&["explain", text(&run, "runId")]);
    assert_eq!(text(&story, "state"), "SUCCEEDED");
    for word in [text(&run, "reservationId"), text(&run, "receiptId"), text(&run, "ledgerEntryId"), "wallet"]
    {
        has(&story, "billing", word);
    }
    has(&story, "instances", "is ACTIVE");

    let story = souk.json(&["explain", &instance]);
    has(&story, "delivery", "commit ");
    has(&story, "instances", "Applied is true");
    assert_eq!(text(&story, "cause"), "it serves");

    let shop = Shop::new();
    shop.add(&souk, &project);
    let line = |id: &str, kind| Line { id: id.to_owned(), kind, units: 1 };
    let order = shop.order("77", &[line("a", Kind::Pack), line("b", Kind::Merchandise)]);
    let delivery = shop.deliver(&order, "order_fully_paid");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(post(&reqwest::Client::new(), &souk.url, &delivery)), Some(200));
    let story = (0..LOOKS)
        .find_map(|_| {
            let told = souk.cli(&["explain", "77", "--json"]);
            let settled = told.ok && !told.out.contains("WAITING") && !told.out.contains("WORKING");
            settled.then(|| told.json())
        })
        .expect("the order is settled");
    assert_eq!(text(&story, "state"), "PARKED");
    assert!(text(&story, "cause").contains("LINE_UNMAPPED"), "{story}");
    assert!(text(&story, "next").contains("souk orders replay ord_"), "{story}");
    has(&story, "commerce", "1000 credits");

    let told = souk.cli(&["explain", "run_01"]);
    assert!(!told.ok && told.err.contains("hint: "), "{}", told.err);
    let told = souk.cli(&["explain", "78"]);
    assert!(!told.ok && told.err.contains("souk orders ls"), "{}", told.err);
}
