//! Texts sealed with a secret of the keyring and bound to a context: whoever lacks the keyring can neither
//! read nor bend them, nor use them elsewhere.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::keyring::{Keyring, Purpose};

/// Seals and opens texts of one purpose.
#[derive(Clone)]
pub struct Seal {
    keys: Vec<[u8; 32]>,
}

impl Seal {
    /// The seal of a purpose: the newest secret seals, every one opens.
    #[must_use]
    pub fn new(keyring: &Keyring, purpose: Purpose) -> Self {
        Self { keys: keyring.secrets(purpose) }
    }

    /// Seals a text for `context`; `None` when the key is unusable.
    #[must_use]
    pub fn seal(&self, context: &str, text: &str) -> Option<String> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.keys.first()?).ok()?;
        let mut text = text.as_bytes().to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut text).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&text);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what was sealed for `context`; `None` for everything else.
    #[must_use]
    pub fn open(&self, context: &str, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        self.keys.iter().find_map(|key| {
            let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
            let mut text = sealed.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let open = key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut text).ok()?;
            String::from_utf8(open.to_vec()).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineRandom;

    #[test]
    fn a_text_opens_for_its_context_and_purpose_alone() {
        let keyring = Keyring::generate(&MachineRandom::default());
        let (notice, page) = (Seal::new(&keyring, Purpose::Notice), Seal::new(&keyring, Purpose::Page));
        let sealed = notice.seal("inv_1", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(notice.seal("inv_1", "secret").unwrap(), sealed, "no two seals are alike");
        assert_eq!(notice.open("inv_1", &sealed).as_deref(), Some("secret"));
        assert_eq!(notice.open("inv_2", &sealed), None);
        assert_eq!(page.open("inv_1", &sealed), None);
        for bad in ["", "AAAA", "%%%", &sealed[..sealed.len() - 2]] {
            assert_eq!(notice.open("inv_1", bad), None, "{bad}");
        }
    }
}
