//! How a command reaches the gateway: which server, and as whom.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use souk_kit::{clock::MachineRandom, keyring::write_private};
use souk_types::{Random, Secret};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::output::Failure;

/// Where `up` writes what a command needs.
pub(crate) const OPERATOR: &str = "operator.toml";
const NOBODY: &str = "http://127.0.0.1:7400";

/// A server and how to speak to it, as it stands in a file that only its owner may read.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// The gateway's URL; none in a restored directory whose platform was not started yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// An API key, or a session's access token.
    pub(crate) token: String,
}

impl Saved {
    /// Reads the file; `None` when there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let damaged = |error: toml::de::Error| {
                    Failure::new(format!("{}: {}", path.display(), error.message()))
                        .hint("delete it and sign in again")
                };
                toml::from_str(&text).map(Some).map_err(damaged)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
        }
    }

    /// Writes the file, readable by its owner alone.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        }
        let text = toml::to_string(self).map_err(|error| failed(&error))?;
        write_private(path, text.as_bytes()).map_err(|error| failed(&error))
    }
}

/// What the user said of server and credential.
pub(crate) struct Access {
    pub(crate) data: PathBuf,
    pub(crate) server: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) home: Option<PathBuf>,
}

/// The gateway, as somebody.
pub(crate) struct Remote {
    channel: Channel,
    token: Option<Secret<String>>,
    server: String,
    request_id: Option<String>,
    login: Option<PathBuf>,
}

/// A channel that shows the credential.
pub(crate) type Shown = InterceptedService<Channel, Show>;

/// Shows a credential with every call.
#[derive(Clone)]
pub(crate) struct Show(Option<MetadataValue<Ascii>>);

impl Interceptor for Show {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

impl Remote {
    /// Finds server and credential: what was said, then the data directory's operator, then the saved
    /// login. Nothing is sent yet.
    pub(crate) fn connect(access: Access, request_id: Option<String>) -> Result<Self, Failure> {
        let login = access.home.map(|home| home.join(".config/souk/login.toml"));
        let operator = Saved::read(&access.data.join(OPERATOR))?;
        let saved = match (&operator, &login) {
            (None, Some(path)) => Saved::read(path)?,
            _ => None,
        };
        let found = operator.or(saved);
        let known = found.as_ref().and_then(|found| found.server.clone());
        if access.server.is_none() && known.is_none() && found.is_some() {
            let text = format!("the platform in {} was not started yet", access.data.display());
            return Err(Failure::new(text).hint("start it: souk up --data DIR"));
        }
        let server = access.server.clone().or(known);
        let server = server.unwrap_or_else(|| NOBODY.to_owned());
        // A credential found in a file is for the server that stands beside it, and for no other.
        let same = |server: &String, found: &Saved| {
            let beside = found.server.as_ref();
            beside.is_some_and(|beside| server.trim_end_matches('/') == beside.trim_end_matches('/'))
        };
        let own = found.filter(|found| access.server.as_ref().is_none_or(|server| same(server, found)));
        // An empty variable is an unset one.
        let said = access.token.filter(|token| !token.trim().is_empty());
        let token = said.or_else(|| own.map(|found| found.token)).map(Secret::new);
        Self::to(server, token, request_id, login)
    }

    /// A gateway that is known, as somebody who is known.
    pub(crate) fn to(
        server: String,
        token: Option<Secret<String>>,
        request_id: Option<String>,
        login: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let bad = |error: &dyn std::fmt::Display| {
            Failure::new(format!("{server:?} is no server's URL: {error}")).hint("http://127.0.0.1:7400")
        };
        if !["http://", "https://"].iter().any(|scheme| server.starts_with(scheme)) {
            return Err(bad(&"it begins with neither http:// nor https://"));
        }
        let mut endpoint = Endpoint::from_shared(server.clone()).map_err(|error| bad(&error))?;
        if server.starts_with("https://") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(|error| bad(&error))?;
        }
        let channel = endpoint.connect_timeout(Duration::from_secs(5)).connect_lazy();
        Ok(Self { channel, token, server, request_id, login })
    }

