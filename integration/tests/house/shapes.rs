//! Together = apart, embedded = at scale: this suite once more, in the other shapes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    time::Duration,
};

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

/// How long the suite may say nothing before it is taken to hang. A test says when it is over, and that it still
/// runs, once, after a minute.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// One shape at a time: each has the machine to itself.
static TURN: Mutex<()> = Mutex::new(());

fn suite(shape: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("SOUK_HOUSE", shape).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for name in OWN_SHAPE {
        command.args(["--skip", name]);
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut seen = false;
    let hangs = loop {
        match told.recv_timeout(SILENCE) {
            Ok(line) => {
                println!("{line}");
                seen |= line.contains("kill::killed_at_random_moments");
                if line.starts_with("test ") {
                    // Past the capture of the harness, so that one sees how far it is.
                    let mut beside = std::io::stderr();
                    writeln!(beside, "{shape}: {line}").unwrap();
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
        }
    };
    if hangs {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(!hangs, "in the shape {shape} a test hangs");
    reader.join().unwrap().unwrap();
    assert!(status.success(), "in the shape {shape}: {status}");
    assert!(seen, "the suite ran");
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
