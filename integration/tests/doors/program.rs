//! Starts the program on a directory of its own, and kills it.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A platform that runs on a directory of its own. Dropping it kills it.
pub(crate) struct Souk {
    dir: TempDir,
    child: Option<Child>,
    /// Where the gateway listens.
    pub(crate) url: String,
}

impl Souk {
    /// Starts on an empty directory and waits until it is ready.
    pub(crate) fn up() -> Self {
        let mut souk = Self { dir: tempfile::tempdir().unwrap(), child: None, url: String::new() };
        souk.start();
        souk
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts on the directory as it is.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk-under-test"));
        // Neither this machine's settings nor its owner's saved login have a say.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path()).arg("--data").arg(self.data());
        command.args(["up", "--listen", "127.0.0.1:0", "--json", "--no-demo"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it did not start: {said}");
        }
        // Whatever it logs is shown with a failing test; an unread pipe would stop it.
        let mut said = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut line = String::new();
            while said.read_line(&mut line).is_ok_and(|read| read > 0) {
                print!("souk: {line}");
                line.clear();
            }
        });
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true, "{line}");
        ready["url"].as_str().unwrap().clone_into(&mut self.url);
        self.child = Some(child);
    }

    /// Kills it as a power failure would.
    pub(crate) fn kill_9(&mut self) {
        let mut child = self.child.take().expect("it does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Souk {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
