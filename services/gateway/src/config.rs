//! What an operator may set of the gateway.

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

/// The section `[gateway]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Origins whose pages may call with gRPC-Web, besides the gateway's own: `https://shop.example`.
    /// Empty: pages on this machine only (loopback, any port).
    pub allowed_origins: Vec<String>,
    /// How long an access token of the local issuer is good for, in seconds.
    pub access_token_seconds: u32,
    /// Whether browsers may send the session cookie over https only. Set it when TLS stands in front.
    pub secure_cookies: bool,
    /// Calls and watches that one person may have open at once; everybody without a credential counts as
    /// one. A part works on 1024 calls at once: a share of that size lets one caller shut it.
    pub calls_per_caller: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            access_token_seconds: 3600,
            secure_cookies: false,
            calls_per_caller: 512,
        }
    }
}

impl Section for Config {
    const NAME: &'static str = "gateway";

    fn check(&self, mistakes: &mut Vec<String>) {
        for origin in &self.allowed_origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '*', ' '])) {
                mistakes.push(format!(
                    "allowed_origins: {origin:?} is not a scheme and a host: https://shop.example"
                ));
            }
        }
        if self.calls_per_caller == 0 {
            mistakes.push("calls_per_caller: must be at least 1".to_owned());
        }
        if !(60..=86_400).contains(&self.access_token_seconds) {
            mistakes.push("access_token_seconds: must be from 60 to 86400".to_owned());
        }
    }
}
