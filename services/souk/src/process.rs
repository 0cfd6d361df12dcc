//! A process of the platform: which parts run here, what it holds, how it starts and how it ends.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use clap::Args;
use souk_db::{CommitObserver, Db, Deps, Unobserved};
use souk_kit::{
    Mesh, Surroundings,
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
    listen,
    lock::{self, Lock},
    mesh::plain_server,
    telemetry,
};
use souk_types::{Fault, PartName};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    parts::{Ground, Hands, migrations},
    settings::Settings,
};

/// The keyring's file in the data directory.
pub(crate) const KEYRING: &str = "keyring";
/// The operator's socket in the data directory.
pub(crate) const MESH_SOCKET: &str = "mesh.sock";
/// How often watchers look by themselves when everything runs in one process: changes ring here.
const POLL_TOGETHER: Duration = Duration::from_secs(1);
/// How often they look when others may change what they watch.
const POLL_APART: Duration = Duration::from_millis(200);

/// How long what was begun has to reach its callers, once all parts have ended.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// `souk up`.
#[derive(Args)]
pub(crate) struct Up {
    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:7400", env = "SOUK_LISTEN", value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Publish no demo offerings on an empty data directory.
    #[arg(long)]
    pub(crate) no_demo: bool,
    /// Listen on a public address although sign-in links and keys would cross the network in clear.
    #[arg(long)]
    pub(crate) insecure_public: bool,
    /// The configuration file [default: DIR/souk.toml].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the configuration in force and end.
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// `souk run --only`.
pub(crate) struct Only {
    pub(crate) parts: Vec<PartName>,
    pub(crate) listen: SocketAddr,
    pub(crate) insecure_public: bool,
    pub(crate) config: Option<PathBuf>,
}

/// `souk migrate`.
#[derive(Args)]
pub(crate) struct Migrate {
    /// The configuration file [default: DIR/souk.toml].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The address is public, and nothing protects what would cross the network.
    #[error(
        "{0} is a public address, and the local issuer's links and keys would cross the network in clear"
    )]
    Public(SocketAddr),
    /// There is nothing to migrate.
    #[error("there is no platform in {0}")]
    Absent(String),
    /// The configuration has mistakes.
    #[error(transparent)]
    Settings(#[from] souk_kit::config::Mistakes),
    /// Another process works in the directory.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The keyring cannot be used.
    #[error(transparent)]
    Keyring(#[from] souk_kit::keyring::Error),
    /// The mesh cannot be served.
    #[error(transparent)]
    Mesh(#[from] souk_kit::mesh::Error),
    /// A part did not start.
    #[error("{part}: {text}")]
    Part {
        /// Which.
        part: PartName,
        /// Why.
        text: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be made.
    #[error("{path}: {source}")]
    Data {
        /// The directory.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A process that runs.
pub(crate) struct Running {
    mesh: Mesh,
    pub(crate) hands: Hands,
    /// Where the gateway listens, where it runs here.
    pub(crate) address: Option<SocketAddr>,
    public: Option<JoinHandle<()>>,
    _locks: Vec<Lock>,
}

fn part_failed(part: PartName) -> impl Fn(Fault) -> Error {
    move |fault| Error::Part { part, text: souk_kit::status::chain(&fault) }
}

/// Starts parts in this process; the others are reached at their addresses, or by their sockets.
pub(crate) async fn start(
    ground: Ground<'_>,
    here: &[PartName],
    listen: SocketAddr,
) -> Result<Running, Error> {
    let Ground { settings, data, .. } = ground;
    telemetry::log(&settings.process.log, settings.process.log_format);
    telemetry::figures();
    make_private(data)?;
    let locks =
        here.iter().map(|part| lock::take(&data.join(part.as_str()))).collect::<Result<Vec<_>, _>>()?;
    // The address is taken before anything is built: a busy port must not leave half a start behind.
    let listener = match here.contains(&PartName::Gateway) {
        true => Some(bind(listen).await?),
        false => None,
    };
    let random = Arc::new(MachineRandom::default());
    let together = is_whole(here);
    let surroundings = Surroundings {
        clock: Arc::new(MachineClock),
        keyring: Arc::new(Keyring::open(&data.join(KEYRING), random.as_ref())?),
        random,
        data_dir: data.to_owned(),
        poll: if together { POLL_TOGETHER } else { POLL_APART },
    };
    let mut mesh = Mesh::new(surroundings, here, &elsewhere(data, settings, here))?;
    let mut hands = Hands::default();
    for part in here {
        ground.build(&mut mesh, *part, &mut hands).await.map_err(part_failed(*part))?;
    }
    for socket in sockets(data, here) {
        mesh.serve_socket(&socket)?;
    }
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let public = match (listener, hands.public.take()) {
        (Some(listener), Some(router)) => Some(serve(listener, router, mesh.stop())),
        _ => None,
    };
    Ok(Running { mesh, hands, address, public, _locks: locks })
}

fn is_whole(here: &[PartName]) -> bool {
    PartName::ALL.iter().all(|part| here.contains(part))
}

/// One socket for the whole platform; else one a part, by which the processes of a directory find each
/// other, however the parts are shared out.
fn sockets(data: &Path, here: &[PartName]) -> Vec<PathBuf> {
    if is_whole(here) {
        return vec![data.join(MESH_SOCKET)];
    }
    here.iter().map(|part| data.join(format!("{part}.sock"))).collect()
}

/// Where the parts that run elsewhere are reached: as the configuration says, else at their sockets.
fn elsewhere(data: &Path, settings: &Settings, here: &[PartName]) -> BTreeMap<PartName, String> {
    let others = PartName::ALL.iter().filter(|part| !here.contains(part));
    let address = |part: &PartName| {
        let named = settings.mesh.parts.get(part.as_str()).cloned();
        let socket =
            std::path::absolute(data).unwrap_or_else(|_| data.to_owned()).join(format!("{part}.sock"));
        (*part, named.unwrap_or_else(|| format!("unix:{}", socket.display())))
    };
    others.map(address).collect()
}

fn make_private(data: &Path) -> Result<(), Error> {
    let failed = |source| Error::Data { path: data.display().to_string(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> JoinHandle<()> {
    let served = plain_server()
        .accept_http1(true)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(listen::guests(listener, listen::room()), async move {
            stop.cancelled().await;
        });
    #[expect(clippy::disallowed_methods, reason = "the public server ends before the tracked tasks do")]
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(error = souk_kit::status::chain(&error), "public server ended");
        }
    })
}

/// Waits until the public server has given its last answers. Whoever holds a connection open for longer is
/// not waited for.
async fn let_out(mut public: JoinHandle<()>) {
    if tokio::time::timeout(LAST_ANSWERS, &mut public).await.is_err() {
        public.abort();
        public.await.ok();
    }
}

impl Running {
    /// Ends in order: the door, what was begun, the parts, the databases. Says whether all ended in time.
    pub(crate) async fn end(self) -> bool {
        let Self { mesh, hands, public, .. } = self;
        let in_time = mesh.drain().await;
        if let Some(public) = public {
            let_out(public).await;
        }
        for db in hands.databases.into_values() {
            if let Err(error) = db.close().await {
                tracing::warn!(error = souk_kit::status::chain(&error), "database not closed");
            }
        }
        in_time
    }
}

/// Refuses a public address unless the operator insists.
pub(crate) fn check_address(listen: SocketAddr, insecure_public: bool) -> Result<(), Error> {
    if listen.ip().is_loopback() || insecure_public { Ok(()) } else { Err(Error::Public(listen)) }
}

/// Waits for the wish to end: ctrl-c or a termination signal.
pub(crate) async fn asked_to_end() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// Whether a directory holds a platform, or the settings of one that is to be: a mistyped name must not
/// become a new platform. With PostgreSQL the settings are all there is before the schemas.
fn is_there(data: &Path) -> bool {
    let mut parts = PartName::ALL.iter();
    data.join("souk.toml").is_file() || parts.any(|part| data.join(part.as_str()).is_dir())
}

/// Brings every schema up to date; gives the parts that have one.
pub(crate) async fn migrate(data: &Path, settings: &Settings) -> Result<Vec<PartName>, Error> {
    if !is_there(data) {
        return Err(Error::Absent(data.display().to_string()));
    }
    make_private(data)?;
    let observer: Arc<dyn CommitObserver> = Arc::new(Unobserved);
    let ground = Ground { settings, data, observer: &observer };
    let mut done = Vec::new();
    for part in PartName::ALL {
        let Some(migrations) = migrations(*part) else { continue };
        let _lock = lock::take(&data.join(part.as_str()))?;
        let deps = Deps::new(Arc::new(MachineClock), Arc::new(MachineRandom::default()));
        let target = ground.target(*part).map_err(part_failed(*part))?;
        let failed = |error: souk_db::Error| part_failed(*part)(error.into_fault(part.as_str()));
        let db = Db::migrate(part.as_str(), target, deps, migrations).await.map_err(failed)?;
        db.close().await.map_err(failed)?;
        done.push(*part);
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::Notify,
    };

    use super::*;

    #[test]
    fn a_mistyped_directory_holds_no_platform() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        assert!(!is_there(&dir.path().join("typo")) && !is_there(dir.path()));
        fs::create_dir(dir.path().join("billing"))?;
        assert!(is_there(dir.path()));
        let other = tempfile::tempdir()?;
        fs::write(other.path().join("souk.toml"), "")?;
        assert!(is_there(other.path()));
        Ok(())
    }

    #[tokio::test]
    async fn what_was_begun_reaches_its_caller_before_the_door_falls_shut() -> std::io::Result<()> {
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (heard, waits) = (Arc::clone(&begun), Arc::clone(&release));
        let slow = move || async move {
            heard.notify_one();
            waits.notified().await;
            "the answer"
        };
        let router = Router::new().route("/", axum::routing::get(slow));
        let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
        let address = listener.local_addr()?;
        let public = serve(listener, router, stop.clone());
        let mut caller = TcpStream::connect(address).await?;
        caller.write_all(b"GET / HTTP/1.1\r\nhost: souk\r\n\r\n").await?;
        begun.notified().await;
        stop.cancel();
        #[expect(clippy::disallowed_methods, reason = "a test watches it from beside")]
        let ending = tokio::spawn(let_out(public));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!ending.is_finished(), "somebody still waits for an answer");
        release.notify_one();
        ending.await?;
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("the answer"), "{answer}");
        assert!(TcpStream::connect(address).await.is_err(), "nobody else is let in");
        Ok(())
    }
}
