//! Use cases. A new instance is one write; what follows is the loop's, and a caller may wait for its first
//! part.

use std::{sync::Arc, time::Duration};

use serde_json::Map;
use souk_capability::Registry;
use souk_types::{
    Call, Caller, OfferingId, OrgId, ProjectId, Scope, Violation,
    id::InstanceId,
    page::{Page, Paged},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    error::Error,
    model::{
        AutoActivate, Configure, CreateInstance, Draft, End, Event, Hold, Instance, PauseReason, Pins, Plan,
        Sale, Version, effective,
    },
    peers::{catalog::Catalog, tenancy::Tenancy},
    store::Store,
};

/// The use cases of instances.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) tenancy: Tenancy,
    pub(crate) registry: &'static Registry,
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
        self.sold(call, org, (version.offering_id, &version.offering_slug)).await?;
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
        if let Err(refused) = self.sold(call, org, (version.offering_id, &version.offering_slug)).await {
            // What is there already is not taken anew.
            let live = self.store.live(&call.scope, project, version.offering_id).await?.ok_or(refused)?;
            return self.store.get(&call.scope, live).await;
        }
        let draft = self.draft((org, project), version, plan);
        let bell = self.store.bell();
        let id = self.store.activate(call, &(project, &ask), draft).await?;
        self.committed(call, id, bell).await
    }

    /// Refuses what is not sold.
    async fn sold(&self, call: &Call, org: OrgId, (id, slug): (OfferingId, &str)) -> Result<(), Error> {
        let slug = slug.to_owned();
        match self.catalog.sale(call.acting_for(org), id).await? {
            Sale::Open => Ok(()),
            Sale::Paused => Err(Error::OfferingPaused { slug }),
            Sale::Ended { end_time } => Err(Error::OfferingEnded { slug, end_time }),
        }
    }

    /// Pauses an instance for the caller's reason.
    pub(crate) async fn pause(&self, call: &Call, id: InstanceId, ask: &Hold) -> Result<Instance, Error> {
        let (reason, by) = (ask.reason_of(&call.caller)?, &call.caller.actor());
        let act = |instance: &mut Instance, patience: &_, now| Ok(instance.pause(reason, by, patience, now)?);
        self.store.command("instances.pause", (call, id), ask, act).await
    }

    /// Takes the caller's reason away.
    pub(crate) async fn resume(&self, call: &Call, id: InstanceId, ask: &Hold) -> Result<Instance, Error> {
        let (reason, by) = (ask.reason_of(&call.caller)?, &call.caller.actor());
        let act =
            |instance: &mut Instance, patience: &_, now| Ok(instance.resume(reason, by, patience, now)?);
        self.store.command("instances.resume", (call, id), ask, act).await
    }

    /// Takes an instance down for good.
    pub(crate) async fn terminate(&self, call: &Call, id: InstanceId, ask: &End) -> Result<Instance, Error> {
        let why = &format!("by {}", call.caller.actor());
        let act = |instance: &mut Instance, patience: &_, now| {
            expect_etag(instance, &ask.etag)?;
            instance.terminate(why, patience, now);
            Ok(())
        };
        self.store.command("instances.terminate", (call, id), ask, act).await
    }

    /// Gives an instance another configuration.
    pub(crate) async fn configure(
        &self,
        call: &Call,
        id: InstanceId,
        ask: &(String, Configure),
    ) -> Result<Instance, Error> {
        let (etag, wanted) = ask;
        let act = |instance: &mut Instance, patience: &_, now| {
            expect_etag(instance, etag)?;
            let overrides = wanted.onto(&instance.config.overrides);
            let violations = effective::violations(self.registry, &instance.pins, &overrides);
            if !violations.is_empty() {
                return Err(Error::ConfigInvalid(violations));
            }
            let effective = effective::of(self.registry, &instance.pins, &overrides);
            Ok(instance.configure(overrides, effective, patience, now)?)
        };
        self.store.command("instances.update_config", (call, id), ask, act).await
    }

    /// A page of what happened to an instance, newest first.
    pub(crate) async fn events(
        &self,
        scope: &Scope,
        id: InstanceId,
        page: &Page,
    ) -> Result<Paged<Event>, Error> {
        self.store.events(scope, id, page).await
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

    /// The project that the call is about, and whose it is. A person's token names their projects; a part's
    /// names the org it acts for alone, so tenancy says whether the project is that org's.
    async fn home(&self, call: &Call) -> Result<(OrgId, ProjectId), Error> {
        let project = call.project_id.ok_or(Error::ProjectRequired)?;
        let part = matches!(call.caller, Caller::Part { .. });
        let org = match call.scope.org() {
            Some(org) if part => self.tenancy.org_of(call.acting_for(org), project).await?,
            Some(org) => org,
            None => self.tenancy.org_of(call.acting_for_platform(), project).await?,
        };
        Ok((org, project))
    }

    fn draft(&self, (org_id, project_id): (OrgId, ProjectId), version: Version, plan: Plan) -> Draft {
        let pins = Pins::of(version, plan);
        Draft {
            instance_id: self.store.fresh_id(),
            org_id,
            project_id,
            effective: effective::of(self.registry, &pins, &Map::new()),
            pins,
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

impl Hold {
    /// The reason that a caller gives or takes: a person MANUAL, commerce REFUNDED. The others come and go
    /// with what they tell of.
    fn reason_of(&self, caller: &Caller) -> Result<PauseReason, Error> {
        let part = matches!(caller, Caller::Part { .. });
        match (part, self.reason.as_str()) {
            (false, "" | "MANUAL") => Ok(PauseReason::Manual),
            (true, "REFUNDED") => Ok(PauseReason::Refunded),
            (false, _) => Err(Error::Invalid(vec![Violation::new("reason", "people: leave it empty")])),
            (true, _) => Err(Error::Invalid(vec![Violation::new("reason", "parts: must be REFUNDED")])),
        }
    }
}

fn expect_etag(instance: &Instance, sent: &str) -> Result<(), Error> {
    let present = instance.etag();
    if sent.is_empty() || sent == present {
        return Ok(());
    }
    Err(Error::EtagMismatch { sent: sent.to_owned(), present })
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
