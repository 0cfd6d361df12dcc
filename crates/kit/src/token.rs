//! Mesh tokens: who calls, signed by the part that says so, good for one minute and one audience.
//!
//! The text form is `<part>.<claims>.<signature>` in base64url. Only the gateway's key may speak of
//! people; every other part speaks of itself alone. Verified tokens are kept until they end, because a
//! signature costs a hundred times what a look-up does.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use souk_proto::souk::access::v1::{MeshClaims, MeshMembership, mesh_claims::Subject};
use souk_types::{
    Caller, Clock, Fault, Membership, OrgId, PartName, PlatformRole, Reason, Role, Scopes, SessionId, Time,
};

use crate::keyring::Keyring;

/// How long a token is good for.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// A token is made anew when less than this is left of it.
const MARGIN: Duration = Duration::from_secs(15);
/// Verified and made tokens kept at the most, each.
const KEPT: usize = 10_000;
/// Memberships a token carries at the most.
pub const MEMBERSHIPS: usize = 100;
/// Projects a token names at the most, of all memberships together. With them it stays below what one message's
/// headers may be; a person sees the projects beyond by the key of their org.
pub const PROJECTS: usize = 2000;
/// The audience of tokens that an operator makes for the mesh socket, where any part may accept them.
pub const ANY_PART: &str = "*";

/// What a made token is kept under: its audience and the org it acts for.
type Made = (PartName, Option<OrgId>);

/// What a verified token says: who calls, and the session they showed, where they showed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who calls.
    pub caller: Caller,
    /// The session they showed.
    pub session: Option<SessionId>,
}

/// Makes and verifies mesh tokens for one part.
pub struct Tokens {
    part: PartName,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    verified: Mutex<HashMap<String, (Time, Arc<Claims>)>>,
    made: Mutex<HashMap<Made, (Time, String)>>,
}

impl Tokens {
    /// The tokens of `part`.
    #[must_use]
    pub fn new(part: PartName, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self { part, keyring, clock, verified: Mutex::default(), made: Mutex::default() }
    }

    /// A token by which this part calls `audience`, acting for `org` or for the platform.
    ///
    /// # Errors
    /// An internal fault when the part has no key.
    pub fn for_part(&self, audience: PartName, org: Option<OrgId>) -> Result<String, Fault> {
        let now = self.clock.now();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((end, token)) = made.get(&(audience, org))
            && *end > now + MARGIN
        {
            return Ok(token.clone());
        }
        let end = now + LIFETIME;
        let caller = Caller::Part { part: self.part, org };
        let token = self.sign(&caller, audience.as_str(), end)?;
        if made.len() >= KEPT {
            made.retain(|_, (end, _)| *end > now + MARGIN);
        }
        if made.len() < KEPT {
            made.insert((audience, org), (end, token.clone()));
        }
        Ok(token)
    }

    /// A token that says who calls, for one audience or for `ANY_PART`. Speaking of people takes the
    /// gateway's key.
    ///
    /// # Errors
    /// An internal fault when the part has no key.
    pub fn sign(&self, caller: &Caller, audience: &str, end: Time) -> Result<String, Fault> {
        self.seal(encode(caller, audience, end))
    }

    /// As `sign`, for a person who showed a session.
    ///
    /// # Errors
    /// As `sign`.
    pub fn sign_session(
        &self,
        caller: &Caller,
        session: SessionId,
        audience: &str,
        end: Time,
    ) -> Result<String, Fault> {
        self.seal(MeshClaims { credential_id: session.to_string(), ..encode(caller, audience, end) })
    }

    fn seal(&self, claims: MeshClaims) -> Result<String, Fault> {
        let claims = claims.encode_to_vec();
        let signer =
            self.keyring.signer(self.part).ok_or_else(|| Fault::bug("kit", "the part has no key"))?;
        let head = format!("{}.{}", self.part, URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(head.as_bytes()));
        Ok(format!("{head}.{signature}"))
    }

