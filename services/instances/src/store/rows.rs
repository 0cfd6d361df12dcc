//! The tables of instances, and how their rows become nouns and back.

use sea_orm::ActiveValue::Set;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Map;
use souk_db::{Error, Migration, Tenant};
use souk_types::{
    Time,
    id::{OfferingId, ProjectId},
};

use crate::model::{Agenda, Config, Event, Instance, PauseReasons, Pins, Served, Stand, State};

/// The schema's life.
pub(crate) const MIGRATIONS: &[Migration] = &[FIRST, LIFE];

/// The schema of first light.
pub(super) const FIRST: Migration = Migration {
    name: "0001-instances",
    up: &[
        "CREATE TABLE instance (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            offering_id {id} NOT NULL,
            offering_version_id {id} NOT NULL,
            plan_id {id} NOT NULL,
            pins {json} NOT NULL,
            source_ref {text} NOT NULL,
            automatic {flag} NOT NULL,
            auto_key {text},
            state {text} NOT NULL,
            pause_reasons {text} NOT NULL,
            conditions {json} NOT NULL,
            events {json} NOT NULL,
            event_count BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            attempts BIGINT NOT NULL,
            failures BIGINT NOT NULL,
            next_attempt_time {time},
            deadline_time {time},
            create_time {time} NOT NULL,
            update_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX instance_by_auto_key ON instance (auto_key)",
        "CREATE INDEX instance_by_project ON instance (project_id, instance_id)",
        "CREATE INDEX instance_by_org ON instance (org_id, state)",
        "CREATE INDEX instance_due ON instance (next_attempt_time) WHERE next_attempt_time IS NOT NULL",
        "CREATE TABLE instance_event (
            instance_id {id} NOT NULL,
            seq BIGINT NOT NULL,
            org_id {id} NOT NULL,
            happening {text} NOT NULL,
            message {text} NOT NULL,
            occur_time {time} NOT NULL,
            PRIMARY KEY (instance_id, seq)
        )",
        "CREATE TABLE depleted_wallet (org_id {id} PRIMARY KEY, since_time {time} NOT NULL)",
    ],
};

const LIFE: Migration = Migration {
    name: "0002-life",
    up: &[
        "ALTER TABLE instance ADD COLUMN config {json}",
        "ALTER TABLE instance ADD COLUMN gate {json}",
        "ALTER TABLE instance ADD COLUMN end_time {time}",
        // What served before had no time to be looked at again.
        "UPDATE instance SET next_attempt_time = update_time
            WHERE next_attempt_time IS NULL AND state IN ('ACTIVE', 'PAUSED')",
        "CREATE INDEX instance_of_org ON instance (org_id, instance_id)",
        "CREATE INDEX instance_of_offering ON instance (offering_id, instance_id)",
        "CREATE TABLE offering_life (
            offering_id {id} PRIMARY KEY,
            paused {flag} NOT NULL,
            ended {flag} NOT NULL,
            end_time {time}
        )",
        "CREATE TABLE sweep (kind {text} NOT NULL, id {id} NOT NULL, after_id {id} NOT NULL, PRIMARY KEY (kind, id))",
    ],
};

/// One instance.
pub(super) mod instance {
    use sea_orm::entity::prelude::*;

    /// The request log keeps it too, as the answer to a command: a field that comes later has a default.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, DeriveEntityModel)]
    #[sea_orm(table_name = "instance")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance_id: String,
        pub org_id: String,
        pub project_id: String,
        pub offering_id: String,
        pub offering_version_id: String,
        pub plan_id: String,
        pub pins: String,
        pub source_ref: String,
        pub automatic: bool,
        /// `<project>/<offering>` while an instance of AutoActivate lives: there is one.
        pub auto_key: Option<String>,
        pub state: String,
        pub pause_reasons: String,
        pub conditions: String,
        pub events: String,
        pub event_count: i64,
        pub revision: i64,
        pub attempts: i64,
        pub failures: i64,
        pub next_attempt_time: Option<i64>,
        pub deadline_time: Option<i64>,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
        /// `None` in a row that was written before configurations were kept apart.
        pub config: Option<String>,
        pub gate: Option<String>,
        pub end_time: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Tenant for instance::Entity {
    fn org_column() -> instance::Column {
        instance::Column::OrgId
    }
    fn org_of(model: &instance::Model) -> &str {
        &model.org_id
    }
}

/// One event in the life of an instance; `seq` counts from 1.
pub(super) mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "instance_event")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub org_id: String,
        pub happening: String,
        pub message: String,
        pub occur_time: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An org whose wallet holds nothing: what becomes active meanwhile is paused at once.
pub(super) mod depleted {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "depleted_wallet")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: String,
        pub since_time: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What catalog told of an offering's life; an offering without a row is sold and serves.
pub(super) mod offering {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "offering_life")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub offering_id: String,
        pub paused: bool,
        pub ended: bool,
        pub end_time: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An org or offering whose instances are being brought in line, up to `after_id` already.
pub(super) mod sweep {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sweep")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub after_id: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn json(what: &'static str, value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::value(what, error))
}

fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::value(what, error))
}

