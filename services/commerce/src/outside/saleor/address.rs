//! A Saleor API URL: the name of a shop, and the one origin that its keys may come from.

use std::fmt;

use reqwest::Url;

use crate::Error;

/// A checked API URL. Deliveries are matched by its exact text, as Saleor sends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiUrl {
    text: String,
    jwks: Url,
}

impl ApiUrl {
    /// Checks an API URL: https, or plain http to this machine; no credentials, query or fragment.
    ///
    /// # Errors
    /// `SHOP_URL_INSECURE`, or the field `api_url` is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Err(Error::field("api_url", why));
        let Ok(url) = Url::parse(text) else {
            return wrong("expected a URL like https://shop.example/graphql/");
        };
        if text.len() > 500 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("expected at most 500 printable ASCII characters");
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return wrong("must not carry credentials, a query or a fragment");
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(Error::ShopUrlInsecure { api_url: text.to_owned() }),
            _ => return wrong("expected https"),
        }
        match url.join("/.well-known/jwks.json") {
            Ok(jwks) => Ok(Self { text: text.to_owned(), jwks }),
            Err(_) => wrong("expected a URL with a host"),
        }
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the shop publishes its keys: at a fixed path of the same origin, nowhere else.
    #[must_use]
    pub const fn jwks(&self) -> &Url {
        &self.jwks
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

fn is_loopback(url: &Url) -> bool {
    // An IPv6 host stands in brackets.
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_the_same_origin() {
        for (api, jwks) in [
            ("https://shop.example/graphql/", "https://shop.example/.well-known/jwks.json"),
            ("https://shop.example:8443/a/b", "https://shop.example:8443/.well-known/jwks.json"),
            ("http://localhost:58000/graphql/", "http://localhost:58000/.well-known/jwks.json"),
            ("http://127.0.0.1:8000/graphql/", "http://127.0.0.1:8000/.well-known/jwks.json"),
            ("http://[::1]:8000/graphql/", "http://[::1]:8000/.well-known/jwks.json"),
        ] {
            let url = ApiUrl::parse(api).unwrap();
            assert_eq!((url.as_str(), url.jwks().as_str()), (api, jwks));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in [
            "http://shop.example/graphql/",
            "http://localhost.shop.example/graphql/",
            "http://127.0.0.1.nip.io/graphql/",
            "http://10.0.0.1/graphql/",
            "http://[::ffff:10.0.0.1]/graphql/",
        ] {
            assert!(matches!(ApiUrl::parse(text), Err(Error::ShopUrlInsecure { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_no_shop_is_refused() {
        for text in [
            "",
            "shop.example/graphql/",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "https://user:pw@shop.example/graphql/",
            "https://shop.example/graphql/?a=b",
            "https://shop.example/graphql/#a",
            "https://shop.example/gra phql/",
            "https://shöp.example/graphql/",
        ] {
            assert!(matches!(ApiUrl::parse(text), Err(Error::Invalid(_))), "{text}");
        }
    }
}
