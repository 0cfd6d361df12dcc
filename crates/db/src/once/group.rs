//! Many requests in one transaction, as a group commit has them: the same as `begin` and `finish` of each, in
//! a statement or two for all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use sea_orm::{ConnectionTrait as _, FromQueryResult as _, Statement, Value};
use serde::{Serialize, de::DeserializeOwned};

use super::{Begun, Request, json, not_open, outcome, row};
use crate::{Error, Tx, audit};

/// Most requests of one statement: engines limit the values of one.
const CHUNK: usize = 500;

/// Space, method and id: what the log knows a request by.
type Key = (String, String, String);

fn key(request: &Request) -> Key {
    (request.space(), request.rpc.to_owned(), request.request_id.clone())
}

/// What became of a request of a group.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a, A> {
    /// The request.
    pub request: &'a Request,
    /// What it is answered.
    pub answer: &'a A,
    /// The noun of the first event that it caused, empty when there is none. Other requests of the group may
    /// have its actor and trace, so this cannot be found out here.
    pub noun: &'a str,
}

/// As `begin` for each request; answers in the order of the requests. What one of them is refused for stands
/// in its place and leaves the others alone.
///
/// Rows are written in the order of their keys: two replicas that carry the same requests wait for each other
/// in one direction only.
///
/// # Errors
/// When the database does not answer; nothing is begun then.
pub async fn begin_all<A: DeserializeOwned>(
    tx: &Tx,
    requests: &[&Request],
) -> Result<Vec<Result<Begun<A>, Error>>, Error> {
    let mut in_order: Vec<(Key, &Request)> =
        requests.iter().map(|request| (key(request), *request)).collect();
    in_order.sort_by(|(one, _), (other, _)| one.cmp(other));
    in_order.dedup_by(|(one, _), (other, _)| one == other);
    let mut fresh = BTreeSet::new();
    for chunk in in_order.chunks(CHUNK) {
        fresh.extend(insert(tx, chunk).await?);
    }
    let asks = requests.iter().map(|request| {
        // A request that comes twice in one group is begun by the first of them.
        let key = key(request);
        let begun = fresh.remove(&key);
        (key, begun)
    });
    let asks: Vec<(Key, bool)> = asks.collect();
    let mut first = BTreeMap::new();
    let before: Vec<&Key> = asks.iter().filter(|(_, begun)| !begun).map(|(key, _)| key).collect();
    for chunk in before.chunks(CHUNK) {
        first.extend(find(tx, chunk).await?);
    }
    let answer = |((key, begun), request): ((Key, bool), &&Request)| {
        if begun { Ok(Begun::Fresh) } else { outcome(request, first.get(&key)) }
    };
    Ok(asks.into_iter().zip(requests).map(answer).collect())
}

/// As `finish` for each request.
///
/// # Errors
/// When one of the requests was never begun or has its answer, or when the database does not answer; the
/// write must not commit then.
pub async fn finish_all<A: Serialize + Sync>(tx: &Tx, answered: &[Answered<'_, A>]) -> Result<(), Error> {
    for chunk in answered.chunks(CHUNK) {
        let mut values: Vec<Value> = vec![tx.now().micros().into()];
        for Answered { request, answer, .. } in chunk {
            let (space, rpc, id) = key(request);
            values.extend([space.into(), rpc.into(), id.into(), request.digest.clone().into()]);
            values.push(json(*answer)?.into());
        }
        let rows = tuples(chunk.len(), 5, 2);
        let sql = format!(
            "UPDATE request_log SET end_time = $1, answer = v.column5 FROM (VALUES {rows}) AS v
             WHERE request_log.subject = v.column1 AND request_log.rpc = v.column2
             AND request_log.request_id = v.column3 AND request_log.digest = v.column4
             AND request_log.answer IS NULL"
        );
        let done = tx.execute_raw(statement(tx, sql, values)).await?.rows_affected();
        if let Some(Answered { request, .. }) = chunk.first()
            && u64::try_from(chunk.len()) != Ok(done)
        {
            return Err(not_open(request));
        }
    }
    audit::all_answered(tx, answered.iter().map(|one| (one.request, one.noun))).await
}

/// Writes intents; answers those that were not there.
async fn insert(tx: &Tx, requests: &[(Key, &Request)]) -> Result<Vec<Key>, Error> {
    let mut values: Vec<Value> = Vec::with_capacity(requests.len() * 8);
    for ((space, rpc, id), request) in requests {
        values.extend([space.clone().into(), rpc.clone().into(), id.clone().into()]);
        values.extend([request.org_id.map(|org| org.to_string()).into(), request.digest.clone().into()]);
        values.extend([request.actor.clone().into(), request.trace.clone().into()]);
        values.push(tx.now().micros().into());
    }
    let rows = tuples(requests.len(), 8, 1);
    let sql = format!(
        "INSERT INTO request_log (subject, rpc, request_id, org_id, digest, actor, trace, begin_time)
         VALUES {rows} ON CONFLICT (subject, rpc, request_id) DO NOTHING RETURNING subject, rpc, request_id"
    );
    let rows = tx.query_all_raw(statement(tx, sql, values)).await?;
    let key = |row: &sea_orm::QueryResult| {
        Ok((row.try_get("", "subject")?, row.try_get("", "rpc")?, row.try_get("", "request_id")?))
    };
    rows.iter().map(key).collect()
}

/// The rows of these requests. Copies that came first have committed: a statement of READ COMMITTED sees them.
async fn find(tx: &Tx, keys: &[&Key]) -> Result<Vec<(Key, row::Model)>, Error> {
    let parts = |(space, rpc, id): &&Key| [space.clone().into(), rpc.clone().into(), id.clone().into()];
    let values: Vec<Value> = keys.iter().flat_map(parts).collect();
    let rows = tuples(keys.len(), 3, 1);
    let sql = format!(
        "SELECT r.* FROM (VALUES {rows}) AS v JOIN request_log AS r
         ON r.subject = v.column1 AND r.rpc = v.column2 AND r.request_id = v.column3"
    );
    let rows = tx.query_all_raw(statement(tx, sql, values)).await?;
    let keyed = |row: &sea_orm::QueryResult| {
        let row = row::Model::from_query_result(row, "")?;
        Ok(((row.subject.clone(), row.rpc.clone(), row.request_id.clone()), row))
    };
    rows.iter().map(keyed).collect()
}

fn statement(tx: &Tx, sql: String, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// `($1, $2), ($3, $4)`: rows of so many values, the first of them numbered `from`.
fn tuples(rows: usize, width: usize, from: usize) -> String {
    let mut text = String::new();
    for place in 0..rows * width {
        let before = match (place, place % width) {
            (0, _) => "(",
            (_, 0) => "), (",
            _ => ", ",
        };
        // Writing to a string does not fail.
        let _written = write!(text, "{before}${}", from + place);
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::tuples;

    #[test]
    fn values_are_numbered_through() {
        assert_eq!(tuples(1, 1, 1), "($1)");
        assert_eq!(tuples(2, 3, 2), "($2, $3, $4), ($5, $6, $7)");
    }
}
