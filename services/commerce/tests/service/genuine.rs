//! Genuine orders: the recorded deliveries, in any order and more than once, end in what was expected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use souk_proto::souk::commerce::v1::{self as pb, BuyerLinkKind, order_line::State};

use crate::{
    capture::{self, Capture, Delivery},
    signer::Signer,
    town::{Town, towns},
};

const IN_SCOPE: [&str; 5] = [
    "a_single_plan_signed_in",
    "b_guest_multi_line",
    "c_zero_price",
    "f_overcharge_second_fully_paid",
    "g_draft_mark_as_paid",
];
const USER: u128 = 1;
const VOUCHED: u128 = 2;
const REST: u128 = 3;
const NOBODY: u128 = 66;

fn in_scope() -> Vec<Delivery> {
    IN_SCOPE.iter().flat_map(|name| Capture::load(name).ours()).collect()
}

async fn open_shop(town: &Town) {
    let shop = town.recorded_shop(Some(REST)).await;
    for (kind, value, project) in [
        (BuyerLinkKind::User, "VXNlcjoy", USER),
        (BuyerLinkKind::OrgRef, "org_trusted_from_bff", VOUCHED),
        // What a customer may write must lead nowhere, even if somebody linked it.
        (BuyerLinkKind::User, "buyer@acme.example", NOBODY),
        (BuyerLinkKind::OrgRef, "org_spoofed_by_anonymous", NOBODY),
        (BuyerLinkKind::OrgRef, "org_from_customer_writable_metadata", NOBODY),
    ] {
        assert_eq!(town.link(&shop, kind, value, project).await, 0);
    }
}

/// What `expected.json` grants in all scenarios, one text a grant.
fn expected() -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(&capture::file("expected")).unwrap();
    let mut all = BTreeSet::new();
    for name in IN_SCOPE {
        let scenario = Capture::load(name).scenario;
        for grant in document["scenarios"][&scenario]["grants"].as_array().unwrap() {
            let sku = grant["sku"].as_str().unwrap();
            all.insert(match grant["credits"].as_i64() {
                Some(credits) => format!("{scenario}: {sku} {credits} credits"),
                None => format!("{scenario}: {sku} {} units", grant["units"]),
            });
        }
    }
    all
}

/// What each line became, by scenario.
async fn became(town: &Town) -> (BTreeSet<String>, BTreeMap<String, usize>) {
    let mut scenarios = BTreeMap::new();
    for name in IN_SCOPE {
        let capture = Capture::load(name);
        scenarios.insert(capture.ours()[0].snapshot().order_id, capture.scenario);
    }
    let (mut granted, mut parked) = (BTreeSet::new(), BTreeMap::new());
    for order in town.orders().await {
        let scenario = &scenarios[&order.external_id];
        for line in &order.lines {
            match line.state() {
                State::Done if line.credits_micros > 0 => {
                    assert!(!line.ledger_entry_id.is_empty() && line.instance_ids.is_empty());
                    let credits = line.credits_micros / 1_000_000;
                    granted.insert(format!("{scenario}: {} {credits} credits", line.sku));
                }
                State::Done => {
                    assert_eq!(line.instance_ids.len(), usize::try_from(line.units).unwrap());
                    granted.insert(format!("{scenario}: {} {} units", line.sku, line.units));
                }
                State::Parked => {
                    assert!(!line.remedy.is_empty());
                    *parked.entry(line.parked_reason.clone()).or_insert(0) += 1;
                }
                other => panic!("{other:?}: {line:?}"),
            }
        }
    }
    (granted, parked)
}

