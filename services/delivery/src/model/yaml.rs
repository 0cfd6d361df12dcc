//! Writes the small part of YAML that delivery uses, so that equal nodes give equal bytes.
//!
//! Output is printable ASCII and newlines only. Keys are fixed words of this crate; every text that comes
//! from outside is a double-quoted scalar or an indented block, so it can never become structure.

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A word of this crate, written bare.
    Word(&'static str),
    /// Any text at all, quoted.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Lines of printable ASCII that start with no space (see [`super::Document`]), as a literal block.
    Block(String),
    /// Texts, one a line.
    List(Vec<String>),
    /// Fixed keys in the order given.
    Map(Vec<(&'static str, Node)>),
}

impl Node {
    /// A quoted text.
    pub(super) fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }
}

/// Writes the entries as one YAML document.
pub(super) fn write(entries: &[(&'static str, Node)]) -> String {
    let mut out = String::new();
    map(&mut out, entries, 0);
    out
}

fn map(out: &mut String, entries: &[(&'static str, Node)], depth: usize) {
    for (key, node) in entries {
        indent(out, depth);
        out.push_str(key);
        out.push(':');
        value(out, node, depth);
    }
}

fn value(out: &mut String, node: &Node, depth: usize) {
    match node {
        Node::Word(word) => line(out, word),
        Node::Whole(number) => line(out, &number.to_string()),
        Node::Text(text) => line(out, &quote(text)),
        Node::Block(text) => {
            out.push_str(" |-\n");
            for part in text.lines() {
                indent(out, depth + 1);
                out.push_str(part);
                out.push('\n');
            }
        }
        Node::List(items) if items.is_empty() => line(out, "[]"),
        Node::List(items) => {
            out.push('\n');
            for item in items {
                indent(out, depth + 1);
                out.push('-');
                line(out, &quote(item));
            }
        }
        Node::Map(entries) if entries.is_empty() => line(out, "{}"),
        Node::Map(entries) => {
            out.push('\n');
            map(out, entries, depth + 1);
        }
    }
}

fn line(out: &mut String, text: &str) {
    out.push(' ');
    out.push_str(text);
    out.push('\n');
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// The text as a double-quoted scalar. All but printable ASCII is escaped: line breaks of other alphabets,
/// byte-order marks and marks that turn the reading direction would otherwise look like something else.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        let code = u32::from(letter);
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(letter),
            _ if code <= 0xff => out.push_str(&format!("\\x{code:02x}")),
            _ if code <= 0xffff => out.push_str(&format!("\\u{code:04x}")),
            _ => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_printable_ascii_and_reads_back() {
        for text in [
            "",
            "plain",
            "yes",
            "null",
            "~",
            "1e3",
            "a: b # c",
            "- x",
            "*alias",
            "&anchor",
            "!!binary x",
            "\"\\\n\r\t\0\u{7f}\u{85}",
            "\u{2028}\u{2029}\u{feff}\u{202e}\u{fffe}",
            "👋 ünïcode",
            "---\nkind: Evil\n...\n",
            "{{ .Values.x }}",
        ] {
            let quoted = quote(text);
            assert!(quoted.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{quoted}");
            assert_eq!(serde_norway::from_str::<String>(&quoted).unwrap(), text);
        }
    }

    #[test]
    fn layout_is_fixed() {
        let written = write(&[
            ("kind", Node::Word("Thing")),
            ("empty", Node::List(vec![])),
            ("none", Node::Map(vec![])),
            (
                "spec",
                Node::Map(vec![
                    ("count", Node::Whole(-3)),
                    ("names", Node::List(vec!["a".into(), "b\n- c".into()])),
                    ("body", Node::Block("{\n  \"a\": 1\n}".into())),
                ]),
            ),
        ]);
        assert_eq!(
            written,
            "kind: Thing\nempty: []\nnone: {}\nspec:\n  count: -3\n  names:\n    - \"a\"\n    - \"b\\n- c\"\n  body: |-\n    {\n      \"a\": 1\n    }\n"
        );
    }
}
