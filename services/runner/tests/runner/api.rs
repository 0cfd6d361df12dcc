//! The runner as its peers see it: over gRPC, through the whole stack, with artifacts in a directory.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;
use souk_kit::{
    Mesh, Mounted, Refusal, Surroundings,
    clock::{MachineClock, MachineRandom},
    dial::PartChannel,
    keyring::Keyring,
};
use souk_objects::{Hash, Objects};
use souk_proto::souk::{
    models::v1::models_service_server::ModelsServiceServer,
    runner::v1::{
        CheckFlowRequest, Done, ExecuteRequest, ExecuteResponse, Failed, Output, Selectors, Started,
        UsageReport, execute_response::Event, runner_service_client::RunnerServiceClient,
    },
};
use souk_runner::{Config, build};
use souk_secrets::{Sealed, Secrets};
use souk_types::{Caller, PartName};
use tonic::{
    Code, Request, Status,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{
    endpoints::Endpoints,
    vectors::{fixture, ours, recorded_text, text},
};

pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) mesh: Mesh,
    objects: Objects,
    pub(crate) endpoints: Endpoints,
    pub(crate) secrets: Secrets,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(&Config::default()).await
    }

    pub(crate) async fn with(config: &Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let random = Arc::new(MachineRandom::default());
        let (sealed, root) = (dir.path().join("secrets"), dir.path().join("secrets.key"));
        let secrets: Secrets = Arc::new(Sealed::open(&sealed, &root, random.clone()).await.unwrap());
        let surroundings = Surroundings {
            clock: Arc::new(MachineClock),
            keyring: Arc::new(Keyring::generate(random.as_ref())),
            random,
            data_dir: dir.path().to_path_buf(),
            poll: Duration::from_millis(50),
        };
        // The callers run nothing here; they are in the mesh so that they have a dial.
        let here = [
            PartName::Runner,
            PartName::Runs,
            PartName::Catalog,
            PartName::Billing,
            PartName::Models,
            PartName::Gateway,
        ];
        let mut mesh = Mesh::new(surroundings, &here, &BTreeMap::new()).unwrap();
        let objects = Objects::open_dir(dir.path()).await.unwrap();
        let house = mesh.house(PartName::Runner).unwrap();
        let mounted = build(&house, config, objects.clone(), Arc::clone(&secrets)).unwrap();
        mesh.serve(&house, mounted).unwrap();
        let endpoints = Endpoints::default();
        let models = mesh.house(PartName::Models).unwrap();
        let routes = Routes::new(ModelsServiceServer::new(endpoints.clone()));
        mesh.serve(&models, Mounted::new(routes)).unwrap();
        Self { dir, mesh, objects, endpoints, secrets }
    }

    pub(crate) fn client(&self, part: PartName) -> RunnerServiceClient<PartChannel> {
        let house = self.mesh.house(part).unwrap();
        RunnerServiceClient::new(house.dial().to(PartName::Runner, house.acting_for_platform()))
    }

    /// A person's client, as the door brings them.
    pub(crate) fn client_of(
        &self,
        caller: &Caller,
    ) -> RunnerServiceClient<InterceptedService<Channel, Speaker>> {
        let house = self.mesh.house(PartName::Gateway).unwrap();
        let token = house.tokens().sign(caller, "runner", house.now() + Duration::from_secs(60)).unwrap();
        let channel = house.dial().raw(PartName::Runner).unwrap();
        RunnerServiceClient::with_interceptor(channel, Speaker(token))
    }

    pub(crate) async fn put(&self, bytes: &[u8]) -> String {
        self.objects.put_artifact(bytes.to_vec().into()).await.unwrap().to_string()
    }

    pub(crate) async fn put_fixture(&self, path: &str) -> String {
        self.put(&std::fs::read(fixture(path)).unwrap()).await
    }

    fn file(&self, hash: &str) -> PathBuf {
        self.dir.path().join("artifacts/sha256").join(hash)
    }

    /// Executes as `runs` to the end of the stream.
    pub(crate) async fn execute(&self, ask: ExecuteRequest) -> Result<Vec<Event>, Status> {
        let mut answers = self.client(PartName::Runs).execute(ask).await?.into_inner();
        let mut events = Vec::new();
        while let Some(ExecuteResponse { event }) = answers.message().await? {
            events.push(event.unwrap());
        }
        Ok(events)
    }

    async fn refused(&self, ask: ExecuteRequest) -> (Code, String) {
        let status = self.execute(ask).await.unwrap_err();
        (status.code(), Refusal::read("runner", &status).reason)
    }
}

