//! Recorded runs of Langflow, end to end: each flow is published as an offering; what a buyer may ask is run
//! by the command line, and every case by the engine behind it on the operator's socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use souk_kit::Refusal;
use souk_proto::souk::runner::v1::{
    ExecuteRequest, Selectors, execute_response::Event, runner_service_client::RunnerServiceClient,
};
use souk_testkit::SeededRandom;
use souk_types::Random;
use tonic::{Request, transport::Endpoint};

use crate::harness::{Souk, Told};

/// What the engine has besides models, whose endpoints are a test of their own.
const COMPONENTS: [&str; 7] =
    ["ChatInput", "TextInput", "Prompt", "Prompt Template", "ConditionalRouter", "ChatOutput", "TextOutput"];

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/runner/tests/fixtures").join(path)
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(path)).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn nodes(flow: &Value) -> Vec<&Value> {
    let all = flow["data"]["nodes"].as_array().unwrap();
    all.iter().filter(|node| text(node, "type") != "noteNode").collect()
}

/// The recorded cases of flows that only use what the engine has, by flow.
fn cases() -> BTreeMap<String, (Value, Vec<Value>)> {
    let mut found = BTreeMap::new();
    for case in read("manifest.json")["vectors"].as_array().unwrap() {
        let path = text(case, "flow");
        let flow = read(path);
        if nodes(&flow).iter().all(|node| COMPONENTS.contains(&text(&node["data"], "type"))) {
            found.entry(path.to_owned()).or_insert_with(|| (flow, Vec::new())).1.push(case.clone());
        }
    }
    let count: usize = found.values().map(|(_, cases)| cases.len()).sum();
    assert!(count >= 48, "only {count} cases are left");
    found
}

/// `flows/router-merge.flow.json` is offered as `router-merge`.
fn slug(path: &str) -> &str {
    path.trim_start_matches("flows/").trim_end_matches(".flow.json")
}

fn publish(souk: &Souk, slug: &str, flow: &Value) -> Told {
    let file = souk.scratch().join(format!("{slug}.yaml"));
    let manifest = format!(
        "slug: {slug}\nname: Recorded {slug}\ncapabilities: [chat]\n\
         plans:\n  - {{slug: free, name: Free, selfService: true}}\ndefaultPlan: free\n\
         schedule:\n  prices:\n    - {{dimension: runs, credits: 1}}\n    \
         - {{dimension: input_tokens, credits: 0.002}}\n    - {{dimension: output_tokens, credits: 0.006}}\n  \
         defaultEstimate: {{runs: 1, input_tokens: 100, output_tokens: 100}}\n\
         flow: {slug}.json\n"
    );
    fs::write(&file, manifest).unwrap();
    fs::write(file.with_extension("json"), flow.to_string()).unwrap();
    souk.cli(&["offerings", "publish", file.to_str().unwrap(), "--json"])
}

/// The engine behind the platform, reached as its operator reaches it.
struct Engine {
    runtime: tokio::runtime::Runtime,
    client: RunnerServiceClient<tonic::transport::Channel>,
}

/// How an execution ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// With outputs: component, name, text.
    Completed(Vec<(String, String, String)>),
    /// With a reason.
    Failed(String),
}

impl Ended {
    fn texts(&self) -> Result<Vec<&str>, &str> {
        match self {
            Self::Completed(outputs) => {
                let mut texts: Vec<_> = outputs.iter().map(|(_, _, text)| text.as_str()).collect();
                texts.sort_unstable();
                Ok(texts)
            }
            Self::Failed(reason) => Err(reason),
        }
    }
}

impl Engine {
    fn of(souk: &Souk) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let socket = Endpoint::from_shared(format!("unix:{}", souk.socket("runner").display()));
        let _entered = runtime.enter();
        let client = RunnerServiceClient::new(socket.unwrap().connect_lazy());
        Self { runtime, client }
    }

    fn execute(&self, token: &str, hash: &str, ask: &Value) -> Ended {
        let word = |name: &str| text(ask, name).to_owned();
        let tweaks = ask.get("tweaks").and_then(Value::as_object);
        let mut request = Request::new(ExecuteRequest {
            artifact_hash: hash.to_owned(),
            input: ask.get("input_value").and_then(Value::as_str).map(str::to_owned),
            overrides_json: tweaks
                .map(|tweaks| Value::Object(tweaks.clone()).to_string())
                .unwrap_or_default(),
            selectors: Some(Selectors {
                input_type: word("input_type"),
                output_type: word("output_type"),
                output_component: word("output_component"),
            }),
            session_id: word("session_id"),
            ..ExecuteRequest::default()
        });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let mut client = self.client.clone();
        self.runtime.block_on(async move {
            let mut answers = match client.execute(request).await {
                Ok(answers) => answers.into_inner(),
                Err(refused) => return Ended::Failed(Refusal::read("runner", &refused).reason),
            };
            let (mut outputs, mut ended) = (Vec::new(), None);
            while let Some(answer) = answers.message().await.unwrap() {
                assert!(ended.is_none(), "something came after the end: {answer:?}");
                match answer.event.unwrap() {
                    Event::Output(output) => {
                        outputs.push((output.component_id, output.display_name, output.text));
                    }
                    Event::Done(_) => ended = Some(Ended::Completed(std::mem::take(&mut outputs))),
                    Event::Failed(failed) => ended = Some(Ended::Failed(failed.reason)),
                    Event::Started(_) | Event::Delta(_) | Event::Usage(_) => {}
                }
            }
            ended.expect("the stream ended without done or failed")
        })
    }
}

