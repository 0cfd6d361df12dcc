//! The public port. A call of an EDGE method is authenticated and passed on as it is: bodies are never
//! decoded here. A method that is not EDGE does not exist outside.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::IntoResponse,
    routing::any,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use souk_kit::{
    House,
    access::{bearer, for_strangers, timeout},
    probes,
    socket::reflection,
    status,
};
use souk_proto::{Audience, EDGE_FILE_DESCRIPTOR_SET, Replay, Rule, rule};
use souk_types::{Fault, PartName, Reason};
use tonic::Code;
use tonic_web::GrpcWebLayer;
use tower::{Service as _, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    head,
    held::{Cut, Held},
    instance, json, pages, raw,
    share::{Shares, Who},
    whole::{Filled, Refused, Whole},
};
use crate::{
    config::Config,
    error::Error,
    model::{Credential, Principal, cookie, is_loopback},
    service::{Service, routes::Routes},
};

pub(crate) use axum::response::Response;

/// The session cookie.
pub(crate) const COOKIE: &str = "souk_session";
/// Carries what the caller showed to the gateway's own methods, within the mesh only.
pub(crate) const SHOWN: &str = "souk-shown";
/// Headers of a call that pass the door; what a caller says of itself otherwise is not believed.
const PASS: [&str; 10] = [
    "content-type",
    "te",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
    "user-agent",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-user-agent",
];

/// How much earlier than its caller the door gives up, at the most.
const MARGIN: Duration = Duration::from_millis(20);

/// What the handlers of the port share.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) house: House,
    pub(crate) service: Arc<Service>,
    pub(crate) secure_cookies: bool,
    pub(crate) shares: Arc<Shares>,
    pub(crate) deliveries: Arc<Shares>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) create_run: json::Method,
}

/// The router of the public port.
pub(crate) fn router(
    house: &House,
    config: &Config,
    service: &Arc<Service>,
    routes: Arc<Routes>,
) -> Result<Router, Fault> {
    let door = Door {
        house: house.clone(),
        service: Arc::clone(service),
        secure_cookies: config.secure_cookies,
        shares: Shares::new(usize::from(config.calls_per_caller)),
        deliveries: Shares::new(usize::from(config.calls_per_caller)),
        routes,
        create_run: json::Method::find("/souk.runs.v1.RunsService/CreateRun")?,
    };
    probes::begin_at_door();
    let calls = reflection(house, EDGE_FILE_DESCRIPTOR_SET)
        .fallback_service(any(pass_on).with_state(door.clone()))
        .layer(GrpcWebLayer::new());
    let own = door.clone();
    let public = Router::new()
        .route("/integrations/saleor/{*path}", any(raw::pass))
        .route("/saleor/{*path}", any(raw::pass))
        .with_state(door.clone())
        .merge(pages::router(door))
        .merge(probes::router(house))
        .fallback(move |request: Request| dispatch(own.clone(), calls.clone(), request))
        .layer(axum::middleware::map_request(with_host))
        .layer(axum::middleware::from_fn(head::bounded))
        .layer(cors(config));
    Ok(public)
}

/// HTTP/2 says in the authority what HTTP/1.1 says in the host; what compares origins reads the host.
async fn with_host(mut request: Request) -> Request {
    if !request.headers().contains_key(header::HOST)
        && let Some(host) =
            request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// gRPC methods are told from everything else by their path; only they may pass the gRPC-Web layer, which
/// refuses what is neither.
async fn dispatch(door: Door, calls: Router, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/souk.") || path.starts_with("/grpc.") {
        return calls.oneshot(request).await.unwrap_or_else(|never| match never {});
    }
    if request.method() == Method::POST && instance::wanted(path).is_some() {
        return instance::run(&door, request).await;
    }
    (StatusCode::NOT_FOUND, "nothing is served at this path\n").into_response()
}

