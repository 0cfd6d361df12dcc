//! Callers that do the same thing, one after the other, until the time is over.

use std::{future::Future, time::Duration};

use souk_kit::clock::MachineClock;
use souk_types::{Clock as _, Time};
use tokio::task::JoinSet;

use crate::Outcome;

/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(5);
/// How many callers at once.
pub(crate) const CALLERS: [u32; 3] = [1, 16, 64];

/// The machine's time.
pub(crate) fn now() -> Time {
    MachineClock.now()
}

/// Whole units a second, of so many in this time.
pub(crate) fn per_second(done: u64, since: Time) -> Outcome<u64> {
    let micros = u64::try_from(now().since(since).as_micros())?.max(1);
    Ok(done.saturating_mul(1_000_000) / micros)
}

/// What callers did.
pub(crate) struct Done {
    pub(crate) times: u64,
    pub(crate) per_second: u64,
}

/// Sets callers to work; a caller does its n-th, then the next. Says how often they did it.
pub(crate) async fn work<Caller, Once>(callers: u32, make: impl Fn(u32) -> Caller) -> Outcome<Done>
where
    Caller: Fn(u64) -> Once + Send + 'static,
    Once: Future<Output = Outcome<()>> + Send + 'static,
{
    let start = now();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let caller = make(caller);
        running.spawn(async move {
            let mut done = 0;
            while now().since(start) < SPAN {
                caller(done).await?;
                done += 1;
            }
            Outcome::Ok(done)
        });
    }
    let mut times = 0;
    while let Some(done) = running.join_next().await {
        times += done??;
    }
    Ok(Done { times, per_second: per_second(times, start)? })
}
