//! The life of an offering over the wire: who sees it when, what is refused, repeats and races.

use souk_proto::souk::catalog::v1 as pb;
use souk_types::{PartName, Reason};
use tonic::Code;

use super::desk::{Desk, desks, fields, publish, refusal};

fn pause(offering_id: &str, request_id: &str) -> pb::PauseOfferingRequest {
    pb::PauseOfferingRequest {
        offering_id: offering_id.into(),
        request_id: request_id.into(),
        reason: "a leak".into(),
    }
}

fn resume(offering_id: &str, request_id: &str) -> pb::ResumeOfferingRequest {
    pb::ResumeOfferingRequest { offering_id: offering_id.into(), request_id: request_id.into() }
}

fn end(desk: &Desk, offering_id: &str, request_id: &str, seconds: i64) -> pb::EndOfferingLifeRequest {
    let now = souk_db::Db::now(&desk.db).seconds();
    let end_time = prost_types::Timestamp { seconds: now + seconds, nanos: 0 };
    pb::EndOfferingLifeRequest {
        offering_id: offering_id.into(),
        request_id: request_id.into(),
        end_time: Some(end_time),
        reason: "replaced".into(),
    }
}

async fn listed(desk: &Desk) -> usize {
    let ask = pb::ListOfferingsRequest::default();
    desk.anybody().list_offerings(ask).await.unwrap().into_inner().offerings.len()
}

async fn shown(desk: &Desk, offering_id: &str) -> pb::Offering {
    let ask = pb::GetOfferingRequest { offering_id: offering_id.into() };
    desk.anybody().get_offering(ask).await.unwrap().into_inner().offering.unwrap()
}

/// What commerce is told of the plan.
async fn resolved(desk: &Desk) -> Result<(), souk_kit::Refusal> {
    let ask = pb::ResolvePlanRequest { offering_slug: "triage".into(), plan_slug: "pro".into() };
    let answer = desk.part(PartName::Commerce).resolve_plan(ask).await;
    answer.map(drop).map_err(|status| refusal(&status))
}

#[tokio::test]
async fn a_pause_hides_from_buyers_and_a_resume_shows_again() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        let version = desk.publish(publish(&id, "1", "a")).await;
        assert_eq!(shown(&desk, &id).await.state(), pb::offering::State::Active);

        let first = desk.operator().pause_offering(pause(&id, "p")).await.unwrap().into_inner();
        let paused = first.offering.clone().unwrap();
        assert_eq!((paused.state(), paused.etag.as_str()), (pb::offering::State::Paused, "v3"));
        assert_eq!(paused.newest_version.as_ref(), Some(&version));
        assert_eq!(listed(&desk).await, 0);
        assert_eq!(shown(&desk, "triage").await, paused);
        // What was sold is still read.
        assert_eq!(desk.version(&version.offering_version_id).await, version);
        let refused = resolved(&desk).await.unwrap_err();
        assert!(refused.is(Reason::OfferingPaused) && refused.code == Code::FailedPrecondition, "{refused}");
        assert_eq!(refused.metadata.get("why").unwrap(), "a leak");
        // A version that mends it may come meanwhile.
        let mended = desk.publish(publish(&id, "2", "b")).await;
        assert_eq!(shown(&desk, &id).await.state(), pb::offering::State::Paused);

        let illegal = refusal(&desk.operator().pause_offering(pause(&id, "p2")).await.unwrap_err());
        assert!(illegal.is(Reason::IllegalTransition) && illegal.code == Code::FailedPrecondition);
        assert_eq!(illegal.metadata.get("state").unwrap(), "PAUSED");

        let resumed = desk.operator().resume_offering(resume(&id, "r")).await.unwrap().into_inner();
        assert_eq!(resumed.offering.unwrap().state(), pb::offering::State::Active);
        assert_eq!(listed(&desk).await, 1);
        resolved(&desk).await.unwrap();
        assert_eq!(shown(&desk, &id).await.newest_version, Some(mended));
        // The first answer again, though much has happened since.
        assert_eq!(desk.operator().pause_offering(pause(&id, "p")).await.unwrap().into_inner(), first);
        assert_eq!(listed(&desk).await, 1, "{}", desk.db.engine);
        let other = pb::PauseOfferingRequest { reason: "other".into(), ..pause(&id, "p") };
        let reused = refusal(&desk.operator().pause_offering(other).await.unwrap_err());
        assert!(reused.is(Reason::RequestIdReused), "{reused}");
        let illegal = refusal(&desk.operator().resume_offering(resume(&id, "r2")).await.unwrap_err());
        assert!(illegal.is(Reason::IllegalTransition));
        let kinds = [desk.events("OfferingPaused").await, desk.events("OfferingResumed").await];
        assert_eq!(kinds.map(|told| told.len()), [1, 1]);
    }
}

