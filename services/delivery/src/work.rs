//! Delivery's loops: committer and reconciler.

use std::{sync::Arc, time::Duration};

use souk_db::Db;
use souk_kit::{House, Wake, Work};

use crate::{
    config::Config,
    service::Service,
    store::{COMMITTED, TO_COMMIT},
};

/// How often the committer looks for rows whose next attempt is due; callers commit for themselves.
const COMMIT_PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn loops(house: &House, config: &Config, db: &Db, service: &Arc<Service>) -> Vec<Work> {
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
    vec![commit, reconcile]
}
