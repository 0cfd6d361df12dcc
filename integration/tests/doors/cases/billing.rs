//! Billing.

use serde_json::json;
use souk_types::PartName;

use super::{Case, Done, change, fixtures::prices, read, words};
use crate::world::{World, text};

/// Whether one row of billing's tables is so.
fn one(world: &World, table: &str, condition: &str) -> bool {
    world.tables.number("billing", &format!("SELECT COUNT(*) FROM {table} WHERE {condition}")) == 1
}

/// Whether the wallet's entry that an answer names was posted.
fn posted(world: &World, done: &Done<'_>) -> bool {
    let entry = text(done.answer, "ledgerEntryId");
    let question = format!("SELECT COUNT(*) FROM entries WHERE ledger_entry_id = '{entry}'");
    world.tables.number("billing", &question) > 1
}

pub(super) const CASES: &[Case] = &[
    change(
        "billing.AdjustWallet",
        |world, _| json!({"orgId": world.stage.org, "amountMicros": "5", "note": world.fresh("gift")}),
        |world, done| posted(world, done),
    ),
    change(
        "billing.Authorize",
        |world, _| json!({"instanceId": world.account()}),
        |world, done| {
            let id = text(done.answer, "reservationId");
            one(world, "reservations", &format!("reservation_id = '{id}' AND state = 'OPEN'"))
        },
    ),
    change(
        "billing.Extend",
        |world, _| {
            let more = json!([{"dimension": "runs", "quantity": "3"}]);
            json!({"reservationId": world.reservation(), "estimate": more})
        },
        |world, done| {
            let (id, budget) = (text(done.ask, "reservationId"), text(done.answer, "budgetMicros"));
            // One run and a hundred tokens each way stood before.
            let so = format!("reservation_id = '{id}' AND budget_micros = {budget} AND {budget} > 3000000");
            one(world, "reservations", &so)
        },
    ),
    read(
        "billing.GetReceipt",
        |world, _| {
            let reservation = world.reservation();
            let settled = world.part(PartName::Runs, "billing.Settle", json!({"reservationId": reservation}));
            json!({"receiptId": settled["receipt"]["receiptId"]})
        },
        |_, _, ask| words(ask, &["receiptId"]),
    ),
    read(
        "billing.GetWallet",
        |world, _| json!({"orgId": world.stage.org}),
        |_, _, ask| words(ask, &["orgId"]),
    ),
    read(
        "billing.ListLedgerEntries",
        |world, _| {
            let source = world.fresh("source");
            world.top_up(&source, 7);
            json!({"orgId": world.stage.org, "pageSize": 1000})
        },
        |world, _, ask| {
            let org = text(ask, "orgId");
            let newest = "SELECT source_ref FROM entries WHERE kind = 'TOP_UP' AND org_id = ";
            let newest = format!("{newest}'{org}' ORDER BY ledger_entry_id DESC LIMIT 1");
            world.tables.texts("billing", &newest)
        },
    ),
    change(
        "billing.OpenAccount",
        |world, _| {
            let instance = world.instance_id();
            let (org, prices) = (&world.stage.org, &world.stock.schedule);
            json!({"orgId": org, "instanceId": instance, "priceScheduleHash": prices})
        },
        |world, done| one(world, "accounts", &format!("instance_id = '{}'", text(done.ask, "instanceId"))),
    ),
    change(
        "billing.OpenWallet",
        |world, _| json!({"orgId": world.nowhere()}),
        |world, done| one(world, "wallets", &format!("org_id = '{}'", text(done.ask, "orgId"))),
    ),
    change(
        "billing.PutPriceSchedule",
        |world, _| prices(u64::try_from(world.bits() & 0xffff).unwrap() + 1),
        |world, done| {
            one(world, "schedules", &format!("schedule_hash = '{}'", text(done.answer, "priceScheduleHash")))
        },
    ),
    change(
        "billing.Release",
        |world, _| json!({"reservationId": world.reservation()}),
        |world, done| {
            let id = text(done.ask, "reservationId");
            one(world, "reservations", &format!("reservation_id = '{id}' AND state = 'RELEASED'"))
        },
    ),
    change(
        "billing.ReverseTopUp",
        |world, _| {
            let source = world.fresh("source");
            world.top_up(&source, 9);
            json!({"orgId": world.stage.org, "sourceRef": source, "reason": format!("{source}:reversal:1")})
        },
        |world, done| posted(world, done) && done.answer["reversedMicros"] == "9",
    ),
    change(
        "billing.SetAccountSchedule",
        |world, _| {
            let other = prices(u64::try_from(world.bits() & 0xffff).unwrap() + 1);
            let put = world.part(PartName::Catalog, "billing.PutPriceSchedule", other);
            json!({"instanceId": world.account(), "priceScheduleHash": put["priceScheduleHash"]})
        },
        |world, done| {
            let (id, hash) = (text(done.ask, "instanceId"), text(done.ask, "priceScheduleHash"));
            one(world, "accounts", &format!("instance_id = '{id}' AND schedule_hash = '{hash}'"))
        },
    ),
    change(
        "billing.SetAccountState",
        |world, _| json!({"instanceId": world.account(), "state": "ACCOUNT_STATE_FROZEN"}),
        |world, done| {
            let id = text(done.ask, "instanceId");
            one(world, "accounts", &format!("instance_id = '{id}' AND state = 'FROZEN'"))
        },
    ),
    change(
        "billing.SetWalletState",
        |world, _| json!({"orgId": world.elsewhere(), "state": "WALLET_STATE_FROZEN"}),
        |world, done| {
            let org = text(done.ask, "orgId");
            one(world, "wallets", &format!("org_id = '{org}' AND state = 'FROZEN'"))
        },
    ),
    change(
        "billing.Settle",
        |world, _| {
            let used = json!([{"dimension": "runs", "quantity": "1"}]);
            json!({"reservationId": world.reservation(), "usage": used})
        },
        |world, done| posted(world, done) && done.answer["receipt"]["chargedMicros"] == "1000000",
    ),
    change(
        "billing.TopUp",
        |world, _| {
            let source = world.fresh("source");
            json!({
                "orgId": world.stage.org, "amountMicros": "11", "source": "SOURCE_PURCHASE",
                "sourceRef": source,
            })
        },
        |world, done| {
            let lot = text(done.answer, "lotId");
            one(world, "lots", &format!("lot_id = '{lot}' AND original_micros = 11"))
        },
    ),
    read(
        "billing.WatchWallet",
        |world, _| json!({"orgId": world.stage.org}),
        |_, _, ask| words(ask, &["orgId"]),
    ),
];
