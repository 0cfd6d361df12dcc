//! The decision, case by case, and that neither repetition nor order changes where it ends.

use proptest::prelude::*;
use souk_types::{
    Time,
    id::{OfferingVersionId, OrgId, PlanId, ProjectId},
};

use super::*;
use crate::model::{
    mapping::Source,
    order::{Act, Wait, request_id},
    owner::{BuyerKey, LinkKind},
    snapshot::{Buyer, ChargeStatus, Declared, Status, Totals},
};

fn owner(bits: u128) -> Owner {
    Owner { org_id: OrgId::from_bits(bits), project_id: ProjectId::from_bits(bits) }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn wanted(plan: &str) -> PlanRef {
    PlanRef { offering: "triage".to_owned(), plan: plan.to_owned() }
}

fn plan_line(line_id: &str, plan: &str, quantity: i64) -> Line {
    Line {
        line_id: line_id.to_owned(),
        variant_id: Some(format!("variant-{plan}")),
        has_variant: true,
        sku: None,
        product_name: None,
        quantity,
        refunded_quantity: 0,
        unit_price: "29".parse().ok(),
        is_gift: false,
        declared: Declared {
            kind: text("plan"),
            offering: text("triage"),
            plan: text(plan),
            credits: None,
            allow_zero_price: false,
        },
    }
}

fn pack_line(line_id: &str, credits: &str, quantity: i64) -> Line {
    let declared = Declared { kind: text("credit_pack"), credits: text(credits), ..Declared::default() };
    Line { variant_id: Some(format!("variant-{credits}")), declared, ..plan_line(line_id, "", quantity) }
}

fn order(at: i64, lines: Vec<Line>) -> Snapshot {
    Snapshot {
        order_id: "order".to_owned(),
        number: "1".to_owned(),
        updated_at: Time::from_micros(at),
        issued_at: Some(Time::from_micros(at + 1)),
        status: Status::Unfulfilled,
        charge_status: ChargeStatus::Full,
        buyer: Buyer { user_id: text("user"), email: None, external_reference: text("subject") },
        org_ref: text("acme"),
        channel: None,
        totals: Totals::default(),
        lines,
    }
}

fn lookups() -> Lookups {
    let found = |bits| Found::Plan {
        offering_version_id: OfferingVersionId::from_bits(7),
        plan_id: PlanId::from_bits(bits),
    };
    let mut lookups = Lookups { catalog: BTreeMap::new(), ..Lookups::default() };
    lookups.catalog.insert(wanted("pro"), found(1));
    lookups.catalog.insert(wanted("starter"), found(2));
    lookups.catalog.insert(wanted("gone"), Found::NoPlan);
    lookups.owners.fallback = Some(owner(9));
    lookups
}

fn judge(line: Line) -> LineState {
    let mut plan = plan(&order(1, vec![line]), &Order::default(), &lookups(), &Policy::default());
    plan.lines.remove(0).state
}

fn parked(line: Line) -> Reason {
    match judge(line) {
        LineState::Parked(parked) => parked.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pack_brings_its_credits_once_for_all_units() {
    let LineState::Pinned(pin) = judge(pack_line("l", "1000", 3)) else { panic!() };
    let effects = pin.effects("order", "l");
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].request_id, "saleor:order:l");
    let amount = Credits::from_whole(3000).unwrap();
    assert_eq!(effects[0].act, Act::TopUp { owner: owner(9), amount });
}

#[test]
fn units_paid_back_before_the_first_sight_are_not_granted() {
    let LineState::Pinned(pin) = judge(Line { refunded_quantity: 1, ..pack_line("l", "1000", 3) }) else {
        panic!()
    };
    assert_eq!((pin.units, pin.credits), (2, Credits::from_whole(2000).unwrap()));
    for (quantity, refunded_quantity) in [(3, 3), (3, 5), (0, 0), (-2, 0), (i64::MIN, i64::MAX)] {
        assert_eq!(judge(Line { refunded_quantity, ..pack_line("l", "5", quantity) }), LineState::Empty);
    }
}

#[test]
fn each_unit_of_a_plan_has_its_own_key() {
    let LineState::Pinned(pin) = judge(plan_line("l", "pro", 3)) else { panic!() };
    let keys: Vec<_> = pin.effects("o", "l").into_iter().map(|effect| effect.request_id).collect();
    assert_eq!(keys, ["saleor:o:l", "saleor:o:l:2", "saleor:o:l:3"]);
    assert!(request_id(&"o".repeat(100), &"l".repeat(100), i64::MAX).len() <= 255);
}

#[test]
fn what_is_the_matter_with_a_line_is_said_by_its_reason() {
    let free = |line: Line| Line { unit_price: "0.0".parse().ok(), ..line };
    let allowed = |mut line: Line| {
        line.declared.allow_zero_price = true;
        line
    };
    let gift = |line: Line| Line { is_gift: true, ..line };
    let unread = |line: Line| Line { has_variant: false, declared: Declared::default(), ..line };
    let bare = |line: Line| Line { declared: Declared::default(), ..line };
    for (line, reason) in [
        (plan_line("l", "gone", 1), Reason::PlanUnknown),
        (plan_line("l", "never-asked-for", 1), Reason::OfferingUnknown),
        (plan_line("l", "pro", 101), Reason::TooManyUnits),
        (plan_line("l", "pro", i64::MAX), Reason::TooManyUnits),
        (gift(plan_line("l", "pro", 1)), Reason::GiftLine),
        (unread(plan_line("l", "pro", 1)), Reason::VariantUnreadable),
        (Line { variant_id: None, ..plan_line("l", "pro", 1) }, Reason::VariantUnreadable),
        (bare(plan_line("l", "pro", 1)), Reason::LineUnmapped),
        (pack_line("l", "many", 1), Reason::CreditsInvalid),
        (pack_line("l", "9000000000000", 2), Reason::CreditsInvalid),
        (free(pack_line("l", "5", 1)), Reason::ZeroPricePack),
        (gift(pack_line("l", "5", 1)), Reason::ZeroPricePack),
        (Line { unit_price: None, ..pack_line("l", "5", 1) }, Reason::SnapshotIncomplete),
    ] {
        assert_eq!(parked(line.clone()), reason, "{line:?}");
    }
    for line in [
        free(plan_line("l", "pro", 1)),
        allowed(free(pack_line("l", "5", 1))),
        allowed(gift(pack_line("l", "5", 1))),
        allowed(gift(plan_line("l", "pro", 1))),
    ] {
        assert!(matches!(judge(line), LineState::Pinned(_)));
    }
}

#[test]
fn nothing_is_granted_before_an_order_is_settled_nor_after_it_is_void() {
    use ChargeStatus as C;
    use Status as S;
    let other = || "NEW_IN_SALEOR".to_owned();
    for (status, charge, expected) in [
        (S::Unconfirmed, C::Full, LineState::Waiting(Wait::Unconfirmed)),
        (S::Draft, C::Overcharged, LineState::Waiting(Wait::Draft)),
        (S::Unfulfilled, C::None, LineState::Waiting(Wait::Unpaid)),
        (S::Fulfilled, C::Partial, LineState::Waiting(Wait::PartlyPaid)),
        (S::Other(other()), C::Full, LineState::Waiting(Wait::StatusUnknown)),
        (S::Unfulfilled, C::Other(other()), LineState::Waiting(Wait::StatusUnknown)),
        (S::Canceled, C::Full, LineState::Void),
        (S::Expired, C::None, LineState::Void),
    ] {
        let snapshot = Snapshot { status, charge_status: charge, ..order(1, vec![plan_line("l", "pro", 1)]) };
        assert!(Order::default().wants(&snapshot, &BTreeMap::new()).is_empty());
        let plan = plan(&snapshot, &Order::default(), &lookups(), &Policy::default());
        assert_eq!(plan.lines[0].state, expected);
        assert!(!plan.lines[0].fresh && plan.mappings.is_empty());
    }
}

#[test]
fn the_strongest_link_wins_and_without_any_the_line_is_parked() {
    let key = |kind, value: &str| BuyerKey { kind, value: value.to_owned() };
    let all = [
        (key(LinkKind::OrgRef, "acme"), owner(1)),
        (key(LinkKind::External, "subject"), owner(2)),
        (key(LinkKind::User, "user"), owner(3)),
    ];
    let snapshot = order(1, vec![plan_line("l", "pro", 1)]);
    for gone in 0..=3 {
        let links: BTreeMap<_, _> = all.iter().skip(gone).cloned().collect();
        let expected = links.values().map(|owner| owner.org_id).min();
        assert_eq!(Owners { links, fallback: None }.resolve(&snapshot).map(|owner| owner.org_id), expected);
    }
    // The same value under another kind is another buyer.
    let links = BTreeMap::from([(key(LinkKind::User, "acme"), owner(1))]);
    let lookups = Lookups { owners: Owners { links, fallback: None }, ..lookups() };
    let plan = plan(&snapshot, &Order::default(), &lookups, &Policy::default());
    assert_eq!(plan.lines[0].state, LineState::Parked(Parked::because(Reason::OwnerUnknown)));
    assert_eq!(plan.mappings.len(), 1, "what the variant is does not depend on who bought it");
}

#[test]
fn a_parked_line_is_judged_again_when_the_same_snapshot_comes_after_the_link() {
    let snapshot = order(1, vec![plan_line("l", "pro", 1)]);
    let nobody = Lookups { owners: Owners::default(), ..lookups() };
    let mut known = Order::default();
    let first = plan(&snapshot, &known, &nobody, &Policy::default());
    known.absorb(&snapshot, &first);
    assert!(known.pin("l").is_none());
    let second = plan(&snapshot, &known, &lookups(), &Policy::default());
    assert_eq!((second.standing, second.lines[0].fresh), (Standing::Duplicate, true));
    known.absorb(&snapshot, &second);
    // Once pinned it stays where it is, whatever becomes of links and mappings.
    let moved = Lookups {
        owners: Owners { fallback: Some(owner(5)), ..Owners::default() },
        catalog: BTreeMap::new(),
        ..lookups()
    };
    let third = plan(&order(2, vec![plan_line("l", "starter", 9)]), &known, &moved, &Policy::default());
    assert_eq!(third.lines[0].state, second.lines[0].state);
    assert!(!third.lines[0].fresh && third.mappings.is_empty());
}

#[test]
fn the_catalogue_is_asked_only_for_what_is_still_open() {
    let lines = || vec![plan_line("a", "pro", 1), plan_line("b", "starter", 1), pack_line("c", "5", 1)];
    let snapshot = order(2, lines());
    let mut known = Order::default();
    let none = BTreeMap::new();
    assert_eq!(known.wants(&snapshot, &none).len(), 2);
    let first = plan(&snapshot, &known, &lookups(), &Policy::default());
    assert_eq!(known.wants(&snapshot, &first.mappings).len(), 0);
    known.absorb(&snapshot, &first);
    assert!(known.wants(&order(3, lines()), &none).is_empty(), "all are pinned");
    assert!(known.wants(&order(1, vec![plan_line("z", "pro", 1)]), &none).is_empty(), "stale");
}

#[test]
fn the_row_wins_over_changed_metadata() {
    let first =
        plan(&order(1, vec![plan_line("l", "pro", 1)]), &Order::default(), &lookups(), &Policy::default());
    let row = first.mappings["variant-pro"].clone();
    assert_eq!(row.source, Source::Metadata);
    let with = |row: Mapping, line: Line| {
        let mappings = BTreeMap::from([("variant-pro".to_owned(), row)]);
        let lookups = Lookups { mappings, catalog: BTreeMap::new(), ..lookups() };
        plan(&order(1, vec![line]), &Order::default(), &lookups, &Policy::default()).lines.remove(0).state
    };
    let changed = |declared: Declared| Line { declared, ..plan_line("l", "pro", 1) };
    let starter = plan_line("l", "starter", 1).declared;
    let pack = pack_line("l", "5", 1).declared;
    let half = Declared { offering: text("triage"), ..Declared::default() };
    // The same metadata needs no catalogue: the version is pinned by the row.
    assert!(matches!(with(row.clone(), plan_line("l", "pro", 1)), LineState::Pinned(_)));
    let by_hand = Mapping { source: Source::Operator, ..row.clone() };
    for declared in [starter, pack, half] {
        for row in [&row, &by_hand] {
            let state = with(row.clone(), changed(declared.clone()));
            let LineState::Parked(parked) = state else { panic!("{state:?}") };
            assert_eq!(parked.reason, Reason::MappingChanged);
        }
    }
    // What declares nothing, or cannot be read, may be mapped by an operator, and by nobody else.
    let unread = Line { has_variant: false, ..changed(Declared::default()) };
    assert!(matches!(with(by_hand.clone(), changed(Declared::default())), LineState::Pinned(_)));
    assert!(matches!(with(by_hand, unread.clone()), LineState::Pinned(_)));
    let state = with(row.clone(), changed(Declared::default()));
    assert!(matches!(state, LineState::Parked(Parked { reason: Reason::MappingChanged, .. })));
    assert_eq!(with(row, unread), LineState::Parked(Parked::because(Reason::VariantUnreadable)));
}

#[test]
fn two_lines_of_one_variant_see_one_row() {
    let other = Line { declared: pack_line("", "5", 1).declared, ..plan_line("b", "pro", 1) };
    let lines = vec![other, plan_line("a", "pro", 1)];
    let plan = plan(&order(1, lines), &Order::default(), &lookups(), &Policy::default());
    assert!(plan.lines[0].fresh, "the first by id");
    assert!(
        matches!(&plan.lines[1].state, LineState::Parked(parked) if parked.reason == Reason::MappingChanged)
    );
    assert_eq!(plan.mappings.len(), 1);
}

#[test]
fn an_old_snapshot_changes_no_line_and_an_equal_one_is_told_by_its_digest() {
    let mut known = Order::default();
    let new = order(5, vec![plan_line("l", "pro", 1)]);
    let first = plan(&new, &known, &lookups(), &Policy::default());
    known.absorb(&new, &first);
    let mut again = new.clone();
    again.issued_at = None;
    again.lines.reverse();
    assert_eq!(known.standing(&again), Standing::Duplicate);
    let old = Snapshot { updated_at: Time::from_micros(4), ..order(4, vec![plan_line("x", "pro", 1)]) };
    let stale = plan(&old, &known, &lookups(), &Policy::default());
    assert_eq!((stale.standing, stale.lines.len()), (Standing::Stale, 0));
    let before = known.clone();
    known.absorb(&old, &stale);
    assert_eq!(known, before);
}

#[test]
fn every_field_counts_in_the_digest_but_the_rendering_time_and_the_line_order() {
    let base = order(1, vec![plan_line("a", "pro", 1), pack_line("b", "5", 1)]);
    let mut same = base.clone();
    same.lines.reverse();
    same.issued_at = None;
    assert_eq!(same.digest(), base.digest());
    let mut seen = std::collections::BTreeSet::from([base.digest()]);
    let mut differs = |change: &dyn Fn(&mut Snapshot)| {
        let mut other = base.clone();
        change(&mut other);
        assert!(seen.insert(other.digest()), "{other:?}");
    };
    differs(&|it| it.status = Status::Canceled);
    differs(&|it| it.charge_status = ChargeStatus::None);
    differs(&|it| it.org_ref = None);
    differs(&|it| it.org_ref = text(""));
    differs(&|it| (it.buyer.user_id, it.buyer.email) = (None, text("user")));
    differs(&|it| it.buyer.external_reference = None);
    differs(&|it| it.lines[0].quantity = 2);
    differs(&|it| it.lines[0].refunded_quantity = 1);
    differs(&|it| it.lines[0].is_gift = true);
    differs(&|it| it.lines[0].has_variant = false);
    differs(&|it| it.lines[0].declared.plan = text("starter"));
    differs(&|it| it.lines[0].declared.allow_zero_price = true);
    differs(&|it| it.lines[0].unit_price = None);
    differs(&|it| drop(it.lines.pop()));
    let hex = base.digest().hex();
    assert_eq!(crate::model::snapshot::Digest::from_hex(&hex), Some(base.digest()));
}

/// A snapshot's stored form is read back as it was: an operator may replay it later.
#[test]
fn a_snapshot_survives_being_stored() {
    let snapshot = order(1, vec![plan_line("a", "pro", 1), pack_line("b", "5", 1)]);
    let stored = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&stored).unwrap(), snapshot);
}

