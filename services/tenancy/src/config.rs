//! What an operator may set of tenancy. Every limit has a default; nothing secret stands here.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use souk_kit::{config::Section, token::MEMBERSHIPS};
use souk_types::Credits;

use crate::{
    model::{Email, invitation::MailState, trial::Rules},
    store::{Admission, Bounds, Terms},
};

/// Mail domains of throw-away addresses that are known to everybody.
const DISPOSABLE: &[&str] = &[
    "10minutemail.com",
    "discard.email",
    "dispostable.com",
    "getnada.com",
    "grr.la",
    "guerrillamail.com",
    "guerrillamail.net",
    "mail-temp.com",
    "mailcatch.com",
    "maildrop.cc",
    "mailinator.com",
    "mailnesia.com",
    "mintemail.com",
    "mohmal.com",
    "sharklasers.com",
    "spamgourmet.com",
    "temp-mail.org",
    "tempmail.dev",
    "throwawaymail.com",
    "trashmail.com",
    "yopmail.com",
];
/// Mail domains where everybody may have an address.
const SHARED: &[&str] = &[
    "aol.com",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.ru",
    "me.com",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.com",
    "yandex.ru",
    "163.com",
];

/// The section `[tenancy]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What a new user's workspace is granted, in whole credits; 0 grants nothing. Default 1000.
    pub trial_credits: i64,
    /// Trials that the platform grants in a day (UTC). Default 1000.
    pub trials_per_day: u64,
    /// How many of them to addresses of one mail domain, subdomains included. Default 100.
    pub trials_per_domain_and_day: u64,
    /// Mail domains, subdomains included, that are granted none. Default: some that are known to everybody.
    pub disposable_domains: Vec<String>,
    /// Mail domains that strangers share, so that `trials_per_domain_and_day` says nothing of them.
    /// Default: the large providers.
    pub shared_domains: Vec<String>,
    /// How long a sign-in link can be redeemed, in minutes. Default 10, at most 60.
    pub sign_in_link_minutes: u64,
    /// How long a session lasts, in days. Default 30, at most 365.
    pub session_days: u64,
    /// Orgs that one user may belong to. Default and at most 100: a mesh token carries no more.
    pub max_orgs_per_user: u64,
    /// Projects that one org may hold. Default 100, at most 1000.
    pub max_projects_per_org: u64,
    /// Members that one org may have. Default 1000, at most 100000.
    pub max_members_per_org: u64,
    /// Teams that one org may have. Default 100, at most 1000.
    pub max_teams_per_org: u64,
    /// How long an invitation can be accepted, in days. Default 7, at most 30.
    pub invitation_days: u64,
    /// Invitations of one org that may be open. Default 100, at most 10000.
    pub max_open_invitations_per_org: u64,
    /// Invitations that one org may make in a day: each sends a mail. Default 200, at most 10000.
    pub max_invitations_per_org_and_day: u64,
    /// How long the audit trail is kept, in days. Default 365, at most 3650.
    pub audit_days: u64,
    /// How people are told of what concerns them.
    pub notify: Notify,
}

impl Default for Config {
    fn default() -> Self {
        let owned = |domains: &[&str]| domains.iter().map(|domain| (*domain).to_owned()).collect();
        Self {
            trial_credits: 1000,
            trials_per_day: 1000,
            trials_per_domain_and_day: 100,
            disposable_domains: owned(DISPOSABLE),
            shared_domains: owned(SHARED),
            sign_in_link_minutes: 10,
            session_days: 30,
            max_orgs_per_user: 100,
            max_projects_per_org: 100,
            max_members_per_org: 1000,
            max_teams_per_org: 100,
            invitation_days: 7,
            max_open_invitations_per_org: 100,
            max_invitations_per_org_and_day: 200,
            audit_days: 365,
            notify: Notify::default(),
        }
    }
}

/// `[tenancy.notify]`: how people are told of what concerns them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Who carries it. Default `log`: a line of the log says that there is something to hand over.
    pub driver: Driver,
    /// Whether the `log` driver writes the links themselves: whoever reads the log can then sign in as the
    /// people they are for. Default false: the inviter is shown a link of their own to hand over.
    pub log_links: bool,
    /// Where links lead: the gateway's public address. Default `http://127.0.0.1:7400`.
    pub public_url: String,
    /// The mail server of the `smtp` driver.
    pub smtp: Smtp,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            driver: Driver::Log,
            log_links: false,
            public_url: "http://127.0.0.1:7400".to_owned(),
            smtp: Smtp::default(),
        }
    }
}

