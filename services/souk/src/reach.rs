//! The operator's way to a part of a data directory that runs: by its socket, with a token signed by the
//! directory's keyring. Whoever may read the keyring may do this; nobody else.

use std::{path::Path, sync::Arc, time::Duration};

use souk_kit::{
    clock::{MachineClock, MachineRandom},
    keyring::Keyring,
    socket,
    token::{ANY_PART, LIFETIME, Tokens},
};
use souk_types::{Caller, Clock as _, OrgId, PartName};
use tonic::{
    Request,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use crate::{
    cli::Failure,
    process::{KEYRING, MESH_SOCKET},
};

/// Channels to the sockets behind which a part may be, those that somebody listens on.
pub(crate) async fn channels(data: &Path, part: PartName) -> Vec<Channel> {
    let mut channels = Vec::new();
    for name in [MESH_SOCKET.to_owned(), format!("{part}.sock")] {
        channels.extend(connect(&data.join(name)).await);
    }
    channels
}

async fn connect(socket: &Path) -> Option<Channel> {
    let path = std::path::absolute(socket).ok()?;
    let endpoint = Endpoint::from_shared(format!("unix:{}", path.display())).ok()?;
    endpoint.connect_timeout(Duration::from_secs(5)).connect().await.ok()
}

/// A request to `part` by the gateway, acting for an org or for the platform.
pub(crate) fn signed<M>(
    data: &Path,
    part: PartName,
    org: Option<OrgId>,
    message: M,
) -> Result<Request<M>, Failure> {
    let keyring = Keyring::open(&data.join(KEYRING), &MachineRandom::default());
    let keyring = keyring.map_err(|error| Failure::new(error.to_string()))?;
    let tokens = Tokens::new(PartName::Gateway, Arc::new(keyring), Arc::new(MachineClock));
    let caller = Caller::Part { part: PartName::Gateway, org };
    let token = tokens.sign(&caller, ANY_PART, MachineClock.now() + LIFETIME);
    let token = token.map_err(|fault| Failure::new(fault.to_string()))?;
    let value = |text: &str| MetadataValue::try_from(text).map_err(|error| Failure::broken(&error));
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", value(&format!("Bearer {token}"))?);
    request.metadata_mut().insert(socket::PART, value(part.as_str())?);
    Ok(request)
}
