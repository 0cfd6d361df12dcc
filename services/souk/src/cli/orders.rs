//! `souk orders …`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Subcommand;
use serde::Deserialize;
use souk_proto::souk::commerce::v1::{
    ListOrdersRequest, ListOrdersResponse, Order, OrderLine, ReplayOrderRequest,
    commerce_service_client::CommerceServiceClient, order_line::State,
};

use souk_kit::wire;
use souk_types::Time;

use super::{
    output::{Failure, Output, table},
    remote::Remote,
};

/// `souk orders …`.
#[derive(Subcommand)]
pub(crate) enum Orders {
    /// List orders with their lines, newest first.
    Ls {
        /// Only of this shop (its id).
        #[arg(long, default_value = "")]
        shop: String,
        /// Only orders with a parked line.
        #[arg(long)]
        parked: bool,
    },
    /// Post a recorded capture's deliveries, body and Saleor headers untouched, and show what became of them.
    Post {
        /// The capture: JSON with `deliveries`.
        file: PathBuf,
    },
    /// Try an order's parked lines again.
    Replay {
        /// The order.
        order: String,
    },
}

/// Where the shop sent what was recorded for souk; deliveries of the same capture to other paths were not
/// souk's.
const RECORDED: &str = "/api/webhooks/orders";
const OURS: &str = "/integrations/saleor/order-paid";
const CAPTURE: &str =
    r#"a capture is JSON: {"deliveries": [{"path": "…", "headers": {…}, "body_utf8": "…"}]}"#;
/// How long `post` waits for the lines.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Capture {
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    path: String,
    headers: serde_json::Value,
    #[serde(default)]
    body_utf8: String,
}

pub(crate) async fn run(remote: &Remote, ask: Orders, output: &Output) -> Result<(), Failure> {
    match ask {
        Orders::Ls { shop, parked } => {
            let orders = list(remote, shop, parked).await?;
            output.message("souk.commerce.v1.ListOrdersResponse", &orders, text)
        }
        Orders::Post { file } => post(remote, &file, output).await,
        Orders::Replay { order } => {
            let mut client = CommerceServiceClient::new(remote.channel()?);
            let request = ReplayOrderRequest { order_id: order, request_id: remote.request_id("") };
            let order = client.replay_order(request).await?.into_inner().order.unwrap_or_default();
            output.message("souk.commerce.v1.Order", &order, |order| rows(std::slice::from_ref(order)))
        }
    }
}

async fn list(remote: &Remote, shop_id: String, parked: bool) -> Result<ListOrdersResponse, Failure> {
    let mut client = CommerceServiceClient::new(remote.channel()?);
    let mut all = ListOrdersResponse::default();
    let mut page_token = String::new();
    loop {
        let request = ListOrdersRequest { shop_id: shop_id.clone(), parked, page_size: 200, page_token };
        let page = client.list_orders(request).await?.into_inner();
        all.orders.extend(page.orders);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

fn text(orders: &ListOrdersResponse) -> String {
    rows(&orders.orders)
}

fn rows(orders: &[Order]) -> String {
    let mut rows = Vec::new();
    for order in orders {
        if order.lines.is_empty() {
            rows.push(vec![
                order.number.clone(),
                order.external_id.clone(),
                "-".into(),
                order.parked_reason.clone(),
            ]);
        }
        rows.extend(order.lines.iter().map(|line| {
            let name = if line.sku.is_empty() { &line.product_name } else { &line.sku };
            vec![order.number.clone(), name.clone(), format!("×{}", line.units), became(line)]
        }));
    }
    table(&["ORDER", "LINE", "UNITS", "BECAME"], &rows)
}

fn became(line: &OrderLine) -> String {
    let state = line.state().as_str_name().trim_start_matches("STATE_");
    match line.state() {
        State::Parked => format!("{state} {}: {}", line.parked_reason, line.remedy),
        State::Done if line.credits_micros > 0 => {
            format!("{state} {} credits", souk_types::Credits::from_micros(line.credits_micros))
        }
        State::Done | State::Working => format!("{state} {}", line.instance_ids.join(" ")),
        State::Waiting | State::Void | State::Unspecified => state.to_owned(),
    }
}

fn read(path: &Path) -> Result<Vec<Delivery>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display())).hint(CAPTURE);
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let capture: Capture = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    let (ours, others): (Vec<_>, Vec<_>) =
        capture.deliveries.into_iter().partition(|delivery| delivery.path == RECORDED);
    // A capture that never used the recorded path was made for one webhook alone: all of it is ours.
    let deliveries = if ours.is_empty() { others } else { ours };
    if deliveries.is_empty() { Err(failed(&"the capture has no deliveries")) } else { Ok(deliveries) }
}

