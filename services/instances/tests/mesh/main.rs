//! Instances in a mesh: real pipes, real tokens, fakes for the parts beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod config;
mod fakes;
mod kills;
mod life;
mod setbacks;
mod town;

use std::time::Duration;

use serde_json::Value;
use souk_instances::MIGRATIONS;
use souk_proto::souk::instances::v1::{
    CreateInstanceRequest, GetEntitlementsRequest, ListInstancesRequest, State,
};
use souk_types::{Role, event::Log as _};

use crate::{
    fakes::{FREE, Fakes, NEWER, PRO, VERSION},
    town::{
        FOREIGN_ORG, FOREIGN_PROJECT, ORG, PROJECT, Town, activate, condition, create, id, person, reason,
        seen,
    },
};

#[tokio::test]
async fn an_activation_is_seen_from_request_to_active() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let fakes = std::sync::Arc::new(Fakes::default());
        let town = Town::new(&database, &fakes);
        let answer = town.activate("r-1").await;
        assert_eq!(answer.state(), State::Provisioning, "{}: committed, not applied", database.engine);
        let mut watch = town.watch(&answer.instance_id).await;
        let first = seen(&mut watch, |_| true).await;
        assert_eq!(first.state(), State::Provisioning, "the first message is the present state");
        assert_eq!(condition(&first, "Committed"), ("STATUS_TRUE".into(), "Committed".into()));
        assert_ne!(condition(&first, "Applied").0, "STATUS_TRUE");
        fakes.apply(id(&answer.instance_id), 1);
        let active = seen(&mut watch, |instance| instance.state() == State::Active).await;
        assert_ne!(active.etag, first.etag);
        for kind in ["AccountOpen", "Committed", "Applied"] {
            assert_eq!(condition(&active, kind).0, "STATUS_TRUE", "{kind}");
        }
        let told: Vec<_> = active.events.iter().map(|event| event.r#type.as_str()).collect();
        assert_eq!(told, ["Requested", "AccountOpened", "Committed", "Activated"]);
        assert_eq!((active.path, active.revision), (format!("/i/{}", answer.instance_id), 1));
        {
            let known = fakes.known.lock().unwrap();
            let account = format!("account:{}", answer.instance_id);
            assert_eq!(known.accounts.keys().collect::<Vec<_>>(), [&account]);
            let apply = format!("apply:{}:1", answer.instance_id);
            assert_eq!(known.applied.keys().collect::<Vec<_>>(), [&apply]);
            let desired = &known.applied[&apply];
            assert_eq!((desired.org_id.clone(), desired.plan_slug.as_str()), (ORG.to_string(), "free"));
        }
        drop(watch);
        town.end().await;
        while database.outbox().number_turn().await.unwrap() > 0 {}
        let log = database.outbox().after(0, 100).await.unwrap();
        let kinds = log.iter().filter(|(_, event)| event.aggregate_id == answer.instance_id);
        let kinds: Vec<_> = kinds.map(|(_, event)| event.kind.rsplit('.').next().unwrap()).collect();
        assert_eq!(kinds, ["InstanceRequested", "InstanceProvisioning", "InstanceActivated"]);
    }
}

#[tokio::test]
async fn entitlements_say_what_version_and_plan_give() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let answer = town.activate("r-1").await;
    town.until_state(&answer.instance_id, State::Active).await;
    let ask = GetEntitlementsRequest { instance_id: answer.instance_id.clone() };
    let found = town.commerce(ORG).get_entitlements(ask.clone()).await;
    assert_eq!(reason(found), "PERMISSION_DENIED", "commerce has no use for them");
    let found = town.member().get_entitlements(ask).await.unwrap().into_inner().entitlements.unwrap();
    assert_eq!(found.state(), State::Active);
    assert_eq!(found.capabilities, ["priority", "run", "web_widget.branding"], "the plan adds one");
    assert_eq!(found.allowed_domains, ["https://acme.example"]);
    let limits = found.limits.unwrap();
    assert_eq!((limits.runs_per_minute, limits.input_bytes, limits.concurrent_runs), (7, 4096, 2));
    assert_eq!((found.plan_id, found.artifact_hash), (FREE.to_string(), "a".repeat(64)));
    let config: Value = serde_json::from_str(&found.effective_config_json).unwrap();
    assert_eq!(
        config["priority"],
        serde_json::json!({ "lane": "free", "weight": 1 }),
        "the plan's word wins"
    );
    town.end().await;
}

