//! `gen/rust/src/rules.rs`: the runtime types from the template, the table, and one impl a request.

use std::fmt::Write as _;

use crate::{
    Error,
    rules::{READ_FIELDS, Rule},
};

const TYPES: &str = include_str!("../templates/rules.rs");

/// The whole file. The table is sorted by path: `rule` searches it by halves.
pub(crate) fn rules(rules: &[Rule]) -> Result<String, Error> {
    let mut text = TYPES.to_owned();
    text.push_str("/// Every rule, sorted by path.\npub static RULES: &[Rule] = &[");
    for rule in rules {
        entry(&mut text, rule);
    }
    text.push_str("];\n");
    for (place, rule) in rules.iter().enumerate() {
        ruled(&mut text, place, rule);
    }
    let file = syn::parse_file(&text).map_err(|cause| Error::Code { file: "rules.rs".to_owned(), cause })?;
    Ok(prettyplease::unparse(&file))
}

fn entry(text: &mut String, rule: &Rule) {
    let permission = rule.permission.as_ref().map(|(domain, verb)| (domain, Word(verb)));
    // Writing to a String cannot fail. Debug prints names and strings as Rust writes them.
    let _ = write!(
        text,
        "Rule {{ path: {:?}, part: {:?}, audience: Audience::{:?}, callers: &{:?}, anonymous: {}, \
         permission: {:?}, tenant: Tenant::{:?}, replay: Replay::{:?}, server_streaming: {}, \
         has_request_id: {} }},",
        rule.path,
        rule.part,
        rule.audience,
        rule.callers,
        rule.anonymous,
        permission,
        rule.tenant,
        rule.replay,
        rule.server_streaming,
        rule.has("request_id"),
    );
}

/// Prints `Verb::Read` where Debug alone would print `Read`.
struct Word<'a>(&'a souk_types::access::Verb);

impl std::fmt::Debug for Word<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Verb::{:?}", self.0)
    }
}

fn ruled(text: &mut String, place: usize, rule: &Rule) {
    let request = rule.request.replace('.', "::");
    let _ = write!(text, "impl Ruled for crate::{request} {{ const RULE: &'static Rule = &RULES[{place}];");
    for field in READ_FIELDS.into_iter().filter(|field| rule.has(field)) {
        let _ = write!(text, "fn {field}(&self) -> &str {{ &self.{field} }}");
    }
    text.push_str("}\n");
}
