//! The layers around every handler besides access. Around access: a figure and a log line for each call, a
//! wall against panics. Within it, for callers who are proven to be who they say and may call the method at
//! all: a bound on what is at work at once, a wait for the message, a deadline.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use http_body_util::{BodyExt as _, Limited};
use souk_proto::rule;
use souk_types::{Caller, Clock, Fault, PartName, Reason};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::access::{Opened, refuse, timeout};

/// How long a unary call may take when its caller sets no deadline.
const LONGEST: Duration = Duration::from_secs(120);
/// How much earlier than its caller a part gives up, at the most.
const MARGIN: Duration = Duration::from_millis(50);
/// How long a request may take to arrive: every method takes one message, and whoever trickles it holds a
/// place meanwhile.
const ARRIVAL: Duration = Duration::from_secs(10);
/// The largest request, with the frame around its message.
const LARGEST: usize = 4 * 1024 * 1024 + 5;
/// Unary calls at work at once in one part.
const AT_WORK: usize = 1024;
/// Of these, calls that the gateway brings from outside: the rest is kept for parts that call each other,
/// so that a crowd at the door does not stop the work behind it.
const FROM_OUTSIDE: usize = 768;

/// What the layers share.
#[derive(Clone)]
pub(crate) struct Guard {
    part: &'static str,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    outside: Arc<Semaphore>,
}

impl Guard {
    pub(crate) fn new(part: &'static str, clock: Arc<dyn Clock>) -> Self {
        let (places, outside) = (Semaphore::new(AT_WORK), Semaphore::new(FROM_OUTSIDE));
        Self { part, clock, places: Arc::new(places), outside: Arc::new(outside) }
    }

    /// A place for a unary call; `None` when there is none. A watch holds none: its work is done when nothing
    /// changes.
    fn place(&self, caller: &Caller) -> Option<(SemaphorePermit<'_>, Option<SemaphorePermit<'_>>)> {
        let outside = !matches!(caller, Caller::Part { part, .. } if *part != PartName::Gateway);
        let outside = if outside { Some(self.outside.try_acquire().ok()?) } else { None };
        Some((self.places.try_acquire().ok()?, outside))
    }

    async fn bounded(&self, request: Request, next: Next) -> Response {
        let streaming = rule(request.uri().path()).is_some_and(|rule| rule.server_streaming);
        let opened = request.extensions().get::<Opened>();
        let caller = opened.map_or(Caller::Anonymous, |opened| opened.claims.caller.clone());
        let place = if streaming { None } else { self.place(&caller) };
        if !streaming && place.is_none() {
            let fault =
                Fault::new(Reason::TooManyRequests, self.part, "the part is at work on as much as it takes");
            return refuse(fault.retry_in(Duration::from_millis(200)));
        }
        // The server beneath has a timer for the same header, and answers CANCELLED: this one goes first.
        let asked = timeout(request.headers()).map(|span| span - (span / 4).min(MARGIN));
        let longest = asked.unwrap_or(LONGEST).min(LONGEST);
        let request = match arrived(self.part, request).await {
            Ok(request) => request,
            Err(fault) => return refuse(fault),
        };
        match tokio::time::timeout(longest, next.run(request)).await {
            Ok(response) => readable(self.part, response),
            Err(_) => {
                let text = "the deadline passed before the call was done";
                refuse(Fault::new(Reason::DeadlineExceeded, self.part, text))
            }
        }
    }
}

/// Waits until the request's message is here, whole.
async fn arrived(part: &'static str, request: Request) -> Result<Request, Fault> {
    let (head, body) = request.into_parts();
    let whole = tokio::time::timeout(ARRIVAL, Limited::new(body, LARGEST).collect()).await;
    let late = |_| Fault::new(Reason::DeadlineExceeded, part, "the request did not arrive in time");
    match whole.map_err(late)? {
        Ok(body) => Ok(Request::from_parts(head, Body::from(body.to_bytes()))),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let text = "the message is larger than 4 MiB";
            Err(Fault::new(Reason::MessageTooLarge, part, text).with("limit", LARGEST - 5))
        }
        Err(error) => Err(Fault::new(Reason::Cancelled, part, "the request broke off").because(error)),
    }
}