fn cors(config: &Config) -> CorsLayer {
    let listed: Vec<HeaderValue> =
        config.allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let origins = if listed.is_empty() {
        AllowOrigin::predicate(|origin, _| origin.to_str().is_ok_and(is_loopback))
    } else {
        AllowOrigin::list(listed)
    };
    let names =
        |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers(names(&[
            "content-type",
            "x-grpc-web",
            "x-user-agent",
            "grpc-timeout",
            "authorization",
            "idempotency-key",
            "traceparent",
        ]))
        .expose_headers(names(&["grpc-status", "grpc-message", "grpc-status-details-bin", "idempotency-key"]))
}

/// What a request shows. A page of another origin may not use the cookie, whatever CORS says of it.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Credential, Error> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let session = cookies.into_iter().find_map(|value| cookie(value, COOKIE));
    let credential = Credential::read(bearer(headers), session);
    if matches!(credential, Credential::Session(_)) && !same_origin(headers) {
        return Err(Error::OriginRefused);
    }
    Ok(credential)
}

pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.get_all(header::ORIGIN).iter().nth(1).is_some() {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text(header::HOST)
}

async fn pass_on(State(door): State<Door>, request: Request) -> Response {
    let rule = rule(request.uri().path()).filter(|rule| rule.audience == Audience::Edge);
    let response = match door.pass_on(request, rule).await {
        Ok(response) => response,
        Err(fault) => status(fault).into_http::<Body>(),
    };
    let code = tonic::Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    probes::count_at_door(rule, code);
    response
}

impl Door {
    async fn pass_on(&self, request: Request, rule: Option<&'static Rule>) -> Result<Response, Fault> {
        let path = request.uri().path();
        let rule = rule.ok_or_else(|| Fault::from(Error::NoMethod { path: path.to_owned() }))?;
        let part: PartName = rule.part.parse().map_err(|error| Fault::bug("gateway", error))?;
        let credential = credential(request.headers())?;
        if credential == Credential::None {
            // Here, by the headers alone: nothing is held for them, here or at the part, until a body came.
            for_strangers(rule)?;
        }
        // Before the token is made: it must not stand for more than what the end of the message is held against.
        let before = match &credential {
            Credential::None => None,
            shown => Some(self.service.who(shown).await?),
        };
        let (user_id, token) = self.service.mesh_token(&credential, part).await?;
        let place = self.shares.take(Who::of(user_id, request.extensions())).ok_or(Error::ShareHeld)?;
        let (mut head, body) = request.into_parts();
        let mut headers = HeaderMap::with_capacity(PASS.len() + 2);
        for name in PASS {
            if let Some(value) = head.headers.remove(name) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers.insert(header::AUTHORIZATION, value(format!("Bearer {token}"))?);
        if part == PartName::Gateway
            && let Some(shown) = shown(&credential)
        {
            headers.insert(HeaderName::from_static(SHOWN), value(shown)?);
        }
        let (body, refused) = self.whole(body, &credential, before);
        let mut onward = http::Request::new(body);
        *onward.method_mut() = head.method;
        *onward.uri_mut() = head.uri.path().parse().map_err(|error| Fault::bug("gateway", error))?;
        *onward.headers_mut() = headers;
        let answer = in_time(part, onward, |onward| self.send(part, onward)).await;
        let answer = refused.and_then(|refused| refused.take()).map_or(answer, |error| Err(error.into()));
        self.after(rule, &credential);
        let cut = (rule.server_streaming && credential != Credential::None).then(|| self.cut(credential));
        answer.map(|answer| answer.map(|body| Held::body(body, place, cut)))
    }

    /// The message, whose end asks again who calls.
    fn whole(
        &self,
        body: Body,
        credential: &Credential,
        before: Option<Arc<Principal>>,
    ) -> (tonic::body::Body, Option<Refused>) {
        let Some(before) = before else { return (tonic::body::Body::new(body), None) };
        let (service, credential) = (Arc::clone(&self.service), credential.clone());
        let check = Box::pin(async move { service.still(&credential, &before).await });
        let (body, refused) = Whole::new(body, check);
        (tonic::body::Body::new(body), Some(refused))
    }

    /// When a stream that the credential opened must end.
    fn cut(&self, credential: Credential) -> Cut {
        let service = Arc::clone(&self.service);
        Box::pin(async move { service.until_less(&credential).await.into() })
    }

    /// What a person changes about themselves holds for their next call.
    fn after(&self, rule: &Rule, credential: &Credential) {
        if rule.part == PartName::Tenancy.as_str() && rule.replay != Replay::Read {
            self.service.forget(credential);
        }
    }

    pub(super) async fn send(
        &self,
        part: PartName,
        request: http::Request<tonic::body::Body>,
    ) -> Result<Response, Fault> {
        let away = || {
            Fault::new(Reason::Unavailable, "gateway", format!("{part} does not answer"))
                .with("part", part)
                .retry_in(Duration::from_secs(1))
        };
        let (head, body) = request.into_parts();
        let (body, broken) = Filled::new(body);
        let request = http::Request::from_parts(head, tonic::body::Body::new(body));
        let mut channel = self.house.dial().raw(part).ok_or_else(away)?;
        let ready = channel.ready().await.map_err(|error| away().because(error))?;
        let answer = ready.call(request).await.map_err(|error| match expired(&error) {
            true => late(part),
            // Whoever hangs up in the middle must not look like a part that is away, in the log or to others.
            false if broken.is() => {
                Fault::new(Reason::Cancelled, "gateway", "the message broke off").because(error)
            }
            false => away().because(error),
        })?;
        Ok(answer.map(Body::new))
    }
}

/// Sends a call and gives up shortly before its caller does, so that they hear why. The part gives up
/// earlier still, where it is there; the timers of the connections beneath would say CANCELLED.
async fn in_time<F>(
    part: PartName,
    call: http::Request<tonic::body::Body>,
    send: impl FnOnce(http::Request<tonic::body::Body>) -> F,
) -> Result<Response, Fault>
where
    F: Future<Output = Result<Response, Fault>>,
{
    match timeout(call.headers()) {
        None => send(call).await,
        Some(span) => {
            let patience = span - (span / 8).min(MARGIN);
            tokio::time::timeout(patience, send(call)).await.unwrap_or_else(|_| Err(late(part)))
        }
    }
}

fn late(part: PartName) -> Fault {
    let text = format!("{part} did not answer before the call's deadline");
    Fault::new(Reason::DeadlineExceeded, "gateway", text).with("part", part)
}

/// Whether a connection gave up because the call's own deadline passed.
fn expired(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.is::<tonic::TimeoutExpired>())
}

