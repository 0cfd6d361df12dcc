//! The formats that a schema may name: what each asks of a text. Strict rather than complete: these texts end
//! up in pages, headers and policies.

use std::net::Ipv6Addr;

/// A format: its name in schemas, its check, and its rule as people are told.
pub(crate) type Format = (&'static str, fn(&str) -> bool, &'static str);

/// Every format there is.
pub(crate) const FORMATS: &[Format] = &[
    ("font-family", is_font_family, "must be names of fonts: letters, digits, spaces, hyphens and commas"),
    ("hex-color", is_hex_color, "must be a colour like #2563eb"),
    ("host", is_host, "must be a host name in lower case, like shop.example.com"),
    (
        "host-or-origin",
        is_host_or_origin,
        "must be a host or an origin in lower case, like example.com or https://example.com:8443",
    ),
    ("https-url", is_https_url, "must be a URL that begins with https://"),
    ("line", is_line, "must not have control characters"),
    ("name", is_name, NAME_RULE),
];

/// What a capability, connector or tool may be called.
pub(crate) const NAME_RULE: &str =
    "must be words of a-z, 0-9, _ and hyphen joined by dots, each begun by a letter, 100 characters at most";

/// What a format asks for.
pub(crate) fn rule(name: &str) -> &'static str {
    FORMATS.iter().find(|format| format.0 == name).map_or("has the wrong form", |format| format.2)
}

/// Whether a text is a name: `web_widget.branding`.
pub(crate) fn is_name(text: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    text.len() <= 100
        && text.split('.').all(|word| {
            word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(letter)
        })
}

fn is_line(text: &str) -> bool {
    // Line and paragraph separators, and marks that turn the direction of what follows, are no controls to
    // char and do as much harm on a page.
    let turns = |letter: char| matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.contains(|letter: char| letter.is_control() || turns(letter))
}

fn is_hex_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Stands in a style sheet: nothing that could end the value there.
fn is_font_family(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    text.split(',').all(|name| !name.trim().is_empty() && name.bytes().all(letter))
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A host with or without a port, as it stands after `//`.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return address.parse::<Ipv6Addr>().is_ok(),
        Some((address, rest)) => {
            let Some(port) = rest.strip_prefix(':') else { return false };
            return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    is_host(host) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_host_or_origin(text: &str) -> bool {
    let origin = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    origin.map_or_else(|| is_host(text), is_authority)
}

/// Stands in an attribute of a page: no quotes, no credentials, nothing that a browser would mend.
fn is_https_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
    is_authority(authority) && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn holds(check: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check(text), "{text:?} is good");
        }
        for text in bad {
            assert!(!check(text), "{text:?} is bad");
        }
    }

    #[test]
    fn urls_are_secure_and_harmless_in_a_page() {
        holds(
            is_https_url,
            &[
                "https://example.com",
                "https://cdn.example.com:8443/a/b.svg?v=1&w=%20#x",
                "https://[2001:db8::1]/l",
                "https://example.com?x",
            ],
            &[
                "",
                "https://",
                "http://example.com/l.png",
                "HTTPS://example.com",
                "//example.com",
                "javascript:alert(1)",
                "data:image/png;base64,AA",
                "https:example.com",
                "https://user:pw@example.com/",
                "https://example.com\\@evil.test/",
                "https://exa mple.com/",
                "https://example.com/\"onload=x",
                "https://example.com/a\nb",
                " https://example.com",
                "https://ex\u{e4}mple.com/",
                "https://example.com:99999/",
                "https://example.com:/",
                "https://[::1/",
                "https://[nonsense]/",
                "https://.example.com/",
            ],
        );
    }

    #[test]
    fn colours_are_hex() {
        holds(
            is_hex_color,
            &["#fff", "#2563EB", "#000000"],
            &[
                "",
                "#",
                "#ff",
                "#ffff",
                "#ggg",
                "red",
                "2563eb",
                "#12345678",
                "#fff;",
                "#fff\n",
                "#\u{ff11}\u{ff11}",
            ],
        );
    }

    #[test]
    fn domains_are_hosts_or_origins() {
        holds(
            is_host_or_origin,
            &[
                "example.com",
                "localhost",
                "xn--bcher-kva.example",
                "127.0.0.1",
                "https://example.com",
                "http://localhost:3000",
                "https://[::1]:8443",
            ],
            &[
                "",
                "*",
                "*.example.com",
                "Example.com",
                "example.com/",
                "example.com:443",
                "https://example.com/",
                "https://example.com/x",
                "https://*.example.com",
                "ftp://example.com",
                "https://",
                "https://user@example.com",
                "-a.example",
                "a-.example",
                "a..example",
                "example.com.",
                "exa_mple.com",
                "b\u{fc}cher.example",
                "https://example.com:0443",
                "https://example.com:+443",
                "example.com\n",
            ],
        );
    }

    #[test]
    fn lines_fonts_and_names_stay_what_they_are() {
        holds(is_line, &["", "Tr\u{e4}ge \u{1f600}"], &["a\nb", "\0", "\u{9b}", "a\u{2028}b", "\u{202e}txt"]);
        holds(
            is_font_family,
            &["Inter", "system-ui, sans-serif", "Open Sans,Arial"],
            &["", ",", "a,,b", "a;}", "url(x)", "'Inter'", "a\nb", "\\0041"],
        );
        holds(is_name, &["rag", "web_widget.branding", "a1-b"], &["", ".", "a..b", "1a", "A", "a b"]);
        assert_eq!(rule("hex-color"), "must be a colour like #2563eb");
        assert_eq!(rule("of tomorrow"), "has the wrong form");
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_nothing_harmful_passes(text in "\\PC{0,60}") {
            for (name, check, _) in FORMATS {
                if check(&text) && !matches!(*name, "line") {
                    prop_assert!(text.is_ascii() && !text.contains(['"', '\'', '<', '>', '\\', ';']), "{} {}", name, text);
                }
            }
        }
    }
}
