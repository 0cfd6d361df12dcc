//! Flows that ask models: recorded runs with their recorded upstream, and a server that does everything an
//! endpoint may do wrong.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use souk_proto::souk::runner::v1::{
    Delta, ExecuteRequest, ExecuteResponse, Failed, Output, execute_response::Event,
};
use souk_runner::Config;
use souk_types::PartName;

use crate::{
    api::{Bench, asked},
    upstream::{Asked, Reply, Then, Upstream, delta, end},
    vectors::{asking, fixture, json as read_json, recorded_text, text},
};

pub(crate) const KEY: &str = "canary-key-0123456789abcdef";

/// What a run said, sorted.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) warnings: Vec<String>,
    pub(crate) deltas: Vec<(String, String)>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) runs: i64,
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) built: Vec<String>,
    pub(crate) failed: Option<Failed>,
}

impl Heard {
    pub(crate) fn of(events: Vec<Event>) -> Self {
        let mut heard = Self::default();
        for event in events {
            assert!(heard.failed.is_none() && heard.built.is_empty(), "nothing after the end");
            match event {
                Event::Started(started) => heard.warnings = started.warnings,
                Event::Delta(Delta { component_id, text }) => heard.deltas.push((component_id, text)),
                Event::Output(output) => heard.outputs.push(output),
                Event::Usage(report) => {
                    for line in report.usage {
                        assert!(line.quantity > 0, "usage only grows");
                        match line.dimension.as_str() {
                            "runs" => heard.runs += line.quantity,
                            "input_tokens" => heard.input += line.quantity,
                            "output_tokens" => heard.output += line.quantity,
                            other => panic!("{other}"),
                        }
                    }
                }
                Event::Done(done) => heard.built = done.built_components,
                Event::Failed(failed) => heard.failed = Some(failed),
            }
        }
        assert!(heard.failed.is_some() || !heard.built.is_empty(), "there is an end");
        heard
    }

    pub(crate) fn used(&self) -> (i64, i64, i64) {
        (self.runs, self.input, self.output)
    }

    pub(crate) fn said(&self) -> String {
        self.deltas.iter().map(|(_, text)| text.as_str()).collect()
    }

    pub(crate) fn failure(&self) -> (&str, &str) {
        let failed = self.failed.as_ref().unwrap();
        assert_eq!(failed.component_id, "OpenAIModel-m");
        (&failed.reason, &failed.message)
    }
}

pub(crate) fn unstreamed() -> Config {
    Config { stream_models: false, ..Config::default() }
}

/// A bench whose one endpoint is the server.
pub(crate) async fn bench(config: &Config, upstream: &Upstream) -> Bench {
    let bench = Bench::with(config).await;
    bench.endpoints.add(&bench.secrets, "MODEL_API_KEY", &upstream.url(), KEY).await;
    bench
}

pub(crate) async fn chat(bench: &Bench) -> Heard {
    let artifact_hash = bench.put_fixture("flows/llm-chat-stream.flow.json").await;
    let ask = ExecuteRequest { artifact_hash, input: Some("hello there".into()), ..Default::default() };
    Heard::of(bench.execute(ask).await.unwrap())
}

/// One run against a server that always answers the same.
pub(crate) async fn against(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Heard {
    let upstream = Upstream::new(reply);
    chat(&bench(&Config::default(), &upstream).await).await
}

/// Answers the recorded upstream's answers one after the other, whole or as a stream.
fn replay(recorded: &Value, streams: bool) -> Upstream {
    let calls: Vec<Value> = recorded.as_array().unwrap().clone();
    let next = Mutex::new(calls.into_iter());
    Upstream::new(move |_| {
        let answer = next.lock().unwrap().next().unwrap()["response"].clone();
        let (status, body) = (u16::try_from(answer["status"].as_u64().unwrap()).unwrap(), &answer["json"]);
        if !streams || status != 200 {
            return Reply::json(status, body);
        }
        let content = body["choices"][0]["message"]["content"].as_str().unwrap();
        let count = |name: &str| body["usage"][name].as_u64().unwrap();
        let mut pieces: Vec<String> = content.split_inclusive(' ').map(delta).collect();
        pieces.push(end(count("prompt_tokens"), count("completion_tokens")));
        Reply::stream(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), Then::Close)
    })
}

