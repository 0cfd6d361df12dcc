//! The descriptor set that the public may see: methods of audience EDGE and nothing else.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use crate::{
    Error,
    compile::Compiled,
    rules::{Audience, Rule},
};

/// Drops every method that is not EDGE, and every service that has none left.
///
/// Edits the set through reflection: the typed form would drop the extension options (REST bindings).
pub(crate) fn prune(compiled: &Compiled, rules: &[Rule]) -> Result<Vec<u8>, Error> {
    let edge: BTreeSet<&str> =
        rules.iter().filter(|rule| rule.audience == Audience::Edge).map(|rule| rule.path.as_str()).collect();
    let kind = compiled.pool.get_message_by_name("google.protobuf.FileDescriptorSet").ok_or_else(|| {
        Error::Proto("google/protobuf/descriptor.proto is not among the imports".to_owned())
    })?;
    let mut set = DynamicMessage::decode(kind, compiled.descriptor.as_slice())
        .map_err(|cause| Error::Proto(cause.to_string()))?;
    each(&mut set, "file", |file| {
        let package = text(file, "package");
        each(file, "service", |service| {
            let name = text(service, "name");
            each(service, "method", |method| {
                edge.contains(format!("/{package}.{name}/{}", text(method, "name")).as_str())
            });
            !is_empty(service, "method")
        });
        true
    });
    Ok(set.encode_to_vec())
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
