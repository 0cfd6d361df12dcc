//! Who calls, and what of whose they may touch.

use std::{fmt, str::FromStr};

use crate::id::{ApiKeyId, OrgId, ProjectId, UserId};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// A part of the mesh: one service, one key, one audience.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PartName { $($(#[$doc])* $name,)+ }

        impl PartName {
            /// Every part there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name as it stands in configuration, tokens and packages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        impl FromStr for PartName {
            type Err = UnknownPart;
            fn from_str(text: &str) -> Result<Self, UnknownPart> {
                match text { $($text => Ok(Self::$name),)+ other => Err(UnknownPart(other.to_owned())) }
            }
        }
    };
}

/// No part has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no part is called {0:?}")]
pub struct UnknownPart(pub String);

parts! {
    /// Orgs, projects, users, keys, sessions.
    Tenancy = "tenancy";
    /// Offerings, versions, plans, artifacts.
    Catalog = "catalog";
    /// Wallets, reservations, ledger.
    Billing = "billing";
    /// Instances and their life.
    Instances = "instances";
    /// Desired and applied state.
    Delivery = "delivery";
    /// Shops and orders.
    Commerce = "commerce";
    /// Runs and transcripts.
    Runs = "runs";
    /// Engines.
    Runner = "runner";
    /// Model endpoints.
    Models = "models";
    /// The door.
    Gateway = "gateway";
}

impl fmt::Display for PartName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a permission lets its holder do within a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// See.
    Read,
    /// Use what stands there (run an instance).
    Use,
    /// Change what stands there.
    Admin,
}

impl Verb {
    /// The name as it stands in a permission.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Use => "use",
            Self::Admin => "admin",
        }
    }
}

/// What may be done in one domain: `runs.use`. A verb holds those before it: who may use may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// The domain, named as its part.
    pub domain: PartName,
    /// How much.
    pub verb: Verb,
}

/// A text is no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a domain and one of read, use or admin, such as runs.use")]
pub struct BadPermission;

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.domain, self.verb.as_str())
    }
}

impl FromStr for Permission {
    type Err = BadPermission;
    fn from_str(text: &str) -> Result<Self, BadPermission> {
        let (domain, verb) = text.split_once('.').ok_or(BadPermission)?;
        let verb = match verb {
            "read" => Verb::Read,
            "use" => Verb::Use,
            "admin" => Verb::Admin,
            _ => return Err(BadPermission),
        };
        Ok(Self { domain: domain.parse().map_err(|_| BadPermission)?, verb })
    }
}

/// The permissions that an API key is narrowed to, each once and in order. None at all: it is not
/// narrowed, and has what its person's role has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Permission>);

impl Scopes {
    /// The permissions, each once.
    #[must_use]
    pub fn of(mut permissions: Vec<Permission>) -> Self {
        permissions.sort_unstable_by_key(|held| (held.domain.as_str(), held.verb));
        permissions.dedup();
        Self(permissions)
    }

    /// Reads them. One text that is no permission spoils all: a key must never be narrowed less than
    /// was meant.
    ///
    /// # Errors
    /// When one of them is no permission.
    pub fn parse(texts: &[String]) -> Result<Self, BadPermission> {
        Ok(Self::of(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?))
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Whether they narrow anything.
    #[must_use]
    pub const fn narrow(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether they leave this much of a domain. What the role allows is another question.
    #[must_use]
    pub fn leave(&self, domain: &str, verb: Verb) -> bool {
        !self.narrow() || self.0.iter().any(|held| held.domain.as_str() == domain && held.verb >= verb)
    }

    /// Whether they leave all that `before` left.
    #[must_use]
    pub fn reach(&self, before: &Self) -> bool {
        match (self.narrow(), before.narrow()) {
            (false, _) => true,
            (true, false) => false,
            (true, true) => before.0.iter().all(|held| self.leave(held.domain.as_str(), held.verb)),
        }
    }
}

/// A role within one org. Each holds what the one before it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Sees everything of the org, changes nothing.
    Viewer,
    /// May run.
    Member,
    /// Manages members, keys and instances.
    Admin,
}

impl Role {
    /// The role → permission table: which verbs the role carries, in every domain of its org.
    #[must_use]
    pub const fn allows(self, verb: Verb) -> bool {
        match (self, verb) {
            (_, Verb::Read) | (Self::Member | Self::Admin, Verb::Use) | (Self::Admin, Verb::Admin) => true,
            (Self::Viewer, Verb::Use | Verb::Admin) | (Self::Member, Verb::Admin) => false,
        }
    }

