//! A JSON document in one canonical text: sorted keys, two spaces, printable ASCII.
//!
//! Held as text, so that writing it twice gives the same bytes and no number is read and written again.

use serde::{Deserialize, Serialize, de};
use serde_json::Value;
use souk_types::Violation;

/// How deep a document may nest; the readers of the files have limits of their own beyond this.
const DEPTH: usize = 64;
/// How many bytes its canonical text may have; an object of a cluster may not pass one mebibyte.
const BYTES: usize = 512 * 1024;

/// A JSON document in canonical text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Document(String);

impl<'de> Deserialize<'de> for Document {
    /// From its canonical text, as it was serialized; the text is a string within the outer document.
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_canonical(&text).ok_or_else(|| de::Error::custom("expected canonical JSON text"))
    }
}

impl Document {
    /// The canonical form of a value.
    ///
    /// # Errors
    /// A value that nests deeper than 64 levels or is longer than 512 KiB.
    pub fn new(value: &Value) -> Result<Self, Violation> {
        let mut text = String::new();
        write(&mut text, value, 0)?;
        Self::bounded(text)
    }

    /// Takes a text that [`Document::new`] once wrote, verbatim; `None` when it cannot be one.
    pub(super) fn from_canonical(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte));
        // A block's first line fixes its indentation, and its last line break is not part of it.
        let framed = !text.starts_with([' ', '\n']) && !text.ends_with('\n') && !text.is_empty();
        let json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if printable && framed && json { Self::bounded(text.to_owned()).ok() } else { None }
    }

    /// The canonical text: JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn bounded(text: String) -> Result<Self, Violation> {
        if text.len() > BYTES {
            return Err(wrong(format!("is {} bytes long; at most {BYTES} are possible", text.len())));
        }
        Ok(Self(text))
    }
}

fn wrong(why: String) -> Violation {
    Violation::new("effective_config", why)
}

fn write(out: &mut String, value: &Value, depth: usize) -> Result<(), Violation> {
    if depth > DEPTH {
        return Err(wrong(format!("nests deeper than {DEPTH} levels")));
    }
    if out.len() > BYTES {
        return Err(wrong(format!("is longer than {BYTES} bytes")));
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                open_line(out, index, depth);
                write(out, item, depth + 1)?;
            }
            close(out, ']', depth);
        }
        Value::Object(fields) if !fields.is_empty() => {
            // The map keeps the order of insertion; equal documents must not differ by it.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, item)) in fields.into_iter().enumerate() {
                open_line(out, index, depth);
                quote(out, name);
                out.push_str(": ");
                write(out, item, depth + 1)?;
            }
            close(out, '}', depth);
        }
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) => quote(out, text),
        Value::Number(_) | Value::Bool(_) | Value::Null => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn open_line(out: &mut String, index: usize, depth: usize) {
    out.push_str(if index == 0 { "\n" } else { ",\n" });
    indent(out, depth + 1);
}

fn close(out: &mut String, bracket: char, depth: usize) {
    out.push('\n');
    indent(out, depth);
    out.push(bracket);
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(letter),
            _ => {
                let mut units = [0_u16; 2];
                for unit in letter.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_documents_have_equal_text_whatever_the_order() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"y":2,"x":null}],"a":"é\u2028"}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":"é\u2028","b":[1,{"x":null,"y":2}]}"#).unwrap();
        let text = Document::new(&one).unwrap();
        assert_eq!(text, Document::new(&two).unwrap());
        assert!(text.as_str().is_ascii());
        assert_eq!(serde_json::from_str::<Value>(text.as_str()).unwrap(), one);
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        let deep = (0..DEPTH + 2).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(Document::new(&deep).unwrap_err().field, "effective_config");
        assert!(Document::new(&json!("x".repeat(BYTES))).is_err());
        assert!(Document::new(&json!(vec![0; BYTES])).is_err());
    }

    #[test]
    fn only_canonical_frames_are_taken_back() {
        for text in ["", " {}", "{}\n", "\n{}", "{", "{}{}", "\"é\"", "\"\t\"", "kind: x"] {
            assert_eq!(Document::from_canonical(text), None, "{text:?}");
        }
        assert_eq!(Document::from_canonical("{}").unwrap().as_str(), "{}");
    }
}
