//! `souk up`, `souk run --only` and `souk migrate`: the process as its operator sees it.

use std::{path::Path, sync::Arc};

use serde_json::json;
use souk_db::{CommitObserver, Db};
use souk_types::{Fault, PartName, Secret};

use super::{
    output::{Failure, Output},
    remote::{OPERATOR, Remote, Saved},
};
use crate::{
    demo,
    parts::Ground,
    process::{self, Error, Migrate, Only, Running, Up},
    settings::Settings,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let hint = match &error {
            Error::Public(_) => Some("put TLS in front, or insist: --insecure-public"),
            Error::Listen { .. } => Some("choose another address: --listen 127.0.0.1:0"),
            Error::Absent(_) => Some("name its directory: --data DIR; souk up makes a new one"),
            Error::Settings(_) => Some("see the settings in force: souk up --print-config"),
            Error::Lock(_) | Error::Keyring(_) | Error::Mesh(_) | Error::Part { .. } | Error::Data { .. } => {
                None
            }
        };
        let failure = Self::new(text);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn settings(data: &Path, config: Option<&Path>) -> Result<Settings, Failure> {
    Settings::read(data, config).map_err(|mistakes| Error::Settings(mistakes).into())
}

pub(crate) async fn up(
    data: &Path,
    up: Up,
    output: &Output,
    observer: &Arc<dyn CommitObserver>,
) -> Result<(), Failure> {
    let settings = settings(data, up.config.as_deref())?;
    if up.print_config && output.is_json() {
        return output.value(&json!(settings));
    }
    if up.print_config {
        let text = toml::to_string(&settings).map_err(|error| Failure::broken(&error))?;
        return output.text(&text);
    }
    process::check_address(up.listen, up.insecure_public)?;
    let running =
        process::start(Ground { settings: &settings, data, observer }, PartName::ALL, up.listen).await?;
    let told = welcome(data, &settings, &running, up.no_demo, output).await;
    if told.is_ok() {
        process::asked_to_end().await;
        output.say("ending: what was begun is finished first");
    }
    let in_time = running.end().await;
    told?;
    if in_time { Ok(()) } else { Err(Failure::new("not everything ended in time")) }
}

fn failed(fault: &Fault) -> Failure {
    Failure::broken(&souk_kit::status::chain(fault))
}

/// Makes the operator known to the command line, seeds the demo and says where everything is.
async fn welcome(
    data: &Path,
    settings: &Settings,
    running: &Running,
    no_demo: bool,
    output: &Output,
) -> Result<(), Failure> {
    let address = running.address.ok_or_else(|| Failure::broken(&"the gateway does not listen"))?;
    let url = format!("http://{address}");
    let db = running.hands.databases.get(&PartName::Tenancy);
    let db = db.ok_or_else(|| Failure::broken(&"tenancy does not run here"))?;
    let token = operator(data, &url, db).await?;
    if !no_demo {
        let remote = Remote::to(url.clone(), Some(token), None, None)?;
        demo::seed(&remote).await?;
    }
    let link = souk_tenancy::sign_in_link(db, &settings.tenancy, souk_tenancy::OPERATOR).await;
    let (link, _) = link.map_err(|fault| failed(&fault))?;
    let sign_in = format!("{url}/sign-in/{}", link.expose());
    if output.is_json() {
        let ready = json!({"ready": true, "url": url, "grpc": address.to_string(), "signIn": sign_in});
        return output.value(&ready);
    }
    output.text(&format!(
        "souk is up\n\n  console  {url}/\n  gRPC     {address}\n  sign in  {sign_in}\n           (good once, for ten minutes)\n\n  data in {} · ctrl-c ends it",
        data.display()
    ))
}

/// The operator's credential: the one in the directory, else a fresh one. The file also tells later
/// commands where the gateway listens now.
async fn operator(data: &Path, url: &str, db: &Db) -> Result<Secret<String>, Failure> {
    let path = data.join(OPERATOR);
    let known = Saved::read(&path)?.map(|saved| Secret::new(saved.token));
    let fresh = souk_tenancy::bootstrap(db, known.as_ref().map(|key| key.expose().as_str())).await;
    let token = fresh.map_err(|fault| failed(&fault))?.or(known);
    let token = token.ok_or_else(|| Failure::broken(&"there is no operator's key"))?;
    Saved { server: Some(url.to_owned()), token: token.expose().clone() }.write(&path)?;
    Ok(token)
}

pub(crate) async fn only(
    data: &Path,
    only: Only,
    output: &Output,
    observer: &Arc<dyn CommitObserver>,
) -> Result<(), Failure> {
    let settings = settings(data, only.config.as_deref())?;
    process::check_address(only.listen, only.insecure_public)?;
    let running =
        process::start(Ground { settings: &settings, data, observer }, &only.parts, only.listen).await?;
    let told = ready(data, &only, &running, output).await;
    if told.is_ok() {
        process::asked_to_end().await;
    }
    let in_time = running.end().await;
    told?;
    if in_time { Ok(()) } else { Err(Failure::new("not everything ended in time")) }
}

/// Tells the command line what this process knows of operator and gateway, and the user that it runs.
async fn ready(data: &Path, only: &Only, running: &Running, output: &Output) -> Result<(), Failure> {
    let url = running.address.map(|address| format!("http://{address}"));
    let known = Saved::read(&data.join(OPERATOR))?;
    match (running.hands.databases.get(&PartName::Tenancy), known) {
        (Some(db), known) => {
            let listens = url.clone().or(known.and_then(|saved| saved.server));
            operator(data, &listens.unwrap_or_else(|| format!("http://{}", only.listen)), db).await?;
        }
        (None, Some(Saved { token, .. })) => {
            if let Some(server) = url.clone() {
                Saved { server: Some(server), token }.write(&data.join(OPERATOR))?;
            }
        }
        (None, None) => {}
    }
    let parts: Vec<_> = only.parts.iter().map(ToString::to_string).collect();
    if output.is_json() {
        return output.value(&json!({"ready": true, "parts": parts, "url": url}));
    }
    let listens = url.map(|url| format!(" · {url}/")).unwrap_or_default();
    output.text(&format!("running {}{listens}", parts.join(", ")))
}

pub(crate) async fn migrate(data: &Path, migrate: Migrate, output: &Output) -> Result<(), Failure> {
    let settings = settings(data, migrate.config.as_deref())?;
    let parts = process::migrate(data, &settings).await?;
    let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
    if output.is_json() {
        return output.value(&json!({"migrated": parts}));
    }
    output.text(&format!("up to date: {}", parts.join(", ")))
}
