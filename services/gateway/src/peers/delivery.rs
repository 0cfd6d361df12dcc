//! Delivery: which routes are applied.

use std::sync::Mutex;

use souk_kit::{House, Refusal};
use souk_proto::souk::delivery::v1::{
    Applied, GetAppliedRequest, WatchAppliedRequest, delivery_service_client::DeliveryServiceClient,
};
use souk_types::{Fault, InstanceId, PartName, Reason};
use tonic::Status;

use crate::{
    error::Error,
    model::routes::{Route, SILENCE, Table},
};

/// Asks delivery.
#[derive(Clone)]
pub(crate) struct Delivery {
    house: House,
}

fn refusal(status: Status) -> Error {
    Error::Delivery(Refusal::read("delivery", &status))
}

impl Delivery {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    fn client(&self) -> DeliveryServiceClient<souk_kit::dial::PartChannel> {
        DeliveryServiceClient::new(self.house.dial().to(PartName::Delivery, self.house.acting_for_platform()))
    }

    /// The route of one instance; `None` where none is applied.
    pub(crate) async fn route(&self, instance_id: InstanceId) -> Result<Option<Route>, Error> {
        let request = GetAppliedRequest { instance_id: instance_id.to_string() };
        match self.client().get_applied(request).await {
            Ok(answer) => Ok(answer.into_inner().applied.as_ref().and_then(decode)),
            Err(status) if Refusal::read("delivery", &status).is(Reason::AppliedStateNotFound) => Ok(None),
            Err(status) => Err(refusal(status)),
        }
    }

    /// Follows what is applied into `table` until delivery falls silent or ends the stream. What stood
    /// before this stream began is replaced as one once all of it is in: the door keeps serving meanwhile.
    pub(crate) async fn follow(&self, table: &Mutex<Table>) -> Result<(), Fault> {
        let answer = self.client().watch_applied(WatchAppliedRequest {}).await;
        let mut answers = answer.map_err(refusal)?.into_inner();
        let mut fresh = Some(Table::default());
        loop {
            let Ok(next) = tokio::time::timeout(SILENCE, answers.message()).await else { return Ok(()) };
            let Some(message) = next.map_err(refusal)? else { return Ok(()) };
            let mut held = table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(route) = message.applied.as_ref().and_then(decode) {
                fresh.as_mut().unwrap_or(&mut held).put(route);
            }
            if message.complete
                && let Some(fresh) = fresh.take()
            {
                *held = fresh;
            }
            if fresh.is_none() {
                held.heard(self.house.now());
            }
        }
    }
}

fn decode(applied: &Applied) -> Option<Route> {
    let route = Route {
        instance_id: applied.instance_id.parse().ok()?,
        host: applied.host.clone(),
        path: applied.path.clone(),
        revision: applied.revision,
        removed: applied.removed,
    };
    Some(route)
}
