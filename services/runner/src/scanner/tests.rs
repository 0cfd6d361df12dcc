//! The credential scanner, rule by rule; the recorded cases stand in `tests/`.

use serde_json::json;

use super::*;

#[test]
fn names_are_read_in_every_spelling() {
    for name in
        ["apiKey", "X-Api-Key", "api_key", "OPENAI_API_KEY", "Password", "db.passwd", "authToken", "token"]
    {
        assert!(names::is_secret(name), "{name}");
    }
    for name in ["max_tokens", "maxTokens", "tokenizer", "key", "monkey", "secretary", "api", "tokens", ""] {
        assert!(!names::is_secret(name), "{name}");
    }
}

#[test]
fn references_are_no_secrets() {
    for text in ["", "{{ NAME }}", "${NAME}", "<your key>", "****", "Bearer {{RUN_TOKEN}}", "token ${T}"] {
        assert!(names::is_reference(text), "{text}");
    }
    for text in ["NAME", "{{a b}}", "**", "Bearer abc", "<>", "x{{NAME}}"] {
        assert!(!names::is_reference(text), "{text}");
    }
}

#[test]
fn urls_are_taken_apart() {
    for text in [
        "https://u:p@h/x",
        "postgres://u:p%40q@h:5432/db",
        "https://h/?a=1&api%5Fkey=v",
        "https://h/#access_token=v",
        "HTTPS://h?token=x#y",
    ] {
        assert!(url::secret(text).is_some(), "{text}");
    }
    for text in [
        "https://h/x",
        "https://u@h",
        "https://h/?api_key=",
        "https://h/?api_key={{K}}",
        "h?token=x",
        "a https://u:p@h",
        "1a://u:p@h",
        "https://h/p:w@x",
    ] {
        assert!(url::secret(text).is_none(), "{text}");
    }
}

#[test]
fn shapes_need_a_boundary_before_them() {
    let key = ["sk", "-", "A1b2C3d4E5f6G7h8"].concat();
    assert_eq!(pattern::matches(&format!("x {key}")).len(), 1);
    assert_eq!(pattern::matches(&format!("é{key}")).len(), 1);
    assert!(pattern::matches(&format!("a{key}")).is_empty());
    let shortest = ["xo", "xb-", "0123456789"].concat();
    assert_eq!((shortest.len(), pattern::has_credential(&shortest)), (15, true));
    let aws = ["AK", "IA", "ABCDEFGH12345678"].concat();
    assert!(pattern::has_credential(&format!("({aws})")));
    assert!(!pattern::has_credential(&format!("{aws}9")));
    assert_eq!(redacted(format!("node {key}!")), format!("node {}!", mask(&key)));
    let (second, third) =
        (["sk", "-", "Z9y8X7w6V5u4T3s2"].concat(), aws.replace('A', "B").replace("BKIB", "AKIA"));
    let masked = redacted(format!("{key} {second} {aws} {third} {key}"));
    assert_eq!(masked, [&key, &second, &aws, &third, &key].map(|one| mask(one)).join(" "));
}

#[test]
fn command_lines_are_read() {
    let rules = |value: Value| -> Vec<&str> {
        scan(&json!({ "x": { "args": value } })).into_iter().map(|hit| hit.rule.as_str()).collect()
    };
    assert_eq!(rules(json!(["--api-key=abc"])), ["S6.argv"]);
    assert_eq!(rules(json!(["--token", "abc"])), ["S6.argv"]);
    assert!(rules(json!(["--token", "--verbose"])).is_empty());
    assert!(rules(json!(["--token", "${TOKEN}", "--name", "abc"])).is_empty());
}

#[test]
fn environments_name_variables_in_upper_case() {
    let rules = |value: &str| -> Vec<&str> {
        let flow = json!({ "m": { "config": { "env": { "API_KEY": value } } } });
        scan(&flow).into_iter().map(|hit| hit.rule.as_str()).collect()
    };
    assert!(rules("MY_VARIABLE").is_empty());
    assert_eq!(rules("my value"), ["S3.key"]);
}

#[test]
fn a_mask_shows_little() {
    assert_eq!(mask("123456789"), "12…9(9)");
    assert_eq!(mask("12345678"), "…(8)");
}

#[test]
fn groups_inside_of_nodes_are_looked_at() {
    let inner =
        json!({ "id": "in", "data": { "node": { "template": { "api_key": { "value": "literal" } } } } });
    let flow = json!({ "data": { "nodes": [{ "id": "out", "data": { "node": { "flow": { "data": { "nodes": [inner] } } } } }] } });
    let hits = scan(&flow);
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].node_id.as_str(), hits[0].field.as_str()), ("in", "api_key.value"));
}
