//! One write: begin, work, commit, bells; again when PostgreSQL says that another writer won.
//!
//! The only place that begins a transaction. What the work does is not known here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use souk_types::{Event, Random, Time};

use crate::{
    Db, Deps, Error,
    error::{Class, classify},
};

/// How often a write that lost against another is done again.
const RETRIES: u32 = 8;
/// The longest pause before the first retry; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A handle of the transaction in course: clone it into closures, hand it to queries as the connection.
///
/// It dies with the write: a clone that outlives it answers errors and makes the write fail.
#[derive(Clone)]
pub struct Tx {
    live: Weak<DatabaseTransaction>,
    shared: Arc<Shared>,
}

struct Shared {
    service: &'static str,
    backend: DbBackend,
    deps: Deps,
    rung: Mutex<Vec<Arc<str>>>,
    /// A statement lost against another writer: the whole write may be done again.
    conflict: AtomicBool,
    /// A statement failed: the transaction must not commit.
    failed: AtomicBool,
    /// Counts events, so that they keep the order in which they were put.
    puts: AtomicI64,
    /// The first noun that an event was put about, for each actor and trace.
    nouns: Mutex<BTreeMap<(String, String), String>>,
}

impl Tx {
    /// Rings `topic` once the write is committed; listeners of `Db::bell` hear it.
    pub fn ring(&self, topic: impl Into<Arc<str>>) {
        let topic = topic.into();
        let mut rung = self.shared.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !rung.contains(&topic) {
            rung.push(topic);
        }
    }

    /// The service whose database this is.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.shared.service
    }

    /// The injected clock's present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.deps.clock.now()
    }

    /// The injected randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.shared.deps.random.as_ref()
    }

    pub(crate) fn next_put(&self) -> i64 {
        self.shared.puts.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn told(&self, event: &Event) {
        let mut nouns = self.shared.nouns.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = (event.actor.clone(), event.trace.clone());
        nouns.entry(cause).or_insert_with(|| event.aggregate_id.clone());
    }

    /// What the first event that this write put for an actor, in the course of a trace, was about.
    pub(crate) fn noun_of(&self, actor: &str, trace: &str) -> Option<String> {
        let nouns = self.shared.nouns.lock().unwrap_or_else(PoisonError::into_inner);
        nouns.get(&(actor.to_owned(), trace.to_owned())).cloned()
    }

    fn live(&self) -> Result<Arc<DatabaseTransaction>, DbErr> {
        self.live.upgrade().ok_or_else(|| DbErr::Custom(Error::TransactionOver.to_string()))
    }

    fn note<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &outcome {
            self.shared.failed.store(true, Ordering::Relaxed);
            if classify(error) == Class::Conflict {
                self.shared.conflict.store(true, Ordering::Relaxed);
            }
        }
        outcome
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.shared.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.note(self.live()?.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.note(self.live()?.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.note(self.live()?.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.note(self.live()?.query_all_raw(statement).await)
    }
}

/// How one try ended, when it did not commit.
enum Ended<E> {
    /// Another writer won; nothing happened.
    Lost(E),
    /// For good.
    Failed(E),
}

impl Db {
    /// Runs `work` in one transaction and commits when it answers Ok; an error rolls everything back.
    ///
    /// `site` names the commit for ever: `<service>.<what>`. On PostgreSQL `work` runs again when another
    /// writer won, so it must not act outside of the transaction. Topics rung are heard after the commit.
    ///
    /// # Errors
    /// What `work` answers; else what the database says, a handle kept beyond the work included. After
    /// `Error::Unavailable` the commit may have happened: ask again with the same `request_id`.
    pub async fn write<T, E, F, Fut>(&self, site: &'static str, work: F) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<Error> + Send,
    {
        let mut tries = 0;
        loop {
            let pass = self.inner.gate.pass().await;
            let (live, shared) = self.begin().await.map_err(Error::from)?;
            let tx = Tx { live: Arc::downgrade(&live), shared: shared.clone() };
            let outcome = Box::pin(work(tx)).await;
            let error = match self.end(site, live, &shared, outcome).await {
                Ok(value) => return Ok(value),
                Err(Ended::Lost(_)) if tries < RETRIES => None,
                Err(Ended::Lost(error) | Ended::Failed(error)) => Some(error),
            };
            if let Some(error) = error {
                return Err(error);
            }
            drop(pass);
            tries += 1;
            tracing::debug!(site, tries, "another writer won, trying again");
            tokio::time::sleep(self.pause(tries)).await;
        }
    }

    async fn begin(&self) -> Result<(Arc<DatabaseTransaction>, Arc<Shared>), DbErr> {
        let backend = self.backend();
        let options = match backend {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::ReadCommitted),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
        };
        let live = Arc::new(self.inner.pools.writer.begin_with_options(options).await?);
        let shared = Shared {
            service: self.inner.service,
            backend,
            deps: self.inner.deps.clone(),
            rung: Mutex::default(),
            conflict: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            puts: AtomicI64::new(0),
            nouns: Mutex::default(),
        };
        Ok((live, Arc::new(shared)))
    }

    async fn end<T, E: From<Error>>(
        &self,
        site: &'static str,
        live: Arc<DatabaseTransaction>,
        shared: &Shared,
        outcome: Result<T, E>,
    ) -> Result<T, Ended<E>> {
        let kept = Arc::weak_count(&live) > 0;
        // A statement of a kept handle may be running: then its own drop rolls back.
        let Some(transaction) = Arc::into_inner(live) else {
            return Err(Ended::Failed(Error::TransactionLeaked { site }.into()));
        };
        let refusal = match &outcome {
            Ok(_) if kept => Some(Error::TransactionLeaked { site }),
            Ok(_) if shared.failed.load(Ordering::Relaxed) => Some(Error::TransactionSpoiled { site }),
            _ => None,
        };
        let lost = shared.conflict.load(Ordering::Relaxed);
        let value = match (outcome, refusal) {
            (Ok(value), None) => value,
            (outcome, refusal) => {
                // A rollback that fails leaves a broken connection, which rolls back by itself.
                if let Err(error) = transaction.rollback().await {
                    tracing::warn!(site, %error, "rollback failed");
                }
                let error = match (outcome, refusal) {
                    (Err(error), _) => error,
                    (Ok(_), refusal) => refusal.unwrap_or(Error::TransactionSpoiled { site }).into(),
                };
                return Err(if lost { Ended::Lost(error) } else { Ended::Failed(error) });
            }
        };
        self.inner.deps.observer.before(site);
        if let Err(error) = transaction.commit().await {
            return Err(match classify(&error) {
                Class::Conflict => Ended::Lost(Error::from(error).into()),
                _ => Ended::Failed(Error::from(error).into()),
            });
        }
        self.inner.deps.observer.after(site);
        for topic in shared.rung.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Nobody listens: fine, the bell is a convenience.
            let _heard = self.inner.bell.send(topic);
        }
        Ok(value)
    }

    /// A random part of a growing span, so that those who lost do not meet again.
    fn pause(&self, tries: u32) -> Duration {
        let mut byte = [0_u8; 1];
        self.inner.deps.random.fill(&mut byte);
        let span = FIRST_PAUSE.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
        span.saturating_mul(u32::from(byte[0]) + 1) / 256
    }
}
