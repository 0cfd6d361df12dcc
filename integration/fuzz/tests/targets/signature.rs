//! A shop's signatures: nothing is taken that the shop did not sign, however header, body or keys are bent.

use std::sync::Arc;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use souk_commerce::outside::saleor::{
    jwks::KeySet,
    signature::{Compat, Jws, verify_hmac},
};
use souk_fuzz::{Edit, bend, drive, edits};
use souk_types::Secret;

use crate::{recorded, signer::Signer};

const WORDS: &[&str] = &[
    ".",
    "..",
    "=",
    "e30",
    "none",
    "\"alg\":",
    "\"alg\":\"RS256\"",
    "\"alg\":\"HS256\"",
    "\"b64\":false",
    "\"b64\":true",
    "\"crit\":[\"b64\"]",
    "\"crit\":[]",
    "\"kid\":",
    "\"jwk\":{}",
    "{",
    "}",
    "[",
    "\"",
    ",",
    "\\u0000",
    "1e999",
    "AQAB",
    "\u{0}",
    "null",
];

/// A recorded delivery: its signature header, its body, the name of its shop's key set.
struct Recorded {
    header: String,
    body: Vec<u8>,
    keys: String,
    secret: Option<Secret<String>>,
    good: bool,
}

fn vectors() -> Vec<Recorded> {
    let document = recorded("commerce/tests/fixtures/vectors/vectors.json");
    let document: Value = serde_json::from_slice(&document).unwrap();
    let read = |vector: &Value| {
        let text = |name: &str| vector[name].as_str().map(str::to_owned);
        Recorded {
            header: text("signature").unwrap(),
            body: STANDARD.decode(text("body_b64").unwrap()).unwrap(),
            keys: text("jwks").unwrap_or_else(|| "a".to_owned()),
            secret: text("secret").map(Secret::new),
            good: text("expect").unwrap().starts_with("ok"),
        }
    };
    document["vectors"].as_array().unwrap().iter().map(read).collect()
}

fn key_set(name: &str) -> Vec<u8> {
    recorded(&format!("commerce/tests/fixtures/vectors/jwks-{name}.json"))
}

fn taken(header: &str, body: &[u8], keys: &KeySet) -> bool {
    [Compat::Strict, Compat::WithoutCrit].into_iter().any(|compat| {
        let Ok(jws) = Jws::parse(header, compat) else { return false };
        keys.get(jws.kid()).is_some_and(|key| jws.verify(key, body).is_ok())
    })
}

/// Bends the protected header beneath its base64.
fn bend_protected(header: &str, other: &str, edits: &[Edit]) -> Option<Vec<u8>> {
    let protected = |header: &str| URL_SAFE_NO_PAD.decode(header.split('.').next().unwrap_or_default()).ok();
    Some(bend(&protected(header)?, &protected(other).unwrap_or_default(), edits))
}

fn bends() -> impl Strategy<Value = (Index, Index, Vec<Edit>, Vec<Edit>)> + Send {
    (any::<Index>(), any::<Index>(), edits(WORDS, 4), edits(WORDS, 3))
}

#[test]
fn only_what_the_shop_signed_is_taken() {
    let vectors = Arc::new(vectors());
    let attacker = Signer::new("attacker");
    let sets = ["a", "b", "ab", "a-ec", "a-use-enc", "empty"];
    let sets: Vec<(&str, KeySet)> =
        sets.into_iter().map(|name| (name, KeySet::parse(&key_set(name)).unwrap())).collect();
    for vector in vectors.iter().filter(|vector| vector.good && vector.secret.is_none()) {
        let (_, keys) = sets.iter().find(|(name, _)| *name == vector.keys).unwrap();
        assert!(
            taken(&vector.header, &vector.body, keys),
            "the recorded delivery is good: {}",
            vector.header
        );
    }
    let own = KeySet::parse(attacker.jwks().as_bytes()).unwrap();
    assert!(taken(&attacker.sign(b"{}"), b"{}", &own), "the attacker can sign, for themselves");
    drive("signatures", bends(), move |(one, two, of_header, of_body)| {
        let (first, second) = (one.get(&vectors[..]), two.get(&vectors[..]));
        let genuine = |header: &str, body: &[u8]| {
            vectors.iter().any(|known| known.good && known.header == header && known.body == body)
        };
        let header = bend(first.header.as_bytes(), second.header.as_bytes(), &of_header);
        let header = String::from_utf8_lossy(&header);
        let body = bend(&first.body, &second.body, &of_body);
        for (_, keys) in &sets {
            prop_assert!(!taken(&header, &body, keys) || genuine(&header, &body), "{}", header);
        }
        if let Some(protected) = bend_protected(&first.header, &second.header, &of_header) {
            let signature = first.header.rsplit('.').next().unwrap_or_default();
            let moved = format!("{}..{signature}", URL_SAFE_NO_PAD.encode(&protected));
            // The attacker signs it anew, whatever key it names.
            let protected = String::from_utf8_lossy(&protected);
            let forged = attacker.sign_as(&protected, &body);
            for (_, keys) in &sets {
                prop_assert!(!taken(&moved, &body, keys) || genuine(&moved, &body), "{}", moved);
                prop_assert!(!taken(&forged, &body, keys), "{}", forged);
            }
        }
        if let Some(secret) = &first.secret {
            let good = verify_hmac(&header, secret, &body).is_ok();
            prop_assert!(!good || genuine(&header, &body), "{}", header);
        }
        Ok(())
    });
}

#[test]
fn no_key_set_hurts() {
    let names = ["a", "b", "ab", "a-ec", "a-use-enc", "empty"];
    let documents: Vec<Vec<u8>> = names.into_iter().map(key_set).collect();
    let vectors = vectors();
    drive("key sets", bends(), move |(one, two, of_keys, of_number)| {
        let (first, second) = (one.get(&documents[..]), two.get(&documents[..]));
        let mut bent = vec![bend(first, second, &of_keys)];
        // A key whose numbers are anything: it may fit nothing and must harm nobody.
        if let Ok(mut document) = serde_json::from_slice::<Value>(first)
            && let Some(n) = document["keys"][0]["n"].as_str()
        {
            let number = bend(&URL_SAFE_NO_PAD.decode(n).unwrap_or_default(), second, &of_number);
            document["keys"][0]["n"] = URL_SAFE_NO_PAD.encode(&number).into();
            document["keys"][0]["e"] = URL_SAFE_NO_PAD.encode(bend(&[1, 0, 1], &number, &of_keys)).into();
            bent.push(serde_json::to_vec(&document).unwrap());
        }
        for document in bent {
            let Ok(keys) = KeySet::parse(&document) else { continue };
            prop_assert!(keys.len() <= 32);
            for vector in &vectors {
                taken(&vector.header, &vector.body, &keys);
            }
        }
        Ok(())
    });
}
