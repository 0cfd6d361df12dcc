//! Prompt templates: Python's brace style and the double-brace style.
//!
//! Values are put in once and never read as templates again. What Langflow would format in Python's
//! way (conversions, format specifications) is refused, not guessed.

use std::sync::Arc;

use super::limits;
use crate::{flow::Node, model::Finding};

/// Fields of a prompt that are no variables of it.
pub(super) const RESERVED: [&str; 2] = ["code", "template"];

/// How a template names its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `{name}`, with `{{` and `}}` for braces.
    Braces,
    /// `{{name}}`, single braces stand for themselves.
    Mustache,
}

impl Style {
    pub(super) const fn of(double: bool) -> Self {
        if double { Self::Mustache } else { Self::Braces }
    }
}

/// Why a template cannot be expanded. Names are the author's, values never appear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a brace in the template has no partner")]
    LoneBrace,
    #[error("the template names the variable {0:?}, which the component does not have")]
    Unknown(String),
    #[error("the template names {0:?}; attributes and indexes are not allowed")]
    Attribute(String),
    #[error("the template names {0:?}; a variable needs a name that is no number")]
    Positional(String),
    #[error("the template formats {0:?}; conversions and format specifications are not supported")]
    Format(String),
    #[error("the template holds {0:?}; only simple variables are allowed between double braces")]
    Tag(String),
    #[error("the text is too large")]
    TooLarge,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// What the engine cannot do of a stored template, or what would fail in every run.
pub(super) fn findings(node: &Node, fed: &[&str]) -> Vec<Finding> {
    let Some(source) =
        node.fields.get("template").filter(|_| !fed.contains(&"template")).and_then(|own| own.text())
    else {
        return Vec::new();
    };
    let double = node.fields.get("use_double_brackets").and_then(|own| own.flag()).unwrap_or(false);
    let lookup = |name: &str| {
        let own = node.fields.get(name).filter(|_| !RESERVED.contains(&name))?;
        (fed.contains(&name) || own.stored().is_some()).then(|| Arc::from(""))
    };
    match expand(&source, Style::of(double), lookup, limits::TEXT_BYTES) {
        Ok(_) => Vec::new(),
        Err(fault @ Fault::Format(_)) => vec![Finding::unsupported(&node.id, "template", fault.to_string())],
        Err(fault) => vec![Finding::invalid(&node.id, "template", fault.to_string())],
    }
}

/// Expands a template to at most `most` bytes.
pub(super) fn expand(
    source: &str,
    style: Style,
    lookup: impl Fn(&str) -> Option<Arc<str>>,
    most: usize,
) -> Result<String, Fault> {
    let pieces = match style {
        Style::Braces => braces(source)?,
        Style::Mustache => mustache(source)?,
    };
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(own) => text.push_str(own),
            Piece::Name(name) => match (lookup(name), style) {
                (Some(value), _) => text.push_str(&value),
                (None, Style::Mustache) => {}
                (None, Style::Braces) => return Err(Fault::Unknown(shown(name))),
            },
        }
        if text.len() > most {
            return Err(Fault::TooLarge);
        }
    }
    Ok(text)
}

fn braces(source: &str) -> Result<Vec<Piece<'_>>, Fault> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            pieces.push(Piece::Text(from.get(..1).unwrap_or_default()));
            rest = after;
            continue;
        }
        let inner = from.strip_prefix('{').ok_or(Fault::LoneBrace)?;
        let end = inner.find(['{', '}']).ok_or(Fault::LoneBrace)?;
        let (name, after) = inner.split_at(end);
        pieces.push(Piece::Name(plain(name)?));
        // A brace that opens inside of a name: nested fields are a format specification at best.
        rest = after.strip_prefix('}').ok_or_else(|| Fault::Format(shown(name)))?;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// The name of a variable, and nothing more.
