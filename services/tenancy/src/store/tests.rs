//! What the tables keep, on every engine: one effect a command, one winner a race, no secret in a row.

mod keep;
mod streams;

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, EntityTrait as _, Statement};
use souk_testkit::Database;
use souk_types::{
    Caller, Credits, OrgId, Role, Scope, SessionId, Trace, UserId, access::Reach, event::Log as _, page::Page,
};

use super::*;
use crate::model::{
    AutoCreateWorkspace, CreateApiKey, CreateOrg, CreateProject, CreateSignInLink, Credential, Email,
    EndSession, Project, RevokeApiKey, Span, Workspace, credential::Kind, trial::Rules, workspace::State,
};

const TRIAL: Credits = Credits::from_micros(5);
const MANY: u64 = 100;

fn terms() -> Terms {
    crate::Config::default().invitations()
}

fn bounds() -> Bounds {
    crate::Config::default().bounds()
}

fn admission() -> Admission {
    crate::Config::default().admission()
}

fn codes(store: &Store) -> Codes {
    let mint = || Credential::mint(Kind::InvitationCode, store.random()).hash();
    Codes { code_hash: mint(), mail_hash: mint(), sealed: "sealed".into() }
}

fn rules() -> Rules {
    Rules { amount: TRIAL, ..crate::Config::default().trials() }
}