/// The server was asked what was recorded, and nothing else.
fn asked_as_recorded(id: &str, upstream: &Upstream, recorded: &Value, streams: bool) {
    let (own, recorded) = (upstream.asked(), recorded.as_array().unwrap());
    assert_eq!(own.len(), recorded.len(), "{id}");
    for (own, theirs) in own.iter().zip(recorded) {
        assert_eq!(own.line, format!("{} {}", text(theirs, "method"), text(theirs, "path")), "{id}");
        let bearer = text(&theirs["headers"], "authorization").replace("<MODEL_API_KEY>", KEY);
        assert_eq!(own.header("authorization"), Some(bearer.as_str()), "{id}");
        assert_eq!(own.header("content-type"), Some("application/json"), "{id}");
        let mut body = theirs["body"].clone();
        if streams {
            body["stream"] = true.into();
            body["stream_options"] = json!({ "include_usage": true });
        }
        assert_eq!(own.body, body, "{id}");
    }
}

async fn recorded_runs(streams: bool) {
    let cases = asking();
    assert_eq!(cases.len(), 12);
    for (case, flow) in cases {
        let (id, expect) = (text(&case, "id"), &case["expect"]);
        let upstream = replay(&expect["upstream"], streams);
        let bench = bench(&Config { stream_models: streams, ..Config::default() }, &upstream).await;
        bench.endpoints.add(&bench.secrets, "BAD_MODEL_KEY", &upstream.url(), "bad-key").await;
        let hash = bench.put(&serde_json::to_vec(&flow).unwrap()).await;
        let heard = Heard::of(bench.execute(asked(&case, hash)).await.unwrap());
        asked_as_recorded(id, &upstream, &expect["upstream"], streams);
        let Some(recorded) = expect["outputs"].as_array() else {
            let reason = match id {
                "llm-429" | "llm-500" => "MODEL_UNAVAILABLE",
                "llm-bad-key" => "MODEL_REFUSED",
                _ => "MODEL_ENDPOINT_NOT_FOUND",
            };
            assert_eq!((heard.failure().0, heard.used()), (reason, (0, 0, 0)), "{id}");
            continue;
        };
        assert_eq!(heard.failed, None, "{id}");
        let outputs = heard.outputs.iter().map(|own| (own.component_id.as_str(), own.text.as_str()));
        let theirs = recorded.iter().map(|own| (text(own, "component_id"), recorded_text(own)));
        assert_eq!(outputs.collect::<Vec<_>>(), theirs.collect::<Vec<_>>(), "{id}");
        let total = &expect["usage_total"];
        let count = |name: &str| total[name].as_i64().unwrap();
        assert_eq!(heard.used(), (1, count("input_tokens"), count("output_tokens")), "{id}");
        assert_eq!(Value::from(heard.built), expect["built_components"], "{id}");
        for output in &heard.outputs {
            let own = heard.deltas.iter().filter(|(component, _)| *component == output.component_id);
            let said: String = own.map(|(_, text)| text.as_str()).collect();
            assert_eq!(said, output.text, "{id}: an output's deltas are its text");
        }
        assert!(heard.warnings.iter().all(|warning| warning.contains("base URL is ignored")), "{id}");
        assert!(!heard.warnings.is_empty(), "{id}: the recorded flows have base URLs of their own");
    }
}

#[tokio::test]
async fn recorded_model_runs_ask_and_give_what_was_recorded() {
    recorded_runs(false).await;
}

#[tokio::test]
async fn recorded_model_runs_give_the_same_when_they_are_streamed() {
    recorded_runs(true).await;
}

