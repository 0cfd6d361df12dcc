//! API keys: a key has what its person's role has in its one org, and a narrowed key what its scopes leave of
//! that. Revoked or expired, it has nothing.

use serde_json::{Value, json};
use tonic::Code;

use crate::{
    cases::{self, Case},
    expected::{self, Line},
    matrix::{by, make},
    wire::{Answer, Port},
    world::{Person, Who, World, text},
};

/// What keys are narrowed to here; nothing: a key with all that its person has.
const SCOPES: [&str; 11] = [
    "",
    "billing.read",
    "billing.admin",
    "catalog.admin",
    "commerce.admin",
    "instances.read",
    "instances.use",
    "instances.admin",
    "runs.read",
    "runs.use",
    "tenancy.admin",
];
/// How many times one looks whether a key has ended before the test gives up.
const LOOKS: usize = 4000;

/// A key of the home org's admin.
fn key(world: &mut World, ask: &Value) -> (String, String) {
    let mut whole = json!({"orgId": world.home.org, "displayName": "A key"});
    for (name, value) in ask.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let made = world.must(Who::Admin, "tenancy.CreateApiKey", whole);
    (text(&made, "apiKey.apiKeyId"), text(&made, "secret"))
}

/// Whether a permission holds another: the same domain, and as much of it.
fn holds(held: &str, wanted: &str) -> bool {
    let rank = |verb| ["read", "use", "admin"].iter().position(|known| *known == verb).unwrap();
    let (held, wanted) = (held.split_once('.').unwrap(), wanted.split_once('.').unwrap());
    held.0 == wanted.0 && rank(held.1) >= rank(wanted.1)
}

/// What a key with this scope is told.
fn expected(scope: &str, line: &Line) -> Code {
    let may = match (scope, line.scope.as_str()) {
        (_, "open") => true,
        // What is a person's own beyond the org, what is the operator's, the making of keys and the giving of roles.
        (_, "-") => false,
        ("", _) => true,
        (held, wanted) => holds(held, wanted),
    };
    if may { Code::Ok } else { Code::PermissionDenied }
}

/// Calls with a key.
fn call(world: &mut World, secret: &str, case: &Case, ask: &Value) -> Answer {
    let mut sent = world.sent(Who::Admin, case.rpc, ask.clone()).1;
    sent.headers[0].1 = format!("Bearer {secret}");
    world.wire.call(Port::Public, &sent)
}

#[test]
fn a_key_reaches_what_its_scopes_leave_and_nothing_else() {
    let mut world = World::new();
    let keys = SCOPES.map(|scope| {
        let scopes = if scope.is_empty() { json!([]) } else { json!([scope]) };
        (scope, key(&mut world, &json!({"scopes": scopes})).1)
    });
    let lines = expected::read();
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for case in cases::all().iter().filter(|case| lines[case.rpc].is_edge()) {
        let line = &lines[case.rpc];
        let owner = if line.code(Who::Admin) == Code::Ok { Who::Admin } else { Who::Operator };
        let asker = by(&mut world, owner, line);
        let ask = make(&mut world, case, &asker);
        let before = world.tables.dump();
        let mut may = Vec::new();
        for (scope, secret) in &keys {
            cells += 1;
            let wanted = expected(scope, line);
            if wanted == Code::Ok {
                may.push((scope, secret));
                continue;
            }
            match call(&mut world, secret, case, &ask) {
                Err(no) if no.code == wanted => {}
                // Only sessions have tokens made, so a key is told that it is none.
                Err(no) if case.rpc == "gateway.IssueToken" && no.code == Code::Unauthenticated => {}
                told => wrong.push(format!("{} by a key of {scope:?}: {told:?}", case.rpc)),
            }
        }
        world.rest();
        let changed = before.differences(&world.tables.dump());
        if !changed.is_empty() {
            wrong.push(format!("{}: {}", case.rpc, changed.join("\n    ")));
        }
        for (place, (scope, secret)) in may.into_iter().enumerate() {
            let fresh =
                if case.changes() && place > 0 { make(&mut world, case, &asker) } else { ask.clone() };
            if let Err(no) = call(&mut world, secret, case, &fresh) {
                wrong.push(format!("{} by a key of {scope:?}: {no:?}", case.rpc));
            }
        }
        world.rest();
    }
    println!("{cells} cells of keys");
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Waits until the key is told that it is none any more.
fn ended(world: &mut World, secret: &str) -> String {
    let case = cases::all().into_iter().find(|case| case.rpc == "billing.GetWallet").unwrap();
    let ask = json!({"orgId": world.home.org});
    for _ in 0..LOOKS {
        match call(world, secret, &case, &ask) {
            Ok(_) => world.look_away(),
            Err(no) => {
                assert_eq!(no.code, Code::Unauthenticated, "{no:?}");
                return no.reason;
            }
        }
    }
    panic!("the key works on");
}

#[test]
fn a_key_ends_when_it_is_revoked_and_when_its_time_is_over() {
    let mut world = World::new();
    let (id, secret) = key(&mut world, &json!({}));
    let wallet = json!({"orgId": world.home.org});
    let case = cases::all().into_iter().find(|case| case.rpc == "billing.GetWallet").unwrap();
    assert!(call(&mut world, &secret, &case, &wallet).is_ok());
    world.must(Who::Admin, "tenancy.RevokeApiKey", json!({"apiKeyId": id}));
    assert_eq!(ended(&mut world, &secret), "TOKEN_INVALID");

    let (_, short) = key(&mut world, &json!({"timeToLive": "1s"}));
    assert_eq!(ended(&mut world, &short), "TOKEN_EXPIRED");

    // Its person's other orgs are not the key's.
    let other = world.must(Who::Admin, "tenancy.CreateOrg", json!({"displayName": "Other"}));
    let (_, bound) = key(&mut world, &json!({}));
    let other = json!({"orgId": text(&other, "org.orgId")});
    assert_eq!(call(&mut world, &bound, &case, &other).unwrap_err().code, Code::NotFound);
    assert!(call(&mut world, &bound, &case, &wallet).is_ok());

    // A member who is removed takes their keys and sessions with them.
    let gone = world.newcomer(Some("ROLE_ADMIN"));
    let kept = world.stand_in(Who::Admin, gone.clone());
    let (_, theirs) = key(&mut world, &json!({}));
    assert!(call(&mut world, &theirs, &case, &wallet).is_ok());
    world.stand_in(Who::Admin, kept);
    let ask = json!({"orgId": world.home.org, "userId": gone.user_id});
    world.must(Who::Admin, "tenancy.RemoveMember", ask);
    ended(&mut world, &theirs);
    left(&mut world, gone);
}

/// Waits until a person who was removed sees the org no more.
fn left(world: &mut World, person: Person) {
    let ask = json!({"orgId": world.home.org});
    for _ in 0..LOOKS {
        let kept = world.stand_in(Who::Member, person.clone());
        let told = world.call(Who::Member, "billing.GetWallet", ask.clone());
        world.stand_in(Who::Member, kept);
        match told {
            Ok(_) => world.look_away(),
            Err(no) => return assert_eq!(no.code, Code::NotFound, "{no:?}"),
        }
    }
    panic!("who was removed still sees the org");
}
