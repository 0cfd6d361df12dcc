//! Saleor: verifying what it signs, reading what it sends.
//!
//! Nothing here decides what an order brings, and nothing is believed before its signature was checked over
//! the raw bytes. What a header says is not signed: it is compared with the signed body.

pub mod address;
pub(crate) mod door;
pub mod jwks;
pub(crate) mod keys;
pub mod payload;
pub mod signature;

use aws_lc_rs::digest;

/// The largest delivery that is read, in bytes.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// The header with the signature.
pub const SIGNATURE: &str = "saleor-signature";
/// The header with the event's name, lower snake.
pub const EVENT: &str = "saleor-event";
/// The header with the API URL of the shop that sends.
pub const API_URL: &str = "saleor-api-url";

/// The name of a delivery's bytes, 64 hex digits. A delivery that Saleor tries again has the same bytes, so
/// this is what tells a redelivery from a new event.
#[must_use]
pub fn body_digest(body: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, body))
}