    /// The name as it stands on the wire and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Member => "MEMBER",
            Self::Admin => "ADMIN",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "VIEWER" => Ok(Self::Viewer),
            "MEMBER" => Ok(Self::Member),
            "ADMIN" => Ok(Self::Admin),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// No role has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no role is called {0:?}")]
pub struct UnknownRole(pub String);

/// A role over the whole platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlatformRole {
    /// Runs the platform: every permission, in every org and outside of them.
    Operator,
}

/// A caller's place in one org.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Membership {
    /// The org.
    pub org_id: OrgId,
    /// The role held there.
    pub role: Role,
    /// The projects of the org that the role reaches.
    pub projects: Vec<ProjectId>,
}

/// Who calls, as the verified mesh token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular; only anonymous methods let it through.
    Anonymous,
    /// A person, or a credential that acts for all that they are.
    User {
        /// The person.
        user_id: UserId,
        /// Where they belong.
        memberships: Vec<Membership>,
        /// What they are beyond their orgs.
        platform: Option<PlatformRole>,
    },
    /// An org's API key: acts for the person who made it, in that org and nowhere beyond it.
    Key {
        /// The key.
        api_key_id: ApiKeyId,
        /// The person.
        user_id: UserId,
        /// The org, and what the person is there.
        membership: Membership,
        /// What the key is narrowed to.
        scopes: Scopes,
    },
    /// Another part, acting for exactly one org or for the platform.
    Part {
        /// Which part.
        part: PartName,
        /// The org it acts for.
        org: Option<OrgId>,
    },
}

impl Caller {
    /// The person, where the caller is one.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { user_id, .. } | Self::Key { user_id, .. } => Some(*user_id),
            Self::Anonymous | Self::Part { .. } => None,
        }
    }

    /// Where the caller belongs, as far as its credential reaches.
    #[must_use]
    pub fn memberships(&self) -> &[Membership] {
        match self {
            Self::User { memberships, .. } => memberships,
            Self::Key { membership, .. } => std::slice::from_ref(membership),
            Self::Anonymous | Self::Part { .. } => &[],
        }
    }

    /// Whether the caller runs the platform.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        matches!(self, Self::User { platform: Some(PlatformRole::Operator), .. })
    }

    /// How the caller is named in events, logs and the audit trail.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User { user_id, .. } => format!("user:{user_id}"),
            Self::Key { user_id, api_key_id, .. } => format!("user:{user_id}/key:{api_key_id}"),
            Self::Part { part, .. } => format!("part:{part}"),
        }
    }
}

/// Which rows a store method may see and change.
///
/// Made only by the kit's `open` after the access rule was checked, and by the one door for sweeps and
/// recovery (`for_every_tenant`); clippy bans `Scope::grant` everywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Reach);

/// How far a scope reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One org; the permission was checked.
    Org(OrgId),
    /// The orgs whose rows may be seen, each with whether the method's permission is held there.
    Readable(Vec<(OrgId, bool)>),
    /// One person's own rows, where no org exists yet.
    Subject(UserId),
    /// Every tenant: operators, sweeps, recovery, anonymous catalogue reads.
    Every,
}

/// What a scope says of one org's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Seen, and the permission is held.
    Granted,
    /// Seen, but the permission is missing: answer PERMISSION_DENIED.
    Denied,
    /// Not to be known of: answer NOT_FOUND.
    Hidden,
}

impl Scope {
    /// Makes a scope. Banned by clippy outside the two places named above.
    #[must_use]
    pub const fn grant(reach: Reach) -> Self {
        Self(reach)
    }