#[tokio::test]
async fn an_answer_is_told_and_counted_as_it_arrives() {
    let upstream = Upstream::new(|_| Reply::stream(&[&delta("one "), &delta("two")], Then::Silence));
    let bench = bench(&Config::default(), &upstream).await;
    let artifact_hash = bench.put_fixture("flows/llm-chat-stream.flow.json").await;
    let ask = ExecuteRequest { artifact_hash, input: Some("hi".into()), ..Default::default() };
    let mut answers = bench.client(PartName::Runs).execute(ask).await.unwrap().into_inner();
    let mut told = Vec::new();
    while told.len() < 5 {
        let ExecuteResponse { event } = answers.message().await.unwrap().unwrap();
        told.push(match event.unwrap() {
            Event::Started(_) => "started".to_owned(),
            Event::Delta(delta) => delta.text,
            Event::Usage(report) => {
                let line =
                    |own: &souk_proto::souk::runner::v1::Usage| format!("{} {}", own.dimension, own.quantity);
                report.usage.iter().map(line).collect::<Vec<_>>().join(", ")
            }
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["started", "one ", "runs 1, output_tokens 1", "two", "output_tokens 1"]);
    // The endpoint says no more; who leaves breaks the call off.
    drop(answers);
    while upstream.left() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(bench.mesh.drain().await, "no task is left");
}

#[tokio::test]
async fn streams_of_every_shape_are_read() {
    let done = "data: [DONE]\n\n";
    let one = |text: &str| delta(text);
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let two_lines = "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"ab\"}}]}\n\n";
    for (name, pieces) in [
        ("line ends", vec![crlf(&one("a")), one("b").replace('\n', "\r"), end(1, 2)]),
        ("comments", vec![": ping\n\n".into(), one("a"), ": ping\n".into(), one("b"), end(1, 2)]),
        ("events with names", vec!["event: x\nid: 1\n".into(), one("ab"), end(1, 2)]),
        ("data of two lines", vec![two_lines.into(), end(1, 2)]),
        ("no [DONE]", vec![one("ab"), end(1, 2).replace(done, "")]),
        ("no line end", vec![one("ab"), end(1, 2).trim_end().to_owned()]),
        ("no usage", vec![one("a"), one("b"), stop.into(), done.into()]),
        ("empty deltas", vec![one(""), one("ab"), one(""), end(1, 2)]),
    ] {
        let heard = against(move |_| {
            Reply::stream(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), Then::Close)
        });
        let heard = heard.await;
        assert_eq!((heard.said().as_str(), &heard.failed), ("ab", &None), "{name}");
        assert_eq!(heard.outputs[0].text, "ab", "{name}");
        // Without the endpoint's count texts are measured: "hello there" is three times four bytes.
        let used = if name == "no usage" { (1, 3, 2) } else { (1, 1, 2) };
        assert_eq!(heard.used(), used, "{name}");
    }
}

#[tokio::test]
async fn characters_that_are_cut_in_two_are_whole() {
    let whole = delta("naïve 𝄞 €").into_bytes();
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec();
    let heard = against(move |_| {
        let mut bytes = vec![head.clone()];
        bytes.extend(whole.iter().map(|byte| vec![*byte]));
        bytes.push(end(1, 1).into_bytes());
        Reply::raw(bytes, Then::Close)
    });
    assert_eq!(heard.await.said(), "naïve 𝄞 €");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let wrong =
        [head.as_bytes(), b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\xc3b\"}}]}\n\n"].concat();
    let heard = against(move |_| Reply::raw(vec![wrong.clone(), end(1, 1).into_bytes()], Then::Close)).await;
    assert_eq!((heard.said().as_str(), heard.failed), ("a\u{FFFD}\u{FFFD}b", None));
}

#[tokio::test]
async fn a_stream_that_breaks_off_keeps_what_came_and_is_charged() {
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |text: String| format!("{:x}\r\n{text}\r\n", text.len());
    let cut = vec![chunked.to_owned(), chunk(delta("one ")), chunk(delta("two"))];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_owned();
    let gave_up = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n".to_owned();
    for (name, pieces) in [
        ("a chunk that never came", cut),
        ("a clean end too early", vec![head.clone(), delta("one "), delta("two")]),
        ("half an event", vec![head.clone(), delta("one "), delta("two"), "data: {\"choi".into()]),
        ("an error in the stream", vec![head.clone(), delta("one "), delta("two"), gave_up]),
        ("noise", vec![head, delta("one "), delta("two"), "data: <html>\n\n".into()]),
    ] {
        let heard = against(move |_| {
            Reply::raw(pieces.iter().map(|piece| piece.clone().into_bytes()).collect(), Then::Close)
        })
        .await;
        assert_eq!(heard.failure().0, "MODEL_UNAVAILABLE", "{name}");
        assert_eq!((heard.said().as_str(), heard.outputs.len()), ("one two", 0), "{name}");
        assert_eq!(heard.used(), (1, 3, 2), "{name}: what was said is counted");
    }
}

#[tokio::test]
async fn refusals_tell_status_and_reason_and_are_not_charged() {
    for (status, body, reason, told) in [
        (400, json!({ "error": { "message": "too\n long" } }), "MODEL_REFUSED", "answered 400: too long"),
        (401, json!({ "error": "no key" }), "MODEL_REFUSED", "answered 401: no key"),
        (404, json!({ "detail": "no such model" }), "MODEL_REFUSED", "answered 404: no such model"),
        (302, json!({}), "MODEL_REFUSED", "answered 302: redirects are not followed"),
        (307, json!({}), "MODEL_REFUSED", "answered 307: redirects are not followed"),
        (429, json!({ "error": { "message": "slow" } }), "MODEL_UNAVAILABLE", "answered 429: slow"),
        (408, json!({ "message": "late" }), "MODEL_UNAVAILABLE", "answered 408: late"),
        (503, json!("down"), "MODEL_UNAVAILABLE", "answered 503: down"),
        (200, json!({ "object": "list" }), "MODEL_UNAVAILABLE", "something that is no chat completion"),
    ] {
        let heard = against(move |_| Reply::json(status, &body)).await;
        let (own, message) = heard.failure();
        assert_eq!((own, heard.used()), (reason, (0, 0, 0)), "{status}");
        assert!(message.contains(told), "{status}: {message}");
    }
    let long = against(|_| Reply::body(500, "text/html", "<p>\u{7}é".repeat(100_000).as_bytes())).await;
    assert!(long.failure().1.chars().count() < 400 && !long.failure().1.contains('\u{7}'));
}

#[tokio::test]
async fn an_endpoint_that_is_away_or_silent_is_said_to_be() {
    let quick =
        Config { model_first_byte_ms: 40, model_idle_ms: 40, model_connect_ms: 1000, ..Config::default() };
    let gone = Upstream::new(|_| Reply::raw(vec![], Then::Close));
    let heard = chat(&bench(&quick, &gone).await).await;
    assert!(heard.failure().1.contains("broke off before it answered"), "{heard:?}");
    let silent = Upstream::new(|_| Reply::raw(vec![], Then::Silence));
    let heard = chat(&bench(&quick, &silent).await).await;
    assert!(heard.failure().1.contains("did not begin to answer within 40 ms"), "{heard:?}");
    let fades = Upstream::new(|_| Reply::stream(&[&delta("one")], Then::Silence));
    let heard = chat(&bench(&quick, &fades).await).await;
    assert!(heard.failure().1.contains("fell silent for 40 ms"), "{heard:?}");
    assert_eq!((heard.said().as_str(), heard.used()), ("one", (1, 3, 1)));
    let whole = Config { model_whole_ms: 40, ..Config::default() };
    let heard = chat(&bench(&whole, &fades).await).await;
    assert!(heard.failure().1.contains("did not end its answer within 40 ms"), "{heard:?}");
    let nobody = Bench::new().await;
    nobody.endpoints.add(&nobody.secrets, "MODEL_API_KEY", "http://127.0.0.1:1/v1", KEY).await;
    let heard = chat(&nobody).await;
    assert_eq!(heard.failure().0, "MODEL_UNAVAILABLE");
    assert!(heard.failure().1.contains("cannot be reached"), "{heard:?}");
}

#[tokio::test]
async fn answers_have_bounds() {
    let huge = format!("data: {}\n\n", "x".repeat(600 * 1024));
    let heard = against(move |_| Reply::stream(&[&delta("a"), &huge], Then::Close)).await;
    assert!(heard.failure().1.contains("more than is taken"), "{heard:?}");
    assert_eq!(heard.said(), "a");
    let piece = delta(&"y".repeat(300 * 1024));
    let upstream = Upstream::new(move |_| Reply::stream(&[piece.as_str(); 5], Then::Close));
    let heard = chat(&bench(&Config::default(), &upstream).await).await;
    let failed = heard.failed.unwrap();
    assert!(failed.reason == "FLOW_FAILED" && failed.message.contains("1048576"), "{failed:?}");
    let whole = json!({ "choices": [{ "message": { "content": "z".repeat(9 * 1024 * 1024) } }] });
    let upstream = Upstream::new(move |_| Reply::json(200, &whole));
    let heard = chat(&bench(&unstreamed(), &upstream).await).await;
    assert!(heard.failure().1.contains("more than is taken"));
}

#[tokio::test]
async fn the_key_comes_back_by_nothing() {
    let echo = |asked: &Asked| asked.header("authorization").unwrap().to_owned();
    let error = move |status: u16| {
        move |asked: &Asked| {
            let key = echo(asked).replace("Bearer ", "");
            let parts = format!("{} or {}...{}", echo(asked), &key[..9], &key[key.len() - 10..]);
            Reply::json(status, &json!({ "error": { "message": format!("bad key {parts}") } }))
        }
    };
    let streamed = move |asked: &Asked| {
        let text = format!("your key is {} !", echo(asked));
        let mut pieces: Vec<String> = text
            .chars()
            .collect::<Vec<_>>()
            .chunks(3)
            .map(|own| delta(&own.iter().collect::<String>()))
            .collect();
        pieces.push(end(1, 1));
        Reply::stream(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), Then::Close)
    };
    let broken = move |asked: &Asked| {
        let gave_up = json!({ "error": { "message": echo(asked) } });
        Reply::stream(&[&delta(&echo(asked)), &format!("data: {gave_up}\n\n")], Then::Close)
    };
    let whole = move |asked: &Asked| {
        Reply::json(200, &json!({ "choices": [{ "message": { "content": echo(asked) } }] }))
    };
    let text = move |asked: &Asked| Reply::body(500, "text/plain", echo(asked).as_bytes());
    for heard in [
        against(error(401)).await,
        against(error(500)).await,
        against(streamed).await,
        against(broken).await,
        against(whole).await,
        against(text).await,
    ] {
        let told = format!("{heard:?}");
        assert!(told.contains("***"), "{told}");
        let said = heard.said();
        for at in 0..KEY.len() - 9 {
            assert!(!told.contains(&KEY[at..at + 9]) && !said.contains(&KEY[at..at + 9]), "{told}");
        }
    }
}

