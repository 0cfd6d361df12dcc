//! Who may do what, and which plans may be taken by whom.

use souk_instances::MIGRATIONS;
use souk_proto::souk::instances::v1::{
    AutoActivateRequest, CreateInstanceRequest, GetEntitlementsRequest, GetInstanceRequest,
    ListInstancesRequest, WatchInstanceRequest,
};
use souk_types::{OfferingVersionId, PlanId, Role};

use crate::{
    fakes::{DRAFT, FREE, Fakes, Mood, PRO, SOLD, VERSION},
    town::{
        FOREIGN_ORG, FOREIGN_PROJECT, ORG, PROJECT, SECOND, Town, activate, create, operator, person, reason,
    },
};

#[tokio::test]
async fn plans_that_are_sold_come_from_the_shop_only() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    assert_eq!(reason(town.admin().create_instance(create("r-1", PRO)).await), "PLAN_NEEDS_PURCHASE");
    let ask = CreateInstanceRequest { project_id: PROJECT.to_string(), ..create("r-1", PRO) };
    town.fakes.known.lock().unwrap().projects.insert(PROJECT, ORG);
    let refused = town.calls(&operator()).create_instance(ask.clone()).await;
    assert_eq!(reason(refused), "PLAN_NEEDS_PURCHASE", "an operator is a person too");
    assert_eq!(reason(town.member().auto_activate(activate("r-1", SOLD)).await), "PLAN_NEEDS_PURCHASE");
    assert!(town.admin().create_instance(create("r-1", FREE)).await.is_ok(), "a refusal keeps the id free");
    let bought = CreateInstanceRequest { request_id: "saleor:1:1".into(), ..ask };
    assert!(town.commerce(ORG).create_instance(bought).await.is_ok());
    let named = CreateInstanceRequest { source_ref: "saleor:1:1".into(), ..create("r-2", FREE) };
    assert_eq!(reason(town.admin().create_instance(named).await), "INVALID_ARGUMENT");
    town.end().await;
}

#[tokio::test]
async fn what_catalog_does_not_offer_is_not_made() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    for missing in [DRAFT, OfferingVersionId::from_bits(99)] {
        let refused = town.member().auto_activate(activate("r-1", missing)).await;
        assert_eq!(reason(refused), "OFFERING_VERSION_NOT_FOUND");
    }
    let other = create("r-1", PlanId::from_bits(99));
    assert_eq!(reason(town.admin().create_instance(other).await), "PLAN_NOT_FOUND");
    let odd = CreateInstanceRequest { offering_version_id: VERSION.to_string(), ..Default::default() };
    assert_eq!(reason(town.admin().create_instance(odd.clone()).await), "REQUEST_ID_REQUIRED");
    let odd = CreateInstanceRequest { request_id: "r".into(), plan_id: "pln_x".into(), ..odd };
    assert_eq!(reason(town.admin().create_instance(odd).await), "INVALID_ARGUMENT");
    town.fakes.known.lock().unwrap().catalog = Mood::Refuses(souk_types::Reason::Unavailable);
    assert_eq!(reason(town.member().auto_activate(activate("r-1", VERSION)).await), "UNAVAILABLE");
    town.fakes.known.lock().unwrap().catalog = Mood::Well;
    assert!(town.member().auto_activate(activate("r-1", VERSION)).await.is_ok(), "nothing had happened");
    town.end().await;
}

#[tokio::test]
async fn a_foreign_tenant_sees_nothing_and_changes_nothing() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let instance_id = town.activate("r-1").await.instance_id;
    let foreign = || town.calls(&person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]));
    let get = || GetInstanceRequest { instance_id: instance_id.clone() };
    let entitled = || GetEntitlementsRequest { instance_id: instance_id.clone() };
    let watch = || WatchInstanceRequest { instance_id: instance_id.clone() };
    assert_eq!(reason(foreign().get_instance(get()).await), "INSTANCE_NOT_FOUND");
    assert_eq!(reason(foreign().get_entitlements(entitled()).await), "INSTANCE_NOT_FOUND");
    assert_eq!(reason(foreign().watch_instance(watch()).await), "INSTANCE_NOT_FOUND");
    let list = ListInstancesRequest { project_id: PROJECT.to_string(), ..Default::default() };
    assert_eq!(reason(foreign().list_instances(list.clone()).await), "PROJECT_NOT_FOUND");
    let ask = AutoActivateRequest { project_id: PROJECT.to_string(), ..activate("r-1", VERSION) };
    assert_eq!(reason(foreign().auto_activate(ask).await), "PROJECT_NOT_FOUND");
    assert_eq!(reason(town.commerce(FOREIGN_ORG).get_instance(get()).await), "INSTANCE_NOT_FOUND");
    let own = foreign().auto_activate(activate("r-1", VERSION)).await.unwrap().into_inner();
    assert_ne!(own.instance_id, instance_id, "request ids are each tenant's own");
    let odd = GetInstanceRequest { instance_id: "ins_x".into() };
    assert_eq!(reason(town.member().get_instance(odd).await), "INVALID_ARGUMENT");
    town.end().await;
}

#[tokio::test]
async fn roles_do_what_the_rules_say() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let instance_id = town.activate("r-1").await.instance_id;
    let viewer = || town.calls(&person(Role::Viewer, ORG, &[PROJECT]));
    assert!(viewer().get_instance(GetInstanceRequest { instance_id }).await.is_ok());
    assert_eq!(reason(viewer().auto_activate(activate("r-2", VERSION)).await), "PERMISSION_DENIED");
    assert_eq!(reason(town.member().create_instance(create("r-2", FREE)).await), "PERMISSION_DENIED");
    let two = || town.calls(&person(Role::Admin, ORG, &[PROJECT, SECOND]));
    assert_eq!(reason(two().auto_activate(activate("r-2", VERSION)).await), "PROJECT_REQUIRED");
    let named = AutoActivateRequest { project_id: SECOND.to_string(), ..activate("r-2", VERSION) };
    let second = two().auto_activate(named).await.unwrap().into_inner().instance_id;
    assert_eq!(
        town.commerce(ORG)
            .get_instance(GetInstanceRequest { instance_id: second.clone() })
            .await
            .unwrap()
            .into_inner()
            .instance
            .unwrap()
            .project_id,
        SECOND.to_string()
    );
    town.end().await;
}

#[tokio::test]
async fn an_operator_acts_for_the_org_that_owns_the_project() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let ask = AutoActivateRequest { project_id: FOREIGN_PROJECT.to_string(), ..activate("r-1", VERSION) };
    let refused = town.calls(&operator()).auto_activate(ask.clone()).await;
    assert_eq!(reason(refused), "PROJECT_NOT_FOUND", "tenancy does not know it");
    town.fakes.known.lock().unwrap().projects.insert(FOREIGN_PROJECT, FOREIGN_ORG);
    let made = town.calls(&operator()).auto_activate(ask).await.unwrap().into_inner();
    let owner = town.calls(&person(Role::Viewer, FOREIGN_ORG, &[FOREIGN_PROJECT]));
    let seen = { owner }.get_instance(GetInstanceRequest { instance_id: made.instance_id }).await.unwrap();
    assert_eq!(seen.into_inner().instance.unwrap().org_id, FOREIGN_ORG.to_string());
    town.end().await;
}
