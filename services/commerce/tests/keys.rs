//! The keys of one shop: how often they are fetched, and what is answered when they cannot be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/signer.rs"]
mod signer;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use reqwest::Url;
use signer::Signer;
use souk_commerce::{
    Error,
    outside::saleor::{
        address::ApiUrl,
        jwks::{
            KeySet,
            cache::Policy,
            fetch::{Failed, Fetch, Http},
            source::Source,
        },
        signature::Compat,
    },
};
use souk_types::{Clock, Time};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

#[derive(Debug)]
struct Watch(AtomicI64);

impl Watch {
    fn start() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_700_000_000_000_000)))
    }

    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Watch {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A shop's key endpoint: what it publishes, and how often it was asked.
#[derive(Default)]
struct Shop {
    document: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Shop {
    fn publishes(&self, document: Option<String>) {
        *self.document.lock().unwrap() = document;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Fetch for Shop {
    fn fetch<'a>(&'a self, _url: &'a Url) -> BoxFuture<'a, Result<KeySet, Failed>> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            // Gives every other task its turn, so that all of them come while this fetch is under way.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            match &*self.document.lock().unwrap() {
                Some(document) => Ok(KeySet::parse(document.as_bytes()).unwrap()),
                None => Err(Failed { why: "no answer", cause: None }),
            }
        })
    }
}

fn source(shop: &Arc<Shop>, clock: &Arc<Watch>) -> Source {
    let address = ApiUrl::parse("https://shop.example/graphql/").unwrap();
    Source::fetched(&address, shop.clone(), clock.clone(), Policy::default())
}

async fn verify(source: &Source, header: &str) -> Result<(), Error> {
    source.verify(header, b"{}", Compat::Strict).await
}

fn refused(answer: &Result<(), Error>) -> bool {
    matches!(answer, Err(Error::SignatureInvalid { .. }))
}

fn later(answer: &Result<(), Error>) -> bool {
    matches!(answer, Err(Error::JwksUnavailable { .. }))
}

#[tokio::test]
async fn a_rotation_costs_one_fetch_however_many_come() {
    let (shop, clock) = (Arc::new(Shop::default()), Watch::start());
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let source = source(&shop, &clock);
    shop.publishes(Some(old.jwks()));
    let signed = old.sign(b"{}");
    let first = join_all((0..50).map(|_| verify(&source, &signed))).await;
    assert!(first.iter().all(Result::is_ok));
    assert_eq!(shop.asked(), 1);

    shop.publishes(Some(new.jwks()));
    clock.pass(60);
    let rotated = new.sign(b"{}");
    let second = join_all((0..50).map(|_| verify(&source, &rotated))).await;
    assert!(second.iter().all(Result::is_ok));
    assert_eq!(shop.asked(), 2);

    // The retired key is taken for ten minutes, then not.
    clock.pass(599);
    assert!(verify(&source, &signed).await.is_ok());
    clock.pass(2);
    assert!(refused(&verify(&source, &signed).await));
    assert_eq!(shop.asked(), 3);
}

