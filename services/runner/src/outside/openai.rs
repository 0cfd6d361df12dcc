//! Model endpoints that speak the OpenAI chat completions protocol: one question, one answer, streamed.
//!
//! A request goes to the endpoint's URL and nowhere else: no redirect is followed, no proxy of the
//! surroundings is taken. Nothing is asked twice: a question costs money. The key stands in one header and
//! in nothing that leaves here.

mod answer;
mod redact;
mod sse;

use std::time::Duration;

use reqwest::{
    Client, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect,
};
use serde_json::{Map, Value, json};
use souk_secrets::Value as Key;
use tokio::{sync::mpsc, time::timeout};

use self::{answer::Part, redact::Passing, sse::Reader};
use crate::{Config, native::Said};

/// The most bytes of an answer in one piece.
const BODY: usize = 8 * 1024 * 1024;
/// The most bytes of a stream, envelopes included.
const STREAM: usize = 64 * 1024 * 1024;
/// The most bytes of an error that are read.
const ERROR: usize = 16 * 1024;
/// The most characters of an error that are told.
const TOLD: usize = 300;

/// Where to ask, and with which key.
pub(crate) struct Target<'a> {
    pub(crate) url: &'a str,
    pub(crate) key: Option<&'a Key>,
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The endpoint said no.
    Refused { why: String, status: Option<u16> },
    /// It does not answer, or broke off.
    Away { why: String, status: Option<u16> },
    /// Nobody listens any more.
    Left,
}

impl Failure {
    fn away(why: impl Into<String>) -> Self {
        Self::Away { why: why.into(), status: None }
    }
}

/// Asks model endpoints.
#[derive(Clone)]
pub(crate) struct OpenAi {
    client: Client,
    stream: bool,
    first_byte: Duration,
    idle: Duration,
    whole: Duration,
}

impl OpenAi {
    /// # Errors
    /// When this machine cannot make TLS connections at all.
    pub(crate) fn new(config: &Config) -> Result<Self, reqwest::Error> {
        let millis = |value: u32| Duration::from_millis(u64::from(value));
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(millis(config.model_connect_ms))
            .user_agent(concat!("souk/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            stream: config.stream_models,
            first_byte: millis(config.model_first_byte_ms),
            idle: millis(config.model_idle_ms),
            whole: millis(config.model_whole_ms),
        })
    }

    /// Asks, and says what is answered to `say` as it comes.
    pub(crate) async fn ask(
        &self,
        target: &Target<'_>,
        body: Map<String, Value>,
        say: &mut Say<'_>,
    ) -> Result<(), Failure> {
        let whole = format!("did not end its answer within {} ms", self.whole.as_millis());
        let asked = timeout(self.whole, self.ask_within(target, body, say)).await;
        asked.unwrap_or_else(|_| Err(Failure::away(whole)))
    }

    async fn ask_within(
        &self,
        target: &Target<'_>,
        body: Map<String, Value>,
        say: &mut Say<'_>,
    ) -> Result<(), Failure> {
        let sent = self.send(target, body);
        let response = match timeout(self.first_byte, sent).await {
            Ok(response) => response?,
            Err(_) => {
                let within = self.first_byte.as_millis();
                return Err(Failure::away(format!("did not begin to answer within {within} ms")));
            }
        };
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response, target.key).await);
        }
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let streams = kind.contains("event-stream") || (self.stream && !kind.contains("json"));
        let mut hearing = Hearing::new(target.key);
        let outcome = match streams {
            true => self.hear_stream(response, &mut hearing, say).await,
            false => self.hear_whole(response, &mut hearing, say).await,
        };
        let answered = hearing.answered();
        if !matches!(outcome, Err(Failure::Left)) {
            say.text(hearing.passing.finish()).await?;
        }
        outcome.and_then(|()| if answered { Ok(()) } else { Err(nothing()) })
    }

    async fn send(&self, target: &Target<'_>, mut body: Map<String, Value>) -> Result<Response, Failure> {
        let url = completions(target.url).ok_or_else(|| Failure::Refused {
            why: "has a URL that is not https, nor http on loopback".to_owned(),
            status: None,
        })?;
        body.insert("stream".to_owned(), self.stream.into());
        if self.stream {
            body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
        let mut request =
            self.client.post(url).header(ACCEPT, "text/event-stream, application/json").json(&body);
        if let Some(key) = target.key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
                Failure::Refused { why: "has a key that no header can carry".to_owned(), status: None }
            })?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        request.send().await.map_err(|error| {
            let what = if error.is_connect() { "cannot be reached" } else { "broke off before it answered" };
            // Name, address or certificate: what the operator looks for, and no buyer's business.
            let cause = souk_kit::status::chain(&error.without_url());
            tracing::warn!(url = target.url, cause, "a model endpoint does not answer");
            Failure::away(what)
        })
    }

    /// What a status other than success means. It is told in the endpoint's own words, without the key.
    async fn refused(&self, mut response: Response, key: Option<&Key>) -> Failure {
        let status = response.status();
        let mut body = Vec::new();
        while body.len() < ERROR {
            match timeout(self.idle, response.chunk()).await {
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                _ => break,
            }
        }
        body.truncate(ERROR);
        let words = match status.is_redirection() {
            true => "redirects are not followed".to_owned(),
            false => redact::told(&answer::reason(&body), key, TOLD),
        };
        let why = format!("answered {}{}{words}", status.as_u16(), if words.is_empty() { "" } else { ": " });
        let status_code = Some(status.as_u16());
        // Too many and too slow pass; everything else a client is told stays as it is.
        if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
            Failure::Away { why, status: status_code }
        } else {
            Failure::Refused { why, status: status_code }
        }
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Failure> {
        match timeout(self.idle, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(_)) => Err(broke_off()),
            Err(_) => Err(Failure::away(format!("fell silent for {} ms", self.idle.as_millis()))),
        }
    }

    async fn hear_whole(
        &self,
        mut response: Response,
        hearing: &mut Hearing<'_>,
        say: &mut Say<'_>,
    ) -> Result<(), Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if body.len().saturating_add(chunk.len()) > BODY {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        if body.trim_ascii().is_empty() {
            return Err(nothing());
        }
        let part = answer::part(&body).ok_or_else(no_answer)?;
        hearing.pass(part, say).await
    }

    async fn hear_stream(
        &self,
        mut response: Response,
        hearing: &mut Hearing<'_>,
        say: &mut Say<'_>,
    ) -> Result<(), Failure> {
        let (mut reader, mut bytes) = (Reader::default(), 0_usize);
        while let Some(chunk) = self.chunk(&mut response).await? {
            bytes = bytes.saturating_add(chunk.len());
            if bytes > STREAM {
                return Err(too_large());
            }
            for event in reader.push(&chunk).map_err(|_| too_large())? {
                if event.trim() == "[DONE]" {
                    return Ok(());
                }
                let part = answer::part(event.as_bytes()).ok_or_else(no_answer)?;
                hearing.pass(part, say).await?;
            }
        }
        // The stream is over without the word for it: whole only where the answer itself said so.
        if let Some(event) = reader.finish().map_err(|_| too_large())? {
            if event.trim() == "[DONE]" {
                return Ok(());
            }
            let part = answer::part(event.as_bytes()).ok_or_else(broke_off)?;
            hearing.pass(part, say).await?;
        }
        // One that ended before it began is no half answer.
        if hearing.finished || !hearing.began() { Ok(()) } else { Err(broke_off()) }
    }
}

