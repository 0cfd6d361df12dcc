//! Publishing: the happy way, findings, equal content, peers that are away, many at once.

use std::sync::atomic::Ordering;

use souk_objects::Hash;
use souk_proto::souk::{catalog::v1 as pb, runner::v1::Finding};
use souk_types::{PartName, Reason};
use tonic::Code;

use super::{
    billing::name_of,
    desk::{Desk, desks, publish, refusal, violations},
    runner::finding,
};

fn state(version: &pb::OfferingVersion) -> pb::offering_version::State {
    version.state()
}

#[tokio::test]
async fn a_version_is_published_whole() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let ask = publish(&offering_id, "p", "a");
        let version = desk.publish(ask.clone()).await;
        assert_eq!(state(&version), pb::offering_version::State::Published);
        assert_eq!((version.offering_id.as_str(), version.offering_slug.as_str()), (&*offering_id, "triage"));
        assert_eq!(version.capabilities, ["chat", "rag"]);
        assert_eq!(version.config_json, r#"{"rag":{"citations":false,"top_k":3}}"#);
        let plans: Vec<_> = version.plans.iter().map(|plan| plan.slug.as_str()).collect();
        assert_eq!(plans, ["free", "pro"]);
        assert_eq!(version.default_plan_id, version.plans[0].plan_id);
        assert_ne!(version.plans[0].plan_id, version.plans[1].plan_id);
        assert!(version.publish_time.is_some());

        let hash: Hash = version.artifact_hash.parse().unwrap();
        assert_eq!(hash, Hash::of(&ask.flow_json));
        assert_eq!(desk.objects.get_artifact(&hash).await.unwrap(), ask.flow_json);

        let brought = desk.billing.brought.lock().unwrap().clone();
        let (request_id, schedule) = brought.first_key_value().unwrap();
        assert!(request_id.contains(&version.offering_version_id) && brought.len() == 1);
        let prices: Vec<_> = schedule.prices.iter().map(|price| (&*price.dimension, price.per)).collect();
        assert_eq!(prices, [("input_tokens", 1000), ("runs", 1)]);
        let announced = version.price_schedule.clone().unwrap().price_schedule_hash;
        assert_eq!(announced, name_of(&schedule.prices, &schedule.default_estimate));

        assert_eq!(desk.version(&version.offering_version_id).await, version);
        let told = desk.events("OfferingVersionPublished").await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["offeringVersionId"], version.offering_version_id);
        assert_eq!(told[0]["priceScheduleHash"], announced);
    }
}

#[tokio::test]
async fn findings_keep_a_version_a_draft_and_are_all_said() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        for (codes, reason) in [
            (&["FLOW_INVALID"][..], Reason::FlowInvalid),
            (&["UNSUPPORTED_COMPONENT", "UNSUPPORTED_COMPONENT"], Reason::UnsupportedComponent),
            (&["UNSUPPORTED_COMPONENT", "CREDENTIAL_IN_FLOW", "FLOW_INVALID"], Reason::CredentialInFlow),
            (&["S4"], Reason::CredentialInFlow),
        ] {
            let findings = codes.iter().map(|code| finding(code, "Agent-1", "api_key")).collect();
            *desk.runner.findings.lock().unwrap() = findings;
            let ask = publish(&offering_id, "p", "canary-sk-1234");
            let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
            let refused = refusal(&status);
            assert!(refused.is(reason) && refused.code == Code::InvalidArgument, "{refused}");
            let said = violations(&status);
            assert_eq!(said.len(), codes.len());
            assert!(said.iter().all(|said| said.field == "flow_json.nodes[Agent-1].api_key"), "{said:?}");
            assert!(!format!("{status:?}").contains("canary"));
        }
        // A draft with its findings stands, and the flow nowhere.
        let drafts = desk.texts("SELECT findings FROM offering_version WHERE state = 'DRAFT'").await;
        assert!(drafts.len() == 1 && drafts[0].contains("\"S4\""), "{drafts:?}");
        assert_eq!(desk.kept(), Vec::<std::path::PathBuf>::new());
        assert!(desk.billing.brought.lock().unwrap().is_empty());
        let draft = desk.texts("SELECT id FROM offering_version").await.remove(0);
        let read = desk.version(&draft).await;
        assert_eq!(state(&read), pb::offering_version::State::Draft);
        assert!(read.publish_time.is_none() && read.price_schedule.unwrap().price_schedule_hash.is_empty());
        let ask = pb::GetOfferingRequest { offering_id: offering_id.clone() };
        let hidden = desk.anybody().get_offering(ask).await;
        assert!(refusal(&hidden.unwrap_err()).is(Reason::OfferingNotFound));

        // An error did not consume the request id, and the runner may have learned a component.
        desk.runner.findings.lock().unwrap().clear();
        let version = desk.publish(publish(&offering_id, "p", "canary-sk-1234")).await;
        assert_eq!(version.offering_version_id, draft);
        assert_eq!(state(&version), pb::offering_version::State::Published);
        assert_eq!(desk.texts("SELECT findings FROM offering_version").await, ["[]"]);
    }
}