/// A token of the part that may execute, good for a minute.
fn token(souk: &Souk) -> String {
    let told = souk.json(&["mesh-token", "--part", "runs"]);
    told["token"].as_str().unwrap().to_owned()
}

/// What the recording says of a case, in the words of the engine.
fn recorded(case: &Value) -> Ended {
    let expect = &case["expect"];
    let of_python = case["tags"].as_array().unwrap().iter().any(|tag| tag == "python-format-spec");
    match text(expect, "status") {
        // Python's format specifications are refused by name.
        _ if of_python => Ended::Failed("FLOW_FAILED".into()),
        "failed" => Ended::Failed("FLOW_FAILED".into()),
        "rejected" => Ended::Failed("INVALID_ARGUMENT".into()),
        _ => {
            let output = |output: &Value| {
                let said = output.get("text").or_else(|| output.get("outputs")?.get("text")).unwrap();
                let said = said.as_str().unwrap().to_owned();
                (text(output, "component_id").to_owned(), text(output, "display_name").to_owned(), said)
            };
            Ended::Completed(expect["outputs"].as_array().unwrap().iter().map(output).collect())
        }
    }
}

/// Whether a buyer can ask it: an input, and nothing that turns the flow's own screws.
fn is_plain(request: &Value) -> bool {
    let screws = ["tweaks", "input_type", "output_type", "output_component"];
    request.get("input_value").is_some() && screws.iter().all(|screw| request.get(*screw).is_none())
}

/// The same ending from a buyer's run.
fn run(souk: &Souk, slug: &str, request: &Value) -> Ended {
    let (input, session) = (text(request, "input_value"), text(request, "session_id"));
    let told = souk.cli(&["run", slug, input, "--session", session, "--json"]);
    let run: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{}{}", told.out, told.err));
    if run["state"] != "STATE_SUCCEEDED" {
        return Ended::Failed(text(&run["error"], "reason").to_owned());
    }
    let outputs = run["outputs"].as_array().unwrap();
    assert_eq!(run["output"], outputs[0]["text"], "the first output is the run's");
    assert_eq!(run["sessionId"], session);
    let word = |output: &Value, name: &str| text(output, name).to_owned();
    let output = |o: &Value| (word(o, "componentId"), word(o, "displayName"), word(o, "text"));
    Ended::Completed(outputs.iter().map(output).collect())
}

#[test]
fn recorded_flows_give_what_was_recorded_from_publication_to_output() {
    let souk = Souk::up_with(&["--no-demo"]);
    souk.json(&["workspace"]);
    let engine = Engine::of(&souk);
    let (mut executed, mut bought) = (0, 0);
    for (path, (flow, cases)) in cases() {
        let slug = slug(&path);
        let published = publish(&souk, slug, &flow).json();
        let hash = text(&published, "artifactHash");
        let token = token(&souk);
        if cases.iter().any(|case| is_plain(&case["request"])) {
            souk.json(&["instances", "activate", slug]);
            assert!(souk.cli(&["instances", "watch", slug, "--until", "ACTIVE"]).ok);
        }
        for case in &cases {
            let (id, request) = (text(case, "id"), &case["request"]);
            assert_eq!(engine.execute(&token, hash, request), recorded(case), "{id}");
            executed += 1;
            if is_plain(request) {
                assert_eq!(run(&souk, slug, request), recorded(case), "{id}, as a buyer's run");
                bought += 1;
            }
        }
        let again = publish(&souk, slug, &flow).json();
        assert_eq!(again["offeringVersionId"], published["offeringVersionId"], "equal content, one version");
    }
    println!("{executed} recorded cases by Execute, {bought} of them as a buyer's run too");
    assert!(executed >= 48 && bought >= 10, "{executed}, {bought}");
}

