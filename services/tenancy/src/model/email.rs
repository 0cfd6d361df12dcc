//! Addresses that people sign in with, in the one form that tells whether two are the same person.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// The longest address that mail can carry.
const LONGEST: usize = 254;
/// The longest part before the `@`.
const LOCAL: usize = 64;

/// A text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as ann@example.org, in ASCII, at most {LONGEST} characters")]
pub(crate) struct BadEmail;

/// An address: trimmed and lower-case, so that one person has one row however they spell it.
///
/// Other alphabets are refused: letters that look alike would make two people of one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Email(String);

impl Email {
    /// The normalised text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`: what a person is called until they say otherwise.
    #[must_use]
    pub(crate) fn local(&self) -> &str {
        self.0.split_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl FromStr for Email {
    type Err = BadEmail;

    fn from_str(text: &str) -> Result<Self, BadEmail> {
        let text = text.trim_matches(' ').to_ascii_lowercase();
        let (local, domain) = text.split_once('@').ok_or(BadEmail)?;
        let plain = |text: &str, also: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
        };
        let dots = |text: &str| !text.starts_with('.') && !text.ends_with('.') && !text.contains("..");
        let fits = text.len() <= LONGEST
            && local.len() <= LOCAL
            && plain(local, b".!#$%&'*+-/=?^_`{|}~")
            && plain(domain, b".-")
            && dots(local)
            && dots(domain);
        if fits { Ok(Self(text)) } else { Err(BadEmail) }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_has_one_spelling() {
        for text in ["Ann@Example.ORG", " ann@example.org "] {
            assert_eq!(text.parse::<Email>().unwrap().as_str(), "ann@example.org");
        }
        assert_eq!("operator@localhost".parse::<Email>().unwrap().local(), "operator");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a\n@b",
            "a@b\r\nc",
            "ä@b",
            "a@bücher.de",
            ".a@b",
            "a..b@c",
            "a@.b",
            "a@b.",
            "<a@b>",
            "a@b,c@d",
            "a@b\0",
            &long,
        ] {
            assert_eq!(bad.parse::<Email>(), Err(BadEmail), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_total_and_stable(text in ".{0,300}") {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert_eq!(email.as_str().parse::<Email>(), Ok(email.clone()));
                prop_assert!(!email.local().is_empty());
            }
        }
    }
}
