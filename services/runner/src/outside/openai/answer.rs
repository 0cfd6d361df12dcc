//! What an endpoint answers: chunks of a stream, or a whole completion. Only what is needed is read.

use serde::Deserialize;
use serde_json::Value;

/// More tokens than any answer has: such a count is a mistake and is not believed.
const TOKENS: u64 = 1_000_000_000;

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    model: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    delta: Option<Value>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default)]
    finish_reason: Option<Value>,
}

/// One chunk, or all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The next text of the answer.
    pub(super) text: String,
    /// What was used so far: input and output tokens.
    pub(super) used: Option<(u64, u64)>,
    /// The answer is complete.
    pub(super) finished: bool,
    /// The endpoint gave up, and why.
    pub(super) error: Option<String>,
    /// The model that answers, by the endpoint's word.
    pub(super) model: Option<String>,
}

/// Reads a chunk or a completion; `None` when it is neither.
pub(super) fn part(json: &[u8]) -> Option<Part> {
    let body: Body = serde_json::from_slice(json).ok()?;
    if let Some(error) = body.error.filter(|error| !error.is_null()) {
        return Some(Part { error: Some(said(&error)), ..Part::default() });
    }
    // Something must say that this is an answer at all.
    if body.choices.is_none() && body.usage.is_none() {
        return None;
    }
    let choices = body.choices.unwrap_or_default();
    let first = choices.iter().find(|choice| choice.index.unwrap_or(0) == 0);
    let content = |from: &Option<Value>| from.as_ref()?.get("content")?.as_str().map(str::to_owned);
    let text = first.and_then(|choice| content(&choice.delta).or_else(|| content(&choice.message)));
    let reason = first.and_then(|choice| choice.finish_reason.as_ref());
    Some(Part {
        text: text.unwrap_or_default(),
        used: body.usage.as_ref().and_then(used),
        finished: reason.is_some_and(|reason| !reason.is_null()),
        error: None,
        model: body.model.as_ref().and_then(Value::as_str).map(str::to_owned),
    })
}

fn used(usage: &Value) -> Option<(u64, u64)> {
    let count = |name: &str| usage.get(name)?.as_u64().filter(|count| *count <= TOKENS);
    Some((count("prompt_tokens")?, count("completion_tokens")?))
}

/// What an error body says, in whichever of the usual forms; the text itself when it has none of them.
pub(super) fn reason(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => said(json.get("error").filter(|error| !error.is_null()).unwrap_or(&json)),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

fn said(error: &Value) -> String {
    let words = ["message", "detail", "error"].iter().find_map(|name| error.get(name)?.as_str());
    words.or_else(|| error.as_str()).map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Part {
        part(json.as_bytes()).unwrap()
    }

    #[test]
    fn chunks_and_completions_are_read_alike() {
        let text = |text: &str| Part { text: text.into(), ..Part::default() };
        assert_eq!(
            read(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#),
            text("a")
        );
        assert_eq!(read(r#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#), text(""));
        assert_eq!(read(r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#), text(""));
        assert_eq!(
            read(
                r#"{"choices":[{"message":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#
            ),
            Part { text: "b".into(), used: Some((3, 4)), finished: true, ..Part::default() }
        );
        assert_eq!(
            read(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#).used,
            Some((3, 4))
        );
    }

    #[test]
    fn counts_that_cannot_be_are_not_believed() {
        for usage in [
            r#"{"prompt_tokens":-1,"completion_tokens":1}"#,
            r#"{"prompt_tokens":1,"completion_tokens":9e30}"#,
            r#"{"prompt_tokens":1,"completion_tokens":1000000001}"#,
            r#"{"prompt_tokens":"1","completion_tokens":1}"#,
            "{}",
            "7",
        ] {
            assert_eq!(read(&format!(r#"{{"choices":[],"usage":{usage}}}"#)).used, None, "{usage}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for json in ["", "{", "[]", "7", "{}", r#"{"choices":7}"#, r#"{"object":"list","data":[]}"#] {
            assert_eq!(part(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn errors_are_told_in_their_own_words() {
        for body in [
            r#"{"error":{"message":"no","code":1}}"#,
            r#"{"error":"no"}"#,
            r#"{"message":"no"}"#,
            r#"{"detail":"no"}"#,
            "no",
        ] {
            assert_eq!(reason(body.as_bytes()), "no", "{body}");
        }
        assert_eq!(reason(br#"{"error":{"code":7}}"#), r#"{"code":7}"#);
        assert_eq!(read(r#"{"error":{"message":"overloaded"}}"#).error.as_deref(), Some("overloaded"));
    }
}
