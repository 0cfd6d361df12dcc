//! What one commit of desired state costs, with few instances in the repository and with ten thousand: only
//! the trees along the path of what changed are written, so the cost must not grow with the others.

use std::{collections::BTreeSet, path::Path};

use serde_json::json;
use souk_delivery::{
    model::{Change, Desired, Document, Env, PayloadCaps, RateLimits, Route, render, replace},
    outside::git::Repository,
};
use souk_types::{InstanceId, OfferingVersionId, OrgId, ProjectId};

use crate::{
    Outcome,
    callers::{now, per_second},
    report::Report,
};

/// How many instances there are, first and then.
const FEW: u128 = 10;
const MANY: u128 = 10_000;
/// Instances of one project, and projects of one org.
const IN_PROJECT: u128 = 5;
const PROJECTS: u128 = 2;
/// Instances put by one commit while the repository is filled.
const GROUP: u128 = 256;
/// Commits measured, of one instance each.
const COMMITS: u64 = 200;

/// Measures commits of one instance among few and among many, and what a look after one reads.
pub(crate) fn measure(dir: &Path, report: &mut Report) -> Outcome<()> {
    let repository = Repository::open(&dir.join("desired.git"))?;
    let env = Env::new("bench").map_err(|violation| violation.description)?;
    let mut rates = Vec::new();
    let mut there = 0;
    for instances in [FEW, MANY] {
        while there < instances {
            let next = (there + GROUP).min(instances);
            commit(&repository, &env, (there..next).map(|n| (n, 1)))?;
            there = next;
        }
        let before = repository.instances(&env)?;
        let start = now();
        for change in 0..COMMITS {
            let instance = u128::from(change) * 7919 % instances;
            commit(&repository, &env, std::iter::once((instance, i64::try_from(change)? + 2)))?;
        }
        let rate = per_second(COMMITS, start)?;
        rates.push(rate);
        report.rate(&format!("delivery: commit of one of {instances} instances"), 1, "commits/s", rate);
        commit(&repository, &env, std::iter::once((0, 1_000)))?;
        let start = now();
        let found = repository.instances_after(&env, Some(&before))?;
        let micros = u64::try_from(now().since(start).as_micros())?;
        let what = format!("delivery: look after {COMMITS} commits among {instances} instances");
        report.figure(&what, "µs", micros);
        report.figure(&format!("{what}, folders read"), "folders", u64::try_from(found.read)?);
    }
    if let [few, many] = rates.as_slice() {
        let ratio = few * 100 / many.max(&1);
        let what = format!("delivery: cost of a commit among {MANY} over one among {FEW}");
        report.figure(&what, "hundredths", ratio);
    }
    Ok(())
}

fn commit(repository: &Repository, env: &Env, instances: impl Iterator<Item = (u128, i64)>) -> Outcome<()> {
    let mut changes: Vec<Change> = Vec::new();
    for (instance, revision) in instances {
        let wanted = wanted(instance, revision)?;
        changes.extend(replace(&wanted.folder(env), &render(env, &wanted)?));
    }
    repository.commit(&changes, "bench", now())?;
    Ok(())
}

fn wanted(instance: u128, revision: i64) -> Outcome<Desired> {
    let instance_id = InstanceId::from_bits(spread(instance));
    let project = instance / IN_PROJECT;
    Ok(Desired {
        org_id: OrgId::from_bits(spread(project / PROJECTS)),
        project_id: ProjectId::from_bits(spread(project)),
        instance_id,
        offering_version_id: OfferingVersionId::from_bits(4),
        plan: "starter".to_owned(),
        revision,
        route: Route::default_of(instance_id),
        capabilities: BTreeSet::from(["runs.sync".to_owned()]),
        rate_limits: RateLimits { requests_per_minute: Some(60), ..RateLimits::default() },
        payload_caps: PayloadCaps::default(),
        tools: BTreeSet::new(),
        mcp_servers: BTreeSet::new(),
        effective_config: Document::new(&json!({"change": revision}))
            .map_err(|violation| violation.description)?,
    })
}

/// Ids as they are in life: the end of each is random.
const fn spread(number: u128) -> u128 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}