fn shown(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Session(secret) => Some(format!("cookie {}", secret.expose())),
        Credential::ApiKey(text) | Credential::AccessToken(text) => Some(format!("bearer {}", text.expose())),
        Credential::None => None,
    }
}

fn value(text: String) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::try_from(text).map_err(|error| Fault::bug("gateway", error))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_never_answers_is_given_up_before_the_deadline() {
        let call = |header: Option<&str>| {
            let mut call = http::Request::new(tonic::body::Body::empty());
            if let Some(header) = header {
                call.headers_mut().insert("grpc-timeout", header.parse().unwrap());
            }
            call
        };
        let hangs = async |header| {
            let sent = in_time(PartName::Runs, call(header), |_| std::future::pending());
            tokio::time::timeout(Duration::from_millis(99), sent).await
        };
        let fault = hangs(Some("100m")).await.unwrap().unwrap_err();
        assert_eq!(fault.reason, Reason::DeadlineExceeded);
        assert!(hangs(Some("1S")).await.is_err() && hangs(None).await.is_err(), "there is time");
    }

    #[test]
    fn a_deadline_that_passed_beneath_is_told_from_a_part_that_is_away() {
        #[derive(Debug, thiserror::Error)]
        #[error("transport")]
        struct Outer(#[source] Box<dyn std::error::Error + Send + Sync>);
        assert!(expired(&Outer(Box::new(tonic::TimeoutExpired(())))));
        assert!(!expired(&Outer("connection refused".into())));
    }

    /// A call of which only the headers ever come, at a door behind which there is no part.
    async fn headers_alone(door: &Router, path: &str, kind: &str, token: Option<&str>) -> String {
        let mut call = Request::post(path).version(http::Version::HTTP_2).header("content-type", kind);
        if let Some(token) = token {
            call = call.header("authorization", format!("Bearer {token}"));
        }
        let body = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let answer = door.clone().oneshot(call.body(Body::from_stream(body)).unwrap()).await.unwrap();
        let status = tonic::Status::from_header_map(answer.headers()).unwrap();
        tonic_types::StatusExt::get_details_error_info(&status).unwrap().reason
    }

    #[tokio::test]
    async fn who_is_not_let_through_is_refused_before_their_message_came() {
        let random = Arc::new(souk_kit::clock::MachineRandom::default());
        let surroundings = souk_kit::Surroundings {
            clock: Arc::new(souk_kit::clock::MachineClock),
            keyring: Arc::new(souk_kit::keyring::Keyring::generate(random.as_ref())),
            random,
            data_dir: std::path::PathBuf::new(),
            poll: Duration::from_secs(1),
        };
        let nowhere = std::collections::BTreeMap::new();
        let mesh = souk_kit::Mesh::new(surroundings, &[PartName::Gateway], &nowhere).unwrap();
        let door = crate::build(&mesh.house(PartName::Gateway).unwrap(), &Config::default()).unwrap().public;
        for rule in souk_proto::RULES.iter().filter(|rule| rule.audience == Audience::Edge) {
            for kind in ["application/grpc", "application/grpc-web+proto", "application/grpc-web-text"] {
                let invalid = headers_alone(&door, rule.path, kind, Some("a.b.c")).await;
                assert_eq!(invalid, "TOKEN_INVALID", "{} {kind}", rule.path);
                if !rule.anonymous {
                    let missing = headers_alone(&door, rule.path, kind, None).await;
                    assert_eq!(missing, "TOKEN_MISSING", "{} {kind}", rule.path);
                }
            }
        }
        let open = "/souk.catalog.v1.CatalogService/ListOfferings";
        let passed = headers_alone(&door, open, "application/grpc", None).await;
        assert_eq!(passed, "UNAVAILABLE", "what is open to everybody is passed on");
    }

    async fn shown_by(uri: &str, headers: &[(&str, &str)]) -> Result<Credential, Error> {
        let mut request = Request::builder().uri(uri).header("cookie", format!("{COOKIE}=abc"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        credential(with_host(request.body(Body::empty()).unwrap()).await.headers())
    }

    #[tokio::test]
    async fn a_cookie_counts_for_pages_of_the_doors_own_origin_alone() {
        let (own, foreign) = (("origin", "http://souk.example:1"), ("origin", "http://evil.example"));
        let host = ("host", "souk.example:1");
        for good in [&[host][..], &[host, own], &[host, ("sec-fetch-mode", "cors"), own]] {
            assert!(matches!(shown_by("/x", good).await, Ok(Credential::Session(_))), "{good:?}");
        }
        let http2 = shown_by("http://souk.example:1/x", &[own]).await;
        assert!(matches!(http2, Ok(Credential::Session(_))), "HTTP/2 names the host in the authority");
        for bad in [
            &[host, foreign][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://souk.example:2")],
            &[host, ("origin", "http://evil.example://souk.example:1")],
            &[host, own, foreign],
            &[own],
            &[host, foreign, ("authorization", "Basic x")],
        ] {
            assert!(matches!(shown_by("/x", bad).await, Err(Error::OriginRefused)), "{bad:?}");
        }
        assert!(shown_by("http://souk.example:1/x", &[foreign]).await.is_err());
        let key = [host, foreign, ("authorization", "Bearer souk_sk_x")];
        assert!(matches!(shown_by("/x", &key).await, Ok(Credential::ApiKey(_))), "the cookie is not used");
    }
}
