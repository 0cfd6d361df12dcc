//! Which names mean a secret, and which values are only references to one.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::pattern::constant;

const PARTS: [&str; 7] = ["password", "passwd", "pwd", "passphrase", "secret", "credential", "credentials"];

const WHOLE: [&str; 21] = [
    "apikey",
    "api_key",
    "access_key",
    "secret_key",
    "private_key",
    "client_secret",
    "authorization",
    "proxy_authorization",
    "cookie",
    "set_cookie",
    "connection_string",
    "database_url",
    "database_uri",
    "dsn",
    "auth_token",
    "bearer_token",
    "access_token",
    "refresh_token",
    "session_token",
    "service_account_key",
    "x_api_key",
];

/// Names that would match and mean something else.
const HARMLESS: [&str; 9] = [
    "max_tokens",
    "token_limit",
    "tokens",
    "max_output_tokens",
    "num_tokens",
    "token_count",
    "tokenizer",
    "secret_name",
    "credentials_profile_name",
];

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    constant(concat!(
        r"(?i)^(?:\{\{\s*[A-Z_][A-Z0-9_]*\s*\}\}|\$\{[A-Z_][A-Z0-9_]*\}",
        r"|(?:Bearer|Basic|Token)\s+(?:\{\{\s*\w+\s*\}\}|\$\{\w+\}|\{\w+\})",
        r"|<[^<>]{1,60}>|\*{3,})$",
    ))
});

static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    constant(r"(?i)^--?[A-Z0-9_\-]*(?:key|token|secret|password|passwd|credential)[A-Z0-9_\-]*(?:=(.+))?$")
});

/// `apiKey`, `X-Api-Key` and `api_key` are the same name.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len());
    let mut before = '_';
    for now in name.chars() {
        let camel = now.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if (camel || !now.is_ascii_alphanumeric()) && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        if now.is_ascii_alphanumeric() {
            snake.push(now.to_ascii_lowercase());
        }
        before = now;
    }
    snake.truncate(snake.trim_end_matches('_').len());
    snake
}

/// The name is one that secrets go by.
pub(super) fn is_secret(name: &str) -> bool {
    let name = snake(name);
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    let has = |part: &str| name.split('_').any(|own| own == part);
    WHOLE.contains(&name.as_str())
        || PARTS.iter().any(|part| has(part))
        || name == "token"
        || name.ends_with("_token")
        || (has("api") && has("key"))
}

/// Empty, or a placeholder for a value that comes from elsewhere.
pub(super) fn is_reference(text: &str) -> bool {
    text.is_empty() || REFERENCE.is_match(text.trim())
}

/// The same for any JSON; only strings can be placeholders.
pub(super) fn refers(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_reference(text),
        _ => false,
    }
}

/// The name of a variable.
pub(super) fn is_variable(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && text.len() <= 128
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

/// The name of a variable, in upper case: what a server's environment is given.
pub(super) fn is_upper_variable(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|next| next.is_ascii_uppercase() || next.is_ascii_digit() || next == '_')
}

/// If the item is a flag for a secret: its value, given after `=` or as the next item.
pub(super) fn flagged<'a>(item: &'a str, next: Option<&'a Value>) -> Option<&'a str> {
    let own = FLAG.captures(item.trim())?;
    own.get(1).map(|value| value.as_str()).or_else(|| next.and_then(Value::as_str))
}

/// A scalar as the text that the rules look at.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}
