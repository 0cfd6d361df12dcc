//! What is kept of an instance beside its files, and what is decided of it.
//!
//! Pure: a row of the database against what a caller asks for, or against what the repository holds.

use serde::{Deserialize, Serialize};
use souk_types::{
    Time, Violation,
    id::{InstanceId, OrgId},
};

use super::{
    Applied, Bundle, CommitId, ContentHash, Desired, Drift, Env, Folder, Route, drift, parse, render,
};
use crate::error::Error;

/// The desired state that is kept of an instance, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredState {
    /// What is wanted.
    pub desired: Desired,
    /// The hash of its files.
    pub content_hash: ContentHash,
    /// The commit that holds it; `None` while it is still to be committed.
    pub commit_id: Option<CommitId>,
    /// The revision that the reconciler took over; 0 for none, or when it must look again.
    pub applied_revision: i64,
}

impl DesiredState {
    /// The commit, once there is one.
    #[must_use]
    pub fn committed(&self) -> Option<Committed> {
        Some(Committed {
            commit_id: self.commit_id.clone()?,
            content_hash: self.content_hash.clone(),
            revision: self.desired.revision,
        })
    }
}

/// A revision of an instance that stands in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The commit that holds it.
    pub commit_id: CommitId,
    /// The hash of its files.
    pub content_hash: ContentHash,
    /// The revision.
    pub revision: i64,
}

/// What is applied for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedState {
    /// The instance.
    pub instance_id: InstanceId,
    /// The tenant.
    pub org_id: OrgId,
    /// The revision.
    pub revision: i64,
    /// The hash of its files.
    pub content_hash: ContentHash,
    /// The commit it was applied from.
    pub commit_id: CommitId,
    /// When this revision was applied.
    pub apply_time: Time,
    /// Where it is reached.
    pub route: Route,
}

/// What an asked desired state is against the kept one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The kept one is the same or newer: it answers.
    Kept,
    /// It takes the kept one's place.
    Newer,
}

/// Weighs what is asked against what is kept of the same instance.
///
/// # Errors
/// [`Error::Invalid`] when the same revision was kept with another content, or the instance would move to
/// another project: its old folder would stay behind.
pub fn weigh(kept: &Desired, asked: &Desired) -> Result<Verdict, Error> {
    let invalid = |field: &str, why: String| Err(Error::Invalid(vec![Violation::new(field, why)]));
    if kept.project_id != asked.project_id {
        return invalid("desired.project_id", format!("the instance stands in {}", kept.project_id));
    }
    if asked.revision > kept.revision {
        return Ok(Verdict::Newer);
    }
    if asked.revision == kept.revision && asked != kept {
        let why = format!("{} was given with another content: raise it with every change", kept.revision);
        return invalid("desired.revision", why);
    }
    Ok(Verdict::Kept)
}

/// What an instance's folder is, seen against the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds the desired state, byte by byte.
    Whole(Box<Applied>),
    /// Its commit is still to come: not to be judged yet.
    Unsettled,
    /// It holds something else.
    Drifted(Vec<Drift>),
    /// No instance of ours has this folder.
    Foreign,
}

/// Judges a folder of the cell `env` by what it holds and what is kept of the instance it is named after.
///
/// # Errors
/// When what is kept cannot be rendered.
pub fn judge(
    env: &Env,
    folder: &Folder,
    kept: Option<&DesiredState>,
    found: &Bundle,
) -> Result<Finding, Error> {
    let Some(kept) = kept.filter(|kept| kept.desired.folder(env) == *folder) else {
        return Ok(Finding::Foreign);
    };
    if kept.commit_id.is_none() {
        return Ok(Finding::Unsettled);
    }
    match parse(folder, found) {
        Ok(applied) if applied.desired == kept.desired => Ok(Finding::Whole(Box::new(applied))),
        _ => Ok(Finding::Drifted(drift(&render(env, &kept.desired)?, found))),
    }
}
