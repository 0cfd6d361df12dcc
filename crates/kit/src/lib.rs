//! Process and mesh plumbing: how parts are served, how they call each other, and what stands in front of
//! every handler. No sea-orm here, and nothing of any one service.

pub mod access;
pub mod clock;
pub mod config;
pub mod dial;
pub mod events;
pub mod guard;
mod health;
pub mod house;
pub mod keyring;
pub mod listen;
pub mod lock;
pub mod mesh;
pub mod open;
pub(crate) mod operations;
pub mod page;
mod pipe;
pub mod probes;
pub mod seal;
pub mod socket;
pub mod status;
mod streak;
pub mod telemetry;
pub mod token;
pub mod watch;
pub mod wire;
pub mod work;

pub use crate::{
    house::House,
    mesh::{Mesh, Mounted, Surroundings},
    open::open,
    status::{Refusal, answer, status},
    work::{Wake, Work},
};
