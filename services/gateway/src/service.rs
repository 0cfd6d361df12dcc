//! Who calls: from what was shown to a mesh token for the part that is called.

mod refused;
pub(crate) mod routes;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use souk_kit::{House, token};
use souk_types::{Caller, PartName, SessionId, Time, UserId};

use self::refused::Refused;
use crate::{
    config::Config,
    error::Error,
    model::{Credential, Principal},
    outside::issuer::Issuer,
    peers::tenancy::{Session, Tenancy},
};

/// How long a principal is believed without asking again. With `ASKED_AGAIN` it stays below five seconds:
/// that is how soon a revocation ends calls and open streams alike.
const BELIEVED: Duration = Duration::from_secs(3);
/// How often the credential of an open stream is asked for again.
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// Principals kept at the most.
const KEPT: usize = 10_000;
/// A mesh token is made anew when less than this is left of it.
const MARGIN: Duration = Duration::from_secs(20);

type Hash = [u8; 32];

struct Known {
    principal: Arc<Principal>,
    until: Time,
    tokens: HashMap<PartName, (Time, String)>,
}

/// The use cases of the door.
pub(crate) struct Service {
    house: House,
    issuer: Issuer,
    tenancy: Tenancy,
    known: Mutex<HashMap<Hash, Known>>,
    refused: Refused,
    /// The tokens of everybody without a credential: one a part, so that strangers fill no part's cache.
    anonymous: Mutex<HashMap<PartName, (Time, String)>>,
    access_token: Duration,
}

/// An access token and its end.
pub(crate) struct AccessToken {
    pub(crate) text: String,
    pub(crate) expire_time: Time,
}

impl Service {
    pub(crate) fn new(house: &House, config: &Config) -> Result<Self, Error> {
        Ok(Self {
            issuer: Issuer::new(house.keyring())?,
            tenancy: Tenancy::new(house.clone()),
            house: house.clone(),
            known: Mutex::default(),
            refused: Refused::default(),
            anonymous: Mutex::default(),
            access_token: Duration::from_secs(u64::from(config.access_token_seconds)),
        })
    }

