//! Loops: one turn is a plain function that a test calls; the loop around it is here, once.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use souk_types::{Class, Fault, PartName};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{house::House, status::chain, streak::Streak};

/// The longest pause after turns that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A loop of a part, started with it and stopped with the process.
pub struct Work {
    pub(crate) name: &'static str,
    pub(crate) run: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What wakes a loop before its pause is over.
pub struct Wake {
    bell: broadcast::Receiver<Arc<str>>,
    topic: &'static str,
}

impl Wake {
    /// Wakes when `topic` rings on the bell of a database.
    #[must_use]
    pub const fn on(bell: broadcast::Receiver<Arc<str>>, topic: &'static str) -> Self {
        Self { bell, topic }
    }

    async fn rung(&mut self) {
        loop {
            match self.bell.recv().await {
                Ok(topic) if *topic == *self.topic => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

impl Work {
    /// A loop of any shape. It must end when the house stops.
    pub fn new(name: &'static str, run: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, run: Box::pin(run) }
    }

    /// Repeats a turn: at once while it says that there is more, else after `pause` or when woken. A turn
    /// that fails is tried again after a growing pause.
    pub fn every<F, Fut, E>(
        house: &House,
        name: &'static str,
        pause: Duration,
        mut wake: Option<Wake>,
        mut turn: F,
    ) -> Self
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<bool, E>> + Send,
        E: Into<Fault> + Send,
    {
        let (stop, part) = (house.stop(), house.part());
        Self::new(name, async move {
            let streak = Streak::default();
            while !stop.is_cancelled() {
                match turn().await {
                    Ok(more) => {
                        if let Some(failures) = streak.ended() {
                            tracing::info!(
                                part = part.as_str(),
                                work = name,
                                failures,
                                "turns succeed again"
                            );
                        }
                        if more {
                            // A long backlog must not keep the thread from everybody else.
                            tokio::task::yield_now().await;
                        } else {
                            rest(&stop, pause, wake.as_mut()).await;
                        }
                    }
                    Err(error) => {
                        let failures = failed(part, name, &streak, &error.into());
                        let pause =
                            Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(failures.min(10)));
                        rest(&stop, pause.min(LONGEST_PAUSE), None).await;
                    }
                }
            }
        })
    }
}

/// Counts a failed turn and tells of it: where something is away, when it is so for a while.
fn failed(part: PartName, work: &'static str, streak: &Streak, fault: &Fault) -> u32 {
    let (failures, tell) = streak.failed();
    let (part, cause) = (part.as_str(), chain(fault));
    let passes = matches!(fault.class(), Class::Unavailable | Class::Late | Class::Cancelled);
    if tell || (failures == 1 && !passes) {
        tracing::warn!(part, work, failures, cause, "turn failed");
    } else {
        tracing::debug!(part, work, failures, cause, "turn failed");
    }
    failures
}

async fn rest(stop: &CancellationToken, pause: Duration, wake: Option<&mut Wake>) {
    let woken = async {
        match wake {
            Some(wake) => wake.rung().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
        () = woken => {}
    }
}
