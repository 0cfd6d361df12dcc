//! A genuine PostgreSQL server of this test process's own, on a unix socket in a temporary directory.
//!
//! It ends with the process, however that ends: a watchdog holds the other end of a pipe. Where the
//! programs of PostgreSQL are not installed there is none, said loudly; with `SOUK_CI=1` that is a failure.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use souk_db::Target;
use souk_types::Secret;

/// How often the server is asked whether it is up, and how long between.
const ASKS: u32 = 600;
const BETWEEN: Duration = Duration::from_millis(50);

/// What the watchdog runs: the server in the background, until the test process closes the pipe.
const WATCHDOG: &str = r#"
"$@" >"$DIR/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$DIR"
"#;

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    socket: PathBuf,
    /// Holds the pipe; never waited for, since the watchdog outlives the last test by design.
    _watchdog: Child,
}

impl Postgres {
    /// The server of this process, started at the first call; `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start, or is not installed and `SOUK_CI` is 1.
    pub fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
        SERVER.get_or_init(start).as_ref()
    }

    /// Where a client connects.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://souk@localhost/postgres?host={}", self.socket.display())
    }

    /// A schema that no other test has. It comes into being when it is migrated.
    #[must_use]
    pub fn schema(&self, service: &str) -> Target {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let schema = format!("{service}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Target::Postgres { url: Secret::new(self.url()), schema }
    }
}

#[expect(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]
fn start() -> Option<Postgres> {
    let Some(bin) = programs() else {
        assert!(
            std::env::var_os("SOUK_CI").is_none_or(|ci| ci != "1"),
            "postgresql binaries not found, and SOUK_CI=1 forbids to go without"
        );
        // Not by eprintln, which the test harness swallows when the test passes.
        let _told = writeln!(std::io::stderr(), "SKIPPED: postgresql binaries not found");
        return None;
    };
    let dir = tempfile::Builder::new().prefix("souk-pg-").tempdir().expect("a temporary directory").keep();
    let user = server_user();
    if let Some((user, group)) = &user {
        run(Command::new("chown").arg(format!("{user}:{group}")).arg(&dir));
    }
    let data = dir.join("data");
    run(drop_to(user.as_ref(), &bin.join("initdb"))
        .args(["--auth=trust", "--username=souk", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
        .arg(&data)
        .current_dir(&dir));
    let server = drop_to(user.as_ref(), &bin.join("postgres"));
    let watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "souk-postgres-watchdog"])
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&dir)
        .args(["-c", "listen_addresses=", "-c", "max_connections=400", "-c", "shared_buffers=64MB"])
        .env("DIR", &dir)
        .current_dir(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // An interrupt of the tests reaches the server through the pipe, in order.
        .process_group(0)
        .spawn()
        .expect("sh starts");
    for _ in 0..ASKS {
        let asked = Command::new(bin.join("pg_isready")).args(["-q", "-U", "souk", "-h"]).arg(&dir).status();
        if asked.expect("pg_isready starts").success() {
            return Some(Postgres { socket: dir, _watchdog: watchdog });
        }
        std::thread::sleep(BETWEEN);
    }
    let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    drop(watchdog);
    panic!("PostgreSQL did not start: {log}")
}

/// The folder of the newest installed programs.
fn programs() -> Option<PathBuf> {
    let version = |bin: &PathBuf| -> u32 {
        let name = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<_> = packaged.map(|version| version.path().join("bin")).collect();
    packaged.sort_by_key(version);
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path))
        .find(|bin| ["initdb", "postgres", "pg_isready"].iter().all(|program| bin.join(program).is_file()))
}

/// Whom the server runs as, user and group, when the tests run as root, which PostgreSQL refuses; `None`
/// for themselves.
fn server_user() -> Option<(String, String)> {
    let id = |args: &[&str]| {
        let found = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(found.stdout).ok()?.trim().to_owned();
        found.status.success().then_some(text)
    };
    if id(&["-u"])? != "0" {
        return None;
    }
    ["postgres", "nobody"].into_iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn drop_to(user: Option<&(String, String)>, program: &Path) -> Command {
    match user {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", group, "--clear-groups", "--"]).arg(program);
            command
        }
    }
}

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
