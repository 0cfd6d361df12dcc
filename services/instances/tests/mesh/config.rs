//! What tenants say above the plan's configuration: checked, committed as a new revision, and served no
//! sooner than it is applied.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use souk_instances::MIGRATIONS;
use souk_kit::Refusal;
use souk_proto::souk::instances::v1::{Entitlements, GetEntitlementsRequest, State, UpdateConfigRequest};
use souk_types::Role;
use tonic_types::StatusExt as _;

use crate::{
    fakes::Fakes,
    life::terminate,
    town::{FOREIGN_ORG, FOREIGN_PROJECT, ORG, PROJECT, Town, condition, id, person, reason},
};

const BRANDING: &str = "web_widget.branding";

pub(crate) fn update(instance_id: &str, request_id: &str, config: &Value) -> UpdateConfigRequest {
    UpdateConfigRequest {
        instance_id: instance_id.into(),
        request_id: request_id.into(),
        config_json: config.to_string(),
        ..Default::default()
    }
}

async fn entitled(town: &Town, instance_id: &str) -> Entitlements {
    let ask = GetEntitlementsRequest { instance_id: instance_id.into() };
    town.member().get_entitlements(ask).await.unwrap().into_inner().entitlements.unwrap()
}

async fn active(fakes: &Fakes, town: &Town) -> String {
    let one = town.activate("r-1").await.instance_id;
    fakes.apply(id(&one), 1);
    town.until_state(&one, State::Active).await;
    one
}

#[tokio::test]
async fn the_old_configuration_is_served_until_the_new_one_is_applied() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let fakes = Arc::new(Fakes::default());
        let town = Town::new(&database, &fakes);
        let one = active(&fakes, &town).await;
        let before = entitled(&town, &one).await;
        assert_eq!((before.revision, before.allowed_domains.len()), (1, 1));
        let wanted =
            json!({ BRANDING: { "allowed_domains": ["b.example", "c.example"], "brand_name": null } });
        let asks = (0..6).map(|_| {
            let (mut admin, ask) = (town.admin(), update(&one, "c-1", &wanted));
            async move { admin.update_config(ask).await.unwrap().into_inner().instance.unwrap() }
        });
        let answers = futures::future::join_all(asks).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{}", database.engine);
        assert_eq!((answers[0].revision, answers[0].state()), (2, State::Active));
        assert_eq!(serde_json::from_str::<Value>(&answers[0].config_json).unwrap(), wanted);
        assert_eq!(answers[0].waiting_for, "Committed");
        let committed = town.until(&one, Duration::ZERO, |found| found.waiting_for == "Applied").await;
        assert_eq!(condition(&committed, "Applied").0, "STATUS_UNKNOWN");
        assert_eq!(entitled(&town, &one).await, before, "nothing is served that is not applied");
        fakes.apply(id(&one), 2);
        town.until(&one, Duration::ZERO, |found| found.waiting_for.is_empty()).await;
        let after = entitled(&town, &one).await;
        assert_eq!((after.revision, after.state()), (2, State::Active));
        assert_eq!(after.allowed_domains, ["b.example", "c.example"]);
        assert_eq!(after.capabilities, ["priority", "run", BRANDING], "no capability came or went");
        let effective: Value = serde_json::from_str(&after.effective_config_json).unwrap();
        assert_eq!(effective[BRANDING]["brand_name"], Value::Null, "null unsets");
        assert_eq!(effective[BRANDING]["position"], "bottom-right", "the registry's word stands below");
        {
            let known = fakes.known.lock().unwrap();
            let desired = &known.applied[&format!("apply:{one}:2")];
            assert_eq!(serde_json::from_str::<Value>(&desired.effective_config_json).unwrap(), effective);
            assert_eq!((known.applied.len(), known.reused.len()), (2, 0), "one revision for six copies");
        }
        town.end().await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_field_by_field() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let town = Town::new(&database, &fakes);
    let one = active(&fakes, &town).await;
    let odd = json!({
        BRANDING: { "allowed_domains": ["*.example", "ok.example"], "primary_color": "secret red", "stray": 1 },
        "chat": { "greeting": "hello" },
        "teleport": {},
    });
    let refused = town.admin().update_config(update(&one, "c-1", &odd)).await.unwrap_err();
    assert_eq!(Refusal::read("instances", &refused).reason, "CONFIG_INVALID");
    let fields = refused.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = fields.iter().map(|violation| violation.field.as_str()).collect();
    for field in ["config_json.chat", "config_json.teleport", "config_json.web_widget.branding.primary_color"]
    {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    assert!(!format!("{refused:?}").contains("secret red"), "values are not repeated");
    for text in
        ["", "[]", "7", "{", "null", &"[".repeat(10_000), &format!("{{\"a\":\"{}\"}}", "x".repeat(70_000))]
    {
        let ask = UpdateConfigRequest { config_json: text.into(), ..update(&one, "c-1", &json!({})) };
        assert_eq!(reason(town.admin().update_config(ask).await), "INVALID_ARGUMENT");
    }
    let ask = UpdateConfigRequest {
        capabilities: vec!["run".into()],
        ..update(&one, "c-1", &json!({ BRANDING: {} }))
    };
    assert_eq!(reason(town.admin().update_config(ask).await), "INVALID_ARGUMENT", "not named");
    let untouched = town.get(&one).await;
    assert_eq!((untouched.revision, untouched.config_json.as_str()), (1, "{}"));
    let fine = town.admin().update_config(update(&one, "c-1", &json!({ BRANDING: {} }))).await;
    assert!(fine.is_ok(), "a refusal keeps the id free");
    town.end().await;
}

