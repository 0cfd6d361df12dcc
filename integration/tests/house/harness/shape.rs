//! The shapes that the platform is run in: the suite is the same for each. `SOUK_HOUSE` names one.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait as _, Database};
use souk_testkit::Postgres;

/// How the platform is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every part in one process, on SQLite.
    Together,
    /// Every part in a process of its own, on SQLite.
    Apart,
    /// Every part in one process, on a PostgreSQL that the test started.
    Postgres,
}

impl Shape {
    /// The shape that the environment names; together where it names none.
    pub(crate) fn wanted() -> Self {
        match std::env::var_os("SOUK_HOUSE").as_deref().and_then(|name| name.to_str()) {
            None | Some("together") => Self::Together,
            Some("apart") => Self::Apart,
            Some("postgres") => Self::Postgres,
            Some(other) => panic!("SOUK_HOUSE={other} is no shape"),
        }
    }

    /// The settings that every platform of the shape has, in its data directory.
    pub(crate) fn settings(self, data: &Path) -> String {
        if self != Self::Postgres {
            return String::new();
        }
        let url_file = data.join("database-url");
        if !url_file.exists() {
            std::fs::create_dir_all(data).unwrap();
            std::fs::write(&url_file, fresh_database()).unwrap();
        }
        format!("[database]\nurl_file = {url_file:?}\n")
    }
}

/// The URL of an empty database on the server of this test process.
fn fresh_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = Postgres::shared().expect("PostgreSQL is installed where this shape is asked for").url();
    let name = format!("house_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let (server_of, made) = (server.clone(), name.clone());
    // Tests of every kind come here, with a runtime around them or without.
    let work = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = Database::connect(server_of).await.unwrap();
            db.execute_unprepared(&format!("CREATE DATABASE {made}")).await.unwrap();
            db.close().await.unwrap();
        });
    });
    work.join().unwrap();
    server.replacen("/postgres?", &format!("/{name}?"), 1)
}
