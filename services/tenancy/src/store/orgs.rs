//! Orgs and their projects.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use souk_db::{Once, Request, Tx, for_every_tenant, once, one, scoped};
use souk_types::{
    Call, Credits, OrgId, ProjectId, Role, Scope, UserId,
    page::{Page, Paged},
};

use super::{
    Store, denied,
    events::{Cause, Fact},
    members::as_admin,
    person, read,
    rows::{members, orgs, projects, users, workspaces},
    trials,
};
use crate::{
    error::Error,
    model::{
        CreateOrg, CreateProject, DisplayName, NewOrg, Org, Project, Slug, Workspace,
        trial::Rules,
        workspace::{HEAD_START, State},
    },
};

/// What an org is born from.
pub(super) struct Birth<'a> {
    /// Who becomes its admin.
    pub(super) user: users::Model,
    /// What it is called.
    pub(super) name: &'a str,
    /// The rules of trials, where it is the admin's own workspace.
    pub(super) trial: Option<&'a Rules>,
    /// Orgs that the admin may belong to.
    pub(super) limit: u64,
}

impl Store {
    /// Makes an org with its default project and the row that will bring it a wallet.
    pub(crate) async fn create_org(&self, call: &Call, ask: &CreateOrg, limit: u64) -> Result<NewOrg, Error> {
        let user_id = person(call)?;
        let request = &Request::of(call, user_id, None, ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.create_org", |tx| async move {
            once(&tx, request, || async {
                let user = lock_user(&tx, user_id).await?;
                let name = ask.display_name.as_str();
                let (new, _) = bear(&tx, cause, Birth { user, name, trial: None, limit }).await?;
                Ok(new)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Makes a project in the scope's org.
    pub(crate) async fn create_project(
        &self,
        call: &Call,
        ask: &CreateProject,
        limit: u64,
    ) -> Result<Project, Error> {
        let org_id = own_org(&call.scope)?;
        let request = &Request::of(call, org_id, Some(org_id), ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.create_project", |tx| async move {
            once(&tx, request, || async {
                // The lock makes those who count projects at the same time wait for each other.
                as_admin(&tx, call, org_id).await?;
                room_for_project(&tx, org_id, &ask.slug, limit).await?;
                let name = ask.display_name.as_ref().map_or(ask.slug.as_str(), DisplayName::as_str);
                let project = insert_project(&tx, org_id, &ask.slug, name).await?;
                Fact::project_created(&project).tell(&tx, cause).await?;
                Ok(project)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// One page of the scope's org's projects, oldest first.
    pub(crate) async fn list_projects(&self, scope: &Scope, page: &Page) -> Result<Paged<Project>, Error> {
        self.require_org(scope).await?;
        let rows = scoped::<projects::Entity>(scope)
            .filter(projects::Column::ProjectId.gt(page.after.as_str()))
            .order_by_asc(projects::Column::ProjectId)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let items = rows.into_iter().map(read::project).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |project| project.project_id.to_string()))
    }

    /// One project.
    pub(crate) async fn get_project(&self, scope: &Scope, id: ProjectId) -> Result<Project, Error> {
        let row = one::<projects::Entity>(self.0.read(), scope, id.to_string()).await;
        let row = row.map_err(|denial| denied(denial, "tenancy.read", || Error::ProjectNotFound(id)))?;
        Ok(read::project(row)?)
    }

    /// Whether the scope's org exists: an operator may name any.
    pub(super) async fn require_org(&self, scope: &Scope) -> Result<OrgId, Error> {
        let org_id = own_org(scope)?;
        let found = one::<orgs::Entity>(self.0.read(), scope, org_id.to_string()).await;
        found.map_err(|denial| denied(denial, "tenancy.read", || Error::OrgNotFound(org_id)))?;
        Ok(org_id)
    }
}

/// The one org of a scope that a rule bound to an org.
pub(super) fn own_org(scope: &Scope) -> Result<OrgId, Error> {
    let unbound = || souk_db::Error::value("scope", "names no org");
    Ok(scope.org().ok_or_else(unbound)?)
}

/// Holds a user's row until the write ends: their orgs are counted and made one at a time.
pub(super) async fn lock_user(tx: &Tx, user_id: UserId) -> Result<users::Model, Error> {
    let row = users::Entity::find_by_id(user_id.to_string()).lock_exclusive().one(tx).await?;
    row.ok_or(Error::UserNotFound(user_id))
}

/// Makes an org, its default project, its admin and its workspace row. The user's row is held.
pub(super) async fn bear(tx: &Tx, cause: &Cause, birth: Birth<'_>) -> Result<(NewOrg, Workspace), Error> {
    let Birth { user, name, trial, limit } = birth;
    let user_id: UserId = read::parse("user_id", &user.user_id)?;
    let held = members::Entity::find().filter(members::Column::UserId.eq(&user.user_id)).count(tx).await?;
    if held >= limit {
        return Err(Error::LimitReached { what: "orgs of a user", limit });
    }
    let org = insert_org(tx, name).await?;
    let project = insert_project(tx, org.org_id, &Slug::default_project(), "Default").await?;
    let member = members::ActiveModel {
        org_id: Set(org.org_id.to_string()),
        user_id: Set(user.user_id.clone()),
        role: Set(Role::Admin.as_str().to_owned()),
        create_time: Set(tx.now().micros()),
        version: Set(1),
    };
    members::Entity::insert(member).exec_without_returning(tx).await?;
    let workspace = Workspace {
        org_id: org.org_id,
        project_id: project.project_id,
        trial_user: trial.map(|_| user_id),
        trial: Credits::ZERO,
        trial_refused: String::new(),
        state: State::OpeningWallet,
        attempts: 0,
        next_attempt_time: Some(tx.now() + HEAD_START),
        last_reason: String::new(),
        version: 1,
    };
    let workspace = match trial {
        Some(rules) => trials::decide(tx, &user, workspace, rules).await?,
        None => workspace,
    };
    insert_workspace(tx, &workspace).await?;
    Fact::org_created(&org, user_id).tell(tx, cause).await?;
    Fact::project_created(&project).tell(tx, cause).await?;
    Ok((NewOrg { org, project }, workspace))
}

async fn insert_org(tx: &Tx, name: &str) -> Result<Org, Error> {
    let now = tx.now();
    let row = orgs::Model {
        org_id: OrgId::new(now, tx.random()).to_string(),
        display_name: name.to_owned(),
        create_time: now.micros(),
        version: 1,
    };
    orgs::Entity::insert(orgs::ActiveModel::from(row.clone())).exec_without_returning(tx).await?;
    Ok(read::org(row)?)
}

async fn insert_project(tx: &Tx, org_id: OrgId, slug: &Slug, name: &str) -> Result<Project, Error> {
    let now = tx.now();
    let row = projects::Model {
        project_id: ProjectId::new(now, tx.random()).to_string(),
        org_id: org_id.to_string(),
        slug: slug.to_string(),
        display_name: name.to_owned(),
        create_time: now.micros(),
        version: 1,
    };
    projects::Entity::insert(projects::ActiveModel::from(row.clone())).exec_without_returning(tx).await?;
    Ok(read::project(row)?)
}

async fn insert_workspace(tx: &Tx, workspace: &Workspace) -> Result<(), Error> {
    let row = workspaces::ActiveModel {
        org_id: Set(workspace.org_id.to_string()),
        project_id: Set(workspace.project_id.to_string()),
        trial_user_id: Set(workspace.trial_user.map(|user| user.to_string())),
        trial_micros: Set(workspace.trial.micros()),
        state: Set(workspace.state.as_str().to_owned()),
        attempts: Set(workspace.attempts),
        next_attempt_time: Set(workspace.next_attempt_time.map(souk_types::Time::micros)),
        last_reason: Set(workspace.last_reason.clone()),
        create_time: Set(tx.now().micros()),
        version: Set(workspace.version),
        trial_refused: Set(workspace.trial_refused.clone()),
    };
    workspaces::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Whether the org, whose row is held, has room for a project with this slug.
async fn room_for_project(tx: &Tx, org_id: OrgId, slug: &Slug, limit: u64) -> Result<(), Error> {
    let own = || projects::Entity::find().filter(projects::Column::OrgId.eq(org_id.to_string()));
    if own().filter(projects::Column::Slug.eq(slug.as_str())).one(tx).await?.is_some() {
        return Err(Error::SlugTaken { slug: slug.to_string(), org_id });
    }
    if own().count(tx).await? >= limit {
        return Err(Error::LimitReached { what: "projects of an org", limit });
    }
    Ok(())
}

/// The projects of some orgs, oldest first.
pub(super) async fn projects_of(store: &Store, orgs: &[OrgId]) -> Result<Vec<Project>, Error> {
    let rows = scoped::<projects::Entity>(&for_every_tenant())
        .filter(projects::Column::OrgId.is_in(orgs.iter().map(ToString::to_string)))
        .order_by_asc(projects::Column::ProjectId)
        .all(store.0.read())
        .await?;
    Ok(rows.into_iter().map(read::project).collect::<Result<_, _>>()?)
}