#[tokio::test]
async fn of_sixteen_activations_at_once_there_is_one_instance() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        let asks = (0..16).map(|place| {
            // Two callers each repeat one request id; the offering's newer version is the same offering.
            let (mut member, version) = (town.member(), if place % 4 == 0 { NEWER } else { VERSION });
            let ask =
                activate(&format!("r-{}", place % 8), if place % 8 == place { version } else { VERSION });
            async move { member.auto_activate(ask).await }
        });
        let answers = futures::future::join_all(asks).await;
        let mut ids: Vec<_> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Ok(answer) => Some(answer.into_inner().instance_id),
                // r-0 and r-4 were sent once for each of two versions.
                Err(refused) => {
                    assert_eq!(reason::<()>(Err(refused)), "REQUEST_ID_REUSED");
                    None
                }
            })
            .collect();
        assert_eq!(ids.len(), 14, "{}", database.engine);
        ids.dedup();
        assert_eq!(ids.len(), 1, "{}", database.engine);
        let list = town.member().list_instances(ListInstancesRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.instances.len(), 1, "{}", database.engine);
        assert_eq!(town.fakes.known.lock().unwrap().accounts.len(), 1);
        town.end().await;
    }
}

#[tokio::test]
async fn a_repeated_request_is_one_instance_and_another_command_is_refused() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        town.fakes.known.lock().unwrap().projects.insert(PROJECT, ORG);
        let ask = CreateInstanceRequest {
            project_id: PROJECT.to_string(),
            source_ref: "saleor:order:line".into(),
            ..create("saleor:order:line", PRO)
        };
        let asks = (0..8).map(|_| {
            let (mut commerce, ask) = (town.commerce(ORG), ask.clone());
            async move { commerce.create_instance(ask).await }
        });
        let answers = futures::future::join_all(asks).await;
        let mut made: Vec<_> =
            answers.into_iter().map(|answer| answer.unwrap().into_inner().instance.unwrap()).collect();
        made.dedup_by(|one, other| one.instance_id == other.instance_id);
        assert_eq!(made.len(), 1, "{}", database.engine);
        assert_eq!((made[0].source_ref.as_str(), made[0].plan_slug.as_str()), ("saleor:order:line", "pro"));
        let other = CreateInstanceRequest { plan_id: FREE.to_string(), ..ask.clone() };
        assert_eq!(reason(town.commerce(ORG).create_instance(other).await), "REQUEST_ID_REUSED");
        let again = CreateInstanceRequest { request_id: "saleor:order:line:1".into(), ..ask };
        let second = town.commerce(ORG).create_instance(again).await.unwrap().into_inner().instance.unwrap();
        assert_ne!(second.instance_id, made[0].instance_id, "two units are two instances");
        town.end().await;
    }
}

#[tokio::test]
async fn lists_are_newest_first_in_pages_of_one_project() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let mut made = Vec::new();
    for place in 0..5 {
        town.clock.advance(Duration::from_millis(2));
        let answer = town.admin().create_instance(create(&format!("r-{place}"), FREE)).await.unwrap();
        made.push(answer.into_inner().instance.unwrap().instance_id);
    }
    let foreign = person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]);
    town.calls(&foreign).create_instance(create("r-0", FREE)).await.unwrap();
    made.reverse();
    let (mut found, mut page_token, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let ask = ListInstancesRequest { page_size: 2, page_token, ..Default::default() };
        let page = town.member().list_instances(ask).await.unwrap().into_inner();
        sizes.push(page.instances.len());
        found.extend(page.instances.into_iter().map(|instance| instance.instance_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let ask = ListInstancesRequest { page_token: page_token.clone(), ..Default::default() };
        assert_eq!(reason(town.calls(&foreign).list_instances(ask).await), "PAGE_TOKEN_INVALID");
    }
    assert_eq!((found, sizes), (made, vec![2, 2, 1]));
    town.end().await;
}
