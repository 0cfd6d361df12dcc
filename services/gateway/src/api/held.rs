//! The answer that an open call streams: it keeps the caller's place, and ends when the caller's
//! credential does. A watch would otherwise outlive the key that opened it by minutes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use souk_kit::status;
use souk_types::Fault;

use super::share::Place;

/// Resolves when the stream must end, with the reason; never for a call that ends by itself.
pub(crate) type Cut = Pin<Box<dyn Future<Output = Fault> + Send>>;

/// An answer that holds its place until its last byte was given away, or nobody wants it any more.
pub(crate) struct Held {
    body: Body,
    cut: Option<Cut>,
    over: bool,
    _place: Place,
}

impl Held {
    pub(crate) fn body(body: Body, place: Place, cut: Option<Cut>) -> Body {
        Body::new(Self { body, cut, over: false, _place: place })
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(cut) = &mut self.cut
            && let Poll::Ready(fault) = cut.as_mut().poll(cx)
        {
            self.over = true;
            let trailers = status(fault).into_http::<Body>().into_parts().0.headers;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.cut.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use souk_types::Reason;

    use super::*;
    use crate::api::share::{Shares, Who};

    #[test]
    fn an_answer_holds_its_place_until_it_is_gone() {
        let shares = Shares::new(1);
        let body = Held::body(Body::from("x"), shares.take(Who::Stranger(None)).unwrap(), None);
        assert!(shares.take(Who::Stranger(None)).is_none());
        drop(body);
        assert!(shares.take(Who::Stranger(None)).is_some());
    }

    #[tokio::test]
    async fn a_cut_ends_a_stream_that_would_go_on_and_says_why() {
        let shares = Shares::new(1);
        let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, axum::Error>>());
        let cut: Cut = Box::pin(async { Fault::new(Reason::TokenInvalid, "gateway", "revoked") });
        let mut body = Held::body(endless, shares.take(Who::Stranger(None)).unwrap(), Some(cut));
        let last = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(last.get("grpc-status").unwrap(), "16");
        assert!(body.frame().await.is_none());
        let waits: Cut = Box::pin(std::future::pending());
        drop(body);
        let body = Held::body(Body::from("x"), shares.take(Who::Stranger(None)).unwrap(), Some(waits));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
    }
}
