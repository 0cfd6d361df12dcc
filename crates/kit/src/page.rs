//! Page tokens: sealed, bound to the list and its filter, so that nobody reads or bends them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use souk_types::{
    Fault, Reason, Violation,
    page::{DEFAULT_SIZE, MAX_SIZE, Page, Paged},
};

use crate::keyring::{Keyring, Purpose};

/// Seals and opens page tokens with the keyring's page key.
#[derive(Clone)]
pub struct Pages {
    keys: Vec<[u8; 32]>,
    domain: &'static str,
}

impl Pages {
    /// The page tokens of one part.
    #[must_use]
    pub fn new(keyring: &Keyring, domain: &'static str) -> Self {
        Self { keys: keyring.secrets(Purpose::Page), domain }
    }

    /// Opens what a request says of the wanted page. `list` names the list and its filter: a token of
    /// another list or filter does not open.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a negative size, `PAGE_TOKEN_INVALID` for a token not of this list.
    pub fn open(&self, list: &str, size: i32, token: &str) -> Result<Page, Fault> {
        let size = match u64::try_from(size) {
            Err(_) => {
                let violation = Violation::new("page_size", "must not be negative");
                return Err(Fault::invalid(self.domain, vec![violation]));
            }
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
        };
        let after = if token.is_empty() { Some(String::new()) } else { self.unseal(list, token) };
        let after = after.ok_or_else(|| {
            Fault::new(Reason::PageTokenInvalid, self.domain, "the page token is not one of this list")
        })?;
        Ok(Page { size, after })
    }

    /// Splits a page into its items and the token of the next page, empty at the end.
    ///
    /// # Errors
    /// An internal fault when sealing fails.
    pub fn seal<T>(&self, list: &str, paged: Paged<T>) -> Result<(Vec<T>, String), Fault> {
        let token = match paged.next {
            None => String::new(),
            Some(after) => {
                self.sealed(list, &after).ok_or_else(|| Fault::bug(self.domain, "page key unusable"))?
            }
        };
        Ok((paged.items, token))
    }

    fn sealed(&self, list: &str, after: &str) -> Option<String> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, self.keys.first()?).ok()?;
        let mut text = after.as_bytes().to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(list.as_bytes()), &mut text).ok()?;
        let mut token = nonce.as_ref().to_vec();
        token.extend_from_slice(&text);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    fn unseal(&self, list: &str, token: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        self.keys.iter().find_map(|key| {
            let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
            let mut text = sealed.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let open = key.open_in_place(nonce, Aad::from(list.as_bytes()), &mut text).ok()?;
            String::from_utf8(open.to_vec()).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineRandom;

    fn pages() -> Pages {
        Pages::new(&Keyring::generate(&MachineRandom::default()), "billing")
    }

    #[test]
    fn a_token_opens_for_its_own_list_only() {
        let pages = pages();
        let (_, token) =
            pages.seal("ledger:org_1", Paged { items: vec![1], next: Some("ent_9".into()) }).unwrap();
        assert_eq!(pages.open("ledger:org_1", 0, &token).unwrap(), Page { size: 50, after: "ent_9".into() });
        for (list, token) in
            [("ledger:org_2", token.as_str()), ("ledger:org_1", "AAAA"), ("ledger:org_1", "%%%")]
        {
            assert_eq!(pages.open(list, 0, token).unwrap_err().reason, Reason::PageTokenInvalid);
        }
    }

    #[test]
    fn sizes_have_bounds() {
        let pages = pages();
        assert_eq!(pages.open("l", 5000, "").unwrap().size, 1000);
        assert_eq!(pages.open("l", -1, "").unwrap_err().reason, Reason::InvalidArgument);
    }
}
