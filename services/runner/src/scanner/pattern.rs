//! Rule S4: the shapes of credentials that are known.

use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};

/// Compiles a pattern that stands in this source.
#[expect(clippy::expect_used, reason = "the pattern is a constant; every one is compiled by a test")]
pub(super) fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

#[expect(clippy::expect_used, reason = "the patterns are constants; every one is compiled by a test")]
fn constants(patterns: &[&str]) -> RegexSet {
    RegexSet::new(patterns).expect("constant patterns compile")
}

/// What a shape is called, and the shape. Group 1 is the credential: the character before it, which
/// must be no letter or digit, belongs to the match only because this engine cannot look back.
const SHAPES: [(&str, &str); 18] = [
    (
        "a key of the OpenAI kind",
        r"(?:^|[^A-Za-z0-9])(sk-(?:proj-|ant-|or-|svcacct-|lf-)?[A-Za-z0-9_\-]{16,})",
    ),
    ("a GitHub token", r"(?:^|[^A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a GitLab token", r"(?:^|[^A-Za-z0-9])(glpat-[A-Za-z0-9_\-]{16,})"),
    ("a Slack token", r"(?:^|[^A-Za-z0-9])(xox[abeoprs]-[A-Za-z0-9\-]{10,})"),
    ("an AWS access key", r"(?:^|[^A-Za-z0-9])((?:AKIA|ASIA|AROA)[0-9A-Z]{16})(?:[^0-9A-Za-z]|$)"),
    ("a Google API key", r"(?:^|[^A-Za-z0-9])(AIza[0-9A-Za-z_\-]{35})"),
    ("a Google OAuth secret", r"(?:^|[^A-Za-z0-9])(ya29\.[A-Za-z0-9_\-]{20,}|GOCSPX-[A-Za-z0-9_\-]{20,})"),
    ("a Hugging Face token", r"(?:^|[^A-Za-z0-9])(hf_[A-Za-z0-9]{20,})"),
    ("a Stripe key", r"(?:^|[^A-Za-z0-9])((?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,})"),
    ("a SendGrid key", r"(?:^|[^A-Za-z0-9])(SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,})"),
    ("an Astra token", r"(?:^|[^A-Za-z0-9])(AstraCS:[A-Za-z0-9]{10,}:[a-f0-9]{32,})"),
    (
        "a model provider's key",
        r"(?:^|[^A-Za-z0-9])((?:gsk_|xai-|tvly-|pplx-|nvapi-|fw_|r8_)[A-Za-z0-9_\-]{20,})",
    ),
    ("a Vault token", r"(?:^|[^A-Za-z0-9])(hv[sbr]\.[A-Za-z0-9_\-]{20,})"),
    ("a package registry's token", r"(?:^|[^A-Za-z0-9])(npm_[A-Za-z0-9]{30,}|pypi-AgE[A-Za-z0-9_\-]{30,})"),
    (
        "a JSON web token",
        r"(?:^|[^A-Za-z0-9])(eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,})",
    ),
    ("a private key", r"(-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY-----)"),
    ("a service account", r#"("type"\s*:\s*"service_account")"#),
    (AUTHORIZATION, r"\b((?i:bearer|basic)\s+[A-Za-z0-9+/=_\-.]{16,})"),
];

/// The one shape that ordinary prose can have (`basic` before a long word).
const AUTHORIZATION: &str = "an authorization header";

static SET: LazyLock<RegexSet> = LazyLock::new(|| constants(&SHAPES.map(|(_, pattern)| pattern)));
static SINGLE: LazyLock<Vec<Regex>> =
    LazyLock::new(|| SHAPES.iter().map(|(_, pattern)| constant(pattern)).collect());

/// The shortest text that has any of the shapes: most names and values of a flow are shorter.
const SHORTEST: usize = 15;

/// The first credential of each shape in a text, with what it is.
pub(super) fn matches(text: &str) -> Vec<(&'static str, &str)> {
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let found = SET.matches(text).into_iter();
    found
        .filter_map(|at| {
            let (detail, _) = SHAPES.get(at)?;
            let credential = SINGLE.get(at)?.captures(text)?.get(1)?;
            Some((*detail, credential.as_str()))
        })
        .collect()
}

/// The same without the shape that prose can have: for texts that only describe.
pub(super) fn unmistakable(text: &str) -> Vec<(&'static str, &str)> {
    matches(text).into_iter().filter(|(detail, _)| *detail != AUTHORIZATION).collect()
}

/// How often a text is gone through for credentials to replace.
const LOOKS: usize = 4;

/// The text with every credential in it replaced.
pub(super) fn replaced(mut text: String, by: fn(&str) -> String) -> String {
    // The character between two credentials belongs to the match of the first: the next look finds the second.
    for _ in 0..LOOKS {
        if !has_credential(&text) {
            return text;
        }
        for shape in SINGLE.iter() {
            let masked = shape.replace_all(&text, |found: &Captures| {
                let whole = found.get(0).map_or("", |whole| whole.as_str());
                let own = found.get(1).map_or(whole, |own| own.as_str());
                whole.replacen(own, &by(own), 1)
            });
            text = masked.into_owned();
        }
    }
    if has_credential(&text) { by(&text) } else { text }
}

/// The text has a credential of any shape in it.
pub(super) fn has_credential(text: &str) -> bool {
    text.len() >= SHORTEST && SET.is_match(text)
}
