//! Billing: opens wallets, grants trials, tells balances. Repeats carry the ids of the row they belong to.

use souk_kit::{House, Refusal};
use souk_proto::souk::billing::v1::{
    GetWalletRequest, OpenWalletRequest, Source, TopUpRequest, billing_service_client::BillingServiceClient,
};
use souk_types::{Acting, Credits, OrgId, PartName, Trace};
use tonic::Status;

/// Billing, as tenancy knows it.
#[derive(Clone)]
pub(crate) struct Billing {
    house: House,
}

fn refused(status: Status) -> Refusal {
    Refusal::read("billing", &status)
}

impl Billing {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    fn client(&self, org: OrgId, trace: &Trace) -> BillingServiceClient<souk_kit::dial::PartChannel> {
        let acting = Acting { org: Some(org), trace: trace.clone() };
        BillingServiceClient::new(self.house.dial().to(PartName::Billing, acting))
    }

    /// Opens the org's wallet, empty.
    pub(crate) async fn open_wallet(
        &self,
        org: OrgId,
        request_id: String,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let ask = OpenWalletRequest { org_id: org.to_string(), request_id };
        self.client(org, trace).open_wallet(ask).await.map_err(refused)?;
        Ok(())
    }

    /// Grants a user's trial to their org; `request_id` is its source in the ledger too.
    pub(crate) async fn grant_trial(
        &self,
        org: OrgId,
        amount: Credits,
        request_id: String,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let ask = TopUpRequest {
            org_id: org.to_string(),
            source_ref: request_id.clone(),
            request_id,
            amount_micros: amount.micros(),
            source: Source::Trial.into(),
            expire_time: None,
        };
        self.client(org, trace).top_up(ask).await.map_err(refused)?;
        Ok(())
    }

    /// What the org's wallet can reserve; `None` when the answer holds no wallet.
    pub(crate) async fn balance(&self, org: OrgId, trace: &Trace) -> Result<Option<Credits>, Refusal> {
        let ask = GetWalletRequest { org_id: org.to_string() };
        let answer = self.client(org, trace).get_wallet(ask).await.map_err(refused)?.into_inner();
        Ok(answer.wallet.map(|wallet| Credits::from_micros(wallet.available_micros)))
    }
}
