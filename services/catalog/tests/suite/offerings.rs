//! Making offerings, and who may.

use souk_proto::souk::catalog::v1 as pb;
use souk_types::{Caller, PartName, PlatformRole, Reason};
use tonic::Code;

use super::desk::{create, desks, fields, person, publish, refusal};

#[tokio::test]
async fn an_offering_is_made_once_and_answered_again() {
    for desk in desks().await {
        let mut operator = desk.operator();
        let first = operator.create_offering(create("triage")).await.unwrap().into_inner();
        let made = first.offering.clone().unwrap();
        assert_eq!((made.slug.as_str(), made.etag.as_str()), ("triage", "v1"));
        assert!(made.offering_id.starts_with("off_") && made.newest_version.is_none());
        // A version in between does not change the first answer.
        desk.publish(publish(&made.offering_id, "p", "a")).await;
        assert_eq!(operator.create_offering(create("triage")).await.unwrap().into_inner(), first);

        let other = pb::CreateOfferingRequest { display_name: "Other".into(), ..create("triage") };
        let reused = refusal(&operator.create_offering(other.clone()).await.unwrap_err());
        assert!(reused.is(Reason::RequestIdReused), "{reused}");
        let again = pb::CreateOfferingRequest { request_id: "2".into(), ..other };
        let taken = refusal(&operator.create_offering(again).await.unwrap_err());
        assert!(taken.is(Reason::SlugTaken) && taken.code == Code::AlreadyExists, "{taken}");
        assert_eq!(taken.metadata.get("offering_id"), Some(&made.offering_id));

        let told = desk.events("OfferingCreated").await;
        assert_eq!(told.len(), 1, "{}", desk.db.engine);
        let outcomes: Vec<_> = desk.events("RequestAnswered").await;
        let outcome = |name: &str| outcomes.iter().filter(|told| told["outcome"] == name).count();
        assert_eq!((outcome("OK"), outcome("SLUG_TAKEN"), outcome("REQUEST_ID_REUSED")), (2, 1, 1));
    }
}

#[tokio::test]
async fn many_that_want_a_slug_at_once_leave_one() {
    for desk in desks().await {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..12 {
            let mut operator = desk.operator();
            // Each request comes twice.
            let ask = pb::CreateOfferingRequest { request_id: (number / 2).to_string(), ..create("one") };
            tasks.spawn(async move { operator.create_offering(ask).await });
        }
        let answers = tasks.join_all().await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 2, "{}", desk.db.engine);
        assert!(refused.iter().all(|refused| refusal(refused.as_ref().unwrap_err()).is(Reason::SlugTaken)));
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering").await, 1);
    }
}

#[tokio::test]
async fn everything_wrong_with_an_offering_is_said_at_once() {
    for desk in desks().await {
        let bad = pb::CreateOfferingRequest {
            request_id: "r".into(),
            slug: "No Slug".into(),
            display_name: " ".into(),
            description: "x".repeat(4001),
            category: "a\nb".into(),
            value_stream: "x".repeat(101),
        };
        let status = desk.operator().create_offering(bad).await.unwrap_err();
        assert!(refusal(&status).is(Reason::InvalidArgument));
        let mut said = fields(&status);
        said.sort();
        assert_eq!(said, ["category", "description", "display_name", "slug", "value_stream"]);
        let nameless = pb::CreateOfferingRequest { request_id: String::new(), ..create("a") };
        let status = desk.operator().create_offering(nameless).await.unwrap_err();
        assert!(refusal(&status).is(Reason::RequestIdRequired));
    }
}

#[tokio::test]
async fn only_operators_change_the_catalogue_and_only_commerce_resolves() {
    for desk in desks().await.into_iter().take(1) {
        let id = desk.offering("mine").await;
        let callers = [Caller::Anonymous, person(None), Caller::Part { part: PartName::Commerce, org: None }];
        for caller in &callers {
            let mut client = desk.client(caller);
            let refused = [
                client.create_offering(create("theirs")).await.map(drop).unwrap_err().code(),
                client.publish_offering_version(publish(&id, "p", "a")).await.map(drop).unwrap_err().code(),
                client
                    .pause_offering(pb::PauseOfferingRequest { request_id: "x".into(), ..Default::default() })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .resume_offering(pb::ResumeOfferingRequest {
                        request_id: "x".into(),
                        ..Default::default()
                    })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .end_offering_life(pb::EndOfferingLifeRequest {
                        request_id: "x".into(),
                        ..Default::default()
                    })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .list_offering_versions(pb::ListOfferingVersionsRequest::default())
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
            ];
            let expected =
                if *caller == Caller::Anonymous { Code::Unauthenticated } else { Code::PermissionDenied };
            assert_eq!(refused, [expected; 6], "{caller:?}");
        }
        let (resolve, version) =
            (pb::ResolvePlanRequest::default(), pb::GetOfferingVersionRequest::default());
        for caller in [Caller::Anonymous, person(None), person(Some(PlatformRole::Operator))] {
            let mut client = desk.client(&caller);
            assert_eq!(
                client.resolve_plan(resolve.clone()).await.unwrap_err().code(),
                Code::PermissionDenied
            );
            let hidden = client.get_offering_version(version.clone()).await.unwrap_err();
            assert_eq!(hidden.code(), Code::PermissionDenied);
        }
        let runs = desk.part(PartName::Runs).resolve_plan(resolve).await.unwrap_err();
        assert_eq!(runs.code(), Code::PermissionDenied);
        assert_eq!(desk.number("SELECT COUNT(*) FROM offering_version").await, 0);
    }
}
