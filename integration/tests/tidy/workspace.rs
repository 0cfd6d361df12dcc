//! What the manifests say: lints, who depends on whom, how long the chain is.

use std::collections::BTreeMap;

use super::{
    allowed::Finding,
    house::{Crate, House},
};

/// Longest chain of normal dependencies: types, a shared crate, a service, souk.
const CHAIN: usize = 4;

/// One purpose each: they know the words and nothing of one another. Other crates under `crates/` are
/// not ports.
const NOT_PORTS: &[&str] = &["souk-types", "souk-kit", "souk-db", "souk-testkit", "xtask"];

/// Every breach.
pub(crate) fn findings(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &house.crates {
        let inherits = member.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if member.folder != "gen/rust" && inherits.and_then(toml::Value::as_bool) != Some(true) {
            findings.push(Finding::new("lints", member.name(), "needs [lints] workspace = true"));
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            dependencies(house, member, table, &mut findings);
        }
    }
    findings.extend(imports(house));
    let mut depths = BTreeMap::new();
    for member in &house.crates {
        let depth = depth(house, member.name(), &mut depths);
        // The tests across parts stand on top of everything; nothing stands on them.
        if depth > CHAIN && member.name() != "integration" {
            findings.push(Finding::new(
                "chain",
                member.name(),
                format!("stands {depth} deep; at most {CHAIN}"),
            ));
        }
    }
    findings
}

fn dependencies(house: &House, member: &Crate, table: &str, findings: &mut Vec<Finding>) {
    let mut say = |detail: String| findings.push(Finding::new("dependency", member.name(), detail));
    for name in member.dependencies(table) {
        let value = &member.manifest[table][name];
        if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
            say(format!("{name} must come from the workspace: {name}.workspace = true"));
        }
        let Some(other) = house.crates.iter().find(|other| other.name() == name) else { continue };
        let (own, foreign) = (service(&member.folder), service(&other.folder));
        if foreign.is_some() && !matches!(own, Some("souk")) && !member.folder.starts_with("integration") {
            say(format!("{name} is a service: only services/souk puts services together"));
        }
        if is_port(member) && is_port(other) {
            say(format!("{name} is another port: ports import none of each other"));
        }
        if table == "dependencies" && name == "souk-testkit" && member.folder != "integration" {
            say("souk-testkit is for [dev-dependencies]".to_owned());
        }
        if member.name() == "souk-types" {
            say(format!("{name}: types stands at the bottom"));
        }
    }
}

fn service(folder: &str) -> Option<&str> {
    folder.strip_prefix("services/")
}

fn is_port(member: &Crate) -> bool {
    member.folder.starts_with("crates/") && !NOT_PORTS.contains(&member.name())
}

/// A service's crate named in another service's source, tests included.
fn imports(house: &House) -> Vec<Finding> {
    let services: Vec<(&str, String)> = house
        .crates
        .iter()
        .filter_map(|member| Some((service(&member.folder)?, member.name().replace('-', "_"))))
        .collect();
    let mut findings = Vec::new();
    for file in house.rust.iter().filter(|file| !file.path.starts_with("services/souk/")) {
        let Some(own) = service(&file.path).and_then(|path| path.split('/').next()) else { continue };
        for root in &file.reading.roots {
            if services.iter().any(|(folder, name)| *folder != own && *name == root.what) {
                let detail = format!("line {}: {} is another service", root.line, root.what);
                findings.push(Finding::new("dependency", &file.path, detail));
            }
        }
    }
    findings
}

/// How many workspace crates stand below and including this one; the generated crate weighs nothing.
fn depth(house: &House, name: &str, known: &mut BTreeMap<String, usize>) -> usize {
    if let Some(depth) = known.get(name) {
        return *depth;
    }
    let Some(member) = house.crates.iter().find(|member| member.name() == name) else { return 0 };
    let below = member
        .dependencies("dependencies")
        .into_iter()
        .map(|name| depth(house, name, known))
        .max()
        .unwrap_or(0);
    let depth = below + usize::from(name != "souk-proto");
    known.insert(name.to_owned(), depth);
    depth
}
