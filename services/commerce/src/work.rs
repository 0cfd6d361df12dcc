//! The loops' turns. Each takes a few due rows, does one idempotent step for each, and records what became
//! of it; what fails rests and is tried again, what is refused for good is parked.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use souk_kit::House;

use crate::{
    Error,
    model::{
        backoff::{SLOW, pause},
        command::{Ingest, News, Outcome},
        inbox::{Due, Verdict},
        order::{Act, Effect},
    },
    outside::saleor::payload::{Event, Reading},
    peers::{Peers, Trouble},
    service::Service,
    store::{Store, Working},
};

/// Rows of one turn that are worked on at once.
const ABREAST: usize = 4;
/// Effects of one line that are called for at once.
const EFFECTS: usize = 4;

/// Turns that concern nobody's call.
#[derive(Clone)]
pub(crate) struct Turns {
    pub(crate) house: House,
    pub(crate) store: Store,
    pub(crate) peers: Peers,
    pub(crate) service: Arc<Service>,
    pub(crate) batch: u64,
}

/// Whether a turn took all it may, so that there may be more; or the first failure.
fn more(taken: usize, batch: u64, outcomes: Vec<Result<(), Error>>) -> Result<bool, Error> {
    outcomes.into_iter().collect::<Result<(), Error>>()?;
    Ok(u64::try_from(taken).unwrap_or(u64::MAX) >= batch)
}

impl Turns {
    /// Brings kept deliveries in.
    pub(crate) async fn inbox(&self) -> Result<bool, Error> {
        let due = self.store.due_deliveries(self.batch).await?;
        let taken = due.len();
        let outcomes = stream::iter(due).map(|due| async move { self.delivery(&due).await });
        more(taken, self.batch, outcomes.buffer_unordered(ABREAST).collect().await)
    }

    async fn delivery(&self, due: &Due) -> Result<(), Error> {
        let delivery = &due.delivery;
        let event = match Event::read(&delivery.body) {
            Ok(event) => event,
            Err(error) => {
                // It was read when it came: an older build read it otherwise.
                let verdict =
                    Verdict::Parked { reason: "PAYLOAD_UNREADABLE".to_owned(), detail: error.to_string() };
                return self.store.close_delivery(delivery, None, &verdict).await;
            }
        };
        let (news, missing) = match event.order {
            Reading::Complete(snapshot) => (News::Complete(snapshot), Vec::new()),
            Reading::Incomplete { order_id, number, missing } => {
                (News::Incomplete { external_id: order_id, number: number.unwrap_or_default() }, missing)
            }
        };
        let ask = Ingest { shop_id: delivery.shop_id, body_hash: delivery.body_hash.clone(), news };
        let verdict = match self.peers.commerce.ingest(&ask).await {
            Ok(brought) if brought.outcome == Outcome::Parked => {
                Verdict::Parked { reason: brought.parked_reason, detail: missing.join(", ") }
            }
            Ok(brought) => Verdict::Taken(brought.outcome.as_str().to_owned()),
            Err(Trouble::Never { reason, why }) => {
                tracing::warn!(shop = %delivery.shop_id, body = delivery.body_hash, why, "delivery parked");
                Verdict::Parked { reason, detail: why }
            }
            Err(Trouble::Waits { why, .. }) => {
                return self.store.postpone_delivery(due, SLOW, &why).await;
            }
            Err(Trouble::Later { pause: asked, why }) => {
                let rest = pause(due.attempts.saturating_add(1), asked);
                return self.store.postpone_delivery(due, rest, &why).await;
            }
        };
        self.store.close_delivery(delivery, Some(ask.news.external_id()), &verdict).await
    }

    /// Judges orders again whose links or mappings came.
    pub(crate) async fn orders(&self) -> Result<bool, Error> {
        let due = self.store.due_orders(self.batch).await?;
        let taken = due.len();
        let mut outcomes = Vec::with_capacity(taken);
        for (order_id, attempts) in due {
            let judged = self.service.judge_order(self.house.acting_for_platform(), order_id).await;
            outcomes.push(match judged {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::warn!(order = %order_id, %error, "order not judged, trying again");
                    let attempts = attempts.saturating_add(1);
                    self.store.postpone_order(order_id, attempts, pause(attempts, None)).await
                }
            });
        }
        more(taken, self.batch, outcomes)
    }

    /// Calls for the effects of pinned lines.
    pub(crate) async fn lines(&self) -> Result<bool, Error> {
        let due = self.store.due_lines(self.batch).await?;
        let taken = due.len();
        let outcomes = stream::iter(due).map(|working| async move { self.line(&working).await });
        more(taken, self.batch, outcomes.buffer_unordered(ABREAST).collect().await)
    }

    async fn line(&self, working: &Working) -> Result<(), Error> {
        let calls: Vec<_> = working.effects.iter().map(|effect| self.effect(working, effect)).collect();
        let outcomes: Vec<_> = stream::iter(calls).buffer_unordered(EFFECTS).collect().await;
        let (mut later, mut waits, mut never) = (None, None, None);
        for outcome in outcomes {
            match outcome? {
                Ok(()) => {}
                Err(Trouble::Later { pause, why }) => later = later.or(Some((pause, why))),
                Err(Trouble::Waits { reason, why }) => waits = waits.or(Some((reason, why))),
                Err(Trouble::Never { reason, why }) => never = never.or(Some((reason, why))),
            }
        }
        match (never, waits, later) {
            (Some((reason, why)), ..) => {
                tracing::warn!(order = %working.order_id, line = working.line_id, why, "line parked");
                self.store.park_line(working, &reason, &why).await
            }
            (None, Some((reason, why)), _) => {
                self.store.postpone_line(working, SLOW, Some(&reason), &why).await
            }
            (None, None, Some((asked, why))) => {
                let rest = pause(working.attempts.saturating_add(1), asked);
                self.store.postpone_line(working, rest, None, &why).await
            }
            (None, None, None) => self.store.finish_line(working).await,
        }
    }

    /// Calls for one effect and records it. The outer error is our own database's.
    async fn effect(&self, working: &Working, effect: &Effect) -> Result<Result<(), Trouble>, Error> {
        let called = match &effect.act {
            Act::CreateInstance { owner, offering_version_id, plan_id } => {
                let of = (*offering_version_id, *plan_id);
                self.peers.instances.create(*owner, &effect.request_id, of).await
            }
            Act::TopUp { owner, amount } => {
                self.peers.billing.top_up(owner.org_id, &effect.request_id, *amount).await
            }
        };
        match called {
            Ok(result) => self.store.record_effect(working, effect, &result).await.map(Ok),
            Err(trouble) => Ok(Err(trouble)),
        }
    }
}
