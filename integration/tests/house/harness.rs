//! Starts the program on a directory of its own, speaks to it, kills it.

mod shape;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use souk_types::PartName;
use tempfile::TempDir;

pub(crate) use self::shape::Shape;

/// The program.
pub(crate) const SOUK: &str = env!("CARGO_BIN_EXE_souk-under-test");

/// What the one process is called that runs every part.
const ALL: &str = "all";

/// A platform that runs on a directory of its own. Dropping it kills it.
pub(crate) struct Souk {
    dir: TempDir,
    shape: Shape,
    /// Its processes, by the part that each runs.
    children: BTreeMap<&'static str, Child>,
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
        Self::shaped(Shape::wanted(), words)
    }

    /// As `up_with`, in a shape.
    pub(crate) fn shaped(shape: Shape, words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (url, grpc, sign_in) = Default::default();
        let mut souk = Self { dir, shape, children: BTreeMap::new(), url, grpc, sign_in };
        souk.settings("");
        if shape == Shape::Postgres {
            // At scale the schema is made by its own command.
            souk.json(&["migrate"]);
        }
        souk.start(words);
        if shape == Shape::Apart {
            souk.furnish(words);
        }
        souk
    }

    /// What `up` does beyond running the parts: the demo, and the operator's sign-in link.
    fn furnish(&mut self, words: &[&str]) {
        if !words.contains(&"--no-demo") {
            let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/souk/demo");
            let files = std::fs::read_dir(demo).unwrap().map(|file| file.unwrap().path());
            let mut manifests: Vec<_> =
                files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
            manifests.sort();
            for manifest in manifests {
                self.json(&["offerings", "publish", manifest.to_str().unwrap()]);
            }
        }
        let link = self.json(&["login", "--email", "operator@localhost"]);
        link["signIn"].as_str().unwrap().clone_into(&mut self.sign_in);
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The socket on which the operator reaches a part.
    pub(crate) fn socket(&self, part: &str) -> PathBuf {
        let name = if self.shape == Shape::Apart { part } else { "mesh" };
        self.data().join(format!("{name}.sock"))
    }

    /// A directory for the test's own files.
    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the settings of the next start, beyond those of the shape.
    pub(crate) fn settings(&self, text: &str) {
        let settings = format!("{}{text}", self.shape.settings(&self.data()));
        if !settings.is_empty() {
            std::fs::create_dir_all(self.data()).unwrap();
            std::fs::write(self.data().join("souk.toml"), settings).unwrap();
        }
    }

    /// Whether every process that was started is still there. Those that ended may be started again.
    pub(crate) fn lives(&mut self) -> bool {
        let before = self.children.len();
        self.children.retain(|_, child| child.try_wait().unwrap().is_none());
        before > 0 && self.children.len() == before
    }

    /// The processes, by the part that each runs.
    pub(crate) fn pids(&self) -> BTreeMap<&'static str, u32> {
        self.children.iter().map(|(part, child)| (*part, child.id())).collect()
    }

    /// The processes that are wanted and not there, each with the command that starts it.
    fn missing(&self, words: &[&str]) -> Vec<(&'static str, Command)> {
        let wanted: Vec<&'static str> = match self.shape {
            Shape::Together | Shape::Postgres => vec![ALL],
            Shape::Apart => PartName::ALL.iter().map(|part| part.as_str()).collect(),
        };
        let missing = wanted.into_iter().filter(|part| !self.children.contains_key(part));
        let command = |part: &'static str| {
            let mut command = self.command();
            command.env("SOUK_UNDER_TEST", self.scratch());
            match part {
                ALL => command.args(["up"]).args(words),
                part => command.args(["run", "--only", part]),
            };
            command.args(["--listen", "127.0.0.1:0", "--json"]);
            (part, command)
        };
        missing.map(command).collect()
    }

    /// Starts what does not run, on the directory as it is.
    pub(crate) fn start(&mut self, words: &[&str]) {
        let missing = self.missing(words);
        assert!(!missing.is_empty(), "it runs already");
        let mut started = Vec::new();
        for (part, mut command) in missing {
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            self.children.insert(part, child);
            if part == PartName::Tenancy.as_str() {
                // It makes the operator; the gateway then writes down where it listens.
                self.ready(part);
            } else {
                started.push(part);
            }
        }
        for part in started {
            self.ready(part);
        }
    }

    /// Waits until a process says that it is ready.
    fn ready(&mut self, part: &'static str) {
        let child = self.children.get_mut(part).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            self.children.remove(part);
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
        if let Some(url) = ready["url"].as_str() {
            url.clone_into(&mut self.url);
            url.trim_start_matches("http://").clone_into(&mut self.grpc);
        }
        if let Some(link) = ready["signIn"].as_str() {
            link.clone_into(&mut self.sign_in);
        }
    }

    /// Starts on the directory as it is and kills it before the start is through: when the first process says
    /// that it is ready, or after so long.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        assert!(self.children.is_empty(), "it runs already");
        let (ready, said) = mpsc::channel();
        let mut started = Vec::new();
        for (_, mut command) in self.missing(&[]) {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let (out, ready) = (child.stdout.take().unwrap(), ready.clone());
            let reader = std::thread::spawn(move || {
                let mut line = String::new();
                BufReader::new(out).read_line(&mut line).ok();
                ready.send(()).ok();
            });
            started.push((child, reader));
        }
        said.recv_timeout(after).ok();
        for (mut child, reader) in started {
            child.kill().unwrap();
            child.wait().unwrap();
            reader.join().unwrap();
        }
    }

    /// Kills it as a power failure would.
    pub(crate) fn kill_9(&mut self) {
        let children = std::mem::take(&mut self.children);
        assert!(!children.is_empty(), "it does not run");
        for mut child in children.into_values() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills the process of one part.
    pub(crate) fn kill_part(&mut self, part: PartName) {
        let mut child = self.children.remove(part.as_str()).expect("the part runs apart");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, as a scheduler would, and says whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let children = std::mem::take(&mut self.children);
        assert!(!children.is_empty(), "it does not run");
        for child in children.values() {
            let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
            assert!(asked.success());
        }
        children.into_values().all(|mut child| child.wait().unwrap().success())
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
        for child in self.children.values_mut() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
