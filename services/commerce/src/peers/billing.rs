//! Billing: credits that were bought.

use souk_kit::{House, Refusal};
use souk_proto::souk::billing::v1::{Source, TopUpRequest, billing_service_client::BillingServiceClient};
use souk_types::{Credits, OrgId, PartName};

use super::Trouble;

/// Asks billing.
#[derive(Clone)]
pub(crate) struct Billing {
    house: House,
}

impl Billing {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Adds credits to an org's wallet; answers the ledger entry. `request_id` makes repeats one.
    pub(crate) async fn top_up(
        &self,
        org_id: OrgId,
        request_id: &str,
        amount: Credits,
    ) -> Result<String, Trouble> {
        let channel = self.house.dial().to(PartName::Billing, self.house.acting_for(org_id));
        let request = TopUpRequest {
            org_id: org_id.to_string(),
            request_id: request_id.to_owned(),
            amount_micros: amount.micros(),
            source: Source::Purchase.into(),
            source_ref: request_id.to_owned(),
            expire_time: None,
        };
        let answer = BillingServiceClient::new(channel).top_up(request).await;
        let answer = answer.map_err(|status| Refusal::read("billing", &status))?;
        Ok(answer.into_inner().ledger_entry_id)
    }
}
