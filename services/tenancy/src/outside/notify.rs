//! How people are told of what concerns them: the port, and the driver that writes to the log.
//!
//! A letter carries a link that signs somebody in. It is written nowhere but in the mail, save where the
//! operator set `log_links`.

use souk_types::{Fault, Secret};

use super::smtp::Smtp;
use crate::{
    config::{Driver, Notify},
    model::{Email, invitation::Delivery},
};

/// What somebody is told.
pub(crate) struct Letter<'a> {
    /// Who.
    pub(crate) to: &'a Email,
    /// Names the letter for ever: who gets it twice sees it once.
    pub(crate) name: String,
    /// Its subject.
    pub(crate) subject: &'static str,
    /// Its text above the link.
    pub(crate) text: String,
    /// The link.
    pub(crate) link: Secret<String>,
}

/// Carries letters.
pub(crate) enum Notifier {
    /// Writes to the log that there is one; `links`: and the link itself.
    Log {
        /// Whether the operator wants the links in the log.
        links: bool,
    },
    /// Sends mails.
    Smtp(Box<Smtp>),
}

impl Notifier {
    /// The notifier that the operator chose.
    ///
    /// # Errors
    /// When a file that it names cannot be read or understood.
    pub(crate) fn new(config: &Notify) -> Result<Self, Fault> {
        match config.driver {
            Driver::Log => Ok(Self::Log { links: config.log_links }),
            Driver::Smtp => Ok(Self::Smtp(Box::new(Smtp::new(&config.smtp)?))),
        }
    }

    /// Carries one letter.
    pub(crate) async fn carry(&self, letter: &Letter<'_>) -> Delivery {
        match self {
            Self::Log { links: true } => {
                let (letter_name, link) = (letter.name.as_str(), letter.link.expose().as_str());
                tracing::warn!(letter = letter_name, to = %letter.to, link, "link in the log, as log_links asks");
                Delivery::Logged
            }
            Self::Log { links: false } => {
                tracing::info!(letter = letter.name, "invited; the inviter hands the link over");
                Delivery::Logged
            }
            Self::Smtp(smtp) => smtp.send(letter).await,
        }
    }
}
