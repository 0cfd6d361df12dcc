//! What an operator asks of a part that has a database: to hold its writes for a while.

use std::{sync::Arc, time::Duration};

use souk_proto::souk::operations::v1::{
    HoldWritesRequest, HoldWritesResponse,
    operations_service_server::{OperationsService, OperationsServiceServer},
};
use souk_types::{
    Fault, Reason, Time,
    event::{Hold, Log},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{house::House, open::open, status::status, watch::Messages, wire::timestamp, work::Work};

/// How long writes are held at the most, whatever the holder says: a holder that hangs must not stop the
/// platform.
const LONGEST: Duration = Duration::from_secs(60);
/// How often a holder hears that it still holds.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often what was kept long enough is forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// Serves the operations of one part.
pub(crate) struct Server {
    log: Arc<dyn Log>,
    house: House,
}

impl Server {
    pub(crate) fn service(log: Arc<dyn Log>, house: House) -> OperationsServiceServer<Self> {
        OperationsServiceServer::new(Self { log, house })
    }
}

/// The loops that every part with a database has: its events get their positions, and what was kept long
/// enough is forgotten.
pub(crate) fn upkeep(house: &House, log: &Arc<dyn Log>) -> Vec<Work> {
    let (numbers, forgets, stop) = (Arc::clone(log), Arc::clone(log), house.stop());
    // The turn waits for the next event by itself.
    let number = Work::every(house, "number-events", Duration::ZERO, None, move || {
        let (log, stop) = (Arc::clone(&numbers), stop.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => Ok(false),
                turned = log.number() => turned.map(|()| false),
            }
        }
    });
    let forget = Work::every(house, "forget", FORGET, None, move || {
        let log = Arc::clone(&forgets);
        async move { log.forget().await }
    });
    vec![number, forget]
}

#[tonic::async_trait]
impl OperationsService for Server {
    type HoldWritesStream = Messages<HoldWritesResponse>;

    async fn hold_writes(
        &self,
        request: Request<HoldWritesRequest>,
    ) -> Result<Response<Self::HoldWritesStream>, Status> {
        let (call, _) = open(request)?;
        let hold = self.log.hold().await.map_err(status)?;
        let (part, since) = (self.house.part(), self.house.now());
        tracing::info!(part = part.as_str(), by = call.caller.actor(), "writes are held");
        let (sender, receiver) = mpsc::channel(2);
        let (house, stop) = (self.house.clone(), self.house.stop());
        self.house.detach(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sender.closed() => {}
                () = keep(&house, since, hold, &sender) => {}
            }
            tracing::info!(part = part.as_str(), "writes go on");
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

async fn keep(
    house: &House,
    since: Time,
    hold: Hold,
    sender: &mpsc::Sender<Result<HoldWritesResponse, Status>>,
) {
    let beats = async {
        loop {
            let held = HoldWritesResponse {
                hold_time: Some(timestamp(since)),
                expire_time: Some(timestamp(since + LONGEST)),
            };
            if sender.send(Ok(held)).await.is_err() {
                return;
            }
            tokio::time::sleep(HEARTBEAT).await;
        }
    };
    if tokio::time::timeout(LONGEST, beats).await.is_err() {
        // First the writes, then the word: the holder may not be listening.
        drop(hold);
        let text = "writes were held for as long as they may be, and go on";
        let over = Fault::new(Reason::DeadlineExceeded, house.part().as_str(), text);
        sender.send(Err(status(over))).await.ok();
    }
}
