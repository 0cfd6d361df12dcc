//! A shop's signing key: made fresh, signs as Saleor does (RS256, detached, `b64=false`), and publishes
//! itself as a JWKS document. Shared by test targets with `#[path]`.

use aws_lc_rs::{rand::SystemRandom, rsa, signature};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A fresh RSA key with its key id.
pub(crate) struct Signer {
    pair: rsa::KeyPair,
    /// The key id that its signatures name.
    pub(crate) kid: String,
}

impl Signer {
    /// Makes a key.
    pub(crate) fn new(kid: &str) -> Self {
        Self { pair: rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap(), kid: kid.to_owned() }
    }

    /// The value of the `Saleor-Signature` header for `body`.
    pub(crate) fn sign(&self, body: &[u8]) -> String {
        let header =
            format!(r#"{{"alg":"RS256","b64":false,"crit":["b64"],"kid":"{}","typ":"JWT"}}"#, self.kid);
        self.sign_as(&header, body)
    }

    /// A signature under a protected header of one's own.
    pub(crate) fn sign_as(&self, protected: &str, body: &[u8]) -> String {
        let protected = URL_SAFE_NO_PAD.encode(protected);
        let signed = [protected.as_bytes(), b".", body].concat();
        let mut raw = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), &signed, &mut raw).unwrap();
        format!("{protected}..{}", URL_SAFE_NO_PAD.encode(raw))
    }

    /// The key as an entry of a JWKS document.
    pub(crate) fn jwk(&self) -> String {
        let der = signature::KeyPair::public_key(&self.pair).as_ref();
        let body = integers(der);
        let [n, e] = &body[..] else { panic!("an RSA public key is two integers") };
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        let kid = &self.kid;
        format!(
            r#"{{"kty":"RSA","key_ops":["verify"],"n":"{n}","e":"{e}","use":"sig","kid":"{kid}","alg":"RS256"}}"#
        )
    }

    /// A JWKS document with just this key.
    pub(crate) fn jwks(&self) -> String {
        format!(r#"{{"keys":[{}]}}"#, self.jwk())
    }
}

/// The integers of a DER `SEQUENCE` of integers.
fn integers(der: &[u8]) -> Vec<&[u8]> {
    let (_, mut rest) = element(der, 0x30);
    let inner = element(der, 0x30).0;
    assert!(rest.is_empty());
    rest = inner;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (integer, after) = element(rest, 0x02);
        found.push(integer.strip_prefix(&[0]).unwrap_or(integer));
        rest = after;
    }
    found
}

/// The content of one DER element and what follows it.
fn element(der: &[u8], tag: u8) -> (&[u8], &[u8]) {
    assert_eq!(der[0], tag);
    let (length, start) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let digits = usize::from(long & 0x7f);
            (der[2..2 + digits].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + digits)
        }
    };
    der[start..].split_at(length)
}
