//! How large the head of a call may be: its headers and its path. What passes the door goes on over the one
//! connection that the gateway has to a part, which carries the calls of everybody, and a head that is too
//! large for it ends that connection with all of them.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};

/// The most bytes of headers, names and values. Packed for the part they may be three and a half times as many,
/// beside a mesh token of some eighty thousand and a path; the mesh takes 256 KiB.
const LARGEST: usize = 32 * 1024;

/// The layer.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    if size(request.headers()) <= LARGEST {
        return next.run(request).await;
    }
    let text = "the headers are larger than 32 KiB\n";
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text).into_response()
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum()
}
