//! The door: what is kept, what is refused with which status, and what happens while others are down.

use serde_json::Value;
use souk_proto::souk::commerce::v1::order_line::State;
use souk_types::Reason;

use crate::{
    capture::Capture,
    fakes::Mood,
    signer::Signer,
    town::{APP, PATH, RECORDED, towns},
};

fn genuine() -> crate::capture::Delivery {
    Capture::load("a_single_plan_signed_in").ours().remove(0)
}

#[tokio::test]
async fn what_is_not_proven_is_refused_and_not_kept() {
    for town in towns().await {
        town.recorded_shop(None).await;
        let delivery = genuine();
        let (event, signature) = (delivery.header("Saleor-Event"), delivery.header("Saleor-Signature"));
        let good = delivery.body.clone().into_bytes();
        let mut flipped = good.clone();
        flipped[100] ^= 1;
        let large = vec![b' '; 2 * 1024 * 1024 + 1];
        let (event, url, signed) = (
            ("Saleor-Event", event.as_str()),
            ("Saleor-Api-Url", RECORDED),
            ("Saleor-Signature", signature.as_str()),
        );
        let elsewhere = ("Saleor-Api-Url", "http://localhost:58000/graphql");
        let hmac = ("Saleor-Signature", "90c99563026201be511f630a8722792a5d358ace46eaa18524168bccfdd9df1d");
        for (headers, body, status, reason) in [
            (vec![event, url, signed], flipped, 401, "SIGNATURE_INVALID"),
            (vec![event, elsewhere, signed], good.clone(), 401, "SHOP_UNKNOWN"),
            (vec![event, url, hmac], good.clone(), 401, "SIGNATURE_SCHEME"),
            (vec![event, url, signed], large, 413, "BODY_TOO_LARGE"),
            (vec![event, url], good.clone(), 400, "SIGNATURE_MISSING"),
            (vec![url, signed], good.clone(), 400, "INVALID_ARGUMENT"),
            (vec![event, signed], good.clone(), 400, "INVALID_ARGUMENT"),
            (vec![("Saleor-Event", "order_cancelled"), url, signed], good.clone(), 400, "EVENT_MISMATCH"),
        ] {
            let (found, said) = town.post(PATH, &headers, body).await;
            assert_eq!(found, status, "{said}");
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["reason"], reason);
        }
        for path in ["/saleor/manifest", "/saleor/register/1", "/integrations/saleor/order"] {
            assert_eq!(town.post(path, &[event, url, signed], good.clone()).await.0, 404, "{path}");
        }
        assert_eq!(town.number("SELECT COUNT(*) FROM inbox").await, 0);
        town.end().await;
    }
}

#[tokio::test]
async fn an_event_for_another_app_and_one_that_is_no_order_are_refused() {
    for town in towns().await {
        let signer = Signer::new("k");
        town.signing_shop(&signer, None).await;
        let mut body: Value = serde_json::from_str(&genuine().body).unwrap();
        body["recipient"]["id"] = "QXBwOjQ=".into();
        let (status, said) = town.send(&signer, &body).await;
        assert!(status == 400 && said.contains("EVENT_MISMATCH"), "{status} {said}");
        let (status, said) = town.send(&signer, &serde_json::json!([{"type": "Order"}])).await;
        assert!(status == 400 && said.contains("PAYLOAD_UNREADABLE"), "{status} {said}");
        body["recipient"]["id"] = APP.into();
        assert_eq!(town.send(&signer, &body).await.0, 200);
        town.end().await;
    }
}

#[tokio::test]
async fn a_delivery_is_kept_while_every_other_part_is_away() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        let away = Mood::Refuses(Reason::Unavailable);
        town.fakes.know(|known| {
            (known.tenancy, known.catalog, known.billing, known.instances) = (away, away, away, away);
        });
        assert_eq!(town.deliver(&genuine()).await, (200, String::new()));
        assert_eq!(town.deliver(&genuine()).await, (200, String::new()));
        town.until(async || (town.number("SELECT MIN(attempts) FROM inbox").await > 1).then_some(())).await;
        assert!(town.orders().await.is_empty());
        town.fakes.know(|known| known.catalog = Mood::Well);
        let line = town.until_line(State::Working).await;
        assert_eq!((line.units, line.instance_ids.len(), line.parked_reason.as_str()), (1, 0, ""));
        town.fakes.know(|known| known.instances = Mood::Well);
        let line = town.until_line(State::Done).await;
        assert_eq!(line.instance_ids.len(), 1);
        assert_eq!(town.fakes.holdings(3), (1, 0));
        town.end().await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_our_trouble() {
    for town in towns().await {
        // Nothing listens on port 1 of this machine.
        town.shop(crate::town::shop("http://127.0.0.1:1/graphql/", "", "")).await;
        let delivery = genuine();
        let (event, signature) = (delivery.header("Saleor-Event"), delivery.header("Saleor-Signature"));
        let headers = [
            ("Saleor-Event", event.as_str()),
            ("Saleor-Api-Url", "http://127.0.0.1:1/graphql/"),
            ("Saleor-Signature", signature.as_str()),
        ];
        let (status, said) = town.post(PATH, &headers, delivery.body.into_bytes()).await;
        assert!(status == 503 && said.contains("JWKS_UNAVAILABLE"), "{status} {said}");
        town.end().await;
    }
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_our_trouble() {
    for town in towns().await {
        town.recorded_shop(None).await;
        (*town.database).clone().close().await.unwrap();
        let (status, said) = town.deliver(&genuine()).await;
        assert!(status == 503 && said.contains("UNAVAILABLE"), "{status} {said}");
        town.end().await;
    }
}
