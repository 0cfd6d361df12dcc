//! Whatever comes to the public port or the operator's socket: it is refused as the caller's mistake or let
//! go, nothing is written for strangers, and the next honest call is answered as ever.

mod wire;

use std::{fs, io::Write as _, net::TcpStream, os::unix::net::UnixStream, path::Path, time::Duration};

use prost_reflect::prost::Message as _;
use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use souk_proto::{Audience, RULES, Rule, souk::billing::v1::WatchWalletRequest};

use self::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GO_AWAY, HEADERS, RESET, SETTINGS, block, bomb, call,
    connect, exchange, frame, next_frame, preface, rest, send,
};
use crate::{harness::Souk, tables};

/// How much more a process may hold after all that is thrown at it here, in KiB.
const GROWTH: u64 = 256 * 1024;
/// Longer than any refusal takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person's call that asks nothing of anybody, to see that all is well.
const WHO: &str = "/souk.tenancy.v1.TenancyService/GetCaller";

fn http2() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().http2_prior_knowledge().timeout(PATIENCE).build().unwrap()
}

/// Sends bytes as the body of a gRPC call.
async fn grpc(
    client: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    (encoding, body): (Option<&str>, Vec<u8>),
) -> Response {
    let mut request =
        client.post(url).header(header::CONTENT_TYPE, "application/grpc").header("te", "trailers");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    request.body(body).send().await.unwrap()
}

/// The gRPC status that came instead of an answer; `None` when an answer came.
fn refusal(response: &Response) -> Option<u32> {
    let text = response.headers().get("grpc-status")?.to_str().unwrap();
    Some(text.parse().unwrap())
}

fn framed(flag: u8, length: usize, message: &[u8]) -> Vec<u8> {
    let mut body = vec![flag];
    body.extend(u32::try_from(length).unwrap().to_be_bytes());
    body.extend(message);
    body
}

/// Bodies that are no message, or none of any method, each with what is wrong.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let whole = |message: &[u8]| framed(0, message.len(), message);
    // Bytes without a pattern, the same at every run.
    let noise = |seed: u32| {
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(state.to_be_bytes()[0])
        };
        let mut state = seed;
        std::iter::from_fn(|| step(&mut state)).take(97).collect::<Vec<u8>>()
    };
    vec![
        ("noise", whole(&noise(1))),
        ("other noise", whole(&noise(77))),
        ("noise without a frame", noise(5)),
        ("a field that goes on beyond the message", whole(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x41])),
        ("a group that never ends", whole(&[0x0b, 0x13, 0x1b])),
        (
            "a number that never ends",
            whole(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ),
        ("a text that is no UTF-8", whole(&[0x0a, 0x02, 0xff, 0xfe, 0x12, 0x02, 0xff, 0xfe])),
        ("numbers for texts", whole(&[0x08, 0x01, 0x10, 0x01, 0x18, 0x01, 0x20, 0x01])),
        ("field zero", whole(&[0x00, 0x01])),
        ("a frame longer than the body", framed(0, 100, b"short")),
        ("a frame of four gigabytes", framed(0, usize::try_from(u32::MAX).unwrap(), b"short")),
        ("half a frame", vec![0, 0, 0]),
        ("a compressed frame without a codec", framed(1, 4, b"zzzz")),
        ("a flag that means nothing", framed(7, 4, b"zzzz")),
    ]
}

/// How much is written in the tables of every part: requests answered and events told.
fn written(data: &Path) -> Vec<Vec<i64>> {
    let parts = ["tenancy", "catalog", "billing", "instances", "commerce", "runs"];
    let questions = ["SELECT COUNT(*) FROM request_log", "SELECT COUNT(*) FROM outbox"];
    parts.into_iter().map(|part| tables::numbers(data, part, &questions)).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn public() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(|rule| rule.audience == Audience::Edge)
}