    /// Who a token says calls this part. `any_part` also accepts tokens made for the mesh socket.
    ///
    /// # Errors
    /// `TOKEN_INVALID`, `TOKEN_EXPIRED`.
    pub fn verify(&self, token: &str, any_part: bool) -> Result<Arc<Claims>, Fault> {
        let now = self.clock.now();
        let kept = {
            let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            verified.get(token).cloned()
        };
        if let Some((end, claims)) = kept {
            return if end > now { Ok(claims) } else { Err(expired()) };
        }
        let (end, audience, claims) = self.check(token)?;
        if end <= now {
            return Err(expired());
        }
        // Only what may be a minute old is kept and believed: a token that claims to last longer was not
        // made by this house.
        if end > now + LIFETIME + MARGIN {
            return Err(invalid());
        }
        if audience == ANY_PART {
            // Not kept: the cache must not let the mesh socket's tokens through another listener.
            return if any_part { Ok(Arc::new(claims)) } else { Err(invalid()) };
        }
        if audience != self.part.as_str() {
            return Err(invalid());
        }
        let claims = Arc::new(claims);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= KEPT {
            verified.retain(|_, (end, _)| *end > now);
        }
        if verified.len() < KEPT {
            verified.insert(token.to_owned(), (end, Arc::clone(&claims)));
        }
        Ok(claims)
    }

    fn check(&self, token: &str) -> Result<(Time, String, Claims), Fault> {
        let (head, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
        let (part, claims) = head.split_once('.').ok_or_else(invalid)?;
        let part: PartName = part.parse().map_err(|_| invalid())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
        if !self.keyring.verify(part, head.as_bytes(), &signature) {
            return Err(invalid());
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| invalid())?;
        decode(part, MeshClaims::decode(claims.as_slice()).map_err(|_| invalid())?).ok_or_else(invalid)
    }
}

fn invalid() -> Fault {
    Fault::new(Reason::TokenInvalid, "kit", "the mesh token is not one this part accepts")
}

fn expired() -> Fault {
    Fault::new(Reason::TokenExpired, "kit", "the mesh token has expired")
}

fn encode(caller: &Caller, audience: &str, end: Time) -> MeshClaims {
    let micros = end.micros().rem_euclid(1_000_000);
    let expire_time =
        prost_types::Timestamp { seconds: end.seconds(), nanos: i32::try_from(micros * 1000).unwrap_or(0) };
    let mut claims =
        MeshClaims { audience: audience.to_owned(), expire_time: Some(expire_time), ..MeshClaims::default() };
    match caller {
        Caller::Anonymous => claims.subject = Some(Subject::Anonymous(true)),
        Caller::Part { part, org } => {
            claims.subject = Some(Subject::Part(part.to_string()));
            claims.org_id = org.map(|org| org.to_string()).unwrap_or_default();
        }
        Caller::User { user_id, memberships, platform } => {
            claims.subject = Some(Subject::UserId(user_id.to_string()));
            claims.operator = platform.is_some();
            let mut left = PROJECTS;
            claims.memberships =
                memberships.iter().take(MEMBERSHIPS).map(|membership| place(membership, &mut left)).collect();
        }
        Caller::Key { api_key_id, user_id, membership, scopes } => {
            claims.subject = Some(Subject::UserId(user_id.to_string()));
            claims.bound = true;
            claims.credential_id = api_key_id.to_string();
            claims.scopes = scopes.names();
            claims.memberships = vec![place(membership, &mut { PROJECTS })];
        }
    }
    claims
}

/// A membership with as many of its projects as there is room left for.
fn place(membership: &Membership, left: &mut usize) -> MeshMembership {
    let project_ids: Vec<_> = membership.projects.iter().take(*left).map(ToString::to_string).collect();
    *left -= project_ids.len();
    MeshMembership {
        org_id: membership.org_id.to_string(),
        role: membership.role.as_str().to_owned(),
        project_ids,
    }
}

/// Reads claims that `signer` made; `None` when it may not say so.
fn decode(signer: PartName, claims: MeshClaims) -> Option<(Time, String, Claims)> {
    let end = claims.expire_time?;
    let end =
        Time::from_micros(end.seconds.checked_mul(1_000_000)?.checked_add(i64::from(end.nanos) / 1000)?);
    let gateway = signer == PartName::Gateway;
    let mut session = None;
    let caller = match claims.subject? {
        Subject::Part(part) if part == signer.as_str() => {
            let org = if claims.org_id.is_empty() { None } else { Some(claims.org_id.parse().ok()?) };
            Caller::Part { part: signer, org }
        }
        Subject::Anonymous(true) if gateway => Caller::Anonymous,
        Subject::UserId(user) if gateway => {
            let user_id = user.parse().ok()?;
            let named: usize = claims.memberships.iter().map(|place| place.project_ids.len()).sum();
            if named > PROJECTS || claims.memberships.len() > MEMBERSHIPS {
                return None;
            }
            let mut memberships =
                claims.memberships.into_iter().map(membership).collect::<Option<Vec<_>>>()?;
            match (claims.bound, claims.operator, memberships.len()) {
                (true, false, 1) => Caller::Key {
                    api_key_id: claims.credential_id.parse().ok()?,
                    user_id,
                    membership: memberships.pop()?,
                    scopes: Scopes::parse(&claims.scopes).ok()?,
                },
                (true, ..) => return None,
                // Only a bound key is narrowed: whoever believed this token would give it too much.
                (false, ..) if !claims.scopes.is_empty() => return None,
                (false, operator, _) => {
                    // A platform key is no session.
                    session = claims.credential_id.parse().ok();
                    let platform = operator.then_some(PlatformRole::Operator);
                    Caller::User { user_id, memberships, platform }
                }
            }
        }
        Subject::Part(_) | Subject::Anonymous(_) | Subject::UserId(_) => return None,
    };
    Some((end, claims.audience, Claims { caller, session }))
}

fn membership(claims: MeshMembership) -> Option<Membership> {
    let projects = claims.project_ids.iter().map(|id| id.parse().ok()).collect::<Option<_>>()?;
    let role: Role = claims.role.parse().ok()?;
    Some(Membership { org_id: claims.org_id.parse().ok()?, role, projects })
}

#[cfg(test)]
mod tests {
    use souk_types::{ApiKeyId, ProjectId, UserId};

