//! What tests share: a clock that stands still, seeded randomness, databases of both engines.
//!
//! A dev-dependency only. A helper here fails a test by panicking, as the test itself would. It must not
//! import the kit: the kit's own dependencies are large, and a store's tests need none of them.

pub mod clock;
pub mod database;
pub mod postgres;

pub use clock::{SeededRandom, StoppedClock};
pub use database::{Database, databases};
pub use postgres::Postgres;
