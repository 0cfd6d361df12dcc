//! The loops of tenancy: workspaces get their wallets, invitations their mails; what other parts tell of
//! people is kept, and what is over is forgotten.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use souk_db::Db;
use souk_kit::{
    House, Wake, Work,
    events::{self, Sink},
};
use souk_types::{Event, Fault, PartName};

use crate::{model::audit, service::Service, store::mails};

/// How long a loop rests when nothing rings.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what is over is forgotten.
const SWEEP: Duration = Duration::from_secs(3600);

/// The parts with a database, whose logs tell of what people asked for.
const KEEPERS: [PartName; 8] = [
    PartName::Tenancy,
    PartName::Catalog,
    PartName::Billing,
    PartName::Instances,
    PartName::Delivery,
    PartName::Commerce,
    PartName::Runs,
    PartName::Models,
];

/// Every loop of the part.
pub(crate) fn all(house: &House, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let (makes, forgets) = (Arc::clone(service), Arc::clone(service));
    let workspaces = Work::every(house, "workspaces", PAUSE, None, move || {
        let service = Arc::clone(&makes);
        async move { service.workspaces_turn().await }
    });
    let sweep = Work::every(house, "sweep", SWEEP, None, move || {
        let service = Arc::clone(&forgets);
        async move { service.sweep_turn().await }
    });
    let sends = Arc::clone(service);
    let wake = Wake::on(db.bell(), mails::TOPIC);
    let letters = Work::every(house, "mails", PAUSE, Some(wake), move || {
        let service = Arc::clone(&sends);
        async move { service.mails_turn().await }
    });
    let mut work = vec![workspaces, sweep, letters];
    work.extend(KEEPERS.iter().map(|source| {
        let sink = Arc::new(Trail { service: Arc::clone(service), source: *source });
        events::follow(house, *source, sink)
    }));
    work
}

/// Keeps what one part's log tells of what people asked for.
pub(crate) struct Trail {
    pub(crate) service: Arc<Service>,
    pub(crate) source: PartName,
}

impl Trail {
    fn name(&self) -> String {
        format!("{}/audit", self.source)
    }
}

#[async_trait]
impl Sink for Trail {
    async fn cursor(&self) -> Result<i64, Fault> {
        Ok(self.service.store().audit_cursor(&self.name()).await?)
    }

    async fn take(&self, position: i64, event: Event) -> Result<(), Fault> {
        let entry = audit::read(&event, souk_db::audit::KIND);
        Ok(self.service.store().take_audit(&self.name(), position, entry.as_ref()).await?)
    }

    async fn passed(&self, position: i64) -> Result<(), Fault> {
        Ok(self.service.store().pass_audit(&self.name(), position).await?)
    }

    /// The trail is made of events alone: what is gone is nowhere else, and what comes is not to be lost too.
    async fn forgotten(&self, floor: i64) -> Result<bool, Fault> {
        self.service.store().pass_audit(&self.name(), floor).await?;
        Ok(true)
    }
}
