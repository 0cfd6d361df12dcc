//! Genuine orders: every recorded delivery verifies and is read, and every order of deliveries, each
//! twice, ends in what was expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/capture.rs"]
mod capture;

use std::collections::{BTreeMap, BTreeSet};

use capture::{Capture, Delivery, OURS};
use proptest::prelude::*;
use serde_json::Value;
use souk_commerce::{
    Error,
    model::{
        Order, Owner, Snapshot,
        mapping::{Found, Mapping, PlanRef, Target},
        order::{Act, LineState},
        owner::{BuyerKey, LinkKind, Owners, candidates},
        plan::{Lookups, Policy, plan},
    },
    outside::saleor::{
        body_digest,
        jwks::KeySet,
        payload::{Event, Reading},
        signature::{Compat, Jws},
    },
};
use souk_types::id::{OfferingVersionId, OrgId, PlanId, ProjectId};

const OURS_IN_SCOPE: [&str; 5] = [
    "a_single_plan_signed_in",
    "b_guest_multi_line",
    "c_zero_price",
    "f_overcharge_second_fully_paid",
    "g_draft_mark_as_paid",
];
const APP: &str = "QXBwOjM=";

fn owner(bits: u128) -> Owner {
    Owner { org_id: OrgId::from_bits(bits), project_id: ProjectId::from_bits(bits) }
}

/// The owner of what the user of the captures buys, of what the storefront's backend vouches for, of the rest.
fn owners() -> [Owner; 3] {
    [owner(1), owner(2), owner(3)]
}

fn plan_id(slug: &str) -> Option<PlanId> {
    let at = ["free", "starter", "pro"].iter().position(|known| *known == slug)?;
    Some(PlanId::from_bits(u128::try_from(at).unwrap()))
}

/// Everything commerce keeps, and every call it would make, by request id.
#[derive(Debug, Default, PartialEq)]
struct World {
    inbox: BTreeSet<String>,
    orders: BTreeMap<String, Order>,
    mappings: BTreeMap<String, Mapping>,
    links: BTreeMap<BuyerKey, Owner>,
    fallback: Option<Owner>,
    calls: BTreeMap<String, Act>,
}

impl World {
    fn new(fallback: bool) -> Self {
        let [user, vouched, rest] = owners();
        let key = |kind, value: &str| BuyerKey { kind, value: value.to_owned() };
        let links = BTreeMap::from([
            (key(LinkKind::User, "VXNlcjoy"), user),
            (key(LinkKind::OrgRef, "org_trusted_from_bff"), vouched),
            // What a customer may write must lead nowhere, even if somebody linked it.
            (key(LinkKind::User, "buyer@acme.example"), owner(66)),
            (key(LinkKind::OrgRef, "org_spoofed_by_anonymous"), owner(66)),
            (key(LinkKind::OrgRef, "org_from_customer_writable_metadata"), owner(66)),
        ]);
        Self { links, fallback: fallback.then_some(rest), ..Self::default() }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        if !self.inbox.insert(body_digest(delivery.body.as_bytes())) {
            return;
        }
        let Reading::Complete(snapshot) = Event::read(delivery.body.as_bytes()).unwrap().order else {
            return;
        };
        self.ingest(&snapshot);
    }

    fn ingest(&mut self, snapshot: &Snapshot) {
        let known = self.orders.entry(snapshot.order_id.clone()).or_default();
        let catalog = known
            .wants(snapshot, &self.mappings)
            .into_iter()
            .map(|wanted| {
                let found = found(&wanted);
                (wanted, found)
            })
            .collect();
        let links = candidates(snapshot)
            .into_iter()
            .filter_map(|key| self.links.get(&key).map(|owner| (key.clone(), *owner)))
            .collect();
        let lookups = Lookups {
            mappings: self.mappings.clone(),
            catalog,
            owners: Owners { links, fallback: self.fallback },
        };
        let plan = plan(snapshot, known, &lookups, &Policy::default());
        for line in plan.lines.iter().filter(|line| line.fresh) {
            let LineState::Pinned(pin) = &line.state else { panic!("only a pin is fresh") };
            for effect in pin.effects(&snapshot.order_id, &line.line_id) {
                let before = self.calls.insert(effect.request_id, effect.act);
                assert_eq!(before, None, "a call is asked for once");
            }
        }
        known.absorb(snapshot, &plan);
        assert_eq!(known.state(), Some(plan.state));
        self.mappings.extend(plan.mappings);
    }
}

fn found(wanted: &PlanRef) -> Found {
    match (wanted.offering.as_str(), plan_id(&wanted.plan)) {
        ("support-triage", Some(plan_id)) => {
            Found::Plan { offering_version_id: OfferingVersionId::from_bits(7), plan_id }
        }
        ("support-triage", None) => Found::NoPlan,
        _ => Found::NoOffering,
    }
}

