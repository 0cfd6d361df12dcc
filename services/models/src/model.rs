//! Endpoints and what is asked of them: checked words, no I/O, no clock.

mod address;
mod name;

use serde::{Deserialize, Serialize};
use souk_secrets::{Path, Value, Version};
use souk_types::Time;

pub(crate) use self::{
    address::{Address, BadAddress},
    name::Name,
};

/// The longest key, in bytes: it travels in a header.
const KEY_BYTES: usize = 4 * 1024;
/// The most model names of an endpoint.
pub(crate) const MODELS: usize = 200;
/// The longest model name, in bytes.
const MODEL_BYTES: usize = 200;

/// Where a model answers, as it is kept; its key is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// What flows call it.
    pub(crate) name: Name,
    /// Its base URL.
    pub(crate) address: Address,
    /// The model names it may be asked for; empty: any.
    pub(crate) models: Vec<String>,
    /// The model taken where a flow names none; empty: the flow must.
    pub(crate) default_model: String,
    /// Which version of its key is the right one; none when it has no key.
    pub(crate) secret_version: Option<Version>,
    /// When it was added.
    pub(crate) create_time: Time,
    /// When it last changed.
    pub(crate) update_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// What an endpoint is to be. The key is apart: it has no form that could be kept or compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Put {
    pub(crate) name: Name,
    pub(crate) address: Address,
    pub(crate) models: Vec<String>,
    pub(crate) default_model: String,
}

/// Which endpoint is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Delete {
    pub(crate) name: Name,
}

/// Versions of a key that nobody may need any more, and when that is sure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Names the row.
    pub(crate) id: String,
    /// Whose key.
    pub(crate) name: Name,
    /// The first version.
    pub(crate) from: Version,
    /// The last one.
    pub(crate) to: Version,
}

impl Put {
    /// What is wrong with the model names, by field.
    pub(crate) fn violations(&self) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        let fits = |model: &str| {
            !model.is_empty() && model.len() <= MODEL_BYTES && !model.chars().any(char::is_control)
        };
        if self.models.len() > MODELS {
            wrong.push(("models".to_owned(), "at most 200 names"));
        }
        for (at, model) in self.models.iter().enumerate().take(MODELS) {
            if !fits(model) {
                wrong.push((format!("models[{at}]"), "1 to 200 bytes without control characters"));
            }
        }
        let field = || "default_model".to_owned();
        if self.default_model.is_empty() {
            return wrong;
        }
        if !fits(&self.default_model) {
            wrong.push((field(), "at most 200 bytes without control characters"));
        } else if !self.models.is_empty() && !self.models.contains(&self.default_model) {
            wrong.push((field(), "must be one of models"));
        }
        wrong
    }
}

/// Whether a text can be an endpoint's key: printable ASCII without spaces, as it goes into a header.
pub(crate) fn key(text: String) -> Result<Value, &'static str> {
    if text.len() > KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("at most 4096 printable ASCII characters without spaces or line breaks");
    }
    Value::new(text).map_err(|_| "must not be empty")
}

/// Where an endpoint's key stands in the secret store.
pub(crate) fn secret_path(name: &Name) -> Result<Path, souk_secrets::BadPath> {
    Path::model_endpoint(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(models: &[&str], default_model: &str) -> Put {
        Put {
            name: "A".parse().unwrap(),
            address: "https://a.example/v1".parse().unwrap(),
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            default_model: default_model.to_owned(),
        }
    }

    #[test]
    fn the_default_is_one_of_the_models() {
        assert!(put(&[], "").violations().is_empty() && put(&[], "m").violations().is_empty());
        assert!(put(&["m", "n"], "n").violations().is_empty());
        assert_eq!(put(&["m"], "n").violations()[0].0, "default_model");
        assert_eq!(put(&["m", "", "a\nb"], "m").violations().len(), 2);
    }

    #[test]
    fn a_key_fits_into_a_header() {
        assert!(key("sk-1".into()).is_ok());
        for bad in ["", "a b", "a\n", "ä", "a\r\nx: y", &"x".repeat(4097)] {
            assert!(key(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_name_has_a_place_for_its_key() {
        for name in ["A", "-", "_", &"x".repeat(60)] {
            assert!(secret_path(&name.parse().unwrap()).is_ok(), "{name}");
        }
    }
}
