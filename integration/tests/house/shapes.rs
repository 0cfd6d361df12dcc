//! Together = apart, embedded = at scale: this suite once more, in the other shapes.

use std::process::Command;

use souk_testkit::Postgres;

/// Tests of one shape only, or of none, each with the reason.
const OWN_SHAPE: &[&str] = &[
    // These run the others.
    "shapes::",
    // Apart already, whatever the shape.
    "apart::",
    // The README's words are those of the embedded platform.
    "readme::",
    // A second `up` on the directory; what `up` seeds by itself.
    "journey::a_restart_keeps_everything_and_a_second_start_hears_who_holds_the_directory",
    "journey::nothing_is_seeded_when_nothing_is_wanted",
    // Kills one process, the one that is everything, at its own commits.
    "crash::",
    // The files of the embedded platform; a copy of PostgreSQL is its own tool's.
    "backup::",
];

fn suite(shape: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("SOUK_HOUSE", shape);
    for name in OWN_SHAPE {
        command.args(["--skip", name]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "in the shape {shape}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("kill::killed_at_random_moments"), "the suite ran");
}

#[test]
fn every_part_in_a_process_of_its_own() {
    suite("apart");
}

#[test]
fn every_part_on_postgresql() {
    // Says SKIPPED where there is none; under SOUK_CI=1 that is a failure.
    if Postgres::shared().is_some() {
        suite("postgres");
    }
}