fn parse<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    what: &'static str,
    text: &str,
) -> Result<T, Error> {
    text.parse().map_err(|error| Error::value(what, error))
}

/// The key of which there is one while an instance of AutoActivate lives.
pub(super) fn auto_key(instance: &Instance) -> Option<String> {
    let holds = instance.automatic && instance.state().is_live();
    holds.then(|| auto_key_of(instance.project_id, instance.pins.offering_id))
}

/// The key of a project and offering.
pub(super) fn auto_key_of(project: ProjectId, offering: OfferingId) -> String {
    format!("{project}/{offering}")
}

/// The event that a row tells of.
pub(super) fn happened(row: &event::Model) -> Result<Event, Error> {
    let text = serde_json::Value::String(row.happening.clone());
    Ok(Event {
        occur_time: Time::from_micros(row.occur_time),
        happening: serde_json::from_value(text).map_err(|error| Error::value("happening", error))?,
        message: row.message.clone(),
    })
}

/// The row of an instance, whole.
pub(super) fn row(instance: &Instance) -> Result<instance::ActiveModel, Error> {
    let (pins, agenda) = (&instance.pins, &instance.agenda);
    Ok(instance::ActiveModel {
        instance_id: Set(instance.instance_id.to_string()),
        org_id: Set(instance.org_id.to_string()),
        project_id: Set(instance.project_id.to_string()),
        offering_id: Set(pins.offering_id.to_string()),
        offering_version_id: Set(pins.offering_version_id.to_string()),
        plan_id: Set(pins.plan_id.to_string()),
        pins: Set(json("pins", pins)?),
        source_ref: Set(instance.source_ref.clone()),
        automatic: Set(instance.automatic),
        auto_key: Set(auto_key(instance)),
        state: Set(instance.state().as_str().to_owned()),
        pause_reasons: Set(instance.stand.reasons().to_string()),
        conditions: Set(json("conditions", &instance.conditions)?),
        events: Set(json("events", &instance.events)?),
        event_count: Set(instance.event_count),
        revision: Set(instance.revision),
        attempts: Set(agenda.attempts.into()),
        failures: Set(agenda.failures.into()),
        next_attempt_time: Set(agenda.next_attempt_time.map(Time::micros)),
        deadline_time: Set(agenda.deadline_time.map(Time::micros)),
        create_time: Set(instance.create_time.micros()),
        update_time: Set(instance.update_time.micros()),
        version: Set(instance.version),
        config: Set(Some(json("config", &instance.config)?)),
        gate: Set(Some(json("gate", &instance.gate)?)),
        end_time: Set(instance.end_time.map(Time::micros)),
    })
}

/// The instance that a row tells of.
pub(super) fn noun(row: &instance::Model) -> Result<Instance, Error> {
    let reasons: PauseReasons = parse("pause_reasons", &row.pause_reasons)?;
    let state: State = parse("state", &row.state)?;
    let pins: Pins = read("pins", &row.pins)?;
    let config = match &row.config {
        Some(config) => read("config", config)?,
        None => before_layers(&pins, state, row.revision),
    };
    Ok(Instance {
        instance_id: parse("instance_id", &row.instance_id)?,
        org_id: parse("org_id", &row.org_id)?,
        project_id: parse("project_id", &row.project_id)?,
        pins,
        source_ref: row.source_ref.clone(),
        automatic: row.automatic,
        stand: Stand::read(state, reasons).map_err(|error| Error::value("pause_reasons", error))?,
        conditions: read("conditions", &row.conditions)?,
        events: read("events", &row.events)?,
        event_count: row.event_count,
        revision: row.revision,
        config,
        gate: row.gate.as_deref().map(|gate| read("gate", gate)).transpose()?.unwrap_or_default(),
        end_time: row.end_time.map(Time::from_micros),
        agenda: Agenda {
            attempts: u32::try_from(row.attempts).map_err(|error| Error::value("attempts", error))?,
            failures: u32::try_from(row.failures).map_err(|error| Error::value("failures", error))?,
            next_attempt_time: row.next_attempt_time.map(Time::from_micros),
            deadline_time: row.deadline_time.map(Time::from_micros),
        },
        create_time: Time::from_micros(row.create_time),
        update_time: Time::from_micros(row.update_time),
        version: row.version,
    })
}

/// The configuration of a row that was written when there was one layer and one revision.
fn before_layers(pins: &Pins, state: State, revision: i64) -> Config {
    let mut effective = pins.version_config.clone();
    for name in &pins.capabilities {
        effective.entry(name.as_str()).or_insert_with(|| Map::new().into());
    }
    let served = state.is_there().then(|| Served { revision, effective: effective.clone() });
    Config { overrides: Map::new(), effective, served }
}

/// The events that happened between two stands of an instance, each with its place in its life.
pub(super) fn fresh(before: i64, after: &Instance) -> impl Iterator<Item = (i64, &Event)> {
    let count = usize::try_from(after.event_count.saturating_sub(before)).unwrap_or(0);
    let skip = after.events.len().saturating_sub(count);
    (before + 1..).zip(after.events.iter().skip(skip))
}
