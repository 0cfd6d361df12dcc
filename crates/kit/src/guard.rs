//! The layers around every handler besides access: a deadline, a wall against panics, a bound on what
//! is at work at once, a figure and a log line for each call.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use souk_proto::rule;
use souk_types::{Clock, Fault, Reason};
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::access::{refuse, timeout};

/// How long a unary call may take when its caller sets no deadline.
const LONGEST: Duration = Duration::from_secs(120);
/// How much earlier than its caller a part gives up, at the most.
const MARGIN: Duration = Duration::from_millis(50);
/// Unary calls at work at once in one part.
const AT_WORK: usize = 1024;

/// What the layers share.
#[derive(Clone)]
pub(crate) struct Guard {
    part: &'static str,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
}

impl Guard {
    pub(crate) fn new(part: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { part, clock, places: Arc::new(Semaphore::new(AT_WORK)) }
    }

    async fn bounded(&self, request: Request, next: Next) -> Response {
        let streaming = rule(request.uri().path()).is_some_and(|rule| rule.server_streaming);
        // A watch holds no place: its work is done when nothing changes.
        let place = if streaming { None } else { Some(self.places.try_acquire()) };
        if matches!(place, Some(Err(_))) {
            let fault =
                Fault::new(Reason::TooManyRequests, self.part, "the part is at work on as much as it takes");
            return refuse(fault.retry_in(Duration::from_millis(200)));
        }
        // The server beneath has a timer for the same header, and answers CANCELLED: this one goes first.
        let asked = timeout(request.headers()).map(|span| span - (span / 4).min(MARGIN));
        let longest = asked.unwrap_or(LONGEST).min(LONGEST);
        let work = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(longest, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => refuse(Fault::bug(self.part, panic_text(panic.as_ref()))),
            Err(_) => {
                let text = "the deadline passed before the call was done";
                refuse(Fault::new(Reason::DeadlineExceeded, self.part, text))
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}

/// The layer.
pub(crate) async fn watch_over(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let start = guard.clock.now();
    let rpc = rule(request.uri().path()).map_or("unknown", |rule| rule.path);
    let response = guard.bounded(request, next).await;
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
