//! The tables of tenancy and the only door to them. Nothing outside of this room knows SQL.
//!
//! Rows hold texts and whole numbers; `read` turns them into nouns. Each changing method is one write:
//! request log, effect and events together.

mod accept;
mod audit;
mod events;
mod invitations;
mod keys;
pub(crate) mod mails;
mod members;
mod orgs;
mod people;
mod read;
mod rows;
mod schema;
mod sign_in;
mod teams;
mod trials;
mod workspaces;

use souk_db::{Db, Denial};
use souk_types::{Call, Time, UserId};

pub(crate) use self::{
    accept::Admission,
    events::Cause,
    invitations::{Codes, Terms},
    keys::Minted,
    members::Bounds,
    schema::MIGRATIONS,
    sign_in::NewSession,
    workspaces::Wanted,
};
use crate::error::Error;

/// The request log's subject for what belongs to no org.
const PLATFORM: &str = "platform";

/// Tenancy's tables.
#[derive(Clone, Debug)]
pub(crate) struct Store(Db);

impl Store {
    pub(crate) const fn new(db: Db) -> Self {
        Self(db)
    }

    /// The present moment, by the database's injected clock.
    pub(crate) fn now(&self) -> Time {
        self.0.now()
    }

    /// The injected randomness.
    pub(crate) fn random(&self) -> &dyn souk_types::Random {
        self.0.random()
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Db(error.into())
    }
}

/// The person a call for people comes from.
fn person(call: &Call) -> Result<UserId, Error> {
    call.user_id().ok_or(Error::NoPerson)
}

/// A denial in tenancy's words.
fn denied(denial: Denial, permission: &'static str, missing: impl FnOnce() -> Error) -> Error {
    denial.say(missing, || Error::Denied { permission })
}

#[cfg(test)]
mod tests;
