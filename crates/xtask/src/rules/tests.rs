//! Each way a rule can be wrong is refused, and by name.

use std::{fs, path::Path};

use super::*;
use crate::{compile, edge};

/// Compiles one toy file beside the real `access.proto`.
fn compile_toy(body: &str) -> compile::Compiled {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/souk/access/v1/access.proto");
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("souk/access/v1/access.proto", fs::read_to_string(real).unwrap()),
        (
            "souk/billing/v1/toy.proto",
            format!(
                "syntax = \"proto3\"; package souk.billing.v1; import \"souk/access/v1/access.proto\";
                 message Answer {{}} {body}"
            ),
        ),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    compile::compile(folder.path()).unwrap()
}

/// One method `Do` with this rule and these request fields.
fn toy(rule: &str, extra: &str, fields: &str) -> String {
    format!(
        "service Toy {{ rpc Do(DoRequest) returns (Answer) {{
           option (souk.access.v1.rule) = {{ {rule} }}; {extra} }} }}
         message DoRequest {{ {fields} }}"
    )
}

fn complaint(body: &str) -> String {
    read(&compile_toy(body).pool)
        .map(|rules| format!("accepted: {rules:?}"))
        .unwrap_or_else(|e| e.to_string())
}

const READS: &str = "option idempotency_level = NO_SIDE_EFFECTS;";

#[test]
fn a_sound_rule_is_read_whole() {
    let body = toy(
        r#"audience: AUDIENCE_EDGE callers: ["runs", "gateway"] permission: "billing.use"
           tenant: { kind: KIND_FIELD field: "org_id" } replay: REPLAY_RESULT"#,
        "",
        "string org_id = 1; string request_id = 2; repeated string project_id = 3;",
    );
    let rules = read(&compile_toy(&body).pool).unwrap();
    let [rule] = rules.as_slice() else { panic!("one rule expected: {rules:?}") };
    assert_eq!(rule.path, "/souk.billing.v1.Toy/Do");
    assert_eq!(rule.part, "billing");
    assert_eq!(rule.permission, Some(("billing".to_owned(), Verb::Use)));
    assert_eq!(rule.callers, ["runs", "gateway"]);
    assert_eq!((rule.audience, rule.tenant, rule.replay), (Audience::Edge, Tenant::OrgField, Replay::Result));
    // A repeated field is no tenant: the generated trait could not read it.
    assert_eq!(rule.fields, ["org_id", "request_id"]);
}

#[test]
fn every_flaw_is_named() {
    let own = "audience: AUDIENCE_EDGE tenant: { kind: KIND_CALLER }";
    let none = "tenant: { kind: KIND_NONE }";
    for (rule, extra, fields, expected) in [
        (format!("{own} replay: REPLAY_RESULT"), "", "", "needs `string request_id`"),
        (format!("{own} replay: REPLAY_RESULT"), READS, "string request_id = 1;", "replay must be READ"),
        (format!("{own} replay: REPLAY_READ"), "", "", "NO_SIDE_EFFECTS"),
        (own.to_owned(), "", "", "states no replay"),
        (format!("{none} replay: REPLAY_ONCE"), "", "", "states no audience"),
        ("audience: AUDIENCE_EDGE replay: REPLAY_ONCE".to_owned(), "", "", "states no tenant"),
        (format!("audience: AUDIENCE_MESH {none} replay: REPLAY_ONCE"), "", "", "names no caller"),
        (format!("audience: AUDIENCE_EDGE {none} replay: REPLAY_ONCE"), "", "", "EDGE without a permission"),
        (format!("{own} replay: REPLAY_ONCE callers: \"shop\""), "", "", "\"shop\", which is no part"),
        (format!("{own} replay: REPLAY_ONCE permission: \"money.use\""), "", "", "no known domain"),
        (format!("{own} replay: REPLAY_ONCE permission: \"billing.spend\""), "", "", "does not end in"),
        (format!("{own} replay: REPLAY_ONCE permission: \"billing.use\""), "", "", "tenant CALLER"),
        (
            format!("audience: AUDIENCE_MESH callers: \"*\" {none} anonymous: true replay: REPLAY_ONCE"),
            "",
            "",
            "anonymous and MESH",
        ),
    ] {
        let said = complaint(&toy(&rule, extra, fields));
        assert!(said.contains(expected) && said.contains("souk.billing.v1.Toy.Do"), "{rule}: {said}");
    }
}

