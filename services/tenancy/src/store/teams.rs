//! Teams and who is in them.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use souk_db::{Once, Request, Tx, once, one_locked, scoped};
use souk_types::{
    Call, OrgId, Scope, TeamId, UserId,
    page::{Page, Paged},
};

use super::{
    Store, denied,
    events::{Cause, Fact},
    members::{as_admin, member},
    orgs::own_org,
    person, read,
    rows::{orgs, team_members, teams},
};
use crate::{
    error::Error,
    model::{ChangeTeam, CreateTeam, DeleteTeam, DisplayName, Team, team::Seat},
};

impl Store {
    /// Makes a team in the scope's org.
    pub(crate) async fn create_team(&self, call: &Call, ask: &CreateTeam, limit: u64) -> Result<Team, Error> {
        let org_id = own_org(&call.scope)?;
        let request = &Request::of(call, org_id, Some(org_id), ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.create_team", |tx| async move {
            once(&tx, request, || async {
                as_admin(&tx, call, org_id).await?;
                let own = || teams::Entity::find().filter(teams::Column::OrgId.eq(org_id.to_string()));
                if own().filter(teams::Column::Slug.eq(ask.slug.as_str())).one(&tx).await?.is_some() {
                    return Err(Error::TeamSlugTaken { slug: ask.slug.to_string(), org_id });
                }
                if own().count(&tx).await? >= limit {
                    return Err(Error::LimitReached { what: "teams of an org", limit });
                }
                let now = tx.now();
                let name = ask.display_name.as_ref().map_or(ask.slug.as_str(), DisplayName::as_str);
                let row = teams::Model {
                    team_id: TeamId::new(now, tx.random()).to_string(),
                    org_id: org_id.to_string(),
                    slug: ask.slug.to_string(),
                    display_name: name.to_owned(),
                    create_time: now.micros(),
                    version: 1,
                };
                teams::Entity::insert(teams::ActiveModel::from(row.clone()))
                    .exec_without_returning(&tx)
                    .await?;
                let team = read::team(row, Vec::new())?;
                Fact::team("souk.tenancy.v1.TeamCreated", &team).tell(&tx, cause).await?;
                Ok(team)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// One page of the scope's org's teams with their people, by slug.
    pub(crate) async fn list_teams(&self, scope: &Scope, page: &Page) -> Result<Paged<Team>, Error> {
        self.require_org(scope).await?;
        let rows = scoped::<teams::Entity>(scope)
            .filter(teams::Column::Slug.gt(page.after.as_str()))
            .order_by_asc(teams::Column::Slug)
            .limit(page.size + 1)
            .all(self.0.read())
            .await?;
        let ids = rows.iter().map(|row| row.team_id.clone()).collect();
        let mut people = people(self.0.read(), ids).await?;
        let whole = |row: teams::Model| {
            let users = people.remove(&row.team_id).unwrap_or_default();
            read::team(row, users)
        };
        let items = rows.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |team| team.slug.clone()))
    }

    /// Puts a member of the org into a team, or takes a person out of it; what is so already stays so.
    pub(crate) async fn change_team(&self, call: &Call, ask: &ChangeTeam) -> Result<Team, Error> {
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.change_team", |tx| async move {
            let (row, org_id) = held(&tx, &call.scope, ask.team_id).await?;
            let request = Request::of(call, org_id, Some(org_id), ask)?;
            once(&tx, &request, || async {
                let (changed, kind) = match ask.seat {
                    Seat::Taken => (sit(&tx, org_id, ask).await?, "souk.tenancy.v1.TeamMemberAdded"),
                    Seat::Left => (leave(&tx, org_id, ask).await?, "souk.tenancy.v1.TeamMemberRemoved"),
                };
                let version = row.version.saturating_add(i64::from(changed));
                if changed {
                    teams::Entity::update_many()
                        .col_expr(teams::Column::Version, Expr::value(version))
                        .filter(teams::Column::TeamId.eq(row.team_id.as_str()))
                        .exec(&tx)
                        .await?;
                }
                let mut people = people(&tx, vec![row.team_id.clone()]).await?;
                let users = people.remove(&row.team_id).unwrap_or_default();
                let team = read::team(teams::Model { version, ..row }, users)?;
                if changed {
                    Fact::team(kind, &team).tell(&tx, cause).await?;
                }
                Ok(team)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Deletes a team; its people stay in the org.
    pub(crate) async fn delete_team(&self, call: &Call, ask: &DeleteTeam) -> Result<(), Error> {
        let (user_id, cause) = (person(call)?, &Cause::of(call));
        let written = self.0.write("tenancy.delete_team", |tx| async move {
            let row = match held(&tx, &call.scope, ask.team_id).await {
                Ok(found) => Some(found),
                Err(Error::TeamNotFound(_)) => None,
                Err(error) => return Err(error),
            };
            // A repeat finds no row that says which org it was of: the log goes by the person.
            let org = row.as_ref().map(|(_, org_id)| *org_id);
            let request = Request::of(call, user_id, org, ask)?;
            once(&tx, &request, || async {
                let (row, org_id) = row.ok_or(Error::TeamNotFound(ask.team_id))?;
                let own = team_members::Column::TeamId.eq(row.team_id.as_str());
                team_members::Entity::delete_many().filter(own).exec(&tx).await?;
                teams::Entity::delete_by_id(row.team_id).exec(&tx).await?;
                let told = (ask.team_id, org_id);
                let version = row.version.saturating_add(1);
                Fact::of_team("souk.tenancy.v1.TeamDeleted", told, version).tell(&tx, cause).await?;
                Ok::<_, Error>(())
            })
            .await
        });
        written.await.map(Once::into_answer)
    }
}

/// A team's row and its org, held until the write ends.
async fn held(tx: &Tx, scope: &Scope, id: TeamId) -> Result<(teams::Model, OrgId), Error> {
    let missing = || Error::TeamNotFound(id);
    // The org before the team, as everywhere: a member who leaves the org is taken out of it at once.
    let seen = teams::Entity::find_by_id(id.to_string()).one(tx).await?.ok_or_else(missing)?;
    orgs::Entity::find_by_id(seen.org_id).lock_exclusive().one(tx).await?;
    let row = one_locked::<teams::Entity>(tx, scope, id.to_string()).await;
    let row = row.map_err(|denial| denied(denial, "tenancy.admin", missing))?;
    let org_id = read::parse("org_id", &row.org_id)?;
    Ok((row, org_id))
}

async fn sit(tx: &Tx, org_id: OrgId, ask: &ChangeTeam) -> Result<bool, Error> {
    member(tx, org_id, ask.user_id).await?;
    let row = team_members::ActiveModel {
        team_id: Set(ask.team_id.to_string()),
        user_id: Set(ask.user_id.to_string()),
        org_id: Set(org_id.to_string()),
        create_time: Set(tx.now().micros()),
    };
    let key = [team_members::Column::TeamId, team_members::Column::UserId];
    let made = team_members::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(made == 1)
}

async fn leave(tx: &Tx, org_id: OrgId, ask: &ChangeTeam) -> Result<bool, Error> {
    let key = (ask.team_id.to_string(), ask.user_id.to_string());
    if team_members::Entity::delete_by_id(key).exec(tx).await?.rows_affected == 1 {
        return Ok(true);
    }
    Err(Error::MemberNotFound { org_id, user_id: ask.user_id })
}

/// Who is in some teams, by team.
async fn people(
    conn: &impl ConnectionTrait,
    teams: Vec<String>,
) -> Result<BTreeMap<String, Vec<UserId>>, Error> {
    let rows = team_members::Entity::find()
        .filter(team_members::Column::TeamId.is_in(teams))
        .order_by_asc(team_members::Column::UserId)
        .all(conn)
        .await?;
    let mut people: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
    for row in rows {
        people.entry(row.team_id).or_default().push(read::parse("user_id", &row.user_id)?);
    }
    Ok(people)
}
