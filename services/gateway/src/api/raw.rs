//! Deliveries of shops: bytes that pass the door untouched, to the part that checks their sender itself. They
//! pass on when they are whole: the part has few places, and strangers must not hold them.

use axum::{
    body::Body,
    extract::{Request, State},
    response::IntoResponse as _,
};
use http::{HeaderValue, StatusCode, header};
use souk_kit::socket;
use souk_types::{Fault, PartName, Reason};

use super::{
    arrival,
    door::{Door, Response, SHOWN},
    share::Who,
};
use crate::error::Error;

/// Headers that do not pass: they would speak for the mesh.
const HELD: [&str; 3] = ["authorization", "cookie", SHOWN];

/// Passes a delivery on; commerce answers for its signature.
pub(super) async fn pass(State(door): State<Door>, request: Request) -> Response {
    match door.deliver(request).await {
        // A gRPC refusal is HTTP's 200: the shop would believe that its order is taken.
        Ok(response) if response.headers().contains_key("grpc-status") => {
            tracing::error!("raw delivery met no raw route");
            (StatusCode::SERVICE_UNAVAILABLE, "try again\n").into_response()
        }
        Ok(response) => response,
        Err(fault) => {
            let code = match fault.reason {
                Reason::MessageTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Reason::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            match fault.reason {
                Reason::Unavailable => {
                    tracing::warn!(cause = fault.to_string(), "raw delivery not passed on")
                }
                _ => tracing::debug!(cause = fault.to_string(), "raw delivery not passed on"),
            }
            (code, format!("{}\n", fault.message)).into_response()
        }
    }
}

impl Door {
    async fn deliver(&self, request: Request) -> Result<Response, Fault> {
        let (mut head, body) = request.into_parts();
        // A share apart from that of calls: who has no credential may be a shop.
        let _place = self.deliveries.take(Who::of(None, &head.extensions)).ok_or(Error::ShareHeld)?;
        let body = arrival::whole(body).await?;
        for name in HELD {
            head.headers.remove(name);
        }
        // The inner connection is HTTP/2, where these have no place.
        for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
            head.headers.remove(name);
        }
        head.headers.insert(socket::PART, HeaderValue::from_static(PartName::Commerce.as_str()));
        head.version = http::Version::HTTP_2;
        head.extensions.clear();
        let request = http::Request::from_parts(head, tonic::body::Body::new(Body::from(body)));
        self.send(PartName::Commerce, request).await
    }
}
