//! The base URL of an endpoint: https, or http to this machine; nothing secret in it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The longest URL, in bytes.
const LONGEST: usize = 2000;

/// A base URL in its one form, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address(String);

/// Why a text is no endpoint's URL. It never quotes the text: somebody may have put a key into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    /// It is not a URL.
    #[error("the URL cannot be read")]
    NoUrl,
    /// It would send the key in clear, or over another protocol.
    #[error("the URL must begin with https://; http:// is for 127.0.0.1, ::1 and localhost alone")]
    Scheme,
    /// It holds a user or a password.
    #[error("the URL must not hold a user or a password: the key is given apart")]
    UserInfo,
    /// It has a query or a fragment.
    #[error("the URL must not have a query or a fragment: it is a base that paths are added to")]
    Query,
}

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both lead to the same scheme, host and port: who gets the key of one gets that of the other.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        let origin = |own: &Self| Url::parse(&own.0).ok().map(|url| url.origin().ascii_serialization());
        origin(self) == origin(other)
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        // The parser forgives tabs, spaces and backslashes; who reads the table must not have to.
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(BadAddress::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| BadAddress::NoUrl)?;
        let local = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(BadAddress::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(BadAddress::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress::Query);
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, BadAddress> {
        text.parse::<Address>().map(|address| address.0)
    }

    #[test]
    fn https_or_this_machine() {
        for (text, kept) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
            ("HTTPS://API.example:443/v1", "https://api.example/v1"),
            ("https://10.0.0.7:8443", "https://10.0.0.7:8443"),
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
            ("http://127.9.9.9/", "http://127.9.9.9"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
            ("http://localhost:1234/v1", "http://localhost:1234/v1"),
            ("https://a.example/v1/../v2", "https://a.example/v2"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn what_would_lose_the_key_is_refused() {
        use BadAddress::{NoUrl, Query, Scheme, UserInfo};
        for (text, why) in [
            ("", NoUrl),
            ("api.openai.com/v1", NoUrl),
            ("https://", NoUrl),
            ("https:\\\\a.example", NoUrl),
            ("https://a.example/ v1", NoUrl),
            ("https://a.exam\tple/v1", NoUrl),
            ("http://api.openai.com/v1", Scheme),
            ("http://127.0.0.1.evil.example", Scheme),
            ("http://localhost.evil.example", Scheme),
            ("http://10.0.0.7", Scheme),
            ("http://0.0.0.0", Scheme),
            ("http://169.254.169.254/", Scheme),
            ("ftp://a.example", Scheme),
            ("file:///etc/passwd", Scheme),
            ("unix:/run/x", Scheme),
            ("https://key@a.example/v1", UserInfo),
            ("https://user:key@a.example/v1", UserInfo),
            ("https://@a.example/v1", UserInfo),
            ("http://127.0.0.1@evil.example/", Scheme),
            ("https://a.example/v1?api-key=x", Query),
            ("https://a.example/v1?", Query),
            ("https://a.example/v1#x", Query),
        ] {
            assert_eq!(read(text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let own = address("https://a.example/v1");
        assert!(own.same_origin(&address("https://A.example:443/v2")));
        for other in ["https://b.example/v1", "https://a.example:444/v1", "http://127.0.0.1/v1"] {
            assert!(!own.same_origin(&address(other)), "{other}");
        }
    }
}