async fn check(deliveries: &[Delivery]) {
    for town in towns().await {
        open_shop(&town).await;
        for delivery in deliveries {
            assert_eq!(town.deliver(delivery).await, (200, String::new()));
        }
        town.quiet().await;
        let (granted, parked) = became(&town).await;
        assert_eq!(granted, expected(), "{}", town.database.engine);
        assert_eq!(parked, BTreeMap::from([("LINE_UNMAPPED".to_owned(), 2)]));
        assert_eq!(town.fakes.holdings(USER), (1, 10_000), "a and f");
        assert_eq!(town.fakes.holdings(VOUCHED), (1, 3000), "b");
        assert_eq!(town.fakes.holdings(REST), (3, 0), "c and g, whose buyers are guests");
        assert_eq!(town.fakes.holdings(NOBODY), (0, 0));
        assert_eq!(town.fakes.know(|known| known.asked), 7, "nothing was asked for twice");
        assert_eq!((town.events("OrderLinePinned").await, town.events("OrderLineDone").await), (6, 6));
        town.end().await;
    }
}

#[tokio::test]
async fn in_order() {
    check(&in_scope()).await;
}

#[tokio::test]
async fn reversed() {
    check(&in_scope().into_iter().rev().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn each_twice() {
    check(&in_scope().into_iter().flat_map(|delivery| [delivery.clone(), delivery]).collect::<Vec<_>>())
        .await;
}

#[tokio::test]
async fn there_and_back() {
    check(&in_scope().into_iter().chain(in_scope().into_iter().rev()).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_body_of_another_query_is_one_inbox_row_and_is_shown() {
    for town in towns().await {
        let jwks = String::from_utf8(capture::vector("jwks-a.json")).unwrap();
        let ask = pb::AddShopRequest {
            app_id: String::new(),
            ..crate::town::shop(crate::town::RECORDED, &jwks, "")
        };
        town.shop(ask).await;
        for delivery in &Capture::load("i_retries").deliveries {
            assert_eq!(town.deliver(delivery).await.0, 200);
        }
        town.quiet().await;
        assert_eq!(town.number("SELECT COUNT(*) FROM inbox").await, 1);
        assert_eq!(town.text("SELECT state FROM inbox").await, "PARKED");
        assert_eq!(town.text("SELECT reason FROM inbox").await, "SNAPSHOT_INCOMPLETE");
        assert!(town.text("SELECT detail FROM inbox").await.contains("order.lines"));
        let ask = pb::ListOrdersRequest { parked: true, ..Default::default() };
        let orders = town.operator().list_orders(ask).await.unwrap().into_inner().orders;
        assert_eq!(orders.len(), 1);
        assert_eq!(
            (orders[0].parked_reason.as_str(), orders[0].number.as_str()),
            ("SNAPSHOT_INCOMPLETE", "9")
        );
        assert_eq!(orders[0].external_id, town.text("SELECT external_id FROM inbox").await);
        assert!(orders[0].lines.is_empty() && orders[0].snapshot_time.is_none());
        town.end().await;
    }
}

#[tokio::test]
async fn an_order_signed_by_a_fresh_key_with_other_ids_and_units() {
    for town in towns().await {
        let signer = Signer::new("fresh");
        let shop = town.signing_shop(&signer, None).await;
        town.link(&shop, BuyerLinkKind::OrgRef, "org_trusted_from_bff", VOUCHED).await;
        let mut body: Value =
            serde_json::from_str(&Capture::load("b_guest_multi_line").ours()[0].body).unwrap();
        body["order"]["id"] = "T3JkZXI6bmV3".into();
        let lines = body["order"]["lines"].as_array_mut().unwrap();
        lines.reverse();
        for (at, line) in lines.iter_mut().enumerate() {
            line["id"] = format!("T3JkZXJMaW5l-{at}").into();
            line["quantity"] = 2.into();
        }
        assert_eq!(town.send(&signer, &body).await.0, 200);
        town.quiet().await;
        assert_eq!(town.fakes.holdings(VOUCHED), (2, 2000));
        let keys: Vec<String> = town.fakes.know(|known| known.made.keys().cloned().collect());
        let base = "saleor:T3JkZXI6bmV3:T3JkZXJMaW5l-";
        assert!(keys[0].starts_with(base) && keys[1] == format!("{}:2", keys[0]), "{keys:?}");
        town.end().await;
    }
}
