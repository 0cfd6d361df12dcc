//! A shop whose key the test holds: it renders orders as Saleor does, signs them and delivers them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{harness::Souk, signer::Signer};

/// What the shop calls itself in its deliveries.
pub(crate) const API_URL: &str = "http://localhost:58123/graphql/";
/// The path that shops deliver to.
pub(crate) const PATH: &str = "/integrations/saleor/order-paid";

/// The folder of the recorded deliveries and of the keys they verify by.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/commerce/tests/fixtures")
}

/// The recorded scenario of this name.
pub(crate) fn capture(name: &str) -> Value {
    let path = fixtures().join("captures").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A key, and the recorded order that every order of this shop is made of.
pub(crate) struct Shop {
    signer: Signer,
    recorded: Value,
}

/// What a line asks for. The recorded order has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A plan of the demo's offering.
    Plan = 0,
    /// A pack of a thousand credits.
    Pack = 1,
    /// Something that souk has nothing to do with.
    Merchandise = 2,
}

/// One line of an order.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) units: i64,
}

/// A delivery: what is posted, and how it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) event: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: String,
}

impl Shop {
    /// A shop with a fresh key.
    pub(crate) fn new() -> Self {
        let capture = capture("b_guest_multi_line");
        let deliveries = capture["deliveries"].as_array().unwrap();
        let ours = deliveries.iter().rfind(|delivery| delivery["path"] == "/api/webhooks/orders").unwrap();
        let recorded = serde_json::from_str(ours["body_utf8"].as_str().unwrap()).unwrap();
        Self { signer: Signer::new("fresh"), recorded }
    }

    /// Makes the shop known to the platform; lines without another owner go to `project`. Gives its id.
    pub(crate) fn add(&self, souk: &Souk, project: &str) -> String {
        let jwks = souk.scratch().join("fresh.json");
        std::fs::write(&jwks, self.signer.jwks()).unwrap();
        let words = ["shop", "add", "--api-url", API_URL, "--jwks", jwks.to_str().unwrap()];
        let shop = souk.json(&[&words[..], &["--fallback-project", project]].concat());
        shop["shopId"].as_str().unwrap().to_owned()
    }

    /// A paid order, its lines as they are given.
    pub(crate) fn order(&self, id: &str, lines: &[Line]) -> Value {
        let mut body = self.recorded.clone();
        let order = &mut body["order"];
        let samples = order["lines"].clone();
        order["id"] = json!(id);
        order["number"] = json!(id);
        order["privateMetadata"] = json!([]);
        let lines = lines.iter().map(|line| {
            let mut made = samples[line.kind as usize].clone();
            made["id"] = json!(line.id);
            made["quantity"] = json!(line.units);
            made
        });
        order["lines"] = lines.collect();
        body
    }

    /// The order as an event of this kind, signed.
    pub(crate) fn deliver(&self, order: &Value, event: &'static str) -> Delivery {
        let mut order = order.clone();
        order["__typename"] = match event {
            "order_paid" => json!("OrderPaid"),
            _ => json!("OrderFullyPaid"),
        };
        let body = serde_json::to_vec(&order).unwrap();
        let signature = self.signer.sign(&body);
        Delivery { event, body, signature }
    }
}

/// Posts a delivery and gives the status; `None` when there was no answer.
pub(crate) async fn post(client: &reqwest::Client, url: &str, delivery: &Delivery) -> Option<u16> {
    let request = client
        .post(format!("{url}{PATH}"))
        .header("content-type", "application/json")
        .header("saleor-event", delivery.event)
        .header("saleor-api-url", API_URL)
        .header("saleor-domain", "localhost:58123")
        .header("saleor-signature", &delivery.signature)
        .body(delivery.body.clone());
    let answer = request.send().await.ok()?;
    Some(answer.status().as_u16())
}
