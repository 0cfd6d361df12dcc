//! Flows: any bytes are read, scanned and checked, within bounds, and no finding shows a secret.

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};
use serde_json::{Value, json};
use souk_fuzz::{bend, drive, edits};
use souk_runner::{Finding, check, flow::Document, scanner};
use souk_types::Reason;

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "null",
    "true",
    "-0",
    "1e999",
    "123456789012345678901234567890",
    "\\u0000",
    "\\ud800",
    "œ",
    "\u{feff}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":",
    "\"data\":{}",
    "\"nodes\":[]",
    "\"edges\":[]",
    "\"id\":\"\"",
    "\"value\":",
    "\"load_from_db\":true,",
    "\"password\":true,",
    "sk-",
    "https://u:p@h/?token=",
    "--api-key=",
    "Bearer ",
];

/// What an honest flow needs for all its findings is far below this, and a publisher reads them.
const FINDING_BYTES: usize = 4096;
/// Findings of one flow.
const FINDINGS: usize = 16_000;

/// Shapes of credentials that the scanner cannot mistake: what stands before the secret letters.
const SHAPES: &[&str] = &["sk-", "sk-proj-", "ghp_", "glpat-", "hf_", "xai-", "hvs.", "sk_live_"];

/// The recorded flows, their longest texts cut: the source code in them is only text to all that reads flows
/// here, and would take the time of ten inputs.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services/runner/tests/fixtures");
    let mut files: Vec<_> = ["flows", "extra-flows"]
        .into_iter()
        .flat_map(|name| fs::read_dir(folder.join(name)).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let read = |file| {
        let mut document = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        cut_texts(&mut document);
        serde_json::to_vec(&document).unwrap()
    };
    files.into_iter().map(read).collect()
}

fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.chars().take(200).collect(),
        Value::Array(items) => items.iter_mut().for_each(cut_texts),
        Value::Object(entries) => entries.values_mut().for_each(cut_texts),
        _ => {}
    }
}

/// Where every value of a document stands.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(entries) => {
            for (name, inner) in entries {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(inner, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                places(inner, &format!("{path}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// A change of a document as a document.
#[derive(Clone, Debug)]
enum Change {
    /// Another value in this place.
    Put(Index, Value),
    /// What stands in the one place put into the other as well.
    Copy(Index, Index),
}

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> + Send {
    let odd = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
        json!([null]),
        json!({"value": "x"}),
        json!("other"),
        json!("code"),
        json!("A".repeat(5000)),
        json!("__UNDEFINED__"),
        json!(["--token", "abc"]),
        json!({"name": "token", "value": 7}),
    ];
    let change = prop_oneof![
        (any::<Index>(), select(odd)).prop_map(|(at, value)| Change::Put(at, value)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Copy(from, to)),
    ];
    vec(change, 0..=most)
}

fn changed(mut document: Value, changes: &[Change]) -> Value {
    for change in changes {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let (to, value) = match change {
            Change::Put(to, value) => (to.get(&all[..]).as_str(), value.clone()),
            Change::Copy(from, to) => (
                to.get(&all[..]).as_str(),
                document.pointer(from.get(&all[..]).as_str()).cloned().unwrap_or_default(),
            ),
        };
        if let Some(place) = document.pointer_mut(to) {
            *place = value;
        }
    }
    document
}

fn bounded(findings: &[Finding]) -> Result<(), TestCaseError> {
    prop_assert!(findings.len() <= FINDINGS, "{} findings", findings.len());
    for finding in findings {
        let size = finding.node_id.len() + finding.field.len() + finding.message.len();
        prop_assert!(size <= FINDING_BYTES, "{size} bytes: {:.200?}", finding);
    }
    Ok(())
}

#[test]
fn any_flow_can_be_checked() {
    let seeds = seeds();
    let inputs = (any::<Index>(), any::<Index>(), edits(WORDS, 6), changes(4));
    drive("flows", inputs, move |(one, two, edits, changes)| {
        let (first, second) = (one.get(&seeds[..]), two.get(&seeds[..]));
        let bent = bend(first, second, &edits);
        let document = changed(serde_json::from_slice(first).unwrap(), &changes);
        for bytes in [bent, serde_json::to_vec(&document).unwrap()] {
            let findings = check(&bytes);
            bounded(&findings)?;
            if let Err(unread) = Document::parse(&bytes) {
                prop_assert_eq!(&findings, &[unread]);
            }
        }
        Ok(())
    });
}

/// Where a secret is put, and how.
#[derive(Clone, Debug)]
enum Plant {
    /// As the text of a place, with these words around it.
    Text(Index, &'static str, &'static str),
    /// As the name of an entry of a place that has entries.
    Name(Index),
    /// Twice in one text.
    Twice(Index),
}

fn plant(document: &mut Value, plant: &Plant, secret: &str, second: &str) -> bool {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let (at, text) = match plant {
        Plant::Text(at, before, behind) => (at, format!("{before}{secret}{behind}")),
        Plant::Twice(at) => (at, format!("{secret} {second}")),
        Plant::Name(at) => {
            let Some(Value::Object(entries)) = document.pointer_mut(at.get(&all[..]).as_str()) else {
                return false;
            };
            let value = entries.values().next().cloned().unwrap_or_default();
            entries.insert(secret.to_owned(), value);
            return true;
        }
    };
    // Strings alone: what replaces a whole node may leave no flow to look at.
    all.retain(|place| document.pointer(place).is_some_and(Value::is_string));
    if all.is_empty() {
        return false;
    }
    let place = document.pointer_mut(at.get(&all[..]).as_str());
    place.map(|place| *place = text.into()).is_some()
}

#[test]
fn a_planted_secret_is_found_and_never_shown() {
    let seeds = seeds();
    let letters = "[A-Za-z0-9]{24,40}";
    let around =
        select(vec![("", ""), ("key ", " here"), ("(", ")"), ("Bearer ", ""), ("https://h/?token=", "&x=1")]);
    let plants = prop_oneof![
        4 => (any::<Index>(), around).prop_map(|(at, (before, behind))| Plant::Text(at, before, behind)),
        1 => any::<Index>().prop_map(Plant::Name),
        1 => any::<Index>().prop_map(Plant::Twice),
    ];
    let inputs = (any::<Index>(), changes(2), plants, select(SHAPES), (letters, letters));
    drive("secrets in flows", inputs, move |(seed, changes, where_to, shape, (one, two))| {
        let mut document =
            changed(serde_json::from_slice(seed.get(&seeds[..]).as_slice()).unwrap(), &changes);
        let (secret, second) = (format!("{shape}{one}"), format!("{shape}{two}"));
        if !plant(&mut document, &where_to, &secret, &second) || !document.is_object() {
            return Ok(());
        }
        let findings = check(&serde_json::to_vec(&document).unwrap());
        let found = findings.iter().any(|finding| finding.code == Reason::CredentialInFlow);
        prop_assert!(found, "not found: {:?}", findings);
        let mut told = format!("{findings:?}");
        for hit in scanner::scan(&document) {
            told.push_str(&format!("{:?}", Finding::from(hit)));
        }
        for secret in [&one, &two] {
            for piece in secret.as_bytes().windows(8) {
                let piece = std::str::from_utf8(piece).unwrap();
                prop_assert!(!told.contains(piece), "{} is shown: {:?}", secret, findings);
            }
        }
        Ok(())
    });
}