#[tokio::test]
async fn etags_masks_roles_and_ends() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let one = town.activate("r-1").await.instance_id;
    let before = town.until_state(&one, State::Active).await;
    let brand = |name: &str| json!({ BRANDING: { "brand_name": name } });
    let foreign = town.calls(&person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]));
    let refused = { foreign }.update_config(update(&one, "c-1", &brand("x"))).await;
    assert_eq!(reason(refused), "INSTANCE_NOT_FOUND");
    let member = town.calls(&person(Role::Member, ORG, &[PROJECT]));
    assert_eq!(reason({ member }.update_config(update(&one, "c-1", &brand("x"))).await), "PERMISSION_DENIED");
    assert_eq!(
        reason(town.commerce(ORG).update_config(update(&one, "c-1", &brand("x"))).await),
        "PERMISSION_DENIED"
    );
    let ask = UpdateConfigRequest { etag: before.etag.clone(), ..update(&one, "c-1", &brand("x")) };
    let first = town.admin().update_config(ask.clone()).await.unwrap().into_inner().instance.unwrap();
    let stale = UpdateConfigRequest { request_id: "c-2".into(), ..ask.clone() };
    assert_eq!(reason(town.admin().update_config(stale).await), "ETAG_MISMATCH");
    let again = town.admin().update_config(ask).await.unwrap().into_inner().instance.unwrap();
    assert_eq!(again, first, "a repeat is no change, whatever its etag");
    let served = |revision| {
        move |found: &souk_proto::souk::instances::v1::Instance| {
            found.revision == revision && found.waiting_for.is_empty()
        }
    };
    town.until(&one, Duration::from_millis(100), served(2)).await;
    let ask = UpdateConfigRequest { capabilities: vec!["run".into()], ..update(&one, "c-3", &json!({})) };
    let same = town.admin().update_config(ask).await.unwrap().into_inner().instance.unwrap();
    assert_eq!(same.revision, 2, "what says nothing new is no revision");
    let ask = UpdateConfigRequest { capabilities: vec![BRANDING.into()], ..update(&one, "c-4", &json!({})) };
    let unset = town.admin().update_config(ask).await.unwrap().into_inner().instance.unwrap();
    assert_eq!((unset.revision, unset.config_json.as_str()), (3, "{}"));
    assert!(town.admin().terminate(terminate(&one, "t-1", "")).await.is_ok());
    let late = town.admin().update_config(update(&one, "c-5", &brand("y"))).await;
    assert_eq!(reason(late), "ILLEGAL_TRANSITION");
    town.until_state(&one, State::Terminated).await;
    assert_eq!(town.fakes.known.lock().unwrap().reused.len(), 0);
    town.end().await;
}
