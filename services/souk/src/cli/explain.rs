//! `souk explain`: what became of a run, an instance or an order, across the parts, in one timeline. The cause
//! and the next step come first.

mod read;
mod story;

use std::path::Path;

use clap::Args;

use self::story::Story;
use super::{
    output::{Failure, Output},
    remote::Remote,
};

/// `souk explain`.
#[derive(Args)]
pub(crate) struct Explain {
    /// A run, an instance or an order: its id, or an order's number.
    #[arg(value_name = "RUN|INSTANCE|ORDER")]
    subject: String,
}

pub(crate) async fn run(remote: &Remote, data: &Path, ask: Explain, output: &Output) -> Result<(), Failure> {
    let parts = read::Parts { remote, data };
    let story: Story = match ask.subject.split('_').next().unwrap_or_default() {
        "run" => parts.run(&ask.subject).await?,
        "ins" => parts.instance(&ask.subject).await?,
        _ => parts.order(&ask.subject).await?,
    };
    if output.is_json() { output.value(&story.json()) } else { output.text(&story.text()) }
}
