//! The whole configuration of a process: one TOML, a section a part, plus what belongs to the process.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use souk_db::Target;
use souk_kit::{
    config::{File, Mistakes, Section},
    telemetry::{self, Format},
};
use souk_types::{PartName, Secret};

/// The section `[process]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Process {
    /// What is logged: `info`, or `warn,souk_billing=debug`.
    pub(crate) log: String,
    /// How log lines look.
    pub(crate) log_format: Format,
}

impl Default for Process {
    fn default() -> Self {
        Self { log: "warn".to_owned(), log_format: Format::default() }
    }
}

impl Section for Process {
    const NAME: &'static str = "process";

    fn check(&self, mistakes: &mut Vec<String>) {
        if let Some(problem) = telemetry::problem(&self.log) {
            mistakes.push(format!("log: {problem}"));
        }
    }
}

/// The section `[database]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// A file that holds a `postgres://` URL. Empty: SQLite files in the data directory.
    pub(crate) url_file: Option<PathBuf>,
    /// How many days events are kept for parts that follow them. A part that was away for longer refuses to
    /// go on, since it would miss some.
    pub(crate) events_days: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { url_file: None, events_days: 30 }
    }
}

/// The fewest days that events are kept: a part may be away over a long weekend.
const FEWEST_DAYS: u32 = 7;

impl Section for Database {
    const NAME: &'static str = "database";

    fn check(&self, mistakes: &mut Vec<String>) {
        if self.events_days < FEWEST_DAYS {
            mistakes.push(format!("events_days: at least {FEWEST_DAYS}"));
        }
        let Some(path) = &self.url_file else { return };
        if let Err(error) = std::fs::read_to_string(path) {
            mistakes.push(format!("url_file: {}: {error}", path.display()));
        }
    }
}

/// The section `[mesh]`: where parts that run elsewhere are reached, `billing = "http://10.0.0.7:7410"`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, transparent)]
pub(crate) struct Addresses {
    pub(crate) parts: BTreeMap<String, String>,
}

impl Section for Addresses {
    const NAME: &'static str = "mesh";

    fn check(&self, mistakes: &mut Vec<String>) {
        for (name, address) in &self.parts {
            if let Err(error) = name.parse::<PartName>() {
                mistakes.push(error.to_string());
            }
            if !["http://", "https://", "unix:"].iter().any(|scheme| address.starts_with(scheme)) {
                mistakes.push(format!("{name}: {address:?} is no address like http://10.0.0.7:7410"));
            }
        }
    }
}

/// Everything that may be set.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) process: Process,
    pub(crate) database: Database,
    pub(crate) mesh: Addresses,
    pub(crate) tenancy: souk_tenancy::Config,
    pub(crate) catalog: souk_catalog::Config,
    pub(crate) billing: souk_billing::Config,
    pub(crate) instances: souk_instances::Config,
    pub(crate) delivery: souk_delivery::Config,
    pub(crate) commerce: souk_commerce::Config,
    pub(crate) runs: souk_runs::Config,
    pub(crate) runner: souk_runner::Config,
    pub(crate) models: souk_models::Config,
    pub(crate) gateway: souk_gateway::Config,
}

impl Settings {
    /// Reads `souk.toml` of the data directory, or the file that was named.
    pub(crate) fn read(data: &Path, named: Option<&Path>) -> Result<Self, Mistakes> {
        let own = data.join("souk.toml");
        let mut file = File::read(named.unwrap_or(&own), named.is_none())?;
        let settings = Self {
            process: file.section(),
            database: file.section(),
            mesh: file.section(),
            tenancy: file.section(),
            catalog: file.section(),
            billing: file.section(),
            instances: file.section(),
            delivery: file.section(),
            commerce: file.section(),
            runs: file.section(),
            runner: file.section(),
            models: file.section(),
            gateway: file.section(),
        };
        file.done()?;
        Ok(settings)
    }

    /// Where a part's tables live.
    pub(crate) fn target(&self, data: &Path, part: PartName) -> Result<Target, Mistakes> {
        Ok(match self.postgres_url()? {
            None => Target::Sqlite(data.join(part.as_str()).join(format!("{part}.db"))),
            Some(url) => Target::Postgres { url, schema: format!("souk_{part}") },
        })
    }

    /// The URL of PostgreSQL, where the tables are there.
    pub(crate) fn postgres_url(&self) -> Result<Option<Secret<String>>, Mistakes> {
        let Some(path) = &self.database.url_file else { return Ok(None) };
        let unreadable = |error: std::io::Error| Mistakes(vec![format!("{}: {error}", path.display())]);
        let url = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Some(Secret::new(url.trim().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_its_part_and_mistakes_are_said_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::read(dir.path(), None).unwrap();
        let text = toml::to_string(&settings).unwrap();
        for section in PartName::ALL {
            assert!(text.contains(&format!("[{section}]")), "{section}: {text}");
        }
        let path = dir.path().join("souk.toml");
        std::fs::write(
            &path,
            "[gateway]\naccess_token_seconds = 1\nfoo = 2\n[mesh]\nnobody = \"x\"\n[nope]\n[database]\nurl_file = \"absent\"\n",
        )
        .unwrap();
        let mistakes = Settings::read(dir.path(), None).unwrap_err().0;
        assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let text = toml::to_string(&Settings::read(dir.path(), None).unwrap()).unwrap();
        let path = dir.path().join("printed.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(dir.path(), Some(&path)).unwrap();
    }
}
