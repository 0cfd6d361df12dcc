//! Requests that nobody sane sends.

use std::sync::atomic::Ordering;

use souk_proto::souk::catalog::v1 as pb;
use souk_types::{OfferingId, Reason};
use tonic::Code;

use super::{
    desk::{desks, fields, plan, publish, refusal},
    runner::finding,
};

#[tokio::test]
async fn everything_wrong_with_a_version_is_said_at_once_and_nothing_is_stored() {
    for desk in desks().await {
        let bad = pb::PublishOfferingVersionRequest {
            offering_id: "off_1".into(),
            request_id: "r".into(),
            flow_json: Vec::new().into(),
            capabilities: vec!["NO".into()],
            connectors: vec!["a b".into()],
            config_json: "7".into(),
            plans: vec![
                plan("pro", false),
                plan("pro", false),
                pb::Plan { plan_id: "pln_1".into(), ..plan("", true) },
            ],
            default_plan_slug: "pro".into(),
            price_schedule: Some(pb::PriceSchedule {
                price_schedule_hash: "00".into(),
                prices: vec![pb::Price { dimension: "Runs".into(), amount_micros: -1, per: -1 }],
                default_estimate: vec![pb::Quantity { dimension: "tokens".into(), quantity: -1 }],
            }),
        };
        let status = desk.operator().publish_offering_version(bad).await.unwrap_err();
        assert!(refusal(&status).is(Reason::InvalidArgument));
        let mut said = fields(&status);
        said.sort();
        let expected = [
            "capabilities[0]",
            "config_json",
            "connectors[0]",
            "default_plan_slug",
            "flow_json",
            "offering_id",
            "plans[1].slug",
            "plans[2].display_name",
            "plans[2].plan_id",
            "plans[2].slug",
            "price_schedule.default_estimate[0].dimension",
            "price_schedule.default_estimate[0].quantity",
            "price_schedule.price_schedule_hash",
            "price_schedule.prices[0].amount_micros",
            "price_schedule.prices[0].dimension",
            "price_schedule.prices[0].per",
        ];
        assert_eq!(said, expected);
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering_version").await, 0);
        assert_eq!(desk.runner.checked.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn large_requests_are_refused_by_name() {
    for desk in desks().await.into_iter().take(1) {
        let offering_id = desk.offering("triage").await;
        let mut operator = desk.operator();
        let ask = || publish(&offering_id, "p", "a");

        let flow = pb::PublishOfferingVersionRequest { flow_json: vec![b' '; 3 << 20].into(), ..ask() };
        let status = operator.publish_offering_version(flow).await.unwrap_err();
        assert_eq!(fields(&status), ["flow_json"]);

        let plans = (0..10_000).map(|number| plan(&format!("p{number}"), true)).collect();
        let plans = pb::PublishOfferingVersionRequest { plans, default_plan_slug: "p1".into(), ..ask() };
        let status = operator.publish_offering_version(plans).await.unwrap_err();
        assert_eq!(fields(&status), ["plans"]);

        let names = pb::PublishOfferingVersionRequest { capabilities: vec!["A".into(); 100], ..ask() };
        let status = operator.publish_offering_version(names).await.unwrap_err();
        assert!(refusal(&status).is(Reason::InvalidArgument), "{status:?}");
        assert!(fields(&status).len() > 10);

        let config = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
        let config = pb::PublishOfferingVersionRequest { config_json: config, ..ask() };
        assert_eq!(fields(&operator.publish_offering_version(config).await.unwrap_err()), ["config_json"]);

        let beyond = pb::PublishOfferingVersionRequest { flow_json: vec![b' '; 5 << 20].into(), ..ask() };
        let code = operator.publish_offering_version(beyond).await.unwrap_err().code();
        assert!(matches!(code, Code::ResourceExhausted | Code::OutOfRange), "{code:?}");
        // The largest that is allowed goes all the way to the runner.
        let most = pb::PublishOfferingVersionRequest { flow_json: vec![b' '; 2 << 20].into(), ..ask() };
        desk.publish(most).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_for_the_runner_to_refuse() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        *desk.runner.findings.lock().unwrap() = vec![finding("FLOW_INVALID", "", "")];
        let bytes = vec![0xff, 0xfe, 0, 0xc0];
        let ask =
            pb::PublishOfferingVersionRequest { flow_json: bytes.into(), ..publish(&offering_id, "p", "a") };
        let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
        assert!(refusal(&status).is(Reason::FlowInvalid));
        assert_eq!(fields(&status), ["flow_json"]);
        assert!(desk.kept().is_empty());
    }
}

#[tokio::test]
async fn an_offering_that_is_none_takes_no_version() {
    for desk in desks().await {
        let ask = publish(&OfferingId::from_bits(9).to_string(), "p", "a");
        let refused = desk.try_publish(ask).await.unwrap_err();
        assert!(refused.is(Reason::OfferingNotFound) && refused.code == Code::NotFound, "{refused}");
        assert_eq!(desk.runner.checked.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_billing_that_refuses_for_good_is_quoted() {
    for desk in desks().await.into_iter().take(1) {
        let offering_id = desk.offering("triage").await;
        let first = desk.publish(publish(&offering_id, "1", "a")).await;
        // Somebody used the request id of a version to come.
        desk.runner.away.store(true, Ordering::SeqCst);
        desk.try_publish(publish(&offering_id, "2", "b")).await.unwrap_err();
        desk.runner.away.store(false, Ordering::SeqCst);
        let draft = desk.texts("SELECT id FROM offering_version WHERE state = 'DRAFT'").await.remove(0);
        let taken = souk_proto::souk::billing::v1::PutPriceScheduleRequest::default();
        desk.billing.brought.lock().unwrap().insert(format!("publish:{draft}"), taken);
        let refused = desk.try_publish(publish(&offering_id, "2", "b")).await.unwrap_err();
        assert!(refused.is(Reason::RequestIdReused), "{refused}");
        assert_eq!(desk.version(&draft).await.state(), pb::offering_version::State::Draft);
        assert_eq!(desk.version(&first.offering_version_id).await, first);
    }
}
