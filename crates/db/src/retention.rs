//! What is forgotten, and when: answered requests and events that were kept long enough.
//!
//! Events go in the order of their positions, so that what is left has no gap, and the log remembers where it
//! begins. Whoever stands before that hears so: nobody misses an event in silence.

use sea_orm::{ConnectionTrait as _, FromQueryResult as _, Statement};
use souk_types::{Fault, Reason, Time};

use crate::{Db, Error, once, outbox};

/// How many rows of a kind one turn forgets at the most.
const TURN: u64 = 500;

/// What deciding needs of an event.
#[derive(Debug, sea_orm::FromQueryResult)]
struct Old {
    position: i64,
    occur_time: i64,
}

/// One turn: old requests, then old events. Says whether there may be more.
pub(crate) async fn turn(db: &Db) -> Result<bool, Error> {
    let requests = once::forget(db, db.now() - once::KEPT, TURN).await?;
    let events = forget_events(db, db.now() - db.inner.deps.keep_events, TURN).await?;
    Ok(requests >= TURN || events >= TURN)
}

/// Forgets events that happened before `before`, as far as all before them did; at most `limit`.
async fn forget_events(db: &Db, before: Time, limit: u64) -> Result<u64, Error> {
    let backend = db.backend();
    let sql = "SELECT position, occur_time FROM outbox WHERE position IS NOT NULL ORDER BY position LIMIT $1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let oldest = Statement::from_sql_and_values(backend, sql, [limit.into()]);
    let oldest = Old::find_by_statement(oldest).all(db.read()).await?;
    let old = oldest.into_iter().take_while(|event| event.occur_time < before.micros());
    let Some(last) = old.last().map(|event| event.position) else { return Ok(0) };
    db.write("db.forget_events", |tx| async move {
        // The floor first: who reads between the two hears too early, never too late.
        let sql = "UPDATE outbox_head SET floor = $1 WHERE id = 1 AND floor < $1";
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, [last.into()])).await?;
        let sql = "DELETE FROM outbox WHERE position <= $1";
        let gone = tx.execute_raw(Statement::from_sql_and_values(backend, sql, [last.into()])).await?;
        Ok(gone.rows_affected())
    })
    .await
}

/// The position of the last event that was forgotten; 0 when none was.
pub(crate) async fn floor(db: &Db) -> Result<i64, Error> {
    let sql = "SELECT floor FROM outbox_head WHERE id = 1";
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), sql)).await?;
    Ok(row.map(|row| row.try_get("", "floor")).transpose()?.unwrap_or(0))
}

/// What somebody hears who stands before the floor.
pub(crate) fn forgotten(service: &'static str, position: i64, floor: i64) -> Fault {
    let days = outbox::KEPT.as_secs() / 86_400;
    let text =
        format!("events up to {floor} are forgotten, {position} was asked for (kept {days} days or as set)");
    Fault::new(Reason::EventsForgotten, service, text).with("position", position).with("floor", floor)
}
