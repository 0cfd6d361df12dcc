//! The use cases: what operators and the shop adapter ask for, and what the loops do with what was kept.
//!
//! Peers are asked before or after a write, never within one.

use std::collections::BTreeMap;

use souk_types::{
    Acting, Call,
    id::{OrderId, ShopId},
    page::{Page, Paged},
};

use crate::{
    Error,
    model::{
        Record, Shop,
        command::{AddShop, Ingest, LinkBuyer, MapVariant, ReplayOrder, Taken, Wish},
        inbox::Delivery,
        mapping::{Found, Mapping, PlanRef, Source, Target},
        plan::Policy,
    },
    outside::saleor::{address::ApiUrl, jwks::KeySet},
    peers::Peers,
    store::{Judging, Store},
};

/// How often the catalogue is asked for what a snapshot wants before that is taken for a mistake: what it
/// wants can only grow while somebody deletes mappings.
const ROUNDS: u32 = 5;

/// The use cases of commerce.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) peers: Peers,
    pub(crate) policy: Policy,
}

impl Service {
    /// Adds a shop.
    pub(crate) async fn add_shop(&self, call: &Call, ask: AddShop) -> Result<Shop, Error> {
        ApiUrl::parse(&ask.api_url)?;
        if let Some(document) = &ask.jwks_json {
            let keys = KeySet::parse(document.as_bytes())?;
            if keys.is_empty() {
                return Err(Error::JwksInvalid { why: "it holds no key for signatures".to_owned() });
            }
        }
        if let Some(shop) = self.store.answered(call, &ask).await? {
            return Ok(shop);
        }
        let fallback = match ask.fallback_project_id {
            Some(project_id) => Some(self.peers.tenancy.owner(call.acting_for_platform(), project_id).await?),
            None => None,
        };
        self.store.add_shop(call, &ask, fallback).await
    }

    /// Lists shops.
    pub(crate) async fn list_shops(&self, call: &Call, page: &Page) -> Result<Paged<Shop>, Error> {
        self.store.list_shops(&call.scope, page).await
    }

    /// Links a buyer to a project.
    pub(crate) async fn link_buyer(&self, call: &Call, ask: LinkBuyer) -> Result<u64, Error> {
        if let Some(count) = self.store.answered(call, &ask).await? {
            return Ok(count);
        }
        let owner = self.peers.tenancy.owner(call.acting_for_platform(), ask.project_id).await?;
        self.store.link_buyer(call, &ask, owner).await
    }

    /// Maps a variant.
    pub(crate) async fn map_variant(&self, call: &Call, ask: MapVariant) -> Result<u64, Error> {
        if let Some(count) = self.store.answered(call, &ask).await? {
            return Ok(count);
        }
        let target = match ask.wish {
            Wish::Credits(credits) => Target::Pack { credits },
            Wish::Plan { offering_version_id, plan_id } => {
                let acting = call.acting_for_platform();
                let wanted = self.peers.catalog.slugs(acting, offering_version_id, plan_id).await?;
                Target::Plan { wanted, offering_version_id, plan_id }
            }
        };
        self.store.map_variant(call, &ask, &Mapping { target, source: Source::Operator }).await
    }

    /// Lists orders.
    pub(crate) async fn list_orders(
        &self,
        call: &Call,
        shop_id: Option<ShopId>,
        parked: bool,
        page: &Page,
    ) -> Result<Paged<Record>, Error> {
        self.store.list_orders(&call.scope, shop_id, parked, page).await
    }

    /// Takes in what a delivery says.
    pub(crate) async fn ingest(&self, call: &Call, ask: Ingest) -> Result<Taken, Error> {
        let mut judging = self.judging();
        for _ in 0..ROUNDS {
            match self.store.ingest(call, &ask, &judging).await {
                Err(Error::Wanted(plans)) => {
                    self.look_up(call.acting_for_platform(), plans, &mut judging).await?
                }
                outcome => return outcome,
            }
        }
        Err(never_enough())
    }

    /// Tries an order's parked lines again.
    pub(crate) async fn replay_order(&self, call: &Call, ask: ReplayOrder) -> Result<Record, Error> {
        let mut judging = self.judging();
        for _ in 0..ROUNDS {
            match self.store.replay_order(call, &ask, &judging).await {
                Err(Error::Wanted(plans)) => {
                    self.look_up(call.acting_for_platform(), plans, &mut judging).await?
                }
                outcome => return outcome,
            }
        }
        Err(never_enough())
    }

    /// Judges an order again, in the course of no call.
    pub(crate) async fn judge_order(&self, acting: Acting, order_id: OrderId) -> Result<(), Error> {
        let mut judging = self.judging();
        for _ in 0..ROUNDS {
            match self.store.judge_order(order_id, &judging).await {
                Err(Error::Wanted(plans)) => self.look_up(acting.clone(), plans, &mut judging).await?,
                outcome => return outcome,
            }
        }
        Err(never_enough())
    }

    /// The shop that a delivery names.
    pub(crate) async fn shop_by_api_url(&self, api_url: &str) -> Result<Shop, Error> {
        let found = self.store.shop_by_api_url(api_url).await?;
        found.ok_or_else(|| Error::ShopUnknown { api_url: api_url.chars().take(500).collect() })
    }

    /// Keeps a proven delivery; `false` when exactly this one is kept already.
    pub(crate) async fn keep(&self, delivery: &Delivery) -> Result<bool, Error> {
        self.store.keep(delivery).await
    }

    fn judging(&self) -> Judging {
        Judging { catalog: BTreeMap::new(), policy: self.policy }
    }

    async fn look_up(
        &self,
        acting: Acting,
        plans: impl IntoIterator<Item = PlanRef> + Send,
        judging: &mut Judging,
    ) -> Result<(), Error> {
        let plans: Vec<PlanRef> = plans.into_iter().collect();
        for plan in plans {
            let found: Found = self.peers.catalog.resolve(acting.clone(), &plan).await?;
            judging.catalog.insert(plan, found);
        }
        Ok(())
    }
}

fn never_enough() -> Error {
    Error::Bug("the catalogue's answers were never enough".into())
}