#[tokio::test]
async fn the_endpoint_decides_where_a_request_goes_and_which_model_is_asked() {
    let upstream = Upstream::new(|_| Reply::stream(&[&delta("a"), &end(1, 1)], Then::Close));
    let thief = Upstream::new(|_| Reply::json(200, &json!({})));
    let bench = bench(&Config::default(), &upstream).await;
    let mut flow = read_json("flows/llm-chat-stream.flow.json");
    let model = |flow: &mut Value, field: &str, value: Value| {
        let nodes = flow["data"]["nodes"].as_array_mut().unwrap();
        let node = nodes.iter_mut().find(|node| node["id"] == "OpenAIModel-m").unwrap();
        node["data"]["node"]["template"][field]["value"] = value;
    };
    model(&mut flow, "openai_api_base", thief.url().into());
    let run = async |flow: &Value| {
        let artifact_hash = bench.put(&serde_json::to_vec(flow).unwrap()).await;
        let ask = ExecuteRequest { artifact_hash, input: Some("hi".into()), ..Default::default() };
        Heard::of(bench.execute(ask).await.unwrap())
    };
    let heard = run(&flow).await;
    assert_eq!(heard.said(), "a");
    assert!(heard.warnings[0].contains("base URL is ignored") && !heard.warnings[0].contains("127.0.0.1"));
    assert!(thief.asked().is_empty(), "nothing goes where the flow says");
    // A tweak of the base or the key leads nowhere either.
    let hash = bench.put(&serde_json::to_vec(&flow).unwrap()).await;
    let tweak = json!({ "OpenAIModel-m": { "openai_api_base": thief.url(), "api_key": "sk-literal-key" } });
    let ask = ExecuteRequest {
        artifact_hash: hash,
        input: Some("hi".into()),
        overrides_json: tweak.to_string(),
        ..Default::default()
    };
    let heard = Heard::of(bench.execute(ask).await.unwrap());
    assert_eq!(heard.failure().0, "FLOW_FAILED");
    assert!(!heard.failure().1.contains("sk-literal"));
    bench
        .endpoints
        .change("MODEL_API_KEY", |own| own.model_endpoint.as_mut().unwrap().models = vec!["other".into()]);
    let heard = run(&flow).await;
    assert_eq!(heard.failure().0, "MODEL_REFUSED");
    model(&mut flow, "model_name", "".into());
    assert!(run(&flow).await.failure().1.contains("no default model"));
    bench.endpoints.change("MODEL_API_KEY", |own| {
        own.model_endpoint.as_mut().unwrap().default_model = "other".into();
    });
    assert_eq!(run(&flow).await.said(), "a");
    assert_eq!(upstream.asked().last().unwrap().body["model"], "other");
    bench.endpoints.change("MODEL_API_KEY", |own| {
        own.model_endpoint.as_mut().unwrap().url = "http://example.com".into()
    });
    assert_eq!(run(&flow).await.failure().0, "MODEL_REFUSED", "a key never goes out in clear");
    assert!(thief.asked().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_says_what_to_type_and_one_without_a_key_sends_none() {
    let upstream = Upstream::new(|_| Reply::stream(&[&delta("a"), &end(1, 1)], Then::Close));
    let bench = Bench::new().await;
    let heard = chat(&bench).await;
    let told = "souk model add MODEL_API_KEY --url URL --key-file FILE";
    assert!(heard.failure().0 == "MODEL_ENDPOINT_NOT_FOUND" && heard.failure().1.contains(told), "{heard:?}");
    bench.endpoints.add(&bench.secrets, "MODEL_API_KEY", &upstream.url(), "").await;
    assert_eq!(chat(&bench).await.said(), "a");
    assert_eq!(upstream.asked()[0].header("authorization"), None);
    bench.endpoints.add(&bench.secrets, "MODEL_API_KEY", &upstream.url(), KEY).await;
    bench.endpoints.change("MODEL_API_KEY", |own| own.secret_version = 7);
    let heard = chat(&bench).await;
    assert_eq!(heard.failure().0, "MODEL_UNAVAILABLE");
    assert!(heard.failure().1.contains("no key in the secret store"), "{heard:?}");
}

#[tokio::test]
async fn runs_that_wait_for_models_hold_no_engine() {
    let silent = Arc::new(Upstream::new(|_| Reply::raw(vec![], Then::Silence)));
    let one = Config { engines_at_work: 1, ..Config::default() };
    let bench = bench(&one, &silent).await;
    let artifact_hash = bench.put_fixture("flows/llm-chat-stream.flow.json").await;
    let ask = ExecuteRequest { artifact_hash, input: Some("hi".into()), ..Default::default() };
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(bench.client(PartName::Runs).execute(ask.clone()).await.unwrap());
    }
    let echo = bench.put(&std::fs::read(fixture("flows/echo.flow.json")).unwrap()).await;
    let ask = ExecuteRequest { artifact_hash: echo, input: Some("hi".into()), ..Default::default() };
    assert_eq!(Heard::of(bench.execute(ask).await.unwrap()).outputs[0].text, "hi");
    drop(waiting);
    assert!(bench.mesh.drain().await, "no task is left");
}