/// Header pairs, whichever way the capture writes them: an object, or a list of pairs.
fn headers(recorded: &serde_json::Value) -> Vec<(String, String)> {
    let pair = |name: &str, value: &serde_json::Value| Some((name.to_owned(), value.as_str()?.to_owned()));
    match recorded {
        serde_json::Value::Object(map) => map.iter().filter_map(|(name, value)| pair(name, value)).collect(),
        serde_json::Value::Array(list) => {
            list.iter().filter_map(|entry| pair(entry.get(0)?.as_str()?, entry.get(1)?)).collect()
        }
        _ => Vec::new(),
    }
}

async fn post(remote: &Remote, file: &Path, output: &Output) -> Result<(), Failure> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| Failure::broken(&error))?;
    let mut refused = Vec::new();
    let mut wanted = Wanted::new();
    let deliveries = read(file)?;
    let total = deliveries.len();
    for delivery in deliveries {
        let mut request = client.post(format!("{}{OURS}", remote.server()));
        for (name, value) in headers(&delivery.headers) {
            let lower = name.to_ascii_lowercase();
            if lower == "content-type" || lower.contains("saleor") || lower.starts_with("traceparent") {
                request = request.header(name, value);
            }
        }
        let answer = request.body(delivery.body_utf8.clone()).send().await;
        let answer =
            answer.map_err(|_| Failure::new("the server does not answer").hint("is it running? souk up"))?;
        if answer.status().is_success() {
            note(&mut wanted, &delivery.body_utf8);
        } else {
            let status = answer.status();
            refused.push(format!("{status}: {}", answer.text().await.unwrap_or_default().trim()));
        }
    }
    output.say(&format!("{} of {total} deliveries accepted", total - refused.len()));
    let mut settled = settled(remote, &wanted).await?;
    settled.orders.retain(|order| wanted.contains_key(&order.external_id));
    output.message("souk.commerce.v1.ListOrdersResponse", &settled, text)?;
    match refused.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!("{} deliveries refused; the first: {first}", refused.len()))),
    }
}

/// The orders that were posted, by the shop's id, each with when the shop last changed it.
type Wanted = BTreeMap<String, Option<Time>>;

/// Notes the order that a body is about.
fn note(wanted: &mut Wanted, body: &str) {
    let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else { return };
    let order = body.pointer("/order").or_else(|| body.pointer("/event/order"));
    let Some(order) = order.or_else(|| body.pointer("/data/event/order")) else { return };
    let text = |name: &str| order.get(name).and_then(serde_json::Value::as_str);
    let changed = text("updatedAt").and_then(|text| text.parse().ok()).and_then(wire::time);
    if let Some(id) = text("id") {
        let newest = wanted.entry(id.to_owned()).or_default();
        *newest = changed.max(*newest);
    }
}

/// Whether an order has taken in what was posted of it, and nothing of it is on its way any more.
fn is_settled(order: &Order, posted: Option<Time>) -> bool {
    let taken = order.snapshot_time.and_then(wire::time);
    taken >= posted && !order.lines.iter().any(|line| line.state() == State::Working)
}

/// The orders once all that was posted is settled, or when patience ends.
async fn settled(remote: &Remote, wanted: &Wanted) -> Result<ListOrdersResponse, Failure> {
    let wait = async {
        loop {
            let all = list(remote, String::new(), false).await?;
            let of = |id: &String| all.orders.iter().find(|order| order.external_id == *id);
            if wanted.iter().all(|(id, posted)| of(id).is_some_and(|order| is_settled(order, *posted))) {
                return Ok(all);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(orders) => orders,
        Err(_) => list(remote, String::new(), false).await,
    }
}
