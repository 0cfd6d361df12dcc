//! Rendering and reading back: exact inverses, whatever the texts say.

use std::collections::BTreeSet;

use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

use super::*;
use crate::error::Error;

fn env() -> Env {
    Env::new("local").unwrap()
}

fn sample() -> Desired {
    let instance_id = InstanceId::from_bits(3);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    Desired {
        org_id: OrgId::from_bits(1),
        project_id: ProjectId::from_bits(2),
        instance_id,
        offering_version_id: OfferingVersionId::from_bits(4),
        plan: "starter".to_owned(),
        revision: 7,
        route: Route::default_of(instance_id),
        capabilities: names(&["runs.sync", "web_widget.branding"]),
        rate_limits: RateLimits { requests_per_minute: Some(60), ..RateLimits::default() },
        payload_caps: PayloadCaps::default(),
        tools: names(&["crm.lookup"]),
        mcp_servers: BTreeSet::new(),
        effective_config: Document::new(&json!({"language": "en", "max_tokens": 256})).unwrap(),
    }
}

/// Texts that mean something to YAML, JSON, Git or a terminal, beside any text at all.
fn hostile() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "---",
        "...",
        "null",
        "~",
        "yes",
        "0x1f",
        "1_000",
        "- a",
        "a: b",
        "# c",
        "*a",
        "&a",
        "!!str",
        "|-",
        ">",
        "\"",
        "'",
        "\\",
        "\n",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "\t",
        "  indented",
        "}",
        "{{x}}",
        "<<",
        "👋",
        " trailing ",
        "\"\n  host: \"evil",
        "kind: Secret\n---\n",
    ]);
    prop_oneof![known.prop_map(str::to_owned), any::<String>(), "[ -~]{1,40}"]
        .prop_map(|text| text.chars().take(60).collect::<String>())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        hostile().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            collection::vec((hostile(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    collection::btree_set(hostile().prop_filter("a name is not empty", |name| !name.is_empty()), 0..5)
}

prop_compose! {
    fn desired()(
        ids in any::<(u128, u128, u128, u128)>(),
        plan in "[a-z0-9_.-]{1,63}",
        revision in 1..=i64::MAX,
        host in option::of("[a-z0-9]{1,10}(\\.[a-z0-9-]{1,10}[a-z])?"),
        path in "(/[A-Za-z0-9_~-]{1,10}){1,4}",
        lists in (names(), names(), names()),
        limits in collection::vec(option::of(1..=i64::MAX), 5),
        config in json_value(),
    ) -> Desired {
        let host = host.filter(|host| !host.contains(".-"));
        // What lies there belongs to instances by their id.
        let path = if path == "/i" || path.starts_with("/i/") { "/other".to_owned() } else { path };
        Desired {
            org_id: OrgId::from_bits(ids.0),
            project_id: ProjectId::from_bits(ids.1),
            instance_id: InstanceId::from_bits(ids.2),
            offering_version_id: OfferingVersionId::from_bits(ids.3),
            plan,
            revision,
            route: Route { host, path },
            capabilities: lists.0,
            tools: lists.1,
            mcp_servers: lists.2,
            rate_limits: RateLimits { requests_per_minute: limits[0], burst: limits[1], concurrent_runs: limits[2] },
            payload_caps: PayloadCaps { request_bytes: limits[3], response_bytes: limits[4] },
            effective_config: Document::new(&config).unwrap(),
        }
    }
}

/// The same document with the keys of each object in another order.
fn shuffled(value: &Value, seed: &mut u64) -> String {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), shuffled(value, seed)))
                .collect();
            for last in (1..fields.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                fields.swap(last, usize::try_from(*seed >> 33).unwrap() % (last + 1));
            }
            format!("{{ {} }}", fields.join(",\n"))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shuffled(item, seed)).collect();
            format!("[{}]", items.join(" , "))
        }
        plain => plain.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_rendered_reads_back(desired in desired()) {
        let bundle = render(&env(), &desired).unwrap();
        prop_assert_eq!(&bundle, &render(&env(), &desired.clone()).unwrap());
        for (path, bytes) in bundle.iter() {
            prop_assert!(check_path(path).is_ok(), "{}", path);
            prop_assert!(bytes.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)));
        }
        let applied = parse(&desired.folder(&env()), &bundle).unwrap();
        prop_assert_eq!(applied.content_hash, content_hash(&env(), &desired));
        prop_assert_eq!(applied.desired, desired);
    }

    #[test]
    fn the_order_in_which_a_configuration_came_is_no_matter(desired in desired(), mut seed in any::<u64>()) {
        let value: Value = serde_json::from_str(desired.effective_config.as_str()).unwrap();
        let other: Value = serde_json::from_str(&shuffled(&value, &mut seed)).unwrap();
        let again = Desired { effective_config: Document::new(&other).unwrap(), ..desired.clone() };
        prop_assert_eq!(render(&env(), &again).unwrap(), render(&env(), &desired).unwrap());
        prop_assert_eq!(content_hash(&env(), &again), content_hash(&env(), &desired));
        // What is read back renders to the same bytes again, for ever.
        let files = render(&env(), &desired).unwrap();
        let read = parse(&desired.folder(&env()), &files).unwrap().desired;
        prop_assert_eq!(render(&env(), &read).unwrap(), files);
    }

    #[test]
    fn a_touched_file_is_never_taken_for_applied_state(
        desired in desired(),
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bundle = render(&env(), &desired).unwrap();
        let path = bundle.iter().nth(file.index(3)).unwrap().0.to_owned();
        let mut bytes = bundle.get(&path).unwrap().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        bundle.insert(path, bytes);
        let folder = desired.folder(&env());
        let refused = matches!(parse(&folder, &bundle), Err(Error::BundleUnreadable { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn any_bytes_at_all_are_read_without_harm(bytes in collection::vec(any::<u8>(), 0..200)) {
        let folder = sample().folder(&env());
        let mut bundle = render(&env(), &sample()).unwrap();
        bundle.insert(folder.file(GATEWAY_POLICY), bytes);
        prop_assert!(parse(&folder, &bundle).is_err());
    }
}

#[test]
fn the_files_are_what_the_documentation_says() {
    let bundle = render(&env(), &sample()).unwrap();
    let folder = sample().folder(&env());
    let route = String::from_utf8(bundle.get(&folder.file(GATEWAY_ROUTE)).unwrap().to_vec()).unwrap();
    let hash = content_hash(&env(), &sample());
    let expected = format!(
        r#"# Written by souk. A change made here is drift: it is reported and overwritten.
apiVersion: souk.dev/v1alpha1
kind: GatewayRoute
metadata:
  name: "ins-00000000000000000000000003"
  labels:
    app.kubernetes.io/managed-by: souk
    souk.dev/env: "local"
    souk.dev/org: "org_00000000000000000000000001"
    souk.dev/project: "prj_00000000000000000000000002"
    souk.dev/instance: "ins_00000000000000000000000003"
  annotations:
    souk.dev/revision: "7"
    souk.dev/content-hash: "{hash}"
spec:
  instanceId: "ins_00000000000000000000000003"
  offeringVersionId: "ofv_00000000000000000000000004"
  plan: "starter"
  path: "/i/ins_00000000000000000000000003"
"#
    );
    assert_eq!(route, expected);
    assert_eq!(bundle.len(), 3);
    assert!(hash.as_str().strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64));
    // Bytes on disk are a contract with every repository in use: a change here re-commits every instance.
    assert_eq!(hash.as_str(), "sha256:eed249355b0ec04d8862a5b9f619d8343382caa5bb842b3c7d9f09b88d5ed86b");
}

#[test]
fn the_hash_follows_the_content_and_not_the_revision() {
    let hash = |change: &dyn Fn(&mut Desired)| {
        let mut desired = sample();
        change(&mut desired);
        content_hash(&env(), &desired)
    };
    let own = hash(&|_| {});
    assert_eq!(own, hash(&|d| d.revision = 8));
    let others = [
        hash(&|d| d.plan = "pro".into()),
        hash(&|d| d.route.path = "/x".into()),
        hash(&|d| d.route.host = Some("a.example".into())),
        hash(&|d| d.rate_limits.burst = Some(60)),
        hash(&|d| d.payload_caps.request_bytes = Some(1)),
        hash(&|d| drop(d.capabilities.pop_first())),
        hash(&|d| d.tools.clear()),
        hash(&|d| d.mcp_servers = d.tools.clone()),
        hash(&|d| d.effective_config = Document::new(&json!({})).unwrap()),
        hash(&|d| d.offering_version_id = OfferingVersionId::from_bits(5)),
    ];
    let distinct: std::collections::HashSet<_> = others.iter().chain([&own]).collect();
    assert_eq!(distinct.len(), others.len() + 1);
    assert_ne!(own, content_hash(&Env::new("prod").unwrap(), &sample()));
}

#[test]
fn every_mistake_is_named_at_once() {
    let mut desired = sample();
    desired.revision = 0;
    desired.plan = "Starter\n".into();
    desired.route = Route { host: Some("Evil.example:80".into()), path: "/a/../b".into() };
    desired.tools.insert(String::new());
    desired.rate_limits.burst = Some(0);
    desired.payload_caps.response_bytes = Some(-1);
    let Err(Error::Invalid(violations)) = render(&env(), &desired) else { panic!("it was rendered") };
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "revision",
            "plan",
            "route.host",
            "route.path",
            "tools",
            "rate_limits.burst",
            "payload_caps.response_bytes"
        ]
    );
}

