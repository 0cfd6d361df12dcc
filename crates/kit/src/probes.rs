//! `/health`, `/livez`, `/readyz` and `/metrics`: what schedulers and Prometheus ask of every process. They
//! stand on the public port, so they say nothing that a stranger may not know: of the figures, how often public
//! methods were called. All figures are read on the operator's socket.

use std::sync::{Arc, PoisonError};

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use souk_proto::{Audience, rule};

use crate::{
    house::{House, Shared},
    telemetry,
};

/// The figure that counts calls.
const CALLS: &str = "souk_rpc_total";

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

/// Of all figures, the counts of calls of public methods.
fn public(figures: &str) -> String {
    let is_public = |line: &str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        if !name.starts_with(CALLS) {
            return false;
        }
        let rpc = line.split_once("rpc=\"").and_then(|(_, rest)| rest.split('"').next());
        match rpc {
            Some(rpc) => rule(rpc).is_some_and(|rule| rule.audience == Audience::Edge),
            None => line.starts_with('#'),
        }
    };
    figures.lines().filter(|line| is_public(line)).map(|line| format!("{line}\n")).collect()
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
    fn strangers_see_counts_of_public_methods_alone() {
        let all = "# TYPE souk_rpc_total counter\n\
                   souk_rpc_total{rpc=\"/souk.billing.v1.BillingService/GetWallet\",code=\"OK\"} 3\n\
                   souk_rpc_total{rpc=\"/souk.billing.v1.BillingService/Authorize\",code=\"OK\"} 9\n\
                   souk_rpc_total{rpc=\"unknown\",code=\"OK\"} 1\n\n\
                   # TYPE souk_rpc_seconds summary\n\
                   souk_rpc_seconds{rpc=\"/souk.billing.v1.BillingService/GetWallet\",quantile=\"0.5\"} 0.1\n\
                   souk_tables_total 7\n";
        let seen = public(all);
        assert_eq!(seen.lines().count(), 2, "{seen}");
        assert!(seen.contains("GetWallet") && !seen.contains("Authorize"), "{seen}");
    }
}
