//! Mails by SMTP. A letter that was taken twice, because nobody lived to note the first time, carries the
//! same Message-ID.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, Tls as Line, TlsParameters},
        extension::ClientId,
    },
};
use souk_types::Fault;

use super::Letter;
use crate::{
    config::{self, Tls},
    model::invitation::Delivery,
};

/// Commands that one mail takes at the most: the whole of it is bounded by so many times the command's own.
const COMMANDS: u32 = 4;

/// Sends mails.
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    patience: Duration,
}

fn unusable(what: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Fault {
    move |error| Fault::bug("tenancy", format!("notify.smtp: {what}: {error}"))
}

impl Smtp {
    /// A mail server as it is set.
    ///
    /// # Errors
    /// When a file that it names cannot be read or understood.
    pub(crate) fn new(config: &config::Smtp) -> Result<Self, Fault> {
        let from = config::sender(&config.from).ok_or_else(|| unusable("from")("no address".into()))?;
        let patience = Duration::from_secs(config.timeout_seconds);
        let line = match config.tls {
            Tls::None => Line::None,
            Tls::Implicit => Line::Wrapper(line(config)?),
            Tls::Starttls => Line::Required(line(config)?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(line)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(patience));
        if let Some(path) = &config.password_file {
            let password =
                std::fs::read_to_string(path).map_err(|error| unusable("password_file")(error.into()))?;
            transport =
                transport.credentials(Credentials::new(config.username.clone(), password.trim().to_owned()));
        }
        Ok(Self { transport: transport.build(), from, patience })
    }

    /// Sends one letter.
    pub(crate) async fn send(&self, letter: &Letter<'_>) -> Delivery {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(error) => return Delivery::Never(format!("no mail can be made of it: {error}")),
        };
        // A server that answers one byte at a time stays within its commands' time for ever.
        let whole = self.patience.saturating_mul(COMMANDS);
        match tokio::time::timeout(whole, self.transport.send(message)).await {
            Ok(Ok(_)) => Delivery::Taken,
            Ok(Err(error)) => refused(&error),
            Err(_) => Delivery::Later("the mail server takes too long".to_owned()),
        }
    }

    fn message(&self, letter: &Letter<'_>) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let to = Mailbox::new(None, letter.to.as_str().parse()?);
        let body = format!("{}\r\n\r\n{}\r\n", letter.text, letter.link.expose());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(format!("<{}@{}>", letter.name, self.from.email.domain())))
            .subject(letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        Ok(message)
    }
}

fn line(config: &config::Smtp) -> Result<TlsParameters, Fault> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| unusable("ca_file")(error.into()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable("ca_file")(error.into()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build_rustls().map_err(|error| unusable("tls")(error.into()))
}

/// What becomes of a mail that was not taken. Only a server's own final word is final.
fn refused(error: &Error) -> Delivery {
    // Says the server's code and text; the mail, its link and the password stand in none of them.
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    if error.is_permanent() { Delivery::Never(why) } else { Delivery::Later(why) }
}
