//! What cannot be seen from outside: engines that are all at work, callers that left, engines that panic.

use std::collections::BTreeMap;

use souk_kit::{
    Mesh, Surroundings,
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
};
use souk_secrets::Sealed;
use souk_types::PartName;

use super::*;
use crate::native::{NoModels, Plan};

const ECHO: &[u8] = include_bytes!("../../tests/fixtures/flows/echo.flow.json");

struct Bench {
    _dir: tempfile::TempDir,
    mesh: Mesh,
    service: Service,
    ask: Execute,
}

async fn bench(config: &Config) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let random = Arc::new(MachineRandom::default());
    let surroundings = Surroundings {
        clock: Arc::new(MachineClock),
        keyring: Arc::new(Keyring::generate(random.as_ref())),
        random,
        data_dir: dir.path().to_path_buf(),
        poll: Duration::from_millis(50),
    };
    let mesh = Mesh::new(surroundings, &[PartName::Runner], &BTreeMap::new()).unwrap();
    let objects = Objects::open_dir(dir.path()).await.unwrap();
    let artifact = objects.put_artifact(ECHO.into()).await.unwrap();
    let (sealed, root) = (dir.path().join("secrets"), dir.path().join("secrets.key"));
    let secrets = Sealed::open(&sealed, &root, mesh.house(PartName::Runner).unwrap().random()).await.unwrap();
    let house = mesh.house(PartName::Runner).unwrap();
    let service = Service::new(house, config, objects, Arc::new(secrets)).unwrap();
    let request = Request { input_value: Some("hello".into()), ..Request::default() };
    Bench { _dir: dir, mesh, service, ask: Execute { artifact, request, run_id: String::new() } }
}

fn one_engine() -> Config {
    Config { engines_at_work: 1, engine_wait_ms: 0, ..Config::default() }
}

#[tokio::test]
async fn a_call_that_finds_no_engine_is_refused_and_works_once_one_is_free() {
    let Bench { _dir, mesh, service, ask } = bench(&one_engine()).await;
    let place = service.place().await.unwrap();
    assert_eq!(service.execute(ask.clone()).await.unwrap_err(), Error::Busy { engines: 1 });
    assert_eq!(service.check_flow(ECHO.to_vec()).await, Err(Error::Busy { engines: 1 }));
    drop(place);
    assert_eq!(service.check_flow(ECHO.to_vec()).await, Ok(Checked::default()));
    let _place = loop {
        // The check's thread gives its place back in its own time.
        if let Ok(place) = service.place().await {
            break place;
        }
        tokio::task::yield_now().await;
    };
    assert!(mesh.drain().await);
}

#[tokio::test]
async fn a_run_holds_its_engine_no_longer_than_it_works_even_unread_or_left() {
    let config = Config { engines_at_work: 1, engine_wait_ms: 60_000, ..Config::default() };
    let Bench { _dir, mesh, service, ask } = bench(&config).await;
    let mut unread = Vec::new();
    for at in 0..20 {
        let told = service.execute(ask.clone()).await.unwrap();
        if at % 2 == 0 {
            unread.push(told);
        }
    }
    let (_, mut told) = service.execute(ask.clone()).await.unwrap();
    assert!(matches!(told.recv().await, Some(Told::Event(Event::Output(output))) if output.text == "hello"));
    assert!(mesh.drain().await, "nothing is left at work");
}

#[tokio::test]
async fn an_engine_stops_when_nobody_listens() {
    let flow = Flow::parse(ECHO).unwrap();
    let request = Request::default();
    assert_eq!(Plan::new(&flow, &request).unwrap().ready().len(), 1);
    let mut events = 0;
    let left = run_while_wanted(&flow, &request, &mut NoModels::default(), &mut |_| {
        events += 1;
        ControlFlow::Break(())
    });
    assert_eq!((left, events), (Err(Error::Cancelled), 1));
    let (sender, told) = mpsc::channel(UNREAD);
    drop(told);
    spawn_blocking(move || engine(&flow, &request, &mut NoModels::default(), &sender)).await.unwrap();
}

#[tokio::test]
async fn a_flow_is_read_once_while_it_is_kept() {
    let Bench { _dir, mesh, service, ask } = bench(&Config::default()).await;
    let first = service.flow(&ask.artifact).await.unwrap();
    std::fs::remove_dir_all(_dir.path().join("artifacts")).unwrap();
    assert!(Arc::ptr_eq(&first, &service.flow(&ask.artifact).await.unwrap()));
    assert!(mesh.drain().await);
}
