//! The loops of tenancy: events get their numbers, workspaces their wallets, and what is over is forgotten.

use std::{sync::Arc, time::Duration};

use souk_db::{Db, outbox};
use souk_kit::{House, Wake, Work};

use crate::{error::Error, service::Service};

/// How long a loop rests when nothing rings.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what is over is forgotten.
const SWEEP: Duration = Duration::from_secs(3600);

/// Every loop of the part.
pub(crate) fn all(house: &House, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let outbox = db.outbox();
    let wake = Wake::on(db.bell(), outbox::TOPIC);
    let numberer = Work::every(house, "numberer", PAUSE, Some(wake), move || {
        let outbox = outbox.clone();
        async move { Ok::<_, Error>(outbox.number_turn().await? > 0) }
    });
    let (makes, forgets) = (Arc::clone(service), Arc::clone(service));
    let workspaces = Work::every(house, "workspaces", PAUSE, None, move || {
        let service = Arc::clone(&makes);
        async move { service.workspaces_turn().await }
    });
    let sweep = Work::every(house, "sweep", SWEEP, None, move || {
        let service = Arc::clone(&forgets);
        async move { service.sweep_turn().await }
    });
    vec![numberer, workspaces, sweep]
}
