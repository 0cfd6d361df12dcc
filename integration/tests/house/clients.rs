//! Clients that nobody here wrote: Python's grpcio by reflection alone, connect-web as a browser's page has
//! it, and plain HTTP. All of them see the public port of a started platform and nothing else.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use souk_proto::{
    Audience, RULES,
    souk::tenancy::v1::{GetCallerRequest, tenancy_service_client::TenancyServiceClient},
};
use tonic::{Code, Request};

use crate::harness::Souk;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Says what is missing. Where everything is installed nothing may be.
pub(crate) fn skipped(what: &str) {
    assert!(std::env::var_os("SOUK_CI").is_none(), "{what}");
    println!("SKIPPED: {what}");
}

fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What a script prints when all is as it should be.
fn told(command: &mut Command) -> Value {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"))
}

/// The one-time link of a person.
fn link(souk: &Souk, email: &str) -> String {
    souk.json(&["login", "--email", email])["signIn"].as_str().unwrap().to_owned()
}

fn code(link: &str) -> &str {
    link.rsplit_once('/').unwrap().1
}

#[test]
fn python_buys_by_what_reflection_tells_it() {
    if !works(Command::new("python3").args(["-c", "import grpc, grpc_health, grpc_reflection"])) {
        return skipped("PYTHON_GRPC python3 has no grpcio, grpcio-reflection, grpcio-health-checking");
    }
    let souk = Souk::up();
    let link = link(&souk, "python@example.org");
    let mut buyer = Command::new("python3");
    buyer.arg(here("tests/house/python/buyer.py")).args([&souk.grpc, code(&link)]);
    let told = told(buyer.env("PYTHONDONTWRITEBYTECODE", "1"));
    let mut edge: Vec<_> = RULES.iter().filter(|rule| rule.audience == Audience::Edge).collect();
    edge.sort_by_key(|rule| rule.path);
    let edge: Vec<Value> = edge.iter().map(|rule| rule.path.into()).collect();
    assert_eq!(told["methods"], Value::Array(edge), "reflection shows what the rules let out, and no more");
}

#[test]
fn a_page_buys_over_grpc_web() {
    let web = here("web");
    let compiler = web.join("node_modules/typescript/bin/tsc");
    if !works(Command::new("node").arg("--version")) || !compiler.exists() {
        return skipped("NODE node, or `npm ci` in integration/web, is missing");
    }
    let souk = Souk::up();
    let made = souk.scratch().join("web");
    std::fs::create_dir(&made).unwrap();
    std::fs::write(made.join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::os::unix::fs::symlink(web.join("node_modules"), made.join("node_modules")).unwrap();
    let types = Command::new("node").arg(compiler).arg("--outDir").arg(&made).current_dir(&web).output();
    let types = types.unwrap();
    assert!(types.status.success(), "{}", String::from_utf8_lossy(&types.stdout));
    let link = link(&souk, "page@example.org");
    let mut buyer = Command::new("node");
    buyer.arg(made.join("integration/web/src/buyer.js")).args([&souk.url, code(&link)]);
    let told = told(&mut buyer);
    assert!(told["instanceId"].as_str().unwrap().starts_with("ins_"), "{told}");
}

/// A browser that follows nothing and keeps nothing by itself.
fn browser() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.build().unwrap()
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(&name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn plain_http_finds_the_front_page_the_probes_and_the_keys() {
    let souk = Souk::up_with(&["--no-demo"]);
    let browser = browser();
    let get = async |path: &str| browser.get(format!("{}{path}", souk.url)).send().await.unwrap();
    let front = get("/").await;
    assert!(header_of(&front, header::CONTENT_TYPE).starts_with("text/html"));
    assert!(header_of(&front, header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"));
    assert!(front.text().await.unwrap().contains("souk"));
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(get(path).await.status(), StatusCode::OK, "{path}");
    }
    let ready = get("/metrics").await;
    assert!(header_of(&ready, header::CONTENT_TYPE).starts_with("text/plain"));
    assert!(ready.text().await.unwrap().contains("# TYPE "));
    let keys: Value = get("/.well-known/jwks.json").await.json().await.unwrap();
    let keys = keys["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(key["kid"].is_string() && key.get("d").is_none() && key.get("k").is_none(), "{key}");
    }
    for path in ["/nothing", "/sign-in", "/../etc/passwd", "/v1/"] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_sign_in_link_works_once_and_whoever_only_looks_does_not_use_it_up() {
    let souk = Souk::up_with(&["--no-demo"]);
    let browser = browser();
    for method in [Method::HEAD, Method::GET, Method::GET] {
        let looked = browser.request(method, &souk.sign_in).send().await.unwrap();
        assert!(looked.status().is_success(), "{}", looked.status());
        assert!(looked.headers().get(header::SET_COOKIE).is_none());
    }
    let lured = browser.post(&souk.sign_in).header(header::ORIGIN, "https://evil.example");
    assert_eq!(
        lured.send().await.unwrap().status(),
        StatusCode::FORBIDDEN,
        "signs nobody in as somebody else"
    );
    let first = browser.post(&souk.sign_in).send().await.unwrap();
    assert!(first.status().is_redirection(), "{}", first.status());
    assert_eq!(header_of(&first, header::LOCATION), "/");
    let cookie = header_of(&first, header::SET_COOKIE);
    for word in ["souk_session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    let second = browser.post(&souk.sign_in).send().await.unwrap();
    assert_eq!(second.status(), StatusCode::UNAUTHORIZED);
    assert!(second.headers().get(header::SET_COOKIE).is_none());
    assert!(second.text().await.unwrap().contains("SIGN_IN_LINK_INVALID"));
    let invented = format!("{}/sign-in/souk_si_nobody", souk.url);
    assert_eq!(browser.post(invented).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// What the platform answers a caller who shows this.
async fn caller(souk: &Souk, name: &'static str, value: &str) -> Code {
    let endpoint = tonic::transport::Endpoint::from_shared(souk.url.clone()).unwrap();
    let mut client = TenancyServiceClient::new(endpoint.connect_lazy());
    let mut request = Request::new(GetCallerRequest {});
    request.metadata_mut().insert(name, value.parse().unwrap());
    client.get_caller(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let souk = Souk::up_with(&["--no-demo"]);
    let browser = browser();
    let link = link(&souk, "leaving@example.org");
    let signed_in = browser.post(link).header(header::ACCEPT, "application/json").send().await.unwrap();
    let cookie = header_of(&signed_in, header::SET_COOKIE).split(';').next().unwrap().to_owned();
    let body: Value = signed_in.json().await.unwrap();
    let token = format!("Bearer {}", body["accessToken"].as_str().unwrap());
    assert_eq!(caller(&souk, "cookie", &cookie).await, Code::Ok);
    assert_eq!(caller(&souk, "authorization", &token).await, Code::Ok);

    let sign_out = || browser.post(format!("{}/sign-out", souk.url)).header(header::COOKIE, &cookie);
    let foreign = sign_out().header(header::ORIGIN, "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN, "no page of another origin signs anybody out");
    assert_eq!(caller(&souk, "cookie", &cookie).await, Code::Ok);

    let left = sign_out().send().await.unwrap();
    assert!(left.status().is_redirection(), "{}", left.status());
    assert_eq!(caller(&souk, "cookie", &cookie).await, Code::Unauthenticated, "the cookie ends at once");
    // What was believed of the session's token is asked again within five seconds.
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..150 {
        if caller(&souk, "authorization", &token).await == Code::Unauthenticated {
            return;
        }
        ticks.tick().await;
    }
    panic!("the token outlived its session");
}
