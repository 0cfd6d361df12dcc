//! JSON objects in canonical form: keys sorted at every depth, no white space. Equal objects are equal texts.

use serde_json::{Map, Value};

/// Why a text is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadObject {
    /// Too long to be looked at.
    #[error("must have at most {0} bytes")]
    TooLong(usize),
    /// Not JSON, or nested too deep.
    #[error("must be JSON: wrong at line {line}, column {column}")]
    NotJson {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// JSON, but no object.
    #[error("must be a JSON object by capability")]
    NotObject,
}

/// The canonical text of a JSON object; an empty text is the empty object.
pub(crate) fn object(text: &str, most: usize) -> Result<String, BadObject> {
    if text.is_empty() {
        return Ok("{}".to_owned());
    }
    if text.len() > most {
        return Err(BadObject::TooLong(most));
    }
    // The parser's own words would repeat a piece of the text.
    let value = serde_json::from_str::<Value>(text)
        .map_err(|error| BadObject::NotJson { line: error.line(), column: error.column() })?;
    if !value.is_object() {
        return Err(BadObject::NotObject);
    }
    Ok(sorted(value).to_string())
}

/// The parser bounds the depth.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_objects_are_equal_texts() {
        let one = object(r#" {"b": [ {"d":1, "c":null} ], "a": "x" } "#, 100).unwrap();
        assert_eq!(one, r#"{"a":"x","b":[{"c":null,"d":1}]}"#);
        assert_eq!(object(&one, 100).unwrap(), one);
        assert_eq!(object("", 0).unwrap(), "{}");
    }

    #[test]
    fn what_is_no_object_is_refused_without_repeating_it() {
        for bad in ["[]", "null", "1", "\"canary\""] {
            assert_eq!(object(bad, 100), Err(BadObject::NotObject), "{bad}");
        }
        for bad in ["canary", "{\"canary\":canary}", "{", &"[".repeat(90), " ", "{} {}", "{\"a\":1e999}"] {
            let Err(error) = object(bad, 100) else { panic!("{bad} is no object") };
            assert!(matches!(error, BadObject::NotJson { .. }), "{bad}");
            assert!(!error.to_string().contains("canary"));
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(matches!(object(&deep, 100_000), Err(BadObject::NotJson { .. })));
        assert_eq!(object("{}", 1), Err(BadObject::TooLong(1)));
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_the_form_is_final(text in "\\PC{0,200}") {
            if let Ok(canonical) = object(&text, 1000) {
                prop_assert_eq!(object(&canonical, 10_000).unwrap(), canonical);
            }
        }

        #[test]
        fn the_order_of_keys_says_nothing(map in proptest::collection::hash_map("[a-zé\"\\\\]{0,4}", 0_i64..9, 0..9)) {
            let text = |pairs: &mut dyn Iterator<Item = (&String, &i64)>| {
                let fields: Vec<_> = pairs.map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
                format!("{{{}}}", fields.join(","))
            };
            let mut pairs: Vec<_> = map.iter().collect();
            let one = text(&mut pairs.clone().into_iter());
            pairs.reverse();
            let two = text(&mut pairs.into_iter());
            prop_assert_eq!(object(&one, 1000).unwrap(), object(&two, 1000).unwrap());
        }
    }
}
