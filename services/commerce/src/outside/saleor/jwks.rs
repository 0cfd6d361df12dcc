//! The shop's keys: reading a key set, keeping it, fetching it.
//!
//! `cache` decides without I/O when a fetch is due, `fetch` does it, `source` joins the two for one shop.
//! Keys come from the shop's own origin or from a file the operator gave, never from what a delivery names.

pub mod cache;
pub mod fetch;
pub mod source;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::signature::MAX_KID;
use crate::Error;

/// The largest key set that is read, in bytes.
pub const MAX_DOCUMENT: usize = 64 * 1024;
/// The most keys of one set that are kept; Saleor publishes one.
const MAX_KEYS: usize = 32;

/// One key of a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// An RSA public key.
    Rsa {
        /// The modulus, big-endian, without leading zeros.
        n: Vec<u8>,
        /// The exponent, big-endian, without leading zeros.
        e: Vec<u8>,
    },
    /// One that RS256 cannot be checked with. Kept, so that a signature that names it is known to be bad
    /// and fetches nothing.
    Unfit,
}

/// The signing keys of a shop, by key id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, Key>);

#[derive(serde::Deserialize)]
struct Document {
    keys: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    #[serde(default)]
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a JWKS document. Keys that are not for signatures, or have no id, are left out.
    ///
    /// # Errors
    /// The document is not a key set.
    pub fn parse(document: &[u8]) -> Result<Self, Error> {
        let invalid = |why: String| Error::JwksInvalid { why };
        if document.len() > MAX_DOCUMENT {
            return Err(invalid(format!("it is larger than {MAX_DOCUMENT} bytes")));
        }
        let Document { keys } = serde_json::from_slice(document)
            .map_err(|error| invalid(format!("it is not a JWKS document: {error}")))?;
        if keys.len() > MAX_KEYS {
            return Err(invalid(format!("it holds more than {MAX_KEYS} keys")));
        }
        let mut set = BTreeMap::new();
        for entry in keys {
            if entry.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
                continue;
            }
            let Some(kid) = entry.kid.clone().filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID) else {
                continue;
            };
            // The first of two keys with one id: a second one must not take its place.
            set.entry(kid).or_insert_with(|| entry.key());
        }
        Ok(Self(set))
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn into_keys(self) -> impl Iterator<Item = (String, Key)> {
        self.0.into_iter()
    }
}

impl Entry {
    fn key(&self) -> Key {
        let fits = self.kty == "RSA" && self.alg.as_deref().is_none_or(|alg| alg == "RS256");
        match (fits, number(self.n.as_deref()), number(self.e.as_deref())) {
            (true, Some(n), Some(e)) => Key::Rsa { n, e },
            _ => Key::Unfit,
        }
    }
}

fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_for_signatures_is_left_out_and_what_does_not_fit_is_known() {
        let set = KeySet::parse(
            br#"{"keys":[
                {"kty":"RSA","use":"enc","kid":"enc","n":"AQAB","e":"AQAB"},
                {"kty":"RSA","n":"AQAB","e":"AQAB"},
                {"kty":"RSA","kid":"","n":"AQAB","e":"AQAB"},
                {"kty":"EC","kid":"ec","use":"sig","n":"AQAB","e":"AQAB"},
                {"kty":"RSA","kid":"ps","alg":"PS256","n":"AQAB","e":"AQAB"},
                {"kty":"RSA","kid":"zero","n":"AAAA","e":"AQAB"},
                {"kty":"RSA","kid":"padded","n":"AQAB====","e":"AQAB"},
                {"kty":"RSA","kid":"good","n":"AAEAAQ","e":"AQAB"},
                {"kty":"RSA","kid":"good","n":"_____w","e":"AQAB"}
            ]}"#,
        )
        .unwrap();
        assert_eq!(set.len(), 5);
        for unfit in ["ec", "ps", "zero", "padded"] {
            assert_eq!(set.get(unfit), Some(&Key::Unfit), "{unfit}");
        }
        assert_eq!(set.get("good"), Some(&Key::Rsa { n: vec![1, 0, 1], e: vec![1, 0, 1] }));
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        let large = vec![b' '; MAX_DOCUMENT + 1];
        let many = format!("{{\"keys\":[{}]}}", vec!["{\"kty\":\"RSA\"}"; MAX_KEYS + 1].join(","));
        for document in
            [&b""[..], b"[]", b"{}", b"{\"keys\":{}}", b"<html>", b"{\"keys\":[1]}", many.as_bytes(), &large]
        {
            assert!(matches!(KeySet::parse(document), Err(Error::JwksInvalid { .. })));
        }
    }
}
