//! The mesh of one process: which parts run here, how each is served, and how all of it ends.
//!
//! Every part has its own server with the whole stack in front of it, reached over a pipe by the parts
//! beside it. The operator's socket and the network reach the same routers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, middleware};
use souk_types::{Clock, PartName, Random, event::Log};
use tokio::{net::UnixListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server},
};

use crate::{
    access::{self, Door},
    dial::Dial,
    events,
    guard::{self, Guard},
    house::{House, Shared},
    keyring::Keyring,
    operations,
    pipe::{Far, pipe},
    socket,
    token::Tokens,
    work::Work,
};

/// How long the whole drain may take: a scheduler kills after 30 s, and databases are closed after it.
const GRACE: Duration = Duration::from_secs(25);
/// What is kept of that for the parts' servers, when what was begun does not end.
const LAST: Duration = Duration::from_secs(5);
/// Streams of one connection at once; watches hold theirs for minutes.
const STREAMS: u32 = 4096;
/// Headers of one message at the most, in bytes. A mesh token names every project of its person, and a
/// message beyond the limit costs the whole connection.
pub(crate) const HEADERS: u32 = 256 * 1024;
/// Calls that may be taken back on one connection before they were looked at. One connection of the gateway
/// carries the calls of everybody: with the few that a stranger may take back at the door, whoever hangs up on
/// many calls at once would end those of all others.
const RESETS: usize = 100_000;

/// What a process is built from.
pub struct Surroundings {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub random: Arc<dyn Random>,
    /// Every key of the house.
    pub keyring: Arc<Keyring>,
    /// Where the parts keep their files.
    pub data_dir: PathBuf,
    /// How often watchers look without being rung.
    pub poll: Duration,
}

/// What a part gives to be served.
pub struct Mounted {
    /// Its gRPC services.
    pub routes: Routes,
    /// Its events, where it has a database: the mesh serves them, numbers them and forgets old ones.
    pub log: Option<Arc<dyn Log>>,
    /// Raw HTTP routes that check their caller themselves (a shop's signature).
    pub raw: Router,
    /// Its loops.
    pub work: Vec<Work>,
}

impl Mounted {
    /// Services without events, raw routes or loops.
    #[must_use]
    pub fn new(routes: Routes) -> Self {
        Self { routes, log: None, raw: Router::new(), work: Vec::new() }
    }
}

