//! Measures billing in process, without a wire: pairs of Authorize and Settle a second on one SQLite file, by
//! 1, 16 and 64 callers of one wallet. Prints one line of JSON with the durability settings read back from
//! the engine.

use std::{collections::BTreeMap, error::Error, io::Write as _, sync::Arc, time::Duration};

use futures::future::try_join_all;
use serde_json::{Value, json};
use souk_billing::{
    Config, MIGRATIONS, Service,
    model::{
        ask::{Ask, Reply},
        lots::Source,
        pricing::{Price, Usage},
    },
};
use souk_db::{Db, Deps, Target};
use souk_kit::{
    House, Mesh, Surroundings,
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
};
use souk_types::{
    Call, Caller, Credits, PartName, Scope, Trace,
    access::Reach,
    id::{InstanceId, OrgId},
};

const ORG: OrgId = OrgId::from_bits(1);
const INSTANCE: InstanceId = InstanceId::from_bits(1);
/// How long each number of callers is measured.
const SPAN: Duration = Duration::from_secs(5);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[expect(clippy::disallowed_methods, reason = "stands in for the kit's open, which needs a wire")]
fn call(rpc: &'static str, request_id: String) -> Call {
    Call {
        rpc,
        caller: Caller::Part { part: PartName::Runs, org: Some(ORG) },
        scope: Scope::grant(Reach::Org(ORG)),
        project_id: None,
        request_id,
        trace: Trace::default(),
        deadline: None,
    }
}

fn usage() -> Vec<Usage> {
    vec![Usage { dimension: "runs".to_owned(), quantity: 1 }]
}

async fn open(service: &Service) -> Outcome<()> {
    let price = Price { per: 1, price: Credits::from_micros(1) };
    let prices = BTreeMap::from([("runs".to_owned(), price)]);
    let schedule = call("/PutPriceSchedule", "1".to_owned());
    let schedule_hash = service.put_price_schedule(&schedule, prices, &usage()).await?;
    let opened = Ask::OpenWallet { org_id: ORG };
    service.perform(&call("/OpenWallet", "1".to_owned()), opened).await?;
    let account = Ask::OpenAccount { org_id: ORG, instance_id: INSTANCE, schedule_hash };
    service.perform(&call("/OpenAccount", "1".to_owned()), account).await?;
    let top_up = Ask::TopUp {
        org_id: ORG,
        amount: Credits::from_micros(1_000_000_000_000),
        source: Source::Purchase,
        source_ref: String::new(),
        expire_time: None,
    };
    service.perform(&call("/TopUp", "1".to_owned()), top_up).await?;
    Ok(())
}

/// One caller, one pair after the other until the time is over; answers how many.
async fn pairs(house: House, service: Arc<Service>, caller: String) -> Outcome<u64> {
    let (start, mut done) = (house.now(), 0);
    while house.now().since(start) < SPAN {
        let authorize =
            Ask::Authorize { instance_id: INSTANCE, estimate: vec![], ttl: None, source_ref: caller.clone() };
        let id = format!("{caller}-{done}");
        let reply = service.perform(&call("/Authorize", id.clone()), authorize).await?;
        let Reply::Allowed { reservation_id, .. } = reply else {
            return Err(format!("not allowed: {reply:?}").into());
        };
        let settle = Ask::Settle { reservation_id, usage: usage() };
        service.perform(&call("/Settle", id), settle).await?;
        done += 1;
    }
    Ok(done)
}

async fn measure(house: &House, service: &Arc<Service>, callers: u32) -> Outcome<Value> {
    let start = house.now();
    let running = (0..callers).map(|caller| {
        let (house, service) = (house.clone(), Arc::clone(service));
        let inner = house.clone();
        async move {
            inner
                .owned(async move { tagged(pairs(house, service, format!("{callers}-{caller}")).await) })
                .await
        }
    });
    let done: u64 = try_join_all(running).await?.into_iter().sum();
    let micros = u64::try_from(house.now().since(start).as_micros())?.max(1);
    let rate = done.saturating_mul(1_000_000) / micros;
    Ok(json!({ "callers": callers, "pairs": done, "pairsPerSecond": rate }))
}

/// A failure on its way through a task of the house.
fn tagged<T>(outcome: Outcome<T>) -> Result<T, souk_types::Fault> {
    outcome.map_err(|error| souk_types::Fault::bug("bench", error))
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let dir = tempfile::tempdir_in(std::env::current_dir()?)?;
    let (clock, random) = (Arc::new(MachineClock), Arc::new(MachineRandom::default()));
    let deps = Deps::new(clock.clone(), random.clone());
    let db = Db::open("billing", Target::Sqlite(dir.path().join("billing.db")), deps, MIGRATIONS).await?;
    let surroundings = Surroundings {
        clock,
        keyring: Arc::new(Keyring::generate(random.as_ref())),
        random,
        data_dir: dir.path().to_owned(),
        poll: Duration::from_millis(200),
    };
    let mesh = Mesh::new(surroundings, &[PartName::Billing], &BTreeMap::new())?;
    let house = mesh.house(PartName::Billing)?;
    let service = Arc::new(Service::new(&house, &Config::default(), db.clone()));
    open(&service).await?;
    let mut measured = Vec::new();
    for callers in [1, 16, 64] {
        measured.push(measure(&house, &service, callers).await?);
    }
    let durability: BTreeMap<String, String> = db.durability().await?.into_iter().collect();
    let line = json!({
        "bench": "billing.authorize_settle",
        "optimized": !cfg!(debug_assertions),
        "durability": durability,
        "measured": measured,
    });
    writeln!(std::io::stdout(), "{line}")?;
    mesh.drain().await;
    Ok(())
}
