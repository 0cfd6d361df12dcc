//! `/health`, `/livez`, `/readyz` and `/metrics`: what schedulers and Prometheus ask of every process. They
//! stand on the public port, so they say nothing that a stranger may not know: of the figures, how often public
//! methods were called at the door. All figures are read on the operator's socket.

use std::sync::{Arc, PoisonError};

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use souk_proto::{Audience, RULES, Rule};
use tonic::Code;

use crate::{
    guard::name,
    house::{House, Shared},
    telemetry,
};

/// The figure that counts the calls of public methods at the door.
const DOOR_CALLS: &str = "souk_door_calls_total";

/// The probes of the process that this house stands in.
pub fn router(house: &House) -> Router {
    let shared = Arc::clone(&house.shared);
    let ready = move || {
        let shared = Arc::clone(&shared);
        async move { readiness(&shared) }
    };
    Router::new()
        .route("/livez", get(async || Json(json!({"status": "ok"}))))
        .route("/health", get(ready.clone()))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(async || telemetry::figures().map(|handle| public(&handle.render())).unwrap_or_default()),
        )
}

/// Of all figures, the counts of calls that came through the door.
fn public(figures: &str) -> String {
    let is_public = |line: &str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        name.starts_with(DOOR_CALLS)
    };
    figures.lines().filter(|line| is_public(line)).map(|line| format!("{line}\n")).collect()
}

/// Counts a call of a public method, as the door saw it: wherever its part runs.
pub fn count_at_door(rule: Option<&Rule>, code: Code) {
    let rpc = rule.map_or("unknown", |rule| rule.path);
    metrics::counter!(DOOR_CALLS, "rpc" => rpc, "code" => name(code)).increment(1);
}

/// Shows every public method from the start: a figure that is not there yet cannot be told from one that is gone.
pub fn begin_at_door() {
    for rule in RULES.iter().filter(|rule| rule.audience == Audience::Edge) {
        metrics::counter!(DOOR_CALLS, "rpc" => rule.path, "code" => name(Code::Ok)).increment(0);
    }
}

fn readiness(shared: &Shared) -> (StatusCode, Json<Value>) {
    let parts = shared.ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let draining = shared.stop.is_cancelled();
    let ok = !draining && !parts.is_empty() && parts.values().all(|ready| *ready);
    let parts: serde_json::Map<_, _> = parts
        .into_iter()
        .map(|(part, ready)| (part.to_string(), json!(if ready { "ready" } else { "not ready" })))
        .collect();
    let status = match (ok, draining) {
        (true, _) => "ok",
        (false, true) => "draining",
        (false, false) => "starting",
    };
    let code = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({"status": status, "parts": parts})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_see_the_figures_of_the_door_alone() {
        let all = "# TYPE souk_door_calls_total counter\n\
                   souk_door_calls_total{rpc=\"/souk.billing.v1.BillingService/GetWallet\",code=\"OK\"} 3\n\n\
                   # TYPE souk_rpc_total counter\n\
                   souk_rpc_total{rpc=\"/souk.billing.v1.BillingService/Authorize\",code=\"OK\"} 9\n\n\
                   # TYPE souk_rpc_seconds summary\n\
                   souk_rpc_seconds{rpc=\"/souk.billing.v1.BillingService/GetWallet\",quantile=\"0.5\"} 0.1\n\
                   souk_tables_total 7\n";
        let seen = public(all);
        assert_eq!(seen.lines().count(), 2, "{seen}");
        assert!(seen.contains("GetWallet") && !seen.contains("Authorize"), "{seen}");
    }
}
