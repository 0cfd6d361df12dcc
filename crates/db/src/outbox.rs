//! Events, written with the change they tell of and numbered after its commit.
//!
//! A row is inserted without a position. One numberer a service, under the row lock of `outbox_head`, gives
//! consecutive positions to rows that are committed; so what commits late gets a late position and never
//! hides below a cursor that has passed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set,
    DbBackend, ExprTrait as _, QueryOrder as _, QuerySelect as _, Statement,
    entity::prelude::*,
    sea_query::{CaseStatement, Query},
};
use souk_types::{
    Event, Fault, Time,
    event::{Hold, Log},
};
use tokio::sync::broadcast;

use crate::{Db, Error, Tx, retention};

/// How long events are kept where nothing else is said. A follower that is away for longer is told.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The topic that wakes the numberer.
pub const TOPIC: &str = "outbox";
/// How many events one turn numbers at the most.
const TURN: u64 = 500;
/// Most events of one statement: engines limit the values of one.
const CHUNK: usize = 500;
/// How often one looks for what another replica did, which does not ring here.
const POLL: Duration = Duration::from_millis(200);
/// The same where one process owns the file and rings for itself.
const POLL_EMBEDDED: Duration = Duration::from_secs(1);

/// Writes an event with the change it tells of.
///
/// # Errors
/// When the database refuses it, an `event_id` that exists included.
pub async fn put(tx: &Tx, event: &Event) -> Result<(), Error> {
    put_all(tx, std::slice::from_ref(event)).await
}

/// Writes events in this order, in as few statements as the engines allow.
///
/// # Errors
/// As `put`.
pub async fn put_all(tx: &Tx, events: &[Event]) -> Result<(), Error> {
    for chunk in events.chunks(CHUNK) {
        let rows = chunk.iter().map(|event| row::ActiveModel {
            event_id: Set(event.event_id.to_string()),
            position: Set(None),
            put_order: Set(tx.next_put()),
            kind: Set(event.kind.clone()),
            org_id: Set(event.org_id.map(|org| org.to_string())),
            aggregate_id: Set(event.aggregate_id.clone()),
            aggregate_seq: Set(event.aggregate_seq),
            occur_time: Set(event.occur_time.micros()),
            actor: Set(event.actor.clone()),
            trace: Set(event.trace.clone()),
            payload: Set(event.payload.to_string()),
        });
        row::Entity::insert_many(rows).exec_without_returning(tx).await?;
        chunk.iter().for_each(|event| tx.told(event));
        tx.ring(TOPIC);
    }
    Ok(())
}

/// The events of one service: numbers them, and gives them to followers.
#[derive(Clone, Debug)]
pub struct Outbox {
    db: Db,
}

impl Outbox {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    /// One turn of the numberer: gives positions to what is committed, and says to how many events. A full
    /// turn may have left some.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn number_turn(&self) -> Result<u64, Error> {
        // An idle turn takes no lock and no writer.
        let any = "SELECT 1 FROM outbox WHERE position IS NULL LIMIT 1";
        let any = Statement::from_string(self.db.backend(), any);
        if self.db.read().query_one_raw(any).await?.is_none() {
            return Ok(0);
        }
        let (count, head) = self.db.write("db.number_events", |tx| async move { number(&tx).await }).await?;
        self.seen(head);
        Ok(count)
    }

    /// The numberer of this service, to be turned by one loop of the process.
    #[must_use]
    pub fn numberer(&self) -> Numberer {
        Numberer { bell: self.db.bell(), outbox: self.clone() }
    }

    fn poll(&self) -> Duration {
        if self.db.backend() == DbBackend::Postgres { POLL } else { POLL_EMBEDDED }
    }

    /// The highest position assigned so far; 0 when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<i64, Error> {
        let sql = "SELECT position FROM outbox_head WHERE id = 1";
        let head = self.db.read().query_one_raw(Statement::from_string(self.db.backend(), sql)).await?;
        let head = head.map(|row| row.try_get("", "position")).transpose()?.unwrap_or(0);
        self.seen(head);
        Ok(head)
    }

    /// A follower never stands beyond the head, unless this database is an older copy than the follower's.
    /// Left waiting it would say nothing, and then miss what is written up to where it stands.
    async fn reaches(&self, position: i64) -> Result<(), Error> {
        let head = self.head().await?;
        if position <= head {
            return Ok(());
        }
        let behind = format!("a follower stands at {position}, the log ends at {head}: was a copy restored?");
        Err(Error::value("the position", behind))
    }

    fn seen(&self, head: i64) {
        self.db.inner.numbered.send_if_modified(|known| {
            let newer = head > *known;
            if newer {
                *known = head;
            }
            newer
        });
    }
}

