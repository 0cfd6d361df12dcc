//! What the platform has written down, all of it: every row of every table of every part, and the names of
//! its files. Read beside the running process, never written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
};
use tokio::runtime::Handle;

/// The parts that have tables.
pub(crate) const PARTS: [&str; 8] =
    ["billing", "catalog", "commerce", "delivery", "instances", "models", "runs", "tenancy"];

/// What changes although no caller changed anything: part (`*`: each), table, the rows that do not count
/// (`SQL` condition) or the columns, and why.
const VOLATILE: [(&str, &str, Leave, &str); 7] = [
    ("runs", "run", Leave::Columns(&["heard_time"]), "when somebody last listened to a run that is at work"),
    ("models", "leftover", Leave::Rows("TRUE"), "versions of keys that nothing points to; a loop ends them"),
    ("*", "outbox", Leave::Columns(&["position", "put_order"]), "numbered after the commit, by a loop"),
    ("*", "outbox_head", Leave::Rows("TRUE"), "follows the outbox"),
    ("*", "event_cursor", Leave::Rows("TRUE"), "moves over other parts' events, whatever they mean here"),
    (
        "*",
        "outbox",
        Leave::Rows("kind = 'souk.audit.v1.RequestAnswered' AND payload NOT LIKE '%\"outcome\":\"OK\"%'"),
        "a refused command leaves its line in the audit trail, and nothing else",
    ),
    ("tenancy", "audit_entries", Leave::Rows("outcome <> 'OK'"), "the same line, where it is listed"),
];

/// What of a table does not count.
#[derive(Clone, Copy)]
enum Leave {
    Columns(&'static [&'static str]),
    Rows(&'static str),
}

/// Everything written down, at one moment: `part/table: column=value …`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Dump(Rows);

impl Dump {
    /// What differs, one line each; empty when nothing does.
    pub(crate) fn differences(&self, later: &Self) -> Vec<String> {
        let none = Arc::default();
        let names: BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let (was, is) = (self.0.get(name).unwrap_or(&none), later.0.get(name).unwrap_or(&none));
            found.extend(was.difference(is).map(|row| format!("- {name}: {row}")));
            found.extend(is.difference(was).map(|row| format!("+ {name}: {row}")));
        }
        found
    }

    /// Rows of each table.
    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        self.0.iter().map(|(name, rows)| (name.clone(), i64::try_from(rows.len()).unwrap())).collect()
    }
}

/// The rows of each table.
type Rows = BTreeMap<String, Arc<BTreeSet<String>>>;

/// One database, seen over one connection.
struct Book {
    part: &'static str,
    db: DatabaseConnection,
    /// What SQLite said of the file's version, and what was read then.
    seen: Option<(i64, Rows)>,
}

/// The platform's tables.
pub(crate) struct Tables {
    handle: Handle,
    data: PathBuf,
    books: Vec<Book>,
}

impl Tables {
    /// The tables of the platform whose data directory this is.
    pub(crate) fn of(data: &Path, handle: &Handle) -> Self {
        let mut books = Vec::new();
        for part in PARTS {
            let file = data.join(part).join(format!("{part}.db"));
            let mut options = ConnectOptions::new(format!("sqlite://{}?mode=ro", file.display()));
            // One connection for ever: the version that SQLite tells counts by connection.
            options.max_connections(1).min_connections(1).sqlx_logging(false);
            let db = handle.block_on(Database::connect(options)).unwrap();
            books.push(Book { part, db, seen: None });
        }
        Self { handle: handle.clone(), data: data.to_owned(), books }
    }

    /// The number that a question has as its answer in the tables of `part`.
    pub(crate) fn number(&self, part: &str, question: &str) -> i64 {
        let book = self.books.iter().find(|book| book.part == part).unwrap();
        let rows = self.handle.block_on(rows(&book.db, question));
        rows.first().map_or(0, |row| row.try_get_by_index::<Option<i64>>(0).unwrap().unwrap_or(0))
    }

    /// The texts that a question has as its answers.
    pub(crate) fn texts(&self, part: &str, question: &str) -> Vec<String> {
        let book = self.books.iter().find(|book| book.part == part).unwrap();
        let rows = self.handle.block_on(rows(&book.db, question));
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }

    /// Everything, as it is now. What SQLite says was not written to is not read again.
    pub(crate) fn dump(&mut self) -> Dump {
        let mut all = BTreeMap::new();
        let handle = self.handle.clone();
        for book in &mut self.books {
            all.extend(handle.block_on(book.read()));
        }
        let mut files = BTreeSet::new();
        for folder in ["objects", "secrets"] {
            list(&self.data.join(folder), &mut files);
        }
        all.insert("files".to_owned(), Arc::new(files));
        Dump(all)
    }
}

impl Book {
    async fn read(&mut self) -> BTreeMap<String, Arc<BTreeSet<String>>> {
        let version = rows(&self.db, "PRAGMA data_version").await[0].try_get_by_index(0).unwrap();
        if let Some((seen, known)) = &self.seen
            && *seen == version
        {
            return known.clone();
        }
        let mut all = BTreeMap::new();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        for table in rows(&self.db, tables).await {
            let table: String = table.try_get_by_index(0).unwrap();
            let found = self.table(&table).await;
            all.insert(format!("{}/{table}", self.part), Arc::new(found));
        }
        self.seen = Some((version, all.clone()));
        all
    }

    async fn table(&self, table: &str) -> BTreeSet<String> {
        let ours = |part: &str, named: &str| (part == "*" || part == self.part) && named == table;
        let leave = VOLATILE.iter().filter(|(part, named, ..)| ours(part, named));
        let (mut columns, mut filter) = (Vec::new(), "TRUE".to_owned());
        for (_, _, leave, _) in leave {
            match leave {
                Leave::Columns(names) => columns.extend_from_slice(names),
                Leave::Rows(condition) => filter = format!("{filter} AND NOT ({condition})"),
            }
        }
        let all = rows(&self.db, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
        let all = all.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
        let shown: Vec<_> = all
            .filter(|name| !columns.contains(&name.as_str()))
            .map(|name| format!("'{name}=' || quote(\"{name}\")"))
            .collect();
        let question = format!("SELECT {} FROM \"{table}\" WHERE {filter}", shown.join(" || ' ' || "));
        rows(&self.db, &question).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }
}

async fn rows(db: &DatabaseConnection, question: &str) -> Vec<QueryResult> {
    let asked = Statement::from_string(DbBackend::Sqlite, question);
    db.query_all_raw(asked).await.unwrap_or_else(|error| panic!("{question}: {error}"))
}

/// The files below a folder, by name and size.
fn list(folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => list(&path, found),
            Ok(meta) => {
                found.insert(format!("{} {}", path.display(), meta.len()));
            }
            Err(_) => {}
        }
    }
}
