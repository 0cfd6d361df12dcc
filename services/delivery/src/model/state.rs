//! What is kept of an instance beside its files, and what is decided of it.
//!
//! Pure: a row of the database against what a caller asks for, or against what the repository holds.

use serde::{Deserialize, Serialize};
use souk_types::{
    Time, Violation,
    id::{InstanceId, OfferingVersionId, OrgId, ProjectId},
};

use super::{
    Applied, Bundle, CommitId, ContentHash, Desired, Drift, Env, Folder, Route, drift, parse, render,
};
use crate::error::Error;

/// The desired state that is kept of an instance, and how far it got. What was taken away stays as such for
/// ever, so that nothing older brings it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredState {
    /// The instance.
    pub instance_id: InstanceId,
    /// The project that its folder stands in; `None` for one that was taken away before it ever was.
    pub project: Option<(OrgId, ProjectId)>,
    /// The revision that is kept.
    pub revision: i64,
    /// What is wanted; `None` once it is to be no more.
    pub desired: Option<Desired>,
    /// The hash of its files; `None` where there are none.
    pub content_hash: Option<ContentHash>,
    /// Whether its commit is still to be made.
    pub pending: bool,
    /// The commit that holds it; `None` while it is still to be committed, and where there was nothing to
    /// commit.
    pub commit_id: Option<CommitId>,
    /// The revision that the reconciler took over; 0 for none, or when it must look again.
    pub applied_revision: i64,
}

impl DesiredState {
    /// The commit, once it was made.
    #[must_use]
    pub fn committed(&self) -> Option<Committed> {
        (!self.pending).then(|| Committed {
            commit_id: self.commit_id.clone(),
            content_hash: self.content_hash.clone(),
            revision: self.revision,
        })
    }

    /// The folder that it has in a cell, or had.
    #[must_use]
    pub fn folder(&self, env: &Env) -> Option<Folder> {
        let (org_id, project_id) = self.project?;
        Some(Folder { env: env.clone(), org_id, project_id, instance_id: self.instance_id })
    }
}

/// A revision of an instance that stands in the repository, or that no longer does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The commit that holds it; `None` where nothing was ever to be committed.
    pub commit_id: Option<CommitId>,
    /// The hash of its files; `None` once they were taken away.
    pub content_hash: Option<ContentHash>,
    /// The revision.
    pub revision: i64,
}

/// The command that an instance be no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The tenant.
    pub org_id: OrgId,
    /// The instance.
    pub instance_id: InstanceId,
    /// Greater than every revision that was applied.
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
    /// The commit it was applied from; `None` where nothing was ever committed.
    pub commit_id: Option<CommitId>,
    /// When this revision was applied.
    pub apply_time: Time,
    /// What stands there; `None` once it was taken away.
    pub standing: Option<Standing>,
}

/// What consumers need of an instance that is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The project.
    pub project_id: ProjectId,
    /// The version it runs.
    pub offering_version_id: OfferingVersionId,
    /// The hash of its files.
    pub content_hash: ContentHash,
    /// Where it is reached.
    pub route: Route,
    /// What it may use, in the order of names.
    pub capabilities: Vec<String>,
    /// Calls in a minute; `None` for the platform's limit.
    pub runs_per_minute: Option<i64>,
    /// Bytes of one input; `None` for the platform's limit.
    pub input_bytes: Option<i64>,
}

/// What an asked desired state is against the kept one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The kept one is the same or newer: it answers.
    Kept,
    /// It takes the kept one's place.
    Newer,
}

fn invalid(field: &str, why: String) -> Error {
    Error::Invalid(vec![Violation::new(field, why)])
}

/// Weighs what is asked against what is kept of the same instance.
///
/// # Errors
/// [`Error::Invalid`] when the same revision was kept with another content, or the instance would move to
/// another project: its old folder would stay behind.
pub fn weigh(kept: &DesiredState, asked: &Desired) -> Result<Verdict, Error> {
    if let Some((_, project_id)) = kept.project.filter(|(_, project_id)| *project_id != asked.project_id) {
        return Err(invalid("desired.project_id", format!("the instance stands in {project_id}")));
    }
    if asked.revision > kept.revision {
        return Ok(Verdict::Newer);
    }
    // What was taken away answers whatever is not newer.
    let Some(desired) = &kept.desired else { return Ok(Verdict::Kept) };
    if asked.revision == kept.revision && asked != desired {
        let why = format!("{} was given with another content: raise it with every change", kept.revision);
        return Err(invalid("desired.revision", why));
    }
    Ok(Verdict::Kept)
}

/// Weighs a removal against what is kept of the same instance.
///
/// # Errors
/// [`Error::Invalid`] when the instance stands at this revision or a greater one: the removal would then be
/// older than what it takes away.
pub fn weigh_removal(kept: &DesiredState, asked: Removal) -> Result<Verdict, Error> {
    if asked.revision > kept.revision {
        return Ok(Verdict::Newer);
    }
    match kept.desired {
        None => Ok(Verdict::Kept),
        Some(_) => Err(invalid("revision", format!("must be greater than {}, which stands", kept.revision))),
    }
}

/// What an instance's folder is, seen against the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds the desired state, byte by byte.
    Whole(Box<Applied>),
    /// It is gone, as it should be.
    Gone,
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
    let Some(kept) = kept.filter(|kept| kept.folder(env).as_ref() == Some(folder)) else {
        return Ok(Finding::Foreign);
    };
    if kept.pending {
        return Ok(Finding::Unsettled);
    }
    let Some(desired) = &kept.desired else {
        let gone = found.is_empty();
        return Ok(if gone { Finding::Gone } else { Finding::Drifted(drift(&Bundle::default(), found)) });
    };
    match parse(folder, found) {
        Ok(applied) if applied.desired == *desired => Ok(Finding::Whole(Box::new(applied))),
        _ => Ok(Finding::Drifted(drift(&render(env, desired)?, found))),
    }
}
