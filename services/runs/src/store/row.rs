//! The rows, and how they become runs and events. A row that does not say what it must is an error, never
//! a guess.

use sea_orm::ActiveValue::Set;
use souk_db::Error as DbError;
use souk_types::{Credits, Time, Trace};

use crate::model::{Bill, Delta, Error, Event, Origin, Run, What};

/// How much of a text stands in a list, in characters.
pub(super) const HEAD: usize = 512;

pub(super) mod run {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "run")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: String,
        pub org_id: String,
        pub project_id: String,
        pub instance_id: String,
        pub offering_version_id: String,
        pub artifact_hash: String,
        pub effective_config: String,
        pub request_id: String,
        pub digest: String,
        pub actor: String,
        pub trace: String,
        pub trace_parent: String,
        pub state: String,
        pub input: String,
        pub session_id: String,
        pub output_head: String,
        pub outputs: String,
        pub usage: String,
        pub reservation_id: Option<String>,
        pub budget: i64,
        pub cost: i64,
        pub charged: i64,
        pub balance: i64,
        pub receipt_id: Option<String>,
        pub ledger_entry_id: Option<String>,
        pub error_reason: Option<String>,
        pub error_message: String,
        pub error_component: String,
        pub create_time: i64,
        pub end_time: Option<i64>,
        pub owner: String,
        pub attempts: i64,
        pub next_attempt_time: i64,
        pub last_place: i64,
        pub version: i64,
        pub cancel: String,
        pub heard_time: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "run_event")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub place: i64,
        pub occur_time: i64,
        pub state: Option<String>,
        pub row_version: i64,
        pub component_id: String,
        pub body: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl souk_db::Tenant for run::Entity {
    fn org_column() -> run::Column {
        run::Column::OrgId
    }
    fn org_of(model: &run::Model) -> &str {
        &model.org_id
    }
}

fn bad<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> DbError {
    move |error| DbError::value(what, error)
}

fn json(what: &'static str, value: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(bad(what))
}

/// What a row says.
pub(super) fn read(row: run::Model) -> Result<Run, DbError> {
    let error = row.error_reason.map(|reason| Error {
        reason,
        message: row.error_message,
        component_id: row.error_component,
    });
    let outputs: Vec<crate::model::Output> = serde_json::from_str(&row.outputs).map_err(bad("outputs"))?;
    Ok(Run {
        run_id: row.run_id.parse().map_err(bad("run_id"))?,
        org_id: row.org_id.parse().map_err(bad("org_id"))?,
        project_id: row.project_id.parse().map_err(bad("project_id"))?,
        instance_id: row.instance_id.parse().map_err(bad("instance_id"))?,
        offering_version_id: row.offering_version_id.parse().map_err(bad("offering_version_id"))?,
        artifact_hash: row.artifact_hash,
        effective_config: row.effective_config,
        origin: Origin {
            request_id: row.request_id,
            digest: row.digest,
            actor: row.actor,
            trace: Trace { id: row.trace, parent: row.trace_parent },
        },
        state: row.state.parse().map_err(bad("state"))?,
        input: row.input,
        session_id: row.session_id,
        output: outputs.first().map_or(row.output_head, |output| output.text.clone()),
        outputs,
        usage: serde_json::from_str(&row.usage).map_err(bad("usage"))?,
        reservation_id: row.reservation_id.map(|id| id.parse()).transpose().map_err(bad("reservation_id"))?,
        budget: Credits::from_micros(row.budget),
        bill: Bill {
            cost: Credits::from_micros(row.cost),
            charged: Credits::from_micros(row.charged),
            balance: Credits::from_micros(row.balance),
            receipt_id: row.receipt_id.map(|id| id.parse()).transpose().map_err(bad("receipt_id"))?,
            ledger_entry_id: row
                .ledger_entry_id
                .map(|id| id.parse())
                .transpose()
                .map_err(bad("ledger_entry_id"))?,
        },
        error,
        create_time: Time::from_micros(row.create_time),
        end_time: row.end_time.map(Time::from_micros),
        owner: row.owner,
        attempts: row.attempts,
        next_attempt_time: Time::from_micros(row.next_attempt_time),
        sequence: row.last_place,
        version: row.version,
        cancel: if row.cancel.is_empty() { None } else { Some(row.cancel.parse().map_err(bad("cancel"))?) },
    })
}

