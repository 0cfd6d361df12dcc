//! What people show at the door, and who it makes them.

pub(crate) mod routes;

use souk_types::{ApiKeyId, Caller, Membership, PlatformRole, Scopes, Secret, SessionId, Time, UserId};

/// What a caller showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// An API key.
    ApiKey(Secret<String>),
    /// The secret of a session's cookie.
    Session(Secret<String>),
    /// An access token of the local issuer, not yet verified.
    AccessToken(Secret<String>),
}

impl Credential {
    /// Reads an authorization header's bearer token; a cookie counts only where there is none.
    pub(crate) fn read(bearer: Option<&str>, cookie: Option<&str>) -> Self {
        match (bearer, cookie) {
            (Some(key), _) if key.starts_with("souk_sk_") => Self::ApiKey(Secret::new(key.to_owned())),
            (Some(token), _) => Self::AccessToken(Secret::new(token.to_owned())),
            (None, Some(cookie)) => Self::Session(Secret::new(cookie.to_owned())),
            (None, None) => Self::None,
        }
    }
}

/// What an org's API key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) api_key_id: ApiKeyId,
    /// Its org, and what its person is there.
    pub(crate) membership: Membership,
    /// What it is narrowed to.
    pub(crate) scopes: Scopes,
}

/// Who a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) user_id: UserId,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) platform: Option<PlatformRole>,
    /// An org's API key, which reaches nothing beyond its org; `memberships` is empty then.
    pub(crate) bound: Option<Bound>,
    pub(crate) session_id: Option<SessionId>,
    pub(crate) expire_time: Option<Time>,
}

impl Principal {
    /// Whether everything that `before` could reach is still within reach.
    pub(crate) fn reaches(&self, before: &Self) -> bool {
        let held = |was: &Membership| {
            self.places().any(|now| {
                let same = now.org_id == was.org_id && now.role >= was.role;
                same && was.projects.iter().all(|project| now.projects.contains(project))
            })
        };
        let scopes = match (&self.bound, &before.bound) {
            (Some(now), Some(was)) => now.scopes.reach(&was.scopes),
            (Some(now), None) => !now.scopes.narrow(),
            (None, _) => true,
        };
        self.user_id == before.user_id
            && (self.platform.is_some() || before.platform.is_none())
            && scopes
            && before.places().all(held)
    }

    fn places(&self) -> impl Iterator<Item = &Membership> {
        self.memberships.iter().chain(self.bound.iter().map(|bound| &bound.membership))
    }

    pub(crate) fn caller(&self) -> Caller {
        let (user_id, memberships) = (self.user_id, self.memberships.clone());
        match self.bound.clone() {
            Some(Bound { api_key_id, membership, scopes }) => {
                Caller::Key { api_key_id, user_id, membership, scopes }
            }
            None => Caller::User { user_id, memberships, platform: self.platform },
        }
    }
}

/// The value of a cookie in a `cookie` header.
pub(crate) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })
}

/// Whether a page of `origin` is a page of this machine.
pub(crate) fn is_loopback(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use souk_types::{OrgId, Role};

    use super::*;

    #[test]
    fn a_bearer_token_goes_before_a_cookie() {
        let key = Credential::read(Some("souk_sk_abc"), Some("cookie"));
        assert_eq!(key, Credential::ApiKey(Secret::new("souk_sk_abc".into())));
        assert!(matches!(Credential::read(Some("a.b.c"), None), Credential::AccessToken(_)));
        assert!(matches!(Credential::read(None, Some("x")), Credential::Session(_)));
        assert_eq!(Credential::read(None, None), Credential::None);
    }

    #[test]
    fn who_lost_an_org_or_a_role_reaches_less() {
        let place = |org, role| Membership { org_id: OrgId::from_bits(org), role, projects: Vec::new() };
        let person = |memberships: &[Membership], platform| Principal {
            user_id: UserId::from_bits(1),
            memberships: memberships.to_vec(),
            platform,
            bound: None,
            session_id: None,
            expire_time: None,
        };
        let (member, admin) = (place(1, Role::Member), place(1, Role::Admin));
        let second = place(2, Role::Viewer);
        let before = person(&[member], None);
        assert!(before.reaches(&before) && person(&[admin.clone(), second.clone()], None).reaches(&before));
        assert!(!person(&[], None).reaches(&before) && !person(&[second], None).reaches(&before));
        assert!(!before.reaches(&person(std::slice::from_ref(&admin), None)));
        assert!(!person(&[], None).reaches(&person(&[], Some(PlatformRole::Operator))));
        let key = |role, scopes: &[&str]| {
            let scopes: Vec<_> = scopes.iter().map(|text| (*text).to_owned()).collect();
            let scopes = Scopes::parse(&scopes).unwrap();
            let (api_key_id, membership) = (ApiKeyId::from_bits(2), place(1, role));
            Principal { bound: Some(Bound { api_key_id, membership, scopes }), ..person(&[], None) }
        };
        assert!(key(Role::Admin, &[]).reaches(&key(Role::Admin, &[])));
        assert!(!key(Role::Viewer, &[]).reaches(&key(Role::Member, &[])));
        assert!(!person(&[], None).reaches(&key(Role::Viewer, &[])));
        assert!(!key(Role::Admin, &["runs.read"]).reaches(&key(Role::Admin, &["runs.use"])));
        assert!(!key(Role::Admin, &["runs.use"]).reaches(&key(Role::Admin, &[])));
        assert!(key(Role::Admin, &[]).reaches(&key(Role::Admin, &["runs.use"])));
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        assert_eq!(cookie("a=1; souk_session=abc; b=2", "souk_session"), Some("abc"));
        assert_eq!(cookie("xsouk_session=abc", "souk_session"), None);
        assert_eq!(cookie("souk_session=", "souk_session"), None);
    }

    #[test]
    fn only_pages_of_this_machine_are_loopback() {
        for (origin, own) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:8080", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example:80", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback(origin), own, "{origin}");
        }
    }
}