#[test]
fn what_is_no_message_is_refused_by_every_public_method() {
    let souk = Souk::up_with(&["--no-demo"]);
    let person = souk.sign_in_as("mallory@example.org");
    let before = written(&souk.data());
    block_on(async {
        let client = http2();
        for rule in public() {
            let url = format!("{}{}", souk.url, rule.path);
            for (what, body) in malformed() {
                let response = grpc(&client, &url, None, (None, body)).await;
                let code = refusal(&response);
                let wanted = if rule.anonymous { &[Some(3), Some(16), None][..] } else { &[Some(16)] };
                assert!(wanted.contains(&code), "{} of a stranger, {what}: {code:?}", rule.path);
            }
        }
    });
    assert_eq!(written(&souk.data()), before, "a stranger wrote something");
    block_on(async {
        let client = http2();
        for rule in public() {
            let url = format!("{}{}", souk.url, rule.path);
            for (what, body) in malformed() {
                let response = grpc(&client, &url, Some(&person), (None, body)).await;
                let code = refusal(&response);
                // UNKNOWN, INTERNAL and DATA_LOSS are mistakes of ours; 14 says that a part fell over.
                let ours = matches!(code, Some(2 | 4 | 13 | 14 | 15));
                assert!(!ours && response.status() == StatusCode::OK, "{}, {what}: {response:?}", rule.path);
            }
        }
        let fine =
            grpc(&client, &format!("{}{WHO}", souk.url), Some(&person), (None, framed(0, 0, b""))).await;
        assert_eq!(refusal(&fine), None);
    });
}

/// One connection to a part carries the calls of everybody: a head that is too large for it would end them all.
/// Packed as the connection packs them, these are more than twice as large as they come.
#[test]
fn a_large_head_ends_nobody_elses_call() {
    const OPEN: &str = "/souk.catalog.v1.CatalogService/ListOfferings";
    let souk = Souk::up_with(&["--no-demo"]);
    let begin = |path: &str, headers: &str| {
        let mut stream = connect(&souk.grpc);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: souk\r\nconnection: close\r\ncontent-length: 5\r\n\
             content-type: application/grpc-web+proto\r\n{headers}\r\n"
        );
        send(&mut stream, head.as_bytes());
        stream
    };
    let end = |mut stream: TcpStream| {
        send(&mut stream, &framed(0, 0, b""));
        String::from_utf8_lossy(&rest(stream)).into_owned()
    };
    for (path, name) in [(OPEN, "user-agent"), (OPEN, "tracestate"), ("/saleor/nothing", "x-any")] {
        for (length, passes) in [(30_000, true), (60_000, false), (240_000, false)] {
            let honest = begin(OPEN, "");
            let told = end(begin(path, &format!("{name}: {}\r\n", "\\".repeat(length))));
            let refused = told.starts_with("HTTP/1.1 431 ");
            assert_eq!(refused, !passes, "{name} of {length}: {told:.80}");
            let answer = end(honest);
            assert!(answer.contains("grpc-status:0"), "beside {name} of {length}: {answer:.400}");
        }
    }
}

fn resident(souk: &Souk) -> u64 {
    let sizes = souk.pids().into_values().map(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    });
    sizes.sum()
}

/// An honest call is answered.
fn answers(souk: &Souk, token: &str, after: &str) {
    block_on(async {
        let response =
            grpc(&http2(), &format!("{}{WHO}", souk.url), Some(token), (None, framed(0, 0, b""))).await;
        assert_eq!((response.status(), refusal(&response)), (StatusCode::OK, None), "after {after}");
    });
}

#[test]
fn floods_cost_their_sender_and_nobody_else() {
    let souk = Souk::up_with(&["--no-demo"]);
    let person = souk.sign_in_as("mallory@example.org");
    answers(&souk, &person, "nothing");
    let before = resident(&souk);
    for (what, attack) in [
        ("large messages", large as fn(&Souk, &str)),
        ("headers", headers),
        ("smuggling", smuggling),
        ("bytes that are no text", no_text),
        ("silence", |souk, token| drop(silence(souk, token))),
        ("watches that nobody reads", |souk, _| drop(unread(souk))),
        ("resets", resets),
        ("the operator's socket", operators_socket),
    ] {
        attack(&souk, &person);
        answers(&souk, &person, what);
    }
    // Those who hold connections and say nothing more, or never read, do not keep others out.
    let held = (silence(&souk, &person), unread(&souk));
    answers(&souk, &person, "many who are silent");
    drop(held);
    let grown = resident(&souk).saturating_sub(before);
    println!("{grown} KiB more than before");
    assert!(grown < GROWTH, "{grown} KiB more than before");
}

