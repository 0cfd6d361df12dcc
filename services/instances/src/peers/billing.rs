//! Billing: the account by which an instance spends.

use souk_kit::{House, Refusal, dial::PartChannel};
use souk_proto::souk::billing::v1::{
    AccountState as Wire, OpenAccountRequest, SetAccountStateRequest,
    billing_service_client::BillingServiceClient,
};
use souk_types::{PartName, Reason};

use super::{setback, within};
use crate::model::{AccountState, Instance, Setback};

/// Asks billing.
#[derive(Clone)]
pub(crate) struct Billing {
    house: House,
}

impl Billing {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    fn client(&self, instance: &Instance) -> BillingServiceClient<PartChannel> {
        let acting = self.house.acting_for(instance.org_id);
        BillingServiceClient::new(self.house.dial().to(PartName::Billing, acting))
    }

    /// Opens the instance's account at the prices of its version.
    pub(crate) async fn open_account(&self, instance: &Instance) -> Result<(), Setback> {
        let request = OpenAccountRequest {
            org_id: instance.org_id.to_string(),
            request_id: format!("account:{}", instance.instance_id),
            instance_id: instance.instance_id.to_string(),
            price_schedule_hash: instance.pins.price_schedule_hash.clone(),
        };
        let answer = self.client(instance).open_account(within(request)).await;
        answer.map_err(|status| setback("billing", &status)).map(|_| ())
    }

    /// Tells the account's state, as the instance's gate asks for it.
    pub(crate) async fn set_account_state(&self, instance: &Instance) -> Result<(), Setback> {
        let gate = instance.gate;
        let state = match gate.asked {
            AccountState::Active => Wire::Active,
            AccountState::Frozen => Wire::Frozen,
            AccountState::Closed => Wire::Closed,
        };
        let request = SetAccountStateRequest {
            instance_id: instance.instance_id.to_string(),
            request_id: format!("account-state:{}:{}", instance.instance_id, gate.step),
            state: state.into(),
        };
        match self.client(instance).set_account_state(within(request)).await {
            Ok(_) => Ok(()),
            // Of what was never opened nothing is left to close.
            Err(status)
                if gate.asked == AccountState::Closed
                    && Refusal::read("billing", &status).is(Reason::AccountNotFound) =>
            {
                Ok(())
            }
            Err(status) => Err(setback("billing", &status)),
        }
    }
}
