//! The tables of instances, and how their rows become nouns and back.

use sea_orm::ActiveValue::Set;
use serde::{Serialize, de::DeserializeOwned};
use souk_db::{Error, Migration, Tenant};
use souk_types::Time;

use crate::model::{Agenda, Instance, PauseReasons, State};

/// The schema's life.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
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
}];

/// One instance.
pub(super) mod instance {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
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
    let holds = instance.automatic && instance.state.is_live();
    holds.then(|| format!("{}/{}", instance.project_id, instance.pins.offering_id))
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
        state: Set(instance.state.as_str().to_owned()),
        pause_reasons: Set(instance.state.pause_reasons().to_string()),
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
    })
}

/// The instance that a row tells of.
pub(super) fn noun(row: &instance::Model) -> Result<Instance, Error> {
    let reasons: PauseReasons = parse("pause_reasons", &row.pause_reasons)?;
    Ok(Instance {
        instance_id: parse("instance_id", &row.instance_id)?,
        org_id: parse("org_id", &row.org_id)?,
        project_id: parse("project_id", &row.project_id)?,
        pins: read("pins", &row.pins)?,
        source_ref: row.source_ref.clone(),
        automatic: row.automatic,
        state: State::parse(&row.state, reasons).map_err(|error| Error::value("state", error))?,
        conditions: read("conditions", &row.conditions)?,
        events: read("events", &row.events)?,
        event_count: row.event_count,
        revision: row.revision,
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

/// The events that happened between two stands of an instance, each with its place in its life.
pub(super) fn fresh(before: i64, after: &Instance) -> impl Iterator<Item = (i64, &crate::model::Event)> {
    let count = usize::try_from(after.event_count.saturating_sub(before)).unwrap_or(0);
    let skip = after.events.len().saturating_sub(count);
    (before + 1..).zip(after.events.iter().skip(skip))
}
