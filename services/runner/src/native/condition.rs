//! The question a router asks: does the input stand in this relation to the other text?

use super::pattern::{self, Refused};
use crate::{flow::Node, model::Finding};

const OPERATORS: [&str; 10] = [
    "equals",
    "not equals",
    "contains",
    "starts with",
    "ends with",
    "regex",
    "less than",
    "less than or equal",
    "greater than",
    "greater than or equal",
];

/// A comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) operator: &'a str,
    pub(super) input: &'a str,
    pub(super) against: &'a str,
    pub(super) case_sensitive: bool,
}

/// Answers the question. An unknown operator, a broken expression and a text that is no number are `false`.
pub(super) fn holds(question: &Question<'_>) -> Result<bool, Refused> {
    let Question { operator, input, against, case_sensitive } = *question;
    if operator == "regex" {
        return pattern::matches_at_start(against, input);
    }
    let (lower_input, lower_against);
    let (input, against) = if case_sensitive {
        (input, against)
    } else {
        (lower_input, lower_against) = (input.to_lowercase(), against.to_lowercase());
        (lower_input.as_str(), lower_against.as_str())
    };
    Ok(match operator {
        "equals" => input == against,
        "not equals" => input != against,
        "contains" => input.contains(against),
        "starts with" => input.starts_with(against),
        "ends with" => input.ends_with(against),
        _ => match (number(input), number(against)) {
            (Some(left), Some(right)) => match operator {
                "less than" => left < right,
                "less than or equal" => left <= right,
                "greater than" => left > right,
                "greater than or equal" => left >= right,
                _ => false,
            },
            _ => false,
        },
    })
}

/// A number as Python's `float` reads it: spaces around, `_` between digits, `inf` and `nan`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|own: char| own.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&own));
    let mut before = ' ';
    let mut digits = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(now) = characters.next() {
        if now == '_' {
            let between = before.is_ascii_digit() && characters.peek().is_some_and(char::is_ascii_digit);
            if !between {
                return None;
            }
        } else {
            digits.push(now);
        }
        before = now;
    }
    digits.parse().ok()
}

/// What the engine cannot do of what a router stores.
pub(super) fn findings(node: &Node, fed: &[&str]) -> Vec<Finding> {
    let stored = |name: &str| {
        let own = node.fields.get(name).filter(|_| !fed.contains(&name));
        own.and_then(|field| field.text())
    };
    let mut findings = Vec::new();
    let operator = stored("operator").unwrap_or_else(|| "equals".into());
    if !OPERATORS.contains(&operator.as_str()) {
        findings.push(Finding::invalid(&node.id, "operator", "the router has no such operator"));
    }
    if operator == "regex"
        && let Some(Err(Refused(why))) = stored("match_text").map(|own| pattern::check(&own))
    {
        findings.push(Finding::unsupported(&node.id, "match_text", why));
    }
    // At its last iteration a router turns round, which only a loop can want.
    let iterations = stored("max_iterations").and_then(|own| number(&own));
    if iterations.is_some_and(|own| own < 2.0) {
        findings.push(Finding::unsupported(
            &node.id,
            "max_iterations",
            "a router needs two iterations or more here",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(operator: &str, input: &str, against: &str) -> bool {
        holds(&Question { operator, input, against, case_sensitive: false }).unwrap()
    }

    #[test]
    fn case_is_ignored_only_when_asked() {
        assert!(asks("contains", "a REFUND", "Refund"));
        let exact = Question { operator: "equals", input: "A", against: "a", case_sensitive: true };
        assert_eq!(holds(&exact), Ok(false));
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, value) in
            [(" 4.50 ", 4.5), ("1e3", 1000.0), ("1_000", 1000.0), (".5", 0.5), ("5.", 5.0), ("+2", 2.0)]
        {
            assert_eq!(number(text), Some(value), "{text}");
        }
        assert_eq!(number("-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", "abc", "1__0", "_1", "1_", "0x10", "1 0", "1_e3"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_less_than_a_text() {
        assert!(!asks("less than", "abc", "5"));
        assert!(!asks("greater than", "nan", "5"));
        assert!(asks("greater than or equal", "inf", "5"));
        assert!(!asks("resembles", "a", "a"));
    }
}
