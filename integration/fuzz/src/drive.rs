//! The driver: tries inputs on a thread of its own and looks from outside whether it still moves.

use std::{
    fmt::Debug,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseResult, TestError, TestRunner},
};

/// How long the search goes on; absent: a fixed number of cases.
const SECONDS: &str = "SOUK_FUZZ_SECONDS";
/// Cases of an ordinary test.
const FEW: u32 = 200;
/// Cases between two looks at the time.
const BATCH: u32 = 64;
/// One case that takes longer hangs. A slow machine is forgiven much; an endless loop is not.
const HANG: Duration = Duration::from_secs(60);
/// The stack that a server's thread has, so that what recurses too deep falls here as it would there.
const STACK: usize = 2 * 1024 * 1024;
/// What the process may hold at its highest, in KiB, all targets together.
const MOST_MEMORY: u64 = 1024 * 1024;

/// What is tried at present.
type Present = Arc<Mutex<String>>;

/// Tries the property on inputs of the strategy.
///
/// # Panics
/// When the property fails or panics, when one case hangs, when the process grew beyond the bound.
#[expect(clippy::panic, clippy::print_stdout, reason = "the driver of a test")]
pub fn drive<S>(name: &'static str, inputs: S, property: impl Fn(S::Value) -> TestCaseResult + Send + 'static)
where
    S: Strategy + Send + 'static,
    S::Value: Debug,
{
    let (beat, beats) = channel();
    let present = Present::default();
    let shown = Arc::clone(&present);
    let work = move || search(&inputs, &property, &present, &beat);
    let worker = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work);
    let worker = worker.unwrap_or_else(|error| panic!("{name}: no thread: {error}"));
    if watch(&beats) {
        let input = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        panic!("{name}: hangs on {input}");
    }
    match worker.join() {
        Ok(Ok(cases)) => println!("{name}: {cases} cases, {} KiB at the highest", highest()),
        Ok(Err(said)) => panic!("{name}: {said}"),
        Err(panicked) => resume_unwind(panicked),
    }
    assert!(highest() < MOST_MEMORY, "{name}: the process held {} KiB", highest());
}

/// Waits until the worker is done; true when it does not move any more.
fn watch(beats: &Receiver<()>) -> bool {
    loop {
        match beats.recv_timeout(HANG) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Searches until the time is over; says how many cases there were, or which input failed.
#[expect(
    clippy::disallowed_methods,
    reason = "how long to search is asked of the machine, not of a test's clock"
)]
fn search<S>(
    inputs: &S,
    property: &impl Fn(S::Value) -> TestCaseResult,
    present: &Present,
    beat: &Sender<()>,
) -> Result<u32, String>
where
    S: Strategy,
    S::Value: Debug,
{
    let seconds: Option<u64> = std::env::var_os(SECONDS).and_then(|text| text.to_str()?.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let batch = if end.is_some() { BATCH } else { FEW };
    let mut cases = 0_u32;
    loop {
        let config = Config { cases: batch, failure_persistence: None, ..Config::default() };
        let tried = TestRunner::new(config).run(inputs, |input| {
            *present.lock().unwrap_or_else(PoisonError::into_inner) = format!("{input:?}");
            // Nobody listens any more once it hung before.
            beat.send(()).ok();
            property(input)
        });
        match tried {
            Ok(()) => cases = cases.saturating_add(batch),
            Err(TestError::Fail(why, input)) => return Err(format!("{why}\nby {input:?}")),
            Err(TestError::Abort(why)) => return Err(format!("gave up: {why}")),
        }
        if end.is_none_or(|end| Instant::now() >= end) {
            return Ok(cases);
        }
    }
}

/// What the process held at its highest, in KiB; 0 where the system does not say.
fn highest() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
