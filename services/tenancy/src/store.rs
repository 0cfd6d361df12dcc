//! The tables of tenancy and the only door to them. Nothing outside of this room knows SQL.
//!
//! Rows hold texts and whole numbers; `read` turns them into nouns. Each changing method is one write:
//! request log, effect and events together.

mod events;
mod keys;
mod orgs;
mod people;
mod read;
mod rows;
mod sign_in;
mod workspaces;

use souk_db::{Db, Denial, Migration};
use souk_types::{Call, Time, UserId};

pub(crate) use self::{events::Cause, keys::Minted, sign_in::NewSession, workspaces::Wanted};
use crate::error::Error;

/// The request log's subject for what belongs to no org.
const PLATFORM: &str = "platform";

/// The schema of tenancy.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001-first",
    up: &[
        "CREATE TABLE orgs (
            org_id {id} PRIMARY KEY,
            display_name {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE users (
            user_id {id} PRIMARY KEY,
            email {text} NOT NULL UNIQUE,
            display_name {text} NOT NULL,
            platform_role {text},
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE projects (
            project_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            slug {text} NOT NULL,
            display_name {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL,
            UNIQUE (org_id, slug)
        )",
        "CREATE INDEX projects_by_org ON projects (org_id, project_id)",
        "CREATE TABLE members (
            org_id {id} NOT NULL,
            user_id {id} NOT NULL,
            role {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL,
            PRIMARY KEY (org_id, user_id)
        )",
        "CREATE INDEX members_by_user ON members (user_id, org_id)",
        "CREATE TABLE api_keys (
            api_key_id {id} PRIMARY KEY,
            org_id {id},
            user_id {id} NOT NULL,
            display_name {text} NOT NULL,
            hint {text} NOT NULL,
            secret_hash {text} NOT NULL UNIQUE,
            create_time {time} NOT NULL,
            expire_time {time},
            revoke_time {time},
            version BIGINT NOT NULL
        )",
        "CREATE INDEX api_keys_by_org ON api_keys (org_id, api_key_id)",
        "CREATE TABLE sign_in_links (
            code_hash {id} PRIMARY KEY,
            user_id {id} NOT NULL,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            redeem_time {time}
        )",
        "CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expire_time)",
        "CREATE TABLE sessions (
            session_id {id} PRIMARY KEY,
            user_id {id} NOT NULL,
            secret_hash {text} NOT NULL UNIQUE,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            end_time {time},
            version BIGINT NOT NULL
        )",
        "CREATE INDEX sessions_by_expiry ON sessions (expire_time)",
        "CREATE TABLE workspaces (
            org_id {id} PRIMARY KEY,
            project_id {id} NOT NULL,
            trial_user_id {id} UNIQUE,
            trial_micros {micros} NOT NULL,
            state {text} NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time},
            last_reason {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX workspaces_due ON workspaces (next_attempt_time) WHERE next_attempt_time IS NOT NULL",
    ],
}];

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
