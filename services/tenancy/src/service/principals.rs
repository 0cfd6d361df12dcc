//! Who a credential stands for, and who calls.

use souk_types::{Call, Caller, Membership, OrgId, Role, Scopes, UserId};

use super::Service;
use crate::{
    config::Config,
    error::Error,
    model::{
        ApiKey, Bound, Credential, Ended, Principal, Proof, Session, Span, User, alive, credential::Kind,
    },
};

const API_KEY: &str = "api_key";
const SESSION: &str = "session";

fn said(ended: Ended, kind: &'static str) -> Error {
    match ended {
        Ended::TakenBack => Error::CredentialInvalid { kind },
        Ended::Expired => Error::CredentialExpired { kind },
    }
}

impl Service {
    /// The calling person's own row and memberships. How far those reach and whether they act as an
    /// operator is what their credential says: a key bound to an org shows and does nothing beyond it.
    pub(crate) async fn caller(&self, call: &Call) -> Result<(User, Vec<Membership>, bool), Error> {
        let user = self.store.user(call.user_id().ok_or(Error::NoPerson)?).await?;
        let memberships = match &call.caller {
            Caller::Key { membership, .. } => {
                self.within(&user, membership.org_id).await?.into_iter().collect()
            }
            _ => self.everywhere(user.user_id).await?,
        };
        Ok((user, memberships, call.caller.is_operator()))
    }

    /// The person's place in one org.
    async fn within(&self, user: &User, org: OrgId) -> Result<Option<Membership>, Error> {
        let mut held = self.store.memberships(user.user_id, Span::Org(org), 1).await?;
        if held.is_empty() && user.operator {
            // An operator may make a key of any org, and holds every permission there.
            held = self.store.with_projects(vec![(org, Role::Admin)]).await?;
        }
        Ok(held.pop())
    }

    async fn everywhere(&self, user_id: UserId) -> Result<Vec<Membership>, Error> {
        self.store.memberships(user_id, Span::Everywhere, Config::memberships()).await
    }

    /// Who the credential stands for, if it still counts.
    pub(crate) async fn resolve(&self, proof: Proof) -> Result<Principal, Error> {
        let invalid = |kind| Error::CredentialInvalid { kind };
        match proof {
            Proof::ApiKey(text) => {
                // A typo ends here, without a look-up.
                let key = Credential::parse(Kind::ApiKey, text.expose()).map_err(|_| invalid(API_KEY))?;
                let found = self.store.key_by_hash(&key.hash()).await?;
                self.key_principal(found.ok_or(invalid(API_KEY))?).await
            }
            Proof::SessionSecret(text) => {
                let secret = Credential::parse(Kind::SessionSecret, text.expose());
                let secret = secret.map_err(|_| invalid(SESSION))?;
                let found = self.store.session_by_hash(&secret.hash()).await?;
                self.session_principal(found.ok_or(invalid(SESSION))?).await
            }
            Proof::SessionId(id) => {
                let found = self.store.session(id).await?;
                self.session_principal(found.ok_or(invalid(SESSION))?).await
            }
        }
    }

    async fn key_principal(&self, key: ApiKey) -> Result<Principal, Error> {
        let invalid = || Error::CredentialInvalid { kind: API_KEY };
        alive(self.store.now(), key.expire_time, key.revoke_time).map_err(|end| said(end, API_KEY))?;
        let user = self.store.user(key.user_id).await?;
        let (memberships, operator) = match key.org_id {
            Some(org) => (vec![self.within(&user, org).await?.ok_or_else(invalid)?], false),
            None if user.operator => (self.everywhere(user.user_id).await?, true),
            None => return Err(invalid()),
        };
        let bad = |error| Error::Db(souk_db::Error::value("scopes", error));
        let scopes = Scopes::parse(&key.scopes).map_err(bad)?;
        let bound = key.org_id.map(|_| Bound { api_key_id: key.api_key_id, scopes });
        let expire_time = key.expire_time;
        Ok(Principal { user, memberships, operator, bound, session_id: None, expire_time })
    }

    async fn session_principal(&self, session: Session) -> Result<Principal, Error> {
        let end = alive(self.store.now(), Some(session.expire_time), session.end_time);
        end.map_err(|end| said(end, SESSION))?;
        let user = self.store.user(session.user_id).await?;
        let memberships = self.everywhere(user.user_id).await?;
        Ok(Principal {
            operator: user.operator,
            user,
            memberships,
            bound: None,
            session_id: Some(session.session_id),
            expire_time: Some(session.expire_time),
        })
    }
}
