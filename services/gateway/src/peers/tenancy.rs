//! Tenancy: who a credential stands for, and sessions.

use souk_kit::{House, Refusal, wire};
use souk_proto::souk::tenancy::v1::{
    EndSessionRequest, RedeemSignInLinkRequest, ResolvePrincipalRequest, ResolvePrincipalResponse,
    Role as WireRole, resolve_principal_request::Credential as Wire,
    tenancy_service_client::TenancyServiceClient,
};
use souk_types::{Membership, PartName, PlatformRole, Role, Scopes, Secret, SessionId, Time, UserId};
use tonic::Status;

use crate::{
    error::Error,
    model::{Bound, Credential, Principal},
};

/// Asks tenancy.
#[derive(Clone)]
pub(crate) struct Tenancy {
    house: House,
}

/// A session that a sign-in link was redeemed for.
pub(crate) struct Session {
    pub(crate) session_id: SessionId,
    pub(crate) secret: Secret<String>,
    pub(crate) user_id: UserId,
    pub(crate) expire_time: Option<Time>,
}

fn refusal(status: Status) -> Error {
    Error::Tenancy(Refusal::read("tenancy", &status))
}

fn garbled() -> Error {
    Error::Key("tenancy answered something unreadable".to_owned())
}

impl Tenancy {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    fn client(&self) -> TenancyServiceClient<souk_kit::dial::PartChannel> {
        TenancyServiceClient::new(self.house.dial().to(PartName::Tenancy, self.house.acting_for_platform()))
    }

    /// Who an API key or a session's secret stands for.
    pub(crate) async fn resolve(&self, credential: &Credential) -> Result<Principal, Error> {
        let credential = match credential {
            Credential::ApiKey(key) => Wire::ApiKey(key.expose().clone()),
            Credential::Session(secret) => Wire::SessionSecret(secret.expose().clone()),
            Credential::None | Credential::AccessToken(_) => return Err(Error::CredentialInvalid),
        };
        self.ask(credential).await
    }

    /// Who the session of a verified access token stands for.
    pub(crate) async fn resolve_session(&self, session: SessionId) -> Result<Principal, Error> {
        self.ask(Wire::SessionId(session.to_string())).await
    }

    async fn ask(&self, credential: Wire) -> Result<Principal, Error> {
        let request = ResolvePrincipalRequest { credential: Some(credential) };
        let answer = self.client().resolve_principal(request).await.map_err(refusal)?;
        decode(answer.into_inner()).ok_or_else(garbled)
    }

    /// Redeems a sign-in link's code.
    pub(crate) async fn redeem(&self, code: &str) -> Result<Session, Error> {
        let request = RedeemSignInLinkRequest { code: code.to_owned() };
        let answer = self.client().redeem_sign_in_link(request).await.map_err(refusal)?.into_inner();
        let session_id = answer.session_id.parse().map_err(|_| garbled())?;
        let user_id = answer.user.and_then(|user| user.user_id.parse().ok()).ok_or_else(garbled)?;
        let expire_time = answer.expire_time.and_then(wire::time);
        Ok(Session { session_id, secret: Secret::new(answer.secret), user_id, expire_time })
    }

    /// Ends a session.
    pub(crate) async fn end(&self, session: SessionId) -> Result<(), Error> {
        let request =
            EndSessionRequest { request_id: format!("end:{session}"), session_id: session.to_string() };
        self.client().end_session(request).await.map_err(refusal)?;
        Ok(())
    }
}

fn decode(answer: ResolvePrincipalResponse) -> Option<Principal> {
    let memberships = answer.memberships.into_iter().map(|membership| {
        let role = match membership.role() {
            WireRole::Viewer => Role::Viewer,
            WireRole::Member => Role::Member,
            WireRole::Admin => Role::Admin,
            WireRole::Unspecified => return None,
        };
        let projects = membership.project_ids.iter().map(|id| id.parse().ok()).collect::<Option<_>>()?;
        Some(Membership { org_id: membership.org_id.parse().ok()?, role, projects })
    });
    let mut memberships = memberships.collect::<Option<Vec<_>>>()?;
    let bound = match (answer.bound, memberships.len()) {
        (false, _) => None,
        // A scope that cannot be read would leave the key more than it was given.
        (true, 1) => Some(Bound {
            api_key_id: answer.api_key_id.parse().ok()?,
            membership: memberships.pop()?,
            scopes: Scopes::parse(&answer.scopes).ok()?,
        }),
        // A key that is bound to nothing, or to more than one org, is none.
        (true, _) => return None,
    };
    Some(Principal {
        user_id: answer.user?.user_id.parse().ok()?,
        memberships,
        bound,
        platform: answer.operator.then_some(PlatformRole::Operator),
        session_id: if answer.session_id.is_empty() { None } else { Some(answer.session_id.parse().ok()?) },
        expire_time: answer.expire_time.and_then(wire::time),
    })
}
