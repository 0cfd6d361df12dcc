//! Billing's use cases. Every change goes through one queue into one commit; reads go to the store.
//!
//! Knows neither the wire nor the tables.

mod queue;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use souk_db::{Db, Request, for_every_tenant};
use souk_kit::House;
use souk_types::{
    Call, Clock, Random,
    id::{InstanceId, LedgerEntryId, ReceiptId},
    page::{Page, Paged},
};
use tokio::sync::broadcast;

use self::queue::Queue;
use crate::{
    config::Config,
    error::Error,
    model::{
        Receipt, Wallet,
        ask::{Ask, Reply},
        command::{Command, End},
        ledger::Posted,
        lots::Lot,
        pricing::{Price, Schedule, Share, Usage},
    },
    store::{Asked, Store},
};

/// Whose request ids those of calls without an org are.
const PLATFORM: &str = "platform";

/// Billing, without a door.
pub struct Service {
    store: Store,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    usual_ttl: Duration,
    sweep_batch: u64,
}

impl Service {
    /// The service on a database that [`crate::MIGRATIONS`] made. Its commits run on tasks of the house.
    #[must_use]
    pub fn new(house: &House, config: &Config, db: Db) -> Self {
        let store = Store::new(db);
        Self {
            queue: Arc::new(Queue::new(house.clone(), store.clone(), config.batch)),
            store,
            clock: house.clock(),
            random: house.random(),
            usual_ttl: config.reservation_ttl(),
            sweep_batch: config.sweep_batch,
        }
    }

    /// Does what is asked, once for each request id. A caller that goes away does not take it back.
    ///
    /// # Errors
    /// Why it had no effect; see [`Error`].
    pub async fn perform(&self, call: &Call, ask: Ask) -> Result<Reply, Error> {
        let org_id = match call.scope.org() {
            Some(org_id) => org_id,
            None => self.store.org_of(&call.scope, ask.about()).await?,
        };
        let request = Request::of(call, org_id, Some(org_id), &ask)?;
        let command = ask.command(self.clock.now(), self.random.as_ref(), self.usual_ttl);
        let asked = Asked { request: Some(request), scope: call.scope.clone(), command };
        self.queue.submit(asked).await
    }

    /// Keeps a price schedule and answers the hash of its content.
    ///
    /// # Errors
    /// What is wrong with the schedule; that the request id stands for another one.
    pub async fn put_price_schedule(
        &self,
        call: &Call,
        prices: BTreeMap<String, Price>,
        default_estimate: &[Usage],
    ) -> Result<String, Error> {
        let schedule = Schedule::new(prices, default_estimate)?;
        let request = Request::of(call, PLATFORM, None, &schedule.content_hash())?;
        self.store.put_schedule(&request, &schedule).await
    }

    /// The wallet of the call's org and its lots that hold something, in burn order.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when the org has none.
    pub async fn wallet(&self, call: &Call) -> Result<(Wallet, Vec<Lot>), Error> {
        let org_id = call.scope.org().ok_or(Error::Broken("the call names no org"))?;
        self.store.wallet(&call.scope, org_id).await
    }

    /// The lines on the wallet of the call's org, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger(
        &self,
        call: &Call,
        instance_id: Option<InstanceId>,
        page: &Page,
    ) -> Result<Paged<Posted>, Error> {
        let org_id = call.scope.org().ok_or(Error::Broken("the call names no org"))?;
        self.store.entries(&call.scope, org_id, instance_id, page).await
    }

    /// What a settle charged, and what each dimension added to it.
    ///
    /// # Errors
    /// [`Error::ReceiptNotFound`] outside of the call's reach.
    pub async fn receipt(&self, call: &Call, id: ReceiptId) -> Result<(Receipt, Vec<Share>), Error> {
        self.store.receipt(&call.scope, id).await
    }

    /// Rings for every wallet that changed, by its id.
    pub(crate) fn bell(&self) -> broadcast::Receiver<Arc<str>> {
        self.store.bell()
    }

    /// One turn of the sweep of reservations: gives back those whose time is over. Says whether there may be
    /// more.
    ///
    /// # Errors
    /// When the database does not answer; the next turn finds them again.
    pub async fn sweep(&self) -> Result<bool, Error> {
        let due = self.store.due(self.clock.now(), self.sweep_batch).await?;
        let end = |reservation_id| Command::Expire(End { reservation_id, ledger_entry_id: self.entry_id() });
        self.swept(due.into_iter().map(end).collect()).await
    }

    /// One turn of the sweep of lots: posts the free rest of those whose time is over. Says whether there may
    /// be more.
    ///
    /// # Errors
    /// When the database does not answer; the next turn finds them again.
    pub async fn sweep_lots(&self) -> Result<bool, Error> {
        let due = self.store.wallets_with_expired_lots(self.clock.now(), self.sweep_batch).await?;
        let post = |wallet_id| Command::ExpireLots { wallet_id, ledger_entry_id: self.entry_id() };
        self.swept(due.into_iter().map(post).collect()).await
    }

    fn entry_id(&self) -> LedgerEntryId {
        LedgerEntryId::new(self.clock.now(), self.random.as_ref())
    }

    async fn swept(&self, commands: Vec<Command>) -> Result<bool, Error> {
        let full = u64::try_from(commands.len()).unwrap_or(u64::MAX) >= self.sweep_batch;
        let ended = commands
            .into_iter()
            .map(|command| self.queue.submit(Asked { request: None, scope: for_every_tenant(), command }));
        let mut some = false;
        for outcome in futures::future::join_all(ended).await {
            match outcome {
                Ok(_) => some = true,
                Err(error) if error.may_be_of_one() => {
                    // One that cannot be swept must not keep the others.
                    tracing::error!(%error, "a sweep left something behind");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(full && some)
    }
}
