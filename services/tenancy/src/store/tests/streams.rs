//! Streams of commands upon members and invitations, held against a model so naive that it cannot be wrong:
//! who is in, with which role, who is invited. After every command the org has an admin.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::model::{AcceptInvitation, InviteMember, RemoveMember, SetMemberRole};

const PEOPLE: usize = 5;

/// What is asked, by number of the person.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Invite(usize, Role),
    Accept(usize),
    SetRole(usize, Role),
    Remove(usize),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    NoMember,
    LastAdmin,
    Already,
    Closed,
}

#[derive(Default)]
struct Naive {
    members: BTreeMap<usize, Role>,
    invited: BTreeMap<usize, Role>,
}

impl Naive {
    fn apply(&mut self, ask: Ask) -> End {
        let mut after = self.members.clone();
        match ask {
            Ask::Invite(who, _) if self.members.contains_key(&who) => return End::Already,
            Ask::Invite(who, role) => {
                self.invited.insert(who, role);
                return End::Done;
            }
            Ask::Accept(who) => {
                let Some(role) = self.invited.remove(&who) else { return End::Closed };
                self.members.insert(who, role);
                return End::Done;
            }
            Ask::SetRole(who, role) if self.members.contains_key(&who) => after.insert(who, role),
            Ask::Remove(who) if self.members.contains_key(&who) => after.remove(&who),
            Ask::SetRole(..) | Ask::Remove(_) => return End::NoMember,
        };
        if !after.values().any(|role| *role == Role::Admin) {
            return End::LastAdmin;
        }
        self.members = after;
        End::Done
    }
}

fn end<T: std::fmt::Debug>(outcome: Result<T, Error>) -> End {
    match outcome {
        Ok(_) => End::Done,
        Err(Error::MemberNotFound { .. }) => End::NoMember,
        Err(Error::LastAdmin(_)) => End::LastAdmin,
        Err(Error::AlreadyMember { .. }) => End::Already,
        Err(Error::InvitationInvalid) => End::Closed,
        Err(other) => panic!("{other:?}"),
    }
}

/// One org under test. The operator asks, so that who asks changes nothing.
struct Town<'a> {
    store: &'a Store,
    org: OrgId,
    operator: UserId,
    people: Vec<(UserId, Email)>,
    codes: Mutex<BTreeMap<usize, String>>,
}

impl Town<'_> {
    fn call(&self, rpc: &'static str, request_id: &str) -> Call {
        call(rpc, self.operator, Reach::Org(self.org), request_id)
    }

    async fn ask(&self, ask: Ask, id: &str) -> End {
        match ask {
            Ask::Invite(who, role) => {
                let ask = InviteMember { email: self.people[who].1.clone(), role };
                let codes = codes(self.store);
                let made = self.store.invite(&self.call("Invite", id), &ask, &codes, terms()).await;
                if made.as_ref().is_ok_and(|made| !made.is_replay()) {
                    self.codes.lock().unwrap().insert(who, codes.code_hash);
                }
                end(made)
            }
            Ask::Accept(who) => {
                let code_hash = self.codes.lock().unwrap().get(&who).cloned().unwrap_or_default();
                let user = self.people[who].0;
                let call = call("Accept", user, Reach::Subject(user), id);
                end(self.store.accept_invitation(&call, &AcceptInvitation { code_hash }, bounds()).await)
            }
            Ask::SetRole(who, role) => {
                let ask = SetMemberRole { user_id: self.people[who].0, role, etag: None };
                end(self.store.set_member_role(&self.call("SetMemberRole", id), &ask).await)
            }
            Ask::Remove(who) => {
                let ask = RemoveMember { user_id: self.people[who].0 };
                end(self.store.remove_member(&self.call("RemoveMember", id), &ask).await)
            }
        }
    }

    async fn members(&self) -> BTreeMap<usize, Role> {
        let scope = self.call("ListMembers", "").scope;
        let page = self.store.list_members(&scope, &Page::first()).await.unwrap();
        let place = |user: UserId| self.people.iter().position(|(id, _)| *id == user).unwrap();
        page.items.into_iter().map(|member| (place(member.user.user_id), member.role)).collect()
    }
}

async fn town<'a>(store: &'a Store, name: &str) -> Town<'a> {
    let mut people = Vec::new();
    for place in 0..PEOPLE {
        let email = format!("{name}-{place}@example.org");
        people.push((person(store, &email).await, email.parse().unwrap()));
    }
    let operator: Email = crate::OPERATOR.parse().unwrap();
    let key = Credential::mint(Kind::ApiKey, store.random());
    let made = store.ensure_platform_key(&operator, None, &Minted::of(&key)).await.unwrap().unwrap();
    let org = want(store, people[0].0, "home").await.org_id;
    Town { store, org, operator: made.user_id, people, codes: Mutex::default() }
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let role = || prop_oneof![Just(Role::Viewer), Just(Role::Member), Just(Role::Admin)];
    let ask = prop_oneof![
        (0..PEOPLE, role()).prop_map(|(who, role)| Ask::Invite(who, role)),
        (0..PEOPLE).prop_map(Ask::Accept),
        (0..PEOPLE, role()).prop_map(|(who, role)| Ask::SetRole(who, role)),
        (0..PEOPLE).prop_map(Ask::Remove),
    ];
    proptest::collection::vec(ask, 1..30)
}

