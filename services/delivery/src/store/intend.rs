//! The first half of Apply and Remove: the intent and its request, in one transaction.

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};
use souk_db::{
    Error as DbError, Request, Tx,
    once::{Begun, begin, finish},
    one_locked,
};
use souk_types::{
    Call,
    id::{InstanceId, OrgId, ProjectId},
};

use super::{
    COMMITTED, DONE, PENDING, Store,
    commit::update,
    desired_state,
    rows::{desired, route_claim, waiting_request},
};
use crate::{
    error::Error,
    model::{Committed, ContentHash, Desired, DesiredState, Removal, Route, Verdict, weigh, weigh_removal},
};

/// How often a route is tried to be claimed whose holder leaves it at that very moment.
const CLAIMS: u32 = 3;

/// What is asked of an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    /// That it be this; with the hash of its files.
    Apply(&'a Desired, &'a ContentHash),
    /// That it be no more.
    Remove(Removal),
}

impl Ask<'_> {
    const fn names(&self) -> (InstanceId, i64) {
        match self {
            Self::Apply(asked, _) => (asked.instance_id, asked.revision),
            Self::Remove(asked) => (asked.instance_id, asked.revision),
        }
    }
}

impl Store {
    /// Keeps what is wanted; answers at once when a commit holds it (or something newer) already. After
    /// `None` the request waits, and the instance's next commit answers it, whoever makes that.
    pub(crate) async fn intend(
        &self,
        call: &Call,
        request: &Request,
        ask: Ask<'_>,
    ) -> Result<Option<Committed>, Error> {
        self.db
            .write("delivery.intend", |tx| async move {
                match begin::<Committed>(&tx, request).await {
                    Ok(Begun::Replayed(first)) => return Ok(Some(first)),
                    // A copy of a call that is still to be answered: it waits for the same commit.
                    Err(DbError::RequestInProgress { .. }) => return Ok(None),
                    Err(error) => return Err(Error::from(error)),
                    Ok(Begun::Fresh) => {}
                }
                let committed = match ask {
                    Ask::Apply(asked, hash) => apply(&tx, call, asked, hash).await?,
                    Ask::Remove(asked) => remove(&tx, call, asked).await?,
                };
                match &committed {
                    Some(committed) => finish(&tx, request, committed).await?,
                    None => leave_waiting(&tx, request, ask).await?,
                }
                Ok(committed)
            })
            .await
    }

    /// The answer of a request, once it has one.
    pub(crate) async fn answer(&self, request: &Request) -> Result<Option<Committed>, Error> {
        let key = (request.subject.clone(), request.rpc.to_owned(), request.request_id.clone());
        let waiting = waiting_request::Entity::find_by_id(key).one(self.db.read()).await;
        if waiting.map_err(DbError::from)?.is_some() {
            return Ok(None);
        }
        self.db
            .write("delivery.read_answer", |tx| async move {
                match begin::<Committed>(&tx, request).await? {
                    Begun::Replayed(answer) => Ok(Some(answer)),
                    // Only what has its intent is asked for here; the error takes the new row back.
                    Begun::Fresh => Err(DbError::RequestNotOpen {
                        rpc: request.rpc,
                        request_id: request.request_id.clone(),
                    }
                    .into()),
                }
            })
            .await
    }
}

/// Puts the wanted state into the instance's row, unless that holds the same or something newer.
async fn apply(
    tx: &Tx,
    call: &Call,
    asked: &Desired,
    hash: &ContentHash,
) -> Result<Option<Committed>, Error> {
    let intent = Intent {
        org_id: asked.org_id,
        project_id: Some(asked.project_id),
        instance_id: asked.instance_id,
        revision: asked.revision,
        desired: Some(asked),
        content_hash: Some(hash),
    };
    if insert(tx, intent.row(tx, PENDING)?).await? {
        claim(tx, asked).await?;
        return Ok(None);
    }
    let (kept, version) = kept(tx, call, asked.instance_id).await?;
    match weigh(&kept, asked)? {
        Verdict::Kept => Ok(kept.committed()),
        Verdict::Newer => {
            claim(tx, asked).await?;
            replace(tx, &intent, version).await?;
            Ok(None)
        }
    }
}

/// Keeps that the instance is to be no more. One that never was is answered at once: nothing is to be
/// committed, and from now on nothing older can make it be.
async fn remove(tx: &Tx, call: &Call, asked: Removal) -> Result<Option<Committed>, Error> {
    let intent = Intent {
        org_id: asked.org_id,
        project_id: None,
        instance_id: asked.instance_id,
        revision: asked.revision,
        desired: None,
        content_hash: None,
    };
    if insert(tx, intent.row(tx, DONE)?).await? {
        tx.ring(COMMITTED);
        return Ok(Some(Committed { commit_id: None, content_hash: None, revision: asked.revision }));
    }
    let (kept, version) = kept(tx, call, asked.instance_id).await?;
    match weigh_removal(&kept, asked)? {
        Verdict::Kept => Ok(kept.committed()),
        Verdict::Newer => {
            let project_id = kept.project.map(|(_, project_id)| project_id);
            replace(tx, &Intent { project_id, ..intent }, version).await?;
            Ok(None)
        }
    }
}

