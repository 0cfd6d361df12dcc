//! The commit sites: which there are in the sources, which a walk visited, and which lie elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use regex::Regex;

/// Commits that lie off the walks, or on them by chance only, each with the reason. One that no walk visits
/// and that does not stand here fails the test.
const ELSEWHERE: &[(&str, &str)] = &[
    ("db.bootstrap", "the start of an empty directory"),
    ("db.migrate", "the start of an empty directory"),
    ("db.forget_events", "what is old goes once an hour"),
    ("db.forget_requests", "what is old goes once an hour"),
    ("db.audit_refusal", "a call that was refused"),
    ("tenancy.", "who there is stands before the walks begin"),
    ("models.", "endpoints are the operator's, before any walk"),
    ("commerce.add_shop", "the shop stands before the walks begin"),
    ("commerce.link_buyer", "an operator's correction"),
    ("commerce.map_variant", "an operator's correction"),
    ("commerce.replay_order", "an operator's correction"),
    ("commerce.park_line", "a line that nobody owns or maps"),
    ("commerce.postpone_", "a part that does not answer"),
    ("commerce.judge_order", "links or mappings that come later"),
    ("catalog.set_findings", "a flow that is refused"),
    ("catalog.change_life", "an operator's pause, or the end of an offering's life"),
    ("catalog.end_offering", "the end of an offering's life"),
    ("delivery.put_off", "a repository that does not answer"),
    ("delivery.put_drifted", "a foreign commit"),
    ("delivery.put_strays", "a foreign commit"),
    ("instances.put_aside", "a part that does not answer"),
    ("instances.set_back", "a part that does not answer"),
    ("instances.expire", "a part that does not answer"),
    ("instances.pause", "a person's pause"),
    ("instances.resume", "a person's pause"),
    ("instances.retry", "an instance that failed"),
    ("instances.update_config", "a person's configuration"),
    ("instances.end_life", "the end of an offering's life"),
    ("instances.sweep", "news that concern many instances"),
    ("instances.pass_events", "a log in which nothing happens, once an hour"),
    ("instances.look", "an instance that was left alone for hours"),
    ("runs.cancel_", "a run that is stopped"),
    ("runs.stop_run", "a run that is stopped"),
    ("runs.hear_run", "a run that somebody else listens to"),
    ("runs.refuse_run", "a wallet without credits"),
    ("runs.fail_start", "a runner that does not answer"),
    ("runs.give_up_settle", "a reservation that is gone"),
    ("runs.interrupt_run", "a run whose process died: the walk's own kills bring it"),
    ("runs.take_over", "a run whose process died: the walk's own kills bring it"),
    ("runs.renew_lease", "a run that lasts"),
    ("runs.drop_dimension", "a dimension without a price"),
];

/// Commits that a walk visits or not, as two loops come first: killed at where a walk comes there.
const BY_CHANCE: &[&str] = &["runs.record_progress", "instances.applied", "instances.await_applied"];

/// Whether a walk may come to its end without this commit.
pub(super) fn by_chance(line: &str) -> bool {
    BY_CHANCE.iter().any(|site| line.split(' ').next() == Some(site))
}

/// Commits on the walks although their kind lies elsewhere.
const ON_THE_WAY: &[&str] = &["tenancy.take_audit"];

/// Whether a site lies off the walks, and why.
pub(super) fn elsewhere(site: &str) -> Option<&'static str> {
    if ON_THE_WAY.contains(&site) {
        return None;
    }
    let found = ELSEWHERE.iter().find(|(name, _)| {
        *name == site || ((name.ends_with('.') || name.ends_with('_')) && site.starts_with(name))
    });
    found.map(|(_, why)| *why)
}

/// Every name of a commit site in the sources of the parts and of the database crate.
pub(super) fn written() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name =
        Regex::new(r#""((?:tenancy|catalog|billing|instances|delivery|commerce|runs|models|db)\.[a-z_]+)""#);
    let name = name.unwrap();
    let mut found = BTreeSet::new();
    let mut open = vec![root.join("crates/db/src"), root.join("services")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let leaf = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && leaf != "tests" && leaf != "target" {
                open.push(path);
            } else if leaf.ends_with(".rs") && leaf != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                found.extend(name.captures_iter(text).map(|found| found[1].to_owned()));
            }
        }
    }
    // A permission has the same form.
    found.retain(|name| ![".read", ".use", ".admin"].iter().any(|verb| name.ends_with(verb)));
    found
}

/// How often each commit was visited since the file was cleared.
pub(super) fn visited(dir: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(visits(dir)).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The file of the visits.
pub(super) fn visits(dir: &Path) -> PathBuf {
    dir.join("visited")
}
