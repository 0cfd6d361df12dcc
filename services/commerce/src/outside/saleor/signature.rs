//! Whether the shop signed exactly these bytes.
//!
//! JWS (RFC 7515) with RS256, detached and unencoded (RFC 7797): the header value is
//! `<protected>..<signature>`, signed is `<protected>.` and the raw body. Nothing in the protected header
//! brings a key: `jwk`, `jku` and `x5u` are not even looked at. HMAC is here for shops that are
//! registered for it; a shop registered for JWS never gets to it.

use aws_lc_rs::{hmac, signature};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use souk_types::Secret;

use super::jwks::Key;
use crate::Error;

/// The longest signature header that is looked at, in bytes.
const MAX_HEADER: usize = 8 * 1024;
/// The longest key id that is looked at, in bytes.
pub const MAX_KID: usize = 256;

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is none.
    Missing,
    /// It is of the other scheme than the shop's: a downgrade.
    Scheme {
        /// The shop's scheme.
        expected: &'static str,
    },
    /// It is not a signature of the form that Saleor makes.
    Malformed(&'static str),
    /// The key it names is not one of the shop's. The one refusal that fresh keys may mend.
    UnknownKey,
    /// It does not fit the bytes.
    Mismatch,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::SignatureMissing,
            Refusal::Scheme { expected } => Self::SignatureScheme { expected },
            Refusal::Malformed(why) => Self::SignatureInvalid { why },
            Refusal::UnknownKey => Self::SignatureInvalid { why: "the shop has no such key" },
            Refusal::Mismatch => Self::SignatureInvalid { why: "it does not fit the body" },
        }
    }
}

/// Which protected headers are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Only what the standard asks for: `crit` names `b64`.
    #[default]
    Strict,
    /// Saleor 3.5 to 3.18 too, which sent no `crit`.
    WithoutCrit,
}

#[derive(serde::Deserialize)]
struct Protected {
    alg: String,
    b64: Option<bool>,
    crit: Option<Vec<String>>,
    kid: Option<String>,
}

/// A signature header that has the right form. Nothing is proven yet.
#[derive(Debug)]
pub struct Jws<'a> {
    protected: &'a str,
    kid: String,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a signature header apart.
    ///
    /// # Errors
    /// Anything but a detached, unencoded RS256 signature that names its key.
    pub fn parse(header: &'a str, compat: Compat) -> Result<Self, Refusal> {
        if header.is_empty() {
            return Err(Refusal::Missing);
        }
        if header.len() > MAX_HEADER {
            return Err(Refusal::Malformed("it is too long"));
        }
        if looks_like_hmac(header) {
            return Err(Refusal::Scheme { expected: "JWS" });
        }
        let mut parts = header.split('.');
        let (Some(protected), Some(""), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed("it is not a detached JWS"));
        };
        let decode =
            |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed("it is not base64url"));
        let kid = check(&decode(protected)?, compat)?;
        Ok(Self { protected, kid, signature: decode(signature)? })
    }

    /// The id of the key that it says it was made with.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks it over the raw bytes.
    ///
    /// # Errors
    /// The key is of the wrong kind, or the signature does not fit.
    pub fn verify(&self, key: &Key, body: &[u8]) -> Result<(), Refusal> {
        let Key::Rsa { n, e } = key else {
            return Err(Refusal::Malformed("the key it names is not an RSA key"));
        };
        let mut signed = Vec::with_capacity(self.protected.len() + 1 + body.len());
        signed.extend_from_slice(self.protected.as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(body);
        signature::RsaPublicKeyComponents { n, e }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, &signed, &self.signature)
            .map_err(|_| Refusal::Mismatch)
    }
}

fn check(protected: &[u8], compat: Compat) -> Result<String, Refusal> {
    let header: Protected = serde_json::from_slice(protected)
        .map_err(|_| Refusal::Malformed("its header is not one that Saleor makes"))?;
    if header.alg != "RS256" {
        return Err(Refusal::Malformed("its algorithm is not RS256"));
    }
    if header.b64 != Some(false) {
        return Err(Refusal::Malformed("its payload is not unencoded"));
    }
    match (header.crit, compat) {
        (None, Compat::WithoutCrit) => {}
        (Some(crit), _) if crit == ["b64"] => {}
        _ => return Err(Refusal::Malformed("its critical headers are not exactly b64")),
    }
    match header.kid {
        Some(kid) if !kid.is_empty() && kid.len() <= MAX_KID => Ok(kid),
        _ => Err(Refusal::Malformed("it does not name its key")),
    }
}

fn looks_like_hmac(header: &str) -> bool {
    header.len() == 64 && header.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks an HMAC-SHA256 signature, 64 lower-case hex digits, over the raw bytes. Only for shops that are
/// registered with a secret.
///
/// # Errors
/// Anything else, upper-case hex too, or a signature that does not fit.
pub fn verify_hmac(header: &str, secret: &Secret<String>, body: &[u8]) -> Result<(), Refusal> {
    if header.is_empty() {
        return Err(Refusal::Missing);
    }
    if header.contains('.') {
        return Err(Refusal::Scheme { expected: "HMAC" });
    }
    if header.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Refusal::Malformed("it is not lower-case hex"));
    }
    let mut tag = [0_u8; 32];
    hex::decode_to_slice(header, &mut tag).map_err(|_| Refusal::Malformed("it is not 64 hex digits"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, body, &tag).map_err(|_| Refusal::Mismatch)
}