#[test]
fn the_tenant_field_must_be_there() {
    for (field, fields, expected) in [
        ("org_id", "", "has no `string org_id`"),
        ("project_id", "int64 project_id = 1;", "has no `string project_id`"),
        ("instance_id", "string instance_id = 1;", "only org_id and project_id"),
    ] {
        let rule = format!(
            "audience: AUDIENCE_EDGE permission: \"billing.read\" replay: REPLAY_READ
             tenant: {{ kind: KIND_FIELD field: \"{field}\" }}"
        );
        let said = complaint(&toy(&rule, READS, fields));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_method_without_a_rule_and_a_shared_request_are_refused_together() {
    let rule = "option (souk.access.v1.rule) = { audience: AUDIENCE_MESH callers: \"*\"
                tenant: { kind: KIND_NONE } replay: REPLAY_ONCE };";
    let said = complaint(&format!(
        "service Toy {{ rpc A(Same) returns (Answer) {{ {rule} }} rpc B(Same) returns (Answer) {{ {rule} }}
           rpc C(Other) returns (Answer); }}
         message Same {{}} message Other {{}}"
    ));
    assert!(said.contains("souk.billing.v1.Same is the request of"), "{said}");
    assert!(said.contains("Toy.C: has no (souk.access.v1.rule)"), "{said}");
}

#[test]
fn the_edge_set_has_no_mesh_method_and_keeps_options() {
    let rule = |audience: &str| {
        format!(
            "option (souk.access.v1.rule) = {{ audience: {audience} callers: \"*\" anonymous: {}
             tenant: {{ kind: KIND_NONE }} replay: REPLAY_ONCE }};",
            audience == "AUDIENCE_EDGE"
        )
    };
    let (open, inner) = (rule("AUDIENCE_EDGE"), rule("AUDIENCE_MESH"));
    let compiled = compile_toy(&format!(
        "service Mixed {{ rpc A(ARequest) returns (Answer) {{ {open} }}
                          rpc B(BRequest) returns (Answer) {{ {inner} }} }}
         service Hidden {{ rpc C(CRequest) returns (Answer) {{ {inner} }} }}
         message ARequest {{ repeated Seen seen = 1; map<string, Outer.Inner> inner = 2; }}
         message Seen {{ Kind kind = 1; }} enum Kind {{ KIND_UNSPECIFIED = 0; }}
         message Outer {{ message Inner {{}} }}
         message BRequest {{ Secret secret = 1; }} message Secret {{}} message CRequest {{}}"
    ));
    let rules = read(&compiled.pool).unwrap();
    let pruned = edge::prune(&compiled, &rules).unwrap();
    let pool = DescriptorPool::decode(pruned.as_slice()).unwrap();
    let seen: Vec<_> = pool
        .services()
        .flat_map(|s| s.methods().map(|m| m.full_name().to_owned()).collect::<Vec<_>>())
        .collect();
    assert_eq!(seen, ["souk.billing.v1.Mixed.A"]);
    assert!(pool.get_service_by_name("souk.billing.v1.Hidden").is_none());
    let messages: Vec<_> = pool
        .all_messages()
        .filter(|message| message.package_name() == "souk.billing.v1" && message.parent_message().is_none())
        .map(|message| message.name().to_owned())
        .collect();
    assert_eq!(messages, ["Answer", "ARequest", "Seen", "Outer"]);
    assert!(pool.get_message_by_name("souk.access.v1.MeshClaims").is_none());
    let kept = read(&pool).unwrap();
    assert!(kept.iter().all(|rule| rule.anonymous), "the option did not survive: {kept:?}");
}
