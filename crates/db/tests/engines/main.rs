//! The database on every engine: each suite runs on SQLite and, where it is installed, on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, spawns its own tasks and grants its own scopes"
)]

mod log;
mod migrations;
mod request;
mod scopes;
mod upkeep;
mod writes;

use sea_orm::{ConnectionTrait, Statement};
use souk_db::{Db, Error, Migration, Tx};
use souk_testkit::Database;

/// The tables of these suites.
const NOTES: &[Migration] = &[Migration {
    name: "0001-notes",
    up: &[
        "CREATE TABLE note (id {id} PRIMARY KEY, org_id {id} NOT NULL, count BIGINT NOT NULL, body {text} NOT NULL)",
    ],
}];

/// Migrated databases of all engines.
async fn all() -> Vec<Database> {
    souk_testkit::databases("notes", NOTES).await
}

async fn add(tx: &Tx, id: &str) -> Result<(), Error> {
    let sql = "INSERT INTO note (id, org_id, count, body) VALUES ($1, 'org', 1, '')";
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, [id.into()])).await?;
    Ok(())
}

async fn bump(tx: &Tx, id: &str) -> Result<(), Error> {
    let sql = "UPDATE note SET count = count + 1 WHERE id = $1";
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, [id.into()])).await?;
    Ok(())
}

async fn number(db: &Db, sql: &str) -> i64 {
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn notes(db: &Db) -> i64 {
    number(db, "SELECT COUNT(*) FROM note").await
}
