//! `/health`, `/livez`, `/readyz` and `/metrics`: what schedulers and Prometheus ask of every process.

use std::sync::{Arc, PoisonError};

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};

use crate::{
    house::{House, Shared},
    telemetry,
};

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
            get(async || telemetry::figures().map(|handle| handle.render()).unwrap_or_default()),
        )
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
