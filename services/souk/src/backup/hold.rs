//! Holding every part: through its socket while it runs, by its lock while it does not.

use std::path::Path;

use souk_kit::{
    clock::MachineClock,
    lock::{self, Lock},
    wire,
};
use souk_proto::souk::operations::v1::{
    HoldWritesRequest, HoldWritesResponse, operations_service_client::OperationsServiceClient,
};
use souk_types::{Clock as _, PartName, Time};
use tonic::{Code, Streaming};

use crate::{cli::Failure, parts::migrations, reach};

/// What keeps the writes of every part waiting; dropping it lets go.
pub(super) struct Held {
    _locks: Vec<Lock>,
    streams: Vec<(PartName, Streaming<HoldWritesResponse>)>,
    /// When the first of them lets go by itself.
    until: Option<Time>,
}

impl Held {
    /// Holds all parts of the directory that have tables, one after another in one order for everybody: two
    /// holders wait for each other in one direction only.
    pub(super) async fn all(data: &Path) -> Result<Self, Failure> {
        let mut held = Self { _locks: Vec::new(), streams: Vec::new(), until: None };
        for part in PartName::ALL.iter().copied().filter(|part| migrations(*part).is_some()) {
            let dir = data.join(part.as_str());
            if !dir.exists() {
                continue;
            }
            match lock::take(&dir) {
                Ok(lock) => held._locks.push(lock),
                Err(lock::Error::Held { holder, .. }) => held.running(data, part, &holder).await?,
                Err(error) => return Err(Failure::new(error.to_string())),
            }
        }
        Ok(held)
    }

    async fn running(&mut self, data: &Path, part: PartName, holder: &str) -> Result<(), Failure> {
        for channel in reach::channels(data, part).await {
            let request = reach::signed(data, part, None, HoldWritesRequest {})?;
            let mut stream = match OperationsServiceClient::new(channel).hold_writes(request).await {
                Ok(answer) => answer.into_inner(),
                Err(status) if status.code() == Code::Unavailable && is_elsewhere(&status) => continue,
                Err(status) => return Err(Failure::from(status)),
            };
            let first = stream.message().await?.ok_or_else(|| lost(part))?;
            let until = first.expire_time.and_then(wire::time);
            self.until = [self.until, until].into_iter().flatten().min();
            self.streams.push((part, stream));
            return Ok(());
        }
        let text = format!("{part} runs ({holder}), but its socket in the data directory does not answer");
        Err(Failure::new(text).hint("run the backup as the same user, or end the platform first"))
    }

    /// Makes sure that all of it was held until now.
    pub(super) fn still(&mut self) -> Result<(), Failure> {
        if self.until.is_some_and(|until| until <= MachineClock.now()) {
            return Err(Failure::new("copying took longer than writes may be held: a minute")
                .hint("back up to a faster disk, or end the platform first"));
        }
        for (part, stream) in &mut self.streams {
            loop {
                let mut heard = std::pin::pin!(stream.message());
                let look = std::future::Future::poll(
                    heard.as_mut(),
                    &mut std::task::Context::from_waker(std::task::Waker::noop()),
                );
                match look {
                    std::task::Poll::Ready(Ok(Some(_))) => {}
                    std::task::Poll::Ready(_) => return Err(lost(*part)),
                    std::task::Poll::Pending => break,
                }
            }
        }
        Ok(())
    }
}

fn lost(part: PartName) -> Failure {
    Failure::new(format!("{part} let go of its writes before all was copied")).hint("is it ending? try again")
}

/// Whether the process behind the socket says that the part runs in another one.
fn is_elsewhere(status: &tonic::Status) -> bool {
    let refusal = souk_kit::Refusal::read("kit", status);
    refusal.metadata.contains_key("part") && refusal.retry_after.is_none()
}