#[tokio::test]
async fn warnings_stay_with_a_published_version_for_its_publisher_alone() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let warned = |node: &str| Finding {
            message: "its own base URL is ignored".into(),
            ..finding("BASE_URL_IGNORED", node, "openai_api_base")
        };
        *desk.runner.warnings.lock().unwrap() = vec![warned("Model-1"), warned("Model-2")];
        *desk.runner.findings.lock().unwrap() = vec![finding("FLOW_INVALID", "", "")];
        let refused = desk.operator().publish_offering_version(publish(&offering_id, "p", "a")).await;
        assert_eq!(violations(&refused.unwrap_err()).len(), 1, "a warning is no reason to refuse");
        desk.runner.findings.lock().unwrap().clear();
        let version = desk.publish(publish(&offering_id, "p", "a")).await;
        assert_eq!(state(&version), pb::offering_version::State::Published);
        let told: Vec<_> = version.warnings.iter().map(|own| (&*own.code, &*own.node_id)).collect();
        assert_eq!(told, [("BASE_URL_IGNORED", "Model-1"), ("BASE_URL_IGNORED", "Model-2")]);
        assert!(version.findings.is_empty());

        // They are of the version, not of who asks next or of what the runner says today.
        desk.runner.warnings.lock().unwrap().clear();
        assert_eq!(desk.publish(publish(&offering_id, "p", "a")).await, version);
        assert_eq!(desk.publish(publish(&offering_id, "again", "a")).await, version);
        assert_eq!(desk.version(&version.offering_version_id).await, version);
        let ask = pb::ListOfferingVersionsRequest { offering_id: offering_id.clone(), ..Default::default() };
        let listed = desk.operator().list_offering_versions(ask).await.unwrap().into_inner();
        assert_eq!(listed.offering_versions, std::slice::from_ref(&version));

        // Nodes and endpoints are no business of who only looks at what is sold.
        let ask = pb::GetOfferingRequest { offering_id };
        let seen = desk.anybody().get_offering(ask).await.unwrap().into_inner().offering.unwrap();
        let shown = pb::OfferingVersion { warnings: Vec::new(), ..version };
        assert_eq!(seen.newest_version.as_ref(), Some(&shown));
        let all = desk.anybody().list_offerings(pb::ListOfferingsRequest::default()).await.unwrap();
        assert_eq!(all.into_inner().offerings[0].newest_version.as_ref(), Some(&shown));
    }
}

#[tokio::test]
async fn a_flow_of_many_warnings_is_published_with_a_bounded_number() {
    for desk in desks().await.into_iter().take(1) {
        let offering_id = desk.offering("triage").await;
        let warned = |number: i32| finding("BASE_URL_IGNORED", &format!("Model-{number}"), "openai_api_base");
        *desk.runner.warnings.lock().unwrap() = (0..500).map(warned).collect();
        let version = desk.publish(publish(&offering_id, "p", "a")).await;
        assert_eq!((version.warnings.len(), &*version.warnings[99].node_id), (100, "Model-99"));
    }
}

#[tokio::test]
async fn hundreds_of_findings_still_reach_the_caller() {
    for desk in desks().await.into_iter().take(1) {
        let offering_id = desk.offering("triage").await;
        let found = |number: i32| Finding {
            message: "a component that nobody knows stands here, and this is a long sentence".into(),
            ..finding("UNSUPPORTED_COMPONENT", &format!("Agent-{number}"), "")
        };
        *desk.runner.findings.lock().unwrap() = (0..500).map(found).collect();
        let ask = publish(&offering_id, "p", "a");
        let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
        assert!(refusal(&status).is(Reason::UnsupportedComponent), "{status:?}");
        assert_eq!(refusal(&status).metadata.get("findings").unwrap(), "500");
        let said = violations(&status);
        let last = said.last().unwrap();
        assert_eq!(last.field, "flow_json");
        assert_eq!(last.description, format!("and {} more; mend these first", 500 - (said.len() - 1)));
        let stored = desk.texts("SELECT findings FROM offering_version").await.remove(0);
        assert_eq!(stored.matches("UNSUPPORTED_COMPONENT").count(), 500);
    }
}

