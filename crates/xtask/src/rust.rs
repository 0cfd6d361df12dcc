//! The Rust bindings: messages, clients and servers, one file a package, and the crate's `lib.rs`.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use crate::{Error, Files, compile::Compiled};

const HEAD: &str = r#"//! Everything that crosses the wire, made from `proto/` by `cargo run -p xtask -- gen`. Do not edit.
//!
//! Modules follow the packages (`souk::billing::v1`); `rules` holds the access rule of every method. What
//! has no place here: behaviour. Conversions to a service's own nouns stand in that service's `api`.
// The words of the proto files become documentation as they are, and the generators are not ours to lint.
#![allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]

#[rustfmt::skip]
pub mod rules;

pub use rules::{Audience, RULES, Replay, Rule, Ruled, Tenant, Verb, rule};

/// Every message, method and option, in protobuf's own form; for transcoding and the mesh's reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("../../souk.binpb");

/// The same without methods of audience MESH: the only one that the public may be shown.
pub const EDGE_FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("../../souk-edge.binpb");
"#;

/// `gen/rust/src/pb/<package>.rs` for every package, and `gen/rust/src/lib.rs`.
pub(crate) fn bindings(compiled: &Compiled) -> Result<Files, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io("a temporary folder"))?;
    let mut config = prost_build::Config::new();
    config.btree_map(["."]).bytes(["."]);
    tonic_prost_build::configure()
        .out_dir(scratch.path())
        .emit_rerun_if_changed(false)
        // Clients are built over channels that the kit dials; nothing connects by address.
        .build_transport(false)
        // Together these two map the well-known types to prost-types; `extern_path` alone is refused as
        // a duplicate.
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::prost_types")
        .compile_fds_with_config(compiled.commented.clone(), config)
        .map_err(Error::io("the bindings"))?;

    let mut files = Files::new();
    let mut packages = Vec::new();
    for entry in fs::read_dir(scratch.path()).map_err(Error::io(scratch.path()))? {
        let path = entry.map_err(Error::io(scratch.path()))?.path();
        let Some(package) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        // The well-known types leave an empty file.
        if package.is_empty() || package == "google.protobuf" {
            continue;
        }
        files.insert(
            format!("gen/rust/src/pb/{package}.rs").into(),
            fs::read(&path).map_err(Error::io(&path))?,
        );
        packages.push(package.to_owned());
    }
    packages.sort();
    files.insert("gen/rust/src/lib.rs".into(), lib(&packages).into_bytes());
    Ok(files)
}

/// A module of the crate: the packages below it, and the package it is itself.
#[derive(Default)]
struct Module {
    package: Option<String>,
    inner: BTreeMap<String, Module>,
}

fn lib(packages: &[String]) -> String {
    let mut root = Module::default();
    for package in packages {
        let module = package
            .split('.')
            .fold(&mut root, |module, segment| module.inner.entry(segment.to_owned()).or_default());
        module.package = Some(package.clone());
    }
    let mut text = HEAD.to_owned();
    for (name, module) in &root.inner {
        text.push('\n');
        print(&mut text, name, module, 0);
    }
    text
}

fn print(text: &mut String, name: &str, module: &Module, depth: usize) {
    let indent = "    ".repeat(depth);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}pub mod {name} {{");
    if let Some(package) = &module.package {
        let _ = writeln!(text, "{indent}    include!(\"pb/{package}.rs\");");
    }
    for (name, module) in &module.inner {
        print(text, name, module, depth + 1);
    }
    let _ = writeln!(text, "{indent}}}");
}
