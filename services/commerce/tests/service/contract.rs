//! The contract: shops, lists, who may ask, repeats, and snapshots brought directly.

use souk_proto::souk::commerce::v1::{
    self as pb, AddShopRequest, ListOrdersRequest, ListShopsRequest, ingest_order_snapshot_response::Outcome,
    order_line::State,
};
use souk_types::{PartName, ProjectId};

use crate::{
    capture,
    town::{RECORDED, Town, reason, shop, towns},
};

fn jwks() -> String {
    String::from_utf8(capture::vector("jwks-a.json")).unwrap()
}

#[tokio::test]
async fn shops_are_added_once_and_checked() {
    for town in towns().await {
        let ask = shop(RECORDED, &jwks(), &ProjectId::from_bits(3).to_string());
        let (one, two) = tokio::join!(town.shop(ask.clone()), town.shop(ask.clone()));
        assert_eq!(one, two, "one request, one shop");
        assert!(one.keys_pinned && one.shop_id.starts_with("shp_"));
        let other = |change: &dyn Fn(&mut AddShopRequest)| {
            let mut other = AddShopRequest { request_id: "other".to_owned(), ..ask.clone() };
            change(&mut other);
            other
        };
        for (ask, expected) in [
            (other(&|_| {}), "SHOP_EXISTS"),
            (AddShopRequest { app_id: "x".to_owned(), ..ask.clone() }, "REQUEST_ID_REUSED"),
            (other(&|ask| ask.api_url = "http://shop.example/graphql/".to_owned()), "SHOP_URL_INSECURE"),
            (other(&|ask| ask.api_url = String::new()), "INVALID_ARGUMENT"),
            (other(&|ask| ask.jwks_json = "{}".to_owned()), "INVALID_ARGUMENT"),
            (other(&|ask| ask.jwks_json = r#"{"keys":[]}"#.to_owned()), "INVALID_ARGUMENT"),
            (
                other(&|ask| ask.fallback_project_id = ProjectId::from_bits(101).to_string()),
                "PROJECT_NOT_FOUND",
            ),
        ] {
            assert_eq!(reason(town.operator().add_shop(ask).await), expected);
        }
        assert_eq!(town.events("ShopAdded").await, 1);
        for at in 0..4 {
            town.database.clock.advance(std::time::Duration::from_secs(1));
            town.shop(shop(&format!("https://shop-{at}.example/graphql/"), "", "")).await;
        }
        let (mut urls, mut page_token) = (Vec::new(), String::new());
        loop {
            let ask = ListShopsRequest { page_size: 2, page_token };
            let page = town.operator().list_shops(ask).await.unwrap().into_inner();
            urls.extend(page.shops.into_iter().map(|shop| shop.api_url));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(
            (urls.len(), urls[0].as_str(), urls[4].as_str()),
            (5, RECORDED, "https://shop-3.example/graphql/")
        );
        town.end().await;
    }
}

#[tokio::test]
async fn only_operators_ask_and_only_commerce_brings() {
    for town in towns().await {
        let mut admin = town.org_admin();
        assert_eq!(reason(admin.list_orders(ListOrdersRequest::default()).await), "PERMISSION_DENIED");
        assert_eq!(reason(admin.list_shops(ListShopsRequest::default()).await), "PERMISSION_DENIED");
        assert_eq!(reason(admin.add_shop(shop(RECORDED, &jwks(), "")).await), "PERMISSION_DENIED");
        let shop = town.recorded_shop(None).await;
        let ask = bring(&shop.shop_id, "b1", 1, "UNFULFILLED");
        assert!(town.part(PartName::Runs).ingest_order_snapshot(ask.clone()).await.is_err());
        assert!(town.operator().ingest_order_snapshot(ask.clone()).await.is_err());
        let unknown =
            pb::IngestOrderSnapshotRequest { shop_id: souk_types::ShopId::from_bits(1).to_string(), ..ask };
        let refused = town.part(PartName::Commerce).ingest_order_snapshot(unknown).await;
        assert_eq!(reason(refused), "SHOP_NOT_FOUND");
        town.end().await;
    }
}

fn bring(shop_id: &str, request_id: &str, second: i64, status: &str) -> pb::IngestOrderSnapshotRequest {
    let line = pb::SnapshotLine {
        line_id: "line".to_owned(),
        variant_id: "variant".to_owned(),
        quantity: 2,
        unit_price: "5.0".to_owned(),
        declared_kind: "credit_pack".to_owned(),
        declared_credits: "100".to_owned(),
        ..Default::default()
    };
    pb::IngestOrderSnapshotRequest {
        request_id: request_id.to_owned(),
        shop_id: shop_id.to_owned(),
        snapshot: Some(pb::Snapshot {
            external_id: "order".to_owned(),
            number: "1".to_owned(),
            update_time: Some(prost_types::Timestamp { seconds: second, nanos: 0 }),
            status: status.to_owned(),
            charge_status: "FULL".to_owned(),
            lines: vec![line],
            ..Default::default()
        }),
    }
}

async fn brought(town: &Town, ask: pb::IngestOrderSnapshotRequest) -> Outcome {
    town.part(PartName::Commerce).ingest_order_snapshot(ask).await.unwrap().into_inner().outcome()
}

#[tokio::test]
async fn snapshots_come_twice_late_and_unconfirmed() {
    for town in towns().await {
        let shop = town.recorded_shop(Some(3)).await.shop_id;
        assert_eq!(brought(&town, bring(&shop, "1", 10, "UNCONFIRMED")).await, Outcome::Applied);
        assert_eq!(town.line().await.state(), State::Waiting);
        assert_eq!(brought(&town, bring(&shop, "2", 10, "UNCONFIRMED")).await, Outcome::Duplicate);
        assert_eq!(brought(&town, bring(&shop, "3", 9, "UNFULFILLED")).await, Outcome::Stale);
        assert_eq!(town.line().await.state(), State::Waiting, "what is older is not looked at");
        assert_eq!(brought(&town, bring(&shop, "4", 11, "UNFULFILLED")).await, Outcome::Applied);
        town.quiet().await;
        let done = town.line().await;
        assert_eq!((done.state(), done.units, done.credits_micros), (State::Done, 2, 200_000_000));
        assert_eq!(brought(&town, bring(&shop, "5", 12, "CANCELED")).await, Outcome::Applied);
        town.quiet().await;
        assert_eq!(town.line().await, done, "a pinned line stays");
        assert_eq!(town.orders().await[0].status, "CANCELED");
        assert_eq!(town.fakes.holdings(3), (0, 200));
        town.end().await;
    }
}

#[tokio::test]
async fn an_order_cancelled_before_it_was_granted_is_void() {
    for town in towns().await {
        let shop = town.recorded_shop(Some(3)).await.shop_id;
        assert_eq!(brought(&town, bring(&shop, "1", 10, "CANCELED")).await, Outcome::Applied);
        town.quiet().await;
        assert_eq!((town.line().await.state(), town.fakes.holdings(3)), (State::Void, (0, 0)));
        town.end().await;
    }
}

#[tokio::test]
async fn the_same_snapshots_side_by_side_are_one_order() {
    for town in towns().await {
        let shop = town.recorded_shop(Some(3)).await.shop_id;
        let asks: Vec<_> =
            (0..8).map(|at| bring(&shop, &format!("r{at}"), 10 + at % 2, "UNFULFILLED")).collect();
        let outcomes = futures::future::join_all(asks.into_iter().map(|ask| brought(&town, ask))).await;
        assert!(outcomes.contains(&Outcome::Applied), "{outcomes:?}");
        town.quiet().await;
        assert_eq!(town.line().await.state(), State::Done);
        assert_eq!((town.fakes.holdings(3), town.fakes.know(|known| known.asked)), ((0, 200), 1));
        town.end().await;
    }
}

#[tokio::test]
async fn orders_are_listed_in_pages_by_shop_and_by_being_parked() {
    for town in towns().await {
        let mine = town.recorded_shop(Some(3)).await.shop_id;
        let other = town.shop(shop("https://other.example/graphql/", "", "")).await.shop_id;
        for at in 0..5 {
            town.database.clock.advance(std::time::Duration::from_secs(1));
            for shop in [&mine, &other] {
                let mut ask = bring(shop, &format!("{shop}-{at}"), 10, "UNFULFILLED");
                ask.snapshot.as_mut().unwrap().external_id = format!("order-{at}");
                brought(&town, ask).await;
            }
        }
        town.quiet().await;
        let list = |ask: ListOrdersRequest| {
            let mut operator = town.operator();
            async move { operator.list_orders(ask).await.unwrap().into_inner() }
        };
        assert_eq!(list(ListOrdersRequest::default()).await.orders.len(), 10);
        let parked = list(ListOrdersRequest { parked: true, ..Default::default() }).await.orders;
        assert_eq!(parked.len(), 5, "the other shop has no fallback");
        assert!(parked.iter().all(|order| order.shop_id == other));
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let ask = ListOrdersRequest { shop_id: mine.clone(), page_size: 2, page_token, parked: false };
            let page = list(ask).await;
            seen.extend(page.orders.into_iter().map(|order| order.external_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, ["order-4", "order-3", "order-2", "order-1", "order-0"], "newest first");
        let ask = ListOrdersRequest { page_token: "AAAA".to_owned(), ..Default::default() };
        assert_eq!(reason(town.operator().list_orders(ask).await), "PAGE_TOKEN_INVALID");
        town.end().await;
    }
}
