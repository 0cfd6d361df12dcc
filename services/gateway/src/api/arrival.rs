//! The body of a request that the door itself waits for, before anything is asked of a part: whoever trickles
//! one holds a place of their own share here, and none of the part's.

use std::{error::Error as _, time::Duration};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use souk_types::{Fault, Reason};

/// The largest body: what a message may be within the mesh.
const LARGEST: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The body, when it is whole.
pub(super) async fn whole(body: Body) -> Result<Bytes, Fault> {
    let fault = |reason, text: &str| Fault::new(reason, "gateway", text);
    match tokio::time::timeout(ARRIVAL, to_bytes(body, LARGEST)).await {
        Err(_) => Err(fault(Reason::DeadlineExceeded, "the body did not arrive in time")),
        Ok(Err(error)) if error.source().is_some_and(|cause| cause.is::<LengthLimitError>()) => {
            Err(fault(Reason::MessageTooLarge, "the body is larger than 4 MiB").with("limit", LARGEST))
        }
        Ok(Err(error)) => Err(fault(Reason::Cancelled, "the body broke off").because(error)),
        Ok(Ok(body)) => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_whole_or_told_why_not() {
        let piece = || Ok::<_, std::io::Error>(Bytes::from_static(b"a"));
        let never = Body::from_stream(stream::iter([piece()]).chain(stream::pending()));
        let broken = Body::from_stream(stream::iter([piece(), Err(std::io::Error::other("gone"))]));
        assert_eq!(whole(Body::from("abc")).await.unwrap(), "abc");
        for (body, reason) in [
            (never, Reason::DeadlineExceeded),
            (broken, Reason::Cancelled),
            (Body::from(vec![0; LARGEST + 1]), Reason::MessageTooLarge),
        ] {
            assert_eq!(whole(body).await.unwrap_err().reason, reason);
        }
    }
}
