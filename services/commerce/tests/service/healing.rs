//! Parked lines: what parks them, and what lets them go on.

use serde_json::Value;
use souk_commerce::model::backoff::SLOW;
use souk_proto::souk::commerce::v1::{
    self as pb, BuyerLinkKind, map_variant_request::Target, order_line::State,
};
use souk_types::Reason;

use crate::{
    capture::Capture,
    fakes::{Mood, VERSION, plan_id},
    signer::Signer,
    town::{Town, reason, towns},
};

fn body(capture: &str) -> Value {
    serde_json::from_str(&Capture::load(capture).ours()[0].body).unwrap()
}

fn declare(body: &mut Value, key: &str, value: &str) {
    let metadata = body["order"]["lines"][0]["variant"]["metadata"].as_array_mut().unwrap();
    metadata.iter_mut().find(|item| item["key"] == key).unwrap()["value"] = value.into();
}

#[tokio::test]
async fn a_link_that_comes_later_heals_the_line() {
    for town in towns().await {
        let shop = town.recorded_shop(None).await;
        for delivery in Capture::load("a_single_plan_signed_in").ours() {
            town.deliver(&delivery).await;
        }
        town.quiet().await;
        let line = town.line().await;
        assert_eq!((line.state(), line.parked_reason.as_str()), (State::Parked, "OWNER_UNKNOWN"));
        assert_eq!(town.events("OrderLineParked").await, 1);
        assert_eq!(town.link(&shop, BuyerLinkKind::User, "somebody else", 1).await, 0);
        assert_eq!(town.link(&shop, BuyerLinkKind::External, "VXNlcjoy", 1).await, 0);
        // The catalogue is not needed: the variant was mapped when it was first seen.
        town.fakes.know(|known| known.catalog = Mood::Refuses(Reason::Unavailable));
        for _ in 0..2 {
            assert_eq!(
                town.link(&shop, BuyerLinkKind::User, "VXNlcjoy", 1).await,
                1,
                "the first answer again"
            );
        }
        town.quiet().await;
        assert_eq!(town.line().await.state(), State::Done);
        assert_eq!(town.fakes.holdings(1), (1, 0));
        // A link that moves leaves what was pinned where it is.
        let moved = pb::LinkBuyerRequest {
            request_id: "moved".to_owned(),
            shop_id: shop.shop_id.clone(),
            kind: BuyerLinkKind::User.into(),
            value: "VXNlcjoy".to_owned(),
            project_id: souk_types::ProjectId::from_bits(2).to_string(),
        };
        assert_eq!(town.operator().link_buyer(moved).await.unwrap().into_inner().retried_line_count, 0);
        town.quiet().await;
        assert_eq!((town.fakes.holdings(1), town.fakes.holdings(2)), ((1, 0), (0, 0)));
        town.end().await;
    }
}

#[tokio::test]
async fn a_variant_that_changed_its_meaning_parks_until_it_is_mapped_anew() {
    for town in towns().await {
        let signer = Signer::new("k");
        let shop = town.signing_shop(&signer, Some(3)).await;
        let mut order = body("a_single_plan_signed_in");
        town.send(&signer, &order).await;
        town.quiet().await;
        order["order"]["id"] = "second".into();
        declare(&mut order, "souk.plan", "starter");
        town.send(&signer, &order).await;
        town.quiet().await;
        let orders = town.orders().await;
        assert_eq!((orders.len(), orders[0].external_id.as_str()), (2, "second"), "newest first");
        assert_eq!(orders[0].lines[0].parked_reason, "MAPPING_CHANGED");
        assert!(orders[0].lines[0].remedy.contains("starter"), "{}", orders[0].lines[0].remedy);
        let ask = |request_id: &str, plan: souk_types::PlanId| pb::MapVariantRequest {
            request_id: request_id.to_owned(),
            shop_id: shop.shop_id.clone(),
            variant_id: order["order"]["lines"][0]["productVariantId"].as_str().unwrap().to_owned(),
            target: Some(Target::Plan(pb::PlanTarget {
                offering_version_id: VERSION.to_string(),
                plan_id: plan.to_string(),
            })),
        };
        let unknown = ask("m1", souk_types::PlanId::from_bits(99));
        assert_eq!(reason(town.operator().map_variant(unknown).await), "PLAN_NOT_FOUND");
        let mapped = town.operator().map_variant(ask("m2", plan_id("starter"))).await.unwrap();
        assert_eq!(mapped.into_inner().retried_line_count, 1);
        town.quiet().await;
        assert_eq!(town.orders().await[0].lines[0].state(), State::Done);
        let plans: Vec<String> =
            town.fakes.know(|known| known.made.values().map(|(made, _)| made.plan_id.clone()).collect());
        assert_eq!(plans.len(), 2);
        assert!(
            plans.contains(&plan_id("pro").to_string()) && plans.contains(&plan_id("starter").to_string())
        );
        town.end().await;
    }
}

