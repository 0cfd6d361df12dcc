//! Names: what people read (`DisplayName`) and what commands say (`Slug`).

use std::{fmt, str::FromStr};

use serde::Serialize;

/// The longest display name, in characters.
const NAME: usize = 100;
/// The longest slug.
const SLUG: usize = 40;
/// The slug of the project that every org is born with.
const DEFAULT: &str = "default";

/// A text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {NAME} characters without control characters")]
pub(crate) struct BadName;

/// Text for people, trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct DisplayName(String);

impl DisplayName {
    /// The text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let text = text.trim();
        let fits = (1..=NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }
}

/// A text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {SLUG} of a-z, 0-9 and hyphen, and begin and end with a letter or digit")]
pub(crate) struct BadSlug;

/// A natural key within an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Slug(String);

impl Slug {
    /// The slug of the project that every org is born with.
    #[must_use]
    pub(crate) fn default_project() -> Self {
        Self(DEFAULT.to_owned())
    }

    /// The text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = BadSlug;

    fn from_str(text: &str) -> Result<Self, BadSlug> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !text.starts_with('-') && !text.ends_with('-');
        if (1..=SLUG).contains(&text.len()) && plain && ends {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSlug)
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded_in_characters() {
        assert_eq!("  Änne & Söhne ".parse::<DisplayName>().unwrap().as_str(), "Änne & Söhne");
        assert!("ä".repeat(100).parse::<DisplayName>().is_ok());
        for bad in ["", "   ", "a\nb", "a\u{0}", &"a".repeat(101)] {
            assert_eq!(bad.parse::<DisplayName>(), Err(BadName), "{bad:?}");
        }
    }

    #[test]
    fn slugs_are_plain() {
        for good in ["a", "0", "a-b", "default", &"a".repeat(40)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "ä", "a b", "a_b", "a/b", "..", &"a".repeat(41)] {
            assert_eq!(bad.parse::<Slug>(), Err(BadSlug), "{bad:?}");
        }
        assert!(DEFAULT.parse::<Slug>().is_ok());
    }
}
