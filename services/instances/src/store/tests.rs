//! The store on both engines: races, replays and what a change writes.

mod many;

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::Map;
use souk_testkit::Database;
use souk_types::{
    Caller, Trace,
    event::Log as _,
    id::{OfferingId, OfferingVersionId, PlanId, UserId},
};

use super::*;
use crate::model::{Limits, Pins, State};

const ORG: OrgId = OrgId::from_bits(1);
const PROJECT: ProjectId = ProjectId::from_bits(11);
const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(600),
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(30),
    rest: Duration::from_secs(300),
    look_again: Duration::from_secs(21_600),
};

fn store(database: &Database) -> Store {
    Store::new((**database).clone(), PATIENCE)
}

async fn all() -> Vec<Database> {
    souk_testkit::databases("instances", MIGRATIONS).await
}

fn draft(store: &Store, automatic: bool) -> Draft {
    let pins = Pins {
        offering_id: OfferingId::from_bits(51),
        offering_version_id: OfferingVersionId::from_bits(52),
        plan_id: PlanId::from_bits(61),
        offering_slug: "support-triage".into(),
        plan_slug: "free".into(),
        artifact_hash: "aa".into(),
        price_schedule_hash: "bb".into(),
        capabilities: vec!["run".into()],
        limits: Limits { runs_per_minute: 3, input_bytes: 9, concurrent_runs: 1 },
        version_config: Map::from_iter([("z".to_owned(), 1.into()), ("a".to_owned(), 2.into())]),
        plan_config: Map::new(),
    };
    let (instance_id, source_ref) = (store.fresh_id(), "it's; -- é".to_owned());
    let effective = pins.version_config.clone();
    Draft { instance_id, org_id: ORG, project_id: PROJECT, pins, source_ref, automatic, effective }
}

