//! What a browser sees: the front page, the way in by a sign-in link, the way out, the issuer's keys.

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, header};
use souk_kit::status;
use souk_types::Fault;

use super::{
    door::{COOKIE, Door, credential, same_origin},
    json,
};
use crate::error::Error;

/// How long a browser keeps the session cookie, in seconds; the session itself may end earlier.
const COOKIE_SECONDS: u32 = 30 * 24 * 3600;

pub(crate) fn router(door: Door) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/sign-in/{code}", get(look).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/.well-known/jwks.json", get(key_set))
        .with_state(door)
}

/// The front page loads nothing and may be framed by nobody.
async fn front() -> impl IntoResponse {
    const POLICY: &str =
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(include_str!("pages/front.html")))
}

/// The page behind a link. Whoever only looks, a mail program or a chat that shows a preview, must not use
/// the link up: the button on the page does.
async fn look() -> impl IntoResponse {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
        frame-ancestors 'none'; base-uri 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(include_str!("pages/sign-in.html")))
}

/// Redeems the link's code: a cookie for the browser and the front page, or a token for who asks for JSON.
/// A page of another origin may not sign its visitor in as somebody else.
async fn sign_in(State(door): State<Door>, Path(code): Path<String>, headers: HeaderMap) -> Response {
    if !same_origin(&headers) {
        return refused(Error::OriginRefused.into(), wants_json(&headers));
    }
    let service = std::sync::Arc::clone(&door.service);
    let outcome = door.house.owned(async move { service.sign_in(&code).await }).await;
    let (session, token) = match outcome {
        Ok(signed_in) => signed_in,
        Err(fault) => return refused(fault, wants_json(&headers)),
    };
    let secure = if door.secure_cookies { "; Secure" } else { "" };
    let secret = session.secret.expose();
    let cookie =
        format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_SECONDS}{secure}");
    let mut response = if wants_json(&headers) {
        let seconds = token.expire_time.since(door.house.now()).as_secs();
        let body = serde_json::json!({
            "accessToken": token.text, "tokenType": "Bearer", "expiresIn": seconds,
            "userId": session.user_id.to_string(),
        });
        Json(body).into_response()
    } else {
        Redirect::to("/").into_response()
    };
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn sign_out(State(door): State<Door>, headers: HeaderMap) -> Response {
    let outcome = match credential(&headers) {
        Ok(credential) => {
            let service = std::sync::Arc::clone(&door.service);
            door.house.owned(async move { service.sign_out(&credential).await }).await
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => {
            let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(fault) => refused(fault, wants_json(&headers)),
    }
}

async fn key_set(State(door): State<Door>) -> Response {
    Json(door.service.key_set()).into_response()
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

fn refused(fault: Fault, as_json: bool) -> Response {
    // Both texts are ours: nothing that came in stands in them.
    let (reason, what, remedy) = (fault.reason.as_str(), fault.reason.what(), fault.reason.remedy());
    let answer = json::refused(&status(fault));
    if as_json { answer } else { (answer.status(), format!("{what} ({reason})\n{remedy}\n")).into_response() }
}
