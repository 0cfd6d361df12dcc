//! Who a credential stands for, and who calls.

use souk_types::{Call, Caller, Membership, PlatformRole, Role, UserId};

use super::Service;
use crate::{
    config::Config,
    error::Error,
    model::{ApiKey, Credential, Ended, Principal, Proof, Session, Span, User, alive, credential::Kind},
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
    /// The calling person's own row and memberships. Whether they act as an operator is what their
    /// credential says: a key bound to an org does not, whoever holds it.
    pub(crate) async fn caller(&self, call: &Call) -> Result<(User, Vec<Membership>, bool), Error> {
        let Caller::User { user_id, platform, .. } = &call.caller else {
            return Err(Error::NoPerson);
        };
        let user = self.store.user(*user_id).await?;
        let memberships = self.everywhere(user.user_id).await?;
        Ok((user, memberships, *platform == Some(PlatformRole::Operator)))
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
            Some(org) => {
                let held = self.store.memberships(user.user_id, Span::Org(org), 1).await?;
                let held = match (held.is_empty(), user.operator) {
                    (false, _) => held,
                    // An operator may make a key of any org, and holds every permission there.
                    (true, true) => self.store.with_projects(vec![(org, Role::Admin)]).await?,
                    (true, false) => return Err(invalid()),
                };
                (held, false)
            }
            None if user.operator => (self.everywhere(user.user_id).await?, true),
            None => return Err(invalid()),
        };
        Ok(Principal { user, memberships, operator, session_id: None, expire_time: key.expire_time })
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
            session_id: Some(session.session_id),
            expire_time: Some(session.expire_time),
        })
    }
}
