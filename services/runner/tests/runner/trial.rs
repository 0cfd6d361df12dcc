//! An endpoint that the operator tries: asked as a run asks it, told without its key.

use serde_json::{Value, json};
use souk_proto::souk::runner::v1::{TestModelEndpointRequest, TestModelEndpointResponse};
use souk_runner::Config;
use souk_types::{Caller, PartName, PlatformRole, UserId};
use tonic::{Code, Status};

use crate::{
    api::Bench,
    models::{KEY, bench, unstreamed},
    upstream::{Asked, Reply, Then, Upstream, end},
};

fn operator(platform: Option<PlatformRole>) -> Caller {
    Caller::User { user_id: UserId::from_bits(7), memberships: Vec::new(), platform }
}

async fn ask(bench: &Bench, name: &str, model: &str) -> Result<TestModelEndpointResponse, Status> {
    let ask = TestModelEndpointRequest { name: name.into(), model: model.into() };
    let mut client = bench.client_of(&operator(Some(PlatformRole::Operator)));
    client.test_model_endpoint(ask).await.map(tonic::Response::into_inner)
}

fn whole(text: &str) -> Value {
    json!({
        "model": "m-2026", "choices": [{ "message": { "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 1 },
    })
}

#[tokio::test]
async fn an_endpoint_that_answers_is_ok_with_its_model_and_count() {
    for (config, reply) in [
        (unstreamed(), (|| Reply::json(200, &whole("OK"))) as fn() -> Reply),
        (Config::default(), || {
            let first = json!({ "model": "m-2026", "choices": [{ "delta": { "content": "OK" } }] });
            Reply::stream(&[&format!("data: {first}\n\n"), &end(9, 1)], Then::Close)
        }),
    ] {
        let upstream = Upstream::new(move |_| reply());
        let bench = bench(&config, &upstream).await;
        let tested = ask(&bench, "MODEL_API_KEY", "m").await.unwrap();
        assert!(tested.ok && tested.reason.is_empty() && tested.message.is_empty(), "{tested:?}");
        assert_eq!((tested.model.as_str(), tested.text.as_str()), ("m-2026", "OK"));
        assert_eq!((tested.input_tokens, tested.output_tokens), (9, 1));
        let asked = upstream.asked();
        assert_eq!(asked.len(), 1, "asked once");
        assert_eq!(
            (&asked[0].body["model"], &asked[0].body["max_completion_tokens"]),
            (&json!("m"), &json!(16))
        );
        assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    }
}

#[tokio::test]
async fn what_an_endpoint_refuses_is_said_without_its_key() {
    let echo = |asked: &Asked| {
        let key = asked.header("authorization").unwrap().to_owned();
        Reply::json(401, &json!({ "error": { "message": format!("wrong key {key}") } }))
    };
    let upstream = Upstream::new(echo);
    let bench = bench(&Config::default(), &upstream).await;
    let tested = ask(&bench, "MODEL_API_KEY", "m").await.unwrap();
    assert_eq!((tested.ok, tested.reason.as_str()), (false, "MODEL_REFUSED"));
    assert!(
        tested.message.contains("answered 401: wrong key") && tested.message.contains("***"),
        "{tested:?}"
    );
    assert!(!format!("{tested:?}").contains(&KEY[..9]), "{tested:?}");
    let tested = ask(&bench, "MODEL_API_KEY", "").await.unwrap();
    assert!(!tested.ok && tested.message.contains("--default-model"), "{tested:?}");
    bench.endpoints.add(&bench.secrets, "AWAY", "http://127.0.0.1:1/v1", KEY).await;
    let tested = ask(&bench, "AWAY", "m").await.unwrap();
    assert_eq!((tested.ok, tested.reason.as_str()), (false, "MODEL_UNAVAILABLE"));
    let long = Upstream::new(|_| {
        let mut body = whole(&"x".repeat(5000));
        body["model"] = format!("{KEY} {}", "y".repeat(5000)).into();
        Reply::json(200, &body)
    });
    bench.endpoints.add(&bench.secrets, "LONG", &long.url(), KEY).await;
    let tested = ask(&bench, "LONG", "m").await.unwrap();
    assert!(tested.ok && tested.text.len() == 200 && tested.model.chars().count() <= 301, "{tested:?}");
    assert!(!tested.model.contains(KEY));
}

#[tokio::test]
async fn only_operators_try_an_endpoint_that_there_is() {
    let upstream = Upstream::new(|_| Reply::json(200, &whole("OK")));
    let bench = bench(&Config::default(), &upstream).await;
    for name in ["NOBODY", "", "../x", &"x".repeat(5000)] {
        let refused = ask(&bench, name, "m").await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        assert!(refused.message().len() < 300);
    }
    let long = ask(&bench, "MODEL_API_KEY", &"m".repeat(201)).await.unwrap_err();
    assert_eq!(long.code(), Code::InvalidArgument);
    let request = || TestModelEndpointRequest { name: "MODEL_API_KEY".into(), model: "m".into() };
    let denied = bench.client_of(&operator(None)).test_model_endpoint(request()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let denied = bench.client(PartName::Runs).test_model_endpoint(request()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(upstream.asked().is_empty(), "nobody pays for a refusal");
}
