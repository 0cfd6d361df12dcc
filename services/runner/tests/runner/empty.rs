//! Endpoints that answer a success with nothing in it, and models that have nothing to say.

use serde_json::{Value, json};

use crate::{
    models::{against, bench, chat, unstreamed},
    upstream::{Reply, Then, Upstream, end},
};

/// How a run ends whose endpoint gave no answer.
const NOTHING: (&str, &str) = ("MODEL_UNAVAILABLE", "the model endpoint MODEL_API_KEY answered nothing");

/// An event of a stream.
fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

#[tokio::test]
async fn a_success_without_an_answer_fails_the_run() {
    let done = "data: [DONE]\n\n".to_owned();
    let count = |input: u64, output: u64| {
        event(&json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output } }))
    };
    let stop = event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }));
    let role =
        event(&json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" } }] }));
    for (name, pieces, used) in [
        ("no event", vec![], (0, 0, 0)),
        ("comments alone", vec![": ping\n\n".to_owned()], (0, 0, 0)),
        ("the end alone", vec![done.clone()], (0, 0, 0)),
        ("a beginning that leads nowhere", vec![role.clone(), done.clone()], (0, 0, 0)),
        ("an end that nobody counted", vec![role, stop.clone(), done.clone()], (0, 0, 0)),
        ("a count of nothing", vec![stop, count(0, 0), done.clone()], (0, 0, 0)),
        ("a count without an end", vec![count(7, 0), done], (1, 7, 0)),
    ] {
        let heard = against(move |_| {
            Reply::stream(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), Then::Close)
        });
        let heard = heard.await;
        assert_eq!(heard.failure(), NOTHING, "{name}");
        assert_eq!((heard.used(), heard.outputs.len()), (used, 0), "{name}: what was counted is charged");
    }
    for body in [
        "",
        " ",
        r#"{"choices":[]}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":null}}]}"#,
        r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":3,"message":{"content":"of another choice"},"finish_reason":"stop"}]}"#,
    ] {
        let upstream = Upstream::new(move |_| Reply::body(200, "application/json", body.as_bytes()));
        let heard = chat(&bench(&unstreamed(), &upstream).await).await;
        assert_eq!((heard.failure(), heard.used()), (NOTHING, (0, 0, 0)), "{body}");
    }
}

#[tokio::test]
async fn a_model_that_has_nothing_to_say_has_answered() {
    let whole = json!({
        "choices": [{ "message": { "content": "" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 1 },
    });
    let streamed = against(|_| Reply::stream(&[&end(7, 1)], Then::Close)).await;
    let upstream = Upstream::new(move |_| Reply::json(200, &whole));
    for heard in [streamed, chat(&bench(&unstreamed(), &upstream).await).await] {
        assert_eq!((&heard.failed, heard.said().as_str(), heard.used()), (&None, "", (1, 7, 1)));
        assert_eq!(heard.outputs[0].text, "");
    }
}
