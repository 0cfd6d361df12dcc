//! Watches: the noun as it stands, then whole again whenever it changed. A ring is a doorbell only: the
//! watcher reads the row again and sends it when its etag differs, so a slow reader gets the newest.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use souk_types::{Fault, Reason, Time};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{house::House, status::status};

/// How often a watcher hears that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a stream is ended so that its caller comes back with a fresh token.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Messages a second at the most; a noun that changes faster is sent as it stands then.
const HERTZ: u32 = 10;

/// The stream of a watch.
pub type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// What a watch looks at.
pub struct Subject<R, B> {
    /// Rings when something may have changed.
    pub bell: broadcast::Receiver<Arc<str>>,
    /// The topic that rings for this noun.
    pub topic: String,
    /// Reads the noun: its etag and its message.
    pub read: R,
    /// Makes a heartbeat.
    pub beat: B,
}

/// Streams a noun.
///
/// # Errors
/// What the first read answers: a noun that is not there is an error, not an empty stream.
pub async fn watch<M, R, Fut, B>(house: &House, mut subject: Subject<R, B>) -> Result<Messages<M>, Fault>
where
    M: Send + 'static,
    R: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(String, M), Fault>> + Send,
    B: Fn(Time) -> M + Send + Sync + 'static,
{
    let (etag, first) = (subject.read)().await?;
    let (sender, receiver) = mpsc::channel(2);
    // One place is kept for the word at the end: a reader who stands still hears it too, and the drain
    // waits for nobody.
    let last =
        sender.clone().reserve_owned().await.map_err(|error| Fault::bug(house.part().as_str(), error))?;
    let (this, stop) = (house.clone(), house.stop());
    house.detach(async move {
        let work = async {
            if sender.send(Ok(first)).await.is_ok()
                && let Err(fault) = follow(&this, &mut subject, etag, &sender).await
            {
                sender.send(Err(status(fault))).await.ok();
            }
        };
        tokio::select! {
            () = sender.closed() => {}
            () = work => {}
            () = stop.cancelled() => {
                last.send(Err(status(over(&this, "the server is shutting down"))));
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

fn over(house: &House, text: &str) -> Fault {
    Fault::new(Reason::Unavailable, house.part().as_str(), text).retry_in(Duration::from_secs(1))
}

async fn follow<M, R, Fut, B>(
    house: &House,
    subject: &mut Subject<R, B>,
    mut etag: String,
    sender: &mpsc::Sender<Result<M, Status>>,
) -> Result<(), Fault>
where
    R: Fn() -> Fut,
    Fut: Future<Output = Result<(String, M), Fault>>,
    B: Fn(Time) -> M,
{
    let start = house.now();
    let (mut beaten, mut window, mut sent) = (start, start, 0_u32);
    loop {
        rung(&mut subject.bell, &subject.topic, house.poll()).await;
        let now = house.now();
        if now.since(start) >= MAX_AGE {
            return Err(over(house, "the watch reached its greatest age: watch again"));
        }
        if now.since(window) >= Duration::from_secs(1) {
            (window, sent) = (now, 0);
        }
        if sent >= HERTZ {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (fresh, message) = (subject.read)().await?;
        let message = if fresh != etag {
            etag = fresh;
            sent += 1;
            message
        } else if now.since(beaten) >= HEARTBEAT {
            (subject.beat)(now)
        } else {
            continue;
        };
        beaten = now;
        if sender.send(Ok(message)).await.is_err() {
            return Ok(());
        }
    }
}

/// Returns when the topic rang, the bell lagged or the poll is due.
async fn rung(bell: &mut broadcast::Receiver<Arc<str>>, topic: &str, poll: Duration) {
    let heard = async {
        loop {
            match bell.recv().await {
                Ok(rung) if *rung == *topic => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    };
    tokio::select! {
        () = heard => {}
        () = tokio::time::sleep(poll) => {}
    }
}