#[tokio::test]
async fn an_end_stops_the_sale_at_once_and_the_rest_at_its_moment() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        desk.publish(publish(&id, "1", "a")).await;
        let ask = end(&desk, &id, "e", 3600);
        let ending = desk.operator().end_offering_life(ask.clone()).await.unwrap().into_inner();
        let ending = ending.offering.unwrap();
        assert_eq!((ending.state(), ending.end_time), (pb::offering::State::Ending, ask.end_time));
        assert_eq!(listed(&desk).await, 0);
        let refused = resolved(&desk).await.unwrap_err();
        assert!(refused.is(Reason::OfferingEnded) && refused.code == Code::FailedPrecondition, "{refused}");
        assert_eq!(refused.metadata.get("why").unwrap(), "replaced");
        assert!(refused.metadata.contains_key("end_time_micros"));
        let illegal = refusal(&desk.operator().pause_offering(pause(&id, "p")).await.unwrap_err());
        assert!(illegal.is(Reason::IllegalTransition));
        // Tenants may still move to a version that was mended.
        desk.publish(publish(&id, "2", "b")).await;

        // Moved to now: the loop hears of it and ends it.
        desk.operator().end_offering_life(end(&desk, &id, "now", 1)).await.unwrap();
        desk.db.clock.advance(std::time::Duration::from_secs(1));
        while shown(&desk, &id).await.state() != pb::offering::State::Ended {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.events("OfferingEnding").await.len(), 2);
        assert_eq!(desk.events("OfferingEnded").await.len(), 1, "{}", desk.db.engine);
        assert!(resolved(&desk).await.unwrap_err().is(Reason::OfferingEnded));
        let late = desk.try_publish(publish(&id, "3", "c")).await.unwrap_err();
        assert!(late.is(Reason::OfferingEnded), "{late}");
        let again = desk.publish(publish(&id, "1", "a")).await;
        assert_eq!(again.offering_slug, "triage", "a repeat is still answered");
        let illegal = desk.operator().end_offering_life(end(&desk, &id, "e9", 9)).await.unwrap_err();
        assert!(refusal(&illegal).is(Reason::IllegalTransition));
    }
}

#[tokio::test]
async fn an_end_survives_the_process() {
    for mut desk in desks().await {
        let id = desk.offering("triage").await;
        desk.publish(publish(&id, "1", "a")).await;
        desk.operator().end_offering_life(end(&desk, &id, "e", 60)).await.unwrap();
        desk = desk.restarted().await;
        assert_eq!(shown(&desk, &id).await.state(), pb::offering::State::Ending);
        desk.db.clock.advance(std::time::Duration::from_secs(61));
        desk = desk.restarted().await;
        while shown(&desk, &id).await.state() != pb::offering::State::Ended {
            tokio::task::yield_now().await;
        }
        desk = desk.restarted().await;
        assert_eq!(desk.events("OfferingEnded").await.len(), 1, "{}", desk.db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_pause_at_once_pause_once() {
    for desk in desks().await {
        let id = desk.offering("triage").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..12 {
            let mut operator = desk.operator();
            // Each request comes three times.
            let ask = pause(&id, &(number / 3).to_string());
            tasks.spawn(async move { operator.pause_offering(ask).await });
        }
        let (paused, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(paused.len(), 3, "{}", desk.db.engine);
        let illegal = |refused: &Result<_, _>| match refused {
            Err(status) => refusal(status).is(Reason::IllegalTransition),
            Ok(_) => false,
        };
        assert!(refused.iter().all(illegal));
        assert_eq!(desk.events("OfferingPaused").await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_step_is_said_by_field() {
    for desk in desks().await.into_iter().take(1) {
        let id = desk.offering("triage").await;
        let mut operator = desk.operator();
        let wordy = pb::PauseOfferingRequest { reason: "x".repeat(201), ..pause("triage", "p") };
        let status = operator.pause_offering(wordy).await.unwrap_err();
        let mut said = fields(&status);
        said.sort();
        assert_eq!(said, ["offering_id", "reason"]);
        for end_time in [None, Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 })] {
            let ask = pb::EndOfferingLifeRequest { end_time, ..end(&desk, &id, "e", 0) };
            assert_eq!(fields(&operator.end_offering_life(ask).await.unwrap_err()), ["end_time"]);
        }
        let past = operator.end_offering_life(end(&desk, &id, "e", -1)).await.unwrap_err();
        assert!(refusal(&past).is(Reason::InvalidArgument));
        assert_eq!(fields(&past), ["end_time"]);
        let nameless = operator.resume_offering(resume(&id, "")).await.unwrap_err();
        assert!(refusal(&nameless).is(Reason::RequestIdRequired));
        let stranger = souk_types::OfferingId::from_bits(1).to_string();
        for missing in [
            operator.pause_offering(pause(&stranger, "x")).await.map(drop).unwrap_err(),
            operator.resume_offering(resume(&stranger, "x")).await.map(drop).unwrap_err(),
            operator.end_offering_life(end(&desk, &stranger, "x", 9)).await.map(drop).unwrap_err(),
        ] {
            assert!(refusal(&missing).is(Reason::OfferingNotFound), "{missing:?}");
        }
    }
}
