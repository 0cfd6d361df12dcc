//! Looks into the tables of a platform that was ended, for what no command shows. Reads, never writes.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};

/// The number that each question of `questions` has as its answer in the tables of `part`.
pub(crate) fn numbers(data: &Path, part: &str, questions: &[&str]) -> Vec<i64> {
    let file = data.join(part).join(format!("{part}.db"));
    let url = format!("sqlite://{}?mode=ro", file.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Database::connect(url).await.unwrap();
        let mut answers = Vec::new();
        for question in questions {
            let asked = Statement::from_string(DbBackend::Sqlite, *question);
            let row = db.query_one_raw(asked).await.unwrap().unwrap();
            answers.push(row.try_get_by_index::<i64>(0).unwrap());
        }
        db.close().await.unwrap();
        answers
    })
}