    /// How far it reaches.
    #[must_use]
    pub const fn reach(&self) -> &Reach {
        &self.0
    }

    /// The orgs whose rows may be read; `None` when every tenant's may.
    #[must_use]
    pub fn orgs(&self) -> Option<Vec<OrgId>> {
        match &self.0 {
            Reach::Org(org) => Some(vec![*org]),
            Reach::Readable(orgs) => Some(orgs.iter().map(|(org, _)| *org).collect()),
            Reach::Subject(_) => Some(Vec::new()),
            Reach::Every => None,
        }
    }

    /// The one org new rows belong to, where the scope names one.
    #[must_use]
    pub const fn org(&self) -> Option<OrgId> {
        match &self.0 {
            Reach::Org(org) => Some(*org),
            Reach::Readable(_) | Reach::Subject(_) | Reach::Every => None,
        }
    }

    /// What the scope says of a row of `org`.
    #[must_use]
    pub fn admit(&self, org: OrgId) -> Admission {
        match &self.0 {
            Reach::Every => Admission::Granted,
            Reach::Org(own) if *own == org => Admission::Granted,
            Reach::Org(_) | Reach::Subject(_) => Admission::Hidden,
            Reach::Readable(orgs) => match orgs.iter().find(|(own, _)| *own == org) {
                Some((_, true)) => Admission::Granted,
                Some((_, false)) => Admission::Denied,
                None => Admission::Hidden,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_nest() {
        for verb in [Verb::Read, Verb::Use, Verb::Admin] {
            assert!(Role::Viewer.allows(verb) <= Role::Member.allows(verb));
            assert!(Role::Member.allows(verb) <= Role::Admin.allows(verb));
        }
        assert!(!Role::Viewer.allows(Verb::Use));
        assert!(!Role::Member.allows(Verb::Admin));
    }

    #[test]
    fn scopes_hold_lesser_verbs_of_their_own_domain_alone() {
        let scopes = |texts: &[&str]| {
            Scopes::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
        };
        let (whole, narrow) = (scopes(&[]), scopes(&["runs.use", "billing.read", "runs.use"]));
        assert_eq!(narrow.names(), ["billing.read", "runs.use"]);
        assert!(whole.leave("tenancy", Verb::Admin) && !whole.narrow());
        assert!(narrow.leave("runs", Verb::Read) && narrow.leave("runs", Verb::Use));
        for (domain, verb) in
            [("runs", Verb::Admin), ("runner", Verb::Read), ("billing", Verb::Use), ("", Verb::Read)]
        {
            assert!(!narrow.leave(domain, verb), "{domain} {verb:?}");
        }
        assert!(whole.reach(&narrow) && !narrow.reach(&whole) && narrow.reach(&scopes(&["runs.read"])));
        assert!(!scopes(&["runs.read"]).reach(&narrow));
    }

    #[test]
    fn one_bad_scope_spoils_all() {
        for bad in [
            "",
            "runs",
            "runs.",
            ".use",
            "runs.USE",
            "runs.use.read",
            "*",
            "*.*",
            "runs.*",
            " runs.use",
            "nobody.read",
        ] {
            let texts = ["runs.use".to_owned(), bad.to_owned()];
            assert_eq!(Scopes::parse(&texts), Err(BadPermission), "{bad:?}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes its own scopes")]
    fn a_scope_hides_denies_and_grants() {
        let (own, seen, foreign) = (OrgId::from_bits(1), OrgId::from_bits(2), OrgId::from_bits(3));
        let scope = Scope::grant(Reach::Readable(vec![(own, true), (seen, false)]));
        assert_eq!(scope.admit(own), Admission::Granted);
        assert_eq!(scope.admit(seen), Admission::Denied);
        assert_eq!(scope.admit(foreign), Admission::Hidden);
        assert_eq!(Scope::grant(Reach::Org(own)).admit(foreign), Admission::Hidden);
        assert_eq!(Scope::grant(Reach::Subject(UserId::from_bits(1))).orgs(), Some(vec![]));
    }
}
