//! Where a consumer of another part's events stands, moved in the transaction of its effect.
//!
//! That is what makes an event take effect once: the move and the effect commit together, and a second
//! consumer that read the same events finds the cursor gone.

use sea_orm::{ConnectionTrait, Statement};

use crate::{Error, Tx};

/// The last position that took effect here; 0 before the first. `source` names the followed log and who
/// follows it: `catalog/offerings`.
///
/// # Errors
/// When the database does not answer.
pub async fn get(conn: &impl ConnectionTrait, source: &str) -> Result<i64, Error> {
    let sql = "SELECT position FROM event_cursor WHERE source = $1";
    let query = Statement::from_sql_and_values(conn.get_database_backend(), sql, [source.into()]);
    Ok(match conn.query_one_raw(query).await? {
        Some(row) => row.try_get("", "position")?,
        None => 0,
    })
}

/// Moves the cursor from where `get` found it to the last event of the batch that takes effect in `tx`.
///
/// # Errors
/// `Error::CursorMoved` when it is not there any more: roll back, another consumer had these events.
pub async fn advance(tx: &Tx, source: &str, from: i64, to: i64) -> Result<(), Error> {
    let (backend, now) = (tx.get_database_backend(), tx.now().micros());
    let moved = || Error::CursorMoved { source_name: source.to_owned(), from };
    if to < from {
        return Err(moved());
    }
    let sql = "UPDATE event_cursor SET position = $1, move_time = $2 WHERE source = $3 AND position = $4";
    let values = [to.into(), now.into(), source.into(), from.into()];
    let done = tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    if from != 0 {
        return Err(moved());
    }
    let sql = "INSERT INTO event_cursor (source, position, move_time) VALUES ($1, $2, $3)
               ON CONFLICT (source) DO NOTHING";
    let values = [source.into(), to.into(), now.into()];
    let made = tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    if made.rows_affected() == 1 { Ok(()) } else { Err(moved()) }
}
