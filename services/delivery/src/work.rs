//! Delivery's loops: committer, reconciler, numberer of events, and the end of old requests.

use std::{sync::Arc, time::Duration};

use souk_db::{
    Db,
    once::{KEPT, forget},
    outbox,
};
use souk_kit::{House, Wake, Work};

use crate::{
    config::Config,
    service::Service,
    store::{COMMITTED, TO_COMMIT},
};

/// How often the committer looks for rows whose next attempt is due; callers commit for themselves.
const COMMIT_PAUSE: Duration = Duration::from_millis(500);
/// How often old requests are looked for.
const FORGET_PAUSE: Duration = Duration::from_secs(3600);
/// How many old requests go at once.
const FORGOTTEN: u64 = 500;

pub(crate) fn loops(house: &House, config: &Config, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let number = {
        let outbox = db.outbox();
        let wake = Wake::on(db.bell(), outbox::TOPIC);
        Work::every(house, "number events", house.poll(), Some(wake), move || {
            let outbox = outbox.clone();
            async move { outbox.number_turn().await.map(|count| count > 0) }
        })
    };
    let commit = {
        let (service, wake) = (Arc::clone(service), Wake::on(db.bell(), TO_COMMIT));
        Work::every(house, "commit desired state", COMMIT_PAUSE, Some(wake), move || {
            let service = Arc::clone(&service);
            async move { service.commit_turn().await }
        })
    };
    let reconcile = {
        let (service, wake) = (Arc::clone(service), Wake::on(db.bell(), COMMITTED));
        Work::every(house, "reconcile", config.reconcile_pause(), Some(wake), move || {
            let service = Arc::clone(&service);
            async move { service.reconcile_turn().await }
        })
    };
    let forget = {
        let db = db.clone();
        Work::every(house, "forget requests", FORGET_PAUSE, None, move || {
            let db = db.clone();
            async move { forget(&db, db.now() - KEPT, FORGOTTEN).await.map(|gone| gone >= FORGOTTEN) }
        })
    };
    vec![number, commit, reconcile, forget]
}