fn in_scope() -> Vec<Delivery> {
    OURS_IN_SCOPE.iter().flat_map(|name| Capture::load(name).ours()).collect()
}

fn end<'a>(fallback: bool, deliveries: impl IntoIterator<Item = &'a Delivery>) -> World {
    let mut world = World::new(fallback);
    for delivery in deliveries {
        world.deliver(delivery);
    }
    world
}

#[test]
fn every_recorded_delivery_verifies_and_names_its_event() {
    let mut seen = 0;
    for capture in Capture::all() {
        for delivery in capture.deliveries.iter().filter(|delivery| delivery.jwks.is_some()) {
            let keys = KeySet::parse(&capture::vector(delivery.jwks.as_ref().unwrap())).unwrap();
            let header = delivery.header("Saleor-Signature");
            let jws = Jws::parse(&header, Compat::Strict).unwrap();
            jws.verify(keys.get(jws.kid()).unwrap(), delivery.body.as_bytes()).unwrap();
            seen += 1;
            match Event::read(delivery.body.as_bytes()) {
                Ok(event) => event.check(&delivery.header("Saleor-Event"), None).unwrap(),
                Err(Error::PayloadUnreadable { why }) => {
                    assert!(delivery.path.ends_with("legacy"), "{}: {why}", delivery.path);
                    assert!(why.contains("without a subscription query"), "{why}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!(seen, 46);
}

#[test]
fn a_delivery_for_another_app_or_event_is_refused() {
    for delivery in in_scope() {
        let event = Event::read(delivery.body.as_bytes()).unwrap();
        let header = delivery.header("Saleor-Event");
        event.check(&header, Some(APP)).unwrap();
        for (header, app) in [("order_cancelled", None), ("", None), (&*header, Some("QXBwOjQ="))] {
            assert!(matches!(event.check(header, app), Err(Error::EventMismatch { .. })));
        }
    }
    let other = Capture::load("i_retries").deliveries.remove(0);
    let event = Event::read(other.body.as_bytes()).unwrap();
    assert!(matches!(event.check("order_fully_paid", Some(APP)), Err(Error::EventMismatch { .. })));
}

#[test]
fn a_body_of_another_query_is_one_inbox_row_and_says_what_is_missing() {
    let capture = Capture::load("i_retries");
    let digests: BTreeSet<String> =
        capture.deliveries.iter().map(|delivery| body_digest(delivery.body.as_bytes())).collect();
    assert_eq!((capture.deliveries.len(), digests.len()), (15, 1));
    match Event::read(capture.deliveries[0].body.as_bytes()).unwrap().order {
        Reading::Incomplete { number, missing, .. } => {
            assert_eq!(number.as_deref(), Some("9"));
            assert!(missing.contains(&"order.lines") && missing.contains(&"order.updatedAt"), "{missing:?}");
        }
        Reading::Complete(snapshot) => panic!("{snapshot:?}"),
    }
}

/// What `expected.json` grants, one text a grant.
fn expected(scenario: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(&capture::file("expected")).unwrap();
    let grants = document["scenarios"][scenario]["grants"].as_array().cloned().unwrap_or_default();
    grants
        .iter()
        .map(|grant| match grant["credits"].as_i64() {
            Some(credits) => format!("{} {credits} credits", grant["sku"].as_str().unwrap()),
            None => format!("{} {} units", grant["sku"].as_str().unwrap(), grant["units"]),
        })
        .collect()
}

fn granted(world: &World, snapshot: &Snapshot) -> BTreeSet<String> {
    let order = &world.orders[&snapshot.order_id];
    let lines = snapshot.lines.iter().filter_map(|line| {
        let pin = order.pin(&line.line_id)?;
        let sku = line.sku.clone().unwrap_or_default();
        Some(match pin.target {
            Target::Plan { .. } => format!("{sku} {} units", pin.units),
            Target::Pack { .. } => format!("{sku} {} credits", pin.credits),
        })
    });
    lines.collect()
}

#[test]
fn each_scenario_ends_as_expected() {
    for name in OURS_IN_SCOPE {
        let capture = Capture::load(name);
        let world = end(true, &capture.ours());
        let snapshot = capture.ours().last().unwrap().snapshot();
        assert_eq!(granted(&world, &snapshot), expected(&capture.scenario), "{name}");
    }
}

fn parked(world: &World) -> BTreeMap<&'static str, usize> {
    let mut reasons = BTreeMap::new();
    for state in world.orders.values().flat_map(|order| order.lines.values()) {
        if let LineState::Parked(parked) = state {
            *reasons.entry(parked.reason.as_str()).or_insert(0) += 1;
        }
    }
    reasons
}

fn calls_of(world: &World, owner: Owner) -> (usize, i64) {
    let mut sum = (0, 0);
    for act in world.calls.values() {
        match act {
            Act::CreateInstance { owner: whose, .. } if *whose == owner => sum.0 += 1,
            Act::TopUp { owner: whose, amount } if *whose == owner => sum.1 += amount.micros() / 1_000_000,
            _ => {}
        }
    }
    sum
}

#[test]
fn who_owns_what_and_what_is_parked() {
    let deliveries = in_scope();
    let [user, vouched, rest] = owners();
    let world = end(true, &deliveries);
    assert_eq!(calls_of(&world, user), (1, 10_000), "a and f");
    assert_eq!(calls_of(&world, vouched), (1, 3000), "b");
    assert_eq!(calls_of(&world, rest), (3, 0), "c and g, whose buyers are guests");
    assert_eq!(world.calls.len(), 7);
    assert_eq!(parked(&world), BTreeMap::from([("LINE_UNMAPPED", 2)]));

    let world = end(false, &deliveries);
    assert_eq!(world.calls.len(), 4);
    assert_eq!(parked(&world), BTreeMap::from([("LINE_UNMAPPED", 2), ("OWNER_UNKNOWN", 2)]));
}

#[test]
fn two_units_of_a_plan_are_two_calls_with_their_own_keys() {
    let capture = Capture::load("g_draft_mark_as_paid");
    let snapshot = capture.ours()[0].snapshot();
    let world = end(true, &capture.ours());
    let base = format!("saleor:{}:{}", snapshot.order_id, snapshot.lines[0].line_id);
    let keys: Vec<&String> = world.calls.keys().collect();
    assert_eq!(keys, [&base, &format!("{base}:2")]);
}

#[test]
fn what_is_not_to_be_granted_is_not() {
    for (name, reason) in [
        ("a0_wide_query_without_manage_products", "VARIANT_UNREADABLE"),
        ("j_voucher_100_percent", "ZERO_PRICE_PACK"),
    ] {
        let world = end(true, &Capture::load(name).ours());
        assert_eq!(parked(&world), BTreeMap::from([(reason, 1)]), "{name}");
        assert!(world.calls.is_empty(), "{name}");
    }
    // Orders first seen when they were already cancelled, paid back or charged back.
    for (name, state) in
        [("e_cancel_paid_order", "VOID"), ("d2_full_refund", "WAITING"), ("m2_webhooktrigger", "WAITING")]
    {
        let world = end(true, &Capture::load(name).ours());
        assert!(world.calls.is_empty(), "{name}");
        assert!(world.orders.values().all(|order| order.state().unwrap().as_str() == state), "{name}");
    }
    let back = Capture::load("r_chargeback").ours();
    let world = end(true, back.iter().rev());
    assert!(world.calls.is_empty());
    assert!(world.orders.values().all(|order| order.state().unwrap().as_str() == "VOID"));
}

#[test]
fn an_unreadable_variant_stays_parked_after_the_variant_was_seen_elsewhere() {
    let mut deliveries = Capture::load("a_single_plan_signed_in").ours();
    deliveries.extend(Capture::load("a0_wide_query_without_manage_products").ours());
    let world = end(true, &deliveries);
    assert_eq!(parked(&world), BTreeMap::from([("VARIANT_UNREADABLE", 1)]));
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn in_order_reversed_and_each_twice_end_the_same() {
    let deliveries = in_scope();
    let once = end(true, &deliveries);
    assert_eq!(end(true, deliveries.iter().rev()), once);
    assert_eq!(end(true, deliveries.iter().flat_map(|delivery| [delivery, delivery])), once);
    assert_eq!(end(true, deliveries.iter().chain(&deliveries)), once);
    assert_eq!(end(true, deliveries.iter().chain(deliveries.iter().rev())), once);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_order_of_deliveries_each_twice_ends_the_same(
        order in Just((0..in_scope().len()).flat_map(|at| [at, at]).collect::<Vec<_>>()).prop_shuffle(),
        fallback in any::<bool>(),
    ) {
        let deliveries = in_scope();
        let shuffled = end(fallback, order.iter().map(|at| &deliveries[*at]));
        prop_assert_eq!(shuffled, end(fallback, &deliveries));
    }

    /// The same without the inbox: even if every byte-identical delivery came through.
    #[test]
    fn any_order_of_snapshots_each_twice_ends_the_same(
        order in Just((0..in_scope().len()).flat_map(|at| [at, at]).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let snapshots: Vec<Snapshot> = in_scope().iter().map(Delivery::snapshot).collect();
        let run = |order: &[usize]| {
            let mut world = World::new(true);
            for at in order {
                world.ingest(&snapshots[*at]);
            }
            world
        };
        let straight: Vec<usize> = (0..snapshots.len()).collect();
        prop_assert_eq!(run(&order), run(&straight));
    }
}

#[test]
fn nothing_of_this_is_taken_from_a_path_that_is_not_ours() {
    let capture = Capture::load("a_single_plan_signed_in");
    assert!(capture.deliveries.len() > capture.ours().len());
    assert!(capture.ours().iter().all(|delivery| delivery.path == OURS));
}
