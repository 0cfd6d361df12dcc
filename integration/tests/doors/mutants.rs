//! The patches of `integration/mutants` still fit the tree, each with one proof that stands here. That each
//! makes its proof fail is shown by `just mutants`, which builds the platform once for each.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Tests that a patch may name as its proof.
const PROOFS: [&str; 8] = [
    "headers::headers_lend_nobody_anything",
    "idempotency::a_command_takes_effect_once",
    "keys::a_key_ends_when_it_is_revoked_and_when_its_time_is_over",
    "keys::a_key_reaches_what_its_scopes_leave_and_nothing_else",
    "matrix::everybody_may_what_is_written_down_and_nothing_else",
    "plans::people_take_self_service_plans_only",
    "tokens::no_person_calls_a_method_of_the_mesh",
    "tokens::only_a_whole_true_token_of_this_minute_and_audience_is_believed",
];

fn patches() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants/access");
    let found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = found.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    found.sort();
    found
}

#[test]
fn every_mutant_still_fits_the_tree_and_names_its_proof() {
    let patches = patches();
    assert!(patches.len() >= 10, "only {} patches", patches.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(patch).unwrap();
        let proof = text.lines().find_map(|line| line.strip_prefix("proof: "));
        if !proof.is_some_and(|proof| PROOFS.contains(&proof)) {
            wrong.push(format!("{name} names no proof of this suite: {proof:?}"));
        }
        // Outside of a repository too: a copy of the tree has none.
        let fits = Command::new("git").current_dir(&root).args(["apply", "--check"]).arg(patch).output();
        let fits = fits.expect("git is installed");
        if !fits.status.success() {
            wrong.push(format!("{name} does not fit: {}", String::from_utf8_lossy(&fits.stderr)));
        }
    }
    assert!(wrong.is_empty(), "mend the patches (integration/mutants/README.md):\n{}", wrong.join("\n"));
}