#[tokio::test]
async fn a_deleted_variant_is_mapped_by_its_id() {
    for town in towns().await {
        let signer = Signer::new("k");
        let shop = town.signing_shop(&signer, Some(3)).await;
        let mut order = body("a_single_plan_signed_in");
        order["order"]["lines"][0]["variant"] = Value::Null;
        town.send(&signer, &order).await;
        town.quiet().await;
        assert_eq!(town.line().await.parked_reason, "VARIANT_UNREADABLE");
        let ask = pb::MapVariantRequest {
            request_id: "m".to_owned(),
            shop_id: shop.shop_id.clone(),
            variant_id: order["order"]["lines"][0]["productVariantId"].as_str().unwrap().to_owned(),
            target: Some(Target::Credits(pb::CreditsTarget { amount_micros: 5_000_000 })),
        };
        assert_eq!(town.operator().map_variant(ask).await.unwrap().into_inner().retried_line_count, 1);
        town.quiet().await;
        assert_eq!(town.line().await.state(), State::Done);
        assert_eq!(town.fakes.holdings(3), (0, 5));
        town.end().await;
    }
}

#[tokio::test]
async fn unknown_slugs_park_and_a_replay_heals() {
    for town in towns().await {
        let signer = Signer::new("k");
        town.signing_shop(&signer, Some(3)).await;
        let mut order = body("a_single_plan_signed_in");
        declare(&mut order, "souk.plan", "platinum");
        town.send(&signer, &order).await;
        town.quiet().await;
        assert_eq!(town.line().await.parked_reason, "PLAN_UNKNOWN");
        assert_eq!(town.number("SELECT COUNT(*) FROM mapping").await, 0);
        // A newer snapshot of the same order: the slug was mended in the shop.
        declare(&mut order, "souk.plan", "pro");
        order["order"]["updatedAt"] = "2027-01-01T00:00:00+00:00".into();
        town.send(&signer, &order).await;
        town.quiet().await;
        assert_eq!(town.line().await.state(), State::Done);
        town.end().await;
    }
}

#[tokio::test]
async fn a_refusal_for_good_parks_the_line_and_a_replay_resumes_it() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.fakes.know(|known| known.instances = Mood::Refuses(Reason::PlanNotFound));
        town.deliver(&Capture::load("a_single_plan_signed_in").ours()[0]).await;
        town.quiet().await;
        let line = town.line().await;
        assert_eq!((line.state(), line.parked_reason.as_str()), (State::Parked, "PLAN_NOT_FOUND"));
        assert!(line.remedy.contains("replay the order"), "{}", line.remedy);
        let asked = town.fakes.know(|known| known.asked);
        let order_id = town.orders().await.remove(0).order_id;
        let ask = pb::ReplayOrderRequest { order_id, request_id: "r".to_owned() };
        town.fakes.know(|known| known.instances = Mood::Well);
        let first = town.operator().replay_order(ask.clone()).await.unwrap().into_inner().order.unwrap();
        assert_eq!(first.lines[0].state(), State::Working);
        town.quiet().await;
        assert_eq!(town.line().await.state(), State::Done);
        let again = town.operator().replay_order(ask).await.unwrap().into_inner().order.unwrap();
        assert_eq!(again, first, "the first answer");
        town.quiet().await;
        assert_eq!(town.fakes.know(|known| known.asked), asked + 1);
        let nobody = pb::ReplayOrderRequest {
            order_id: souk_types::OrderId::from_bits(1).to_string(),
            request_id: "n".to_owned(),
        };
        assert_eq!(reason(town.operator().replay_order(nobody).await), "ORDER_NOT_FOUND");
        town.end().await;
    }
}

#[tokio::test]
async fn billing_away_and_back_tops_up_once() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.fakes.know(|known| known.billing = Mood::Refuses(Reason::WalletNotFound));
        for delivery in Capture::load("f_overcharge_second_fully_paid").ours() {
            town.deliver(&delivery).await;
        }
        town.until(async || (town.fakes.know(|known| known.asked) > 1).then_some(())).await;
        assert_eq!(town.line().await.state(), State::Working, "a wallet may be on its way");
        town.fakes.know(|known| known.billing = Mood::LosesAnswers);
        town.until(async || (town.fakes.holdings(3) == (0, 10_000)).then_some(())).await;
        town.fakes.know(|known| known.billing = Mood::Well);
        town.until_line(State::Done).await;
        assert_eq!(town.fakes.holdings(3), (0, 10_000));
        town.end().await;
    }
}

