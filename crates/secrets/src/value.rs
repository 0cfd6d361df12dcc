//! A secret value: shows stars, and is wiped from memory when dropped.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// The longest value, in bytes.
const BYTES: usize = 64 * 1024;

/// A text that must not be printed. It has no `Serialize` and no `Display` of its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Zeroizing<String>);

/// Why a text cannot be a secret's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// It is empty.
    #[error("a secret must not be empty")]
    Empty,
    /// It is too long.
    #[error("a secret must have at most {BYTES} bytes")]
    TooLong,
}

impl Value {
    /// Takes a text; its memory is wiped with the value.
    ///
    /// # Errors
    /// When it is empty or longer than 64 KiB.
    pub fn new(text: String) -> Result<Self, BadValue> {
        let text = Zeroizing::new(text);
        match text.len() {
            0 => Err(BadValue::Empty),
            length if length > BYTES => Err(BadValue::TooLong),
            _ => Ok(Self(text)),
        }
    }

    /// Shows the secret to the one place that needs it. Named so that a review finds it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A mark of the value, lower-case hex: equal for equal values under one `pepper`, and of no use to
    /// whoever has the mark and guesses without it (HMAC-SHA256).
    #[must_use]
    pub fn mark(&self, pepper: &Self) -> String {
        let signer = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes());
        hex::encode(hmac::sign(&signer, self.expose().as_bytes()))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_shows_stars_and_has_bounds() {
        let value = Value::new("canary".into()).unwrap();
        assert_eq!((format!("{value:?}"), value.expose()), ("***".into(), "canary"));
        assert_eq!(Value::new(String::new()), Err(BadValue::Empty));
        assert!(Value::new("x".repeat(BYTES)).is_ok());
        assert_eq!(Value::new("x".repeat(BYTES + 1)), Err(BadValue::TooLong));
    }
}
