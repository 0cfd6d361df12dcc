//! Billing as runs call it: through the whole mesh stack (token, access rule, deadline), over the pipe of
//! one process and over the socket of a program that runs.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use souk_billing::{Config, MIGRATIONS};
use souk_db::{Db, Deps, Target};
use souk_kit::{
    Mesh, Surroundings,
    clock::{MachineClock, MachineRandom},
    dial::PartChannel,
    keyring::Keyring,
};
use souk_proto::souk::billing::v1::{self as pb, billing_service_client::BillingServiceClient};
use souk_types::{
    Acting, PartName, Trace,
    id::{InstanceId, OrgId},
};

use crate::{
    Outcome,
    callers::{self, CALLERS},
    report::Report,
};

const ORG: OrgId = OrgId::from_bits(2);
const INSTANCE: InstanceId = InstanceId::from_bits(2);
/// Who calls billing here.
const CALLING: [PartName; 4] = [PartName::Tenancy, PartName::Catalog, PartName::Instances, PartName::Runs];

type Client = BillingServiceClient<PartChannel>;

/// Surroundings with the keyring of `dir`, which is made when there is none.
pub(crate) fn surroundings(dir: &Path) -> Outcome<Surroundings> {
    let random = Arc::new(MachineRandom::default());
    Ok(Surroundings {
        clock: Arc::new(MachineClock),
        keyring: Arc::new(Keyring::open(&dir.join("keyring"), random.as_ref())?),
        random,
        data_dir: dir.to_owned(),
        poll: Duration::from_secs(1),
    })
}

fn by(mesh: &Mesh, part: PartName, org: Option<OrgId>) -> Outcome<Client> {
    let acting = Acting { org, trace: Trace::default() };
    Ok(Client::new(mesh.house(part)?.dial().to(PartName::Billing, acting)))
}

fn one_run() -> Vec<pb::Quantity> {
    vec![pb::Quantity { dimension: "runs".to_owned(), quantity: 1 }]
}

/// A wallet with enough in it, and an account that spends a millionth a pair.
async fn open(mesh: &Mesh) -> Outcome<()> {
    let (org_id, request_id) = (ORG.to_string(), "bench".to_owned());
    let prices = vec![pb::Price { dimension: "runs".to_owned(), amount_micros: 1, per: 1 }];
    let schedule =
        pb::PutPriceScheduleRequest { request_id: request_id.clone(), prices, default_estimate: one_run() };
    let schedule = by(mesh, PartName::Catalog, None)?.put_price_schedule(schedule).await?.into_inner();
    let mut tenancy = by(mesh, PartName::Tenancy, Some(ORG))?;
    let wallet = pb::OpenWalletRequest { org_id: org_id.clone(), request_id: request_id.clone() };
    tenancy.open_wallet(wallet).await?;
    let account = pb::OpenAccountRequest {
        org_id: org_id.clone(),
        request_id: request_id.clone(),
        instance_id: INSTANCE.to_string(),
        price_schedule_hash: schedule.price_schedule_hash,
    };
    by(mesh, PartName::Instances, Some(ORG))?.open_account(account).await?;
    let credits = pb::TopUpRequest {
        org_id,
        request_id,
        amount_micros: 1_000_000_000,
        source: pb::Source::Trial.into(),
        source_ref: "bench".to_owned(),
        expire_time: None,
    };
    tenancy.top_up(credits).await?;
    Ok(())
}

/// One pair.
async fn pair(mut client: Client, request_id: String) -> Outcome<()> {
    let authorize = pb::AuthorizeRequest {
        instance_id: INSTANCE.to_string(),
        request_id: request_id.clone(),
        ..pb::AuthorizeRequest::default()
    };
    let allowed = client.authorize(authorize).await?.into_inner();
    if !allowed.allowed {
        return Err(format!("not allowed: {}", allowed.reason).into());
    }
    let settle = pb::SettleRequest { reservation_id: allowed.reservation_id, request_id, usage: one_run() };
    client.settle(settle).await?;
    Ok(())
}

async fn pairs(mesh: &Mesh, what: &str, report: &mut Report) -> Outcome<()> {
    open(mesh).await?;
    let client = by(mesh, PartName::Runs, Some(ORG))?;
    for callers in CALLERS {
        let work = callers::work(callers, |caller| {
            let client = client.clone();
            move |nth| pair(client.clone(), format!("{callers}-{caller}-{nth}"))
        });
        report.rate(what, callers, "pairs/s", work.await?.per_second);
    }
    Ok(())
}

/// Billing on a file in `dir`, in this process.
pub(crate) async fn measure_pipe(dir: &Path, report: &mut Report) -> Outcome<()> {
    let deps = Deps::new(Arc::new(MachineClock), Arc::new(MachineRandom::default()));
    let db = Db::open("billing", Target::Sqlite(dir.join("pipe.db")), deps, MIGRATIONS).await?;
    let here = [&CALLING[..], &[PartName::Billing]].concat();
    let mut mesh = Mesh::new(surroundings(dir)?, &here, &BTreeMap::new())?;
    let house = mesh.house(PartName::Billing)?;
    mesh.serve(&house, souk_billing::build(&house, &Config::default(), db.clone())?)?;
    pairs(&mesh, "authorize + settle, through the mesh in one process", report).await?;
    mesh.drain().await;
    Ok(db.close().await?)
}

/// Billing of the program that runs on `data`, over its socket.
pub(crate) async fn measure_socket(data: &Path, report: &mut Report) -> Outcome<()> {
    let socket = format!("unix:{}", data.join("mesh.sock").display());
    let elsewhere = BTreeMap::from([(PartName::Billing, socket)]);
    let mesh = Mesh::new(surroundings(data)?, &CALLING, &elsewhere)?;
    pairs(&mesh, "authorize + settle, over the mesh socket of `souk up`", report).await?;
    mesh.drain().await;
    Ok(())
}
