//! `souk mesh-token`: a token for grpcurl on the mesh socket, signed with the directory's keyring.

use std::{path::Path, sync::Arc};

use clap::Args;
use souk_kit::{
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
    token::{ANY_PART, LIFETIME, Tokens},
};
use souk_types::{Caller, Clock, OrgId, PartName};

use super::output::{Failure, Output};
use crate::process::KEYRING;

/// `souk mesh-token`.
#[derive(Args)]
pub(crate) struct MeshToken {
    /// The part that calls: its key signs, and its permissions hold.
    #[arg(long, value_name = "NAME")]
    part: PartName,
    /// The org it acts for [default: the platform].
    #[arg(long, value_name = "ORG")]
    org: Option<OrgId>,
}

pub(crate) fn run(data: &Path, ask: &MeshToken, output: &Output) -> Result<(), Failure> {
    let path = data.join(KEYRING);
    if !path.exists() {
        return Err(
            Failure::new(format!("there is no keyring in {}", data.display())).hint("souk up makes one")
        );
    }
    let keyring =
        Keyring::open(&path, &MachineRandom::default()).map_err(|error| Failure::new(error.to_string()))?;
    let clock = Arc::new(MachineClock);
    let tokens = Tokens::new(ask.part, Arc::new(keyring), Arc::clone(&clock) as Arc<dyn Clock>);
    let caller = Caller::Part { part: ask.part, org: ask.org };
    let token = tokens.sign(&caller, ANY_PART, clock.now() + LIFETIME);
    let token = token.map_err(|fault| Failure::new(fault.to_string()))?;
    output.say("good for one minute, on the mesh socket only");
    output.line("token", &token)
}