#[tokio::test]
async fn equal_content_is_the_version_that_exists() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let first = desk.publish(publish(&offering_id, "1", "a")).await;
        desk.db.clock.advance(std::time::Duration::from_secs(5));
        let mut same = publish(&offering_id, "2", "a");
        same.capabilities.reverse();
        same.config_json = r#" {"rag": {"top_k":3, "citations" : false}} "#.into();
        same.price_schedule.as_mut().unwrap().prices.reverse();
        assert_eq!(desk.publish(same.clone()).await, first);
        assert_eq!(desk.publish(same.clone()).await, first, "and again");
        assert_eq!(desk.runner.checked.load(Ordering::SeqCst), 1, "what is published is not checked again");
        assert_eq!(desk.events("OfferingVersionPublished").await.len(), 1);
        let reused = publish(&offering_id, "2", "b");
        assert!(desk.try_publish(reused).await.unwrap_err().is(Reason::RequestIdReused));
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering_version").await, 1, "nothing was drafted");

        // The same content of another offering is another version.
        let other = desk.offering("desk").await;
        let second = desk.publish(publish(&other, "3", "a")).await;
        assert_eq!(second.content_hash, first.content_hash);
        assert_ne!(second.offering_version_id, first.offering_version_id);
        // Another content is another version, and the first request still answers the first.
        let third = desk.publish(publish(&offering_id, "4", "b")).await;
        assert_ne!(third.offering_version_id, first.offering_version_id);
        assert_eq!(desk.publish(publish(&offering_id, "1", "a")).await, first);
    }
}

#[tokio::test]
async fn publishing_again_mends_a_lost_artifact() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let version = desk.publish(publish(&offering_id, "1", "a")).await;
        for file in desk.kept() {
            std::fs::remove_file(file).unwrap();
        }
        assert_eq!(desk.publish(publish(&offering_id, "2", "a")).await, version);
        assert!(desk.objects.get_artifact(&version.artifact_hash.parse().unwrap()).await.is_ok());
    }
}

#[tokio::test]
async fn a_peer_that_was_away_is_no_loss() {
    for mut desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let published =
            |desk: &Desk| desk.billing.brought.lock().unwrap().keys().cloned().collect::<Vec<_>>();
        desk.runner.away.store(true, Ordering::SeqCst);
        let away = desk.try_publish(publish(&offering_id, "1", "a")).await.unwrap_err();
        assert!(away.code == Code::Unavailable && away.retry_after.is_some(), "{away}");
        assert_eq!(desk.kept().len(), 0);
        desk.runner.away.store(false, Ordering::SeqCst);
        desk.billing.away.store(true, Ordering::SeqCst);
        for request_id in ["1", "1", "2"] {
            let away = desk.try_publish(publish(&offering_id, request_id, "a")).await.unwrap_err();
            assert!(away.code == Code::Unavailable, "{away}");
        }
        let draft = desk.texts("SELECT id FROM offering_version WHERE state = 'DRAFT'").await;
        assert_eq!((draft.len(), published(&desk).len()), (1, 0));
        assert_eq!(desk.events("OfferingVersionPublished").await.len(), 0);

        let brought = format!("publish:{}", draft[0]);
        desk = desk.restarted().await;
        desk.billing.away.store(false, Ordering::SeqCst);
        let version = desk.publish(publish(&offering_id, "1", "a")).await;
        assert_eq!(version.offering_version_id, draft[0]);
        assert_eq!(desk.publish(publish(&offering_id, "2", "a")).await, version);
        assert_eq!(desk.publish(publish(&offering_id, "3", "a")).await, version);
        assert_eq!(published(&desk), [brought], "the same request on every try");
        assert_eq!(desk.events("OfferingVersionPublished").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_publish_the_same_at_once_get_one_version() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..24 {
            let mut operator = desk.operator();
            // Each request comes three times.
            let ask = publish(&offering_id, &(number / 3).to_string(), "a");
            tasks.spawn(async move { operator.publish_offering_version(ask).await });
        }
        let answers = tasks.join_all().await;
        let mut versions: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.unwrap().into_inner().offering_version.unwrap())
            .collect();
        versions.dedup();
        assert_eq!(versions.len(), 1, "{}", desk.db.engine);
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering_version").await, 1);
        assert_eq!(desk.number("SELECT COUNT(*) FROM plan").await, 2);
        assert_eq!(desk.events("OfferingVersionPublished").await.len(), 1);
        assert_eq!(desk.billing.brought.lock().unwrap().len(), 1);
        let answered = desk.events("RequestAnswered").await;
        let answered = answered
            .iter()
            .filter(|told| told["method"].as_str().unwrap().ends_with("/PublishOfferingVersion"))
            .count();
        assert_eq!(answered, 8, "one answer a request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn different_versions_at_once_leave_the_newest_on_offer() {
    for desk in desks().await {
        let offering_id = desk.offering("triage").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..16 {
            let mut operator = desk.operator();
            let name = number.to_string();
            let ask = publish(&offering_id, &name, &name);
            tasks.spawn(async move { operator.publish_offering_version(ask).await });
        }
        let answers = tasks.join_all().await;
        let ids = answers
            .into_iter()
            .map(|answer| answer.unwrap().into_inner().offering_version.unwrap().offering_version_id);
        // All of one moment, so that the id decides.
        let newest = ids.max().unwrap();
        let ask = pb::ResolvePlanRequest { offering_slug: "triage".into(), plan_slug: "pro".into() };
        let found = desk.part(PartName::Commerce).resolve_plan(ask).await.unwrap().into_inner();
        assert_eq!(found.offering_version_id, newest, "{}", desk.db.engine);
    }
}