#[test]
fn paths_that_a_gateway_could_misread_are_refused() {
    for path in
        ["", "/", "x", "//", "/a/", "/a//b", "/.", "/a/..", "/%2e", "/a b", "/a?b", "/a#b", "/é", "/a\n"]
    {
        let mut desired = sample();
        desired.route.path = path.into();
        assert!(render(&env(), &desired).is_err(), "{path:?}");
    }
    let mut desired = sample();
    desired.route = Route { host: Some("agent.example".into()), path: "/".into() };
    assert!(render(&env(), &desired).is_ok());
}

#[test]
fn another_instances_files_are_not_this_ones() {
    let bundle = render(&env(), &sample()).unwrap();
    let mut folder = sample().folder(&env());
    folder.instance_id = InstanceId::from_bits(99);
    // The files moved into another instance's folder, word for word.
    let mut moved = Bundle::default();
    for (path, bytes) in bundle.iter() {
        let (_, name) = Folder::of_path(path).unwrap();
        moved.insert(folder.file(name), bytes.to_vec());
    }
    assert!(matches!(parse(&folder, &moved), Err(Error::BundleUnreadable { .. })));
    assert!(matches!(parse(&folder, &Bundle::default()), Err(Error::AppliedStateNotFound { .. })));
}

#[test]
fn a_file_too_few_or_too_many_is_refused() {
    let (folder, whole) = (sample().folder(&env()), render(&env(), &sample()).unwrap());
    let mut more = whole.clone();
    more.insert(folder.file("extra.yaml"), b"kind: Secret\n".to_vec());
    assert!(matches!(parse(&folder, &more), Err(Error::BundleUnreadable { .. })));
    for missing in [GATEWAY_ROUTE, GATEWAY_POLICY, CONNECTOR_POLICY] {
        let mut fewer = Bundle::default();
        let rest = whole.iter().filter(|(path, _)| !path.ends_with(missing));
        rest.for_each(|(path, bytes)| fewer.insert(path.to_owned(), bytes.to_vec()));
        let Err(Error::BundleUnreadable { why, .. }) = parse(&folder, &fewer) else { panic!("{missing}") };
        assert!(why.contains(missing), "{why}");
    }
}

#[test]
fn files_are_sorted_by_instance() {
    let mut all = render(&env(), &sample()).unwrap();
    let mut other = sample();
    other.instance_id = InstanceId::from_bits(9);
    other.route = Route::default_of(other.instance_id);
    all.extend(render(&env(), &other).unwrap());
    all.insert("README.md".into(), b"x".to_vec());
    let (folders, rest) = all.by_folder();
    assert_eq!(folders.len(), 2);
    assert_eq!(parse(&other.folder(&env()), &folders[&other.folder(&env())]).unwrap().desired, other);
    assert_eq!(rest.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["README.md"]);
}