/// Why the mesh could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part is neither here nor elsewhere.
    #[error("nobody runs {0}: name its address under [mesh]")]
    Nobody(PartName),
    /// An address is not one.
    #[error("the address of {part} is not a URL: {address}")]
    Address {
        /// Whose address.
        part: PartName,
        /// What was given.
        address: String,
    },
    /// A socket could not be opened.
    #[error("{path}: {source}")]
    Socket {
        /// The socket's path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The parts of one process.
pub struct Mesh {
    shared: Arc<Shared>,
    channels: Arc<BTreeMap<PartName, Channel>>,
    waiting: BTreeMap<PartName, mpsc::Receiver<Far>>,
    doors: BTreeMap<PartName, Arc<Tokens>>,
    sockets: BTreeMap<PartName, Router>,
    servers: TaskTracker,
}

impl Mesh {
    /// A mesh whose parts run `here`, or `elsewhere` at an address.
    ///
    /// # Errors
    /// When an address is not one.
    pub fn new(
        surroundings: Surroundings,
        here: &[PartName],
        elsewhere: &BTreeMap<PartName, String>,
    ) -> Result<Self, Error> {
        let Surroundings { clock, random, keyring, data_dir, poll } = surroundings;
        let (mut channels, mut waiting, mut doors) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (part, address) in elsewhere {
            let bad = |_| Error::Address { part: *part, address: address.clone() };
            let endpoint = Endpoint::from_shared(address.clone()).map_err(bad)?;
            channels.insert(*part, endpoint.http2_max_header_list_size(HEADERS).connect_lazy());
        }
        for part in here {
            let (socket, receiver) = pipe();
            channels.insert(*part, socket.channel());
            waiting.insert(*part, receiver);
            doors.insert(*part, Arc::new(Tokens::new(*part, Arc::clone(&keyring), Arc::clone(&clock))));
        }
        let shared = Arc::new(Shared {
            clock,
            random,
            keyring,
            data_dir,
            poll,
            stop: CancellationToken::new(),
            close: CancellationToken::new(),
            tasks: TaskTracker::new(),
            // Nobody is ready before they are served.
            ready: Mutex::new(here.iter().map(|part| (*part, false)).collect()),
        });
        let (sockets, servers) = (BTreeMap::new(), TaskTracker::new());
        Ok(Self { shared, channels: Arc::new(channels), waiting, doors, sockets, servers })
    }

    /// The house of a part that runs here.
    ///
    /// # Errors
    /// When the part does not run here.
    pub fn house(&self, part: PartName) -> Result<House, Error> {
        let tokens = Arc::clone(self.doors.get(&part).ok_or(Error::Nobody(part))?);
        let dial = Dial::new(Arc::clone(&self.channels), Arc::clone(&tokens));
        Ok(House::new(part, Arc::clone(&self.shared), dial, tokens))
    }

    /// Serves a part that was built, and starts its loops.
    ///
    /// # Errors
    /// When the part does not run here, or is served already.
    pub fn serve(&mut self, house: &House, mounted: Mounted) -> Result<(), Error> {
        let part = house.part();
        let receiver = self.waiting.remove(&part).ok_or(Error::Nobody(part))?;
        let Mounted { mut routes, log, raw, mut work } = mounted;
        if let Some(log) = log {
            work.extend(operations::upkeep(house, &log));
            routes = routes.add_service(operations::Server::service(Arc::clone(&log), house.clone()));
            routes = routes.add_service(events::Server::service(log, house.clone()));
        }
        let grpc = routes.prepare().into_axum_router();
        let router = self.stacked(house, grpc.clone(), false).merge(raw.clone());
        self.sockets.insert(part, self.stacked(house, grpc, true).merge(raw));
        let close = self.shared.close.clone();
        let server = mesh_server().add_routes(Routes::from(router));
        let served = server.serve_with_incoming_shutdown(
            tokio_stream::StreamExt::map(ReceiverStream::new(receiver), Ok::<_, std::io::Error>),
            async move { close.cancelled().await },
        );
        let ended = house.clone();
        self.servers.spawn(async move {
            let outcome = served.await;
            ended.set_ready(false);
            if let Err(error) = outcome {
                tracing::error!(
                    part = part.as_str(),
                    error = crate::status::chain(&error),
                    "part's server ended"
                );
            }
        });
        for Work { name, run } in work {
            tracing::debug!(part = part.as_str(), work = name, "work started");
            self.shared.tasks.spawn(run);
        }
        house.set_ready(true);
        Ok(())
    }

    /// The whole stack in front of a part's services.
    fn stacked(&self, house: &House, grpc: Router, any_part: bool) -> Router {
        let door = Door {
            tokens: Arc::clone(&house.tokens),
            clock: house.clock(),
            random: house.random(),
            any_part,
        };
        let guard = Guard::new(house.part().as_str(), house.clock());
        // The last one is met first.
        grpc.layer(middleware::from_fn_with_state(guard.clone(), guard::bound))
            .layer(middleware::from_fn_with_state(door, access::check))
            .layer(middleware::from_fn_with_state(guard, guard::watch_over))
    }

    /// Serves every part of this process, MESH methods too, on a unix socket that only its owner may use.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn serve_socket(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Socket { path: path.display().to_string(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, only_owner).map_err(failed)?;
        let router = socket::router(&self.shared, self.sockets.clone());
        let close = self.shared.close.clone();
        let served = mesh_server()
            // Prometheus and people with curl ask for figures in HTTP/1.1.
            .accept_http1(true)
            .add_routes(Routes::from(router))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async move {
                close.cancelled().await
            });
        self.servers.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(error = crate::status::chain(&error), "mesh socket ended");
            }
        });
        Ok(())
    }

    /// What ends when the process starts to drain.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Ends everything in order: loops and watches, then what was begun, then the parts' servers.
    /// Says whether all of it ended in time.
    pub async fn drain(self) -> bool {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let done = tokio::time::timeout(GRACE.saturating_sub(LAST), self.shared.tasks.wait()).await.is_ok();
        self.shared.close.cancel();
        self.servers.close();
        let closed = tokio::time::timeout(LAST, self.servers.wait()).await.is_ok();
        done && closed
    }
}

/// A server for the mesh: as any other of the house, but it takes the tokens of people with many projects.
pub fn mesh_server() -> Server {
    plain_server()
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_max_local_error_reset_streams(Some(RESETS))
}

/// A server with the house's limits.
pub fn plain_server() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS)
        .initial_connection_window_size(4 * 1024 * 1024)
        .initial_stream_window_size(1024 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
}
