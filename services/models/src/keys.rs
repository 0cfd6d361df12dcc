//! The endpoints' keys in the secret store: the only room here that sees one.

use souk_secrets::{Error as SecretError, Path, Secrets, Value, Version};
use souk_types::Random;
use std::sync::Arc;

use crate::{
    error::Error,
    model::{Leftover, Name, secret_path},
};

/// Keeps keys, and marks them so that repeats can be told from changes.
#[derive(Clone)]
pub(crate) struct Keys {
    secrets: Secrets,
    random: Arc<dyn Random>,
}

impl Keys {
    pub(crate) const fn new(secrets: Secrets, random: Arc<dyn Random>) -> Self {
        Self { secrets, random }
    }

    /// The version that the next key of an endpoint would have.
    pub(crate) async fn next(&self, name: &Name) -> Result<Version, Error> {
        let newest = self.secrets.newest(&place(name)?).await?;
        newest.checked_add(1).ok_or(Error::Broken("the versions of a key are used up"))
    }

    /// Keeps a key as this version of it; says whether it was the one to do so.
    pub(crate) async fn put(&self, name: &Name, key: &Value, version: Version) -> Result<bool, Error> {
        match self.secrets.put(&place(name)?, key, Some(version.saturating_sub(1))).await {
            Ok(kept) if kept == version => Ok(true),
            Ok(_) => Err(Error::Broken("the secret store skipped a version")),
            Err(SecretError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys versions of a key; those that are gone are no error.
    pub(crate) async fn destroy(&self, leftover: &Leftover) -> Result<(), Error> {
        Ok(self.secrets.destroy(&place(&leftover.name)?, leftover.from..=leftover.to).await?)
    }

    /// What stands for a key where requests are compared. A plain digest would let whoever reads the request
    /// log try guesses; this one cannot be made without a secret that stands in no database.
    pub(crate) async fn mark(&self, key: &Value) -> Result<String, Error> {
        let pepper = self.pepper().await?;
        Ok(key.mark(&pepper))
    }

    /// Made once, however many replicas ask for it together.
    async fn pepper(&self) -> Result<Value, Error> {
        let path = Path::part("models", "request-pepper").map_err(|_| Error::Broken("no path"))?;
        for _ in 0..3 {
            match self.secrets.get(&path, None).await {
                Ok((pepper, _)) => return Ok(pepper),
                Err(SecretError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let mut bytes = [0_u8; 32];
            self.random.fill(&mut bytes);
            let fresh = Value::new(hex::encode(bytes)).map_err(|_| Error::Broken("no pepper"))?;
            let newest = self.secrets.newest(&path).await?;
            match self.secrets.put(&path, &fresh, Some(newest)).await {
                Ok(_) => return Ok(fresh),
                // Somebody else was first: theirs counts.
                Err(SecretError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Broken("the request pepper comes and goes"))
    }
}

fn place(name: &Name) -> Result<Path, Error> {
    secret_path(name).map_err(|_| Error::Broken("a name that is no path"))
}
