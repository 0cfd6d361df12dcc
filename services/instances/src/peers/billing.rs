//! Billing: the account by which an instance spends.

use souk_kit::House;
use souk_proto::souk::billing::v1::{OpenAccountRequest, billing_service_client::BillingServiceClient};
use souk_types::PartName;

use super::{setback, within};
use crate::model::{Instance, Setback};

/// Asks billing.
#[derive(Clone)]
pub(crate) struct Billing {
    house: House,
}

impl Billing {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Opens the instance's account at the prices of its version.
    pub(crate) async fn open_account(&self, instance: &Instance) -> Result<(), Setback> {
        let acting = self.house.acting_for(instance.org_id);
        let request = OpenAccountRequest {
            org_id: instance.org_id.to_string(),
            request_id: format!("account:{}", instance.instance_id),
            instance_id: instance.instance_id.to_string(),
            price_schedule_hash: instance.pins.price_schedule_hash.clone(),
        };
        let mut client = BillingServiceClient::new(self.house.dial().to(PartName::Billing, acting));
        client.open_account(within(request)).await.map_err(|status| setback("billing", &status))?;
        Ok(())
    }
}