#[tokio::test]
async fn bad_signatures_fetch_nothing_and_unknown_kids_little() {
    let (shop, clock) = (Arc::new(Shop::default()), Watch::start());
    let (good, forger) = (Signer::new("good"), Signer::new("good"));
    shop.publishes(Some(good.jwks()));
    let source = source(&shop, &clock);
    assert!(verify(&source, &good.sign(b"{}")).await.is_ok());
    for _ in 0..100 {
        assert!(refused(&verify(&source, &forger.sign(b"{}")).await));
    }
    assert_eq!(shop.asked(), 1);
    clock.pass(10);
    for at in 0..100 {
        let stranger = forger.sign_as(
            &format!(r#"{{"alg":"RS256","b64":false,"crit":["b64"],"kid":"stranger-{at}"}}"#),
            b"{}",
        );
        let answer = verify(&source, &stranger).await;
        // The first one was shown to be unknown. Of the others nothing is proven within these ten seconds.
        assert!(if at == 0 { refused(&answer) } else { later(&answer) }, "{at}: {answer:?}");
        assert!(verify(&source, &good.sign(b"{}")).await.is_ok(), "known keys go on meanwhile");
    }
    assert_eq!(shop.asked(), 2);
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_not_a_bad_signature() {
    let (shop, clock) = (Arc::new(Shop::default()), Watch::start());
    let signer = Signer::new("k");
    let source = source(&shop, &clock);
    let header = signer.sign(b"{}");
    let down = join_all((0..20).map(|_| verify(&source, &header))).await;
    assert!(down.iter().all(later), "{down:?}");
    assert_eq!(shop.asked(), 1);
    shop.publishes(Some(signer.jwks()));
    match verify(&source, &header).await {
        Err(Error::JwksUnavailable { retry_after, .. }) => assert_eq!(retry_after, Duration::from_secs(10)),
        other => panic!("{other:?}"),
    }
    clock.pass(10);
    assert!(verify(&source, &header).await.is_ok());
    assert_eq!(shop.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_goes_away_during_the_fetch_blocks_nobody() {
    let (shop, clock) = (Arc::new(Shop::default()), Watch::start());
    let signer = Signer::new("k");
    shop.publishes(Some(signer.jwks()));
    let source = source(&shop, &clock);
    let header = signer.sign(b"{}");
    {
        let mut going = Box::pin(verify(&source, &header));
        assert!(futures::poll!(&mut going).is_pending());
    }
    assert!(later(&verify(&source, &header).await));
    clock.pass(10);
    assert!(verify(&source, &header).await.is_ok());
}

#[tokio::test]
async fn pinned_keys_are_never_fetched() {
    let signer = Signer::new("k");
    let source = Source::pinned(KeySet::parse(signer.jwks().as_bytes()).unwrap(), Watch::start());
    assert!(verify(&source, &signer.sign(b"{}")).await.is_ok());
    assert!(refused(&verify(&source, &Signer::new("x").sign(b"{}")).await));
}

/// Serves one canned answer to one GET and says which path was asked for.
async fn answer_once(answer: String) -> (Url, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}/graphql/", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the test's own server, joined at the test's end")]
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut chunk = [0; 1024];
            let read = socket.read(&mut chunk).await.unwrap();
            assert!(read > 0);
            head.extend_from_slice(&chunk[..read]);
        }
        // The client may hang up before it has read all of an answer that is too large.
        let _ = socket.write_all(answer.as_bytes()).await;
        String::from_utf8(head).unwrap().lines().next().unwrap().to_owned()
    });
    (ApiUrl::parse(&api).unwrap().jwks().clone(), server)
}

fn http(status: &str, extra: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{extra}\r\n{body}", body.len())
}

#[tokio::test]
async fn the_key_set_is_fetched_from_the_well_known_path_only() {
    let signer = Signer::new("k");
    let (url, server) = answer_once(http("200 OK", "", &signer.jwks())).await;
    let keys = Http::new().unwrap().fetch(&url).await.unwrap();
    assert!(keys.get("k").is_some());
    assert_eq!(server.await.unwrap(), "GET /.well-known/jwks.json HTTP/1.1");
}

#[tokio::test]
async fn answers_that_are_no_key_set_are_failures() {
    let large = " ".repeat(100_000);
    for (answer, why) in [
        (http("302 Found", "Location: http://127.0.0.1:1/\r\n", ""), "the answer is not 200"),
        (http("404 Not Found", "", "{\"keys\":[]}"), "the answer is not 200"),
        (http("200 OK", "", "<html>"), "the answer is not a key set"),
        (http("200 OK", "", &large), "the answer is too large"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_owned(), "the answer broke off"),
        ("nonsense\r\n\r\n".to_owned(), "no answer"),
    ] {
        let (url, server) = answer_once(answer).await;
        assert_eq!(Http::new().unwrap().fetch(&url).await.unwrap_err().why, why);
        server.await.unwrap();
    }
    let closed = Url::parse("http://127.0.0.1:1/.well-known/jwks.json").unwrap();
    let failed = Http::new().unwrap().fetch(&closed).await.unwrap_err();
    assert_eq!(failed.why, "no answer");
}