/// Numbers what is put, as soon as it is committed.
#[derive(Debug)]
pub struct Numberer {
    outbox: Outbox,
    bell: broadcast::Receiver<Arc<str>>,
}

impl Numberer {
    /// One turn of the loop: numbers everything there is, then waits for the next event, or a while. Says
    /// how many it numbered. May be dropped at any point.
    ///
    /// # Errors
    /// When the database does not answer; pause, then turn again.
    pub async fn turn(&mut self) -> Result<u64, Error> {
        let mut numbered = 0;
        loop {
            match self.outbox.number_turn().await? {
                0 => break,
                count => numbered += count,
            }
        }
        // A ring that was missed by lagging counts as one; events of other replicas need the clock.
        let rung = async {
            while let Ok(topic) = self.bell.recv().await {
                if &*topic == TOPIC {
                    break;
                }
            }
        };
        let _waited = tokio::time::timeout(self.outbox.poll(), rung).await;
        Ok(numbered)
    }
}

#[async_trait]
impl Log for Outbox {
    async fn after(&self, position: i64, limit: u64) -> Result<Vec<(i64, Event)>, Fault> {
        let rows = row::Entity::find()
            .filter(row::Column::Position.gt(position))
            .order_by_asc(row::Column::Position)
            .limit(limit)
            .all(self.db.read())
            .await;
        let service = self.db.service();
        let rows = rows.map_err(|error| Error::from(error).into_fault(service))?;
        match rows.first() {
            None => self.reaches(position).await.map_err(|error| error.into_fault(service))?,
            Some(first) if first.position == Some(position.saturating_add(1)) => {
                return events(rows, service);
            }
            Some(_) => {}
        }
        // Positions have no gaps: what does not begin right after the follower was forgotten in between.
        let floor = retention::floor(&self.db).await.map_err(|error| error.into_fault(service))?;
        if position < floor {
            return Err(retention::forgotten(service, position, floor));
        }
        events(rows, service)
    }

    async fn wait(&self, beyond: i64) {
        let mut numbered = self.db.inner.numbered.subscribe();
        while *numbered.borrow_and_update() <= beyond {
            // Woken by this process's numberer; the look is for what was numbered before the start or by
            // others. A failed look is no news: `after` will say what is wrong.
            match self.head().await {
                Ok(head) if head > beyond => return,
                Ok(_) => {}
                Err(error) => tracing::debug!(service = self.db.service(), %error, "cannot see the head"),
            }
            let _woken = tokio::time::timeout(self.poll(), numbered.changed()).await;
        }
    }

    async fn number(&self) -> Result<(), Fault> {
        let turned = self.numberer().turn().await;
        turned.map(|_| ()).map_err(|error| error.into_fault(self.db.service()))
    }

    async fn forget(&self) -> Result<bool, Fault> {
        retention::turn(&self.db).await.map_err(|error| error.into_fault(self.db.service()))
    }

    async fn hold(&self) -> Result<Hold, Fault> {
        match self.db.hold_writes().await {
            Ok(hold) => Ok(Box::new(hold)),
            Err(error) => Err(error.into_fault(self.db.service())),
        }
    }
}

fn events(rows: Vec<row::Model>, service: &'static str) -> Result<Vec<(i64, Event)>, Fault> {
    rows.into_iter().map(event).collect::<Result<_, _>>().map_err(|error| error.into_fault(service))
}

/// Numbers one batch; answers how many and the head after it.
async fn number(tx: &Tx) -> Result<(u64, i64), Error> {
    let head = lock_head(tx).await?;
    let batch = in_order(batch(tx).await?);
    let Ok(count) = i64::try_from(batch.len()) else { return Ok((0, head)) };
    if count == 0 {
        return Ok((0, head));
    }
    let mut position = CaseStatement::new();
    for (id, place) in batch.iter().zip(head + 1..) {
        position = position.case(row::Column::EventId.eq(id), Expr::value(place));
    }
    row::Entity::update_many()
        .col_expr(row::Column::Position, position.into())
        .filter(row::Column::EventId.is_in(batch))
        .exec(tx)
        .await?;
    let sql = "UPDATE outbox_head SET position = $1 WHERE id = 1";
    let head = head + count;
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, [head.into()])).await?;
    Ok((count.unsigned_abs(), head))
}

