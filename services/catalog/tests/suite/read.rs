//! Reading what is offered: lists, filters, pages, single ones, slugs from shops.

use std::time::Duration;

use souk_proto::souk::catalog::v1 as pb;
use souk_types::{PartName, Reason};
use tonic::Code;

use super::desk::{Client, Desk, create, desks, publish, refusal};

async fn offered(desk: &Desk, slug: &str, category: &str, value_stream: &str) -> pb::OfferingVersion {
    let ask = pb::CreateOfferingRequest {
        category: category.into(),
        value_stream: value_stream.into(),
        ..create(slug)
    };
    let made = desk.operator().create_offering(ask).await.unwrap().into_inner().offering.unwrap();
    desk.publish(publish(&made.offering_id, slug, slug)).await
}

async fn slugs(client: &mut Client, ask: pb::ListOfferingsRequest) -> (Vec<String>, String) {
    let answer = client.list_offerings(ask).await.unwrap().into_inner();
    (answer.offerings.into_iter().map(|offering| offering.slug).collect(), answer.next_page_token)
}

#[tokio::test]
async fn lists_show_what_may_be_taken_by_slug() {
    for desk in desks().await {
        for (slug, category, stream) in
            [("b-b", "support", "serve"), ("bb", "support", "sell"), ("a", "sales", "sell"), ("b0", "", "")]
        {
            offered(&desk, slug, category, stream).await;
        }
        desk.offering("draft-only").await;
        let mut anybody = desk.anybody();
        let all = pb::ListOfferingsRequest::default();
        let (listed, next) = slugs(&mut anybody, all.clone()).await;
        assert_eq!((listed, next.as_str()), (["a", "b-b", "b0", "bb"].map(String::from).to_vec(), ""));
        for (category, value_stream, expected) in [
            ("support", "", &["b-b", "bb"][..]),
            ("", "sell", &["a", "bb"]),
            ("support", "sell", &["bb"]),
            ("sales", "serve", &[]),
            ("Support", "", &[]),
            ("%", "", &[]),
        ] {
            let ask = pb::ListOfferingsRequest {
                category: category.into(),
                value_stream: value_stream.into(),
                ..all.clone()
            };
            assert_eq!(slugs(&mut anybody, ask).await.0, expected, "{category} {value_stream}");
        }
        let answer = anybody.list_offerings(all).await.unwrap().into_inner();
        let newest = answer.offerings[0].newest_version.as_ref().unwrap();
        assert_eq!((newest.plans.len(), newest.offering_slug.as_str()), (2, "a"));
    }
}

