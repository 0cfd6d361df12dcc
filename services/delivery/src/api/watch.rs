//! WatchApplied: all that stands, page by page from the table, its end marked; then each instance whole again
//! whenever it changed. Who reads slowly gets the newest: between two reads an instance is named once,
//! however often it changed, and its row is read when it is sent.

use std::{sync::Arc, time::Duration};

use souk_kit::{House, status, watch::Messages};
use souk_proto::souk::delivery::v1::WatchAppliedResponse;
use souk_types::{Fault, Reason, Scope, Time, id::InstanceId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::encode;
use crate::{error::DOMAIN, model::AppliedState, service::Service};

/// How often a watcher hears that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// When a stream is ended so that its caller comes back with a fresh token.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Messages that may be on their way to a reader who stands still.
const UNDER_WAY: usize = 16;

type Sender = mpsc::Sender<Result<WatchAppliedResponse, Status>>;

/// Streams what is applied within a scope.
///
/// # Errors
/// When the database does not answer: that is an error, not an empty stream.
pub(super) async fn watch(
    house: &House,
    service: Arc<Service>,
    scope: Scope,
) -> Result<Messages<WatchAppliedResponse>, Fault> {
    // Before the first page: what changes while the pages are read is told again afterwards.
    let place = service.changes_head().await?;
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    // Kept for the word at the end: a reader who stands still hears it too, and the drain waits for nobody.
    let last = sender.clone().reserve_owned().await.map_err(|error| Fault::bug(DOMAIN, error))?;
    let (start, stop) = (house.now(), house.stop());
    let mut watcher = Watcher { house: house.clone(), service, scope, place, start, beaten: start };
    house.detach(async move {
        let work = async {
            if let Err(fault) = watcher.follow(&sender).await {
                sender.send(Err(status(fault))).await.ok();
            }
        };
        tokio::select! {
            () = sender.closed() => {}
            () = work => {}
            () = stop.cancelled() => {
                last.send(Err(status(over("the server is shutting down"))));
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

fn over(text: &str) -> Fault {
    Fault::new(Reason::Unavailable, DOMAIN, text).retry_in(Duration::from_secs(1))
}

struct Watcher {
    house: House,
    service: Arc<Service>,
    scope: Scope,
    /// How far the log of changes was read.
    place: i64,
    start: Time,
    beaten: Time,
}

impl Watcher {
    /// Ends well when the reader is gone.
    async fn follow(&mut self, sender: &Sender) -> Result<(), Fault> {
        let mut after: Option<InstanceId> = None;
        loop {
            let (page, last) = self.service.standing(&self.scope, after).await?;
            after = page.last().map(|state| state.instance_id).or(after);
            if !self.send(sender, page).await {
                return Ok(());
            }
            if last {
                break;
            }
        }
        if sender.send(Ok(encode::complete())).await.is_err() {
            return Ok(());
        }
        self.beaten = self.house.now();
        loop {
            tokio::select! {
                () = self.service.changes_beyond(self.place) => {}
                () = tokio::time::sleep(self.house.poll()) => {}
            }
            if !self.turn(sender).await? {
                return Ok(());
            }
        }
    }

    /// Sends what changed; says whether the reader is still there.
    async fn turn(&mut self, sender: &Sender) -> Result<bool, Fault> {
        let now = self.house.now();
        if now.since(self.start) >= MAX_AGE {
            return Err(over("the watch reached its greatest age: watch again"));
        }
        let (mut changed, place) = self.service.changed_since(self.place).await?;
        self.place = place;
        while !changed.is_empty() {
            let (states, left) = self.service.applied_to(&self.scope, changed).await?;
            changed = left;
            if !self.send(sender, states).await {
                return Ok(false);
            }
        }
        if now.since(self.beaten) >= HEARTBEAT {
            self.beaten = now;
            return Ok(sender.send(Ok(encode::heartbeat(now))).await.is_ok());
        }
        Ok(true)
    }

    async fn send(&mut self, sender: &Sender, states: Vec<AppliedState>) -> bool {
        for state in states {
            self.beaten = self.house.now();
            if sender.send(Ok(encode::change(state))).await.is_err() {
                return false;
            }
        }
        true
    }
}
