//! The program as its users start it: how long it takes to be ready, what it holds, how many runs it does.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use souk_proto::souk::runs::v1::{CreateRunRequest, State, runs_service_client::RunsServiceClient};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::{
    Outcome,
    callers::{self, now},
    report::Report,
};

/// Starts on the directory as it is, of which the one in the middle is told.
const STARTS: usize = 5;
/// Callers at the gateway.
const CALLERS: [u32; 2] = [1, 16];
/// What the system counts a process's time in: hundredths of a second.
const TICK_MILLIS: u64 = 10;

/// The program on a directory of its own. Dropping it kills it.
pub(crate) struct Program {
    path: PathBuf,
    pub(crate) data: PathBuf,
    running: Option<(Child, String)>,
}

impl Program {
    pub(crate) fn new(path: PathBuf, data: PathBuf) -> Self {
        Self { path, data, running: None }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("--data").arg(&self.data).env_remove("SOUK_TOKEN").env_remove("SOUK_SERVER");
        command
    }

    /// Starts it; gives the milliseconds until it says that it is ready.
    pub(crate) fn start(&mut self) -> Outcome<u64> {
        let begun = now();
        let mut child = self
            .command()
            .args(["up", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        let out = child.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let took = u64::try_from(now().since(begun).as_millis())?;
        let ready: Value = serde_json::from_str(&line)?;
        let url = ready["url"].as_str().ok_or("it did not say where it listens")?.to_owned();
        self.running = Some((child, url));
        Ok(took)
    }

    pub(crate) fn kill(&mut self) -> Outcome<()> {
        if let Some((mut child, _)) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Measures the first start, which makes keys, tables and demo, and later ones, each after a kill.
    pub(crate) fn measure_starts(&mut self, report: &mut Report) -> Outcome<()> {
        report.figure("start to ready, empty directory", "ms", self.start()?);
        self.measure_memory("idle after the first start", report)?;
        let mut took = Vec::new();
        for _ in 0..STARTS {
            self.kill()?;
            took.push(self.start()?);
        }
        took.sort_unstable();
        let median = took.get(STARTS / 2).copied().unwrap_or_default();
        report.figure("start to ready, after a kill (median of 5)", "ms", median);
        self.measure_memory("idle after a later start", report)?;
        self.kill()
    }

    /// Tells how much memory it holds, in whole MB.
    pub(crate) fn measure_memory(&self, when: &str, report: &mut Report) -> Outcome<()> {
        let (child, _) = self.running.as_ref().ok_or("it does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
        report.figure(&format!("resident memory, {when}"), "MB", kilobytes / 1024);
        Ok(())
    }

    /// The processor time that it has used.
    fn ticks(&self) -> Outcome<u64> {
        let (child, _) = self.running.as_ref().ok_or("it does not run")?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        // The name in brackets may hold anything; what follows it is numbers.
        let (_, numbers) = stat.rsplit_once(')').ok_or("no numbers")?;
        let mut times = numbers.split_whitespace().skip(11).map(str::parse::<u64>);
        let (user, system) = (times.next().ok_or("no time")??, times.next().ok_or("no time")??);
        Ok(user + system)
    }

    fn json<S: AsRef<OsStr>>(&self, words: &[S]) -> Outcome<Value> {
        let done = self.command().args(words).arg("--json").output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into());
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }

    /// An instance of the demo's flow without a limit of runs, cheap enough for all of them.
    fn runnable(&self) -> Outcome<String> {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services/souk/demo");
        let manifest = std::fs::read_to_string(demo.join("support-triage.yaml"))?
            .replace("slug: support-triage", "slug: bench-desk")
            .replace(", limits: {runsPerMinute: 60}", "")
            .replace("credits: 1}", "credits: 0.001}");
        let path = self.data.join("bench-desk.yaml");
        std::fs::write(&path, manifest)?;
        std::fs::copy(demo.join("support-triage.flow.json"), self.data.join("support-triage.flow.json"))?;
        self.json(&["workspace"])?;
        self.json(&[OsStr::new("offerings"), OsStr::new("publish"), path.as_os_str()])?;
        let activated = self.json(&["instances", "activate", "bench-desk"])?;
        let instance = activated["instanceId"].as_str().ok_or("no instance")?.to_owned();
        Ok(instance)
    }

    /// Measures whole runs through the gateway: one connection, so many callers.
    pub(crate) async fn measure_runs(&self, report: &mut Report) -> Outcome<()> {
        let instance = self.runnable()?;
        let (_, url) = self.running.as_ref().ok_or("it does not run")?;
        let operator: toml::Table =
            toml::from_str(&std::fs::read_to_string(self.data.join("operator.toml"))?)?;
        let token = operator.get("token").and_then(toml::Value::as_str).ok_or("no token")?;
        let token: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        let channel = Endpoint::from_shared(url.clone())?.connect().await?;
        run(channel.clone(), token.clone(), instance.clone(), "first".to_owned()).await?;
        for callers in CALLERS {
            let before = self.ticks()?;
            let work = callers::work(callers, |caller| {
                let (channel, token, instance) = (channel.clone(), token.clone(), instance.clone());
                move |nth| {
                    let request_id = format!("{callers}-{caller}-{nth}");
                    run(channel.clone(), token.clone(), instance.clone(), request_id)
                }
            });
            let done = work.await?;
            report.rate("CreateRun over the gateway, echo flow", callers, "runs/s", done.per_second);
            let spent = self.ticks()?.saturating_sub(before) * TICK_MILLIS;
            let what = format!("processor time a run, {callers} at once");
            report.figure(&what, "ms", spent / done.times.max(1));
        }
        Ok(())
    }
}

async fn run(
    channel: Channel,
    token: MetadataValue<Ascii>,
    instance_id: String,
    request_id: String,
) -> Outcome<()> {
    let show = move |mut request: Request<()>| -> Result<_, Status> {
        request.metadata_mut().insert("authorization", token.clone());
        Ok(request)
    };
    let ask =
        CreateRunRequest { instance_id, request_id, input: "hello".to_owned(), session_id: String::new() };
    let answer = RunsServiceClient::with_interceptor(channel, show).create_run(ask).await?.into_inner();
    match answer.run {
        Some(run) if run.state() == State::Succeeded => Ok(()),
        other => Err(format!("the run did not succeed: {other:?}").into()),
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
