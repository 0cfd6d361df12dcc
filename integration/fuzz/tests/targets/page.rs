//! Page tokens: only what was sealed for a list opens, and for that list alone.

use std::sync::Arc;

use proptest::prelude::*;
use souk_fuzz::{bend, drive, edits};
use souk_kit::{clock::MachineRandom, keyring::Keyring, page::Pages};
use souk_types::{Reason, page::Paged};

const WORDS: &[&str] = &["A", "_", "-", "=", "AAAA", "%", "\u{0}", "+/", "\n"];

#[test]
fn only_a_token_of_the_list_opens() {
    let random = MachineRandom::default();
    let pages = Arc::new(Pages::new(&Keyring::generate(&random), "billing"));
    let foreign = Pages::new(&Keyring::generate(&random), "billing");
    let inputs =
        (("[ -~]{0,40}", "[ -~]{0,40}"), any::<String>(), any::<i32>(), edits(WORDS, 4), any::<String>());
    drive("page tokens", inputs, move |((list, other), after, size, edits, wild)| {
        let sealed = |pages: &Pages| {
            let paged = Paged { items: vec![()], next: Some(after.clone()) };
            pages.seal(&list, paged).unwrap().1
        };
        let token = sealed(&pages);
        let first = pages.open(&list, 0, &token);
        prop_assert_eq!(first.unwrap().after, after.clone());
        let refused = |list: &str, token: &str| match pages.open(list, size, token) {
            Ok(_) => None,
            Err(fault) => Some(fault.reason),
        };
        let reason = if size < 0 { Reason::InvalidArgument } else { Reason::PageTokenInvalid };
        if other != list {
            prop_assert_eq!(refused(&other, &token), Some(reason), "of another list");
        }
        prop_assert_eq!(refused(&list, &sealed(&foreign)), Some(reason), "of another house");
        let bent = bend(token.as_bytes(), wild.as_bytes(), &edits);
        let bent = String::from_utf8_lossy(&bent);
        for text in [bent.as_ref(), &wild] {
            if text != token && !text.is_empty() {
                prop_assert_eq!(refused(&list, text), Some(reason), "{}", text);
            }
        }
        Ok(())
    });
}
