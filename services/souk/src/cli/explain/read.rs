//! Asks the parts what they know. What a part does not say, or the caller may not see, is a gap in the story and
//! no failure: the rest is told all the same.

use std::path::Path;

use souk_proto::souk::{
    billing::v1::{
        GetReceiptRequest, GetWalletRequest, LedgerEntry, ListLedgerEntriesRequest,
        billing_service_client::BillingServiceClient,
    },
    commerce::v1::{ListOrdersRequest, Order, commerce_service_client::CommerceServiceClient},
    delivery::v1::{Applied, GetAppliedRequest, delivery_service_client::DeliveryServiceClient},
    instances::v1::{GetInstanceRequest, Instance, instances_service_client::InstancesServiceClient},
    runs::v1::{GetRunRequest, Run, runs_service_client::RunsServiceClient},
};
use souk_types::PartName;
use tonic::Status;

use super::{
    super::{output::Failure, remote::Remote},
    story::Story,
};
use crate::reach;

/// Ledger entries shown at the most.
const ENTRIES: i32 = 10;
/// Pages of a list that are looked through for something.
const PAGES: usize = 50;

/// The parts, as the caller sees them.
pub(super) struct Parts<'a> {
    pub(super) remote: &'a Remote,
    pub(super) data: &'a Path,
}

impl Parts<'_> {
    /// run → reservation → receipt → ledger entries → instance → wallet.
    pub(super) async fn run(&self, run_id: &str) -> Result<Story, Failure> {
        let mut client = RunsServiceClient::new(self.remote.channel()?);
        let answer = client.get_run(GetRunRequest { run_id: run_id.to_owned() }).await?.into_inner();
        let run = answer.run.unwrap_or_default();
        let mut story = Story::of_run(&run);
        self.receipt(&run, &mut story).await?;
        self.entries(&run, &mut story).await?;
        match self.get_instance(&run.instance_id).await? {
            Ok(instance) => story.about(&instance),
            Err(status) => story.gap("instances", status.message()),
        }
        self.wallet(&run.org_id, &mut story).await?;
        Ok(story)
    }

    /// instance → events and conditions → applied commit → wallet.
    pub(super) async fn instance(&self, instance_id: &str) -> Result<Story, Failure> {
        let instance = self.get_instance(instance_id).await?.map_err(Failure::from)?;
        let mut story = Story::of_instance(&instance);
        match self.applied(&instance).await {
            Ok(applied) => story.applied(&applied),
            Err(why) => story.gap("delivery", &why),
        }
        self.wallet(&instance.org_id, &mut story).await?;
        Ok(story)
    }

    /// order → lines → what each became.
    pub(super) async fn order(&self, name: &str) -> Result<Story, Failure> {
        let order = self.find_order(name).await?;
        let mut story = Story::of_order(&order);
        for instance_id in order.lines.iter().flat_map(|line| &line.instance_ids) {
            match self.get_instance(instance_id).await? {
                Ok(instance) => story.about(&instance),
                Err(status) => story.gap("instances", &format!("{instance_id}: {}", status.message())),
            }
        }
        Ok(story)
    }

    async fn get_instance(&self, instance_id: &str) -> Result<Result<Instance, Status>, Failure> {
        let mut client = InstancesServiceClient::new(self.remote.channel()?);
        let ask = GetInstanceRequest { instance_id: instance_id.to_owned() };
        let answer = client.get_instance(ask).await;
        Ok(answer.map(|answer| answer.into_inner().instance.unwrap_or_default()))
    }

    async fn receipt(&self, run: &Run, story: &mut Story) -> Result<(), Failure> {
        if run.receipt_id.is_empty() {
            return Ok(());
        }
        let mut client = BillingServiceClient::new(self.remote.channel()?);
        let ask = GetReceiptRequest { receipt_id: run.receipt_id.clone() };
        match client.get_receipt(ask).await {
            Ok(answer) => story.receipt(&answer.into_inner().receipt.unwrap_or_default()),
            Err(status) => story.gap("billing", &format!("receipt {}: {}", run.receipt_id, status.message())),
        }
        Ok(())
    }

    /// The ledger entries of the run's reservation, looked for among its instance's newest.
    async fn entries(&self, run: &Run, story: &mut Story) -> Result<(), Failure> {
        if run.reservation_id.is_empty() {
            return Ok(());
        }
        let mut client = BillingServiceClient::new(self.remote.channel()?);
        let (mut found, mut page_token): (Vec<LedgerEntry>, _) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let ask = ListLedgerEntriesRequest {
                org_id: run.org_id.clone(),
                instance_id: run.instance_id.clone(),
                page_size: 200,
                page_token,
            };
            let page = match client.list_ledger_entries(ask).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => {
                    story.gap("billing", status.message());
                    return Ok(());
                }
            };
            let ours =
                page.ledger_entries.into_iter().filter(|entry| entry.reservation_id == run.reservation_id);
            found.extend(ours.take(usize::try_from(ENTRIES).unwrap_or_default()));
            page_token = page.next_page_token;
            if !found.is_empty() || page_token.is_empty() {
                break;
            }
        }
        story.entries(&found);
        Ok(())
    }

    async fn wallet(&self, org_id: &str, story: &mut Story) -> Result<(), Failure> {
        let mut client = BillingServiceClient::new(self.remote.channel()?);
        match client.get_wallet(GetWalletRequest { org_id: org_id.to_owned() }).await {
            Ok(answer) => story.wallet(&answer.into_inner().wallet.unwrap_or_default()),
            Err(status) => story.gap("billing", status.message()),
        }
        Ok(())
    }

    /// What is applied: no public method says it, so it is asked on the directory's socket.
    async fn applied(&self, instance: &Instance) -> Result<Applied, String> {
        let org = instance.org_id.parse().map_err(|_| "the org's id is odd".to_owned())?;
        if !self.data.join(crate::process::KEYRING).exists() {
            return Err(
                "what is applied is told to the operator of the data directory: --data DIR".to_owned()
            );
        }
        let mut why = "its socket does not answer".to_owned();
        for channel in reach::channels(self.data, PartName::Delivery).await {
            let ask = GetAppliedRequest { instance_id: instance.instance_id.clone() };
            let request = reach::signed(self.data, PartName::Delivery, Some(org), ask);
            let request = request.map_err(|_| "the keyring cannot be used".to_owned())?;
            match DeliveryServiceClient::new(channel).get_applied(request).await {
                Ok(answer) => return Ok(answer.into_inner().applied.unwrap_or_default()),
                Err(status) => status.message().clone_into(&mut why),
            }
        }
        Err(why)
    }

    async fn find_order(&self, name: &str) -> Result<Order, Failure> {
        let mut client = CommerceServiceClient::new(self.remote.channel()?);
        let mut page_token = String::new();
        for _ in 0..PAGES {
            let ask = ListOrdersRequest { page_size: 200, page_token, ..Default::default() };
            let page = client.list_orders(ask).await?.into_inner();
            let is_it = |order: &Order| {
                [&order.order_id, &order.number, &order.external_id].contains(&&name.to_owned())
            };
            if let Some(order) = page.orders.into_iter().find(is_it) {
                return Ok(order);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Err(Failure::new(format!("no run, instance or order is called {name}"))
            .hint("ids begin with run_, ins_ or ord_; see what there is: souk orders ls"))
    }
}
