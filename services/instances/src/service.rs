//! Use cases. A new instance is one write; what follows is the loop's, and a caller may wait for its first
//! part.

use std::{sync::Arc, time::Duration};

use souk_types::{
    Call, Caller, OrgId, ProjectId, Scope, Violation,
    id::InstanceId,
    page::{Page, Paged},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    error::Error,
    model::{AutoActivate, CreateInstance, Draft, Instance, Pins, Plan, Version},
    peers::{catalog::Catalog, tenancy::Tenancy},
    store::Store,
};

/// The use cases of instances.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) tenancy: Tenancy,
    pub(crate) commit_wait: Duration,
}

impl Service {
    /// Makes an instance and answers it as it stands once its desired state is committed, or after a while.
    pub(crate) async fn create_instance(&self, call: &Call, ask: CreateInstance) -> Result<Instance, Error> {
        let person = !matches!(call.caller, Caller::Part { .. });
        if person && !ask.source_ref.is_empty() {
            return Err(Error::Invalid(vec![Violation::new("source_ref", "parts only: leave it empty")]));
        }
        let (org, project) = self.home(call).await?;
        if let Some(id) = self.store.earlier(call, org, &(project, &ask)).await? {
            return self.committed(call, id, self.store.bell()).await;
        }
        let version = self.catalog.version(call.acting_for(org), ask.offering_version_id).await?;
        let offering_version_id = ask.offering_version_id;
        let plan = version
            .plan(ask.plan_id)
            .cloned()
            .ok_or(Error::PlanNotFound { offering_version_id, plan_id: ask.plan_id })?;
        if person && !plan.self_service {
            return Err(Error::PlanNeedsPurchase(plan.plan_id));
        }
        let draft = Draft {
            source_ref: ask.source_ref.clone(),
            automatic: false,
            ..self.draft((org, project), version, plan)
        };
        let bell = self.store.bell();
        let id = self.store.create(call, &(project, &ask), draft).await?;
        self.committed(call, id, bell).await
    }

    /// Activates a version under its default plan: the live instance of the project and offering, made now
    /// or before.
    pub(crate) async fn auto_activate(&self, call: &Call, ask: AutoActivate) -> Result<Instance, Error> {
        let (org, project) = self.home(call).await?;
        if let Some(id) = self.store.earlier(call, org, &(project, &ask)).await? {
            return self.committed(call, id, self.store.bell()).await;
        }
        let version = self.catalog.version(call.acting_for(org), ask.offering_version_id).await?;
        let plan = version.default_plan_id.and_then(|plan_id| version.plan(plan_id)).cloned();
        let plan = plan.ok_or(Error::Garbled { part: "catalog", field: "default_plan_id" })?;
        if !plan.self_service {
            return Err(Error::PlanNeedsPurchase(plan.plan_id));
        }
        let draft = self.draft((org, project), version, plan);
        let bell = self.store.bell();
        let id = self.store.activate(call, &(project, &ask), draft).await?;
        self.committed(call, id, bell).await
    }

    /// An instance within the scope.
    pub(crate) async fn instance(&self, scope: &Scope, id: InstanceId) -> Result<Instance, Error> {
        self.store.get(scope, id).await
    }

    /// A page of a project's instances, newest first.
    pub(crate) async fn instances(&self, call: &Call, page: &Page) -> Result<Paged<Instance>, Error> {
        let project = call.project_id.ok_or(Error::ProjectRequired)?;
        self.store.list(&call.scope, project, page).await
    }

    /// The project that the call is about, and whose it is.
    async fn home(&self, call: &Call) -> Result<(OrgId, ProjectId), Error> {
        let project = call.project_id.ok_or(Error::ProjectRequired)?;
        let org = match call.scope.org() {
            Some(org) => org,
            None => self.tenancy.org_of(call.acting_for_platform(), project).await?,
        };
        Ok((org, project))
    }

    fn draft(&self, (org_id, project_id): (OrgId, ProjectId), version: Version, plan: Plan) -> Draft {
        Draft {
            instance_id: self.store.fresh_id(),
            org_id,
            project_id,
            pins: Pins::of(version, plan),
            source_ref: String::new(),
            automatic: true,
        }
    }

    /// The instance once it is committed, or as it stands when the wait is over. `bell` was taken before the
    /// write, so no ring is missed.
    async fn committed(
        &self,
        call: &Call,
        id: InstanceId,
        mut bell: Receiver<Arc<str>>,
    ) -> Result<Instance, Error> {
        let topic = id.to_string();
        let left = call.deadline.map(|deadline| deadline.since(self.store.now()));
        // A caller who is about to leave hears what is known rather than nothing.
        let wait = left.map_or(self.commit_wait, |left| self.commit_wait.min(left / 2));
        let watched = async {
            loop {
                let instance = self.store.get(&call.scope, id).await?;
                if instance.is_committed() {
                    return Ok(instance);
                }
                heard(&mut bell, &topic).await;
            }
        };
        match tokio::time::timeout(wait, watched).await {
            Ok(outcome) => outcome,
            Err(_) => self.store.get(&call.scope, id).await,
        }
    }
}

/// Returns when the topic rang, or when it may have.
async fn heard(bell: &mut Receiver<Arc<str>>, topic: &str) {
    loop {
        match bell.recv().await {
            Ok(rung) if *rung == *topic => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