/// How the codec beneath begins when the bytes are no message of the method. It says INTERNAL or
/// OUT_OF_RANGE and names no reason, as every refusal of a handler does.
const UNREADABLE: [&str; 5] = [
    "failed to decode Protobuf message",
    "protocol error: ",
    "Unexpected EOF decoding stream",
    "Missing request message",
    "Error, decoded message length too large",
];

/// A request that cannot be read is the caller's mistake, and is said to be.
fn readable(part: &'static str, response: Response) -> Response {
    match Status::from_header_map(response.headers()) {
        Some(status)
            if matches!(status.code(), Code::Internal | Code::OutOfRange)
                && status.details().is_empty()
                && UNREADABLE.iter().any(|text| status.message().starts_with(text)) =>
        {
            let text = format!("the request cannot be read: {}", status.message());
            refuse(Fault::new(Reason::InvalidArgument, part, text))
        }
        _ => response,
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}

/// The layer within access. Were it around it, whoever shows no token could hold a place for as long as a
/// message may take to arrive.
pub(crate) async fn bound(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    guard.bounded(request, next).await
}

/// The layer around everything.
pub(crate) async fn watch_over(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let start = guard.clock.now();
    let rpc = rule(request.uri().path()).map_or("unknown", |rule| rule.path);
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let panicked = |panic: Box<dyn Any + Send>| refuse(Fault::bug(guard.part, panic_text(panic.as_ref())));
    let response = work.await.unwrap_or_else(panicked);
    let refused = Status::from_header_map(response.headers());
    let code = refused.as_ref().map_or(Code::Ok, Status::code);
    let took = guard.clock.now().since(start);
    metrics::counter!("souk_rpc_total", "rpc" => rpc, "code" => name(code)).increment(1);
    metrics::histogram!("souk_rpc_seconds", "rpc" => rpc).record(took.as_secs_f64());
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match refused {
        None => tracing::debug!(part = guard.part, rpc, micros, "call answered"),
        Some(status) => {
            let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
            tracing::info!(part = guard.part, rpc, micros, code = name(code), reason, "call refused");
        }
    }
    response
}

/// A gRPC code as metrics and logs name it.
#[must_use]
pub const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::clock::MachineClock;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_is_sent_away() {
        let first = async { Ok::<_, std::io::Error>("x") };
        let body = futures::stream::once(first).chain(futures::stream::pending());
        let request = Request::new(Body::from_stream(body));
        let fault = arrived("billing", request).await.unwrap_err();
        assert_eq!(fault.reason, Reason::DeadlineExceeded);
        let large = Request::new(Body::from(vec![0; LARGEST + 1]));
        assert_eq!(arrived("billing", large).await.unwrap_err().reason, Reason::MessageTooLarge);
        assert!(arrived("billing", Request::new(Body::from(vec![0; LARGEST]))).await.is_ok());
    }

    #[test]
    fn a_crowd_at_the_door_leaves_places_for_the_parts() {
        let guard = Guard::new("billing", Arc::new(MachineClock));
        let people = Caller::Anonymous;
        let [door, part] = [PartName::Gateway, PartName::Runs].map(|part| Caller::Part { part, org: None });
        let crowd: Vec<_> = std::iter::from_fn(|| guard.place(&people)).collect();
        assert_eq!(crowd.len(), FROM_OUTSIDE);
        assert!(guard.place(&door).is_none(), "what the door asks for the crowd counts as theirs");
        let parts: Vec<_> = std::iter::from_fn(|| guard.place(&part)).collect();
        assert_eq!(parts.len(), AT_WORK - FROM_OUTSIDE);
        drop(crowd);
        assert!(guard.place(&people).is_some(), "places are given back");
    }
}
