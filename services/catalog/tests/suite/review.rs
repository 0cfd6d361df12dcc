//! What the capability registry says of a version; drafts and their findings; the registry itself.

use std::sync::atomic::Ordering;

use souk_proto::souk::catalog::v1 as pb;
use souk_types::Reason;

use super::{
    desk::{Desk, desks, fields, plan, publish, refusal, violations},
    runner::finding,
};

fn with(config: &str, plan: &str) -> impl FnOnce(&mut pb::PublishOfferingVersionRequest) {
    move |ask| {
        ask.config_json = config.into();
        ask.plans[1].config_json = plan.into();
    }
}

async fn refused(
    desk: &Desk,
    offering_id: &str,
    change: impl FnOnce(&mut pb::PublishOfferingVersionRequest),
) -> (Reason, Vec<String>) {
    let mut ask = publish(offering_id, "p", "a");
    change(&mut ask);
    let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
    let told = refusal(&status);
    let reason = Reason::ALL.iter().find(|reason| told.is(**reason)).unwrap();
    assert!(!format!("{status:?}").contains("canary"), "{status:?}");
    (*reason, fields(&status))
}

#[tokio::test]
async fn capabilities_and_configurations_are_held_to_the_registry() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        let unknown = refused(&desk, &id, |ask| ask.capabilities.push("telepathy".into())).await;
        assert_eq!(unknown, (Reason::CapabilityUnknown, vec!["capabilities".into()]));
        for (config, plan, reason, field) in [
            (r#"{"rag":{"top_k":0}}"#, "", Reason::ConfigInvalid, "config_json.rag.top_k"),
            (r#"{"rag":{"canary_":1}}"#, "", Reason::ConfigInvalid, "config_json.rag.canary_"),
            (r#"{"rag":7}"#, "", Reason::ConfigInvalid, "config_json.rag"),
            (r#"{"mcp":{}}"#, "", Reason::ConfigInvalid, "config_json.mcp"),
            (r#"{"psi":{}}"#, "", Reason::CapabilityUnknown, "config_json"),
            ("", r#"{"psi":null}"#, Reason::CapabilityUnknown, "plans[1].config_json"),
            (
                "",
                r#"{"scheduler":{"max_schedules":-1}}"#,
                Reason::ConfigInvalid,
                "plans[1].config_json.scheduler.max_schedules",
            ),
            (
                "",
                r#"{"web_widget.branding":{"allowed_domains":["https://canary.example/x"]}}"#,
                Reason::ConfigInvalid,
                "plans[1].config_json.web_widget.branding.allowed_domains[0]",
            ),
        ] {
            let mut ask = publish(&id, "p", "a");
            with(config, plan)(&mut ask);
            let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
            assert!(refusal(&status).is(reason), "{config} {plan}: {status:?}");
            assert_eq!(fields(&status), [field], "{config} {plan}");
        }
        assert_eq!(desk.kept().len(), 0);
        assert!(desk.billing.brought.lock().unwrap().is_empty());
        let states = desk.texts("SELECT DISTINCT state FROM offering_version").await;
        assert_eq!(states, ["DRAFT"]);
    }
}

#[tokio::test]
async fn a_plan_adds_and_narrows() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        let mut ask = publish(&id, "p", "a");
        ask.config_json = r#"{"rag":{"top_k":3},"scheduler":{"min_interval_seconds":60}}"#.into();
        ask.plans.push(plan("max", false));
        ask.plans[0].config_json = r#"{"rag":null}"#.into();
        ask.plans[1].config_json = r#"{"rag":{"max_documents":10}}"#.into();
        ask.plans[2].config_json = r#"{"scheduler":{"max_schedules":50}}"#.into();
        let version = desk.publish(ask.clone()).await;
        assert_eq!((version.plans.len(), version.findings.len()), (3, 0));
        // Without the plan that brings it in, the version speaks of what nobody has.
        ask.plans.pop();
        ask.request_id = "q".into();
        let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
        assert_eq!(fields(&status), ["config_json.scheduler"]);
    }
}

#[tokio::test]
async fn everything_found_is_said_at_once_and_kept_with_the_draft() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        *desk.runner.findings.lock().unwrap() = vec![finding("CREDENTIAL_IN_FLOW", "Agent-1", "api_key")];
        let mut ask = publish(&id, "p", "a");
        ask.config_json = r#"{"rag":{"top_k":99}}"#.into();
        let status = desk.operator().publish_offering_version(ask.clone()).await.unwrap_err();
        assert!(refusal(&status).is(Reason::CredentialInFlow), "the gravest");
        let said = violations(&status);
        assert_eq!(
            said.iter().map(|said| (said.field.as_str(), said.description.as_str())).collect::<Vec<_>>(),
            [
                ("config_json.rag.top_k", "must be at most 50"),
                ("flow_json.nodes[Agent-1].api_key", "CREDENTIAL_IN_FLOW: is wrong"),
            ]
        );
        // The runner being away keeps nobody from what is wrong anyway.
        desk.runner.away.store(true, Ordering::SeqCst);
        let status = desk.operator().publish_offering_version(ask).await.unwrap_err();
        assert!(refusal(&status).is(Reason::ConfigInvalid), "{status:?}");
        desk.runner.away.store(false, Ordering::SeqCst);
        desk.runner.findings.lock().unwrap().clear();
        let good = desk.publish(publish(&id, "p", "a")).await;

        let list = pb::ListOfferingVersionsRequest { offering_id: "triage".into(), ..Default::default() };
        let listed = desk.operator().list_offering_versions(list).await.unwrap().into_inner();
        let [newest, draft] = listed.offering_versions.as_slice() else { panic!("{listed:?}") };
        assert_eq!(newest, &good);
        assert_eq!(draft.state(), pb::offering_version::State::Draft);
        let kept: Vec<_> = draft.findings.iter().map(|found| (found.code.as_str(), &*found.field)).collect();
        assert_eq!(kept, [("CONFIG_INVALID", "config_json.rag.top_k")], "{}", desk.db.engine);
    }
}

