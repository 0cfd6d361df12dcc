//! Billing's queue alone, without a wire: what a commit costs when nothing else does.

use std::{collections::BTreeMap, path::Path, sync::Arc};

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
    Mesh,
    clock::{MachineClock, MachineRandom},
};
use souk_types::{
    Call, Caller, Credits, PartName, Scope, Trace,
    access::Reach,
    id::{InstanceId, OrgId},
};

use crate::{
    Outcome,
    callers::{self, CALLERS},
    mesh::surroundings,
    report::Report,
};

const ORG: OrgId = OrgId::from_bits(1);
const INSTANCE: InstanceId = InstanceId::from_bits(1);

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

/// One pair.
async fn pair(service: &Service, id: String) -> Outcome<()> {
    let authorize =
        Ask::Authorize { instance_id: INSTANCE, estimate: vec![], ttl: None, source_ref: String::new() };
    let reply = service.perform(&call("/Authorize", id.clone()), authorize).await?;
    let Reply::Allowed { reservation_id, .. } = reply else {
        return Err(format!("not allowed: {reply:?}").into());
    };
    let settle = Ask::Settle { reservation_id, usage: usage() };
    service.perform(&call("/Settle", id), settle).await?;
    Ok(())
}

/// Measures pairs on a file in `dir`; reads back how the engine keeps what it commits.
pub(crate) async fn measure(dir: &Path, report: &mut Report) -> Outcome<()> {
    let deps = Deps::new(Arc::new(MachineClock), Arc::new(MachineRandom::default()));
    let db = Db::open("billing", Target::Sqlite(dir.join("core.db")), deps, MIGRATIONS).await?;
    let mesh = Mesh::new(surroundings(dir)?, &[PartName::Billing], &BTreeMap::new())?;
    let house = mesh.house(PartName::Billing)?;
    let service = Arc::new(Service::new(&house, &Config::default(), db.clone()));
    open(&service).await?;
    for callers in CALLERS {
        let work = callers::work(callers, |caller| {
            let service = Arc::clone(&service);
            move |nth| {
                let service = Arc::clone(&service);
                async move { pair(&service, format!("{callers}-{caller}-{nth}")).await }
            }
        });
        report.rate("authorize + settle, billing's queue alone", callers, "pairs/s", work.await?.per_second);
    }
    for (name, value) in db.durability().await? {
        report.fact(&name, &value);
    }
    mesh.drain().await;
    Ok(db.close().await?)
}
