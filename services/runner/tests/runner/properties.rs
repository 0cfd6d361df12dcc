//! What must hold for every text a caller may send.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use souk_runner::{Flow, Outcome, Request, check, flow::Document, native, scanner};

fn flow(name: &str) -> Flow {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/flows/{name}.flow.json"));
    Flow::parse(&fs::read(path).unwrap()).unwrap()
}

fn run(flow: &Flow, input: &str) -> Outcome {
    native::run(flow, &Request { input_value: Some(input.into()), ..Request::default() }, &mut |_| {})
        .unwrap()
}

fn only(outcome: &Outcome) -> String {
    assert_eq!(outcome.outputs.len(), 1);
    outcome.outputs[0].text.clone()
}

/// Texts with everything that a template or an escape could trip over.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(
            prop_oneof![
                Just("{"),
                Just("}"),
                Just("{{"),
                Just("}}"),
                Just("{question}"),
                Just("{{question}}"),
                Just("\\n"),
                Just("\n"),
                Just("\\"),
                Just("œ"),
                Just("refund"),
                Just("REFUND"),
                Just(" "),
                Just("10"),
                Just("é😀"),
            ],
            0..20
        )
        .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_echo_gives_back_what_it_gets(text in texts()) {
        let outcome = run(&flow("echo"), &text);
        prop_assert_eq!(only(&outcome), text);
        prop_assert_eq!(outcome.usage.input_tokens, outcome.usage.output_tokens);
    }

    #[test]
    fn values_are_put_in_and_never_expanded(text in texts()) {
        let expected = format!("Tone: friendly\nQuestion: {text}\nAnswer as JSON {{\"answer\": \"...\"}} and repeat {text}");
        prop_assert_eq!(only(&run(&flow("prompt-fstring"), &text)), expected);
        let expected = format!("Hi {{{{question}}}} | {text} | literal {{single}} | end");
        prop_assert_eq!(only(&run(&flow("prompt-mustache"), &text)), expected);
    }

    #[test]
    fn a_router_takes_exactly_one_way(text in texts()) {
        let outcome = run(&flow("router"), &text);
        let expected = if text.to_lowercase().contains("refund") {
            format!("REFUND DESK: {text}")
        } else {
            "Please ask about refunds.".into()
        };
        prop_assert_eq!(only(&outcome), expected);
    }

    #[test]
    fn any_bytes_can_be_checked(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!check(&bytes).is_empty());
    }

    #[test]
    fn any_json_can_be_checked(text in "(\\{|\\}|\\[|\\]|:|,|\"data\"|\"nodes\"|\"edges\"|\"id\"|1|null){0,40}") {
        let _ = check(text.as_bytes());
        if let Ok(document) = Document::parse(text.as_bytes()) {
            let _ = scanner::scan(document.value());
        }
    }

    #[test]
    fn any_template_and_expression_can_be_sent(template in texts(), expression in "[a-c(){}\\[\\]|*+?.^$\\\\1-3&~-]{0,20}") {
        let tweak = |node: &str, fields: serde_json::Value| {
            let tweaks = serde_json::Map::from_iter([(node.to_owned(), fields)]);
            Request { input_value: Some("abc".into()), tweaks, ..Request::default() }
        };
        for double in [false, true] {
            let request = tweak("Prompt Template-p", serde_json::json!({"template": template, "use_double_brackets": double}));
            let _ = native::run(&flow("prompt-fstring"), &request, &mut |_| {});
        }
        let request = tweak("ConditionalRouter-r", serde_json::json!({"operator": "regex", "match_text": expression}));
        let _ = native::run(&flow("router"), &request, &mut |_| {});
    }
}
