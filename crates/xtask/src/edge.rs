//! The descriptor set that the public may see: methods of audience EDGE, what they speak of, nothing else.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use crate::{
    Error,
    compile::Compiled,
    rules::{Audience, Rule},
};

/// What stays: method paths, and the full names of messages and enums.
struct Kept<'a> {
    methods: BTreeSet<&'a str>,
    types: BTreeSet<String>,
}

/// Drops every method that is not EDGE, every service that has none left, and every souk message and
/// enum that no EDGE method reaches.
///
/// Edits the set through reflection: the typed form would drop the extension options (REST bindings).
pub(crate) fn prune(compiled: &Compiled, rules: &[Rule]) -> Result<Vec<u8>, Error> {
    let kind = compiled.pool.get_message_by_name("google.protobuf.FileDescriptorSet").ok_or_else(|| {
        Error::Proto("google/protobuf/descriptor.proto is not among the imports".to_owned())
    })?;
    let mut set = DynamicMessage::decode(kind, compiled.descriptor.as_slice())
        .map_err(|cause| Error::Proto(cause.to_string()))?;
    let kept = kept(compiled, rules);
    each(&mut set, "file", |file| {
        let package = text(file, "package");
        if package.starts_with("souk.") {
            prune_file(file, &package, &kept);
        }
        true
    });
    Ok(set.encode_to_vec())
}

fn prune_file(file: &mut DynamicMessage, package: &str, kept: &Kept<'_>) {
    each(file, "service", |service| {
        let name = text(service, "name");
        each(service, "method", |method| {
            kept.methods.contains(format!("/{package}.{name}/{}", text(method, "name")).as_str())
        });
        !is_empty(service, "method")
    });
    for field in ["message_type", "enum_type"] {
        each(file, field, |kind| kept.types.contains(&format!("{package}.{}", text(kind, "name"))));
    }
}

fn kept<'a>(compiled: &Compiled, rules: &'a [Rule]) -> Kept<'a> {
    let methods: BTreeSet<&str> =
        rules.iter().filter(|rule| rule.audience == Audience::Edge).map(|rule| rule.path.as_str()).collect();
    let mut types = BTreeSet::new();
    for service in compiled.pool.services() {
        for method in service.methods() {
            if methods.contains(format!("/{}/{}", service.full_name(), method.name()).as_str()) {
                reach(&method.input(), &mut types);
                reach(&method.output(), &mut types);
            }
        }
    }
    // The options of the methods that stay are of these types.
    for option in compiled.pool.all_extensions() {
        reach_kind(&option.kind(), &mut types);
    }
    Kept { methods, types }
}

/// Notes a message, those around it, and everything its fields are made of.
fn reach(message: &MessageDescriptor, types: &mut BTreeSet<String>) {
    if !types.insert(message.full_name().to_owned()) {
        return;
    }
    if let Some(outer) = message.parent_message() {
        reach(&outer, types);
    }
    for field in message.fields() {
        reach_kind(&field.kind(), types);
    }
}

fn reach_kind(kind: &Kind, types: &mut BTreeSet<String>) {
    match kind {
        Kind::Message(message) => reach(message, types),
        Kind::Enum(kind) => {
            types.insert(kind.full_name().to_owned());
            if let Some(outer) = kind.parent_message() {
                reach(&outer, types);
            }
        }
        _ => {}
    }
}

/// Visits each message of a repeated field, keeping those for which `keep` says so.
fn each(message: &mut DynamicMessage, field: &str, mut keep: impl FnMut(&mut DynamicMessage) -> bool) {
    if let Some(list) = message.get_field_by_name_mut(field).and_then(Value::as_list_mut) {
        list.retain_mut(|item| item.as_message_mut().is_some_and(&mut keep));
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn is_empty(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).is_none_or(|value| value.as_list().is_none_or(<[Value]>::is_empty))
}
