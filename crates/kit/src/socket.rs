//! The operator's unix socket: every method of every part that runs here, with the whole descriptor for
//! reflection. The part is found by the method's package; `souk.events.v1` and `souk.operations.v1` are every
//! part's, and a raw route has no package: there the header `souk-part` names it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{any_service, get},
};
use http::HeaderMap;
use souk_proto::FILE_DESCRIPTOR_SET;
use souk_types::{Fault, PartName, Reason, Violation};
use tonic::service::Routes;
use tower::{ServiceExt, service_fn};

use crate::{
    access::refuse,
    health,
    house::{House, Shared},
    telemetry,
};

/// The header that names the part, where every part has the service that is called.
pub const PART: &str = "souk-part";

pub(crate) fn router(shared: &Arc<Shared>, parts: BTreeMap<PartName, Router>) -> Router {
    let forward = service_fn(move |request: Request<Body>| {
        let part = part_of(request.uri().path(), request.headers());
        let router = part.and_then(|part| {
            let away =
                || Fault::new(Reason::Unavailable, "kit", "the part does not run here").with("part", part);
            parts.get(&part).cloned().ok_or_else(away)
        });
        async move {
            match router {
                Ok(router) => router.oneshot(request).await,
                Err(fault) => Ok::<Response, std::convert::Infallible>(refuse(fault)),
            }
        }
    });
    // What Prometheus reads, methods of the mesh by name: for whoever may open this socket.
    let figures = get(async || telemetry::figures().map(|handle| handle.render()).unwrap_or_default());
    services(shared, FILE_DESCRIPTOR_SET).route("/metrics", figures).fallback_service(any_service(forward))
}

/// Reflection over a descriptor set, in both versions that clients speak, and the health of this process.
pub fn reflection(house: &House, descriptors: &'static [u8]) -> Router {
    services(&house.shared, descriptors)
}

fn services(shared: &Arc<Shared>, descriptors: &'static [u8]) -> Router {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::new(health::Server::service(Arc::clone(shared)));
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(newer), Ok(older)) => routes = routes.add_service(newer).add_service(older),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(error = error.to_string(), "reflection unavailable");
        }
    }
    routes.prepare().into_axum_router()
}

fn part_of(path: &str, headers: &HeaderMap) -> Result<PartName, Fault> {
    let domain = path.strip_prefix("/souk.").and_then(|rest| rest.split('.').next()).unwrap_or_default();
    let named = headers.get(PART).and_then(|value| value.to_str().ok());
    let name = match (domain, named) {
        ("", Some(named)) => named,
        ("events" | "operations", Some(named)) => named,
        ("events" | "operations", None) => {
            let text = "the header souk-part must name the part that is meant: every part has this service";
            return Err(Fault::invalid("kit", vec![Violation::new(PART, text)]));
        }
        (domain, _) => domain,
    };
    name.parse().map_err(|_| Fault::new(Reason::Unimplemented, "kit", "no such method").with("method", path))
}
