//! The local issuer: access tokens as JWTs, signed with EdDSA, and the key set by which others verify them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use souk_kit::keyring::{Keyring, Purpose};
use souk_types::{SessionId, Time, UserId};

use crate::error::Error;

/// Who says so.
const ISSUER: &str = "souk";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

struct Key {
    kid: String,
    public: Vec<u8>,
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// Signs with the newest key, verifies with every key of the ring.
pub(crate) struct Issuer {
    keys: Vec<Key>,
}

impl Issuer {
    pub(crate) fn new(keyring: &Keyring) -> Result<Self, Error> {
        let keys = keyring.secrets(Purpose::Session).iter().map(Key::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys })
    }

    /// An access token of a session.
    pub(crate) fn sign(
        &self,
        user: UserId,
        session: SessionId,
        now: Time,
        expire: Time,
    ) -> Result<String, Error> {
        let key = self.keys.first().ok_or_else(|| Error::Key("there is none".to_owned()))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: user.to_string(),
            sid: session.to_string(),
            iat: now.seconds(),
            exp: expire.seconds(),
        };
        jsonwebtoken::encode(&header, &claims, &key.signs).map_err(|error| Error::Key(error.to_string()))
    }

    /// The session that a token names, once its signature and its time are good.
    pub(crate) fn verify(&self, token: &str, now: Time) -> Result<SessionId, Error> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::CredentialInvalid)?;
        let kid = header.kid.ok_or(Error::CredentialInvalid)?;
        let key = self.keys.iter().find(|key| key.kid == kid).ok_or(Error::CredentialInvalid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[ISSUER]);
        rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // The library asks the machine for the time; ours is injected and checked below.
        rules.validate_exp = false;
        let token = jsonwebtoken::decode::<Claims>(token, &key.verifies, &rules)
            .map_err(|_| Error::CredentialInvalid)?;
        if token.claims.exp <= now.seconds() {
            return Err(Error::CredentialExpired);
        }
        token.claims.sid.parse().map_err(|_| Error::CredentialInvalid)
    }

    /// The public keys, as a JSON Web Key Set.
    pub(crate) fn key_set(&self) -> serde_json::Value {
        let keys = self.keys.iter().map(|key| {
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.kid, "x": URL_SAFE_NO_PAD.encode(&key.public),
            })
        });
        serde_json::json!({"keys": keys.collect::<Vec<_>>()})
    }
}

impl Key {
    fn new(seed: &[u8; 32]) -> Result<Self, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Key(error.to_string());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|error| unusable(&error))?;
        let public = pair.public_key().as_ref().to_vec();
        let pkcs8 = pair.to_pkcs8v1().map_err(|error| unusable(&error))?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &public);
        let kid = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..9).unwrap_or_default());
        let (signs, verifies) = (EncodingKey::from_ed_der(pkcs8.as_ref()), DecodingKey::from_ed_der(&public));
        Ok(Self { kid, public, signs, verifies })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use souk_kit::clock::MachineRandom;

    use super::*;

    #[test]
    fn a_token_is_good_until_it_ends_and_for_its_own_issuer() {
        let random = MachineRandom::default();
        let issuer = Issuer::new(&Keyring::generate(&random)).unwrap();
        let other = Issuer::new(&Keyring::generate(&random)).unwrap();
        let (now, session) = (Time::from_micros(5_000_000_000), SessionId::from_bits(4));
        let token = issuer.sign(UserId::from_bits(3), session, now, now + Duration::from_secs(60)).unwrap();
        assert_eq!(issuer.verify(&token, now).unwrap(), session);
        assert!(matches!(
            issuer.verify(&token, now + Duration::from_secs(60)),
            Err(Error::CredentialExpired)
        ));
        assert!(matches!(other.verify(&token, now), Err(Error::CredentialInvalid)));
        for bad in ["", "a.b.c", &token.replace('.', ""), &format!("{token}x")] {
            assert!(matches!(issuer.verify(bad, now), Err(Error::CredentialInvalid)), "{bad}");
        }
    }

    #[test]
    fn the_algorithm_is_ours_not_the_tokens() {
        let issuer = Issuer::new(&Keyring::generate(&MachineRandom::default())).unwrap();
        let kid = &issuer.keys[0].kid;
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","kid":"{kid}"}}"#));
        let claims = URL_SAFE_NO_PAD
            .encode(r#"{"iss":"souk","aud":"souk","sub":"x","sid":"x","iat":0,"exp":9999999999}"#);
        assert!(issuer.verify(&format!("{header}.{claims}."), Time::default()).is_err());
        let hmac = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        let claims = serde_json::json!({"iss": "souk", "aud": "souk", "sub": "x", "sid": "x", "exp": 9_999_999_999_i64});
        let key = EncodingKey::from_secret(&issuer.keys[0].public);
        let forged = jsonwebtoken::encode(&hmac, &claims, &key).unwrap();
        assert!(issuer.verify(&forged, Time::default()).is_err());
    }
}
