//! Rule S5: URLs that carry a secret.

use super::names;

/// What is wrong with a text that is one whole URL; `None` when nothing is, or when it is no URL.
pub(super) fn secret(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.chars().any(char::is_whitespace) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let mut letters = scheme.chars();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '.' | '-'));
    if !is_scheme {
        return None;
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    if let Some((user, _)) = authority.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
        && !names::is_reference(password)
    {
        return Some("a URL with a password");
    }
    [query, fragment].into_iter().any(has_secret).then_some("a URL with a secret in its query")
}

fn has_secret(pairs: &str) -> bool {
    pairs
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| names::is_secret(&decoded(name)) && !names::is_reference(&decoded(value)))
}

/// Percent and plus decoding; a lone `%` stands for itself.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let coded = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let value = coded
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(value.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
