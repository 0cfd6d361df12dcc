//! Who is given trial credits: once a person, once an address however it is spelled, so many a day.

use souk_types::{Credits, Reason, Time};

use super::Email;

/// Mail providers that put mail to several spellings into one box: their domains, and the letters of the
/// local part that they overlook.
const PROVIDERS: &[(&[&str], &[char])] = &[
    (&["gmail.com", "googlemail.com"], &['.']),
    (&["proton.me", "protonmail.com", "pm.me"], &['.', '-', '_']),
    (&["icloud.com", "me.com", "mac.com"], &[]),
    (&["yandex.ru", "yandex.com", "ya.ru"], &['.', '-']),
];
/// Second levels under a country's domain below which names are registered.
const SECOND_LEVELS: &[&str] = &["ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"];
/// Micros of a day.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// What the operator set about trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// What one is.
    pub(crate) amount: Credits,
    /// How many the platform gives in a day.
    pub(crate) per_day: u64,
    /// How many of them to one mail domain.
    pub(crate) per_domain: u64,
    /// Mail domains of throw-away addresses, which are given none.
    pub(crate) disposable: Vec<String>,
    /// Mail domains that strangers share, so that `per_domain` says nothing of them.
    pub(crate) shared: Vec<String>,
}

/// The one spelling that all spellings of an address share: without the tag after a plus sign, without what
/// its provider overlooks, with its provider's first domain.
#[must_use]
pub(crate) fn canonical(email: &Email) -> String {
    let (local, domain) = email.as_str().split_once('@').unwrap_or((email.as_str(), ""));
    let untagged = match local.split_once('+') {
        Some((head, _)) if !head.is_empty() => head,
        _ => local,
    };
    match PROVIDERS.iter().find(|(domains, _)| domains.contains(&domain)) {
        Some((domains, overlooked)) => {
            let plain = untagged.replace(*overlooked, "");
            let local = if plain.is_empty() { untagged } else { plain.as_str() };
            format!("{local}@{}", domains.first().unwrap_or(&domain))
        }
        None => format!("{untagged}@{domain}"),
    }
}

/// The domain that somebody registered for an address: `a@x.y.example.co.uk` → `example.co.uk`. A rule of
/// thumb: a longer name costs an abuser a registration, a shorter one only joins neighbours' counts.
#[must_use]
pub(crate) fn registered(email: &Email) -> &str {
    let domain = email.as_str().split_once('@').map_or("", |(_, domain)| domain);
    let mut dots = domain.rmatch_indices('.').map(|(place, _)| place);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else { return domain };
    let country = domain.len().saturating_sub(last + 1) == 2;
    let middle = domain.get(second + 1..last).unwrap_or_default();
    let cut = if country && SECOND_LEVELS.contains(&middle) { dots.next() } else { Some(second) };
    cut.and_then(|place| domain.get(place + 1..)).unwrap_or(domain)
}

/// Whether a domain is one of a list's, or below one.
#[must_use]
fn listed(list: &[String], domain: &str) -> bool {
    list.iter().any(|one| {
        let below = domain.strip_suffix(one.as_str()).is_some_and(|head| head.ends_with('.'));
        domain == one || below
    })
}

impl Rules {
    /// Why an address is given no trial, whoever else was given one.
    ///
    /// # Errors
    /// The reason.
    pub(crate) fn admit(&self, email: &Email, proven: bool) -> Result<(), Reason> {
        let domain = email.as_str().split_once('@').map_or("", |(_, domain)| domain);
        if listed(&self.disposable, domain) {
            return Err(Reason::TrialAddressRefused);
        }
        if proven { Ok(()) } else { Err(Reason::TrialAddressUnproven) }
    }

    /// The mail domain whose trials of a day are counted; `None` for one that strangers share.
    #[must_use]
    pub(crate) fn counted<'a>(&self, email: &'a Email) -> Option<&'a str> {
        let domain = registered(email);
        (!listed(&self.shared, domain)).then_some(domain)
    }
}

/// The day of a moment, counted from 1970 in UTC.
#[must_use]
pub(crate) const fn day(now: Time) -> i64 {
    now.micros().div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn email(text: &str) -> Email {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_of_one_box_are_one_address() {
        for (text, one) in [
            ("Ann.Lee+shop@GoogleMail.com", "annlee@gmail.com"),
            ("a.n.n.l.e.e@gmail.com", "annlee@gmail.com"),
            ("ann.lee+1+2@example.org", "ann.lee@example.org"),
            ("ann-l_e.e@pm.me", "annlee@proton.me"),
            ("ann@mac.com", "ann@icloud.com"),
            ("ann.lee@me.com", "ann.lee@icloud.com"),
            ("+x@example.org", "+x@example.org"),
            ("operator@localhost", "operator@localhost"),
        ] {
            assert_eq!(canonical(&email(text)), one, "{text}");
        }
        assert_ne!(canonical(&email("ann.lee@example.org")), canonical(&email("annlee@example.org")));
    }

    #[test]
    fn a_domain_is_counted_as_it_was_registered() {
        for (text, domain) in [
            ("a@example.org", "example.org"),
            ("a@x.y.example.org", "example.org"),
            ("a@mail.example.co.uk", "example.co.uk"),
            ("a@example.co.uk", "example.co.uk"),
            ("a@co.uk", "co.uk"),
            ("a@x.example.de", "example.de"),
            ("a@localhost", "localhost"),
        ] {
            assert_eq!(registered(&email(text)), domain, "{text}");
        }
    }

    #[test]
    fn lists_hold_what_stands_below_them_and_no_lookalike() {
        let rules = Rules {
            amount: Credits::ZERO,
            per_day: 1,
            per_domain: 1,
            disposable: vec!["trash.example".into()],
            shared: vec!["gmail.com".into()],
        };
        for (text, proven, outcome) in [
            ("a@trash.example", true, Err(Reason::TrialAddressRefused)),
            ("a@x.trash.example", true, Err(Reason::TrialAddressRefused)),
            ("a@nottrash.example", true, Ok(())),
            ("a@trash.example.org", true, Ok(())),
            ("a@example.org", false, Err(Reason::TrialAddressUnproven)),
        ] {
            assert_eq!(rules.admit(&email(text), proven), outcome, "{text}");
        }
        assert_eq!(rules.counted(&email("a@gmail.com")), None);
        assert_eq!(rules.counted(&email("a@x.example.org")), Some("example.org"));
    }

    #[test]
    fn days_turn_at_midnight() {
        assert_eq!(day(Time::from_micros(DAY - 1)), 0);
        assert_eq!(day(Time::from_micros(DAY)), 1);
        assert_eq!(day(Time::from_micros(-1)), -1);
    }

    proptest! {
        #[test]
        fn canonical_is_total_and_settles(local in "[a-z0-9.+_-]{1,20}", domain in "[a-z]{1,8}(\\.[a-z]{1,6}){0,4}") {
            if let Ok(email) = format!("{local}@{domain}").parse::<Email>() {
                let once = canonical(&email);
                if let Ok(again) = once.parse::<Email>() {
                    prop_assert_eq!(canonical(&again).matches('@').count(), 1);
                }
                prop_assert!(once.ends_with(|letter: char| letter.is_ascii_alphanumeric()));
                prop_assert!(domain.ends_with(registered(&email)));
            }
        }
    }
}
