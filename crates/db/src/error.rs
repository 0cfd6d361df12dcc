//! What a database can refuse, and what a caller can do about each.
//!
//! Only classes that lead to different actions are kept apart. No statement text and no value of a row
//! leaves in a message; the inner cause goes to the log.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use souk_types::{Fault, Reason};

/// When a caller should try again after a database that did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// When a caller should ask again for the answer of a request that is still at work.
const IN_PROGRESS_RETRY: Duration = Duration::from_millis(250);
/// When trying again on a full disk makes sense: a person must act first.
const FULL_RETRY: Duration = Duration::from_secs(30);

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique key exists.
    #[error("a row with the same unique key exists")]
    Duplicate(#[source] DbErr),
    /// Other writers kept winning, after every retry.
    #[error("other writers kept winning")]
    Conflict(#[source] DbErr),
    /// The database does not answer, or not in time. A commit that ends so may have happened.
    #[error("the database does not answer")]
    Unavailable(#[source] DbErr),
    /// There is no room for what was to be written; nothing was.
    #[error("the database has no room left")]
    Full(#[source] DbErr),
    /// The engine refused a statement: a mistake of ours.
    #[error("the database refused a statement")]
    Statement(#[source] DbErr),
    /// The same `request_id` came with another command.
    #[error("request_id {request_id:?} was used for another command of {rpc}")]
    RequestIdReused {
        /// The method.
        rpc: &'static str,
        /// The id.
        request_id: String,
    },
    /// The first call with this `request_id` has no answer yet.
    #[error("the first call of {rpc} with request_id {request_id:?} is still at work")]
    RequestInProgress {
        /// The method.
        rpc: &'static str,
        /// The id.
        request_id: String,
    },
    /// `finish` or `abandon` of a request that was never begun or is answered.
    #[error("request_id {request_id:?} of {rpc} is not open")]
    RequestNotOpen {
        /// The method.
        rpc: &'static str,
        /// The id.
        request_id: String,
    },
    /// Another consumer of the same name moved the cursor; the effect belongs to it.
    #[error("the cursor on {source_name} is no longer at {from}")]
    CursorMoved {
        /// The followed log.
        source_name: String,
        /// Where the consumer believed it stood.
        from: i64,
    },
    /// A handle of a transaction was used after its end.
    #[error("the transaction is over")]
    TransactionOver,
    /// The work of a write kept a handle of its transaction; it was rolled back.
    #[error("{site} kept its transaction, which was rolled back")]
    TransactionLeaked {
        /// The site of the write.
        site: &'static str,
    },
    /// The work of a write ignored a statement that failed; it was rolled back, since PostgreSQL would
    /// answer its COMMIT with a silent rollback.
    #[error("{site} went on after a failed statement and was rolled back")]
    TransactionSpoiled {
        /// The site of the write.
        site: &'static str,
    },
    /// The schema is not the one this build needs.
    #[error(transparent)]
    Migration(#[from] crate::migrate::Refusal),
    /// A migration failed; the file is as it was before, and a copy of it is kept besides.
    #[error("the migration failed and changed nothing; a copy from before it lies at {}", copy.display())]
    MigrationFailed {
        /// Where the copy lies.
        copy: std::path::PathBuf,
        /// Why it failed.
        #[source]
        cause: Box<Self>,
    },
    /// A stored text does not say what it must, or a value cannot be stored.
    #[error("{what} cannot be read or stored")]
    Value {
        /// Which value.
        what: &'static str,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The target names no database.
    #[error("{0}")]
    Target(String),
}

impl Error {
    /// A stored value that does not say what it must.
    pub fn value(what: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Value { what, cause: cause.into() }
    }

    /// The fault a caller of `service` sees.
    #[must_use]
    pub fn into_fault(self, service: &'static str) -> Fault {
        let message = self.to_string();
        let fault = |reason| Fault::new(reason, service, message.clone());
        match self {
            Self::RequestIdReused { rpc, ref request_id } => {
                fault(Reason::RequestIdReused).with("rpc", rpc).with("request_id", request_id)
            }
            Self::RequestInProgress { rpc, ref request_id } => fault(Reason::RequestInProgress)
                .with("rpc", rpc)
                .with("request_id", request_id)
                .retry_in(IN_PROGRESS_RETRY),
            Self::Full(_) => fault(Reason::Unavailable).retry_in(FULL_RETRY).because(self),
            Self::Unavailable(_) | Self::Conflict(_) | Self::CursorMoved { .. } => {
                fault(Reason::Unavailable).retry_in(RETRY).because(self)
            }
            other => Fault::bug(service, other),
        }
    }
}

impl From<Error> for Fault {
    /// For code that has no service of its own; services say `into_fault("billing")`.
    fn from(error: Error) -> Self {
        error.into_fault("db")
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match classify(&error) {
            Class::Duplicate => Self::Duplicate(error),
            Class::Conflict => Self::Conflict(error),
            Class::Unavailable => Self::Unavailable(error),
            Class::Full => Self::Full(error),
            Class::Statement => Self::Statement(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Duplicate,
    Conflict,
    Unavailable,
    Full,
    Statement,
}

/// Tells the classes of failure apart by SQLSTATE (PostgreSQL) or result code (SQLite).
pub(crate) fn classify(error: &DbErr) -> Class {
    let inner = match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => inner,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return Class::Unavailable,
        _ => return Class::Statement,
    };
    match inner.as_ref() {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database.is_unique_violation() {
                Class::Duplicate
            } else if code.len() == 5 {
                by_sqlstate(&code)
            } else {
                by_sqlite_code(&code)
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Unavailable,
        _ => Class::Statement,
    }
}

fn by_sqlstate(code: &str) -> Class {
    match code {
        // serialization failure, deadlock
        "40001" | "40P01" => Class::Conflict,
        // disk full
        "53100" => Class::Full,
        // lock not available, statement timeout or shutdown, idle in transaction too long
        "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "25P03" => Class::Unavailable,
        // connection exceptions, insufficient resources
        other if other.starts_with("08") || other.starts_with("53") => Class::Unavailable,
        _ => Class::Statement,
    }
}

fn by_sqlite_code(code: &str) -> Class {
    // The low byte of an extended result code is its primary code.
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(13) => Class::Full,
        // busy, locked, interrupted, I/O error, cannot open
        Ok(5 | 6 | 9 | 10 | 14) => Class::Unavailable,
        _ => Class::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_to_the_right_action() {
        assert_eq!(by_sqlstate("40001"), Class::Conflict);
        assert_eq!(by_sqlstate("53300"), Class::Unavailable);
        assert_eq!(by_sqlstate("42703"), Class::Statement);
        assert_eq!(by_sqlite_code("13"), Class::Full);
        assert_eq!(by_sqlite_code("517"), Class::Unavailable);
        assert_eq!(by_sqlite_code("1"), Class::Statement);
    }

    #[test]
    fn inner_causes_stay_inside() {
        let fault = Error::Statement(DbErr::Custom("canary".into())).into_fault("billing");
        assert_eq!(fault.reason, Reason::Internal);
        assert!(!fault.to_string().contains("canary"), "{fault}");
        assert!(fault.cause.is_some());
    }

    #[test]
    fn a_request_in_progress_says_when_to_ask_again() {
        let fault = Error::RequestInProgress { rpc: "TopUp", request_id: "r".into() }.into_fault("billing");
        assert_eq!((fault.reason, fault.domain), (Reason::RequestInProgress, "billing"));
        assert!(fault.retry_after.is_some());
    }
}
