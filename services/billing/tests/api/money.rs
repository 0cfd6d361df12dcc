//! Extending, reversing, adjusting, freezing, receipts and the watch.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};
use souk_proto::souk::billing::v1::{self as pb, ledger_entry::Kind};
use souk_types::{PartName, id::OrgId};
use tonic::Code;

use super::{
    CREDIT, FOREIGN, OWN, Town, authorize, instance, list, quantity, reason, refused, release, settle,
    support, top_up,
};

fn reverse(request_id: &str, org: OrgId, amount_micros: i64) -> pb::ReverseTopUpRequest {
    pb::ReverseTopUpRequest {
        org_id: org.to_string(),
        request_id: request_id.to_owned(),
        source_ref: "saleor:1:2".to_owned(),
        amount_micros,
        reason: "saleor:1:2:reversal:1".to_owned(),
    }
}

fn adjust(request_id: &str, org: OrgId, amount_micros: i64) -> pb::AdjustWalletRequest {
    pb::AdjustWalletRequest {
        org_id: org.to_string(),
        request_id: request_id.to_owned(),
        amount_micros,
        note: "a mistake of ours".to_owned(),
        expire_time: None,
    }
}

fn freeze(request_id: &str, org: OrgId, state: pb::WalletState) -> pb::SetWalletStateRequest {
    let (org_id, request_id) = (org.to_string(), request_id.to_owned());
    pb::SetWalletStateRequest { org_id, request_id, state: state.into() }
}