fn plain(name: &str) -> Result<&str, Fault> {
    if name.contains(['!', ':']) {
        Err(Fault::Format(shown(name)))
    } else if name.contains(['.', '[', ']']) {
        Err(Fault::Attribute(shown(name)))
    } else if name.chars().all(|digit| digit.is_ascii_digit()) {
        Err(Fault::Positional(shown(name)))
    } else {
        Ok(name)
    }
}

fn mustache(source: &str) -> Result<Vec<Piece<'_>>, Fault> {
    // Sections, partials, comments and the like, wherever they stand, also in a tag that never closes.
    let special = source.match_indices("{{").find(|(at, _)| {
        let next = source.get(at.saturating_add(2)..).and_then(|rest| rest.chars().next());
        next.is_some_and(|next| "{#/^&>!.".contains(next))
    });
    if let Some((at, _)) = special {
        return Err(Fault::Tag(shown(source.get(at..).unwrap_or_default())));
    }
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((name, after)) = from.split_once("}}") else { break };
        if !is_simple(name) {
            return Err(Fault::Tag(shown(name)));
        }
        pieces.extend([Piece::Text(before), Piece::Name(name)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn is_simple(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

/// As much of a name as a message needs.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(source: &str, style: Style) -> Result<String, Fault> {
        let lookup = |name: &str| match name {
            "a" => Some(Arc::from("{b}{{a}}")),
            "b" => Some(Arc::from("B")),
            _ => None,
        };
        expand(source, style, lookup, 100)
    }

    #[test]
    fn values_are_not_expanded_again() {
        assert_eq!(filled("{a}-{b}", Style::Braces), Ok("{b}{{a}}-B".into()));
        assert_eq!(filled("{{a}}-{{b}}-{b}", Style::Mustache), Ok("{b}{{a}}-B-{b}".into()));
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(filled("{{}} {{{b}}} }}{{", Style::Braces), Ok("{} {B} }{".into()));
    }

    #[test]
    fn lone_braces_are_refused() {
        for source in ["{", "}", "a } b", "{b", "{b} }", "{{}"] {
            assert_eq!(filled(source, Style::Braces), Err(Fault::LoneBrace), "{source}");
        }
    }

    #[test]
    fn what_python_would_format_is_refused_by_name() {
        for source in ["{b:>5}", "{b!r}", "{b:{a}}", "{b{a}}"] {
            assert!(matches!(filled(source, Style::Braces), Err(Fault::Format(_))), "{source}");
        }
        assert_eq!(filled("{b.c}", Style::Braces), Err(Fault::Attribute("b.c".into())));
        assert_eq!(filled("{b[0]}", Style::Braces), Err(Fault::Attribute("b[0]".into())));
        assert_eq!(filled("{}", Style::Braces), Err(Fault::Positional(String::new())));
        assert_eq!(filled("{12}", Style::Braces), Err(Fault::Positional("12".into())));
        assert_eq!(filled("{ b }", Style::Braces), Err(Fault::Unknown(" b ".into())));
    }

    #[test]
    fn only_simple_tags_stand_between_double_braces() {
        for source in [
            "{{#b}}", "{{/b}}", "{{^b}}", "{{&b}}", "{{>b}}", "{{!b}}", "{{.}}", "{{{b}}}", "{{ b }}",
            "{{b.c}}", "{{1}}", "{{}}", "{{#",
        ] {
            assert!(matches!(filled(source, Style::Mustache), Err(Fault::Tag(_))), "{source}");
        }
        assert_eq!(filled("{{none}}|{{b", Style::Mustache), Ok("|{{b".into()));
    }

    #[test]
    fn growth_is_bounded() {
        assert_eq!(filled(&"{a}".repeat(20), Style::Braces), Err(Fault::TooLarge));
        let lone = "{".repeat(1_000_001);
        assert_eq!(expand(&lone, Style::Braces, |_| None, 1 << 20), Err(Fault::LoneBrace));
        let even = "{".repeat(1_000_000);
        assert_eq!(expand(&even, Style::Braces, |_| None, 1 << 20).map(|text| text.len()), Ok(500_000));
    }
}