    /// A channel for a generated client.
    pub(crate) fn channel(&self) -> Result<Shown, Failure> {
        let value = match &self.token {
            None => None,
            Some(token) => {
                let token = token.expose().trim();
                let value = MetadataValue::try_from(format!("Bearer {token}")).ok();
                let value = value.filter(|_| token.bytes().all(|byte| byte.is_ascii_graphic()));
                Some(value.ok_or_else(|| Failure::new("the token has characters that no token has"))?)
            }
        };
        Ok(InterceptedService::new(self.channel.clone(), Show(value)))
    }

    /// The request id of this command: the one that was said, else a fresh one. `step` tells several
    /// calls of one command apart.
    pub(crate) fn request_id(&self, step: &str) -> String {
        match &self.request_id {
            Some(id) if step.is_empty() => id.clone(),
            Some(id) => format!("{id}:{step}"),
            None => {
                let mut bytes = [0_u8; 16];
                MachineRandom::default().fill(&mut bytes);
                bytes.iter().fold("cli-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
            }
        }
    }

    /// The gateway's URL.
    pub(crate) fn server(&self) -> &str {
        self.server.trim_end_matches('/')
    }

    /// Keeps a credential for later commands.
    pub(crate) fn save(&self, token: &str) -> Result<PathBuf, Failure> {
        let path = self
            .login
            .clone()
            .ok_or_else(|| Failure::new("there is no home directory to save a login in"))?;
        Saved { server: Some(self.server.clone()), token: token.to_owned() }.write(&path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(server: &str, token: Option<&str>) -> Result<Remote, Failure> {
        Remote::to(server.to_owned(), token.map(|token| Secret::new(token.to_owned())), None, None)
    }

    #[tokio::test]
    async fn what_cannot_be_a_server_or_a_token_is_refused_here() {
        for server in ["", "nonsense", "127.0.0.1:7400", "ftp://x"] {
            assert!(remote(server, None).is_err(), "{server}");
        }
        let at = "http://127.0.0.1:7400";
        assert!(remote(at, Some("souk_sk_1")).unwrap().channel().is_ok());
        for token in ["b\u{e4}d", "two words", "a\nb"] {
            assert!(remote(at, Some(token)).unwrap().channel().is_err(), "{token:?}");
        }
    }

    #[tokio::test]
    async fn the_directorys_operator_is_for_its_server_alone() {
        let dir = tempfile::tempdir().unwrap();
        let server = Some("http://127.0.0.1:1".to_owned());
        let saved = Saved { server, token: "t".to_owned() };
        saved.write(&dir.path().join(OPERATOR)).unwrap();
        let shows = |server: Option<&str>, token: Option<&str>| {
            let (data, server) = (dir.path().to_owned(), server.map(ToOwned::to_owned));
            let access = Access { data, server, token: token.map(ToOwned::to_owned), home: None };
            Remote::connect(access, None).unwrap().token.map(|token| token.expose().clone())
        };
        assert_eq!(shows(None, None).as_deref(), Some("t"));
        assert_eq!(shows(None, Some("")).as_deref(), Some("t"), "an empty variable is an unset one");
        assert_eq!(shows(Some("http://127.0.0.1:1/"), None).as_deref(), Some("t"));
        assert_eq!(shows(Some("http://127.0.0.1:2"), None), None);
        // A restored directory knows no server: not the one of its original, and none by default.
        Saved { server: None, token: "t".to_owned() }.write(&dir.path().join(OPERATOR)).unwrap();
        assert_eq!(shows(Some("http://127.0.0.1:1"), None), None);
        let access = Access { data: dir.path().to_owned(), server: None, token: None, home: None };
        assert!(Remote::connect(access, None).is_err());
    }
}
