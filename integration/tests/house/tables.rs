//! Looks into the tables of a platform that was ended, for what no command shows. Reads, never writes.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DbBackend, Statement};

/// The number that each question of `questions` has as its answer in the tables of `part`, whichever
/// database they are in.
pub(crate) fn numbers(data: &Path, part: &str, questions: &[&str]) -> Vec<i64> {
    let named = std::fs::read_to_string(data.join("database-url")).ok();
    let backend = if named.is_some() { DbBackend::Postgres } else { DbBackend::Sqlite };
    let file = data.join(part).join(format!("{part}.db"));
    let url = named.unwrap_or_else(|| format!("sqlite://{}?mode=ro", file.display()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // One connection: the search path is the session's.
        let one = ConnectOptions::new(url).max_connections(1).to_owned();
        let db = Database::connect(one).await.unwrap();
        if backend == DbBackend::Postgres {
            db.execute_unprepared(&format!("SET search_path TO souk_{part}")).await.unwrap();
        }
        let mut answers = Vec::new();
        for question in questions {
            let asked = match backend {
                // A sum of BIGINT is NUMERIC there.
                DbBackend::Postgres => format!("SELECT CAST(({question}) AS BIGINT)"),
                _ => (*question).to_owned(),
            };
            let asked = Statement::from_string(backend, asked);
            let row = db.query_one_raw(asked).await.unwrap().unwrap();
            answers.push(row.try_get_by_index::<i64>(0).unwrap());
        }
        db.close().await.unwrap();
        answers
    })
}
