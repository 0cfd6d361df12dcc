//! How a part calls another: one channel a part, in this process or across the network, and one client
//! stack on top of it (mesh token, trace, deadline, retries within a budget).

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full, Limited};
use souk_proto::{Replay, Rule, rule};
use souk_types::{Acting, Fault, PartName, Reason};
use tonic::{body::Body, transport::Channel};
use tower::Service;

use crate::{
    socket,
    status::{chain, encode},
    streak::Streak,
    token::Tokens,
};

/// How long a unary call may take when the caller does not say.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tries of one call at the most.
const TRIES: u32 = 3;
/// The largest request that is kept for another try.
const KEPT: usize = 4 * 1024 * 1024 + 1024;
/// Retries allowed at once before successes must earn more, in tenths of a retry.
const BUDGET: i64 = 100;

/// Reaches every part from one part.
#[derive(Clone)]
pub struct Dial {
    channels: Arc<BTreeMap<PartName, Channel>>,
    tokens: Arc<Tokens>,
    budget: Arc<AtomicI64>,
    /// Calls in a row that each part did not answer.
    silence: Arc<BTreeMap<PartName, Streak>>,
}

impl Dial {
    pub(crate) fn new(channels: Arc<BTreeMap<PartName, Channel>>, tokens: Arc<Tokens>) -> Self {
        let silence = Arc::new(channels.keys().map(|part| (*part, Streak::default())).collect());
        Self { channels, tokens, budget: Arc::new(AtomicI64::new(BUDGET)), silence }
    }

    /// A channel for a generated client that calls `part` on behalf of `acting`.
    #[must_use]
    pub fn to(&self, part: PartName, acting: Acting) -> PartChannel {
        PartChannel {
            part,
            channel: self.channels.get(&part).cloned(),
            dial: self.clone(),
            acting: Some(acting),
        }
    }

    /// A channel that passes requests as they are, tokens included: the gateway's, which mints the token
    /// of the person it authenticated.
    #[must_use]
    pub fn raw(&self, part: PartName) -> Option<Channel> {
        self.channels.get(&part).cloned()
    }
}

/// One part's channel with the client stack on it.
#[derive(Clone)]
pub struct PartChannel {
    part: PartName,
    channel: Option<Channel>,
    dial: Dial,
    acting: Option<Acting>,
}

type Answer = http::Response<Body>;

impl Service<http::Request<Body>> for PartChannel {
    type Response = Answer;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Each try waits for the channel itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.send(request).await })
    }
}

/// The caller reads this as if it came from the part, and tells of it where it is handled.
fn refuse(fault: &Fault) -> Answer {
    encode(fault).into_http()
}

impl PartChannel {
    async fn send(self, mut request: http::Request<Body>) -> Result<Answer, tonic::transport::Error> {
        let Some(channel) = self.channel.clone() else {
            return Ok(refuse(&self.away("the part is not part of this mesh")));
        };
        if let Err(fault) = self.introduce(&mut request) {
            return Ok(refuse(&fault));
        }
        let unary = rule(request.uri().path()).filter(|rule| !rule.server_streaming);
        let patience = crate::access::timeout(request.headers());
        if unary.is_some() && patience.is_none() {
            request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("30S"));
        }
        let work = async {
            match unary {
                Some(rule) => self.with_retries(rule, channel, request).await,
                // A stream is waited for until it begins; how long it lasts is its reader's affair.
                None => {
                    let outcome = once(channel, request).await.inspect(|_| self.heard());
                    outcome.unwrap_or_else(|error| self.lost(error))
                }
            }
        };
        Ok(tokio::time::timeout(patience.unwrap_or(PATIENCE), work)
            .await
            .unwrap_or_else(|_| refuse(&self.late())))
    }

    fn introduce(&self, request: &mut http::Request<Body>) -> Result<(), Fault> {
        let Some(acting) = &self.acting else { return Ok(()) };
        let token = self.dial.tokens.for_part(self.part, acting.org)?;
        let header = |text: String| HeaderValue::try_from(text).map_err(|error| Fault::bug("kit", error));
        request.headers_mut().insert(AUTHORIZATION, header(format!("Bearer {token}"))?);
        // A socket serves the events of every part behind it: without the name it could not tell whose.
        request.headers_mut().insert(socket::PART, header(self.part.to_string())?);
        if !acting.trace.id.is_empty() {
            request.headers_mut().insert("traceparent", header(acting.trace.header())?);
        }
        Ok(())
    }

    fn away(&self, text: &str) -> Fault {
        Fault::new(Reason::Unavailable, self.part.as_str(), format!("{}: {text}", self.part))
            .with("part", self.part)
            .retry_in(Duration::from_secs(1))
    }

    fn late(&self) -> Fault {
        let text = format!("{} did not answer in time", self.part);
        Fault::new(Reason::DeadlineExceeded, self.part.as_str(), text)
    }

    /// What a call came to that got no answer.
    fn lost(&self, error: tonic::transport::Error) -> Answer {
        if is_late(&error) {
            return refuse(&self.late());
        }
        let (part, cause) = (self.part.as_str(), chain(&error));
        match self.dial.silence.get(&self.part).map(Streak::failed) {
            Some((calls, true)) => tracing::warn!(part, calls, cause, "part does not answer"),
            _ => tracing::debug!(part, cause, "part does not answer"),
        }
        refuse(&self.away("the part does not answer").because(error))
    }

    fn heard(&self) {
        if let Some(calls) = self.dial.silence.get(&self.part).and_then(Streak::ended) {
            tracing::info!(part = self.part.as_str(), calls, "part answers again");
        }
    }

    async fn with_retries(&self, rule: &Rule, channel: Channel, request: http::Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        // A body beyond the limit is not sent: the other side would refuse it.
        let body = match Limited::new(body, KEPT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => {
                let text = "the message is larger than 4 MiB";
                return refuse(&Fault::new(Reason::MessageTooLarge, self.part.as_str(), text));
            }
        };
        let repeatable = rule.replay == Replay::Read || (rule.has_request_id && rule.replay != Replay::Once);
        let mut attempt = 1;
        loop {
            let outcome = once(channel.clone(), again(&head, &body)).await;
            let away = match &outcome {
                Ok(answer) => is_unavailable(answer),
                Err(error) => !is_late(error),
            };
            if outcome.is_ok() {
                self.heard();
                if !away {
                    self.earn();
                }
            }
            if !away || !repeatable || attempt >= TRIES || !self.spend() {
                return outcome.unwrap_or_else(|error| self.lost(error));
            }
            tokio::time::sleep(Duration::from_millis(20) * 4_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }

    fn earn(&self) {
        let _ = self
            .dial
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left < BUDGET).then_some(left + 1));
    }

    fn spend(&self) -> bool {
        let taken = self
            .dial
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left >= 10).then_some(left - 10));
        taken.is_ok()
    }
}

fn again(head: &http::request::Parts, body: &Bytes) -> http::Request<Body> {
    let mut request = http::Request::new(Body::new(Full::new(body.clone())));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers.clone();
    request
}

async fn once(mut channel: Channel, request: http::Request<Body>) -> Result<Answer, tonic::transport::Error> {
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
    channel.call(request).await
}

/// Whether the channel's own timer, which reads the same header as ours, went off first.
fn is_late(error: &tonic::transport::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<tonic::TimeoutExpired>() {
            return true;
        }
        source = inner.source();
    }
    false
}

fn is_unavailable(answer: &Answer) -> bool {
    answer.headers().get("grpc-status").is_some_and(|code| code == "14")
}
