//! Everything that crosses the wire, made from `proto/` by `cargo run -p xtask -- gen`. Do not edit.
//!
//! Modules follow the packages (`souk::billing::v1`); `rules` holds the access rule of every method. What
//! has no place here: behaviour. Conversions to a service's own nouns stand in that service's `api`.
// The words of the proto files become documentation as they are, and the generators are not ours to lint.
#![allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]

#[rustfmt::skip]
pub mod rules;

pub use rules::{Audience, RULES, Replay, Rule, Ruled, Tenant, Verb, rule};

/// Every message, method and option, in protobuf's own form; for transcoding and the mesh's reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("../../souk.binpb");

/// The same without methods of audience MESH: the only one that the public may be shown.
pub const EDGE_FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("../../souk-edge.binpb");

pub mod google {
    pub mod api {
        include!("pb/google.api.rs");
    }
    pub mod rpc {
        include!("pb/google.rpc.rs");
    }
}

pub mod souk {
    pub mod access {
        pub mod v1 {
            include!("pb/souk.access.v1.rs");
        }
    }
    pub mod billing {
        pub mod v1 {
            include!("pb/souk.billing.v1.rs");
        }
    }
    pub mod catalog {
        pub mod v1 {
            include!("pb/souk.catalog.v1.rs");
        }
    }
    pub mod commerce {
        pub mod v1 {
            include!("pb/souk.commerce.v1.rs");
        }
    }
    pub mod delivery {
        pub mod v1 {
            include!("pb/souk.delivery.v1.rs");
        }
    }
    pub mod events {
        pub mod v1 {
            include!("pb/souk.events.v1.rs");
        }
    }
    pub mod gateway {
        pub mod v1 {
            include!("pb/souk.gateway.v1.rs");
        }
    }
    pub mod instances {
        pub mod v1 {
            include!("pb/souk.instances.v1.rs");
        }
    }
    pub mod models {
        pub mod v1 {
            include!("pb/souk.models.v1.rs");
        }
    }
    pub mod operations {
        pub mod v1 {
            include!("pb/souk.operations.v1.rs");
        }
    }
    pub mod runner {
        pub mod v1 {
            include!("pb/souk.runner.v1.rs");
        }
    }
    pub mod runs {
        pub mod v1 {
            include!("pb/souk.runs.v1.rs");
        }
    }
    pub mod tenancy {
        pub mod v1 {
            include!("pb/souk.tenancy.v1.rs");
        }
    }
}
