//! Keeps an endpoint's key out of everything that leaves: it may come back in errors, whole or in parts, and
//! in answers, cut in two.

use souk_secrets::Value;

/// What stands where a key stood.
const STARS: &str = "***";
/// So many characters in a row are told apart from chance.
const PART: usize = 8;
/// Shorter keys are no secrets (`none`, `x`): every text would be full of them.
const SHORTEST: usize = 4;

/// A text of ours about what an endpoint said: without the key and without parts of it, on one line, at
/// most `most` characters.
pub(super) fn told(text: &str, key: Option<&Value>, most: usize) -> String {
    let text = match key {
        Some(key) => without_parts(text, key.expose()),
        None => text.to_owned(),
    };
    let text = crate::scanner::redacted(text);
    let mut line = String::new();
    for word in
        text.split(|own: char| own.is_whitespace() || own.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Endpoints quote a key's beginning and end: every run of its characters that is no chance goes.
fn without_parts(text: &str, key: &str) -> String {
    let (bytes, key) = (text.as_bytes(), key.as_bytes());
    let part = PART.min(key.len());
    if part < SHORTEST {
        return text.to_owned();
    }
    let mut hidden = vec![false; bytes.len()];
    for (at, window) in bytes.windows(part).enumerate() {
        if key.windows(part).any(|own| own == window) {
            hidden.iter_mut().skip(at).take(part).for_each(|byte| *byte = true);
        }
    }
    let mut out = String::new();
    let mut before = false;
    // A key is ASCII: what is hidden never ends within a character.
    for (at, own) in text.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        match (hide, before) {
            (true, false) => out.push_str(STARS),
            (true, true) => {}
            (false, _) => out.push(own),
        }
        before = hide;
    }
    out
}

/// Passes an answer on without the key, however it is cut: what may be the key's beginning is held back.
pub(super) struct Passing<'a> {
    key: &'a str,
    held: String,
}

impl<'a> Passing<'a> {
    pub(super) fn new(key: Option<&'a Value>) -> Self {
        let key = key.map(Value::expose).filter(|key| key.len() >= SHORTEST).unwrap_or_default();
        Self { key, held: String::new() }
    }

    /// What may go out now.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.key.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        let text = std::mem::take(&mut self.held).replace(self.key, STARS);
        let longest = self.key.len().saturating_sub(1).min(text.len());
        let starts = |length: &usize| {
            let tail = text.len().checked_sub(*length).and_then(|at| text.get(at..));
            tail.is_some_and(|tail| self.key.starts_with(tail))
        };
        let held = (1..=longest).rev().find(starts).unwrap_or(0);
        let (out, rest) = text.split_at(text.len() - held);
        rest.clone_into(&mut self.held);
        out.to_owned()
    }

    /// The rest, at the end of the answer.
    pub(super) fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "canary-0123456789abcdef";

    fn key(text: &str) -> Value {
        Value::new(text.to_owned()).unwrap()
    }

    #[test]
    fn errors_tell_no_part_of_the_key() {
        let key = key(KEY);
        for text in [
            format!("bad key {KEY}"),
            format!("{KEY}{KEY}"),
            format!("Incorrect API key provided: {}****{}.", &KEY[..8], &KEY[12..]),
            format!("é{KEY}€ \n\u{1b}[31m"),
        ] {
            let told = told(&text, Some(&key), 300);
            assert!((0..KEY.len() - 8).all(|at| !told.contains(&KEY[at..at + 8])), "{told}");
            assert!(told.contains(STARS) && !told.contains(char::is_control), "{told}");
        }
        assert_eq!(told("a  b\n c", Some(&key), 300), "a b c");
        assert_eq!(told(&"é".repeat(400), None, 300), format!("{}…", "é".repeat(300)));
        assert_eq!(told("needs an x", Some(&super::tests::key("x")), 300), "needs an x");
    }

    #[test]
    fn a_key_in_an_answer_is_starred_however_it_is_cut() {
        let key = key(KEY);
        let text = format!("begin {KEY} middle {} end{}", &KEY[..5], &KEY[..3]);
        let clean = format!("begin {STARS} middle {} end{}", &KEY[..5], &KEY[..3]);
        for size in 1..text.len() {
            let mut passing = Passing::new(Some(&key));
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(size) {
                out.push_str(&passing.push(std::str::from_utf8(chunk).unwrap()));
            }
            out.push_str(&passing.finish());
            assert_eq!(out, clean, "in pieces of {size}");
        }
    }

    #[test]
    fn what_cannot_be_the_key_is_not_held_back() {
        let key = key(KEY);
        let mut passing = Passing::new(Some(&key));
        assert_eq!(passing.push("hello"), "hello");
        assert_eq!(passing.push("naïve cana"), "naïve ");
        assert_eq!(passing.push("da"), "canada");
        assert_eq!(Passing::new(None).push(KEY), KEY);
    }
}
