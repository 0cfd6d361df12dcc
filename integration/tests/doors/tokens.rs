//! Who is believed on the operator's socket: a token of the right part, for the right part, in its time,
//! with its own signature; and what a person's token opens there.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use souk_kit::{
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
    token::{ANY_PART, LIFETIME, Tokens},
};
use souk_types::{Caller, Clock as _, PartName, PlatformRole};
use tonic::Code;

use crate::{
    cases::{self, By},
    expected,
    matrix::make,
    wire::{Port, Sent},
    world::{Person, Who, World},
};

fn shown(rpc: &str, token: &str) -> Sent {
    let bearer = ("authorization".to_owned(), format!("Bearer {token}"));
    let part = ("souk-part".to_owned(), "billing".to_owned());
    Sent { rpc: World::rpc(rpc), body: json!({}), headers: vec![bearer, part] }
}

/// What a part's method says to a token.
fn told(world: &World, port: Port, rpc: &str, token: &str) -> (Code, String) {
    match world.wire.call(port, &shown(rpc, token)) {
        Ok(_) => (Code::Ok, String::new()),
        Err(no) => (no.code, no.reason),
    }
}

/// A method of each part that every part may call, where there is one.
const OF_EVERY_PART: [(PartName, &str); 2] =
    [(PartName::Catalog, "catalog.ListOfferings"), (PartName::Billing, "events.Follow")];

/// A method that one part may call, of each part that has one: what a good request would be does not matter.
const OF_ONE_PART: [(PartName, &str, PartName); 8] = [
    (PartName::Billing, "billing.Settle", PartName::Runs),
    (PartName::Catalog, "catalog.ResolvePlan", PartName::Commerce),
    (PartName::Commerce, "commerce.IngestOrderSnapshot", PartName::Commerce),
    (PartName::Delivery, "delivery.Apply", PartName::Instances),
    (PartName::Instances, "instances.GetEntitlements", PartName::Runs),
    (PartName::Models, "models.ResolveModelEndpoint", PartName::Runner),
    (PartName::Runner, "runner.CheckFlow", PartName::Catalog),
    (PartName::Tenancy, "tenancy.EndSession", PartName::Gateway),
];

const REFUSED: (Code, &str) = (Code::Unauthenticated, "TOKEN_INVALID");

#[test]
fn only_a_whole_true_token_of_this_minute_and_audience_is_believed() {
    let world = World::new();
    for (_, rpc) in OF_EVERY_PART {
        let good = world.part_token(PartName::Runs, None);
        assert_eq!(told(&world, Port::Socket, rpc, &good).0, Code::Ok, "{rpc}");
        none(&world, rpc, &good);
        ends(&world, rpc);
        forged(&world, rpc, &good);
    }
    audiences(&world);
    // On the public port no token of the mesh stands for anybody.
    let operator = operator(&world);
    for token in [
        world.part_token(PartName::Gateway, None),
        world.signed(PartName::Gateway, &operator, ANY_PART),
        world.signed(PartName::Gateway, &operator, "tenancy"),
    ] {
        assert_eq!(told(&world, Port::Public, "tenancy.GetCaller", &token), known(REFUSED));
    }
    expired_access_token(&world);
}

fn known((code, reason): (Code, &str)) -> (Code, String) {
    (code, reason.to_owned())
}

fn operator(world: &World) -> Caller {
    let user_id = world.person(Who::Operator).user_id.parse().unwrap();
    Caller::User { user_id, memberships: Vec::new(), platform: Some(PlatformRole::Operator) }
}

fn none(world: &World, rpc: &str, good: &str) {
    let mut bare = shown(rpc, good);
    bare.headers.remove(0);
    let no = world.wire.call(Port::Socket, &bare).unwrap_err();
    assert_eq!((no.code, no.reason.as_str()), (Code::Unauthenticated, "TOKEN_MISSING"), "{rpc}");
    for scheme in ["Basic", "Token"] {
        bare.headers.push(("authorization".to_owned(), format!("{scheme} {good}")));
        let no = world.wire.call(Port::Socket, &bare).unwrap_err();
        assert_eq!(no.reason, "TOKEN_MISSING", "{rpc} {scheme}");
        bare.headers.pop();
    }
}

/// Tokens whose time is over, and such as would last longer than a minute.
fn ends(world: &World, rpc: &str) {
    let caller = Caller::Part { part: PartName::Runs, org: None };
    let expired = world.signed_until(PartName::Runs, &caller, |now| now - Duration::from_secs(1));
    assert_eq!(
        told(world, Port::Socket, rpc, &expired),
        known((Code::Unauthenticated, "TOKEN_EXPIRED")),
        "{rpc}"
    );
    let long = world.signed_until(PartName::Runs, &caller, |now| now + Duration::from_secs(3600));
    assert_eq!(told(world, Port::Socket, rpc, &long), known(REFUSED), "{rpc}");
}