async fn lock_head(tx: &Tx) -> Result<i64, Error> {
    let mut query = Query::select();
    query.column("position").from("outbox_head").and_where(Expr::col("id").eq(1_i64)).lock_exclusive();
    match tx.query_one(&query).await? {
        Some(row) => Ok(row.try_get("", "position")?),
        None => Err(Error::value("outbox_head", "the row is missing")),
    }
}

/// What ordering needs of a row.
#[derive(Clone, Debug, PartialEq, Eq, sea_orm::FromQueryResult)]
struct Waiting {
    event_id: String,
    aggregate_id: String,
    aggregate_seq: i64,
    put_order: i64,
}

/// The oldest unnumbered events, and of their nouns also what comes before them in the noun's life: an
/// earlier event can carry a later id, made in the same millisecond or by another replica's clock.
async fn batch(tx: &Tx) -> Result<Vec<Waiting>, DbErr> {
    let waiting = || {
        row::Entity::find()
            .select_only()
            .columns([row::Column::EventId, row::Column::AggregateId])
            .columns([row::Column::AggregateSeq, row::Column::PutOrder])
            .filter(row::Column::Position.is_null())
            .order_by_asc(row::Column::EventId)
    };
    let mut batch: Vec<Waiting> = waiting().limit(TURN).into_model().all(tx).await?;
    if batch.len() as u64 == TURN {
        let mut last: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for event in &batch {
            let at = (event.aggregate_seq, event.put_order);
            last.entry(event.aggregate_id.clone()).and_modify(|known| *known = at.max(*known)).or_insert(at);
        }
        let beyond = batch.last().map(|event| event.event_id.clone()).unwrap_or_default();
        let more: Vec<Waiting> = waiting()
            .filter(row::Column::AggregateId.is_in(last.keys().cloned()))
            .filter(row::Column::EventId.gt(beyond))
            .into_model()
            .all(tx)
            .await?;
        let before = |event: &Waiting| {
            last.get(&event.aggregate_id).is_some_and(|at| (event.aggregate_seq, event.put_order) < *at)
        };
        batch.extend(more.into_iter().filter(before));
    }
    Ok(batch)
}

/// Ids in the order they are numbered: by id, which is by time, but each noun's events in its own order.
fn in_order(batch: Vec<Waiting>) -> Vec<String> {
    let nouns: Vec<String> = batch.iter().map(|event| event.aggregate_id.clone()).collect();
    let mut lives: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for event in batch {
        lives.entry(event.aggregate_id.clone()).or_default().push(event);
    }
    for life in lives.values_mut() {
        // The next one is taken from the end.
        life.sort_by_key(|event| std::cmp::Reverse((event.aggregate_seq, event.put_order)));
    }
    nouns.iter().filter_map(|noun| Some(lives.get_mut(noun)?.pop()?.event_id)).collect()
}

fn event(row: row::Model) -> Result<(i64, Event), Error> {
    let position = row.position.ok_or_else(|| Error::value("position", "missing"))?;
    let org_id = row.org_id.map(|org| org.parse()).transpose();
    let event = Event {
        event_id: row.event_id.parse().map_err(|error| Error::value("event_id", error))?,
        kind: row.kind,
        org_id: org_id.map_err(|error| Error::value("org_id", error))?,
        aggregate_id: row.aggregate_id,
        aggregate_seq: row.aggregate_seq,
        occur_time: Time::from_micros(row.occur_time),
        actor: row.actor,
        trace: row.trace,
        payload: serde_json::from_str(&row.payload).map_err(|error| Error::value("payload", error))?,
    };
    Ok((position, event))
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: String,
        pub position: Option<i64>,
        pub put_order: i64,
        pub kind: String,
        pub org_id: Option<String>,
        pub aggregate_id: String,
        pub aggregate_seq: i64,
        pub occur_time: i64,
        pub actor: String,
        pub trace: String,
        pub payload: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(id: &str, noun: &str, seq: i64, put: i64) -> Waiting {
        Waiting { event_id: id.into(), aggregate_id: noun.into(), aggregate_seq: seq, put_order: put }
    }

    #[test]
    fn a_nouns_events_keep_their_order_whatever_their_ids() {
        let batch = vec![
            waiting("e1", "a", 2, 0),
            waiting("e2", "b", 1, 0),
            waiting("e3", "a", 1, 0),
            waiting("e4", "b", 2, 1),
            waiting("e5", "b", 2, 0),
        ];
        assert_eq!(in_order(batch), ["e3", "e2", "e1", "e5", "e4"]);
    }
}
