//! From the wire to what the core understands; every wrong field is named at once.

use std::{collections::BTreeMap, time::Duration};

use souk_kit::wire::{Check, span, time};
use souk_proto::souk::billing::v1 as pb;
use souk_types::{
    Call, Credits, Fault, Time,
    id::{InstanceId, OrgId, ReceiptId},
};

use crate::{
    error::DOMAIN,
    model::{
        AccountState, WalletState,
        ask::Ask,
        lots::Source,
        pricing::{Price, Usage},
    },
};

/// The org that the kit bound the call to, whether the message named it or not.
pub(super) fn org(call: &Call) -> Result<OrgId, Fault> {
    call.scope.org().ok_or_else(|| Fault::bug(DOMAIN, "the call names no org"))
}

pub(super) fn open_wallet(call: &Call) -> Result<Ask, Fault> {
    Ok(Ask::OpenWallet { org_id: org(call)? })
}

pub(super) fn open_account(call: &Call, ask: pb::OpenAccountRequest) -> Result<Ask, Fault> {
    let org_id = org(call)?;
    let mut check = Check::default();
    let instance_id = check.parse("instance_id", &ask.instance_id);
    check.require(!ask.price_schedule_hash.is_empty(), "price_schedule_hash", "required");
    let ask = instance_id.map(|instance_id| Ask::OpenAccount {
        org_id,
        instance_id,
        schedule_hash: ask.price_schedule_hash,
    });
    check.done(DOMAIN, ask)
}

pub(super) fn set_account_state(ask: &pb::SetAccountStateRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let instance_id = check.parse("instance_id", &ask.instance_id);
    let state = match ask.state() {
        pb::AccountState::Active => Some(AccountState::Active),
        pb::AccountState::Frozen => Some(AccountState::Frozen),
        pb::AccountState::Closed => Some(AccountState::Closed),
        pb::AccountState::Unspecified => None,
    };
    check.require(state.is_some(), "state", "needs ACTIVE, FROZEN or CLOSED");
    let ask = instance_id.zip(state).map(|(instance_id, state)| Ask::SetAccountState { instance_id, state });
    check.done(DOMAIN, ask)
}

/// Prices by dimension, and the default estimate.
pub(super) type Terms = (BTreeMap<String, Price>, Vec<Usage>);

pub(super) fn price_schedule(ask: pb::PutPriceScheduleRequest) -> Result<Terms, Fault> {
    let mut check = Check::default();
    let mut prices = BTreeMap::new();
    for (place, price) in ask.prices.into_iter().enumerate() {
        // 0 is what the wire says when nothing is said.
        let per = if price.per == 0 { 1 } else { price.per };
        let new = Price { per, price: Credits::from_micros(price.amount_micros) };
        let first = prices.insert(price.dimension, new);
        check.require(first.is_none(), &format!("prices[{place}].dimension"), "stands more than once");
    }
    check.done(DOMAIN, Some((prices, quantities(ask.default_estimate))))
}

pub(super) fn authorize(ask: pb::AuthorizeRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let instance_id = check.parse("instance_id", &ask.instance_id);
    let ttl: Option<Option<Duration>> = ask.time_to_live.map(span);
    check.require(ttl != Some(None), "time_to_live", "must not be negative");
    let ask = instance_id.map(|instance_id| Ask::Authorize {
        instance_id,
        estimate: quantities(ask.estimate),
        ttl: ttl.flatten(),
        source_ref: ask.source_ref,
    });
    check.done(DOMAIN, ask)
}

pub(super) fn settle(ask: pb::SettleRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let reservation_id = check.parse("reservation_id", &ask.reservation_id);
    let usage = quantities(ask.usage);
    check.done(DOMAIN, reservation_id.map(|reservation_id| Ask::Settle { reservation_id, usage }))
}

pub(super) fn release(ask: &pb::ReleaseRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let reservation_id = check.parse("reservation_id", &ask.reservation_id);
    check.done(DOMAIN, reservation_id.map(|reservation_id| Ask::Release { reservation_id }))
}

