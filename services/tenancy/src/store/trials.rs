//! Trials: who was given one, and how many there were in a day.
//!
//! A claim is a row whose key is the canonical address, so of two spellings at once one wins; a day's count
//! is raised only while it is below its bound, so no crowd passes it.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use souk_db::Tx;
use souk_types::{Credits, Reason, Time};

use super::{
    Store, read,
    rows::{trial_days, trials, users, workspaces},
};
use crate::{
    error::Error,
    model::{
        Email, Workspace,
        trial::{Rules, canonical, day},
        workspace::{HEAD_START, State},
    },
};

/// The row that counts the whole platform's.
const PLATFORM: &str = "";

impl Store {
    /// Forgets counts of days before `before`, at most `limit`; says whether there may be more.
    pub(crate) async fn forget_trial_days(&self, before: Time, limit: u64) -> Result<bool, Error> {
        let written = self.0.write("tenancy.forget_trial_days", |tx| async move {
            let old: Vec<i64> = trial_days::Entity::find()
                .select_only()
                .column(trial_days::Column::Day)
                .filter(trial_days::Column::Day.lt(day(before)))
                .limit(limit)
                .into_tuple()
                .all(&tx)
                .await?;
            let full = u64::try_from(old.len()) == Ok(limit);
            let own = trial_days::Column::Day.is_in(old);
            trial_days::Entity::delete_many().filter(own).exec(&tx).await?;
            Ok(full)
        });
        written.await
    }
}

/// The person's new workspace with its trial, or with the reason why there is none.
pub(super) async fn decide(
    tx: &Tx,
    user: &users::Model,
    workspace: Workspace,
    rules: &Rules,
) -> Result<Workspace, Error> {
    if rules.amount == Credits::ZERO {
        return Ok(workspace);
    }
    Ok(match give(tx, user, &workspace, rules).await? {
        Ok(()) => Workspace { trial: rules.amount, ..workspace },
        Err(reason) => Workspace { trial_refused: reason.as_str().to_owned(), ..workspace },
    })
}

/// Decides anew where a trial was refused because nobody had proved the address: whoever held it before its
/// owner came must not have used the owner's trial up. The person's row is held.
pub(super) async fn anew(
    tx: &Tx,
    user: &users::Model,
    row: Workspace,
    rules: &Rules,
) -> Result<Workspace, Error> {
    let waited = row.trial_refused == Reason::TrialAddressUnproven.as_str() && row.state == State::Ready;
    if !waited || user.proof_time.is_none() {
        return Ok(row);
    }
    let version = row.version.saturating_add(1);
    let row = decide(tx, user, Workspace { trial_refused: String::new(), ..row }, rules).await?;
    let given = row.trial > Credits::ZERO;
    let state = if given { State::GrantingTrial } else { State::Ready };
    let next_attempt_time = given.then(|| tx.now() + HEAD_START);
    let row = Workspace { state, attempts: 0, next_attempt_time, version, ..row };
    workspaces::Entity::update_many()
        .col_expr(workspaces::Column::TrialMicros, Expr::value(row.trial.micros()))
        .col_expr(workspaces::Column::TrialRefused, Expr::value(row.trial_refused.as_str()))
        .col_expr(workspaces::Column::State, Expr::value(row.state.as_str()))
        .col_expr(workspaces::Column::Attempts, Expr::value(row.attempts))
        .col_expr(workspaces::Column::NextAttemptTime, Expr::value(row.next_attempt_time.map(Time::micros)))
        .col_expr(workspaces::Column::Version, Expr::value(row.version))
        .filter(workspaces::Column::OrgId.eq(row.org_id.to_string()))
        .exec(tx)
        .await?;
    Ok(row)
}

async fn give(
    tx: &Tx,
    user: &users::Model,
    workspace: &Workspace,
    rules: &Rules,
) -> Result<Result<(), Reason>, Error> {
    let email: Email = read::parse("email", &user.email)?;
    if let Err(reason) = rules.admit(&email, user.proof_time.is_some()) {
        return Ok(Err(reason));
    }
    let address = canonical(&email);
    let claim = trials::ActiveModel {
        address: Set(address.clone()),
        user_id: Set(user.user_id.clone()),
        org_id: Set(workspace.org_id.to_string()),
        create_time: Set(tx.now().micros()),
    };
    let claimed = trials::Entity::insert(claim)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if claimed != 1 {
        return Ok(Err(Reason::TrialAlreadyGranted));
    }
    if count(tx, &email, rules).await? {
        return Ok(Ok(()));
    }
    // Nothing was given: the claim must not say so.
    trials::Entity::delete_by_id(address).exec(tx).await?;
    Ok(Err(Reason::TrialLimitReached))
}

/// Counts one more trial of today; `false` when that would be one too many.
async fn count(tx: &Tx, email: &Email, rules: &Rules) -> Result<bool, Error> {
    let today = day(tx.now());
    let domain = rules.counted(email);
    if let Some(domain) = domain
        && !raise(tx, (today, domain), rules.per_domain).await?
    {
        return Ok(false);
    }
    if raise(tx, (today, PLATFORM), rules.per_day).await? {
        return Ok(true);
    }
    if let Some(domain) = domain {
        trial_days::Entity::update_many()
            .col_expr(trial_days::Column::Given, Expr::col(trial_days::Column::Given).sub(1))
            .filter(trial_days::Column::Day.eq(today))
            .filter(trial_days::Column::MailDomain.eq(domain))
            .exec(tx)
            .await?;
    }
    Ok(false)
}

async fn raise(tx: &Tx, (day, domain): (i64, &str), limit: u64) -> Result<bool, Error> {
    let row = trial_days::ActiveModel { day: Set(day), mail_domain: Set(domain.to_owned()), given: Set(0) };
    let key = [trial_days::Column::Day, trial_days::Column::MailDomain];
    trial_days::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    let raised = trial_days::Entity::update_many()
        .col_expr(trial_days::Column::Given, Expr::col(trial_days::Column::Given).add(1))
        .filter(trial_days::Column::Day.eq(day))
        .filter(trial_days::Column::MailDomain.eq(domain))
        .filter(trial_days::Column::Given.lt(i64::try_from(limit).unwrap_or(i64::MAX)))
        .exec(tx)
        .await?;
    Ok(raised.rows_affected == 1)
}
