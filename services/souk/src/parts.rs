//! How each part is built from its settings, its database and what else it needs.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::Router;
use souk_db::{CommitObserver, Db, Deps, Migration, Target};
use souk_kit::{House, Mesh, Mounted};
use souk_objects::Objects;
use souk_secrets::{Sealed, Secrets};
use souk_types::{Fault, PartName};

use crate::settings::Settings;

/// What a process is given besides its settings. Tests put their own observer in.
pub(crate) struct Ground<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) data: &'a Path,
    pub(crate) observer: &'a Arc<dyn CommitObserver>,
}

/// What building the parts left in hand.
#[derive(Default)]
pub(crate) struct Hands {
    /// The public port's router, where the gateway runs here.
    pub(crate) public: Option<Router>,
    /// Every database that was opened, to be closed at the end.
    pub(crate) databases: BTreeMap<PartName, Db>,
}

/// The schema of a part; `None` where it has no database.
pub(crate) const fn migrations(part: PartName) -> Option<&'static [Migration]> {
    match part {
        PartName::Tenancy => Some(souk_tenancy::MIGRATIONS),
        PartName::Catalog => Some(souk_catalog::MIGRATIONS),
        PartName::Billing => Some(souk_billing::MIGRATIONS),
        PartName::Instances => Some(souk_instances::MIGRATIONS),
        PartName::Delivery => Some(souk_delivery::MIGRATIONS),
        PartName::Commerce => Some(souk_commerce::MIGRATIONS),
        PartName::Runs => Some(souk_runs::MIGRATIONS),
        PartName::Models => Some(souk_models::MIGRATIONS),
        PartName::Runner | PartName::Gateway => None,
    }
}

impl Ground<'_> {
    /// Builds a part and serves it.
    pub(crate) async fn build(
        &self,
        mesh: &mut Mesh,
        part: PartName,
        hands: &mut Hands,
    ) -> Result<(), Fault> {
        let house = mesh.house(part).map_err(|error| Fault::bug("souk", error))?;
        let mounted = self.mounted(&house, part, hands).await?;
        mesh.serve(&house, mounted).map_err(|error| Fault::bug("souk", error))
    }

    async fn mounted(&self, house: &House, part: PartName, hands: &mut Hands) -> Result<Mounted, Fault> {
        let settings = self.settings;
        match part {
            PartName::Tenancy => {
                souk_tenancy::build(house, &settings.tenancy, self.database(house, part, hands).await?)
            }
            PartName::Catalog => {
                let db = self.database(house, part, hands).await?;
                souk_catalog::build(house, &settings.catalog, db, self.objects().await?)
            }
            PartName::Billing => {
                souk_billing::build(house, &settings.billing, self.database(house, part, hands).await?)
            }
            PartName::Instances => {
                souk_instances::build(house, &settings.instances, self.database(house, part, hands).await?)
            }
            PartName::Delivery => {
                souk_delivery::build(house, &settings.delivery, self.database(house, part, hands).await?)
            }
            PartName::Commerce => {
                souk_commerce::build(house, &settings.commerce, self.database(house, part, hands).await?)
            }
            PartName::Runs => {
                souk_runs::build(house, &settings.runs, self.database(house, part, hands).await?)
            }
            PartName::Models => {
                let db = self.database(house, part, hands).await?;
                souk_models::build(house, &settings.models, db, self.secrets(house).await?)
            }
            PartName::Runner => {
                let (objects, secrets) = (self.objects().await?, self.secrets(house).await?);
                souk_runner::build(house, &settings.runner, objects, secrets)
            }
            PartName::Gateway => {
                let built = souk_gateway::build(house, &settings.gateway)?;
                hands.public = Some(built.public);
                Ok(built.mounted)
            }
        }
    }

    async fn objects(&self) -> Result<Objects, Fault> {
        Objects::open_dir(&self.data.join("objects")).await.map_err(|error| error.into_fault("souk"))
    }

    /// The sealed store: every process of the directory opens the same one.
    async fn secrets(&self, house: &House) -> Result<Secrets, Fault> {
        let (dir, root) = (self.data.join("secrets"), self.data.join("secrets.key"));
        let sealed = Sealed::open(&dir, &root, house.random()).await;
        Ok(Arc::new(sealed.map_err(|error| error.into_fault("souk"))?))
    }

    async fn database(&self, house: &House, part: PartName, hands: &mut Hands) -> Result<Db, Fault> {
        let target = self.target(part)?;
        let mut deps = Deps::new(house.clock(), house.random());
        deps.observer = Arc::clone(self.observer);
        deps.keep_events = Duration::from_secs(u64::from(self.settings.database.events_days) * 86_400);
        let migrations = migrations(part).unwrap_or_default();
        let db = Db::open(part.as_str(), target, deps, migrations).await;
        let db = db.map_err(|error| error.into_fault(part.as_str()))?;
        hands.databases.insert(part, db.clone());
        Ok(db)
    }

    /// Where a part's tables live.
    pub(crate) fn target(&self, part: PartName) -> Result<Target, Fault> {
        self.settings.target(self.data, part).map_err(|error| Fault::bug("souk", error))
    }
}
