//! The document of a flow: JSON within bounds.
//!
//! A key that stands twice in one object is refused: two readers would see two flows, and a credential
//! could hide behind the value that wins.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::limits;
use crate::model::Finding;

/// A JSON document that is small and shallow enough to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Value);

impl Document {
    /// Reads the bytes of a flow.
    ///
    /// # Errors
    /// The one finding that says why these bytes are no flow document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Finding> {
        if bytes.len() > limits::BYTES {
            return Err(Finding::invalid("", "", format!("the flow is larger than {} bytes", limits::BYTES)));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = Bounded { left: limits::DEPTH }
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| unreadable(&error))?;
        match value {
            Value::Object(_) => Ok(Self(value)),
            _ => Err(Finding::invalid("", "", "the flow is not a JSON object")),
        }
    }

    /// The JSON itself.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

/// Says where reading stopped, without repeating what stood there.
fn unreadable(error: &serde_json::Error) -> Finding {
    let text = error.to_string();
    let why = match [TOO_DEEP, TWICE].into_iter().find(|why| text.starts_with(why)) {
        Some(why) => why,
        None if error.is_eof() => "the JSON ends too early",
        None => "this is not JSON",
    };
    Finding::invalid("", "", format!("{why}, at line {} column {}", error.line(), error.column()))
}

const TOO_DEEP: &str = "the JSON is nested more than 64 deep";
const TWICE: &str = "a key stands twice in one object";

/// Reads a value that may nest `left` levels more.
#[derive(Clone, Copy)]
struct Bounded {
    left: usize,
}

impl Bounded {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.left.checked_sub(1).map(|left| Self { left }).ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return Err(A::Error::custom(TWICE));
            }
            all.insert(key, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(all))
    }
}
