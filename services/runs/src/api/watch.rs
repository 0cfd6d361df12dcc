//! WatchRun: every event of a run in its order, from any place, until the run is over. Unlike the watches
//! of nouns nothing is skipped: the rows are read, the bell only says when.

use std::{sync::Arc, time::Duration};

use souk_kit::{House, status};
use souk_proto::souk::runs::v1::WatchRunResponse;
use souk_types::{Fault, Reason, RunId, Scope};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Events, encode};
use crate::{
    model::{Event, Run},
    service::{Bell, Ear, Service},
};

/// How often a watcher hears that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a stream is ended so that its caller comes back with a fresh token.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Events read at once.
const BATCH: u64 = 64;

type Sender = mpsc::Sender<Result<WatchRunResponse, Status>>;

/// Streams a run's events after a sequence.
///
/// # Errors
/// When the caller may not see the run: that is an error, not an empty stream.
pub(super) async fn watch(
    house: &House,
    service: Arc<Service>,
    scope: Scope,
    from: (RunId, i64),
) -> Result<Events, Fault> {
    let (bell, ear) = (service.bell(from.0), service.listen(from.0));
    let mut watcher = Watcher { house: house.clone(), bell, _ear: ear, service, scope, from };
    let first = watcher.read().await?;
    let (sender, receiver) = mpsc::channel(16);
    let stop = house.stop();
    house.detach(async move {
        let work = async {
            if let Err(fault) = watcher.follow(first, &sender).await {
                sender.send(Err(status(fault))).await.ok();
            }
        };
        tokio::select! {
            () = sender.closed() => {}
            () = work => {}
            () = stop.cancelled() => {
                sender.try_send(Err(status(over("the server is shutting down")))).ok();
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

fn over(text: &str) -> Fault {
    Fault::new(Reason::Unavailable, "runs", text).retry_in(Duration::from_secs(1))
}

struct Watcher {
    house: House,
    service: Arc<Service>,
    bell: Bell,
    /// A watcher listens: a run that is watched is not cancelled for want of listeners.
    _ear: Ear,
    scope: Scope,
    /// The run and the last sequence that was sent.
    from: (RunId, i64),
}

impl Watcher {
    async fn read(&self) -> Result<(Run, Vec<Event>), Fault> {
        Ok(self.service.run_events(&self.scope, self.from, BATCH).await?)
    }

    async fn follow(&mut self, first: (Run, Vec<Event>), sender: &Sender) -> Result<(), Fault> {
        let start = self.house.now();
        let (mut told, mut looked) = (None, start);
        let (mut run, mut events) = first;
        let mut beaten = start;
        loop {
            for event in events {
                self.from.1 = event.sequence;
                beaten = self.house.now();
                if sender.send(Ok(encode::event(&run, event))).await.is_err() {
                    return Ok(());
                }
            }
            // The last event was sent, or lies before where the caller wanted to start.
            if run.state.is_over() && self.from.1 >= run.sequence {
                return Ok(());
            }
            self.service.tell_listening(&run, &mut told).await?;
            let mut rung = true;
            if self.from.1 >= run.sequence {
                rung = tokio::select! {
                    () = self.bell.rung() => true,
                    () = tokio::time::sleep(self.house.poll()) => false,
                };
            }
            let now = self.house.now();
            if now.since(start) >= MAX_AGE {
                return Err(over("the watch reached its greatest age: watch again from the last sequence"));
            }
            if now.since(beaten) >= HEARTBEAT {
                beaten = now;
                if sender.send(Ok(encode::heartbeat(now))).await.is_err() {
                    return Ok(());
                }
            }
            // What this process works on rings here: nothing changed, as long as nothing rang.
            if rung || now.since(looked) >= self.service.pause(&run) {
                looked = now;
                (run, events) = self.read().await?;
            } else {
                events = Vec::new();
            }
        }
    }
}
