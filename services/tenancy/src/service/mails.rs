//! The mails that carry invitations: each is tried until the mail server takes it, or given up in sight.

use std::time::Duration;

use souk_types::Secret;

use super::Service;
use crate::{
    error::Error,
    model::invitation::{Delivery, Mail, MailState},
    outside::Letter,
};

/// Mails one turn tries.
const BATCH: u64 = 16;
/// How long one has for its try before others take it up. More than any try may take.
const LEASE: Duration = Duration::from_secs(300);
/// The longest name of an org that a mail repeats, in characters.
const NAME: usize = 60;

impl Service {
    /// One turn of the loop: tries the mails that are due; says whether there may be more.
    pub(crate) async fn mails_turn(&self) -> Result<bool, Error> {
        let due = self.store.due_mails(self.store.now(), BATCH).await?;
        let full = u64::try_from(due.len()) == Ok(BATCH);
        for mail in due {
            self.try_mail(&mail).await?;
        }
        Ok(full)
    }

    async fn try_mail(&self, mail: &Mail) -> Result<(), Error> {
        let tried = mail.tried(self.store.now() + LEASE);
        if !self.store.move_mail(mail, &tried).await? {
            // Another replica has it, or its invitation was closed.
            return Ok(());
        }
        let delivery = self.deliver(&tried).await?;
        let after = tried.after(self.store.now(), &delivery);
        let noted = self.store.move_mail(&tried, &after).await?;
        let (id, attempts, cause) = (mail.invitation_id, after.attempts, after.last_error.as_str());
        match after.state {
            MailState::Failed if noted => {
                tracing::error!(invitation_id = %id, attempts, cause, "mail given up")
            }
            MailState::Pending => tracing::warn!(invitation_id = %id, attempts, cause, "mail waits"),
            MailState::Failed | MailState::Sent | MailState::Logged | MailState::Dropped => {}
        }
        Ok(())
    }

    async fn deliver(&self, mail: &Mail) -> Result<Delivery, Error> {
        if !self.store.is_open(mail.invitation_id).await? {
            return Ok(Delivery::Needless);
        }
        let Some(code) = self.seal.open(mail.email.as_str(), &mail.sealed_code) else {
            return Ok(Delivery::Never("the keyring that sealed it is gone".to_owned()));
        };
        let org = plain(&self.store.org_name(mail).await?);
        let base = self.config.notify.public_url.trim_end_matches('/');
        let days = self.config.invitation_days;
        let letter = Letter {
            to: &mail.email,
            name: mail.invitation_id.to_string(),
            subject: "You are invited",
            text: format!(
                "You are invited to join the org \"{org}\". Follow the link to accept; it works once and \
                 for {days} days.\r\nIf you expected no invitation, do nothing."
            ),
            link: Secret::new(format!("{base}/sign-in/{code}")),
        };
        Ok(self.notifier.carry(&letter).await)
    }
}

/// An org's name as a stranger's mail may repeat it: nothing that a reader makes a link of.
fn plain(name: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || " -_&'".contains(*letter);
    name.chars().filter(kept).take(NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orgs_name_brings_no_link_into_a_mail() {
        assert_eq!(plain("Bäckerei Müller & Söhne"), "Bäckerei Müller & Söhne");
        assert_eq!(plain("Win at https://evil.example/x?y"), "Win at httpsevilexamplexy");
        assert_eq!(plain(&"a".repeat(100)).len(), NAME);
        assert_eq!(plain("<b>\r\n.\r\n"), "b");
    }
}
