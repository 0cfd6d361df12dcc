//! Mails that wait: picked by the loop, tried, settled.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use souk_db::{Tx, for_every_tenant, scoped};
use souk_types::Time;

use super::{
    Store,
    events::{Cause, Fact},
    read,
    rows::{mails, orgs},
};
use crate::{
    error::Error,
    model::invitation::{Mail, MailState},
};

/// The topic that wakes the loop.
pub(crate) const TOPIC: &str = "mails";

impl Store {
    /// Mails whose next try is due, the longest waiting first.
    pub(crate) async fn due_mails(&self, now: Time, limit: u64) -> Result<Vec<Mail>, Error> {
        let rows = scoped::<mails::Entity>(&for_every_tenant())
            .filter(mails::Column::NextAttemptTime.lte(now.micros()))
            .order_by_asc(mails::Column::NextAttemptTime)
            .limit(limit)
            .all(self.0.read())
            .await?;
        Ok(rows.into_iter().map(read::mail).collect::<Result<_, _>>()?)
    }

    /// Moves a mail on, unless somebody else did meanwhile; says whether it did.
    pub(crate) async fn move_mail(&self, from: &Mail, to: &Mail) -> Result<bool, Error> {
        self.0.write("tenancy.move_mail", |tx| async move { step(&tx, from, to).await }).await
    }

    /// What an org is called.
    pub(crate) async fn org_name(&self, mail: &Mail) -> Result<String, Error> {
        let query = scoped::<orgs::Entity>(&for_every_tenant());
        let row = query.filter(orgs::Column::OrgId.eq(mail.org_id.to_string())).one(self.0.read()).await?;
        Ok(row.ok_or(Error::OrgNotFound(mail.org_id))?.display_name)
    }
}

async fn step(tx: &Tx, from: &Mail, to: &Mail) -> Result<bool, Error> {
    let moved = mails::Entity::update_many()
        .col_expr(mails::Column::State, Expr::value(to.state.as_str()))
        .col_expr(mails::Column::SealedCode, Expr::value(to.sealed_code.as_str()))
        .col_expr(mails::Column::Attempts, Expr::value(to.attempts))
        .col_expr(mails::Column::NextAttemptTime, Expr::value(to.next_attempt_time.map(Time::micros)))
        .col_expr(mails::Column::LastError, Expr::value(to.last_error.as_str()))
        .col_expr(mails::Column::Version, Expr::value(to.version))
        .filter(mails::Column::InvitationId.eq(from.invitation_id.to_string()))
        .filter(mails::Column::Version.eq(from.version))
        .exec(tx)
        .await?;
    let won = moved.rows_affected == 1;
    if won && to.state == MailState::Failed {
        Fact::mail_failed(to).tell(tx, &Cause::own()).await?;
    }
    Ok(won)
}
