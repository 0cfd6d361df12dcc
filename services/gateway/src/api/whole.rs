//! The message of a call on its way to the part: when its end arrives late, its caller is asked for again. Who
//! was let in by the headers could otherwise hold a call open while their credential is taken back, and let
//! it take effect afterwards.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use crate::error::Error;

/// Says whether the caller may still be let in, when the message is whole.
pub(crate) type Check = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Why a message was not passed on whole.
#[derive(Clone, Default)]
pub(crate) struct Refused(Arc<Mutex<Option<Error>>>);

impl Refused {
    /// Takes the reason, where there is one.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A message whose end is given on when its check says so.
pub(crate) struct Whole {
    body: Body,
    check: Option<Check>,
    refused: Refused,
}

impl Whole {
    pub(crate) fn new(body: Body, check: Check) -> (Self, Refused) {
        let refused = Refused::default();
        (Self { body, check: Some(check), refused: refused.clone() }, refused)
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            // A request has no trailers in gRPC: theirs would be the end of the message, unchecked.
            let data = frame.map(|frame| Frame::data(frame.into_data().unwrap_or_default()));
            return Poll::Ready(Some(data));
        }
        if let Some(check) = &mut self.check {
            let outcome = ready!(check.as_mut().poll(cx));
            self.check = None;
            if let Err(error) = outcome {
                let text = error.to_string();
                self.refused.note(error);
                return Poll::Ready(Some(Err(axum::Error::new(text))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        // As long as the check stands out, the last bytes are not the end.
        self.check.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// A message without the frames that carry nothing. A part ends a connection after a hundred of them, and the
/// gateway's one connection to a part carries the calls of everybody.
pub(crate) struct Filled<B> {
    body: B,
    broken: Broken,
}

/// Whether a message broke off: its sender left, and no part is away.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B> Filled<B> {
    pub(crate) fn new(body: B) -> (Self, Broken) {
        let broken = Broken::default();
        (Self { body, broken: broken.clone() }, broken)
    }
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Filled<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Some(Err(error)) => {
                    self.broken.0.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(error)));
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_message_is_given_on_when_its_caller_may_still_call() {
        let (body, refused) = Whole::new(Body::from("x"), Box::pin(async { Ok(()) }));
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none(), "nobody takes it for whole yet");
        assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
        assert!(refused.take().is_none());
        let (mut body, refused) =
            Whole::new(Body::from("x"), Box::pin(async { Err(Error::CredentialInvalid) }));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
        assert!(body.frame().await.unwrap().is_err(), "not the end: the part throws away what came");
        assert!(matches!(refused.take(), Some(Error::CredentialInvalid)));
        let (body, _) = Whole::new(Body::from("x"), Box::pin(std::future::pending()));
        assert!(!body.is_end_stream(), "and before it is known there is none");
    }

    #[tokio::test]
    async fn what_has_no_bytes_is_not_passed_on() {
        let frames = ["", "x", "", "y", ""].map(|text| Frame::data(Bytes::from(text)));
        let trailers = Frame::trailers(http::HeaderMap::new());
        let frames = frames.into_iter().chain([trailers]).map(Ok::<_, std::convert::Infallible>);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let (body, _) = Whole::new(body, Box::pin(async { Ok(()) }));
        let (mut body, _) = Filled::new(body);
        let mut passed = Vec::new();
        while let Some(frame) = body.frame().await {
            passed.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(passed, ["x", "y"]);
    }

    #[tokio::test]
    async fn a_message_that_breaks_off_is_known_to() {
        let pieces = |pieces: Vec<Result<&'static str, std::io::Error>>| {
            Filled::new(Body::from_stream(futures::stream::iter(pieces)))
        };
        let (body, broken) = pieces(vec![Ok("x"), Ok("y")]);
        assert!(body.collect().await.is_ok() && !broken.is());
        let (body, broken) = pieces(vec![Ok("x"), Err(std::io::ErrorKind::UnexpectedEof.into())]);
        assert!(body.collect().await.is_err() && broken.is());
    }
}