fn call(request_id: &str) -> Call {
    Call {
        rpc: "/souk.instances.v1.InstancesService/AutoActivate",
        caller: Caller::User { user_id: UserId::from_bits(7), memberships: Vec::new(), platform: None },
        scope: for_every_tenant(),
        project_id: Some(PROJECT),
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

async fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let row = store.db.read().query_one_raw(Statement::from_string(store.db.backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// Sweeps until nothing is left, and says how many turns it took.
async fn swept(store: &Store, batch: u64) -> usize {
    let mut turns = 1;
    while store.sweep(batch).await.unwrap() {
        turns += 1;
    }
    turns
}

async fn served(store: &Store) -> Instance {
    let id = store.create(&call("served"), &"served", draft(store, false)).await.unwrap();
    serve(store, id).await
}

async fn serve(store: &Store, id: InstanceId) -> Instance {
    let opened = |instance: &mut Instance, patience: &Patience, now| instance.account_opened(patience, now);
    store.let_happen("instances.open_account", id, opened).await.unwrap();
    let applied = |instance: &mut Instance, patience: &Patience, now| instance.applied(1, patience, now);
    store.let_happen("instances.applied", id, applied).await.unwrap()
}

#[tokio::test]
async fn a_row_is_read_as_it_was_written() {
    for database in all().await {
        let store = store(&database);
        let draft = draft(&store, true);
        let id = store.create(&call("r"), &"c", draft.clone()).await.unwrap();
        let found = store.get(&for_every_tenant(), id).await.unwrap();
        assert_eq!(found, Instance::requested(draft, &PATIENCE, store.now()), "{}", database.engine);
    }
}

#[tokio::test]
async fn of_many_activations_at_once_one_makes_the_instance() {
    for database in all().await {
        let store = store(&database);
        let calls: Vec<_> = (0..16).map(|place| call(&format!("r-{place}"))).collect();
        let asks = calls.iter().map(|call| store.activate(call, &"c", draft(&store, true)));
        let ids: Vec<_> =
            futures::future::join_all(asks).await.into_iter().map(|outcome| outcome.unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{}: {ids:?}", database.engine);
        assert_eq!((count(&store, "instance").await, count(&store, "instance_event").await), (1, 1));
    }
}

#[tokio::test]
async fn the_key_is_free_again_once_the_instance_ends() {
    for database in all().await {
        let store = store(&database);
        let first = store.activate(&call("r-1"), &"c", draft(&store, true)).await.unwrap();
        let bought = store.create(&call("r-2"), &"c", draft(&store, false)).await.unwrap();
        assert_ne!(first, bought, "what was bought is not what AutoActivate finds");
        let end =
            |instance: &mut Instance, patience: &Patience, now| instance.terminate("test", patience, now);
        let ended = store.let_happen("instances.test", first, end).await.unwrap();
        assert_eq!((ended.state(), ended.version), (State::Terminating, 2));
        let second = store.activate(&call("r-3"), &"c", draft(&store, true)).await.unwrap();
        assert_ne!(second, first, "{}", database.engine);
        assert_eq!(store.activate(&call("r-1"), &"c", draft(&store, true)).await.unwrap(), first, "replayed");
    }
}

#[tokio::test]
async fn a_new_time_to_look_is_no_change_that_watchers_see() {
    for database in all().await {
        let store = store(&database);
        let id = store.create(&call("r"), &"c", draft(&store, false)).await.unwrap();
        let opened = |instance: &mut Instance, patience: &Patience, now| {
            instance.account_opened(patience, now);
            instance.committed(1, patience, now);
        };
        let before = store.let_happen("instances.test", id, opened).await.unwrap();
        let mut bell = store.bell();
        let awaited = |instance: &mut Instance, patience: &Patience, now| instance.awaited(patience, now);
        let after = store.let_happen("instances.await_applied", id, awaited).await.unwrap();
        assert_eq!(after.version, before.version);
        assert!(bell.try_recv().is_err(), "nobody is woken");
        assert_eq!(store.get(&for_every_tenant(), id).await.unwrap(), after);
        assert!(store.due(10).await.unwrap().is_empty(), "{}", database.engine);
        database.clock.advance(Duration::from_millis(200));
        assert_eq!(store.due(10).await.unwrap(), [after]);
    }
}

#[tokio::test]
async fn an_event_of_another_part_acts_once() {
    for database in all().await {
        let store = store(&database);
        let instance = served(&store).await;
        let wallet = |depleted| News::Wallet { org_id: ORG, depleted };
        for _ in 0..2 {
            store.take("billing", 7, wallet(true)).await.unwrap();
            swept(&store, 10).await;
        }
        let paused = store.get(&for_every_tenant(), instance.instance_id).await.unwrap();
        assert_eq!((paused.state().as_str(), paused.version), ("PAUSED", instance.version + 1));
        store.take("billing", 6, wallet(false)).await.unwrap();
        swept(&store, 10).await;
        let found = store.get(&for_every_tenant(), instance.instance_id).await.unwrap();
        assert_eq!(found, paused, "a position that was passed is not taken back");
        store.take("billing", 8, News::Other).await.unwrap();
        assert_eq!(store.cursor("billing").await.unwrap(), 7, "what means nothing costs no write");
        for (position, stands) in [(9, 9), (3, 9)] {
            store.pass("billing", position).await.unwrap();
            assert_eq!(store.cursor("billing").await.unwrap(), stands, "at {position}");
        }
        store.take("billing", 64, News::Other).await.unwrap();
        assert_eq!(store.cursor("billing").await.unwrap(), 64, "but is not read again for ever");
        store.take("delivery", 1, wallet(false)).await.unwrap();
        swept(&store, 10).await;
        let found = store.get(&for_every_tenant(), instance.instance_id).await.unwrap();
        assert_eq!(found.state(), State::Active, "each log has its own cursor");
        assert_eq!((count(&store, "depleted_wallet").await, count(&store, "sweep").await), (0, 0));
    }
}

#[tokio::test]
async fn every_event_is_kept_and_what_others_need_goes_out() {
    for database in all().await {
        let store = store(&database);
        let instance = served(&store).await;
        assert_eq!(count(&store, "instance_event").await, instance.event_count);
        while store.db.outbox().number_turn().await.unwrap() > 0 {}
        let log = store.db.outbox().after(0, 100).await.unwrap();
        let told: Vec<_> = log
            .iter()
            .map(|(_, event)| event)
            .filter(|event| event.aggregate_id == instance.instance_id.to_string())
            .map(|event| (event.kind.rsplit('.').next().unwrap(), event.aggregate_seq))
            .collect();
        assert_eq!(told, [("InstanceRequested", 1), ("InstanceProvisioning", 2), ("InstanceActivated", 3)]);
        let (_, last) = log.last().unwrap();
        assert_eq!((last.org_id, last.payload["revision"].as_str()), (Some(ORG), Some("1")));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_nobody_up() {
    for database in all().await {
        let store = store(&database);
        let bent = store.create(&call("r-1"), &"c", draft(&store, false)).await.unwrap();
        let good = store.create(&call("r-2"), &"c", draft(&store, false)).await.unwrap();
        let bend = |tx: Tx| async move {
            let sql = "UPDATE instance SET state = 'LOST' WHERE instance_id = $1";
            let bend =
                Statement::from_sql_and_values(tx.get_database_backend(), sql, [bent.to_string().into()]);
            tx.execute_raw(bend).await.map_err(souk_db::Error::from).map(|_| ())
        };
        store.db.write("instances.test", bend).await.unwrap();
        let due: Vec<_> = store.due(10).await.unwrap().iter().map(|due| due.instance_id).collect();
        assert_eq!(due, [good], "{}", database.engine);
        assert!(store.get(&for_every_tenant(), bent).await.is_err());
    }
}
