//! An instance at its own address: `POST /i/{instance}/run`, or the host and path that its route names.
//! Takes JSON or plain text, answers the run as JSON.

use axum::{body::Body, extract::Request, response::IntoResponse as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};
use souk_kit::status;
use souk_types::{Fault, PartName, Reason, Violation};
use tonic::Status;

use super::{
    arrival,
    door::{Door, Response, credential},
    json,
    share::Who,
};
use crate::{error::Error, model::Credential};

/// How an address that runs its instance ends.
const RUN: &str = "/run";
/// Carries the request's id, in and out.
const KEY: &str = "idempotency-key";

/// The address of the instance that a path wants to run, if it is one.
pub(crate) fn wanted(path: &str) -> Option<&str> {
    let address = path.strip_suffix(RUN)?;
    Some(if address.is_empty() { "/" } else { address })
}

/// Runs the instance that is reached at the request's host and path.
pub(crate) async fn run(door: &Door, request: Request) -> Response {
    match door.run(request).await {
        Ok(response) => response,
        Err(status) => json::refused(&status),
    }
}

impl Door {
    async fn run(&self, request: Request) -> Result<Response, Status> {
        let (head, body) = request.into_parts();
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let address = wanted(head.uri.path()).ok_or(Error::RouteNotFound).map_err(status)?;
        let credential = credential(&head.headers).map_err(status)?;
        if credential == Credential::None {
            // Before the routes, which would tell strangers what exists, and before a body is held for them.
            let text = "running an instance needs a signed-in caller";
            return Err(status(Fault::new(Reason::TokenMissing, "gateway", text)));
        }
        let (user_id, _) = self.service.mesh_token(&credential, PartName::Runs).await.map_err(status)?;
        let who = Who::of(user_id, &head.extensions);
        let _place = self.shares.take(who).ok_or(Error::ShareHeld).map_err(status)?;
        let instance_id = self.routes.find(host, address).await.map_err(status)?;
        let mut ask = read(&head.headers, body).await.map_err(status)?;
        ask.insert("instanceId".to_owned(), instance_id.to_string().into());
        let request_id = self.request_id(&head.headers, &mut ask);
        let bytes = self.create_run.read(&Value::Object(ask)).map_err(status)?;
        // Anew: the credential may have been taken back while the body came.
        let (_, token) = self.service.mesh_token(&credential, PartName::Runs).await.map_err(status)?;
        let away = || status(Fault::new(Reason::Unavailable, "gateway", "runs does not answer"));
        let channel = self.house.dial().raw(PartName::Runs).ok_or_else(away)?;
        let answer = self.create_run.ask(channel, &token, bytes).await?;
        let mut response = axum::Json(answer).into_response();
        if let Ok(value) = HeaderValue::try_from(request_id) {
            response.headers_mut().insert(KEY, value);
        }
        Ok(response)
    }

    /// The request's id: the body's, else the header's, else a fresh one, which the answer tells.
    fn request_id(&self, headers: &HeaderMap, ask: &mut Map<String, Value>) -> String {
        if let Some(Value::String(id)) = ask.get("requestId")
            && !id.is_empty()
        {
            return id.clone();
        }
        let shown = headers.get(KEY).and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
        let id = shown.map_or_else(|| self.fresh_id(), str::to_owned);
        ask.insert("requestId".to_owned(), id.clone().into());
        id
    }

    fn fresh_id(&self) -> String {
        let mut bytes = [0_u8; 16];
        self.house.random().fill(&mut bytes);
        format!("door-{:032x}", u128::from_be_bytes(bytes))
    }
}

/// The run that a body asks for: a JSON object, or plain text, which is the input.
async fn read(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Fault> {
    let body = arrival::whole(body).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => object(&body),
        "text/plain" | "" => {
            let text = String::from_utf8(body.into()).map_err(|_| json::unreadable("is not UTF-8"))?;
            Ok(Map::from_iter([("input".to_owned(), Value::String(text))]))
        }
        _ => {
            let problem = "send application/json: {\"input\": …}, or text/plain: the input itself";
            Err(Fault::invalid("gateway", vec![Violation::new("content-type", problem)]))
        }
    }
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Fault> {
    let body: Value = serde_json::from_slice(body).map_err(|error| json::unreadable(&error.to_string()))?;
    let Value::Object(mut ask) = body else { return Err(json::unreadable("must be a JSON object")) };
    for field in ["instanceId", "instance_id"] {
        if ask.remove(field).is_some() {
            return Err(json::unreadable("the address names the instance: leave instanceId out"));
        }
    }
    if let Some(id) = ask.remove("request_id") {
        ask.insert("requestId".to_owned(), id);
    }
    // Another id in its place would make a second run of the first one's repeat.
    if ask.get("requestId").is_some_and(|id| !id.is_string() && !id.is_null()) {
        return Err(json::unreadable("requestId must be a string"));
    }
    Ok(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_as(kind: &str, body: &'static [u8]) -> Result<Map<String, Value>, Fault> {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        read(&headers, Body::from(body)).await
    }

    #[test]
    fn an_address_that_runs_ends_in_run() {
        assert_eq!(wanted("/i/ins_1/run"), Some("/i/ins_1"));
        assert_eq!(wanted("/run"), Some("/"));
        assert_eq!(wanted("/i/ins_1"), None);
        assert_eq!(wanted("/i/ins_1/run/"), None);
    }

    #[tokio::test]
    async fn json_and_plain_text_ask_for_a_run() {
        let ask = read_as("application/json; charset=utf-8", br#"{"input":"x","sessionId":"s"}"#);
        assert_eq!(ask.await.unwrap()["sessionId"], "s");
        for kind in ["text/plain", ""] {
            assert_eq!(read_as(kind, b"late").await.unwrap()["input"], "late");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_sent_away() {
        use futures::StreamExt as _;
        let first = async { Ok::<_, std::io::Error>("x") };
        let body = futures::stream::once(first).chain(futures::stream::pending());
        let fault = read(&HeaderMap::new(), Body::from_stream(body)).await.unwrap_err();
        assert_eq!(fault.reason, Reason::DeadlineExceeded);
    }

    #[tokio::test]
    async fn odd_bodies_are_refused_with_what_is_wrong() {
        for (kind, body) in [
            ("application/json", &b"{"[..]),
            ("application/json", b"[]"),
            ("application/json", br#"{"instanceId":"ins_2"}"#),
            ("application/json", br#"{"requestId":7}"#),
            ("application/x-www-form-urlencoded", b"input=x"),
            ("text/plain", b"\xff"),
        ] {
            let fault = read_as(kind, body).await.unwrap_err();
            assert_eq!(fault.reason, Reason::InvalidArgument, "{kind}");
            assert_eq!(fault.violations.len(), 1, "{kind}");
        }
    }
}
