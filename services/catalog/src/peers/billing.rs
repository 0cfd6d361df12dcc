//! Billing: price schedules, which it stores and names.

use souk_kit::{House, Refusal};
use souk_objects::Hash;
use souk_proto::souk::billing::v1::{
    Price, PutPriceScheduleRequest, Quantity, billing_service_client::BillingServiceClient,
};
use souk_types::{Call, PartName};

use crate::{error::Error, model::schedule::Schedule};

/// Asks billing.
pub(crate) struct Billing {
    house: House,
}

impl Billing {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Announces a price schedule; answers the name billing gave it.
    pub(crate) async fn put_price_schedule(
        &self,
        call: &Call,
        request_id: String,
        schedule: &Schedule,
    ) -> Result<Hash, Error> {
        let channel = self.house.dial().to(PartName::Billing, call.acting_for_platform());
        let prices = schedule.prices().iter().map(|price| Price {
            dimension: price.dimension.clone(),
            amount_micros: price.amount_micros,
            per: price.per,
        });
        let default_estimate = schedule
            .default_estimate()
            .iter()
            .map(|line| Quantity { dimension: line.dimension.clone(), quantity: line.quantity });
        let request = PutPriceScheduleRequest {
            request_id,
            prices: prices.collect(),
            default_estimate: default_estimate.collect(),
        };
        let answer = BillingServiceClient::new(channel).put_price_schedule(request).await;
        let answer = answer.map_err(|status| Refusal::read("billing", &status))?.into_inner();
        answer.price_schedule_hash.parse().map_err(|_| Error::Broken("billing named no price schedule"))
    }
}