/// Speaks as somebody.
#[derive(Clone)]
pub(crate) struct Speaker(String);

impl Interceptor for Speaker {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

fn echo(artifact_hash: &str) -> ExecuteRequest {
    ExecuteRequest {
        artifact_hash: artifact_hash.to_owned(),
        input: Some("hello".into()),
        ..ExecuteRequest::default()
    }
}

pub(crate) fn asked(case: &Value, artifact_hash: String) -> ExecuteRequest {
    let from = &case["request"];
    let word = |name: &str| text(from, name).to_owned();
    ExecuteRequest {
        artifact_hash,
        input: from.get("input_value").and_then(Value::as_str).map(str::to_owned),
        overrides_json: from.get("tweaks").map(ToString::to_string).unwrap_or_default(),
        selectors: Some(Selectors {
            input_type: word("input_type"),
            output_type: word("output_type"),
            output_component: word("output_component"),
        }),
        session_id: word("session_id"),
        ..ExecuteRequest::default()
    }
}

/// Splits a stream into its outputs, its usage and its last message, and holds the order.
fn told(id: &str, events: Vec<Event>) -> (Vec<Output>, Vec<UsageReport>, Event) {
    let (mut outputs, mut usage) = (Vec::new(), Vec::new());
    let mut events = events.into_iter();
    assert_eq!(
        events.next(),
        Some(Event::Started(Started { engine: "native".into(), warnings: vec![] })),
        "{id}"
    );
    while let Some(event) = events.next() {
        match event {
            Event::Output(output) => outputs.push(output),
            Event::Usage(report) => usage.push(report),
            Event::Done(_) | Event::Failed(_) => {
                assert_eq!(events.next(), None, "{id}: nothing after the end");
                return (outputs, usage, event);
            }
            Event::Started(_) | Event::Delta(_) => panic!("{id}: {event:?}"),
        }
    }
    panic!("{id}: the stream ended without an end")
}

/// Holds what a recorded run streamed against its recording.
fn completed(case: &Value, events: Vec<Event>) {
    let (id, expect) = (text(case, "id"), &case["expect"]);
    let (outputs, usage, end) = told(id, events);
    let recorded = expect["outputs"].as_array().unwrap();
    let texts: Vec<&str> = outputs.iter().map(|own| own.text.as_str()).collect();
    assert_eq!(texts, recorded.iter().map(recorded_text).collect::<Vec<_>>(), "{id}");
    for (own, theirs) in outputs.iter().zip(recorded) {
        assert_eq!(own.component_id, text(theirs, "component_id"), "{id}");
        assert_eq!(own.display_name, text(theirs, "display_name"), "{id}");
    }
    let Event::Done(Done { mut built_components }) = end else { panic!("{id}: {end:?}") };
    if let Some(built) = expect["built_components"].as_array() {
        let mut built: Vec<&str> = built.iter().filter_map(Value::as_str).collect();
        built.sort_unstable();
        built_components.sort_unstable();
        assert_eq!(built_components, built, "{id}");
    }
    let [report] = usage.as_slice() else { panic!("{id}: {usage:?}") };
    let runs = report.usage.iter().find(|line| line.dimension == "runs").unwrap();
    assert_eq!(runs.quantity, 1, "{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_runs_give_over_the_wire_what_was_recorded() {
    let bench = Bench::new().await;
    let cases = ours();
    assert!(cases.len() >= 48, "only {} cases are left", cases.len());
    let (mut well, mut badly, mut rejected) = (0, 0, 0);
    for (case, flow) in &cases {
        let id = text(case, "id");
        let hash = bench.put(&serde_json::to_vec(flow).unwrap()).await;
        let outcome = bench.execute(asked(case, hash)).await;
        let format = case["tags"].as_array().unwrap().iter().any(|tag| tag == "python-format-spec");
        match text(&case["expect"], "status") {
            "completed" if !format => {
                well += 1;
                completed(case, outcome.unwrap());
            }
            "rejected" => {
                rejected += 1;
                assert_eq!(outcome.unwrap_err().code(), Code::InvalidArgument, "{id}");
            }
            _ => {
                badly += 1;
                let (_, _, end) = told(id, outcome.unwrap());
                let Event::Failed(Failed { reason, message, component_id }) = end else { panic!("{id}") };
                assert_eq!(reason, "FLOW_FAILED", "{id}: {message}");
                assert!(!component_id.is_empty() && !message.is_empty(), "{id}");
            }
        }
    }
    assert!(well >= 40 && badly >= 7 && rejected >= 1, "{well} {badly} {rejected}");
    assert!(bench.mesh.drain().await);
}

#[tokio::test]
async fn a_stream_says_started_output_usage_and_done() {
    let bench = Bench::new().await;
    let hash = bench.put_fixture("flows/echo.flow.json").await;
    let (outputs, usage, end) = told("echo", bench.execute(echo(&hash)).await.unwrap());
    assert_eq!(outputs.len(), 1);
    assert_eq!((outputs[0].text.as_str(), outputs[0].component_type.as_str()), ("hello", "ChatOutput"));
    let lines: Vec<_> = usage[0].usage.iter().map(|line| (line.dimension.as_str(), line.quantity)).collect();
    assert_eq!(lines, [("runs", 1), ("input_tokens", 2), ("output_tokens", 2)]);
    assert_eq!(
        end,
        Event::Done(Done { built_components: vec!["ChatInput-in".into(), "ChatOutput-out".into()] })
    );
    let stored = ExecuteRequest { input: None, ..echo(&hash) };
    let empty = ExecuteRequest { input: Some(String::new()), ..echo(&hash) };
    let (stored, ..) = told("stored", bench.execute(stored).await.unwrap());
    let (empty, ..) = told("empty", bench.execute(empty).await.unwrap());
    assert_eq!(empty[0].text, "");
    let flow: Value = serde_json::from_slice(&std::fs::read(bench.file(&hash)).unwrap()).unwrap();
    let nodes = flow["data"]["nodes"].as_array().unwrap();
    let input = nodes.iter().find(|node| text(node, "id") == "ChatInput-in").unwrap();
    let value = input["data"]["node"]["template"]["input_value"]["value"].as_str().unwrap();
    assert_eq!(stored[0].text, value, "an absent input leaves what is stored");
}

#[tokio::test]
async fn an_artifact_that_is_missing_changed_or_no_flow_is_not_run() {
    let bench = Bench::new().await;
    let absent = Hash::of(b"never put").to_string();
    assert_eq!(bench.refused(echo(&absent)).await, (Code::NotFound, "ARTIFACT_NOT_FOUND".into()));
    let hash = bench.put_fixture("flows/echo.flow.json").await;
    let mut bytes = std::fs::read(bench.file(&hash)).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(bench.file(&hash), bytes).unwrap();
    assert_eq!(bench.refused(echo(&hash)).await, (Code::Internal, "ARTIFACT_CORRUPT".into()));
    let hash = bench.put_fixture("flows/echo.flow.json").await;
    assert!(bench.execute(echo(&hash)).await.is_ok(), "putting it again mends it");
    let noise = bench.put(b"{\"data\":").await;
    assert_eq!(bench.refused(echo(&noise)).await, (Code::InvalidArgument, "FLOW_INVALID".into()));
    let foreign = bench.put_fixture("flows/http-get.flow.json").await;
    assert_eq!(bench.refused(echo(&foreign)).await, (Code::InvalidArgument, "UNSUPPORTED_COMPONENT".into()));
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_before_anything_is_streamed() {
    let bench = Bench::new().await;
    let hash = bench.put_fixture("flows/echo.flow.json").await;
    let select = |input: &str, output: &str| {
        let selectors =
            Selectors { input_type: input.into(), output_type: output.into(), ..Selectors::default() };
        ExecuteRequest { selectors: Some(selectors), ..echo(&hash) }
    };
    let overridden = |json: &str| ExecuteRequest { overrides_json: json.into(), ..echo(&hash) };
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let asks = [
        echo(""),
        echo("../../passwd"),
        echo(&hash.to_uppercase()),
        select("speech", ""),
        select("", "all"),
        overridden("[]"),
        overridden("{"),
        overridden(&deep),
        overridden(r#"{"ChatInput-in":{"input_value":"other"}}"#),
        overridden(r#"{"ChatOutput-out":{"code":"x"}}"#),
        ExecuteRequest { effective_config_json: "\"x\"".into(), ..echo(&hash) },
        ExecuteRequest { input: Some("x".repeat(1024 * 1024 + 1)), ..echo(&hash) },
    ];
    for (at, ask) in asks.into_iter().enumerate() {
        assert_eq!(bench.refused(ask).await, (Code::InvalidArgument, "INVALID_ARGUMENT".into()), "{at}");
    }
    let largest = ExecuteRequest { input: Some("x".repeat(1024 * 1024)), ..echo(&hash) };
    let (outputs, ..) = told("largest", bench.execute(largest).await.unwrap());
    assert_eq!(outputs[0].text.len(), 1024 * 1024, "an output of 1 MiB is one message");
}

#[tokio::test]
async fn only_runs_executes_and_only_catalog_checks() {
    let bench = Bench::new().await;
    let hash = bench.put_fixture("flows/echo.flow.json").await;
    for (part, executes, checks) in [
        (PartName::Runs, true, false),
        (PartName::Catalog, false, true),
        (PartName::Billing, false, false),
        (PartName::Runner, false, false),
    ] {
        let code = |allowed: bool| if allowed { Code::Ok } else { Code::PermissionDenied };
        let executed = bench.client(part).execute(echo(&hash)).await.map(drop);
        assert_eq!(executed.map_or_else(|status| status.code(), |()| Code::Ok), code(executes), "{part}");
        let checked = bench.client(part).check_flow(CheckFlowRequest::default()).await.map(drop);
        assert_eq!(checked.map_or_else(|status| status.code(), |()| Code::Ok), code(checks), "{part}");
    }
}

#[tokio::test]
async fn a_check_names_code_node_field_and_never_the_secret() {
    let bench = Bench::new().await;
    let check = async |path: &str| {
        let flow_json = std::fs::read(fixture(path)).unwrap().into();
        let answer = bench.client(PartName::Catalog).check_flow(CheckFlowRequest { flow_json }).await;
        answer.unwrap().into_inner().findings
    };
    assert_eq!(check("flows/echo.flow.json").await, []);
    assert_eq!(check("flows/llm-chat.flow.json").await, [], "a flow that only names a variable passes");
    let flow_json = std::fs::read(fixture("flows/llm-chat.flow.json")).unwrap().into();
    let answer = bench.client(PartName::Catalog).check_flow(CheckFlowRequest { flow_json }).await;
    let warnings = answer.unwrap().into_inner().warnings;
    assert_eq!(warnings.len(), 1, "its own base URL is no reason to refuse it");
    let told = &warnings[0];
    assert_eq!((told.code.as_str(), told.field.as_str()), ("BASE_URL_IGNORED", "openai_api_base"));
    assert!(told.node_id.starts_with("OpenAIModel") && told.message.contains("MODEL_API_KEY"), "{told:?}");
    assert!(!told.message.contains("://") && !told.message.contains("127.0.0.1"), "{told:?}");
    let findings = check("flows/http-get.flow.json").await;
    assert!(!findings.is_empty());
    for found in findings {
        assert_eq!(found.code, "UNSUPPORTED_COMPONENT");
        assert!(!found.node_id.is_empty() && !found.message.is_empty());
    }
    let mut flow: Value =
        serde_json::from_slice(&std::fs::read(fixture("flows/echo.flow.json")).unwrap()).unwrap();
    let secret = ["sk-pro", "j-4f9QxT2mB7vL0cR8yW3nZ6kD1hJ5gS"].concat();
    flow["data"]["nodes"][0]["data"]["node"]["template"]["input_value"]["value"] = secret.clone().into();
    let flow_json = serde_json::to_vec(&flow).unwrap().into();
    let answer = bench.client(PartName::Catalog).check_flow(CheckFlowRequest { flow_json }).await;
    let findings = answer.unwrap().into_inner().findings;
    assert!(
        findings.iter().any(|found| !found.node_id.is_empty() && !found.field.is_empty()),
        "{findings:?}"
    );
    assert!(!format!("{findings:?}").contains(&secret[6..]), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let hash = bench.put_fixture("flows/router-merge.flow.json").await;
    for at in 0..64 {
        let mut client = bench.client(PartName::Runs);
        let mut call = Box::pin(client.execute(echo(&hash)));
        if at % 2 == 0 {
            // Left before the answer: polled once, so that the request is on its way.
            assert!(futures::poll!(&mut call).is_pending());
        } else {
            drop(call.await.unwrap());
        }
    }
    let (outputs, ..) = told("after", bench.execute(echo(&hash)).await.unwrap());
    assert!(!outputs.is_empty(), "the engines are free again");
    assert!(bench.mesh.drain().await, "no task is left");
}
