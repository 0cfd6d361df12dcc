//! Who waits for which run: a bell for each topic, and a count of those who listen.
//!
//! The database has one bell for everything that changes. With hundreds of runs at once everybody would be
//! woken by each step of each run; here one task hears that bell and wakes only whom it is for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use souk_types::RunId;
use tokio::sync::{broadcast, watch};

type Shared<K, V> = Arc<Mutex<HashMap<K, Weak<watch::Sender<V>>>>>;

/// Bells by topic, and listeners by run. Cheap to clone: all clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ears {
    bells: Shared<String, u64>,
    counts: Shared<RunId, usize>,
}

/// The one sender of a key, kept for as long as somebody holds it.
#[derive(Debug)]
struct Kept<K: Eq + std::hash::Hash, V> {
    all: Shared<K, V>,
    key: K,
    sender: Arc<watch::Sender<V>>,
}

impl<K: Eq + std::hash::Hash + Clone, V: Default> Kept<K, V> {
    fn of(all: &Shared<K, V>, key: K) -> Self {
        let mut kept = all.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = kept.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let sender = Arc::new(watch::Sender::new(V::default()));
            kept.insert(key.clone(), Arc::downgrade(&sender));
            sender
        });
        drop(kept);
        Self { all: Arc::clone(all), key, sender }
    }
}

impl<K: Eq + std::hash::Hash, V> Drop for Kept<K, V> {
    fn drop(&mut self) {
        let mut kept = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock nobody takes another hold of it.
        if Arc::strong_count(&self.sender) == 1 {
            kept.remove(&self.key);
        }
    }
}

/// Rings when its topic does. A ring between two waits is not lost.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: watch::Receiver<u64>,
    _kept: Kept<String, u64>,
}

impl Bell {
    /// Returns when the topic rang since the last call.
    pub(crate) async fn rung(&mut self) {
        // The sender is kept beside it.
        let _changed = self.rung.changed().await;
    }
}

/// Somebody who listens to a run, until dropped.
#[derive(Debug)]
pub(crate) struct Ear(Kept<RunId, usize>);

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.sender.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Ears {
    /// A bell for one topic.
    pub(crate) fn bell(&self, topic: String) -> Bell {
        let kept = Kept::of(&self.bells, topic);
        Bell { rung: kept.sender.subscribe(), _kept: kept }
    }

    /// Listens to a run.
    pub(crate) fn listen(&self, run_id: RunId) -> Ear {
        let kept = Kept::of(&self.counts, run_id);
        kept.sender.send_modify(|count| *count += 1);
        Ear(kept)
    }

    /// Returns when nobody here listened to the run for as long as `patience`.
    pub(crate) async fn silence(&self, run_id: RunId, patience: Duration) {
        let kept = Kept::of(&self.counts, run_id);
        let mut count = kept.sender.subscribe();
        loop {
            // The sender is kept beside it.
            let _nobody = count.wait_for(|count| *count == 0).await.is_ok();
            tokio::select! {
                _somebody = count.wait_for(|count| *count > 0) => {}
                () = tokio::time::sleep(patience) => return,
            }
        }
    }

    fn ring(&self, topic: &str) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(topic).and_then(Weak::upgrade) {
            bell.send_modify(|rings| *rings += 1);
        }
    }

    fn ring_all(&self) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in bells.values().filter_map(Weak::upgrade) {
            bell.send_modify(|rings| *rings += 1);
        }
    }

    /// Hears the database's bell and wakes whom each ring is for; ends with that bell.
    pub(crate) async fn pass_on(&self, mut from: broadcast::Receiver<Arc<str>>) {
        loop {
            match from.recv().await {
                Ok(topic) => self.ring(&topic),
                // Nobody knows what was missed.
                Err(broadcast::error::RecvError::Lagged(_)) => self.ring_all(),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_ring_wakes_its_own_topic_only_and_is_kept_for_who_is_busy() {
        let ears = Ears::default();
        let (mut one, mut same, mut other) =
            (ears.bell("a".into()), ears.bell("a".into()), ears.bell("b".into()));
        ears.ring("a");
        ears.ring("a");
        ears.ring("nobody");
        one.rung().await;
        same.rung().await;
        assert!(one.rung().now_or_never().is_none(), "two rings before a look are one");
        assert!(other.rung().now_or_never().is_none());
        ears.ring_all();
        other.rung().await;
        drop((one, same, other));
        assert!(ears.bells.lock().unwrap().is_empty(), "nothing is kept for those who left");
    }

    #[tokio::test]
    async fn a_bell_that_lags_wakes_everybody() {
        let ears = Ears::default();
        let (sender, receiver) = broadcast::channel::<Arc<str>>(2);
        let mut waiting = ears.bell("x".into());
        for _ in 0..9 {
            sender.send("y".into()).unwrap();
        }
        drop(sender);
        ears.pass_on(receiver).await;
        waiting.rung().await;
    }

    #[tokio::test]
    async fn silence_is_when_nobody_listens_and_who_comes_back_is_heard() {
        let ears = Ears::default();
        let run_id = RunId::from_bits(1);
        let patience = Duration::from_millis(20);
        let (first, second) = (ears.listen(run_id), ears.listen(run_id));
        let silence = ears.silence(run_id, patience);
        tokio::pin!(silence);
        let mut quiet = async || tokio::time::timeout(patience * 5, &mut silence).await.is_ok();
        assert!(!quiet().await);
        drop(first);
        assert!(!quiet().await, "one is left");
        let again = ears.listen(run_id);
        drop(second);
        assert!(!quiet().await, "who comes back before the last one leaves");
        drop(again);
        silence.await;
        assert!(ears.counts.lock().unwrap().is_empty(), "nothing is kept of a run that nobody waits for");
    }
}
