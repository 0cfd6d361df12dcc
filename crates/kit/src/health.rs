//! `grpc.health.v1.Health`: what a process says of the parts that run in it. SERVING only while a part is ready
//! and the process does not drain; of parts that run elsewhere it knows nothing.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError},
};

use futures::Stream;
use souk_types::PartName;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use crate::house::Shared;

/// The health of a process.
pub(crate) struct Server(Arc<Shared>);

impl Server {
    pub(crate) fn service(shared: Arc<Shared>) -> HealthServer<Self> {
        HealthServer::new(Self(shared))
    }
}

/// The part whose service this is: `souk.billing.v1.BillingService`, or the part's name alone.
fn part_of(service: &str) -> Option<PartName> {
    let domain = match service.strip_prefix("souk.") {
        Some(rest) => rest.split('.').next().unwrap_or_default(),
        None => service,
    };
    domain.parse().ok()
}

/// How a service stands; `None` when it is none of this process. The empty name is all of them together.
fn standing(shared: &Shared, service: &str) -> Option<ServingStatus> {
    let parts = shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
    let ready = match service {
        "" => !parts.is_empty() && parts.values().all(|ready| *ready),
        name => *parts.get(&part_of(name)?)?,
    };
    let serves = ready && !shared.stop.is_cancelled();
    Some(if serves { ServingStatus::Serving } else { ServingStatus::NotServing })
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the health protocol's own word: no reason of souk's stands for it"
)]
fn unknown() -> Status {
    Status::not_found("no such service in this process")
}

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Server {
    type WatchStream = Answers;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match standing(&self.0, &request.get_ref().service) {
            Some(status) => Ok(Response::new(answer(status))),
            None => Err(unknown()),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Answers>, Status> {
        let (shared, service) = (Arc::clone(&self.0), request.into_inner().service);
        let (sender, receiver) = mpsc::channel(2);
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let mut told = None;
            loop {
                let now = standing(&shared, &service).unwrap_or(ServingStatus::ServiceUnknown);
                if told != Some(now) && sender.send(Ok(answer(now))).await.is_err() {
                    return;
                }
                told = Some(now);
                if shared.stop.is_cancelled() {
                    // That it ends was the last word.
                    return;
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = shared.stop.cancelled() => {}
                    () = tokio::time::sleep(shared.poll) => {}
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_belong_to_their_parts() {
        assert_eq!(part_of("souk.billing.v1.BillingService"), Some(PartName::Billing));
        assert_eq!(part_of("billing"), Some(PartName::Billing));
        for other in ["souk.events.v1.EventsService", "grpc.health.v1.Health", "souk.", ""] {
            assert_eq!(part_of(other), None, "{other}");
        }
    }
}
