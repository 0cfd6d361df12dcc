//! Group commit: calls queue up while a commit is under way, and the next commit carries all of them.
//!
//! Nobody waits for company: a call that finds no commit under way starts one at once. The commits run one
//! after the other on a task of the house, so that the drain waits for them and no caller can cancel one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use souk_db::Request;
use souk_kit::House;
use souk_types::{Class, Fault};
use tokio::sync::oneshot;

use crate::{
    error::Error,
    model::ask::Reply,
    store::{Asked, Key, Store},
};

type Answer = Result<Reply, Error>;

/// The calls that wait for a commit.
pub(super) struct Queue {
    house: House,
    store: Store,
    most: usize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// A task takes from the line until it is empty.
    served: bool,
}

struct Waiting {
    asked: Asked,
    answer: oneshot::Sender<Answer>,
}

/// What one commit carries: commands, and for each everyone who asks it (repeats of one request).
#[derive(Default)]
struct Batch {
    asked: Vec<Asked>,
    answers: Vec<Vec<oneshot::Sender<Answer>>>,
}

impl Queue {
    pub(super) fn new(house: House, store: Store, most: usize) -> Self {
        Self { house, store, most: most.max(1), line: Mutex::default() }
    }

    /// Has a command committed and answers what became of it.
    ///
    /// # Errors
    /// Why it had no effect; [`Error::BrokenOff`] when nobody knows.
    pub(super) async fn submit(self: &Arc<Self>, asked: Asked) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.join(Waiting { asked, answer }) {
            let this = Arc::clone(self);
            self.house.detach(async move { this.serve().await });
        }
        answered.await.unwrap_or(Err(Error::BrokenOff))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the line needs somebody to serve it.
    fn join(&self, waiting: Waiting) -> bool {
        let mut line = self.line();
        line.waiting.push_back(waiting);
        !std::mem::replace(&mut line.served, true)
    }

    fn next(&self) -> Option<Batch> {
        let mut line = self.line();
        let batch = gather(&mut line.waiting, self.most);
        line.served = !batch.asked.is_empty();
        line.served.then_some(batch)
    }

    async fn serve(self: Arc<Self>) {
        while let Some(batch) = self.next() {
            let this = Arc::clone(&self);
            // On a task of its own, so that a commit that panics costs its own callers only.
            let carried = self.house.owned(async move {
                this.carry(batch).await;
                Ok::<_, Error>(())
            });
            if let Err(fault) = carried.await {
                tracing::error!(cause = souk_kit::status::chain(&fault), "a commit broke off");
            }
        }
    }

    async fn carry(&self, batch: Batch) {
        let Batch { asked, answers } = batch;
        match self.store.commit(&asked).await {
            Ok(outcomes) => {
                for ((asked, answers), outcome) in asked.iter().zip(answers).zip(outcomes) {
                    self.give(asked, answers, outcome);
                }
            }
            Err(error) if error.may_be_of_one() => {
                tracing::warn!(%error, commands = asked.len(), "a commit failed, trying its commands one by one");
                for (asked, answers) in asked.iter().zip(answers) {
                    let alone = self.store.commit(std::slice::from_ref(asked)).await;
                    let outcome =
                        alone.and_then(|mut outcomes| outcomes.pop().unwrap_or(Err(Error::BrokenOff)));
                    self.give(asked, answers, outcome);
                }
            }
            Err(error) => {
                for (asked, answers) in asked.iter().zip(answers) {
                    self.give(asked, answers, Err(error.clone()));
                }
            }
        }
    }

    fn give(&self, asked: &Asked, answers: Vec<oneshot::Sender<Answer>>, outcome: Answer) {
        if let (Err(error), Some(request)) = (&outcome, &asked.request) {
            self.tell_refusal(request.clone(), error.clone());
        }
        for answer in answers {
            // A caller that went away finds the answer by its request id.
            drop(answer.send(outcome.clone()));
        }
    }

