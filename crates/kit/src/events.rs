//! Events between parts: the server of a part's log, and the follower that applies another part's.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::Stream;
use souk_proto::souk::events::v1::{
    Event as Wire, FollowRequest, FollowResponse,
    events_service_client::EventsServiceClient,
    events_service_server::{EventsService, EventsServiceServer},
};
use souk_types::{Event, Fault, PartName, Reason, Time, event::Log};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    house::House,
    open::open,
    status::{Refusal, chain, status},
    work::Work,
};

/// How often a follower hears that the log is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A follower that heard nothing for so long connects anew.
const SILENCE: Duration = Duration::from_secs(5);
/// How often a follower who needs events that are gone asks for them.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// How often a sink hears what was passed. Events are kept for a week at the least.
const PASSED: Duration = Duration::from_secs(3600);
/// Events read at once.
const BATCH: u64 = 256;

/// Serves one part's log.
pub(crate) struct Server {
    log: Arc<dyn Log>,
    house: House,
}

impl Server {
    pub(crate) fn service(log: Arc<dyn Log>, house: House) -> EventsServiceServer<Self> {
        EventsServiceServer::new(Self { log, house })
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<FollowResponse, Status>> + Send>>;

#[tonic::async_trait]
impl EventsService for Server {
    type FollowStream = Answers;

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Answers>, Status> {
        let (_, ask) = open(request)?;
        let (sender, receiver) = mpsc::channel(64);
        let (log, stop) = (Arc::clone(&self.log), self.house.stop());
        self.house.detach(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sender.closed() => {}
                () = send(log.as_ref(), ask.after_position, &sender) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

async fn send(log: &dyn Log, mut position: i64, sender: &mpsc::Sender<Result<FollowResponse, Status>>) {
    loop {
        let events = match log.after(position, BATCH).await {
            Ok(events) => events,
            Err(fault) => {
                // The follower is gone or hears why; either way this stream is over.
                sender.send(Err(status(fault))).await.ok();
                return;
            }
        };
        if events.is_empty() {
            let heartbeat = FollowResponse { position, event: None };
            if sender.send(Ok(heartbeat)).await.is_err() {
                return;
            }
            tokio::select! {
                () = log.wait(position) => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
        }
        for (at, event) in events {
            position = at;
            if sender.send(Ok(FollowResponse { position, event: Some(encode(event)) })).await.is_err() {
                return;
            }
        }
    }
}

fn encode(event: Event) -> Wire {
    let micros = event.occur_time.micros();
    Wire {
        event_id: event.event_id.to_string(),
        r#type: event.kind,
        org_id: event.org_id.map(|org| org.to_string()).unwrap_or_default(),
        aggregate_id: event.aggregate_id,
        aggregate_sequence: event.aggregate_seq,
        occur_time: Some(crate::wire::timestamp(Time::from_micros(micros))),
        actor: event.actor,
        trace_id: event.trace,
        payload_json: event.payload.to_string(),
    }
}

fn decode(wire: Wire) -> Option<Event> {
    Some(Event {
        event_id: wire.event_id.parse().ok()?,
        kind: wire.r#type,
        org_id: if wire.org_id.is_empty() { None } else { Some(wire.org_id.parse().ok()?) },
        aggregate_id: wire.aggregate_id,
        aggregate_seq: wire.aggregate_sequence,
        occur_time: crate::wire::time(wire.occur_time?)?,
        actor: wire.actor,
        trace: wire.trace_id,
        payload: serde_json::from_str(&wire.payload_json).ok()?,
    })
}

/// Where a follower's events go. The position is stored in the transaction of the effect: that is what
/// makes an event act once.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The position of the last event that was taken; 0 before the first.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn cursor(&self) -> Result<i64, Fault>;

    /// Takes one event and its position in one transaction. Events that do not concern the part still
    /// move its position.
    ///
    /// # Errors
    /// When it could not be taken; it is brought again.
    async fn take(&self, position: i64, event: Event) -> Result<(), Fault>;

    /// Hears that it was brought all events up to `position` and no more are there for now, at most once an
    /// hour. A sink that does not store the position of each event that means nothing to it stores this one:
    /// what it lags behind is forgotten some day, and looks like events that were missed.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn passed(&self, position: i64) -> Result<(), Fault> {
        let _ = position;
        Ok(())
    }

    /// Hears that the log forgot all events up to `floor` before they were taken. Whoever can do without them,
    /// or has read from the part what they told, moves the position to `floor` and says so.
    ///
    /// # Errors
    /// When it could not be done; it is asked again.
    async fn forgotten(&self, floor: i64) -> Result<bool, Fault> {
        let _ = floor;
        Ok(false)
    }
}

/// A loop that follows another part's log into a sink.
pub fn follow(house: &House, from: PartName, sink: Arc<dyn Sink>) -> Work {
    let this = house.clone();
    Work::every(house, "follow", Duration::from_millis(200), None, move || {
        let (house, sink) = (this.clone(), Arc::clone(&sink));
        async move {
            let stop = house.stop();
            tokio::select! {
                () = stop.cancelled() => Ok(false),
                outcome = turn(&house, from, sink.as_ref()) => outcome.map(|()| false),
            }
        }
    })
}

/// Follows until the stream ends. Events that are gone come back by no other try: who needs them waits for an
/// operator, and asks no more than now and then.
async fn turn(house: &House, from: PartName, sink: &dyn Sink) -> Result<(), Fault> {
    let fault = match stream(house, from, sink).await {
        Ok(()) => return Ok(()),
        Err(fault) => fault,
    };
    let Some(floor) = floor(&fault) else { return Err(fault) };
    let (part, from) = (house.part().as_str(), from.as_str());
    if sink.forgotten(floor).await? {
        tracing::warn!(part, from, floor, "events were forgotten before they were taken, and are left out");
        return Ok(());
    }
    let (cause, remedy) = (chain(&fault), Reason::EventsForgotten.remedy());
    tracing::error!(
        part,
        from,
        cause,
        remedy,
        "events were forgotten before they were taken, none is followed"
    );
    tokio::time::sleep(FORGOTTEN).await;
    Ok(())
}

/// The last event that is gone, where a log says that it does not hold what follows.
fn floor(fault: &Fault) -> Option<i64> {
    let refusal = fault.cause.as_ref()?.downcast_ref::<Refusal>()?;
    if !refusal.is(Reason::EventsForgotten) {
        return None;
    }
    refusal.metadata.get("floor")?.parse().ok()
}

async fn stream(house: &House, from: PartName, sink: &dyn Sink) -> Result<(), Fault> {
    let after_position = sink.cursor().await?;
    let channel = house.dial().to(from, house.acting_for_platform());
    let refused = |status: Status| Fault::from(Refusal::read(from.as_str(), &status));
    let mut client = EventsServiceClient::new(channel);
    let (mut passed, mut due) = (after_position, house.now());
    let mut answers = client.follow(FollowRequest { after_position }).await.map_err(refused)?.into_inner();
    loop {
        let Ok(answer) = tokio::time::timeout(SILENCE, answers.message()).await else { return Ok(()) };
        let Some(FollowResponse { position, event }) = answer.map_err(refused)? else { return Ok(()) };
        let Some(event) = event else {
            if position > passed && house.now() >= due {
                sink.passed(position).await?;
                (passed, due) = (position, house.now() + PASSED);
            }
            continue;
        };
        let id = event.event_id.clone();
        match decode(event) {
            Some(event) => sink.take(position, event).await?,
            None => {
                // Skipping would lose it for good; stopping here keeps it until somebody looks.
                let fault = Fault::bug(house.part().as_str(), format!("event {id} of {from} is unreadable"));
                tracing::error!(event = id, from = from.as_str(), cause = chain(&fault), "event unreadable");
                return Err(fault);
            }
        }
    }
}
