//! Sign-in links and the sessions they become.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use souk_db::{Once, Request, Tx, once};
use souk_types::{
    Call, SessionId, Time, UserId,
    page::{Page, Paged},
};

use super::{
    PLATFORM, Store,
    accept::prove,
    events::{Cause, Fact},
    people::ensure_user,
    person, read,
    rows::{sessions, sign_in_links, users},
};
use crate::{
    error::Error,
    model::{CreateSignInLink, Email, EndSession, Session, SignInLink, User},
};

/// What is stored of a session about to start.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    /// The hash of its secret.
    pub(crate) secret_hash: String,
    /// When it ends by itself.
    pub(crate) expire_time: Time,
}

impl Store {
    /// Writes a link for an address, making its user when first seen.
    pub(crate) async fn create_sign_in_link(
        &self,
        call: &Call,
        ask: &CreateSignInLink,
        (code_hash, expire_time): (&str, Time),
    ) -> Result<Once<SignInLink>, Error> {
        let request = &Request::of(call, PLATFORM, None, ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.create_sign_in_link", |tx| async move {
            once(&tx, request, || async {
                insert_link(&tx, cause, &ask.email, (code_hash, expire_time)).await
            })
            .await
        });
        written.await
    }

    /// As `create_sign_in_link`, for the process itself: no call, no request log.
    pub(crate) async fn own_sign_in_link(
        &self,
        email: &Email,
        (code_hash, expire_time): (&str, Time),
    ) -> Result<SignInLink, Error> {
        let cause = &Cause::own();
        let written = self.0.write("tenancy.own_sign_in_link", |tx| async move {
            insert_link(&tx, cause, email, (code_hash, expire_time)).await
        });
        written.await
    }

    /// Turns the link with this hash into a session. Of those who redeem it at once, one wins.
    pub(crate) async fn redeem(
        &self,
        call: &Call,
        code_hash: &str,
        new: &NewSession,
    ) -> Result<(Session, User), Error> {
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.redeem_sign_in_link", |tx| async move {
            let now = tx.now();
            let won = sign_in_links::Entity::update_many()
                .col_expr(sign_in_links::Column::RedeemTime, Expr::value(now.micros()))
                .filter(sign_in_links::Column::CodeHash.eq(code_hash))
                .filter(sign_in_links::Column::RedeemTime.is_null())
                .filter(sign_in_links::Column::ExpireTime.gt(now.micros()))
                .exec(&tx)
                .await?;
            if won.rows_affected != 1 {
                return Err(Error::LinkInvalid);
            }
            let link = sign_in_links::Entity::find_by_id(code_hash.to_owned()).one(&tx).await?;
            let link = link.ok_or(Error::LinkInvalid)?;
            let user = users::Entity::find_by_id(link.user_id).one(&tx).await?;
            let user = read::user(user.ok_or(Error::LinkInvalid)?)?;
            let cause = &cause.by(user.user_id);
            // Whoever makes links vouches for who gets them.
            prove(&tx, cause, user.user_id).await?;
            let session = begin_session(&tx, cause, user.user_id, new).await?;
            Ok((session, user))
        });
        written.await
    }

    /// Ends a session; one that is over or was never there is over all the same.
    pub(crate) async fn end_session(&self, call: &Call, ask: &EndSession) -> Result<(), Error> {
        let request = &Request::of(call, PLATFORM, None, ask)?;
        let (id, cause) = (ask.session_id.to_string(), &Cause::of(call));
        let id = id.as_str();
        let written = self.0.write("tenancy.end_session", |tx| async move {
            once(&tx, request, || async {
                let row = sessions::Entity::find_by_id(id).lock_exclusive().one(&tx).await?;
                if let Some(row) = row.filter(|row| row.end_time.is_none()) {
                    end(&tx, cause, &read::session(&row)?).await?;
                }
                Ok::<_, Error>(())
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// One page of a person's open sessions, newest first.
    pub(crate) async fn list_sessions(&self, user_id: UserId, page: &Page) -> Result<Paged<Session>, Error> {
        let mut query = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user_id.to_string()))
            .filter(sessions::Column::EndTime.is_null())
            .filter(sessions::Column::ExpireTime.gt(self.now().micros()));
        if !page.after.is_empty() {
            query = query.filter(sessions::Column::SessionId.lt(page.after.as_str()));
        }
        let query = query.order_by_desc(sessions::Column::SessionId).limit(page.size + 1);
        let rows = query.all(self.0.read()).await?;
        let items = rows.iter().map(read::session).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(items, page, |session| session.session_id.to_string()))
    }

    /// Ends one of the caller's own sessions; one that is over stays so.
    pub(crate) async fn revoke_session(&self, call: &Call, ask: &EndSession) -> Result<(), Error> {
        let user_id = person(call)?;
        let request = &Request::of(call, user_id, None, ask)?;
        let (id, cause) = (ask.session_id, &Cause::of(call));
        let written = self.0.write("tenancy.revoke_session", |tx| async move {
            once(&tx, request, || async {
                let own = sessions::Column::UserId.eq(user_id.to_string());
                let query = sessions::Entity::find_by_id(id.to_string()).filter(own);
                let row = query.lock_exclusive().one(&tx).await?.ok_or(Error::SessionNotFound(id))?;
                if row.end_time.is_none() {
                    end(&tx, cause, &read::session(&row)?).await?;
                }
                Ok::<_, Error>(())
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Forgets links and sessions that ended before `before`, at most `limit` of each; says whether there
    /// may be more.
    pub(crate) async fn forget_ended(&self, before: Time, limit: u64) -> Result<bool, Error> {
        let before = before.micros();
        let written = self.0.write("tenancy.forget_ended", |tx| async move {
            let links: Vec<String> = sign_in_links::Entity::find()
                .select_only()
                .column(sign_in_links::Column::CodeHash)
                .filter(sign_in_links::Column::ExpireTime.lt(before))
                .limit(limit)
                .into_tuple()
                .all(&tx)
                .await?;
            let over = Condition::any()
                .add(sessions::Column::ExpireTime.lt(before))
                .add(sessions::Column::EndTime.lt(before));
            let ended: Vec<String> = sessions::Entity::find()
                .select_only()
                .column(sessions::Column::SessionId)
                .filter(over)
                .limit(limit)
                .into_tuple()
                .all(&tx)
                .await?;
            let full = [links.len(), ended.len()].iter().any(|count| u64::try_from(*count) == Ok(limit));
            sign_in_links::Entity::delete_many()
                .filter(sign_in_links::Column::CodeHash.is_in(links))
                .exec(&tx)
                .await?;
            sessions::Entity::delete_many()
                .filter(sessions::Column::SessionId.is_in(ended))
                .exec(&tx)
                .await?;
            Ok(full)
        });
        written.await
    }
}

async fn insert_link(
    tx: &Tx,
    cause: &Cause,
    email: &Email,
    (code_hash, expire_time): (&str, Time),
) -> Result<SignInLink, Error> {
    let (user, _) = ensure_user(tx, cause, email).await?;
    let row = sign_in_links::ActiveModel {
        code_hash: Set(code_hash.to_owned()),
        user_id: Set(user.user_id.to_string()),
        create_time: Set(tx.now().micros()),
        expire_time: Set(expire_time.micros()),
        redeem_time: Set(None),
    };
    sign_in_links::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(SignInLink { user_id: user.user_id, expire_time })
}

/// Begins a session of a person.
pub(super) async fn begin_session(
    tx: &Tx,
    cause: &Cause,
    user_id: UserId,
    new: &NewSession,
) -> Result<Session, Error> {
    let now = tx.now();
    let row = sessions::Model {
        session_id: SessionId::new(now, tx.random()).to_string(),
        user_id: user_id.to_string(),
        secret_hash: new.secret_hash.clone(),
        create_time: now.micros(),
        expire_time: new.expire_time.micros(),
        end_time: None,
        version: 1,
    };
    let session = read::session(&row)?;
    sessions::Entity::insert(sessions::ActiveModel::from(row)).exec_without_returning(tx).await?;
    Fact::session_started(&session).tell(tx, cause).await?;
    Ok(session)
}

pub(super) async fn end(tx: &Tx, cause: &Cause, session: &Session) -> Result<(), Error> {
    let ended = Session { version: session.version.saturating_add(1), ..session.clone() };
    sessions::Entity::update_many()
        .col_expr(sessions::Column::EndTime, Expr::value(tx.now().micros()))
        .col_expr(sessions::Column::Version, Expr::value(ended.version))
        .filter(sessions::Column::SessionId.eq(session.session_id.to_string()))
        .exec(tx)
        .await?;
    Ok(Fact::session_ended(&ended).tell(tx, cause).await?)
}
