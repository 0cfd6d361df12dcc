//! The runner: checks flows when they are published and runs them on an engine.
//!
//! A flow is a Langflow `flow.json`. [`check`] reads it, scans it for credentials and asks the engine
//! whether it has every component; [`native`] runs it in process. Nothing durable lives here, and no
//! flow ever holds a secret.

pub mod check;
pub mod error;
pub mod flow;
pub mod model;
pub mod native;
pub mod scanner;

pub use check::check;
pub use error::Error;
pub use flow::Flow;
pub use model::{Event, Finding, Outcome, Output, Request, Usage};