/// What never changes, and all the rest.
pub(super) fn whole(run: &Run) -> Result<run::ActiveModel, DbError> {
    Ok(run::ActiveModel {
        org_id: Set(run.org_id.to_string()),
        project_id: Set(run.project_id.to_string()),
        instance_id: Set(run.instance_id.to_string()),
        offering_version_id: Set(run.offering_version_id.to_string()),
        artifact_hash: Set(run.artifact_hash.clone()),
        effective_config: Set(run.effective_config.clone()),
        request_id: Set(run.origin.request_id.clone()),
        digest: Set(run.origin.digest.clone()),
        actor: Set(run.origin.actor.clone()),
        trace: Set(run.origin.trace.id.clone()),
        trace_parent: Set(run.origin.trace.parent.clone()),
        input: Set(run.input.clone()),
        session_id: Set(run.session_id.clone()),
        create_time: Set(run.create_time.micros()),
        heard_time: Set(run.create_time.micros()),
        ..changed(run)?
    })
}

/// What a step may change.
pub(super) fn changed(run: &Run) -> Result<run::ActiveModel, DbError> {
    let error = run.error.clone().unwrap_or_else(|| Error::new("", ""));
    Ok(run::ActiveModel {
        run_id: Set(run.run_id.to_string()),
        state: Set(run.state.as_str().to_owned()),
        output_head: Set(run.output.chars().take(HEAD).collect()),
        outputs: Set(json("outputs", &run.outputs)?),
        usage: Set(json("usage", &run.usage)?),
        reservation_id: Set(run.reservation_id.map(|id| id.to_string())),
        budget: Set(run.budget.micros()),
        cost: Set(run.bill.cost.micros()),
        charged: Set(run.bill.charged.micros()),
        balance: Set(run.bill.balance.micros()),
        receipt_id: Set(run.bill.receipt_id.map(|id| id.to_string())),
        ledger_entry_id: Set(run.bill.ledger_entry_id.map(|id| id.to_string())),
        error_reason: Set(run.error.as_ref().map(|error| error.reason.clone())),
        error_message: Set(error.message),
        error_component: Set(error.component_id),
        end_time: Set(run.end_time.map(Time::micros)),
        owner: Set(run.owner.clone()),
        attempts: Set(run.attempts),
        next_attempt_time: Set(run.next_attempt_time.micros()),
        last_place: Set(run.sequence),
        version: Set(run.version),
        cancel: Set(run.cancel.map(|cancel| cancel.as_str().to_owned()).unwrap_or_default()),
        ..run::ActiveModel::default()
    })
}

/// The row of an event.
pub(super) fn event_row(run: &Run, event: Event) -> event::ActiveModel {
    let (state, version, delta) = match event.what {
        What::Came(state, version) => {
            (Some(state), version, Delta { component_id: String::new(), text: String::new() })
        }
        What::Piece(delta) => (None, run.version, delta),
    };
    event::ActiveModel {
        run_id: Set(run.run_id.to_string()),
        place: Set(event.sequence),
        occur_time: Set(event.occur_time.micros()),
        state: Set(state.map(|state| state.as_str().to_owned())),
        row_version: Set(version),
        component_id: Set(delta.component_id),
        body: Set(delta.text),
    }
}

/// What the row of an event says.
pub(super) fn read_event(row: event::Model) -> Result<Event, DbError> {
    let what = match row.state {
        Some(state) => What::Came(state.parse().map_err(bad("state"))?, row.row_version),
        None => What::Piece(Delta { component_id: row.component_id, text: row.body }),
    };
    Ok(Event { sequence: row.place, occur_time: Time::from_micros(row.occur_time), what })
}
