//! The loops of tenancy: workspaces get their wallets, and what is over is forgotten.

use std::{sync::Arc, time::Duration};

use souk_kit::{House, Work};

use crate::service::Service;

/// How long a loop rests when nothing rings.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what is over is forgotten.
const SWEEP: Duration = Duration::from_secs(3600);

/// Every loop of the part.
pub(crate) fn all(house: &House, service: &Arc<Service>) -> Vec<Work> {
    let (makes, forgets) = (Arc::clone(service), Arc::clone(service));
    let workspaces = Work::every(house, "workspaces", PAUSE, None, move || {
        let service = Arc::clone(&makes);
        async move { service.workspaces_turn().await }
    });
    let sweep = Work::every(house, "sweep", SWEEP, None, move || {
        let service = Arc::clone(&forgets);
        async move { service.sweep_turn().await }
    });
    vec![workspaces, sweep]
}
