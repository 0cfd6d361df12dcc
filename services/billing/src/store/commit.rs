//! One commit of a batch: request log, locks, decision, rows, events, in this order and in one transaction.

use std::collections::BTreeMap;

use souk_db::{
    Error as DbError, Request, Tx,
    once::{Answered, Begun, abandon, begin_all, finish_all},
    outbox,
};
use souk_types::{Event, Scope, id::EventId};

use super::{
    Store,
    load::{Loaded, load},
    write::write,
};
use crate::{
    error::Error,
    model::{
        ask::Reply,
        command::{Command, Request as Decided},
        decide::decide,
        facts::Fact,
        pricing::Share,
    },
};

/// Who causes events that no call caused.
const OWN_ACTOR: &str = "part:billing";

/// A command on its way into a commit.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What recognises its repeats; `None` for the part's own loops.
    pub request: Option<Request>,
    /// How far its caller reaches.
    pub scope: Scope,
    /// What is asked.
    pub command: Command,
}

impl Asked {
    /// What the request log knows it by.
    pub(crate) fn key(&self) -> Option<Key> {
        self.request.as_ref().map(key)
    }

    /// Names the decoded command; empty for the part's own loops.
    pub(crate) fn digest(&self) -> &str {
        self.request.as_ref().map_or("", |request| &request.digest)
    }
}

/// Space, method and id of a request.
pub(crate) type Key = (String, &'static str, String);

fn key(request: &Request) -> Key {
    (request.space(), request.rpc, request.request_id.clone())
}

type Replies = Vec<Result<Reply, Error>>;

impl Store {
    /// Commits a batch of commands of which no two carry the same request id: one answer each, in order. A
    /// command that is refused had no effect and consumed no request id.
    ///
    /// # Errors
    /// The batch as a whole failed and nothing happened, or nobody knows: asking again finds out.
    pub async fn commit(&self, batch: &[Asked]) -> Result<Replies, Error> {
        self.db.write("billing.commit", |tx| async move { Box::pin(commit(self, &tx, batch)).await }).await
    }
}

async fn commit(store: &Store, tx: &Tx, batch: &[Asked]) -> Result<Replies, Error> {
    let mut replies = begin(tx, batch).await?;
    let live: Vec<(usize, &Asked)> =
        batch.iter().enumerate().filter(|(place, _)| !replies.contains_key(place)).collect();
    let commands: Vec<Decided> = live
        .iter()
        .map(|(_, asked)| Decided { scope: asked.scope.clone(), command: asked.command.clone() })
        .collect();
    if !commands.is_empty() {
        let Loaded { mut state, known, schedules } = load(store, tx, &commands).await?;
        let decision = decide(&commands, &mut state, tx.now());
        write(tx, &decision.rows, &known).await?;
        for id in decision.rows.wallets.keys() {
            tx.ring(id.to_string());
        }
        let mut nouns: BTreeMap<usize, String> = BTreeMap::new();
        let facts = decision.rows.facts.into_iter().map(|(cause, fact)| {
            nouns.entry(cause).or_insert_with(|| fact.aggregate_id.clone());
            let request = live.get(cause).and_then(|(_, asked)| asked.request.as_ref());
            event(tx, request, fact)
        });
        outbox::put_all(tx, &facts.collect::<Vec<_>>()).await?;
        let shares = |receipt: &crate::model::Receipt| -> Result<Vec<Share>, Error> {
            let schedule = schedules.get(&receipt.schedule_hash);
            schedule.ok_or(Error::Broken("a schedule is gone"))?.shares(&receipt.usage)
        };
        let mut ended = Vec::new();
        for (cause, ((_, asked), answer)) in live.iter().zip(decision.answers).enumerate() {
            let reply = match answer {
                Ok(answer) => Ok(Reply::of(answer, shares)?),
                Err(refusal) => Err(refusal),
            };
            ended.push(Ended { asked, reply, noun: nouns.remove(&cause).unwrap_or_default() });
        }
        end(tx, &ended).await?;
        let places = live.into_iter().map(|(place, _)| place);
        replies.extend(places.zip(ended.into_iter().map(|one| one.reply)));
    }
    Ok(replies.into_values().collect())
}

/// Writes every request down; answers those that were answered before or may not be.
async fn begin(tx: &Tx, batch: &[Asked]) -> Result<BTreeMap<usize, Result<Reply, Error>>, Error> {
    let (places, requests): (Vec<usize>, Vec<&Request>) =
        batch.iter().enumerate().filter_map(|(place, asked)| Some((place, asked.request.as_ref()?))).unzip();
    let mut replies = BTreeMap::new();
    for (place, begun) in places.into_iter().zip(begin_all::<Reply>(tx, &requests).await?) {
        match begun {
            Ok(Begun::Fresh) => {}
            Ok(Begun::Replayed(reply)) => {
                replies.insert(place, Ok(reply));
            }
            Err(refusal @ (DbError::RequestIdReused { .. } | DbError::RequestInProgress { .. })) => {
                replies.insert(place, Err(refusal.into()));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(replies)
}

/// What became of a command.
struct Ended<'a> {
    asked: &'a Asked,
    reply: Result<Reply, Error>,
    /// What its first event is about; empty when it caused none.
    noun: String,
}

/// Keeps the answers with their requests; takes back the requests that were refused.
async fn end(tx: &Tx, all: &[Ended<'_>]) -> Result<(), Error> {
    let mut answered = Vec::new();
    for Ended { asked, reply, noun } in all {
        match (&asked.request, reply) {
            (Some(request), Ok(answer)) => answered.push(Answered { request, answer, noun }),
            (Some(request), Err(_)) => abandon(tx, request).await?,
            (None, _) => {}
        }
    }
    Ok(finish_all(tx, &answered).await?)
}

fn event(tx: &Tx, cause: Option<&Request>, fact: Fact) -> Event {
    Event {
        event_id: EventId::new(tx.now(), tx.random()),
        kind: fact.kind.to_owned(),
        org_id: Some(fact.org_id),
        aggregate_id: fact.aggregate_id,
        aggregate_seq: fact.aggregate_seq,
        occur_time: fact.occur_time,
        actor: cause.map_or_else(|| OWN_ACTOR.to_owned(), |request| request.actor.clone()),
        trace: cause.map(|request| request.trace.clone()).unwrap_or_default(),
        payload: fact.payload,
    }
}