#[tokio::test]
async fn a_run_is_extended_at_the_prices_it_was_told() {
    let town = Town::new().await;
    town.open(OWN, instance(1), 3 * CREDIT).await;
    let mut runs = town.runs(OWN);
    let held = runs.authorize(authorize("1", instance(1))).await.unwrap().into_inner();
    let prices: Vec<_> =
        held.prices.iter().map(|price| (price.dimension.as_str(), price.amount_micros, price.per)).collect();
    assert_eq!(prices, [("input_tokens", 2, 1000), ("runs", CREDIT, 1)]);
    let again = runs.authorize(authorize("1", instance(1))).await.unwrap().into_inner();
    assert_eq!(again, held, "a repeat is told the prices, too");
    // The instance's prices change; those of the reservation do not.
    let price = pb::Price { dimension: "runs".to_owned(), amount_micros: 1, per: 1 };
    let cheap = pb::PutPriceScheduleRequest {
        request_id: "cheap".to_owned(),
        prices: vec![price],
        default_estimate: vec![quantity("runs", 1)],
    };
    let cheap = town.by(PartName::Catalog, None).put_price_schedule(cheap).await.unwrap().into_inner();
    let mut instances = town.by(PartName::Instances, Some(OWN));
    let set = |request_id: &str, hash: &str| pb::SetAccountScheduleRequest {
        instance_id: instance(1).to_string(),
        request_id: request_id.to_owned(),
        price_schedule_hash: hash.to_owned(),
    };
    instances.set_account_schedule(set("1", &cheap.price_schedule_hash)).await.unwrap();
    let unknown = reason(instances.set_account_schedule(set("2", "unknown")).await);
    assert_eq!(unknown, refused(Code::NotFound, "SCHEDULE_NOT_FOUND"));
    let extend = |request_id: &str, units: i64| pb::ExtendRequest {
        reservation_id: held.reservation_id.clone(),
        request_id: request_id.to_owned(),
        estimate: vec![quantity("runs", units)],
        time_to_live: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
    };
    let extended = runs.extend(extend("1", 2)).await.unwrap().into_inner();
    assert_eq!((extended.allowed, extended.budget_micros), (true, 3 * CREDIT));
    assert!(extended.expire_time.unwrap().seconds > held.expire_time.unwrap().seconds);
    let no = runs.extend(extend("2", 1)).await.unwrap().into_inner();
    assert_eq!((no.allowed, no.reason.as_str()), (false, "INSUFFICIENT_CREDITS"));
    assert_eq!((no.budget_micros, no.expire_time), (extended.budget_micros, extended.expire_time));
    let foreign = reason(town.runs(FOREIGN).extend(extend("1", 1)).await);
    assert_eq!(foreign, refused(Code::NotFound, "RESERVATION_NOT_FOUND"));
    let used = [("runs", 3), ("hours", 7)];
    let settled = runs.settle(settle("1", &held.reservation_id, &used)).await.unwrap().into_inner();
    let receipt = settled.receipt.unwrap();
    assert_eq!((receipt.charged_micros, receipt.overrun_micros), (3 * CREDIT, 0));
    let lines: Vec<_> =
        receipt.lines.iter().map(|line| (line.dimension.as_str(), line.amount_micros)).collect();
    assert_eq!(lines, [("hours", 0), ("runs", 3 * CREDIT)], "what has no price costs nothing");
    let closed = reason(runs.extend(extend("3", 1)).await);
    assert_eq!(closed, refused(Code::FailedPrecondition, "RESERVATION_CLOSED"));
    // The receipt is read by who may read the org, and by nobody else.
    let ask = || pb::GetReceiptRequest { receipt_id: receipt.receipt_id.clone() };
    let house = town.mesh.house(PartName::Gateway).unwrap();
    let mut own = support::person(&house, &support::viewer(OWN));
    assert_eq!(own.get_receipt(ask()).await.unwrap().into_inner().receipt, Some(receipt.clone()));
    let mut foreign = support::person(&house, &support::viewer(FOREIGN));
    assert_eq!(reason(foreign.get_receipt(ask()).await), refused(Code::NotFound, "RECEIPT_NOT_FOUND"));
    let bad = own.get_receipt(pb::GetReceiptRequest { receipt_id: "rcp_1".to_owned() }).await;
    assert_eq!(reason(bad), refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn a_top_up_is_taken_back() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let mut commerce = town.by(PartName::Commerce, Some(OWN));
    let mut runs = town.runs(OWN);
    let held = runs.authorize(authorize("1", instance(1))).await.unwrap().into_inner();
    let bought =
        pb::TopUpRequest { source_ref: "saleor:9".to_owned(), ..top_up(OWN, "p", 5, pb::Source::Purchase) };
    commerce.top_up(bought).await.unwrap();
    let back = commerce.reverse_top_up(reverse("r", OWN, 0)).await.unwrap().into_inner();
    assert_eq!((back.reversed_micros, back.pending_micros, back.consumed_micros), (0, CREDIT, 0));
    assert_eq!((back.balance_micros, back.ledger_entry_id.as_str()), (CREDIT + 5, ""));
    assert_eq!(commerce.reverse_top_up(reverse("r", OWN, 0)).await.unwrap().into_inner(), back);
    town.database.clock.advance(Duration::from_secs(1));
    let freed = runs.release(release("1", &held.reservation_id)).await.unwrap().into_inner();
    assert_eq!(freed.balance_micros, 5, "what work gives back goes to the buyer");
    let listed = town.listed(list(OWN, 1, "")).await.unwrap().ledger_entries.remove(0);
    assert_eq!((listed.kind(), listed.amount_micros), (Kind::Reversal, -CREDIT));
    assert_eq!(listed.source_ref, "saleor:1:2:reversal:1");
    let ask = pb::ReverseTopUpRequest { source_ref: "saleor:0".to_owned(), ..reverse("n", OWN, 0) };
    assert_eq!(reason(commerce.reverse_top_up(ask).await), refused(Code::NotFound, "LOT_NOT_FOUND"));
    let ask = reason(commerce.reverse_top_up(reverse("n", OWN, -1)).await);
    assert_eq!(ask, refused(Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE"));
    let foreign = reason(commerce.reverse_top_up(reverse("n", FOREIGN, 0)).await);
    assert_eq!(foreign, refused(Code::NotFound, "ORG_NOT_FOUND"));
}

#[tokio::test]
async fn an_operator_adjusts_and_freezes_and_nobody_else_does() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let house = town.mesh.house(PartName::Gateway).unwrap();
    for caller in [support::viewer(OWN), support::admin(OWN)] {
        let mut person = support::person(&house, &caller);
        let denied = || refused(Code::PermissionDenied, "PERMISSION_DENIED");
        assert_eq!(reason(person.adjust_wallet(adjust("1", OWN, CREDIT)).await), denied());
        let frozen = freeze("1", OWN, pb::WalletState::Frozen);
        assert_eq!(reason(person.set_wallet_state(frozen).await), denied());
    }
    let mut tenancy = town.tenancy(OWN);
    assert_ne!(tenancy.adjust_wallet(adjust("1", OWN, CREDIT)).await.unwrap_err().code(), Code::Ok);
    let mut operator = support::person(&house, &support::operator());
    let given = operator.adjust_wallet(adjust("1", OWN, 4 * CREDIT)).await.unwrap().into_inner();
    assert_eq!(given.balance_micros, 5 * CREDIT);
    let again = operator.adjust_wallet(adjust("1", OWN, 4 * CREDIT)).await.unwrap().into_inner();
    assert_eq!(again, given);
    let taken = operator.adjust_wallet(adjust("2", OWN, -2 * CREDIT)).await.unwrap().into_inner();
    assert_eq!(taken.balance_micros, 3 * CREDIT);
    let short = reason(operator.adjust_wallet(adjust("3", OWN, -4 * CREDIT)).await);
    assert_eq!(short, refused(Code::FailedPrecondition, "INSUFFICIENT_CREDITS"));
    let zero = reason(operator.adjust_wallet(adjust("3", OWN, 0)).await);
    assert_eq!(zero, refused(Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE"));
    let noteless = pb::AdjustWalletRequest { note: String::new(), ..adjust("3", OWN, 1) };
    let noteless = reason(operator.adjust_wallet(noteless).await);
    assert_eq!(noteless, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    let none = reason(operator.adjust_wallet(adjust("3", OrgId::from_bits(7), 1)).await);
    assert_eq!(none, refused(Code::NotFound, "WALLET_NOT_FOUND"));
    let frozen = freeze("1", OWN, pb::WalletState::Frozen);
    let set = operator.set_wallet_state(frozen.clone()).await.unwrap().into_inner().wallet.unwrap();
    assert_eq!(set, town.wallet(OWN).await);
    assert_eq!((set.state(), set.lots.len()), (pb::WalletState::Frozen, 1));
    let asked = town.runs(OWN).authorize(authorize("f", instance(1))).await.unwrap().into_inner();
    assert_eq!((asked.allowed, asked.reason.as_str()), (false, "WALLET_FROZEN"));
    operator.set_wallet_state(freeze("2", OWN, pb::WalletState::Active)).await.unwrap();
    let first = operator.set_wallet_state(frozen).await.unwrap().into_inner().wallet.unwrap();
    assert_eq!(first, set, "a repeat gets the first answer");
    assert_eq!(town.wallet(OWN).await.state(), pb::WalletState::Active);
    let unsaid = reason(operator.set_wallet_state(freeze("3", OWN, pb::WalletState::Unspecified)).await);
    assert_eq!(unsaid, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    // What an operator does to an org is told of as done to that org.
    let sql = "SELECT COUNT(*) AS n FROM outbox WHERE kind LIKE '%RequestAnswered' AND actor LIKE 'user:%'";
    let sql = format!("{sql} AND org_id = '{OWN}' AND payload LIKE '%AdjustWallet%'");
    let row = Statement::from_string(town.database.backend(), sql);
    let row = town.database.read().query_one_raw(row).await.unwrap().unwrap();
    assert!(row.try_get::<i64>("", "n").unwrap() >= 2);
}

#[tokio::test]
async fn a_watcher_sees_the_wallet_change() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let house = town.mesh.house(PartName::Gateway).unwrap();
    let mut person = support::person(&house, &support::viewer(OWN));
    let look = pb::WatchWalletRequest { org_id: FOREIGN.to_string() };
    assert_eq!(reason(person.watch_wallet(look).await.map(drop)), refused(Code::NotFound, "ORG_NOT_FOUND"));
    let mut seen = person.watch_wallet(pb::WatchWalletRequest::default()).await.unwrap().into_inner();
    let first = seen.message().await.unwrap().unwrap().wallet;
    assert_eq!(first, Some(town.wallet(OWN).await));
    town.runs(OWN).authorize(authorize("1", instance(1))).await.unwrap();
    let next = seen.message().await.unwrap().unwrap().wallet.unwrap();
    assert_eq!((next.available_micros, next.reserved_micros), (0, CREDIT));
    let none = OrgId::from_bits(3);
    let mut person = support::person(&house, &support::viewer(none));
    let absent = person.watch_wallet(pb::WatchWalletRequest::default()).await.map(drop);
    assert_eq!(reason(absent), refused(Code::NotFound, "WALLET_NOT_FOUND"));
}
