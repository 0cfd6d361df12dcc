//! Page tokens: sealed, bound to the list and its filter, so that nobody reads or bends them.

use souk_types::{
    Fault, Reason, Violation,
    page::{DEFAULT_SIZE, MAX_SIZE, Page, Paged},
};

use crate::{
    keyring::{Keyring, Purpose},
    seal::Seal,
};

/// Seals and opens page tokens with the keyring's page key.
#[derive(Clone)]
pub struct Pages {
    seal: Seal,
    domain: &'static str,
}

impl Pages {
    /// The page tokens of one part.
    #[must_use]
    pub fn new(keyring: &Keyring, domain: &'static str) -> Self {
        Self { seal: Seal::new(keyring, Purpose::Page), domain }
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
        let after = if token.is_empty() { Some(String::new()) } else { self.seal.open(list, token) };
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
                self.seal.seal(list, &after).ok_or_else(|| Fault::bug(self.domain, "page key unusable"))?
            }
        };
        Ok((paged.items, token))
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
