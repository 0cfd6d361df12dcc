//! The README's commands, executed as they stand: what a reader copies must work, and what they are told
//! they will see must be what they see.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A fenced block: its language, its text, and the line after it.
struct Block {
    language: String,
    text: String,
    end: usize,
}

fn blocks(document: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (at, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new(), end: 0 });
            }
            (Some(_), Some(block)) => blocks.push(Block { end: at + 1, ..block }),
            (None, Some(block)) => open = Some(Block { text: format!("{}{line}\n", block.text), ..block }),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// A shell in which a reader would type: at the root, with the platform's data and address set aside.
fn shell(data: &Path) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-e", "-O", "expand_aliases"]).current_dir(root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        // What cargo tells its tests is not what a reader's terminal holds.
        let of_cargo = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        let told = of_cargo.iter().any(|start| text.starts_with(start)) || text == "CARGO_TARGET_TMPDIR";
        if told || text == "CARGO" || text.starts_with("SOUK_") {
            shell.env_remove(&name);
        }
    }
    shell.env("SOUK_DATA", data).env("SOUK_LISTEN", "127.0.0.1:0");
    shell
}

/// A command that goes on until it is told to end; dropping it kills it with all it started.
struct Running(Child);

impl Running {
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        assert!(Command::new("kill").args([signal, "--", &group]).status().unwrap().success());
    }

    /// As ctrl-c does. Says whether it ended well.
    fn interrupt(mut self) -> bool {
        self.signal("-INT");
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("-KILL");
            self.0.wait().ok();
        }
    }
}

/// What the README shows, as a pattern: ports, codes and the directory are another each time.
fn pattern(shown: &str, data: &Path) -> Regex {
    let literal = regex::escape(shown.trim_end())
        .replace("127\\.0\\.0\\.1:7400", "127\\.0\\.0\\.1:\\d+")
        .replace('…', "\\S+")
        .replace("\\.souk", &regex::escape(&data.display().to_string()));
    Regex::new(&format!("^{literal}$")).unwrap()
}

/// Starts what the README says to start, and compares what it prints with what is shown.
fn start(command: &str, shown: &str, data: &Path) -> Running {
    let mut shell = shell(data);
    shell.args(["-c", command]).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(shell.spawn().unwrap());
    let mut talk = BufReader::new(running.0.stderr.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        while talk.read_line(&mut line).is_ok_and(|read| read > 0) {
            print!("up: {line}");
            line.clear();
        }
    });
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    let mut seen = String::new();
    for _ in shown.trim_end().lines() {
        assert!(out.read_line(&mut seen).unwrap() > 0, "it ended after: {seen}");
    }
    let pattern = pattern(shown, data);
    assert!(pattern.is_match(seen.trim_end()), "shown:\n{shown}\nseen:\n{seen}");
    running
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() {
    let readme = read("README.md");
    let blocks = blocks(&readme);
    let shown = blocks.iter().find(|block| block.language == "text").expect("what a reader sees");
    let mut commands = blocks.iter().filter(|block| block.language == "sh");
    let up = commands.next().expect("the one command to run it");
    let test = commands.next().expect("the one command to test it");
    assert_eq!((up.text.as_str(), test.text.as_str()), ("cargo run -- up\n", "cargo test --workspace\n"));
    assert!(test.end <= 32 && shown.end <= 32, "both stand on the first screen, with what one sees");
    assert!(read(".ci/run").contains(test.text.trim_end()), "CI runs the tests as the README says");

    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let running = start(&up.text, &shown.text, &data);
    // One terminal: what an earlier block sets, the next ones have.
    let rest: String = commands.map(|block| block.text.as_str()).collect();
    assert!(rest.contains("souk run ") && rest.contains("souk orders post "), "{rest}");
    let script = dir.path().join("typed.sh");
    std::fs::write(&script, rest).unwrap();
    let typed = shell(&data).arg("-x").arg(&script).output().unwrap();
    let (out, err) = (String::from_utf8(typed.stdout).unwrap(), String::from_utf8(typed.stderr).unwrap());
    println!("{out}\n{err}");
    assert!(typed.status.success(), "a command failed:\n{out}\n{err}");
    for seen in ["1000 credits", "router-desk", "ACTIVE", "\nmy parcel is late\n", "reserved   0", "DONE"] {
        assert!(out.contains(seen), "{seen:?} is not in:\n{out}");
    }
    assert!(running.interrupt(), "ctrl-c ends it well");
}