async fn all() -> Vec<(Database, Store)> {
    let databases = souk_testkit::databases("tenancy", MIGRATIONS).await;
    databases.into_iter().map(|db| (Store::new((*db).clone()), db)).map(|(store, db)| (db, store)).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own scopes")]
fn call(rpc: &'static str, user: UserId, reach: Reach, request_id: &str) -> Call {
    Call {
        rpc,
        caller: Caller::User { user_id: user, memberships: Vec::new(), platform: None },
        scope: Scope::grant(reach),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

async fn person(store: &Store, email: &str) -> UserId {
    let email: Email = email.parse().unwrap();
    let code = Credential::mint(Kind::SignInCode, store.random());
    let (hash, end) = (code.hash(), store.now() + Duration::from_secs(600));
    let user_id = store.own_sign_in_link(&email, (&hash, end)).await.unwrap().user_id;
    let new = NewSession { secret_hash: format!("of {hash}"), expire_time: end };
    let door = call("RedeemSignInLink", user_id, Reach::Every, "");
    store.redeem(&door, &hash, &new).await.unwrap();
    user_id
}

async fn want(store: &Store, user: UserId, request_id: &str) -> Workspace {
    let call = call("AutoCreateWorkspace", user, Reach::Subject(user), request_id);
    let ask = AutoCreateWorkspace { display_name: None };
    match store.want_workspace(&call, &ask, (&rules(), MANY)).await.unwrap() {
        Wanted::Row(row) => row,
        Wanted::Answered(answer) => panic!("answered {answer:?}"),
    }
}

async fn count(db: &Database, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// The kinds of all events, sorted: those of one moment have no order between nouns.
async fn kinds(db: &Database) -> Vec<String> {
    while db.outbox().number_turn().await.unwrap() > 0 {}
    let events = db.outbox().after(0, 1000).await.unwrap();
    let name = |kind: String| kind.rsplit('.').next().unwrap().to_owned();
    let told = events.into_iter().map(|(_, event)| name(event.kind));
    let mut told: Vec<_> = told.filter(|kind| kind != "RequestAnswered").collect();
    told.sort();
    told
}

#[tokio::test]
async fn wishes_at_once_find_one_row_a_user() {
    for (db, store) in all().await {
        let (ann, bob) = (person(&store, "ann@example.org").await, person(&store, "bob@example.org").await);
        let names: Vec<String> = (0..16).map(|place| format!("r-{}", place / 3)).collect();
        let wishes = names
            .iter()
            .enumerate()
            .map(|(place, id)| want(&store, if place % 2 == 0 { ann } else { bob }, id));
        let rows: BTreeSet<_> = join_all(wishes).await.into_iter().map(|row| row.org_id).collect();
        assert_eq!(rows.len(), 2, "{}", db.engine);
        for table in ["orgs", "projects", "members", "workspaces"] {
            assert_eq!(count(&db, table).await, 2, "{} {table}", db.engine);
        }
        assert_eq!(count(&db, "request_log").await, 0, "{}: no intent is left behind", db.engine);
    }
}

#[tokio::test]
async fn a_workspace_row_is_moved_by_one_and_seen_by_the_other() {
    for (db, store) in all().await {
        let ann = person(&store, "ann@example.org").await;
        let row = want(&store, ann, "r").await;
        let cause = Cause::own();
        assert!(store.due_workspaces(db.now(), 10).await.unwrap().is_empty(), "the call has a head start");
        let due = store.due_workspaces(db.now() + Duration::from_secs(10), 10).await.unwrap();
        assert_eq!(due, std::slice::from_ref(&row));
        let moved = store.move_workspace(&cause, &row, &row.stepped(db.now())).await.unwrap();
        assert_eq!((moved.state, moved.version), (State::GrantingTrial, 2));
        let late =
            store.move_workspace(&cause, &row, &row.failed(db.now(), "UNAVAILABLE", true)).await.unwrap();
        assert_eq!(late, moved, "{}: who comes late changes nothing", db.engine);
        let ready = store.move_workspace(&cause, &moved, &moved.stepped(db.now())).await.unwrap();
        assert_eq!(store.workspace(row.org_id).await.unwrap(), ready);
        assert!(store.due_workspaces(db.now() + Duration::from_secs(99), 10).await.unwrap().is_empty());
        let told = kinds(&db).await;
        assert_eq!(
            told,
            [
                "OrgCreated",
                "ProjectCreated",
                "SessionStarted",
                "UserCreated",
                "UserProven",
                "WorkspaceCompleted"
            ],
            "{}",
            db.engine
        );
    }
}

#[tokio::test]
async fn of_projects_with_one_slug_one_is_made() {
    for (db, store) in all().await {
        let ann = person(&store, "ann@example.org").await;
        let org = want(&store, ann, "r").await.org_id;
        let ask = CreateProject { slug: "web".parse().unwrap(), display_name: None };
        let ids: Vec<String> = (0..8).map(|place| format!("p-{}", place / 2)).collect();
        let tries = ids.iter().map(|id| {
            let (store, ask, call) = (&store, &ask, call("CreateProject", ann, Reach::Org(org), id));
            async move { store.create_project(&call, ask, MANY).await }
        });
        let (made, refused): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(Result::is_ok);
        let made: BTreeSet<_> =
            made.into_iter().map(|project: Result<Project, _>| project.unwrap().project_id).collect();
        assert_eq!((made.len(), refused.len()), (1, 6), "{}: a pair shares the winner's id", db.engine);
        for refusal in refused {
            assert!(matches!(refusal, Err(Error::SlugTaken { .. })), "{}: {refusal:?}", db.engine);
        }
        assert_eq!(count(&db, "projects").await, 2);
    }
}

#[tokio::test]
async fn orgs_at_once_do_not_pass_the_bound() {
    for (db, store) in all().await {
        let ann = person(&store, "ann@example.org").await;
        let ask = CreateOrg { display_name: "Org".parse().unwrap() };
        let ids: Vec<String> = (0..6).map(|place| format!("o-{place}")).collect();
        let tries = ids.iter().map(|id| {
            let (store, ask, call) = (&store, &ask, call("CreateOrg", ann, Reach::Subject(ann), id));
            async move { store.create_org(&call, ask, 3).await }
        });
        let made = join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!((made, count(&db, "members").await), (3, 3), "{}", db.engine);
        let held = store.memberships(ann, Span::Everywhere, 2).await.unwrap();
        assert_eq!((held.len(), held[0].projects.len()), (2, 1));
        assert!(held.iter().all(|held| held.role == Role::Admin));
    }
}

#[tokio::test]
async fn a_link_becomes_one_session_and_ended_ones_are_forgotten() {
    for (db, store) in all().await {
        let door = |id: &str| call("RedeemSignInLink", UserId::from_bits(1), Reach::Every, id);
        let code = Credential::mint(Kind::SignInCode, store.random());
        let end = db.now() + Duration::from_secs(600);
        let ask = CreateSignInLink { email: "ann@example.org".parse().unwrap() };
        store.create_sign_in_link(&door("l"), &ask, (&code.hash(), end)).await.unwrap();
        let hash = code.hash();
        let tries = (0..8).map(|place| {
            let new = NewSession { secret_hash: format!("hash-{place}"), expire_time: end };
            let (store, hash, call) = (&store, &hash, door(""));
            async move { store.redeem(&call, hash, &new).await }
        });
        let won: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
        assert_eq!((won.len(), count(&db, "sessions").await), (1, 1), "{}", db.engine);
        let session_id = won[0].0.session_id;
        for request_id in ["e", "e", "f"] {
            store.end_session(&door(request_id), &EndSession { session_id }).await.unwrap();
        }
        store.end_session(&door("g"), &EndSession { session_id: SessionId::from_bits(4) }).await.unwrap();
        assert!(store.session(session_id).await.unwrap().unwrap().end_time.is_some());
        assert_eq!(
            kinds(&db).await,
            ["SessionEnded", "SessionStarted", "UserCreated", "UserProven"],
            "{}",
            db.engine
        );
        assert!(!store.forget_ended(db.now(), 10).await.unwrap());
        assert_eq!(count(&db, "sessions").await, 1, "not before its time");
        db.clock.advance(Duration::from_secs(601));
        assert!(store.forget_ended(db.now(), 1).await.unwrap(), "one of each: there may be more");
        assert_eq!(
            (count(&db, "sessions").await, count(&db, "sign_in_links").await),
            (0, 0),
            "{}",
            db.engine
        );
    }
}

#[tokio::test]
async fn platform_keys_are_seen_by_the_scope_of_every_tenant_alone() {
    for (db, store) in all().await {
        let email: Email = crate::OPERATOR.parse().unwrap();
        let (first, second) =
            (Credential::mint(Kind::ApiKey, store.random()), Credential::mint(Kind::ApiKey, store.random()));
        let made = store.ensure_platform_key(&email, None, &Minted::of(&first)).await.unwrap().unwrap();
        let known = store.ensure_platform_key(&email, Some(&first.hash()), &Minted::of(&second)).await;
        assert!(known.unwrap().is_none());
        let (user, ask) = (made.user_id, RevokeApiKey { api_key_id: made.api_key_id });
        for hidden in [
            Reach::Readable(vec![(OrgId::from_bits(1), true)]),
            Reach::Readable(vec![]),
            Reach::Org(OrgId::from_bits(1)),
        ] {
            let refused = store.revoke_api_key(&call("RevokeApiKey", user, hidden, "r"), &ask).await;
            assert!(matches!(refused, Err(Error::ApiKeyNotFound(_))), "{}: {refused:?}", db.engine);
        }
        let revoked =
            store.revoke_api_key(&call("RevokeApiKey", user, Reach::Every, "r"), &ask).await.unwrap();
        assert_eq!((revoked.version, revoked.org_id), (2, None));
        let fresh = store.ensure_platform_key(&email, Some(&first.hash()), &Minted::of(&second)).await;
        assert!(fresh.unwrap().is_some(), "{}: a revoked key does not serve", db.engine);
        assert!(store.user(user).await.unwrap().operator);
        let told = kinds(&db).await;
        assert_eq!(told, ["ApiKeyCreated", "ApiKeyCreated", "ApiKeyRevoked", "UserCreated"], "{}", db.engine);
    }
}

#[tokio::test]
async fn a_repeated_key_is_no_second_key_and_no_table_holds_a_secret() {
    for (db, store) in all().await {
        let ann = person(&store, "ann@example.org").await;
        let org = want(&store, ann, "r").await.org_id;
        let ask =
            CreateApiKey { display_name: "ci".parse().unwrap(), time_to_live: None, scopes: Vec::new() };
        let asked = call("CreateApiKey", ann, Reach::Org(org), "k");
        let keys: Vec<_> = (0..6).map(|_| Credential::mint(Kind::ApiKey, store.random())).collect();
        let minted: Vec<_> = keys.iter().map(Minted::of).collect();
        let tries = minted.iter().map(|minted| store.create_api_key(&asked, &ask, minted));
        let made: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(made.iter().filter(|made| !made.is_replay()).count(), 1, "{}", db.engine);
        let page = store.list_api_keys(&asked.scope, &Page::first()).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        let log = rows::api_keys::Entity::find().all(db.read()).await.unwrap();
        let mut told = format!("{log:?}");
        for (_, event) in {
            kinds(&db).await;
            db.outbox().after(0, 100).await.unwrap()
        } {
            told.push_str(&event.payload.to_string());
            assert!(!event.payload.to_string().contains("ann@"), "{}: {event:?}", db.engine);
        }
        for key in keys {
            let secret = key.into_secret();
            assert!(!told.contains(secret.expose().as_str()), "{}", db.engine);
        }
    }
}
