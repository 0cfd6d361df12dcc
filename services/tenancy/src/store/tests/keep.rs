//! Trials, mails and the audit trail as the tables keep them, on every engine.

use serde_json::json;
use souk_types::{Event, EventId};

use super::*;
use crate::model::{
    InviteMember, audit,
    invitation::{Delivery, MailState},
};

async fn trial(store: &Store, email: &str, rules: &Rules) -> Workspace {
    let user = person(store, email).await;
    let call = call("AutoCreateWorkspace", user, Reach::Subject(user), "w");
    let ask = AutoCreateWorkspace { display_name: None };
    match store.want_workspace(&call, &ask, (rules, MANY)).await.unwrap() {
        Wanted::Row(row) => row,
        Wanted::Answered(answer) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn spellings_of_one_address_at_once_get_one_trial() {
    for (db, store) in all().await {
        let rules = rules();
        let spellings =
            ["annlee@gmail.com", "ann.lee@gmail.com", "a.n.n.lee+1@googlemail.com", "annlee+x@gmail.com"];
        let rows = join_all(spellings.map(|email| trial(&store, email, &rules))).await;
        let given = rows.iter().filter(|row| row.trial == TRIAL && row.trial_refused.is_empty()).count();
        let refused = rows.iter().filter(|row| row.trial_refused == "TRIAL_ALREADY_GRANTED").count();
        assert_eq!((given, refused), (1, 3), "{}: {rows:?}", db.engine);
        let trash = trial(&store, "x@sub.mailinator.com", &rules).await;
        assert_eq!((trash.trial, trash.trial_refused.as_str()), (Credits::ZERO, "TRIAL_ADDRESS_REFUSED"));
    }
}

#[tokio::test]
async fn a_crowd_passes_neither_bound_of_a_day() {
    for (db, store) in all().await {
        let rules = Rules { per_day: 5, per_domain: 3, ..rules() };
        let given = |rows: &[Workspace]| rows.iter().filter(|row| row.trial == TRIAL).count();
        let emails: Vec<String> =
            (0..12).map(|place| format!("p{place}@{}.example.net", place % 2)).collect();
        let rows = join_all(emails.iter().map(|email| trial(&store, email, &rules))).await;
        assert_eq!(given(&rows), 3, "{}: subdomains are one domain", db.engine);
        assert!(rows.iter().all(|row| row.trial == TRIAL || row.trial_refused == "TRIAL_LIMIT_REACHED"));
        let emails: Vec<String> = (0..6).map(|place| format!("q{place}@gmail.com")).collect();
        let rows = join_all(emails.iter().map(|email| trial(&store, email, &rules))).await;
        assert_eq!(given(&rows), 2, "{}: what is left of the day", db.engine);
        assert_eq!(count(&db, "trials").await, 5, "{}: who was refused holds no claim", db.engine);
        db.clock.advance(Duration::from_secs(24 * 3600));
        assert_eq!(trial(&store, "late@0.example.net", &rules).await.trial, TRIAL, "another day");
        store.forget_trial_days(db.now() + Duration::from_secs(48 * 3600), 100).await.unwrap();
        assert_eq!(count(&db, "trial_days").await, 0);
    }
}

#[tokio::test]
async fn a_mail_is_tried_by_one_and_keeps_its_code_until_it_is_over() {
    for (db, store) in all().await {
        let ann = person(&store, "ann@example.org").await;
        let org = want(&store, ann, "r").await.org_id;
        let invite = async |id: &str| {
            let ask = InviteMember { email: "bob@example.org".parse().unwrap(), role: Role::Member };
            let call = call("Invite", ann, Reach::Org(org), id);
            store.invite(&call, &ask, &codes(&store), terms()).await.unwrap().into_answer()
        };
        let made = invite("a").await;
        let due = store.due_mails(db.now(), 10).await.unwrap();
        assert_eq!((due.len(), due[0].invitation_id), (1, made.invitation_id), "{}", db.engine);
        let tried = due[0].tried(db.now() + Duration::from_secs(60));
        let claims = join_all((0..4).map(|_| store.move_mail(&due[0], &tried))).await;
        assert_eq!(claims.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1, "{}", db.engine);
        assert!(store.due_mails(db.now(), 10).await.unwrap().is_empty(), "leased");
        db.clock.advance(Duration::from_secs(61));
        assert_eq!(
            store.due_mails(db.now(), 10).await.unwrap().len(),
            1,
            "{}: who died leaves it",
            db.engine
        );
        let failed = tried.after(db.now(), &Delivery::Never("550 no".into()));
        assert!(store.move_mail(&tried, &failed).await.unwrap());
        let scope = call("List", ann, Reach::Org(org), "").scope;
        let page = store.list_invitations(&scope, &Page::first()).await.unwrap();
        assert_eq!((page.items[0].mail, page.items[0].mail_error.as_str()), (MailState::Failed, "550 no"));
        assert!(kinds(&db).await.contains(&"InvitationMailFailed".to_owned()));
        let again = invite("b").await;
        assert!(!store.is_open(made.invitation_id).await.unwrap(), "{}: replaced", db.engine);
        assert!(store.is_open(again.invitation_id).await.unwrap());
        db.clock.advance(terms().life);
        assert!(!store.is_open(again.invitation_id).await.unwrap());
        store.forget_invitations(db.now() + Duration::from_secs(1), 10).await.unwrap();
        assert_eq!((count(&db, "invitations").await, count(&db, "mails").await), (0, 0), "{}", db.engine);
    }
}

fn told(org: Option<OrgId>, place: u128, db: &Database) -> Event {
    Event {
        event_id: EventId::from_bits(place),
        kind: souk_db::audit::KIND.into(),
        org_id: org,
        aggregate_id: "x".into(),
        aggregate_seq: 1,
        occur_time: db.now(),
        actor: "user:usr_1".into(),
        trace: "t".into(),
        payload: json!({"method": format!("m-{place}"), "requestId": "r", "outcome": "OK", "resourceId": "n"}),
    }
}

#[tokio::test]
async fn the_trail_keeps_each_entry_once_however_often_it_is_brought() {
    for (db, store) in all().await {
        let (ann, bob) = (person(&store, "ann@example.org").await, person(&store, "bob@example.org").await);
        let (own, foreign) = (want(&store, ann, "r").await.org_id, want(&store, bob, "r").await.org_id);
        let orgs = [Some(own), Some(foreign), None].into_iter().cycle();
        let events: Vec<_> = (1..=6).zip(orgs).map(|(place, org)| told(org, place, &db)).collect();
        for round in 0..2 {
            for (position, event) in (1..).zip(&events) {
                let entry = audit::read(event, souk_db::audit::KIND);
                store.take_audit("billing/audit", position, entry.as_ref()).await.unwrap();
            }
            assert_eq!(count(&db, "audit_entries").await, 6, "{} round {round}", db.engine);
        }
        let entry = audit::read(&events[0], souk_db::audit::KIND);
        store.take_audit("runs/audit", 1, entry.as_ref()).await.unwrap();
        assert_eq!(count(&db, "audit_entries").await, 6, "the same id by another log");
        store.take_audit("billing/audit", 7, None).await.unwrap();
        assert_eq!(store.audit_cursor("billing/audit").await.unwrap(), 6, "what is no entry costs no write");
        store.take_audit("billing/audit", 256, None).await.unwrap();
        assert_eq!(store.audit_cursor("billing/audit").await.unwrap(), 256);
        for (floor, stands) in [(1000, 1000), (300, 1000)] {
            store.pass_audit("billing/audit", floor).await.unwrap();
            assert_eq!(store.audit_cursor("billing/audit").await.unwrap(), stands, "{}", db.engine);
        }
        store.pass_audit("models/audit", 7).await.unwrap();
        assert_eq!(store.audit_cursor("models/audit").await.unwrap(), 7, "a log that was never followed");
        let scope = call("List", ann, Reach::Org(own), "").scope;
        let first = store.list_audit_entries(&scope, &Page { size: 1, after: String::new() }).await.unwrap();
        assert_eq!(first.items[0].method, "m-4", "newest first");
        let rest = Page { size: 10, after: first.next.unwrap() };
        let rest = store.list_audit_entries(&scope, &rest).await.unwrap();
        assert_eq!((rest.items.len(), rest.items[0].method.as_str(), rest.next), (1, "m-1", None));
        assert!(!store.forget_audit(db.now(), 10).await.unwrap());
        assert_eq!(count(&db, "audit_entries").await, 6);
        assert!(store.forget_audit(db.now() + Duration::from_secs(1), 4).await.unwrap());
        assert_eq!(count(&db, "audit_entries").await, 2, "{}", db.engine);
    }
}