async fn kept(tx: &Tx, call: &Call, instance_id: InstanceId) -> Result<(DesiredState, i64), Error> {
    let row = one_locked::<desired::Entity>(tx, &call.scope, instance_id.to_string()).await;
    let row = row.map_err(|denial| {
        denial.say(|| Error::InstanceNotFound { instance_id }, || Error::PermissionDenied)
    })?;
    let version = row.version;
    Ok((desired_state(row)?, version))
}

/// Claims the route for the instance. Claims of its older revisions stay until a commit holds this one: as
/// long as the old route stands in the repository, nobody else may take it.
async fn claim(tx: &Tx, asked: &Desired) -> Result<(), Error> {
    if asked.route == Route::default_of(asked.instance_id) {
        return Ok(());
    }
    let (host, path) = (asked.route.host.clone().unwrap_or_default(), asked.route.path.clone());
    let instance_id = asked.instance_id.to_string();
    for _ in 0..CLAIMS {
        let row = route_claim::ActiveModel {
            host: Set(host.clone()),
            path: Set(path.clone()),
            instance_id: Set(instance_id.clone()),
            revision: Set(asked.revision),
        };
        let key = [route_claim::Column::Host, route_claim::Column::Path];
        let again = OnConflict::columns(key).do_nothing().to_owned();
        let inserted = route_claim::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await;
        if inserted.map_err(DbError::from)? == 1 {
            return Ok(());
        }
        let of_route = route_claim::Entity::find_by_id((host.clone(), path.clone()));
        match of_route.one(tx).await.map_err(DbError::from)? {
            Some(holder) if holder.instance_id == instance_id => {
                let change = route_claim::ActiveModel {
                    host: Set(host),
                    path: Set(path),
                    revision: Set(asked.revision),
                    ..Default::default()
                };
                route_claim::Entity::update(change).exec(tx).await.map_err(DbError::from)?;
                return Ok(());
            }
            Some(_) => break,
            None => {}
        }
    }
    Err(Error::RouteTaken { host, path })
}

/// What is put into a row, however it came to be.
struct Intent<'a> {
    org_id: OrgId,
    project_id: Option<ProjectId>,
    instance_id: InstanceId,
    revision: i64,
    desired: Option<&'a Desired>,
    content_hash: Option<&'a ContentHash>,
}

impl Intent<'_> {
    fn row(&self, tx: &Tx, state: &str) -> Result<desired::ActiveModel, DbError> {
        let now = tx.now().micros();
        Ok(desired::ActiveModel {
            instance_id: Set(self.instance_id.to_string()),
            org_id: Set(self.org_id.to_string()),
            applied_revision: Set(0),
            update_time: Set(now),
            version: Set(1),
            drifted: Set(0),
            state: Set(state.to_owned()),
            ..self.change(now)?
        })
    }

    fn change(&self, now: i64) -> Result<desired::ActiveModel, DbError> {
        let desired =
            serde_json::to_string(&self.desired).map_err(|error| DbError::value("desired", error))?;
        Ok(desired::ActiveModel {
            project_id: Set(self.project_id.map(|id| id.to_string()).unwrap_or_default()),
            revision: Set(self.revision),
            desired: Set(desired),
            content_hash: Set(self.content_hash.map(ToString::to_string).unwrap_or_default()),
            state: Set(PENDING.to_owned()),
            commit_id: Set(None),
            attempts: Set(0),
            next_attempt_time: Set(now),
            problem: Set(None),
            ..Default::default()
        })
    }
}

/// Says whether there was no row of the instance.
async fn insert(tx: &Tx, row: desired::ActiveModel) -> Result<bool, DbError> {
    let inserted = desired::Entity::insert(row)
        .on_conflict(OnConflict::column(desired::Column::InstanceId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(inserted == 1)
}

async fn replace(tx: &Tx, intent: &Intent<'_>, version: i64) -> Result<(), DbError> {
    let change = desired::ActiveModel { version: Set(version + 1), ..intent.change(tx.now().micros())? };
    update(tx, &intent.instance_id.to_string(), change).await
}

async fn leave_waiting(tx: &Tx, request: &Request, ask: Ask<'_>) -> Result<(), DbError> {
    let (instance_id, revision) = ask.names();
    let row = waiting_request::ActiveModel {
        subject: Set(request.subject.clone()),
        rpc: Set(request.rpc.to_owned()),
        request_id: Set(request.request_id.clone()),
        instance_id: Set(instance_id.to_string()),
        revision: Set(revision),
        digest: Set(request.digest.clone()),
        actor: Set(request.actor.clone()),
        trace: Set(request.trace.clone()),
    };
    waiting_request::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
