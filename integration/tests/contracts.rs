//! `docs/contracts.md` says what is served: each row is compared with the descriptor set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

/// One row of the page's tables of methods.
struct Row {
    method: String,
    rest: String,
    audience: String,
    state: String,
}

fn rows(page: &str) -> Vec<Row> {
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let cells = |line: &str| line.trim().trim_matches('|').split('|').map(plain).collect::<Vec<_>>();
    let rows = page.lines().filter(|line| line.starts_with('|')).map(cells);
    let rows = rows.filter(|cells| cells.len() == 5 && cells[1].contains('.'));
    rows.map(|cells| Row {
        method: cells[1].clone(),
        rest: cells[2].clone(),
        audience: cells[3].clone(),
        state: cells[4].clone(),
    })
    .collect()
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(souk_proto::FILE_DESCRIPTOR_SET).unwrap()
}

fn method(pool: &DescriptorPool, name: &str) -> Option<MethodDescriptor> {
    let (part, name) = name.split_once('.')?;
    let package = format!("souk.{part}.v1");
    let service = pool.services().find(|service| service.package_name() == package)?;
    service.methods().find(|method| method.name() == name)
}

/// The verb and path that `google.api.http` binds, e.g. `POST /v1/runs`.
fn bound(pool: &DescriptorPool, method: &MethodDescriptor) -> Option<String> {
    let option = pool.get_extension_by_name("google.api.http").unwrap();
    let options: DynamicMessage = method.options();
    if !options.has_extension(&option) {
        return None;
    }
    let rule = options.get_extension(&option);
    let rule = rule.as_message().unwrap();
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs.into_iter().find(|verb| rule.has_field_by_name(verb)).expect("a rule has a pattern");
    let path = rule.get_field_by_name(verb).map(|value| match value.as_ref() {
        Value::String(path) => path.clone(),
        other => panic!("{other:?} is no path"),
    });
    Some(format!("{} {}", verb.to_uppercase(), path.unwrap()))
}

#[test]
fn the_page_says_what_the_descriptor_says() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/contracts.md"));
    let (rows, pool) = (rows(&page.unwrap()), pool());
    assert!(rows.len() > 40, "the page's tables are read: {}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let found = method(&pool, &row.method);
        match (row.state.as_str(), found) {
            ("later", None) => {}
            ("later", Some(_)) => wrong.push(format!("{} is served; the page says later", row.method)),
            ("served", None) => wrong.push(format!("{} does not exist", row.method)),
            ("served", Some(found)) => {
                let path = format!("/{}/{}", found.parent_service().full_name(), found.name());
                let rule = souk_proto::rule(&path).expect("every method has a rule");
                let audience = format!("{:?}", rule.audience).to_uppercase();
                if audience != row.audience {
                    wrong.push(format!("{} is {audience}; the page says {}", row.method, row.audience));
                }
                let bound = bound(&pool, &found).unwrap_or_else(|| "–".to_owned());
                if bound != row.rest {
                    wrong.push(format!("{} is bound to {bound}; the page says {}", row.method, row.rest));
                }
            }
            (other, _) => wrong.push(format!("{}: no such state: {other}", row.method)),
        }
    }
    assert!(wrong.is_empty(), "docs/contracts.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_path_that_the_contract_binds_is_bound_once() {
    let pool = pool();
    let mut seen = std::collections::BTreeMap::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if let Some(path) = bound(&pool, &method) {
            // Two templates that differ in a variable's name alone are the same path.
            let shape = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
            let shape =
                shape.collect::<Vec<_>>().join("/") + path.rsplit_once('}').map_or("", |(_, end)| end);
            let twin = seen.insert(shape, method.full_name().to_owned());
            assert_eq!(twin, None, "{path} of {}", method.full_name());
        }
    }
}