/// Replaces names in every text of a document, keys and handles included.
fn renamed(value: &Value, names: &[(String, String)]) -> Value {
    let rename = |text: &str| names.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
    match value {
        Value::String(text) => rename(text).into(),
        Value::Array(items) => items.iter().map(|item| renamed(item, names)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, item)| (rename(key), renamed(item, names)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The same flow by other names, its nodes and edges in another order; and the names.
fn disguised(flow: &Value) -> (Value, Vec<(String, String)>) {
    let name = |(at, node): (usize, &&Value)| (text(node, "id").to_owned(), format!("n{at}-x"));
    let names: Vec<_> = nodes(flow).iter().enumerate().map(name).collect();
    let mut flow = renamed(flow, &names);
    for list in ["nodes", "edges"] {
        let items = flow["data"][list].as_array_mut().unwrap();
        items.reverse();
        let half = items.len() / 2;
        items.rotate_left(half);
    }
    (flow, names)
}

#[test]
fn names_order_and_any_text_change_nothing() {
    let souk = Souk::up_with(&["--no-demo"]);
    let engine = Engine::of(&souk);
    for (path, (flow, cases)) in cases() {
        let slug = slug(&path);
        let (flow, names) = disguised(&flow);
        let published = publish(&souk, slug, &flow).json();
        let (hash, token) = (text(&published, "artifactHash"), token(&souk));
        for case in &cases {
            let request = renamed(&case["request"], &names);
            let ended = engine.execute(&token, hash, &request);
            assert_eq!(ended.texts(), recorded(case).texts(), "{}", text(case, "id"));
        }
        if slug == "echo" {
            for said in texts(40) {
                let ended = engine.execute(&token, hash, &serde_json::json!({"input_value": said}));
                assert_eq!(ended.texts(), Ok(vec![said.as_str()]));
            }
        }
    }
}

/// Texts of every kind of character that means something somewhere, the same ones each time.
fn texts(count: u8) -> Vec<String> {
    const ALPHABET: [&str; 16] =
        ["a", " ", "\n", "{", "}", "{{", "\\", "\"", "'", "é", "😀", "\u{0}", "$", "%s", "<", "\u{202e}"];
    let random = SeededRandom::new(7);
    let mut texts = Vec::new();
    for length in 1..=count {
        let mut bytes = vec![0_u8; usize::from(length)];
        random.fill(&mut bytes);
        texts.push(bytes.iter().map(|byte| ALPHABET[usize::from(byte % 16)]).collect());
    }
    texts
}

#[test]
fn a_planted_credential_is_refused_by_place_and_never_told() {
    let souk = Souk::up_with(&["--no-demo"]);
    // In parts, so that no scanner of this repository takes it for one that somebody lost.
    let secret = ["ghp", "_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"].concat();
    let mut flow = read("flows/echo.flow.json");
    let node = &mut flow["data"]["nodes"].as_array_mut().unwrap()[0];
    let id = node["id"].as_str().unwrap().to_owned();
    node["data"]["node"]["template"]["sender_name"]["value"] = secret.as_str().into();
    let file = souk.scratch().join("leak.yaml");
    let told = publish(&souk, "leak", &flow);
    let told_people = souk.cli(&["offerings", "publish", file.to_str().unwrap()]);
    for told in [told, told_people] {
        assert!(!told.ok, "{}", told.out);
        for word in ["CREDENTIAL_IN_FLOW", &id, "sender_name"] {
            assert!(told.err.contains(word), "{word}: {}", told.err);
        }
        assert!(!told.err.contains(&secret) && !told.out.contains(&secret), "{}", told.err);
        assert!(!told.err.contains(&secret[..12]), "{}", told.err);
    }
    assert_eq!(souk.json(&["offerings", "ls"])["offerings"], Value::Array(vec![]));
    assert!(!holds(&souk.data(), secret.as_bytes()), "the secret was kept");
}

/// Whether a file under `dir` holds these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        let found = || fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes);
        if kind.is_dir() { holds(&path, bytes) } else { kind.is_file() && found() }
    })
}

#[test]
fn what_the_engine_lacks_is_refused_by_name() {
    let souk = Souk::up_with(&["--no-demo"]);
    let mut kinds = BTreeSet::new();
    for path in ["flows/http-get.flow.json", "flows/tool-invoke.flow.json"] {
        let flow = read(path);
        let told = publish(&souk, slug(path), &flow);
        assert!(!told.ok && told.err.contains("UNSUPPORTED_COMPONENT"), "{}", told.err);
        for node in nodes(&flow) {
            let (id, kind) = (text(node, "id"), text(&node["data"], "type"));
            if !COMPONENTS.contains(&kind) {
                assert!(told.err.contains(id) && told.err.contains(kind), "{id}: {}", told.err);
                kinds.insert(kind.to_owned());
            }
        }
    }
    assert!(kinds.len() >= 3, "{kinds:?}");
    assert_eq!(souk.json(&["offerings", "ls"])["offerings"], Value::Array(vec![]));
}