/// Tokens of another house, with another's name, with a bent signature, with none.
fn forged(world: &World, rpc: &str, good: &str) {
    let clock = Arc::new(MachineClock);
    let end = clock.now() + LIFETIME;
    let strange = Arc::new(Keyring::generate(&MachineRandom::default()));
    let caller = Caller::Part { part: PartName::Runs, org: None };
    let strange = Tokens::new(PartName::Runs, strange, clock).sign(&caller, ANY_PART, end).unwrap();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let renamed = good.replacen("runs.", "gateway.", 1);
    let other = strange.rsplit_once('.').unwrap().1;
    let empty = URL_SAFE_NO_PAD.encode([0_u8; 64]);
    // Whoever speaks of people is the gateway; a part says its own name and no other.
    let of_people = world.signed(PartName::Runs, &operator(world), ANY_PART);
    let of_nobody = world.signed(PartName::Runs, &Caller::Anonymous, ANY_PART);
    let of_another = Caller::Part { part: PartName::Instances, org: None };
    let of_another = world.signed(PartName::Runs, &of_another, ANY_PART);
    for token in [
        strange.clone(),
        renamed,
        format!("{head}.{other}"),
        format!("{head}.{empty}"),
        format!("{head}."),
        head.to_owned(),
        signature.to_owned(),
        format!("x.{head}.{signature}"),
        of_people,
        of_nobody,
        of_another,
    ] {
        assert_eq!(told(world, Port::Socket, rpc, &token), known(REFUSED), "{rpc} {token}");
    }
}

/// A token made for one part is good at that part alone.
fn audiences(world: &World) {
    for (owner, rpc, caller) in OF_ONE_PART {
        for audience in PartName::ALL {
            let caller = Caller::Part { part: caller, org: None };
            let Caller::Part { part: signer, .. } = &caller else { unreachable!() };
            let token = world.signed(*signer, &caller, audience.as_str());
            let (code, reason) = told(world, Port::Socket, rpc, &token);
            if *audience == owner {
                assert_ne!(code, Code::Unauthenticated, "{rpc} by its own audience: {reason}");
            } else {
                assert_eq!((code, reason), known(REFUSED), "{rpc} by a token for {audience}");
            }
        }
    }
}

/// An access token of the door's own issuer whose time is over, otherwise whole.
fn expired_access_token(world: &World) {
    let good = world.person(Who::Viewer).token;
    assert_eq!(told(world, Port::Public, "tenancy.GetCaller", &good).0, Code::Ok);
    let again = world.access_token_until(&good, |now| now + 60);
    assert_eq!(
        told(world, Port::Public, "tenancy.GetCaller", &again).0,
        Code::Ok,
        "made as the door makes it"
    );
    let over = world.access_token_until(&good, |now| now - 1);
    let wanted = known((Code::Unauthenticated, "TOKEN_EXPIRED"));
    assert_eq!(told(world, Port::Public, "tenancy.GetCaller", &over), wanted);
    let bent = format!("{}A", &again[..again.len() - 2]);
    assert_eq!(told(world, Port::Public, "tenancy.GetCaller", &bent), known(REFUSED));
}

/// People, and nobody, are told on the socket what they are told outside: methods of the mesh are not theirs,
/// whatever they run.
#[test]
fn no_person_calls_a_method_of_the_mesh() {
    let mut world = World::new();
    let lines = expected::read();
    let mut tried = 0;
    for case in cases::all().iter().filter(|case| !lines[case.rpc].is_edge()) {
        let line = &lines[case.rpc];
        let part = crate::matrix::everybody().into_iter().find(|who| line.code(*who) == Code::Ok).unwrap();
        let ask = make(&mut world, case, &By { who: part, person: Person::default() });
        let before = world.tables.dump();
        for caller in [operator(&world), Caller::Anonymous] {
            let mut sent = world.sent(part, case.rpc, ask.clone()).1;
            let token = world.signed(PartName::Gateway, &caller, ANY_PART);
            sent.headers[0].1 = format!("Bearer {token}");
            let no = world.wire.call(Port::Socket, &sent).expect_err(case.rpc);
            assert_eq!(no.code, Code::PermissionDenied, "{} {caller:?}: {no:?}", case.rpc);
            tried += 1;
        }
        world.rest();
        let changed = before.differences(&world.tables.dump());
        assert!(changed.is_empty(), "{}: {}", case.rpc, changed.join("\n    "));
    }
    println!("{tried} calls of people to methods of the mesh");
}
