//! Events from one part to another: every one, in order, once, whatever is restarted between them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use souk_kit::{
    Mounted,
    events::{Sink, follow},
};
use souk_types::{Event, EventId, Fault, OrgId, PartName, Reason, Time};
use tokio::sync::mpsc;
use tonic::service::Routes;

use crate::bench::{Bench, ListLog, Told};

/// A sink whose position is what a database would hold.
struct Store {
    position: Arc<AtomicI64>,
    /// Takes that fail before the next one succeeds.
    failing: AtomicUsize,
    taken: Mutex<Told>,
    /// Whether it can do without what is forgotten, and who hears when it is asked.
    skips: bool,
    asked: mpsc::UnboundedSender<i64>,
    /// Who hears what was passed.
    passed: mpsc::UnboundedSender<i64>,
}

#[async_trait]
impl Sink for Store {
    async fn cursor(&self) -> Result<i64, Fault> {
        Ok(self.position.load(Ordering::SeqCst))
    }

    async fn take(&self, position: i64, event: Event) -> Result<(), Fault> {
        let left = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(Fault::new(Reason::Unavailable, "runs", "the database is away"));
        }
        self.position.store(position, Ordering::SeqCst);
        self.taken.lock().unwrap().send((position, event)).ok();
        Ok(())
    }

    async fn passed(&self, position: i64) -> Result<(), Fault> {
        self.passed.send(position).ok();
        Ok(())
    }

    async fn forgotten(&self, floor: i64) -> Result<bool, Fault> {
        self.asked.send(floor).ok();
        if self.skips {
            self.position.store(floor, Ordering::SeqCst);
        }
        Ok(self.skips)
    }
}

fn event(at: i64) -> Event {
    let bits = u128::try_from(at).unwrap();
    Event {
        event_id: EventId::from_bits(bits),
        kind: "souk.catalog.v1.OfferingPaused".into(),
        org_id: (at % 2 == 0).then(|| OrgId::from_bits(bits)),
        aggregate_id: format!("off_{at}"),
        aggregate_seq: at,
        occur_time: Time::from_micros(1_700_000_000_123_456 + at),
        actor: "part:catalog".into(),
        trace: String::new(),
        payload: serde_json::json!({"at": at, "text": "ä\n\"", "none": null}),
    }
}

fn happen(log: &ListLog, events: std::ops::RangeInclusive<i64>) {
    log.events.lock().unwrap().extend(events.map(event));
    log.bell.notify_waiters();
}

/// Starts a follower in this mesh.
fn start(
    bench: &mut Bench,
    position: &Arc<AtomicI64>,
    failing: usize,
) -> mpsc::UnboundedReceiver<(i64, Event)> {
    let (taken, receiver) = mpsc::unbounded_channel();
    let sink = Store {
        position: Arc::clone(position),
        failing: AtomicUsize::new(failing),
        taken: Mutex::new(taken),
        skips: false,
        asked: mpsc::unbounded_channel().0,
        passed: mpsc::unbounded_channel().0,
    };
    run(bench, sink);
    receiver
}

fn run(bench: &mut Bench, sink: Store) {
    let house = bench.house(PartName::Runs);
    let work = vec![follow(&house, PartName::Catalog, Arc::new(sink))];
    bench.mesh.serve(&house, Mounted { work, ..Mounted::new(Routes::default()) }).unwrap();
}

async fn expect(taken: &mut mpsc::UnboundedReceiver<(i64, Event)>, events: std::ops::RangeInclusive<i64>) {
    for at in events {
        let (position, own) = taken.recv().await.unwrap();
        assert_eq!((position, own), (at, event(at)));
    }
}