/// More than a message may be, plain and packed.
fn large(souk: &Souk, token: &str) {
    block_on(async {
        let client = http2();
        let url = format!("{}{WHO}", souk.url);
        let message = vec![0_u8; 4 * 1024 * 1024 + 1];
        let bomb = bomb(512 * 1024 * 1024);
        for (encoding, body) in [
            (None, framed(0, message.len(), &message)),
            (Some("gzip"), framed(1, bomb.len(), &bomb)),
            (Some("deflate"), framed(1, bomb.len(), &bomb)),
            (Some("gzip"), framed(1, 4, b"zzzz")),
        ] {
            // The door may hang up before all of it was sent.
            let request =
                client.post(&url).header(header::CONTENT_TYPE, "application/grpc").bearer_auth(token);
            let request =
                request.header("te", "trailers").header("grpc-encoding", encoding.unwrap_or("identity"));
            let Ok(response) = request.body(body).send().await else { continue };
            let code = refusal(&response);
            assert!(matches!(code, Some(3 | 8 | 11 | 12)), "{encoding:?}: {code:?}");
        }
    });
}

/// Too many headers, and too long ones.
fn headers(souk: &Souk, _: &str) {
    let many: String = (0..5_000).map(|at| format!("x-{at}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "a".repeat(1024 * 1024));
    for flood in [many, long] {
        let request = format!("GET /livez HTTP/1.1\r\nhost: souk\r\nconnection: close\r\n{flood}\r\n");
        let statuses = exchange(&souk.grpc, request.as_bytes());
        assert!(statuses.iter().all(|code| *code == 431 || *code == 400), "{statuses:?}");
    }
    let many: Vec<u8> = (0..2_000).flat_map(|at| block(&[(&format!("x-{at}"), "a")])).collect();
    let mut stream = connect(&souk.grpc);
    send(&mut stream, &preface());
    send(&mut stream, &frame(HEADERS, 0, 1, &call(WHO)));
    // The block never ends.
    for part in many.chunks(8_000).cycle().take(500) {
        send(&mut stream, &frame(CONTINUATION, 0, 1, part));
    }
}

/// Two lengths for one body: whoever reads another end than the door would see another request.
fn smuggling(souk: &Souk, _: &str) {
    const INNER: &str = "GET /.well-known/jwks.json HTTP/1.1\r\nhost: souk\r\n\r\n";
    let post = |headers: &str, body: &str| {
        let text =
            format!("POST /nothing HTTP/1.1\r\nhost: souk\r\nconnection: close\r\n{headers}\r\n{body}");
        exchange(&souk.grpc, text.as_bytes())
    };
    let length = INNER.len() + 5;
    let chunked = format!("0\r\n\r\n{INNER}");
    for (headers, body) in [
        (format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), chunked.clone()),
        (format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), chunked.clone()),
        (format!("content-length: 0\r\ncontent-length: {length}\r\n"), INNER.to_owned()),
        (format!("content-length: +{length}\r\n"), INNER.to_owned()),
        (format!("content-length : {length}\r\n"), INNER.to_owned()),
        ("transfer-encoding : chunked\r\n".to_owned(), chunked.clone()),
        ("transfer-encoding: xchunked\r\n".to_owned(), chunked.clone()),
        ("transfer-encoding: chunked, identity\r\n".to_owned(), chunked),
        ("x: 1\r\n transfer-encoding: chunked\r\n".to_owned(), INNER.to_owned()),
    ] {
        let statuses = post(&headers, &body);
        assert!(statuses.len() == 1 && statuses[0] != 200, "{headers:?}: {statuses:?}");
    }
}

/// Bytes that are no text, where text is expected.
fn no_text(souk: &Souk, _: &str) {
    let close = b"host: souk\r\nconnection: close\r\n";
    for line in [
        &b"GET /\xff\xfe HTTP/1.1\r\n"[..],
        b"GET /%ff%fe%00 HTTP/1.1\r\n",
        b"GET /sign-in/%ff HTTP/1.1\r\n",
        b"POST /i/%ff%2e%2e/run HTTP/1.1\r\ncontent-length: 0\r\n",
        b"GET /livez HTTP/1.1\r\nauthorization: Bearer \xff\xfe\r\n",
        b"POST /souk.tenancy.v1.TenancyService/GetCaller HTTP/1.1\r\ncontent-type: application/grpc-web\r\n\
          content-length: 0\r\nauthorization: Bearer \xff\r\ncookie: souk_session=\xff\r\ntraceparent: \xff\r\n",
        b"\x00\x01\x02\x03\r\n",
        b"GET /livez HTTP/9.9\r\n",
    ] {
        let statuses = exchange(&souk.grpc, &[line, close, b"\r\n"].concat());
        assert!(matches!(statuses[..], [200..=499]), "{}: {statuses:?}", line.escape_ascii());
    }
}

