//! The request log: a command with a `request_id` takes effect once, and every copy of it gets the first
//! answer.
//!
//! The row is written first, so that PostgreSQL makes copies that arrive together wait for each other; an
//! error rolls the row back with the effect. What people asked for goes out by the outbox for the audit trail.

use aws_lc_rs::digest;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, QueryOrder as _, QuerySelect as _, entity::prelude::*,
    sea_query::OnConflict,
};
use serde::{Serialize, de::DeserializeOwned};
use souk_types::{Time, id::OrgId};

use crate::{Db, Error, Tx, audit};

mod group;

pub use self::group::{Answered, begin_all, finish_all};
pub use crate::audit::refused;

/// Answers are kept at least this long.
pub const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A command as the request log sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Within which the id is unique: the org's id, or the person's where no org exists yet.
    pub subject: String,
    /// The method: `TopUp`.
    pub rpc: &'static str,
    /// What the caller chose: 1 to 255 printable ASCII characters.
    pub request_id: String,
    /// Names the decoded command: `digest_of`.
    pub digest: String,
    /// Who asks (`user:usr_…`, `part:commerce`).
    pub actor: String,
    /// The org, where there is one.
    pub org_id: Option<OrgId>,
    /// The W3C trace id; empty when there is none.
    pub trace: String,
}

impl Request {
    /// Within which the id is unique. A part's ids are made of names that people can guess
    /// (`saleor:<order>:<line>`), so parts and people stand apart: nobody uses an id up before the part does.
    #[must_use]
    pub fn space(&self) -> String {
        match self.actor.strip_prefix("part:") {
            Some(part) => format!("{part}@{}", self.subject),
            None => self.subject.clone(),
        }
    }

    /// The request that an opened call carries. `subject` is the org whose noun it is about, or the person
    /// or `platform` where no org exists yet.
    ///
    /// # Errors
    /// When the command has no JSON form.
    pub fn of(
        call: &souk_types::Call,
        subject: impl std::fmt::Display,
        org_id: Option<OrgId>,
        command: &impl Serialize,
    ) -> Result<Self, Error> {
        Ok(Self {
            subject: subject.to_string(),
            rpc: call.rpc.rsplit('/').next().unwrap_or(call.rpc),
            request_id: call.request_id.clone(),
            digest: digest_of(command)?,
            actor: call.caller.actor(),
            org_id,
            trace: call.trace.id.clone(),
        })
    }
}

/// An answer, and whether it was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<A> {
    /// The command took effect just now.
    Fresh(A),
    /// It took effect before; this is what was answered then.
    Replayed(A),
}

impl<A> Once<A> {
    /// The answer, whenever it was given.
    pub fn into_answer(self) -> A {
        match self {
            Self::Fresh(answer) | Self::Replayed(answer) => answer,
        }
    }

    /// Whether the answer was given before.
    pub const fn is_replay(&self) -> bool {
        matches!(self, Self::Replayed(_))
    }
}

/// What `begin` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun<A> {
    /// Nothing: the intent now stands in the log, and `finish` or `abandon` must follow.
    Fresh,
    /// The answer that was given before.
    Replayed(A),
}

/// Names a decoded command: SHA-256, in hex, over its JSON. Maps in it must have a stable order.
///
/// # Errors
/// When the command has no JSON form.
pub fn digest_of(command: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(command).map_err(|error| Error::value("the command", error))?;
    Ok(hex::encode(digest::digest(&digest::SHA256, &json)))
}

/// Runs `effect` unless the command took effect before, and keeps its answer with it.
///
/// # Errors
/// What `effect` answers (then the id is not consumed), `Error::RequestIdReused` when the id stands for
/// another command, `Error::RequestInProgress` when an intent with this id has no outcome yet.
pub async fn once<A, E, F, Fut>(tx: &Tx, request: &Request, effect: F) -> Result<Once<A>, E>
where
    A: Serialize + DeserializeOwned + Send,
    E: From<Error> + Send,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<A, E>> + Send,
{
    match begin(tx, request).await? {
        Begun::Replayed(answer) => Ok(Once::Replayed(answer)),
        Begun::Fresh => {
            let answer = effect().await?;
            let json = json(&answer)?;
            close(tx, request, json).await?;
            Ok(Once::Fresh(answer))
        }
    }
}

/// Writes the intent of a command whose effect lies outside of this database; commit it before the effect.
///
/// # Errors
/// As `once`: the id stands for another command, or its first call is still at work.
pub async fn begin<A: DeserializeOwned>(tx: &Tx, request: &Request) -> Result<Begun<A>, Error> {
    let row = row::ActiveModel {
        subject: Set(request.space()),
        rpc: Set(request.rpc.to_owned()),
        request_id: Set(request.request_id.clone()),
        org_id: Set(request.org_id.map(|org| org.to_string())),
        digest: Set(request.digest.clone()),
        actor: Set(request.actor.clone()),
        trace: Set(request.trace.clone()),
        begin_time: Set(tx.now().micros()),
        end_time: Set(None),
        answer: Set(None),
    };
    let key = [row::Column::Subject, row::Column::Rpc, row::Column::RequestId];
    let inserted = row::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if inserted == 1 {
        return Ok(Begun::Fresh);
    }
    // The copy that came first has committed: a statement of READ COMMITTED sees its row.
    outcome(request, find(tx, request).await?.as_ref())
}

