//! What the process itself asks of tenancy before anybody can sign in: the operator's key and a link.

use std::time::Duration;

use souk_types::{Secret, Time};

use crate::{
    error::Error,
    model::{Credential, Email, credential::Kind},
    store::{Minted, Store},
};

/// The operator's platform key, where the one that is `known` does not serve (any more).
pub(crate) async fn platform_key(
    store: &Store,
    operator: &Email,
    known: Option<&str>,
) -> Result<Option<Secret<String>>, Error> {
    // A file that was damaged holds no key; that is the same as a lost one.
    let known = known.and_then(|text| Credential::parse(Kind::ApiKey, text.trim()).ok());
    let hash = known.map(|key| key.hash());
    let minted = Credential::mint(Kind::ApiKey, store.random());
    let made = store.ensure_platform_key(operator, hash.as_deref(), &Minted::of(&minted)).await?;
    Ok(made.map(|_| minted.into_secret()))
}

/// A sign-in link for an address, whose user is made when first seen.
pub(crate) async fn sign_in_link(
    store: &Store,
    email: &Email,
    life: Duration,
) -> Result<(Secret<String>, Time), Error> {
    let code = Credential::mint(Kind::SignInCode, store.random());
    let link = store.own_sign_in_link(email, (&code.hash(), store.now() + life)).await?;
    Ok((code.into_secret(), link.expire_time))
}
