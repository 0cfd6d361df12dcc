//! billing: reserves, settles and releases. Every call carries a request id made of the run's own id, so
//! that a repeat by anybody who takes the run over is the same call.

use std::time::Duration;

use souk_kit::{House, Refusal, wire};
use souk_proto::souk::billing::v1::{
    self as pb, AuthorizeRequest, ExtendRequest, ReleaseRequest, SettleRequest,
    billing_service_client::BillingServiceClient,
};
use souk_types::{Credits, PartName, ReservationId, RunId, Time};

use crate::{
    error::Error,
    model::{Bill, Price, Prices, Run, Usage},
};

const PART: &str = "billing";

/// What billing says to a run that wants to start.
pub(crate) enum Authorized {
    /// It may.
    Allowed {
        /// What it draws on.
        reservation_id: ReservationId,
        /// What it may spend.
        budget: Credits,
        /// When the reservation expires by itself.
        expire_time: Time,
        /// What it is settled at.
        prices: Prices,
    },
    /// It may not, for this reason.
    No(String),
}

/// A reservation that was extended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended {
    /// What may be spent in all.
    pub(crate) budget: Credits,
    /// When it expires by itself.
    pub(crate) expire_time: Time,
}

pub(crate) struct Billing(pub(super) House);

type Client = BillingServiceClient<souk_kit::dial::PartChannel>;

impl Billing {
    fn client(&self, run: &Run) -> Client {
        let acting = souk_types::Acting { org: Some(run.org_id), trace: run.origin.trace.clone() };
        BillingServiceClient::new(self.0.dial().to(PartName::Billing, acting))
    }

    /// Reserves what the schedule says a run may cost.
    pub(crate) async fn authorize(&self, run: &Run) -> Result<Authorized, Error> {
        let ask = AuthorizeRequest {
            instance_id: run.instance_id.to_string(),
            request_id: request_id(run.run_id, "authorize"),
            estimate: Vec::new(),
            time_to_live: None,
            source_ref: run.run_id.to_string(),
        };
        let answer = self.client(run).authorize(ask).await.map_err(refused)?.into_inner();
        if !answer.allowed {
            return Ok(Authorized::No(answer.reason));
        }
        let expire_time = answer.expire_time.and_then(wire::time).ok_or(unreadable("expire_time"))?;
        let price = |price: pb::Price| Price {
            dimension: price.dimension,
            amount_micros: price.amount_micros,
            per: price.per,
        };
        Ok(Authorized::Allowed {
            prices: Prices::new(answer.prices.into_iter().map(price).collect()),
            reservation_id: answer.reservation_id.parse().map_err(|_| unreadable("reservation_id"))?,
            budget: Credits::from_micros(answer.budget_micros),
            expire_time,
        })
    }

    /// Reserves more for the run, or holds its reservation longer; `None` when billing says no. `step` names
    /// the question among those of the run.
    pub(crate) async fn extend(
        &self,
        run: &Run,
        step: &str,
        want: &Usage,
        hold: Option<Duration>,
    ) -> Result<Option<Extended>, Error> {
        let reservation = run.reservation_id.ok_or(unreadable("reservation_id"))?;
        let hold = hold.map(|hold| i64::try_from(hold.as_secs()).unwrap_or(i64::MAX));
        let ask = ExtendRequest {
            reservation_id: reservation.to_string(),
            request_id: request_id(run.run_id, step),
            estimate: quantities(want),
            time_to_live: hold.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        };
        let answer = self.client(run).extend(ask).await.map_err(refused)?.into_inner();
        if !answer.allowed {
            return Ok(None);
        }
        let expire_time = answer.expire_time.and_then(wire::time).ok_or(unreadable("expire_time"))?;
        Ok(Some(Extended { budget: Credits::from_micros(answer.budget_micros), expire_time }))
    }

    /// Charges what the run's row says was used.
    pub(crate) async fn settle(&self, run: &Run, reservation: ReservationId) -> Result<Bill, Error> {
        let ask = SettleRequest {
            reservation_id: reservation.to_string(),
            request_id: request_id(run.run_id, "settle"),
            usage: quantities(&run.usage),
        };
        let answer = self.client(run).settle(ask).await.map_err(refused)?.into_inner();
        let receipt = answer.receipt.ok_or(unreadable("receipt"))?;
        let entry = answer.ledger_entry_id;
        let ledger_entry_id = if entry.is_empty() {
            None
        } else {
            Some(entry.parse().map_err(|_| unreadable("ledger_entry_id"))?)
        };
        Ok(Bill {
            cost: Credits::from_micros(receipt.cost_micros),
            charged: Credits::from_micros(receipt.charged_micros),
            balance: Credits::from_micros(answer.balance_micros),
            receipt_id: Some(receipt.receipt_id.parse().map_err(|_| unreadable("receipt_id"))?),
            ledger_entry_id,
        })
    }

    /// Frees the reservation of a run that used nothing.
    pub(crate) async fn release(&self, run: &Run, reservation: ReservationId) -> Result<Bill, Error> {
        let ask = ReleaseRequest {
            reservation_id: reservation.to_string(),
            request_id: request_id(run.run_id, "release"),
        };
        let answer = self.client(run).release(ask).await.map_err(refused)?.into_inner();
        Ok(Bill { balance: Credits::from_micros(answer.balance_micros), ..Bill::default() })
    }
}

fn quantities(usage: &Usage) -> Vec<pb::Quantity> {
    let line =
        |(dimension, quantity): (&str, i64)| pb::Quantity { dimension: dimension.to_owned(), quantity };
    usage.iter().map(line).collect()
}

fn request_id(run: RunId, step: &str) -> String {
    format!("run:{run}:{step}")
}

const fn unreadable(what: &'static str) -> Error {
    Error::Unreadable { part: PART, what }
}

#[expect(clippy::needless_pass_by_value, reason = "goes into map_err")]
fn refused(status: tonic::Status) -> Error {
    Refusal::read(PART, &status).into()
}