/// What a request gets that is not the first of its id.
fn outcome<A: DeserializeOwned>(request: &Request, first: Option<&row::Model>) -> Result<Begun<A>, Error> {
    match first {
        Some(first) if first.digest != request.digest => Err(reused(request)),
        Some(row::Model { answer: Some(answer), .. }) => Ok(Begun::Replayed(read(answer)?)),
        Some(_) | None => {
            Err(Error::RequestInProgress { rpc: request.rpc, request_id: request.request_id.clone() })
        }
    }
}

/// The answer that was given before, found without writing; `None` when the command must be done, or is
/// still at work. For a use case that asks others before its write: a repeat needs them no more.
///
/// # Errors
/// `Error::RequestIdReused` when the id stands for another command.
pub async fn peek<A: DeserializeOwned>(db: &Db, request: &Request) -> Result<Option<A>, Error> {
    let Some(first) = find(db.read(), request).await? else { return Ok(None) };
    if first.digest != request.digest {
        return Err(reused(request));
    }
    first.answer.map(|answer| read(&answer)).transpose()
}

fn read<A: DeserializeOwned>(answer: &str) -> Result<A, Error> {
    serde_json::from_str(answer).map_err(|error| Error::value("the answer", error))
}

/// Writes the outcome of a command begun before; from now on every copy gets `answer`.
///
/// # Errors
/// When the request was never begun or has its answer.
pub async fn finish(tx: &Tx, request: &Request, answer: &(impl Serialize + Sync)) -> Result<(), Error> {
    close(tx, request, json(answer)?).await
}

fn json(answer: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(answer).map_err(|error| Error::value("the answer", error))
}

async fn close(tx: &Tx, request: &Request, json: String) -> Result<(), Error> {
    let now = tx.now();
    let done = open(request, row::Entity::update_many())
        .col_expr(row::Column::EndTime, Expr::value(now.micros()))
        .col_expr(row::Column::Answer, Expr::value(json))
        .exec(tx)
        .await?;
    if done.rows_affected != 1 {
        return Err(not_open(request));
    }
    audit::answered(tx, request).await
}

/// Takes back the intent of a command whose foreign effect failed: nothing happened, the id is free again.
///
/// # Errors
/// When the request was never begun or has its answer.
pub async fn abandon(tx: &Tx, request: &Request) -> Result<(), Error> {
    let gone = open(request, row::Entity::delete_many()).exec(tx).await?;
    if gone.rows_affected == 1 { Ok(()) } else { Err(not_open(request)) }
}

/// Forgets answered requests begun before `before`, the oldest first, at most `limit`; says how many.
/// The caller keeps them for `KEPT` at least.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(db: &Db, before: Time, limit: u64) -> Result<u64, Error> {
    db.write("db.forget_requests", |tx| async move {
        let old = row::Entity::find()
            .filter(row::Column::BeginTime.lt(before.micros()))
            .filter(row::Column::Answer.is_not_null())
            .order_by_asc(row::Column::BeginTime)
            .limit(limit)
            .all(&tx)
            .await?;
        let mut gone = 0;
        for row in old {
            // Another replica may have forgotten it first, and its id may have been used anew since.
            gone += row::Entity::delete_by_id((row.subject, row.rpc, row.request_id))
                .filter(row::Column::BeginTime.eq(row.begin_time))
                .filter(row::Column::Answer.is_not_null())
                .exec(&tx)
                .await?
                .rows_affected;
        }
        Ok(gone)
    })
    .await
}

async fn find(conn: &impl ConnectionTrait, request: &Request) -> Result<Option<row::Model>, DbErr> {
    let key = (request.space(), request.rpc.to_owned(), request.request_id.clone());
    row::Entity::find_by_id(key).one(conn).await
}

/// Narrows a change to the row of `request` while it has no answer.
fn open<Q: QueryFilter>(request: &Request, change: Q) -> Q {
    change
        .filter(row::Column::Subject.eq(request.space()))
        .filter(row::Column::Rpc.eq(request.rpc))
        .filter(row::Column::RequestId.eq(&request.request_id))
        .filter(row::Column::Digest.eq(&request.digest))
        .filter(row::Column::Answer.is_null())
}

fn reused(request: &Request) -> Error {
    Error::RequestIdReused { rpc: request.rpc, request_id: request.request_id.clone() }
}

fn not_open(request: &Request) -> Error {
    Error::RequestNotOpen { rpc: request.rpc, request_id: request.request_id.clone() }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "request_log")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub rpc: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub org_id: Option<String>,
        pub digest: String,
        pub actor: String,
        pub trace: String,
        pub begin_time: i64,
        pub end_time: Option<i64>,
        pub answer: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
