//! The process dies at every commit of a life and another boot goes on: nothing is lost, nothing is done
//! twice. A death is a panic at the commit, before it or after; from then on no commit of that process
//! comes through, and its runtime ends with all of its tasks.

use std::{
    collections::BTreeSet,
    panic,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use souk_db::CommitObserver;
use souk_instances::MIGRATIONS;
use souk_proto::souk::{
    billing::v1::AccountState,
    instances::v1::{Instance, State, UpdateConfigRequest},
};
use souk_types::Reason;
use tokio::runtime::Runtime;
use tonic::Status;

use crate::{
    fakes::{Fakes, Mood},
    life::{pause, resume, terminate},
    town::{Town, activate},
};

/// What a dying process says.
const DEATH: &str = "the process dies";

/// Dies at one side of one visit of one site; records what was visited.
#[derive(Default)]
struct Fate {
    at: Option<(&'static str, bool, usize)>,
    visits: Mutex<Vec<&'static str>>,
    dead: Mutex<bool>,
}

impl Fate {
    fn meet(&self, site: &'static str, before: bool) {
        if *self.dead.lock().unwrap() {
            panic!("{DEATH}");
        }
        let count = {
            let mut visits = self.visits.lock().unwrap();
            if before {
                visits.push(site);
            }
            visits.iter().filter(|visited| **visited == site).count()
        };
        if self.at == Some((site, before, count)) {
            *self.dead.lock().unwrap() = true;
            panic!("{DEATH} at {site}");
        }
    }
}

impl CommitObserver for Fate {
    fn before(&self, site: &'static str) {
        self.meet(site, true);
    }
    fn after(&self, site: &'static str) {
        self.meet(site, false);
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A whole life with its setbacks; what was done before is done again, by the same requests.
async fn live(town: &Town) -> Result<String, Status> {
    let moods = |billing| town.fakes.known.lock().unwrap().billing = billing;
    let one =
        town.member().auto_activate(activate("r-1", crate::fakes::VERSION)).await?.into_inner().instance_id;
    let settled = |found: &Instance| found.waiting_for.is_empty() && found.state() != State::Failed;
    wait(town, &one, settled).await?;
    town.admin().pause(pause(&one, "p-1", "")).await?;
    wait(town, &one, settled).await?;
    town.fakes.wallet("WalletDepleted", crate::town::ORG);
    town.fakes.wallet("WalletReplenished", crate::town::ORG);
    town.admin().resume(resume(&one, "p-2", "")).await?;
    wait(town, &one, settled).await?;
    let ask = UpdateConfigRequest {
        instance_id: one.clone(),
        request_id: "c-1".into(),
        config_json: json!({ "web_widget.branding": { "brand_name": "Other" } }).to_string(),
        ..Default::default()
    };
    town.admin().update_config(ask).await?;
    wait(town, &one, settled).await?;
    if town.get_or(&one).await?.state() == State::Active {
        moods(Mood::Refuses(Reason::Unavailable));
    }
    town.admin().terminate(terminate(&one, "t-1", "")).await?;
    let delayed = |found: &Instance| {
        found.state() == State::Terminated || found.events.iter().any(|event| event.r#type == "Delayed")
    };
    let seen = wait(town, &one, delayed).await;
    moods(Mood::Well);
    seen?;
    wait(town, &one, |found| found.state() == State::Terminated).await?;
    Ok(one)
}

async fn wait(town: &Town, id: &str, wanted: impl Fn(&Instance) -> bool) -> Result<(), Status> {
    loop {
        if wanted(&town.get_or(id).await?) {
            return Ok(());
        }
        town.clock.advance(Duration::from_millis(20));
        tokio::task::yield_now().await;
    }
}

/// Lives a life with a death in it, and with another boot after it. Answers the commits of the first boot.
fn live_and_die(at: Option<(&'static str, bool, usize)>) -> (bool, Vec<&'static str>) {
    let maker = runtime();
    let database = maker.block_on(souk_testkit::database::sqlite("instances", MIGRATIONS));
    let fakes = Fakes::swift();
    let fate = Arc::new(Fate { at, ..Fate::default() });
    let first = runtime();
    let town = first.block_on(async {
        let db = database.observed(fate.clone()).await.unwrap();
        let town = Town::on(db, Arc::clone(&database.clock), &fakes);
        let dead = async {
            while !*fate.dead.lock().unwrap() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = live(&town) => {}
            () = dead => {}
        }
        town
    });
    first.shutdown_background();
    std::mem::forget(town);
    let died = *fate.dead.lock().unwrap();
    fakes.known.lock().unwrap().billing = Mood::Well;
    let second = runtime();
    second.block_on(async {
        let again = database.again().await.unwrap();
        let town = Town::on(again, Arc::clone(&database.clock), &fakes);
        let life = tokio::time::timeout(Duration::from_secs(60), live(&town)).await.expect("it goes on");
        let one = life.unwrap_or_else(|status| panic!("{at:?}: {status:?}"));
        let gone = town.get(&one).await;
        let count = |kind: &str| gone.events.iter().filter(|event| event.r#type == kind).count();
        for kind in ["ConfigUpdated", "Terminating", "AccountClosed", "Terminated"] {
            assert_eq!(count(kind), 1, "{at:?}: {kind} in {:?}", gone.events);
        }
        let known = fakes.known.lock().unwrap();
        assert_eq!(known.reused, Vec::<String>::new(), "{at:?}");
        assert_eq!((known.accounts.len(), known.removed.len()), (1, 1), "{at:?}");
        assert_eq!(known.account_now[&one], AccountState::Closed, "{at:?}");
        assert_eq!(known.applied.len(), 2, "{at:?}: a revision is committed under one request id");
        let steps: Vec<_> = known.account_states.keys().map(String::as_str).collect();
        let wanted: Vec<_> = (1..=3).map(|step| format!("account-state:{one}:{step}")).collect();
        assert_eq!(steps, wanted, "{at:?}: frozen, active, closed");
    });
    second.shutdown_background();
    maker.shutdown_background();
    let visits = fate.visits.lock().unwrap().clone();
    (died, visits)
}

#[test]
fn a_death_at_any_commit_loses_nothing_and_doubles_nothing() {
    let (_, visits) = live_and_die(None);
    let sites: BTreeSet<_> = visits.into_iter().filter(|site| site.starts_with("instances.")).collect();
    for site in [
        "instances.auto_activate",
        "instances.open_account",
        "instances.commit",
        "instances.applied",
        "instances.pause",
        "instances.resume",
        "instances.set_account_state",
        "instances.update_config",
        "instances.terminate",
        "instances.removed",
        "instances.set_back",
        "instances.take_event",
        "instances.sweep",
    ] {
        // Which of two finds applied state, the follower or the loop, is a race.
        assert!(sites.contains(site) || site == "instances.applied", "{site} is visited: {sites:?}");
    }
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let wanted = panic.payload_as_str().is_some_and(|text| text.starts_with(DEATH));
        if !wanted {
            usual(panic);
        }
    }));
    let mut died = 0;
    for site in &sites {
        for before in [true, false] {
            died += usize::from(live_and_die(Some((*site, before, 1))).0);
        }
    }
    // The steps of the account's state come three times.
    for visit in [2, 3] {
        died += usize::from(live_and_die(Some(("instances.set_account_state", false, visit))).0);
    }
    assert!(died >= sites.len() * 2 - 6, "{died} deaths at {} sites", sites.len());
}
