//! The tables: the only room that knows them. Rows hold texts and numbers; what leaves is a noun.
//!
//! Catalogue rows belong to no org. A scope is taken all the same: it says that the call was opened, and
//! that everything may be seen.

mod life;
mod read;
mod tables;
mod write;

use souk_db::Db;
use souk_objects::Hash;
use souk_types::OfferingVersionId;

pub(crate) use self::life::ENDING;
pub use self::tables::MIGRATIONS;

/// The catalogue's tables.
#[derive(Clone)]
pub(crate) struct Store {
    db: Db,
}

/// Where a publish stands when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Drafted {
    /// A version with equal content is published.
    Published {
        /// The version.
        version_id: OfferingVersionId,
        /// Its price schedule.
        price_schedule_hash: Hash,
    },
    /// A draft with this content stands; the steps come next.
    Draft(OfferingVersionId),
}

impl Store {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }
}

#[cfg(test)]
mod tests;
