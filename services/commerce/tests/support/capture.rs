//! The recorded deliveries of a real shop. Shared by test targets with `#[path]`.

use std::path::Path;

use serde_json::Value;
use souk_commerce::{
    model::Snapshot,
    outside::saleor::payload::{Event, Reading},
};

/// The path that the deliveries for souk were recorded at; all others are for other receivers.
pub(crate) const OURS: &str = "/api/webhooks/orders";

/// One scenario's deliveries.
pub(crate) struct Capture {
    /// Its name in `expected.json`.
    pub(crate) scenario: String,
    /// All of it, as recorded.
    pub(crate) deliveries: Vec<Delivery>,
}

/// One recorded HTTP request.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// The path it was sent to.
    pub(crate) path: String,
    /// The key set it verifies by; `None` where it was signed by HMAC.
    pub(crate) jwks: Option<String>,
    /// The exact body.
    pub(crate) body: String,
    headers: Vec<(String, String)>,
}

fn read(kind: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file among the captures.
pub(crate) fn file(name: &str) -> Vec<u8> {
    read("captures", &format!("{name}.json"))
}

/// A file among the vectors.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    read("vectors", name)
}

impl Capture {
    /// Reads one scenario.
    pub(crate) fn load(name: &str) -> Self {
        let document: Value = serde_json::from_slice(&file(name)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let deliveries = document["deliveries"].as_array().unwrap().iter().map(|delivery| Delivery {
            path: text(&delivery["path"]),
            jwks: delivery["signature"]["jwks"].as_str().map(str::to_owned),
            body: text(&delivery["body_utf8"]),
            headers: delivery["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (text(&pair[0]), text(&pair[1])))
                .collect(),
        });
        Self { scenario: text(&document["scenario"]), deliveries: deliveries.collect() }
    }

    /// Every scenario there is.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|name| name != "expected")
            .collect();
        names.sort();
        names.iter().map(|name| Self::load(name)).collect()
    }

    /// The deliveries for souk.
    pub(crate) fn ours(&self) -> Vec<Delivery> {
        self.deliveries.iter().filter(|delivery| delivery.path == OURS).cloned().collect()
    }
}

impl Delivery {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    /// The order in it, which must be whole.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match Event::read(self.body.as_bytes()).unwrap().order {
            Reading::Complete(snapshot) => *snapshot,
            incomplete @ Reading::Incomplete { .. } => panic!("{incomplete:?}"),
        }
    }
}
