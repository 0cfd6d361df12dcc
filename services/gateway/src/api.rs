//! The gateway's own methods; `door` is the public port and `pages` what a browser sees there.

mod arrival;
pub(crate) mod door;
mod head;
mod held;
mod instance;
mod json;
mod pages;
mod raw;
mod share;
mod whole;

use std::sync::Arc;

use souk_kit::{House, answer, open, status, wire};
use souk_proto::souk::gateway::v1::{
    IssueTokenRequest, IssueTokenResponse, SignInRequest, SignInResponse,
    gateway_service_server::GatewayService,
};
use souk_types::Secret;
use tonic::{Request, Response, Status};

use self::door::SHOWN;
use crate::{error::Error, model::Credential, service::Service};

pub(crate) struct Api {
    house: House,
    service: Arc<Service>,
}

impl Api {
    pub(crate) const fn new(house: House, service: Arc<Service>) -> Self {
        Self { house, service }
    }
}

#[tonic::async_trait]
impl GatewayService for Api {
    async fn sign_in(&self, request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let (_, ask) = open(request)?;
        let service = Arc::clone(&self.service);
        let outcome = self.house.owned(async move { service.sign_in(&ask.code).await }).await;
        answer(outcome.map(|(session, token)| SignInResponse {
            access_token: token.text,
            expire_time: Some(wire::timestamp(token.expire_time)),
            session_secret: session.secret.expose().clone(),
            user_id: session.user_id.to_string(),
        }))
    }

    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        let credential = shown(&request).ok_or(Error::NoSession).map_err(status)?;
        open(request)?;
        answer(self.service.issue(&credential).await.map(|token| IssueTokenResponse {
            access_token: token.text,
            expire_time: Some(wire::timestamp(token.expire_time)),
        }))
    }
}

/// What the caller showed at the door; the door passes it on to the gateway's own methods alone.
fn shown<T>(request: &Request<T>) -> Option<Credential> {
    let text = request.metadata().get(SHOWN)?.to_str().ok()?;
    match text.split_once(' ')? {
        ("cookie", secret) => Some(Credential::Session(Secret::new(secret.to_owned()))),
        ("bearer", token) => Some(Credential::read(Some(token), None)),
        _ => None,
    }
}