fn any_state() -> impl Strategy<Value = (Status, ChargeStatus)> {
    prop_oneof![
        Just((Status::Unconfirmed, ChargeStatus::Full)),
        Just((Status::Unfulfilled, ChargeStatus::None)),
        Just((Status::Unfulfilled, ChargeStatus::Partial)),
        Just((Status::Unfulfilled, ChargeStatus::Full)),
        Just((Status::Fulfilled, ChargeStatus::Full)),
        Just((Status::Unfulfilled, ChargeStatus::Overcharged)),
        Just((Status::Canceled, ChargeStatus::Full)),
    ]
}

/// Snapshots of one order in which the lines stay what they were, as they do in a shop.
fn any_history() -> impl Strategy<Value = Vec<Snapshot>> {
    let one = (0_i64..4, 0_i64..3, any_state()).prop_map(|(at, rendered, (status, charge_status))| {
        let lines = vec![plan_line("a", "pro", 2), pack_line("b", "1000", 3), plan_line("c", "gone", 1)];
        let issued_at = Some(Time::from_micros(at + rendered));
        Snapshot { status, charge_status, issued_at, ..order(at, lines) }
    });
    proptest::collection::vec(one, 1..6)
}

fn fold(history: &[Snapshot]) -> Order {
    let mut known = Order::default();
    for snapshot in history {
        let plan = plan(snapshot, &known, &lookups(), &Policy::default());
        known.absorb(snapshot, &plan);
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn version_and_state_do_not_depend_on_the_order_of_arrival(
        (history, shuffled) in any_history().prop_flat_map(|history| {
            let twice: Vec<_> = history.iter().chain(&history).cloned().collect();
            (Just(history), Just(twice).prop_shuffle())
        }),
    ) {
        let (one, other) = (fold(&history), fold(&shuffled));
        prop_assert_eq!(one.version, other.version);
        prop_assert_eq!(one.state(), other.state());
        // What is granted is always the same; whether it is may hang on an order that was void when first
        // seen, and then on nothing else.
        let pins = |order: &Order| ["a", "b"].map(|line| order.pin(line).cloned());
        let void = history.iter().any(|snapshot| snapshot.status == Status::Canceled);
        let unsettled = |order: &Order| order.state() != Some(OrderState::Settled);
        if !void && !unsettled(&one) {
            prop_assert_eq!(pins(&one), pins(&other));
            prop_assert_eq!(&one.lines, &other.lines);
        }
        for (left, right) in pins(&one).into_iter().zip(pins(&other)) {
            if let (Some(left), Some(right)) = (left, right) {
                prop_assert_eq!(left, right);
            }
        }
    }

    #[test]
    fn a_second_delivery_changes_nothing(history in any_history()) {
        let mut twice = Vec::new();
        for snapshot in &history {
            twice.extend([snapshot.clone(), snapshot.clone()]);
        }
        prop_assert_eq!(fold(&twice), fold(&history));
    }

    #[test]
    fn no_line_is_fresh_twice(history in any_history()) {
        let mut known = Order::default();
        let mut fresh = std::collections::BTreeSet::new();
        for snapshot in history.iter().chain(history.iter().rev()) {
            let plan = plan(snapshot, &known, &lookups(), &Policy::default());
            for line in plan.lines.iter().filter(|line| line.fresh) {
                prop_assert!(fresh.insert(line.line_id.clone()));
            }
            known.absorb(snapshot, &plan);
        }
    }
}
