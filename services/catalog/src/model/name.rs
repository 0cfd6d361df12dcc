//! Names: slugs, names of capabilities and connectors, lines of text for people.

use serde::{Deserialize, Serialize};
use souk_types::Violation;

/// Longest slug.
const SLUG: usize = 60;
/// Longest name of a capability or connector.
const NAME: usize = 100;

/// A natural key: 1 to 60 of a-z, 0-9 and hyphen. Holds no underscore, so it is never an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Slug(String);

/// The text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 60 characters of a-z, 0-9 and hyphen")]
pub(crate) struct BadSlug;

impl Slug {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Slug {
    type Err = BadSlug;
    fn from_str(text: &str) -> Result<Self, BadSlug> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=SLUG).contains(&text.len()) && text.bytes().all(letter);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadSlug) }
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a capability or connector may be called, for people.
pub(crate) const NAME_RULE: &str =
    "must be words of a-z, 0-9, _ and hyphen joined by dots, each begun by a letter, 100 characters at most";

/// Whether a text names a capability or connector: `web_widget.branding`.
pub(crate) fn is_name(text: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    text.len() <= NAME
        && text.split('.').all(|word| {
            word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(letter)
        })
}

/// What is wrong with one line of text for people.
pub(crate) fn line(field: impl Into<String>, text: &str, most: usize) -> Option<Violation> {
    if text.chars().count() > most {
        return Some(Violation::new(field, format!("must have at most {most} characters")));
    }
    text.contains(char::is_control).then(|| Violation::new(field, "must not have control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_narrow() {
        for good in ["a", "0", "support-triage", "-", &"a".repeat(60)] {
            assert_eq!(good.parse::<Slug>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a b", "a_b", "ä", "a/b", "a\n", "off_1", &"a".repeat(61)] {
            assert_eq!(bad.parse::<Slug>(), Err(BadSlug), "{bad:?}");
        }
    }

    #[test]
    fn names_are_dotted_words() {
        for good in ["rag", "web_widget.branding", "google-drive", "a1.b2", &"a".repeat(100)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "1a", "A", "a b", "_a", "ä", &"a".repeat(101)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert!(line("f", "Träge € 😀", 9).is_none());
        for bad in ["a\nb", "a\0", "ten chars!", "\u{9b}"] {
            assert!(line("f", bad, 9).is_some(), "{bad:?}");
        }
    }
}