#[tokio::test]
async fn every_event_arrives_once_in_order_across_failures_and_restarts() {
    let position = Arc::new(AtomicI64::new(0));
    let mut bench = Bench::new();
    // More than one batch, and a sink whose database is away at first.
    happen(&bench.log, 1..=600);
    let mut taken = start(&mut bench, &position, 2);
    expect(&mut taken, 1..=600).await;
    happen(&bench.log, 601..=605);
    expect(&mut taken, 601..=605).await;
    let log = Arc::clone(&bench.log);
    assert!(bench.mesh.drain().await, "a follower ends with its process");
    assert!(taken.try_recv().is_err());

    let mut bench = Bench::new();
    happen(&bench.log, 1..=700);
    assert!(log.events.lock().unwrap().len() < 700, "it happened while nobody followed");
    let mut taken = start(&mut bench, &position, 0);
    expect(&mut taken, 606..=700).await;
    happen(&bench.log, 701..=701);
    expect(&mut taken, 701..=701).await;
    assert_eq!(position.load(Ordering::SeqCst), 701);
    assert!(bench.mesh.drain().await);
    assert!(taken.try_recv().is_err(), "none came twice");
}

#[tokio::test]
async fn an_event_that_happens_during_the_stream_needs_no_new_one() {
    let position = Arc::new(AtomicI64::new(0));
    let mut bench = Bench::new();
    let mut taken = start(&mut bench, &position, 0);
    for at in 1..=50 {
        happen(&bench.log, at..=at);
        expect(&mut taken, at..=at).await;
    }
}

/// A follower at 3 of a log that holds what follows 10.
fn late(
    bench: &mut Bench,
    skips: bool,
) -> (mpsc::UnboundedReceiver<(i64, Event)>, mpsc::UnboundedReceiver<i64>) {
    happen(&bench.log, 1..=12);
    bench.log.floor.store(10, Ordering::SeqCst);
    let ((taken, events), (asked, floors)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let position = Arc::new(AtomicI64::new(3));
    let (failing, passed) = (AtomicUsize::new(0), mpsc::unbounded_channel().0);
    let sink = Store { position, failing, taken: Mutex::new(taken), skips, asked, passed };
    run(bench, sink);
    (events, floors)
}

#[tokio::test]
async fn who_can_do_without_forgotten_events_goes_on_after_them() {
    let mut bench = Bench::new();
    let (mut taken, mut asked) = late(&mut bench, true);
    expect(&mut taken, 11..=12).await;
    assert_eq!((asked.recv().await, asked.try_recv().is_err()), (Some(10), true), "asked once");
}

#[tokio::test(start_paused = true)]
async fn who_needs_forgotten_events_takes_none_and_does_not_hammer() {
    let mut bench = Bench::new();
    let (mut taken, mut asked) = late(&mut bench, false);
    assert_eq!(asked.recv().await, Some(10));
    let minutes = |count: u64| Duration::from_secs(60 * count);
    assert!(tokio::time::timeout(minutes(9), asked.recv()).await.is_err(), "not every few seconds");
    assert_eq!(tokio::time::timeout(minutes(2), asked.recv()).await.unwrap(), Some(10), "now and then");
    assert!(taken.try_recv().is_err(), "nothing is left out in silence");
}

#[tokio::test]
async fn a_follower_hears_how_far_it_is_when_nothing_more_comes_and_then_hourly() {
    let mut bench = Bench::new();
    happen(&bench.log, 1..=300);
    let ((taken, mut events), (passed, mut heard)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let sink = Store {
        position: Arc::new(AtomicI64::new(0)),
        failing: AtomicUsize::new(0),
        taken: Mutex::new(taken),
        skips: false,
        asked: mpsc::unbounded_channel().0,
        passed,
    };
    run(&mut bench, sink);
    expect(&mut events, 1..=300).await;
    assert_eq!(heard.recv().await, Some(300));
    happen(&bench.log, 301..=302);
    expect(&mut events, 301..=302).await;
    assert!(heard.try_recv().is_err(), "not before an hour is over");
    bench.clock.advance(Duration::from_secs(3600));
    happen(&bench.log, 303..=303);
    // A sign of life that was on its way speaks of 302.
    assert!([302, 303].contains(&heard.recv().await.unwrap()));
}
