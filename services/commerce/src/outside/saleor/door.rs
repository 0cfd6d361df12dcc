//! The door for Saleor's deliveries: prove it, keep it, say so. Nothing is worked on here.
//!
//! Saleor counts what it gets back: 2xx ends a delivery, 4xx ends it as failed for good, anything else is
//! tried again. So 4xx is only for what can never become right, and every trouble of our own is a 503.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use souk_kit::{House, status::chain};
use souk_types::{Class, Fault, Reason};
use tokio::sync::Semaphore;

use super::{
    API_URL, EVENT, MAX_BODY, SIGNATURE, body_digest, keys::Keys, payload::Event, signature::Compat,
};
use crate::{Error, model::inbox::Delivery, service::Service};

/// The path that shops deliver to.
pub(crate) const PATH: &str = "/integrations/saleor/order-paid";
/// When a shop should come again after a trouble that says nothing else.
const COME_AGAIN: Duration = Duration::from_secs(1);
/// How long a delivery may take to arrive: whoever trickles one holds the place of another.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Takes deliveries.
pub(crate) struct Door {
    house: House,
    service: Arc<Service>,
    keys: Keys,
    places: Semaphore,
}

impl Door {
    pub(crate) fn new(house: House, service: Arc<Service>, keys: Keys, places: usize) -> Self {
        Self { house, service, keys, places: Semaphore::new(places) }
    }

    /// The raw routes.
    pub(crate) fn routes(self) -> Router {
        // What is left would be answered by the gRPC server: 200 with a status that no shop reads.
        Router::new()
            .route(PATH, post(order_paid))
            .route("/integrations/saleor/{*rest}", any(absent))
            .route("/saleor/{*rest}", any(absent))
            .with_state(Arc::new(self))
    }

    async fn take(&self, request: Request<Body>) -> Result<bool, Error> {
        // A body is held in memory until it is kept: so many at once and no more.
        let _place = self.places.try_acquire().map_err(|_| Error::Overloaded)?;
        let (head, body) = request.into_parts();
        let too_large = || Error::BodyTooLarge { limit: MAX_BODY };
        if announced(&head.headers).is_some_and(|length| length > MAX_BODY) {
            return Err(too_large());
        }
        let event = required(&head.headers, EVENT)?;
        let api_url = required(&head.headers, API_URL)?;
        let signature = head.headers.get(SIGNATURE).ok_or(Error::SignatureMissing)?;
        let signature =
            signature.to_str().map_err(|_| Error::SignatureInvalid { why: "it is not printable ASCII" })?;
        let shop = self.service.shop_by_api_url(api_url).await?;
        let body = read(body).await?;
        self.keys.of(&shop)?.verify(signature, &body, Compat::Strict).await?;
        Event::read(&body)?.check(event, shop.app_id.as_deref())?;
        let delivery = Delivery {
            shop_id: shop.shop_id,
            body_hash: body_digest(&body),
            event: event.to_owned(),
            body: body.to_vec(),
        };
        self.service.keep(&delivery).await
    }
}

async fn order_paid(State(door): State<Arc<Door>>, request: Request<Body>) -> Response {
    let house = door.house.clone();
    // A shop that hangs up early must not leave a delivery half kept: it would count it as failed.
    match house.owned(async move { door.take(request).await.map_err(Refused::from) }).await {
        Ok(fresh) => {
            tracing::debug!(fresh, "delivery kept");
            StatusCode::OK.into_response()
        }
        Err(fault) => refuse(&fault),
    }
}

async fn absent() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// A refusal on its way out of the owned task.
struct Refused(Fault);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}

fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Error> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    value.ok_or_else(|| Error::field(name, "this header is required"))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body) -> Result<Bytes, Error> {
    let whole = tokio::time::timeout(ARRIVAL, Limited::new(body, MAX_BODY).collect()).await;
    match whole.map_err(|_| Error::unreadable("it did not arrive in time"))? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Error::BodyTooLarge { limit: MAX_BODY })
        }
        Err(_) => Err(Error::unreadable("it broke off")),
    }
}

/// The status for a fault: 401 for what is proven to be nobody's, 400 and 413 for what can never become
/// right, 503 for all else.
fn code(fault: &Fault) -> StatusCode {
    match (fault.reason, fault.class()) {
        (Reason::BodyTooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
        (Reason::SignatureMissing, _) => StatusCode::BAD_REQUEST,
        (_, Class::Unauthenticated) => StatusCode::UNAUTHORIZED,
        (_, Class::Invalid) => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refuse(fault: &Fault) -> Response {
    let code = code(fault);
    let cause = chain(fault);
    if code == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(reason = fault.reason.as_str(), cause, "delivery not kept");
    } else {
        tracing::info!(reason = fault.reason.as_str(), cause, "delivery refused");
    }
    let said: Vec<_> = fault
        .violations
        .iter()
        .map(|violation| serde_json::json!({"field": violation.field, "description": violation.description}))
        .collect();
    let body = serde_json::json!({
        "reason": fault.reason.as_str(), "message": fault.message, "violations": said,
    });
    let mut response = (code, axum::Json(body)).into_response();
    if code == StatusCode::SERVICE_UNAVAILABLE {
        let after = fault.retry_after.unwrap_or(COME_AGAIN).as_secs().max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_the_status_that_saleor_needs() {
        let unavailable =
            Error::JwksUnavailable { why: "no answer", retry_after: Duration::from_secs(7), cause: None };
        for (error, expected) in [
            (Error::SignatureMissing, 400),
            (Error::SignatureInvalid { why: "it does not fit the body" }, 401),
            (Error::SignatureScheme { expected: "JWS" }, 401),
            (Error::ShopUnknown { api_url: "https://a.example/".to_owned() }, 401),
            (Error::unreadable("it is not UTF-8"), 400),
            (Error::field(EVENT, "this header is required"), 400),
            (Error::BodyTooLarge { limit: MAX_BODY }, 413),
            (Error::Overloaded, 503),
            (Error::Bug("x".into()), 503),
            (unavailable, 503),
        ] {
            let shown = error.to_string();
            let response = refuse(&Fault::from(error));
            assert_eq!(response.status().as_u16(), expected, "{shown}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), expected == 503, "{shown}");
        }
    }
}
