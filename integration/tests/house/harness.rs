//! Starts the program on a directory of its own, speaks to it, kills it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// The program.
pub(crate) const SOUK: &str = env!("CARGO_BIN_EXE_souk-under-test");

/// A platform that runs on a directory of its own. Dropping it kills it.
pub(crate) struct Souk {
    dir: TempDir,
    child: Option<Child>,
    pub(crate) url: String,
    pub(crate) grpc: String,
    pub(crate) sign_in: String,
}

/// What a command of the command line did.
pub(crate) struct Told {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    /// Standard output as one JSON document, of a command that ended well.
    pub(crate) fn json(&self) -> Value {
        assert!(self.ok, "{}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

impl Souk {
    /// Starts on an empty directory and waits until it is ready.
    pub(crate) fn up() -> Self {
        Self::up_with(&[])
    }

    /// As `up`, with more words on the command line.
    pub(crate) fn up_with(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut souk =
            Self { dir, child: None, url: String::new(), grpc: String::new(), sign_in: String::new() };
        souk.start(words);
        souk
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A directory for the test's own files.
    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Starts on the directory as it is.
    pub(crate) fn start(&mut self, words: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = self
            .command()
            .args(["up", "--listen", "127.0.0.1:0", "--json"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        (self.url, self.grpc, self.sign_in) = (text("url"), text("grpc"), text("signIn"));
        self.child = Some(child);
    }

    /// Starts on the directory as it is and kills it before the start is through: when it says that it is
    /// ready, or after so long.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = self
            .command()
            .args(["up", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (ready, said) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).ok();
            ready.send(()).ok();
        });
        said.recv_timeout(after).ok();
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
    }

    /// Kills it as a power failure would.
    pub(crate) fn kill_9(&mut self) {
        let mut child = self.child.take().expect("it does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, as a scheduler would, and says whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let mut child = self.child.take().expect("it does not run");
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        child.wait().unwrap().success()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(SOUK);
        command.arg("--data").arg(self.data());
        // Neither this machine's settings nor its owner's saved login have a say.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path());
        command
    }

    /// Runs a command of the command line as the operator of the directory.
    pub(crate) fn cli<S: AsRef<OsStr>>(&self, words: &[S]) -> Told {
        told(self.command().args(words))
    }

    /// As `cli`, as somebody else.
    pub(crate) fn cli_as<S: AsRef<OsStr>>(&self, token: &str, words: &[S]) -> Told {
        told(self.command().env("SOUK_TOKEN", token).args(words))
    }

    /// The JSON that a command prints.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        self.cli(&[words, &["--json"]].concat()).json()
    }

    /// The access token of a person who signs in with this address.
    pub(crate) fn sign_in_as(&self, email: &str) -> String {
        let told = self.json(&["login", "--email", email, "--save"]);
        told["accessToken"].as_str().unwrap().to_owned()
    }
}

fn told(command: &mut Command) -> Told {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Told {
        ok: output.status.success(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
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