/// Calls that were begun and are never ended, and answers that nobody reads: all stay open.
fn silence(souk: &Souk, token: &str) -> Vec<Box<dyn std::any::Any>> {
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    for at in 0_usize..60 {
        let mut stream = connect(&souk.grpc);
        match at % 3 {
            0 => send(&mut stream, b"POST /i/x/run HTTP/1.1\r\nhost: so"),
            1 => send(
                &mut stream,
                format!("POST {WHO} HTTP/1.1\r\nhost: souk\r\nauthorization: Bearer {token}\r\ncontent-type: application/grpc-web\r\ncontent-length: 900\r\n\r\nab")
                    .as_bytes(),
            ),
            _ => {
                send(&mut stream, &preface());
                for id in (1..100).step_by(2) {
                    send(&mut stream, &frame(HEADERS, END_HEADERS, id, &call(WHO)));
                    send(&mut stream, &frame(DATA, 0, id, &[0, 0, 0]));
                }
            }
        }
        held.push(Box::new(stream));
    }
    held
}

/// Watches of somebody who takes no byte of the answers, while what is watched changes.
fn unread(souk: &Souk) -> Vec<TcpStream> {
    let token = souk.sign_in_as("operator@localhost");
    let org_id = souk.json(&["workspace"])["orgId"].as_str().unwrap().to_owned();
    let ask = WatchWalletRequest { org_id }.encode_to_vec();
    block_on(async {
        let url = format!("{}/souk.billing.v1.BillingService/WatchWallet", souk.url);
        let watch = grpc(&http2(), &url, Some(&token), (None, framed(0, ask.len(), &ask))).await;
        assert_eq!(refusal(&watch), None, "it is a watch that may be opened");
    });
    let bearer = format!("Bearer {token}");
    let mut headers = call("/souk.billing.v1.BillingService/WatchWallet");
    headers.extend(block(&[("authorization", &bearer)]));
    let held = (0..4).map(|_| {
        let mut stream = connect(&souk.grpc);
        send(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // The window of every stream: nothing.
        send(&mut stream, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
        for id in (1..60).step_by(2) {
            send(&mut stream, &frame(HEADERS, END_HEADERS, id, &headers));
            send(&mut stream, &frame(DATA, END_STREAM, id, &framed(0, ask.len(), &ask)));
        }
        stream
    });
    let held = held.collect();
    for _ in 0..3 {
        assert!(souk.cli(&["wallet"]).ok, "the wallet is still shown");
    }
    held
}

/// Calls that are taken back as soon as they are made.
fn resets(souk: &Souk, _: &str) {
    let mut stream = connect(&souk.grpc);
    send(&mut stream, &preface());
    for id in (1..800).step_by(2) {
        send(&mut stream, &frame(HEADERS, END_HEADERS | END_STREAM, id, &call(WHO)));
        send(&mut stream, &frame(RESET, 0, id, &8_u32.to_be_bytes()));
    }
    // Frames that mean nothing, on streams that were never opened.
    for kind in 0..=20 {
        let mut stream = connect(&souk.grpc);
        send(&mut stream, &preface());
        send(&mut stream, &frame(kind, 0xff, 7, b"\xff\xff\xff\xff\xff"));
    }
}

/// The operator's socket believes nobody more for being a socket.
fn operators_socket(souk: &Souk, _: &str) {
    let path = souk.socket("tenancy");
    for rule in RULES {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        send(&mut stream, &preface());
        send(&mut stream, &frame(HEADERS, END_HEADERS, 1, &call(rule.path)));
        let noise = framed(0, 5, &[0x0b, 0xff, 0xff, 0xff, 0xff]);
        send(&mut stream, &frame(DATA, END_STREAM, 1, &noise));
    }
    for bytes in [&b"\xff\xff\xff\xff"[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", &[0; 64 * 1024]] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(bytes).ok();
    }
    assert!(souk.cli(&["login", "--email", "honest@example.org"]).ok, "the operator is still heard");
    taken_back(&path);
}

/// The gateway's calls to a part share a connection: whoever takes many of them back ends nobody else's.
fn taken_back(path: &Path) {
    const CHECK: &str = "/grpc.health.v1.Health/Check";
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = preface();
    for id in (1..2_400).step_by(2) {
        all.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, &call(CHECK)));
        all.extend(frame(RESET, 0, id, &8_u32.to_be_bytes()));
    }
    let honest = 2_401;
    all.extend(frame(HEADERS, END_HEADERS, honest, &call(CHECK)));
    all.extend(frame(DATA, END_STREAM, honest, &framed(0, 0, b"")));
    send(&mut stream, &all);
    let answer = std::iter::from_fn(|| Some(next_frame(&mut stream))).find(|(kind, id)| {
        assert_ne!(*kind, GO_AWAY, "the connection of all was ended for the calls of one");
        *id == honest
    });
    assert_eq!(answer, Some((HEADERS, honest)));
}

#[test]
fn odd_json_is_the_senders_mistake() {
    let souk = Souk::up();
    souk.json(&["workspace"]);
    let instance = souk.json(&["instances", "activate", "support-triage"])["instanceId"].clone();
    let instance = instance.as_str().unwrap();
    assert!(souk.cli(&["instances", "watch", instance, "--until", "ACTIVE"]).ok);
    let token = souk.sign_in_as("operator@localhost");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let post = async |kind: &str, body: Vec<u8>| {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let request = client.post(format!("{}/i/{instance}/run", souk.url)).bearer_auth(&token);
        request.header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap()
    };
    block_on(async {
        for body in [
            deep.as_bytes().to_vec(),
            format!("{{\"input\":{deep}}}").into_bytes(),
            "{\"a\":".repeat(50_000).into_bytes(),
            b"{\"input\":\"\xff\xfe\"}".to_vec(),
            br#"{"input":"\ud800"}"#.to_vec(),
            br#"{"input":1e999}"#.to_vec(),
            format!("{{\"input\":{}}}", "9".repeat(1_000_000)).into_bytes(),
            br#"{"input":"x","instanceId":"ins_1"}"#.to_vec(),
            br#"{"input":"x","instanceId":"ins_1","instanceId":null}"#.to_vec(),
            br#"{"input":"x","requestId":7}"#.to_vec(),
            br#"{"input":{"a":1}}"#.to_vec(),
            b"\x00\x00".to_vec(),
            Vec::new(),
        ] {
            let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
            let response = post("application/json", body).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{shown}");
            let said: Value = response.json().await.unwrap();
            assert_eq!(said["error"]["status"], "INVALID_ARGUMENT", "{shown}: {said}");
        }
        assert_eq!(post("text/plain", b"\xff\xfe".to_vec()).await.status(), StatusCode::BAD_REQUEST);
        let large = post("text/plain", vec![b'a'; 4 * 1024 * 1024 + 10]).await;
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE, "larger than a message may be");
        let honest = post("application/json", br#"{"input":"is anybody there?"}"#.to_vec()).await;
        assert_eq!(honest.status(), StatusCode::OK);
    });
    let manifest =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../services/souk/demo/support-triage.yaml"))
            .unwrap();
    let manifest = manifest.replace("slug: support-triage", "slug: odd");
    let at = souk.scratch().join("odd.yaml");
    fs::write(&at, manifest.replace("support-triage.flow.json", "odd.flow.json")).unwrap();
    for flow in [
        &b"\xff\xfe"[..],
        deep.as_bytes(),
        br#"{"data":{"nodes":[]},"data":{}}"#,
        br#"{"data":{"nodes":[1e999]}}"#,
    ] {
        fs::write(souk.scratch().join("odd.flow.json"), flow).unwrap();
        let told = souk.cli(&["offerings", "publish", at.to_str().unwrap()]);
        assert!(!told.ok && told.err.contains("FLOW_INVALID"), "{}", told.err);
    }
}