#[tokio::test]
async fn pages_go_on_where_they_ended_within_their_filter() {
    for desk in desks().await {
        for number in 0..7 {
            offered(&desk, &format!("o-{number}"), "support", "serve").await;
        }
        let mut anybody = desk.anybody();
        let mut ask = pb::ListOfferingsRequest { page_size: 3, ..Default::default() };
        let mut pages = Vec::new();
        loop {
            let (page, next) = slugs(&mut anybody, ask.clone()).await;
            pages.push(page.len());
            if pages.len() == 1 {
                // What comes meanwhile below the page is not seen, above it is.
                offered(&desk, "a", "support", "serve").await;
                offered(&desk, "z", "support", "serve").await;
                let filtered = pb::ListOfferingsRequest {
                    category: "support".into(),
                    page_token: next.clone(),
                    ..ask.clone()
                };
                let foreign = anybody.list_offerings(filtered).await.unwrap_err();
                assert!(refusal(&foreign).is(Reason::PageTokenInvalid));
            }
            if next.is_empty() {
                break;
            }
            ask.page_token = next;
        }
        assert_eq!(pages, [3, 3, 2], "{}", desk.db.engine);
        let negative = pb::ListOfferingsRequest { page_size: -1, ..Default::default() };
        assert_eq!(anybody.list_offerings(negative).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_page_of_heavy_offerings_fits_into_a_message() {
    for desk in desks().await.into_iter().take(1) {
        let domains: Vec<_> =
            (10..60).map(|number| format!("https://{}{number}", "long.".repeat(49))).collect();
        let config = serde_json::json!({ "web_widget.branding": { "allowed_domains": domains } }).to_string();
        for number in 0..6 {
            let slug = format!("heavy-{number}");
            let offering_id = desk.offering(&slug).await;
            let mut ask = publish(&offering_id, &slug, &slug);
            ask.plans = (0..50)
                .map(|number| pb::Plan {
                    config_json: config.clone(),
                    ..super::desk::plan(&format!("p{number}"), true)
                })
                .collect();
            ask.default_plan_slug = "p0".into();
            desk.publish(ask).await;
        }
        let mut seen = Vec::new();
        let mut ask = pb::ListOfferingsRequest::default();
        loop {
            let (page, next) = slugs(&mut desk.anybody(), ask.clone()).await;
            seen.push(page);
            if next.is_empty() {
                break;
            }
            ask.page_token = next;
        }
        assert!(seen.len() > 1);
        assert_eq!(seen.concat(), (0..6).map(|number| format!("heavy-{number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_offering_is_found_by_id_and_slug_once_it_is_published() {
    for desk in desks().await {
        let version = offered(&desk, "triage", "support", "serve").await;
        let draft_only = desk.offering("draft-only").await;
        let mut anybody = desk.anybody();
        for name in [version.offering_id.as_str(), "triage"] {
            let ask = pb::GetOfferingRequest { offering_id: name.into() };
            let found = anybody.get_offering(ask).await.unwrap().into_inner().offering.unwrap();
            assert_eq!(found.newest_version.as_ref(), Some(&version));
            assert_eq!(found.etag, "v2");
        }
        let unknown =
            ["draft-only", &draft_only, "no", "No Slug", "off_1", "a' OR '1'='1", &"x".repeat(9000)];
        for name in unknown {
            let ask = pb::GetOfferingRequest { offering_id: name.into() };
            let missing = refusal(&anybody.get_offering(ask).await.unwrap_err());
            assert!(missing.is(Reason::OfferingNotFound) && missing.code == Code::NotFound, "{missing}");
        }
        let nameless = anybody.get_offering(pb::GetOfferingRequest::default()).await.unwrap_err();
        assert_eq!(nameless.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn the_newest_version_is_the_last_published_whatever_the_clock_does() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let now = desk.db.clock.advance(Duration::from_secs(60));
        let first = desk.publish(publish(&offering_id, "1", "a")).await;
        desk.db.clock.set(now - Duration::from_secs(30));
        let early = desk.publish(publish(&offering_id, "2", "b")).await;
        desk.db.clock.set(now + Duration::from_secs(1));
        let ask = pb::ResolvePlanRequest { offering_slug: "triage".into(), plan_slug: "pro".into() };
        let resolved = |desk: &Desk| {
            let (mut commerce, ask) = (desk.part(PartName::Commerce), ask.clone());
            async move { commerce.resolve_plan(ask).await.unwrap().into_inner() }
        };
        let found = resolved(&desk).await;
        assert_eq!(found.offering_version_id, first.offering_version_id);
        assert_eq!(found.plan_id, first.plans[1].plan_id);
        assert_ne!(early.offering_version_id, first.offering_version_id);
        let last = desk.publish(publish(&offering_id, "3", "c")).await;
        assert_eq!(resolved(&desk).await.offering_version_id, last.offering_version_id);
    }
}

#[tokio::test]
async fn an_old_draft_that_is_published_late_is_the_newest() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        desk.billing.away.store(true, std::sync::atomic::Ordering::SeqCst);
        desk.try_publish(publish(&offering_id, "1", "old")).await.unwrap_err();
        desk.billing.away.store(false, std::sync::atomic::Ordering::SeqCst);
        desk.db.clock.advance(Duration::from_secs(1));
        let between = desk.publish(publish(&offering_id, "2", "new")).await;
        desk.db.clock.advance(Duration::from_secs(1));
        let late = desk.publish(publish(&offering_id, "1", "old")).await;
        assert!(late.offering_version_id < between.offering_version_id, "it was drafted first");
        let ask = pb::GetOfferingRequest { offering_id };
        let found = desk.anybody().get_offering(ask).await.unwrap().into_inner().offering.unwrap();
        assert_eq!(found.newest_version, Some(late), "{}", desk.db.engine);
    }
}

#[tokio::test]
async fn what_a_shop_names_wrongly_is_said_precisely() {
    for desk in desks().await {
        offered(&desk, "triage", "support", "serve").await;
        desk.offering("draft-only").await;
        let mut commerce = desk.part(PartName::Commerce);
        for (offering_slug, plan_slug, reason, code) in [
            ("none", "pro", Reason::OfferingNotFound, Code::NotFound),
            ("No Slug", "pro", Reason::OfferingNotFound, Code::NotFound),
            ("draft-only", "pro", Reason::OfferingNotPublished, Code::FailedPrecondition),
            ("triage", "gold", Reason::PlanNotFound, Code::NotFound),
            ("triage", "' OR 1=1", Reason::PlanNotFound, Code::NotFound),
            ("", "", Reason::InvalidArgument, Code::InvalidArgument),
        ] {
            let ask =
                pb::ResolvePlanRequest { offering_slug: offering_slug.into(), plan_slug: plan_slug.into() };
            let refused = refusal(&commerce.resolve_plan(ask).await.unwrap_err());
            assert!(refused.is(reason) && refused.code == code, "{offering_slug} {plan_slug}: {refused}");
        }
        for id in ["", "ofv_1", "triage"] {
            let ask = pb::GetOfferingVersionRequest { offering_version_id: id.into() };
            let refused = commerce.get_offering_version(ask).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{id}");
        }
        let ask = pb::GetOfferingVersionRequest {
            offering_version_id: souk_types::OfferingVersionId::from_bits(1).to_string(),
        };
        let missing = refusal(&commerce.get_offering_version(ask).await.unwrap_err());
        assert!(missing.is(Reason::OfferingVersionNotFound), "{missing}");
    }
}
