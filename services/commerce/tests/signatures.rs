//! Every recorded signature vector gets its verdict; a fresh key's signatures hold and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/signer.rs"]
mod signer;

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use signer::Signer;
use souk_commerce::outside::saleor::{
    body_digest,
    jwks::KeySet,
    signature::{Compat, Jws, Refusal, verify_hmac},
};
use souk_types::Secret;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn verify_jws(header: &str, keys: &KeySet, compat: Compat, body: &[u8]) -> Result<(), Refusal> {
    let jws = Jws::parse(header, compat)?;
    jws.verify(keys.get(jws.kid()).ok_or(Refusal::UnknownKey)?, body)
}

#[test]
fn every_vector_gets_its_verdict() {
    let document: Value = serde_json::from_slice(&fixture("vectors.json")).unwrap();
    let vectors = document["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 50);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str();
        let (id, header) = (text("id").unwrap(), text("signature").unwrap());
        let body = STANDARD.decode(text("body_b64").unwrap()).unwrap();
        assert_eq!(body_digest(&body), text("body_sha256").unwrap(), "{id}");
        let check = |compat| match text("scheme").unwrap() {
            "jws" => {
                let name = format!("jwks-{}.json", text("jwks").unwrap());
                verify_jws(header, &KeySet::parse(&fixture(&name)).unwrap(), compat, &body)
            }
            _ => verify_hmac(header, &Secret::new(text("secret").unwrap().to_owned()), &body),
        };
        let (strict, lenient) = (check(Compat::Strict), check(Compat::WithoutCrit));
        match text("expect").unwrap() {
            "ok" => assert_eq!((strict, lenient), (Ok(()), Ok(())), "{id}"),
            "unknown_kid" => assert_eq!(strict, Err(Refusal::UnknownKey), "{id}"),
            "ok_legacy_only" => {
                assert!(matches!(strict, Err(Refusal::Malformed(_))), "{id}: {strict:?}");
                assert_eq!(lenient, Ok(()), "{id}");
            }
            // Both policy cases, a missing kid and upper-case hex, are refused.
            "policy" => assert!(matches!(strict, Err(Refusal::Malformed(_))), "{id}: {strict:?}"),
            "invalid" => {
                assert!(!matches!(strict, Ok(()) | Err(Refusal::UnknownKey)), "{id}: {strict:?}");
                assert!(lenient.is_err(), "{id}");
            }
            other => panic!("{id}: unknown verdict {other}"),
        }
    }
}

#[test]
fn a_downgrade_is_called_by_its_name() {
    let hex = "4027eae0091b7e22564e684bcf146ec3d6695a33de4312baba8374013674aaaa";
    for header in [hex.to_owned(), hex.to_uppercase()] {
        let refusal = Jws::parse(&header, Compat::Strict).unwrap_err();
        assert_eq!(refusal, Refusal::Scheme { expected: "JWS" });
    }
    let signer = Signer::new("k");
    let secret = Secret::new("s".to_owned());
    assert_eq!(verify_hmac(&signer.sign(b"{}"), &secret, b"{}"), Err(Refusal::Scheme { expected: "HMAC" }));
    assert_eq!(Jws::parse("", Compat::Strict).unwrap_err(), Refusal::Missing);
    assert_eq!(verify_hmac("", &secret, b""), Err(Refusal::Missing));
}

#[test]
fn any_flipped_byte_of_the_body_is_seen() {
    let signer = Signer::new("fresh");
    let keys = KeySet::parse(signer.jwks().as_bytes()).unwrap();
    let body = br#"{"__typename": "OrderPaid", "n": 1.50}"#;
    let header = signer.sign(body);
    assert_eq!(verify_jws(&header, &keys, Compat::Strict, body), Ok(()));
    for at in 0..body.len() {
        let mut other = body.to_vec();
        other[at] ^= 1;
        assert_eq!(verify_jws(&header, &keys, Compat::Strict, &other), Err(Refusal::Mismatch), "byte {at}");
    }
    assert!(verify_jws(&header, &keys, Compat::Strict, &body[1..]).is_err());
}

#[test]
fn only_the_one_protected_header_is_taken() {
    let signer = Signer::new("fresh");
    let keys = KeySet::parse(signer.jwks().as_bytes()).unwrap();
    for header in [
        r#"{"alg":"RS256","alg":"none","b64":false,"crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"rs256","b64":false,"crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS384","b64":false,"crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS256","crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":true,"crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":"false","crit":["b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":false,"crit":[],"kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":false,"crit":["b64","b64"],"kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":false,"crit":"b64","kid":"fresh"}"#,
        r#"{"alg":"RS256","b64":false,"crit":["b64"],"kid":""}"#,
        r#"{"alg":"RS256","b64":false,"crit":["b64"],"kid":1}"#,
        r#"["RS256"]"#,
        "null",
        "",
    ] {
        let refusal = verify_jws(&signer.sign_as(header, b"{}"), &keys, Compat::Strict, b"{}").unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(_)), "{header}: {refusal:?}");
    }
    let embedded = format!(
        r#"{{"alg":"RS256","b64":false,"crit":["b64"],"kid":"other","jwk":{},"jku":"https://evil.example/"}}"#,
        signer.jwk()
    );
    let refusal = verify_jws(&signer.sign_as(&embedded, b"{}"), &keys, Compat::Strict, b"{}").unwrap_err();
    assert_eq!(refusal, Refusal::UnknownKey);
    let long = "a".repeat(100_000);
    assert!(matches!(Jws::parse(&long, Compat::Strict), Err(Refusal::Malformed(_))));
}