/// What is heard of one answer.
struct Hearing<'a> {
    key: Option<&'a Key>,
    passing: Passing<'a>,
    /// Some text came.
    text: bool,
    /// The endpoint counted something that was used.
    counted: bool,
    /// The answer said why it is over.
    finished: bool,
}

impl<'a> Hearing<'a> {
    fn new(key: Option<&'a Key>) -> Self {
        Self { key, passing: Passing::new(key), text: false, counted: false, finished: false }
    }

    const fn began(&self) -> bool {
        self.text || self.counted
    }

    /// Whether a model has answered. One may have nothing to say; then the endpoint says that it read the
    /// question (a count) and that it is done (a reason). A success without these, as of a proxy whose model is
    /// gone, is no answer: a run must not be charged for it, nor show it as one.
    const fn answered(&self) -> bool {
        self.text || (self.counted && self.finished)
    }

    /// Says a part on.
    async fn pass(&mut self, part: Part, say: &mut Say<'_>) -> Result<(), Failure> {
        if let Some(error) = part.error {
            let words = redact::told(&error, self.key, TOLD);
            return Err(Failure::away(format!("gave up in the middle of its answer: {words}")));
        }
        // First: a text that comes with its count needs no measure.
        if let Some((input, output)) = part.used {
            self.counted |= input > 0 || output > 0;
            say.say(Said::Used(input, output)).await?;
        }
        if let (None, Some(model)) = (&say.model, &part.model) {
            say.model = Some(redact::told(model, self.key, TOLD));
        }
        self.finished |= part.finished;
        if !part.text.is_empty() {
            self.text = true;
            say.text(self.passing.push(&part.text)).await?;
        }
        Ok(())
    }
}

fn nothing() -> Failure {
    Failure::away("answered nothing")
}

fn broke_off() -> Failure {
    Failure::away("broke off in the middle of its answer")
}

fn too_large() -> Failure {
    Failure::away("answered more than is taken")
}

fn no_answer() -> Failure {
    Failure::away("answered something that is no chat completion")
}

/// Where completions of a base URL are; `None` when a key must not go there.
fn completions(base: &str) -> Option<Url> {
    let url = Url::parse(&format!("{}/chat/completions", base.trim_end_matches('/'))).ok()?;
    let host = url.host_str()?;
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let local = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    let safe = url.scheme() == "https" || (url.scheme() == "http" && local);
    (safe && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Who hears an answer.
pub(crate) struct Say<'a> {
    /// Tells the answers of a run apart.
    pub(crate) at: usize,
    pub(crate) ears: &'a mpsc::Sender<(usize, Said)>,
    /// The model that answers, by the endpoint's word; set while it does.
    pub(crate) model: Option<String>,
}

impl<'a> Say<'a> {
    pub(crate) const fn new(at: usize, ears: &'a mpsc::Sender<(usize, Said)>) -> Self {
        Self { at, ears, model: None }
    }

    async fn text(&mut self, text: String) -> Result<(), Failure> {
        if text.is_empty() { Ok(()) } else { self.say(Said::Text(text)).await }
    }

    pub(crate) async fn say(&mut self, said: Said) -> Result<(), Failure> {
        self.ears.send((self.at, said)).await.map_err(|_| Failure::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_https_or_this_machine_only() {
        for (base, url) in [
            ("https://a.example/v1", "https://a.example/v1/chat/completions"),
            ("https://a.example/v1/", "https://a.example/v1/chat/completions"),
            ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/chat/completions"),
            ("http://[::1]:9", "http://[::1]:9/chat/completions"),
        ] {
            assert_eq!(completions(base).map(String::from).as_deref(), Some(url));
        }
        for base in
            ["http://a.example/v1", "ftp://127.0.0.1", "https://u:p@a.example", "", "http://10.0.0.1", "x"]
        {
            assert_eq!(completions(base), None, "{base}");
        }
    }
}