#[test]
fn streams_of_commands_end_as_the_naive_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(souk_testkit::database::sqlite("tenancy", MIGRATIONS));
    let store = Store::new((*db).clone());
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() });
    let case = AtomicU64::new(0);
    let outcome = runner.run(&asks(), |asks| {
        let case = case.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(async {
            let town = town(&store, &format!("c{case}")).await;
            let mut naive = Naive { members: BTreeMap::from([(0, Role::Admin)]), ..Naive::default() };
            for (place, ask) in asks.iter().enumerate() {
                let id = format!("r-{place}");
                // Each comes three times at once: one effect, one answer.
                let ends = join_all([&id, &id, &id].map(|id| town.ask(*ask, id))).await;
                prop_assert_eq!(ends, vec![naive.apply(*ask); 3], "{:?} after {:?}", ask, &asks[..place]);
                let members = town.members().await;
                prop_assert!(members.values().any(|role| *role == Role::Admin), "no admin after {:?}", ask);
                prop_assert_eq!(&members, &naive.members);
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn of_admins_who_all_leave_at_once_one_stays() {
    for (db, store) in all().await {
        let town = town(&store, "all").await;
        for who in 1..PEOPLE {
            assert_eq!(town.ask(Ask::Invite(who, Role::Admin), &format!("i-{who}")).await, End::Done);
            assert_eq!(town.ask(Ask::Accept(who), &format!("a-{who}")).await, End::Done);
        }
        let ids: Vec<String> = (0..PEOPLE).map(|who| format!("x-{who}")).collect();
        let leave = ids.iter().enumerate().map(|(who, id)| {
            let ask = if who % 2 == 0 { Ask::Remove(who) } else { Ask::SetRole(who, Role::Viewer) };
            town.ask(ask, id)
        });
        let ends = join_all(leave).await;
        assert_eq!(ends.iter().filter(|end| **end == End::LastAdmin).count(), 1, "{}: {ends:?}", db.engine);
        let admins = town.members().await.into_values().filter(|role| *role == Role::Admin).count();
        assert_eq!(admins, 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn who_was_removed_a_moment_ago_is_no_admin_whatever_their_token_says() {
    for (db, store) in all().await {
        let town = town(&store, "stale").await;
        assert_eq!(town.ask(Ask::Invite(1, Role::Admin), "i").await, End::Done);
        assert_eq!(town.ask(Ask::Accept(1), "a").await, End::Done);
        let bob = town.people[1].0;
        let by_bob = |rpc, id: &str| call(rpc, bob, Reach::Org(town.org), id);
        let wish =
            CreateApiKey { display_name: "k".parse().unwrap(), time_to_live: None, scopes: Vec::new() };
        let key = Minted::of(&Credential::mint(Kind::ApiKey, store.random()));
        store.create_api_key(&by_bob("CreateApiKey", "k"), &wish, &key).await.unwrap();
        let back = InviteMember { email: "mallory@example.org".parse().unwrap(), role: Role::Admin };
        let door = codes(&store);
        store.invite(&by_bob("Invite", "m"), &back, &door, terms()).await.unwrap();
        assert_eq!(town.ask(Ask::Remove(1), "r").await, End::Done);
        let again = store.invite(&by_bob("Invite", "n"), &back, &codes(&store), terms()).await;
        assert!(matches!(again, Err(Error::Denied { .. })), "{}: {again:?}", db.engine);
        let key = Minted::of(&Credential::mint(Kind::ApiKey, store.random()));
        let another = store.create_api_key(&by_bob("CreateApiKey", "l"), &wish, &key).await;
        assert!(matches!(another, Err(Error::Denied { .. })), "{}: {another:?}", db.engine);
        let own = SetMemberRole { user_id: town.people[0].0, role: Role::Viewer, etag: None };
        let demoted = store.set_member_role(&by_bob("SetMemberRole", "s"), &own).await;
        assert!(matches!(demoted, Err(Error::Denied { .. })), "{}: {demoted:?}", db.engine);
        let scope = town.call("ListApiKeys", "").scope;
        let keys = store.list_api_keys(&scope, &Page::first()).await.unwrap().items;
        assert!(keys.len() == 1 && keys[0].revoke_time.is_some(), "{}", db.engine);
        let new = NewSession { secret_hash: "s".into(), expire_time: db.now() + Duration::from_secs(60) };
        let call = call("Redeem", bob, Reach::Every, "");
        let late = store.redeem_invitation(&call, &door.code_hash, &new, admission()).await;
        assert!(matches!(late, Err(Error::LinkInvalid)), "their invitations went with them: {late:?}");
    }
}

#[tokio::test]
async fn of_those_who_use_an_invitation_at_once_one_joins() {
    for (db, store) in all().await {
        let town = town(&store, "race").await;
        let ask = InviteMember { email: "new@example.org".parse().unwrap(), role: Role::Member };
        let codes = codes(&store);
        store.invite(&town.call("Invite", "i"), &ask, &codes, terms()).await.unwrap();
        let tries = (0..8).map(|place| {
            let hash = if place % 2 == 0 { &codes.code_hash } else { &codes.mail_hash };
            let expire_time = db.now() + Duration::from_secs(9);
            let new = NewSession { secret_hash: format!("s-{place}"), expire_time };
            let (store, call) = (&store, call("Redeem", town.operator, Reach::Every, ""));
            async move { store.redeem_invitation(&call, hash, &new, admission()).await }
        });
        let won = join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1, "{}", db.engine);
        assert_eq!(count(&db, "members").await, 2, "{}", db.engine);
        assert_eq!(count(&db, "sessions").await, i64::try_from(PEOPLE).unwrap() + 1, "{}", db.engine);
    }
}