    /// The audit trail hears of refusals, not of failures. Nobody waits for it.
    fn tell_refusal(&self, request: Request, error: Error) {
        let fault = Fault::from(error);
        if matches!(fault.class(), Class::Bug | Class::Unavailable | Class::Aborted) {
            return;
        }
        let store = self.store.clone();
        self.house.detach(async move {
            if let Err(error) = store.refused(&request, fault.reason.as_str()).await {
                tracing::warn!(%error, rpc = request.rpc, "a refusal is missing in the audit trail");
            }
        });
    }
}

/// Takes what one commit carries from the front of the line. Repeats of a request share one place; another
/// command under the same request id waits for the next commit, where the first one's outcome stands.
fn gather(waiting: &mut VecDeque<Waiting>, most: usize) -> Batch {
    let mut batch = Batch::default();
    let mut places: BTreeMap<Key, usize> = BTreeMap::new();
    let mut later = VecDeque::new();
    while batch.asked.len() < most
        && let Some(Waiting { asked, answer }) = waiting.pop_front()
    {
        let key = asked.key();
        let place = key.as_ref().and_then(|key| places.get(key)).copied();
        let first = place.and_then(|place| batch.asked.get(place).zip(batch.answers.get_mut(place)));
        match first {
            Some((first, answers)) if first.digest() == asked.digest() && first.scope == asked.scope => {
                answers.push(answer);
            }
            Some(_) => later.push_back(Waiting { asked, answer }),
            None => {
                places.extend(key.map(|key| (key, batch.asked.len())));
                batch.asked.push(asked);
                batch.answers.push(vec![answer]);
            }
        }
    }
    later.append(waiting);
    *waiting = later;
    batch
}

#[cfg(test)]
mod tests {
    use souk_db::for_every_tenant;
    use souk_types::id::{LedgerEntryId, ReservationId};

    use super::*;
    use crate::model::command::{Command, End};

    fn waiting(request_id: &str, command: u128) -> Waiting {
        let request = (!request_id.is_empty()).then(|| Request {
            subject: "org".to_owned(),
            rpc: "Release",
            request_id: request_id.to_owned(),
            digest: command.to_string(),
            actor: String::new(),
            org_id: None,
            trace: String::new(),
        });
        let ledger_entry_id = LedgerEntryId::from_bits(0);
        let reservation_id = ReservationId::from_bits(command);
        let command = Command::Release(End { reservation_id, ledger_entry_id });
        let (answer, _) = oneshot::channel();
        Waiting { asked: Asked { request, scope: for_every_tenant(), command }, answer }
    }

    /// Which commands a batch carries, and how many wait for each.
    fn carried(batch: &Batch) -> Vec<(u128, usize)> {
        let command = |asked: &Asked| match asked.command {
            Command::Release(End { reservation_id, .. }) => reservation_id.bits(),
            _ => 0,
        };
        batch.asked.iter().map(command).zip(batch.answers.iter().map(Vec::len)).collect()
    }

    #[test]
    fn repeats_share_a_place_and_other_commands_of_the_id_wait() {
        let asked = [("a", 1), ("b", 2), ("a", 9), ("a", 1), ("", 5), ("", 5), ("a", 8), ("c", 3)];
        let mut line: VecDeque<_> = asked.iter().map(|(id, command)| waiting(id, *command)).collect();
        assert_eq!(carried(&gather(&mut line, 256)), [(1, 2), (2, 1), (5, 1), (5, 1), (3, 1)]);
        assert_eq!(carried(&gather(&mut line, 256)), [(9, 1)]);
        assert_eq!(carried(&gather(&mut line, 256)), [(8, 1)]);
        assert!(gather(&mut line, 256).asked.is_empty());
    }

    #[test]
    fn a_batch_has_an_end_and_the_line_keeps_its_order() {
        let asked = [("a", 1), ("a", 9), ("b", 2), ("c", 3), ("d", 4)];
        let mut line: VecDeque<_> = asked.iter().map(|(id, command)| waiting(id, *command)).collect();
        assert_eq!(carried(&gather(&mut line, 2)), [(1, 1), (2, 1)]);
        assert_eq!(carried(&gather(&mut line, 2)), [(9, 1), (3, 1)]);
        assert_eq!(carried(&gather(&mut line, 2)), [(4, 1)]);
    }
}