/// Who carries what people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The log.
    Log,
    /// A mail server.
    Smtp,
}

/// How the connection to the mail server is made secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From its first byte.
    Implicit,
    /// By STARTTLS, or not at all.
    Starttls,
    /// Not: only for a mail server of this machine.
    None,
}

/// `[tenancy.notify.smtp]`: the mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// Its name. Default empty; the `smtp` driver needs one.
    pub host: String,
    /// Its port. Default 465.
    pub port: u16,
    /// How the connection is made secret. Default `implicit`.
    pub tls: Tls,
    /// A file of PEM certificates to trust besides the machine's own.
    pub ca_file: Option<PathBuf>,
    /// The name to sign in with; empty: without.
    pub username: String,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// Whom mails come from: `souk <souk@example.org>`. The `smtp` driver needs one.
    pub from: String,
    /// How long the server may take over one command, in seconds. Default 10, at most 60.
    pub timeout_seconds: u64,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 465,
            tls: Tls::Implicit,
            ca_file: None,
            username: String::new(),
            password_file: None,
            from: String::new(),
            timeout_seconds: 10,
        }
    }
}

impl Notify {
    fn check(&self, mistakes: &mut Vec<String>) {
        let mut note = |holds: bool, text: &str| {
            if !holds {
                mistakes.push(format!("notify.{text}"));
            }
        };
        let url =
            self.public_url.strip_prefix("https://").or_else(|| self.public_url.strip_prefix("http://"));
        let plain = |host: &str| !host.is_empty() && !host.contains(char::is_whitespace);
        note(url.is_some_and(plain), "public_url: an address such as https://souk.example.org");
        if self.driver == Driver::Log {
            return;
        }
        let smtp = &self.smtp;
        note(plain(&smtp.host), "smtp.host: the smtp driver needs the mail server's name");
        note(smtp.port != 0, "smtp.port: from 1 to 65535");
        note((1..=60).contains(&smtp.timeout_seconds), "smtp.timeout_seconds: from 1 to 60");
        note(sender(&smtp.from).is_some(), "smtp.from: an address such as souk <souk@example.org>");
        let own = matches!(smtp.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        note(smtp.tls != Tls::None || own, "smtp.tls: none is for a mail server of this machine only");
        let alone = smtp.username.is_empty() == smtp.password_file.is_none();
        note(alone, "smtp: username and password_file belong together");
        for (name, path) in [("password_file", &smtp.password_file), ("ca_file", &smtp.ca_file)] {
            if let Some(Err(error)) = path.as_ref().map(std::fs::read_to_string) {
                note(false, &format!("smtp.{name}: {error}"));
            }
        }
    }
}

/// Whom mails come from, where the text says so.
pub(crate) fn sender(text: &str) -> Option<lettre::message::Mailbox> {
    text.parse().ok()
}

impl Config {
    /// The rules of trials.
    pub(crate) fn trials(&self) -> Rules {
        Rules {
            amount: self.trial(),
            per_day: self.trials_per_day,
            per_domain: self.trials_per_domain_and_day,
            disposable: self.disposable_domains.clone(),
            shared: self.shared_domains.clone(),
        }
    }

    /// The bounds of membership.
    pub(crate) const fn bounds(&self) -> Bounds {
        Bounds { members: self.max_members_per_org, orgs: self.max_orgs_per_user }
    }

    /// The terms of invitations.
    pub(crate) const fn invitations(&self) -> Terms {
        Terms {
            life: days(self.invitation_days),
            open: self.max_open_invitations_per_org,
            per_day: self.max_invitations_per_org_and_day,
            mail: match self.notify.driver {
                Driver::Log => MailState::Logged,
                Driver::Smtp => MailState::Pending,
            },
        }
    }

    /// Whom an invitation's code lets in.
    pub(crate) const fn admission(&self) -> Admission {
        Admission { bounds: self.bounds(), by_mail_alone: matches!(self.notify.driver, Driver::Smtp) }
    }

    /// How long the audit trail is kept.
    pub(crate) const fn audit_life(&self) -> Duration {
        days(self.audit_days)
    }

    /// What a new user's workspace is granted; a sum beyond what credits can be is refused by `check`.
    #[must_use]
    pub fn trial(&self) -> Credits {
        Credits::from_whole(self.trial_credits).unwrap_or(Credits::ZERO)
    }

    /// Memberships that a credential is resolved to at the most, whatever was configured when they were made.
    #[must_use]
    pub fn memberships() -> u64 {
        u64::try_from(MEMBERSHIPS).unwrap_or(u64::MAX)
    }