#[tokio::test]
async fn versions_are_listed_in_pages_the_newest_first() {
    for desk in desks().await {
        let (id, other) = (desk.offering("triage").await, desk.offering("empty").await);
        let mut expected = Vec::new();
        for number in 0..5 {
            desk.db.clock.advance(std::time::Duration::from_secs(1));
            let name = number.to_string();
            expected.insert(0, desk.publish(publish(&id, &name, &name)).await.offering_version_id);
        }
        let mut operator = desk.operator();
        let mut ask =
            pb::ListOfferingVersionsRequest { offering_id: id.clone(), page_size: 2, ..Default::default() };
        let (mut seen, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = operator.list_offering_versions(ask.clone()).await.unwrap().into_inner();
            pages.push(page.offering_versions.len());
            seen.extend(page.offering_versions.into_iter().map(|version| version.offering_version_id));
            ask.page_token = page.next_page_token;
            if ask.page_token.is_empty() {
                break;
            }
            let foreign = pb::ListOfferingVersionsRequest { offering_id: other.clone(), ..ask.clone() };
            let foreign = operator.list_offering_versions(foreign).await.unwrap_err();
            assert!(refusal(&foreign).is(Reason::PageTokenInvalid));
        }
        assert_eq!((seen, pages), (expected, vec![2, 2, 1]), "{}", desk.db.engine);
        let empty = pb::ListOfferingVersionsRequest { offering_id: other, ..Default::default() };
        assert!(
            operator.list_offering_versions(empty).await.unwrap().into_inner().offering_versions.is_empty()
        );
        for missing in ["none", "off_1", "No Slug"] {
            let ask = pb::ListOfferingVersionsRequest { offering_id: missing.into(), ..Default::default() };
            let status = operator.list_offering_versions(ask).await.unwrap_err();
            assert!(refusal(&status).is(Reason::OfferingNotFound), "{missing}");
        }
    }
}

#[tokio::test]
async fn a_repeat_is_answered_though_everybody_is_away() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        let version = desk.publish(publish(&id, "p", "a")).await;
        desk.runner.away.store(true, Ordering::SeqCst);
        desk.billing.away.store(true, Ordering::SeqCst);
        assert_eq!(desk.publish(publish(&id, "p", "a")).await, version, "{}", desk.db.engine);
        let reused = desk.try_publish(publish(&id, "p", "b")).await.unwrap_err();
        assert!(reused.is(Reason::RequestIdReused), "{reused}");
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering_version").await, 1);
    }
}

#[tokio::test]
async fn anybody_reads_the_registry() {
    for desk in desks().await.into_iter().take(1) {
        let ask = pb::ListCapabilitiesRequest {};
        let all = desk.anybody().list_capabilities(ask).await.unwrap().into_inner().capabilities;
        let names: Vec<_> = all.iter().map(|capability| capability.name.as_str()).collect();
        assert!(names.is_sorted() && names.contains(&"chat") && names.contains(&"web_widget.branding"));
        for capability in &all {
            let schema: serde_json::Value = serde_json::from_str(&capability.schema_json).unwrap();
            let defaults: serde_json::Value = serde_json::from_str(&capability.default_config_json).unwrap();
            let fields = schema["properties"].as_object().unwrap();
            assert!(defaults.as_object().unwrap().keys().all(|name| fields.contains_key(name)));
            assert!(!capability.display_name.is_empty() && !capability.description.is_empty());
        }
    }
}