    use super::*;
    use crate::clock::MachineRandom;

    #[derive(Debug)]
    struct At(std::sync::atomic::AtomicI64);
    impl Clock for At {
        fn now(&self) -> Time {
            Time::from_micros(self.0.load(std::sync::atomic::Ordering::Relaxed))
        }
    }

    fn house() -> (Arc<Keyring>, Arc<At>) {
        let clock = Arc::new(At(std::sync::atomic::AtomicI64::new(1_000_000_000)));
        (Arc::new(Keyring::generate(&MachineRandom::default())), clock)
    }

    fn person() -> Caller {
        let memberships = vec![Membership {
            org_id: OrgId::from_bits(1),
            role: Role::Member,
            projects: vec![ProjectId::from_bits(2)],
        }];
        Caller::User { user_id: UserId::from_bits(3), memberships, platform: None }
    }

    fn key() -> Caller {
        let membership = person().memberships()[0].clone();
        Caller::Key {
            api_key_id: ApiKeyId::from_bits(4),
            user_id: UserId::from_bits(3),
            membership,
            scopes: Scopes::parse(&["runs.use".to_owned()]).unwrap(),
        }
    }

    #[test]
    fn a_part_is_believed_by_its_audience_alone_until_the_end() {
        let (keyring, clock) = house();
        let runs = Tokens::new(PartName::Runs, keyring.clone(), clock.clone());
        let billing = Tokens::new(PartName::Billing, keyring.clone(), clock.clone());
        let catalog = Tokens::new(PartName::Catalog, keyring, clock.clone());
        let org = Some(OrgId::from_bits(9));
        let token = runs.for_part(PartName::Billing, org).unwrap();
        assert_eq!(billing.verify(&token, false).unwrap().caller, Caller::Part { part: PartName::Runs, org });
        assert_eq!(catalog.verify(&token, true).unwrap_err().reason, Reason::TokenInvalid);
        assert_eq!(runs.for_part(PartName::Billing, org).unwrap(), token, "kept");
        clock.0.fetch_add(60_000_000, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(billing.verify(&token, false).unwrap_err().reason, Reason::TokenExpired);
        assert_ne!(runs.for_part(PartName::Billing, org).unwrap(), token, "made anew");
    }

    #[test]
    fn only_the_gateway_speaks_of_people() {
        let (keyring, clock) = house();
        let end = clock.now() + LIFETIME;
        let billing = Tokens::new(PartName::Billing, keyring.clone(), clock.clone());
        for (part, believed) in [(PartName::Gateway, true), (PartName::Runs, false)] {
            let tokens = Tokens::new(part, keyring.clone(), clock.clone());
            for caller in [person(), key(), Caller::Anonymous] {
                let token = tokens.sign(&caller, "billing", end).unwrap();
                assert_eq!(billing.verify(&token, false).is_ok(), believed, "{part} {caller:?}");
            }
        }
    }

    #[test]
    fn a_bound_key_stays_bound_and_names_one_org_alone() {
        let (keyring, clock) = house();
        let end = clock.now() + LIFETIME;
        let gateway = Tokens::new(PartName::Gateway, keyring.clone(), clock.clone());
        let billing = Tokens::new(PartName::Billing, keyring, clock);
        let token = gateway.sign(&key(), "billing", end).unwrap();
        assert_eq!(billing.verify(&token, false).unwrap().caller, key());
        let claims = encode(&key(), "billing", end);
        let two = [claims.memberships.clone(), claims.memberships.clone()].concat();
        for bent in [
            MeshClaims { operator: true, ..claims.clone() },
            MeshClaims { memberships: Vec::new(), ..claims.clone() },
            MeshClaims { memberships: two, ..claims.clone() },
            MeshClaims { scopes: vec!["runs.use".into(), "runs.*".into()], ..claims.clone() },
            MeshClaims { scopes: vec![String::new()], ..claims.clone() },
            MeshClaims { credential_id: String::new(), ..claims.clone() },
            MeshClaims { bound: false, ..claims },
        ] {
            assert!(decode(PartName::Gateway, bent.clone()).is_none(), "{bent:?}");
        }
    }

    #[test]
    fn a_person_of_very_many_projects_has_a_token_that_headers_take() {
        let (keyring, clock) = house();
        let end = clock.now() + LIFETIME;
        let gateway = Tokens::new(PartName::Gateway, keyring.clone(), clock.clone());
        let billing = Tokens::new(PartName::Billing, keyring, clock);
        let memberships = (0..200).map(|org| Membership {
            org_id: OrgId::from_bits(org),
            role: Role::Member,
            projects: (0..1000).map(|project| ProjectId::from_bits(org * 1000 + project)).collect(),
        });
        let platform = None;
        let many =
            Caller::User { user_id: UserId::from_bits(3), memberships: memberships.collect(), platform };
        let token = gateway.sign(&many, "billing", end).unwrap();
        let most = usize::try_from(crate::mesh::HEADERS).unwrap() - 16 * 1024;
        assert!(token.len() < most, "{} bytes", token.len());
        let claims = billing.verify(&token, false).unwrap();
        let named = claims.caller.memberships().iter().map(|membership| membership.projects.len());
        assert_eq!((claims.caller.memberships().len(), named.sum::<usize>()), (MEMBERSHIPS, PROJECTS));
        let claims = encode(&many, "billing", end);
        let mut bent = claims.clone();
        bent.memberships[50].project_ids.push(ProjectId::from_bits(1).to_string());
        assert!(decode(PartName::Gateway, bent).is_none());
        assert!(decode(PartName::Gateway, claims).is_some());
    }

    #[test]
    fn a_session_travels_with_its_person_alone() {
        let (keyring, clock) = house();
        let end = clock.now() + LIFETIME;
        let gateway = Tokens::new(PartName::Gateway, keyring.clone(), clock.clone());
        let billing = Tokens::new(PartName::Billing, keyring, clock);
        let session = SessionId::from_bits(5);
        let shown = |token: &str| billing.verify(token, false).unwrap().session;
        assert_eq!(shown(&gateway.sign_session(&person(), session, "billing", end).unwrap()), Some(session));
        assert_eq!(shown(&gateway.sign(&person(), "billing", end).unwrap()), None);
        assert_eq!(shown(&gateway.sign(&key(), "billing", end).unwrap()), None, "a key is no session");
        let anonymous = gateway.sign_session(&Caller::Anonymous, session, "billing", end).unwrap();
        assert_eq!(shown(&anonymous), None);
    }

    #[test]
    fn bent_tokens_and_long_lives_are_refused() {
        let (keyring, clock) = house();
        let gateway = Tokens::new(PartName::Gateway, keyring.clone(), clock.clone());
        let billing = Tokens::new(PartName::Billing, keyring, clock.clone());
        let token = gateway.sign(&person(), "billing", clock.now() + LIFETIME).unwrap();
        for index in 0..token.len() {
            let mut bent = token.clone().into_bytes();
            bent[index] = if bent[index] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert!(billing.verify(&bent, false).is_err() || bent == token, "{index}");
        }
        let long = gateway.sign(&person(), "billing", clock.now() + Duration::from_secs(3600)).unwrap();
        assert_eq!(billing.verify(&long, false).unwrap_err().reason, Reason::TokenInvalid);
        let any = gateway.sign(&person(), ANY_PART, clock.now() + LIFETIME).unwrap();
        assert!(billing.verify(&any, true).is_ok());
        assert!(billing.verify(&any, false).is_err(), "the socket's token stays at the socket");
    }
}