    /// Who showed `credential`, and a mesh token for `part` that says so.
    pub(crate) async fn mesh_token(
        &self,
        credential: &Credential,
        part: PartName,
    ) -> Result<(Option<UserId>, String), Error> {
        let now = self.house.now();
        if *credential == Credential::None {
            return Ok((None, self.anonymous(part, now)?));
        }
        let hash = hash(credential);
        let principal = self.principal(credential, hash, now).await?;
        if let Some(token) = self.kept_token(hash, part, now) {
            return Ok((Some(principal.user_id), token));
        }
        let end = now + token::LIFETIME;
        let caller = principal.caller();
        let token = match principal.session_id {
            Some(session) => self
                .house
                .tokens()
                .sign_session(&caller, session, part.as_str(), end)
                .map_err(|fault| Error::Key(fault.to_string()))?,
            None => self.sign(&caller, part, end)?,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Only for whom it was made: who reaches less by now must not find it.
        if let Some(known) = known.get_mut(&hash)
            && Arc::ptr_eq(&known.principal, &principal)
        {
            known.tokens.insert(part, (end, token.clone()));
        }
        Ok((Some(principal.user_id), token))
    }

    fn anonymous(&self, part: PartName, now: Time) -> Result<String, Error> {
        let mut kept = self.anonymous.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((end, token)) = kept.get(&part)
            && *end > now + MARGIN
        {
            return Ok(token.clone());
        }
        let end = now + token::LIFETIME;
        let token = self.sign(&Caller::Anonymous, part, end)?;
        kept.insert(part, (end, token.clone()));
        Ok(token)
    }

    fn sign(&self, caller: &Caller, part: PartName, end: Time) -> Result<String, Error> {
        self.house.tokens().sign(caller, part.as_str(), end).map_err(|fault| Error::Key(fault.to_string()))
    }

    fn kept_token(&self, hash: Hash, part: PartName, now: Time) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, token) = known.get(&hash)?.tokens.get(&part)?;
        (*end > now + MARGIN).then(|| token.clone())
    }

    /// Who showed `credential`.
    pub(crate) async fn who(&self, credential: &Credential) -> Result<Arc<Principal>, Error> {
        self.principal(credential, hash(credential), self.house.now()).await
    }

    /// Waits until `credential` stands for less than it does now, or for nobody: why is the answer.
    pub(crate) async fn until_less(&self, credential: &Credential) -> Error {
        let mut first = None;
        loop {
            match self.who(credential).await {
                Ok(now) if !now.reaches(first.get_or_insert_with(|| Arc::clone(&now))) => {
                    return Error::CredentialLess;
                }
                Ok(_) => {}
                Err(error) if error.is_final() => return error,
                // Nobody could say: the stream's own greatest age still ends it.
                Err(error) => tracing::debug!(cause = %error, "credential of a stream not asked for"),
            }
            tokio::time::sleep(ASKED_AGAIN).await;
        }
    }

    /// Whether `credential` still stands for all that it did when `before` was asked for.
    pub(crate) async fn still(&self, credential: &Credential, before: &Principal) -> Result<(), Error> {
        match self.who(credential).await?.reaches(before) {
            true => Ok(()),
            false => Err(Error::CredentialLess),
        }
    }

    async fn principal(
        &self,
        credential: &Credential,
        hash: Hash,
        now: Time,
    ) -> Result<Arc<Principal>, Error> {
        // A token is verified each time: its end is its own, not the cache's.
        let session = match credential {
            Credential::AccessToken(token) => Some(self.issuer.verify(token.expose(), now)?),
            Credential::None | Credential::ApiKey(_) | Credential::Session(_) => None,
        };
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(&hash).filter(|known| known.until > now) {
                return Ok(Arc::clone(&known.principal));
            }
        }
        self.refused.check(hash, now)?;
        let resolved = match session {
            Some(session) => self.tenancy.resolve_session(session).await,
            None => self.tenancy.resolve(credential).await,
        };
        let principal = resolved.inspect_err(|error| self.refused.keep(hash, error, now))?;
        if principal.expire_time.is_some_and(|end| end <= now) {
            return Err(Error::CredentialExpired);
        }
        Ok(self.remember(hash, principal, now))
    }

    fn remember(&self, hash: Hash, principal: Principal, now: Time) -> Arc<Principal> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.retain(|_, known| known.until > now);
        }
        let until = principal.expire_time.map_or(now + BELIEVED, |end| end.min(now + BELIEVED));
        // An unchanged principal keeps its tokens: the parts have verified them already.
        let same = known.remove(&hash).filter(|known| *known.principal == principal);
        let (principal, tokens) = same.map_or_else(
            || (Arc::new(principal), HashMap::new()),
            |known| (Arc::clone(&known.principal), known.tokens),
        );
        if known.len() < KEPT {
            known.insert(hash, Known { principal: Arc::clone(&principal), until, tokens });
        }
        principal
    }

    /// Forgets what is believed of a credential: its owner just changed something about it.
    pub(crate) fn forget(&self, credential: &Credential) {
        let hash = hash(credential);
        self.refused.forget(hash);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&hash);
    }

    /// Redeems a sign-in link's code for a session and its first access token.
    pub(crate) async fn sign_in(&self, code: &str) -> Result<(Session, AccessToken), Error> {
        let session = self.tenancy.redeem(code).await?;
        let token = self.access_token(session.user_id, session.session_id, session.expire_time)?;
        Ok((session, token))
    }

    /// A fresh access token for the session of a caller.
    pub(crate) async fn issue(&self, credential: &Credential) -> Result<AccessToken, Error> {
        let principal = self.who(credential).await?;
        let session = principal.session_id.ok_or(Error::NoSession)?;
        self.access_token(principal.user_id, session, principal.expire_time)
    }

    fn access_token(
        &self,
        user: UserId,
        session: SessionId,
        end: Option<Time>,
    ) -> Result<AccessToken, Error> {
        let now = self.house.now();
        let expire_time = end.map_or(now + self.access_token, |end| end.min(now + self.access_token));
        let text = self.issuer.sign(user, session, now, expire_time)?;
        Ok(AccessToken { text, expire_time })
    }

    /// Ends the session of a caller.
    pub(crate) async fn sign_out(&self, credential: &Credential) -> Result<(), Error> {
        let principal = self.who(credential).await?;
        self.forget(credential);
        match principal.session_id {
            Some(session) => self.tenancy.end(session).await,
            None => Ok(()),
        }
    }

    /// The local issuer's public keys.
    pub(crate) fn key_set(&self) -> serde_json::Value {
        self.issuer.key_set()
    }
}

fn hash(credential: &Credential) -> Hash {
    let (kind, text) = match credential {
        Credential::None => ("none", ""),
        Credential::ApiKey(text) => ("key", text.expose().as_str()),
        Credential::Session(text) => ("session", text.expose().as_str()),
        Credential::AccessToken(text) => ("token", text.expose().as_str()),
    };
    Sha256::digest(format!("{kind}:{text}")).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use souk_kit::{
        Mesh, Surroundings,
        clock::{MachineClock, MachineRandom},
        keyring::Keyring,
    };

    use super::*;

    #[tokio::test]
    async fn strangers_share_one_token_a_part() {
        let random = Arc::new(MachineRandom::default());
        let surroundings = Surroundings {
            clock: Arc::new(MachineClock),
            keyring: Arc::new(Keyring::generate(random.as_ref())),
            random,
            data_dir: std::path::PathBuf::new(),
            poll: Duration::from_secs(1),
        };
        let mesh = Mesh::new(surroundings, &[PartName::Gateway], &BTreeMap::new()).unwrap();
        let service = Service::new(&mesh.house(PartName::Gateway).unwrap(), &Config::default()).unwrap();
        let ask = async |part| service.mesh_token(&Credential::None, part).await.unwrap();
        assert_eq!(ask(PartName::Catalog).await, ask(PartName::Catalog).await);
        assert_ne!(ask(PartName::Catalog).await, ask(PartName::Gateway).await);
    }
}
