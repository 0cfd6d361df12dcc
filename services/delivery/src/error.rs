//! What can go wrong in delivery, and how a caller hears of it.
//!
//! Foreign errors are kept as opaque causes: they are logged, never sent and never matched on by callers.

use std::{io, path::PathBuf, time::Duration};

use souk_types::{Fault, Reason, Violation, id::InstanceId};

/// The domain that delivery's faults carry.
pub const DOMAIN: &str = "delivery";

/// When a lost race is worth another try.
const CONFLICT_RETRY: Duration = Duration::from_millis(200);
/// When a commit that was put off has probably been made.
const COMMIT_RETRY: Duration = Duration::from_secs(1);
/// When a disk or a file system that refused may answer again.
const STORAGE_RETRY: Duration = Duration::from_secs(2);

/// A cause of a foreign library.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Everything that delivery refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wanted state is not one that can be rendered.
    #[error("the desired state has {} wrong fields", .0.len())]
    Invalid(Vec<Violation>),
    /// Other writers moved the branch on every attempt, or hold its lock.
    #[error("the desired-state repository moved on each of {attempts} attempts")]
    DesiredStateConflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// Another instance claimed this host and path first.
    #[error("another instance is reached at {host:?} {path:?}")]
    RouteTaken {
        /// The host; empty for the gateway's.
        host: String,
        /// The path.
        path: String,
    },
    /// The repository holds nothing for the instance.
    #[error("nothing was ever applied for {instance_id}")]
    AppliedStateNotFound {
        /// The instance that was asked for.
        instance_id: InstanceId,
    },
    /// The instance belongs to somebody else, or the caller may not know of it.
    #[error("no such instance, or not for this caller to see")]
    InstanceNotFound {
        /// The instance that was named.
        instance_id: InstanceId,
    },
    /// The caller sees the instance, but lacks the method's permission in its org.
    #[error("the caller may not do this")]
    PermissionDenied,
    /// The desired state is kept, and its commit was put off after a failure: ask again.
    #[error("the desired state of {instance_id} is kept and still to be committed")]
    StillCommitting {
        /// The instance.
        instance_id: InstanceId,
    },
    /// The database refused.
    #[error(transparent)]
    Database(#[from] souk_db::Error),
    /// A task that worked on the repository did not end by itself.
    #[error("the work on the desired-state repository broke off")]
    BrokenOff(#[source] Cause),
    /// Files that delivery did not write, or that were changed after it wrote them.
    #[error("the files of {folder} are not what delivery wrote: {why}")]
    BundleUnreadable {
        /// The instance's folder in the repository.
        folder: String,
        /// What does not fit.
        why: String,
    },
    /// A path that must not stand in the repository.
    #[error("the path {path:?} may not stand in the repository: {why}")]
    PathRefused {
        /// The path as given.
        path: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The file system refused.
    #[error("cannot {doing} {}", path.display())]
    Storage {
        /// What was being done, as an infinitive.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The Git library refused: the repository is damaged or not one of ours.
    #[error("cannot {doing} in the desired-state repository")]
    Repository {
        /// What was being done, as an infinitive.
        doing: &'static str,
        /// What the library said.
        #[source]
        cause: Cause,
    },
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid(violations) => Self::invalid(DOMAIN, violations),
            Error::DesiredStateConflict { attempts } => {
                Self::new(Reason::DesiredStateConflict, DOMAIN, message)
                    .with("attempts", attempts)
                    .retry_in(CONFLICT_RETRY)
            }
            Error::RouteTaken { host, path } => {
                Self::new(Reason::RouteTaken, DOMAIN, message).with("host", host).with("path", path)
            }
            Error::AppliedStateNotFound { instance_id } => {
                Self::new(Reason::AppliedStateNotFound, DOMAIN, message).with("instance_id", instance_id)
            }
            Error::InstanceNotFound { instance_id } => {
                Self::new(Reason::InstanceNotFound, DOMAIN, message).with("instance_id", instance_id)
            }
            Error::PermissionDenied => Self::new(Reason::PermissionDenied, DOMAIN, message),
            Error::StillCommitting { instance_id } => Self::new(Reason::RequestInProgress, DOMAIN, message)
                .with("instance_id", instance_id)
                .retry_in(COMMIT_RETRY),
            Error::Database(error) => error.into_fault(DOMAIN),
            Error::Storage { .. } => {
                // The message names a path of this machine: that stays in the log.
                Self::new(Reason::Unavailable, DOMAIN, "the desired-state repository cannot be reached")
                    .retry_in(STORAGE_RETRY)
                    .because(error)
            }
            // Paths and files are made by delivery itself: a refusal is a bug or damage, not a caller's mistake.
            Error::BundleUnreadable { .. }
            | Error::PathRefused { .. }
            | Error::Repository { .. }
            | Error::BrokenOff(_) => Self::bug(DOMAIN, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_types::Class;

    use super::*;

    #[test]
    fn each_error_has_its_class_and_variables() {
        let conflict = Fault::from(Error::DesiredStateConflict { attempts: 8 });
        assert_eq!((conflict.reason, conflict.class()), (Reason::DesiredStateConflict, Class::Aborted));
        assert_eq!(conflict.metadata["attempts"], "8");
        assert!(conflict.retry_after.is_some());

        let instance_id = InstanceId::from_bits(7);
        let absent = Fault::from(Error::AppliedStateNotFound { instance_id });
        assert_eq!(absent.reason, Reason::AppliedStateNotFound);
        assert_eq!(absent.metadata["instance_id"], instance_id.to_string());

        let invalid = Fault::from(Error::Invalid(vec![Violation::new("plan", "must not be empty")]));
        assert_eq!((invalid.class(), invalid.violations.len()), (Class::Invalid, 1));
    }

    #[test]
    fn a_path_of_this_machine_is_never_sent() {
        let fault = Fault::from(Error::Storage {
            doing: "open",
            path: PathBuf::from("/secret/place"),
            cause: io::Error::other("disk"),
        });
        assert_eq!(fault.class(), Class::Unavailable);
        assert!(!fault.message.contains("secret") && fault.metadata.is_empty());
        assert!(fault.cause.is_some());
    }
}