pub(super) fn top_up(call: &Call, ask: pb::TopUpRequest) -> Result<Ask, Fault> {
    let org_id = org(call)?;
    let mut check = Check::default();
    let source = match ask.source() {
        pb::Source::Trial => Some(Source::Trial),
        pb::Source::Purchase => Some(Source::Purchase),
        pb::Source::Unspecified | pb::Source::Adjustment => None,
    };
    check.require(source.is_some(), "source", "needs TRIAL or PURCHASE");
    let expire_time: Option<Option<Time>> = ask.expire_time.map(time);
    check.require(expire_time != Some(None), "expire_time", "is out of range");
    let ask = source.map(|source| Ask::TopUp {
        org_id,
        amount: Credits::from_micros(ask.amount_micros),
        source,
        source_ref: ask.source_ref,
        expire_time: expire_time.flatten(),
    });
    check.done(DOMAIN, ask)
}

pub(super) fn extend(ask: pb::ExtendRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let reservation_id = check.parse("reservation_id", &ask.reservation_id);
    let ttl: Option<Option<Duration>> = ask.time_to_live.map(span);
    check.require(ttl != Some(None), "time_to_live", "must not be negative");
    let ask = reservation_id.map(|reservation_id| Ask::Extend {
        reservation_id,
        estimate: quantities(ask.estimate),
        ttl: ttl.flatten(),
    });
    check.done(DOMAIN, ask)
}

pub(super) fn reverse_top_up(call: &Call, ask: pb::ReverseTopUpRequest) -> Result<Ask, Fault> {
    let org_id = org(call)?;
    let mut check = Check::default();
    check.require(!ask.source_ref.is_empty(), "source_ref", "required");
    let amount = Credits::from_micros(ask.amount_micros);
    let ask = Ask::ReverseTopUp { org_id, source_ref: ask.source_ref, amount, cause: ask.reason };
    check.done(DOMAIN, Some(ask))
}

pub(super) fn set_account_schedule(ask: pb::SetAccountScheduleRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let instance_id = check.parse("instance_id", &ask.instance_id);
    check.require(!ask.price_schedule_hash.is_empty(), "price_schedule_hash", "required");
    let schedule_hash = ask.price_schedule_hash;
    let ask = instance_id.map(|instance_id| Ask::SetAccountSchedule { instance_id, schedule_hash });
    check.done(DOMAIN, ask)
}

pub(super) fn adjust_wallet(ask: pb::AdjustWalletRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let org_id = check.parse("org_id", &ask.org_id);
    let expire_time: Option<Option<Time>> = ask.expire_time.map(time);
    check.require(expire_time != Some(None), "expire_time", "is out of range");
    let ask = org_id.map(|org_id| Ask::AdjustWallet {
        org_id,
        amount: Credits::from_micros(ask.amount_micros),
        note: ask.note,
        expire_time: expire_time.flatten(),
    });
    check.done(DOMAIN, ask)
}

pub(super) fn set_wallet_state(ask: &pb::SetWalletStateRequest) -> Result<Ask, Fault> {
    let mut check = Check::default();
    let org_id = check.parse("org_id", &ask.org_id);
    let state = match ask.state() {
        pb::WalletState::Active => Some(WalletState::Active),
        pb::WalletState::Frozen => Some(WalletState::Frozen),
        pb::WalletState::Unspecified => None,
    };
    check.require(state.is_some(), "state", "needs ACTIVE or FROZEN");
    check.done(DOMAIN, org_id.zip(state).map(|(org_id, state)| Ask::SetWalletState { org_id, state }))
}

pub(super) fn receipt(ask: &pb::GetReceiptRequest) -> Result<ReceiptId, Fault> {
    let mut check = Check::default();
    let id = check.parse("receipt_id", &ask.receipt_id);
    check.done(DOMAIN, id)
}

pub(super) fn list_filter(ask: &pb::ListLedgerEntriesRequest) -> Result<Option<InstanceId>, Fault> {
    let mut check = Check::default();
    let instance_id = check.parse_optional("instance_id", &ask.instance_id);
    check.done(DOMAIN, Some(instance_id))
}

fn quantities(lines: Vec<pb::Quantity>) -> Vec<Usage> {
    let usage = |line: pb::Quantity| Usage { dimension: line.dimension, quantity: line.quantity };
    lines.into_iter().map(usage).collect()
}