#[tokio::test]
async fn a_line_of_an_ended_offering_parks_and_one_of_a_paused_offering_goes_on_by_itself() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.fakes.know(|known| known.catalog = Mood::Refuses(Reason::OfferingPaused));
        town.deliver(&Capture::load("a_single_plan_signed_in").ours()[0]).await;
        let line = town.until_line(State::Parked).await;
        assert_eq!(line.parked_reason, "OFFERING_PAUSED");
        town.fakes.know(|known| known.catalog = Mood::Refuses(Reason::OfferingEnded));
        town.database.clock.advance(SLOW);
        town.quiet().await;
        let line = town.line().await;
        assert_eq!((line.state(), line.parked_reason.as_str()), (State::Parked, "OFFERING_ENDED"));
        assert!(line.remedy.contains("another offering"), "{}", line.remedy);
        assert_eq!(town.fakes.holdings(3), (0, 0));
        town.fakes.know(|known| known.catalog = Mood::Refuses(Reason::OfferingPaused));
        replay(&town, "r1").await;
        assert_eq!(town.line().await.parked_reason, "OFFERING_PAUSED");
        town.fakes.know(|known| known.catalog = Mood::Well);
        town.database.clock.advance(SLOW);
        town.quiet().await;
        assert_eq!((town.line().await.state(), town.fakes.holdings(3)), (State::Done, (1, 0)));
        town.end().await;
    }
}

#[tokio::test]
async fn a_pinned_line_of_a_paused_offering_says_so_and_is_tried_slowly() {
    for town in towns().await {
        town.recorded_shop(Some(3)).await;
        town.fakes.know(|known| known.instances = Mood::Refuses(Reason::OfferingPaused));
        town.deliver(&Capture::load("a_single_plan_signed_in").ours()[0]).await;
        let shown = async || {
            let line = town.orders().await.pop()?.lines.pop()?;
            (line.parked_reason == "OFFERING_PAUSED").then_some(line)
        };
        let line = town.until(shown).await;
        assert_eq!(line.state(), State::Working);
        let asked = town.fakes.know(|known| known.asked);
        town.database.clock.advance(SLOW / 2);
        assert_eq!((asked, town.line().await.state()), (1, State::Working));
        town.fakes.know(|known| known.instances = Mood::Well);
        replay(&town, "r1").await;
        town.quiet().await;
        let line = town.line().await;
        assert_eq!((line.state(), line.parked_reason.as_str()), (State::Done, ""));
        assert_eq!(town.fakes.holdings(3), (1, 0));
        town.end().await;
    }
}

async fn replay(town: &Town, request_id: &str) {
    let order_id = town.orders().await[0].order_id.clone();
    let ask = pb::ReplayOrderRequest { order_id, request_id: request_id.to_owned() };
    town.operator().replay_order(ask).await.unwrap();
}

#[tokio::test]
async fn a_repeat_needs_nobody_and_a_draft_is_not_mapped() {
    for town in towns().await {
        let signer = Signer::new("k");
        let first = town.signing_shop(&signer, Some(3)).await;
        let map = |request_id: &str| pb::MapVariantRequest {
            request_id: request_id.to_owned(),
            shop_id: first.shop_id.clone(),
            variant_id: "variant".to_owned(),
            target: Some(Target::Plan(pb::PlanTarget {
                offering_version_id: VERSION.to_string(),
                plan_id: plan_id("pro").to_string(),
            })),
        };
        town.fakes.know(|known| known.draft = true);
        assert_eq!(reason(town.operator().map_variant(map("m1")).await), "OFFERING_NOT_PUBLISHED");
        town.fakes.know(|known| known.draft = false);
        town.operator().map_variant(map("m1")).await.unwrap();
        assert_eq!(town.link(&first, BuyerLinkKind::User, "u", 1).await, 0);
        town.fakes.know(|known| {
            known.catalog = Mood::Refuses(Reason::Unavailable);
            known.tenancy = Mood::Refuses(Reason::Unavailable);
        });
        assert_eq!(town.signing_shop(&signer, Some(3)).await, first);
        assert_eq!(town.link(&first, BuyerLinkKind::User, "u", 1).await, 0);
        town.operator().map_variant(map("m1")).await.unwrap();
        assert_eq!(reason(town.operator().map_variant(map("m2")).await), "UNAVAILABLE");
        town.end().await;
    }
}