    /// How long a sign-in link can be redeemed.
    #[must_use]
    pub const fn link_life(&self) -> Duration {
        Duration::from_secs(self.sign_in_link_minutes.saturating_mul(60))
    }

    /// How long a session lasts.
    #[must_use]
    pub const fn session_life(&self) -> Duration {
        days(self.session_days)
    }
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(24 * 3600))
}

impl Section for Config {
    const NAME: &'static str = "tenancy";

    fn check(&self, mistakes: &mut Vec<String>) {
        let whole = |name: &str, value: u64, most: u64| {
            (value == 0 || value > most).then(|| format!("{name}: from 1 to {most}"))
        };
        if self.trial_credits < 0 || Credits::from_whole(self.trial_credits).is_none() {
            mistakes.push("trial_credits: 0 or more, and no more than a wallet can hold".to_owned());
        }
        mistakes.extend(whole("sign_in_link_minutes", self.sign_in_link_minutes, 60));
        mistakes.extend(whole("session_days", self.session_days, 365));
        mistakes.extend(whole("max_orgs_per_user", self.max_orgs_per_user, Self::memberships()));
        mistakes.extend(whole("max_projects_per_org", self.max_projects_per_org, 1000));
        mistakes.extend(whole("max_members_per_org", self.max_members_per_org, 100_000));
        mistakes.extend(whole("max_teams_per_org", self.max_teams_per_org, 1000));
        mistakes.extend(whole("invitation_days", self.invitation_days, 30));
        mistakes.extend(whole("max_open_invitations_per_org", self.max_open_invitations_per_org, 10_000));
        let per_day = self.max_invitations_per_org_and_day;
        mistakes.extend(whole("max_invitations_per_org_and_day", per_day, 10_000));
        mistakes.extend(whole("audit_days", self.audit_days, 3650));
        for (name, domains) in
            [("disposable_domains", &self.disposable_domains), ("shared_domains", &self.shared_domains)]
        {
            // What is written otherwise would be compared with and never found.
            let plain = |domain: &&String| {
                format!("a@{domain}")
                    .parse::<Email>()
                    .is_ok_and(|email| email.as_str() == format!("a@{domain}"))
            };
            mistakes.extend(
                domains
                    .iter()
                    .filter(|domain| !plain(domain))
                    .map(|domain| format!("{name}: {domain:?} is no domain in lower case")),
            );
        }
        self.notify.check(mistakes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_bounds_are_said_all_at_once() {
        let mut mistakes = Vec::new();
        Config::default().check(&mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let bad = Config {
            trial_credits: i64::MAX,
            sign_in_link_minutes: 0,
            session_days: 366,
            max_orgs_per_user: 101,
            max_projects_per_org: 0,
            max_members_per_org: 0,
            max_teams_per_org: 1001,
            invitation_days: 31,
            max_open_invitations_per_org: 0,
            max_invitations_per_org_and_day: 10_001,
            audit_days: 0,
            disposable_domains: vec!["Trash.example".into(), "trash.example".into(), "*".into(), "".into()],
            shared_domains: vec!["a b".into()],
            notify: Notify { public_url: "ftp://x".into(), ..Notify::default() },
            ..Config::default()
        };
        bad.check(&mut mistakes);
        assert_eq!(mistakes.len(), 5 + 6 + 4 + 1, "{mistakes:#?}");
    }

    #[test]
    fn a_mail_server_needs_a_name_a_sender_and_a_secret_line() {
        let mistakes = |smtp: Smtp| {
            let mut mistakes = Vec::new();
            let notify = Notify { driver: Driver::Smtp, smtp, ..Notify::default() };
            Config { notify, ..Config::default() }.check(&mut mistakes);
            mistakes
        };
        let good = Smtp {
            host: "mail.example.org".into(),
            from: "souk <souk@example.org>".into(),
            ..Smtp::default()
        };
        assert_eq!(mistakes(good.clone()), Vec::<String>::new());
        assert_eq!(mistakes(Smtp::default()).len(), 2);
        assert_eq!(mistakes(Smtp { tls: Tls::None, ..good.clone() }).len(), 1, "in clear across a network");
        assert!(mistakes(Smtp { tls: Tls::None, host: "localhost".into(), ..good.clone() }).is_empty());
        let half = Smtp { username: "souk".into(), timeout_seconds: 0, port: 0, ..good.clone() };
        assert_eq!(mistakes(half).len(), 3);
        let absent = Smtp { ca_file: Some("absent.pem".into()), from: "nobody".into(), ..good };
        assert_eq!(mistakes(absent).len(), 2);
    }
}
