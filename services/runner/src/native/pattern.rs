//! Python's regular expressions, as far as this engine can match them in linear time.
//!
//! The differences that matter are translated (`$` before a last line break, `\Z`, a bracket inside of
//! a class); what cannot be matched in linear time (looking around, back-references) is refused.

use regex::RegexBuilder;

/// Why an expression cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

/// Longest expression, in bytes.
const SOURCE_BYTES: usize = 4096;
/// Most memory of a compiled expression, in bytes.
const PROGRAM_BYTES: usize = 1024 * 1024;

const LONG: Refused = Refused("the regular expression is too long or grows too large");
const BEYOND: Refused =
    Refused("the regular expression looks around or refers back, which the engine cannot");
const BROKEN: Refused = Refused("the regular expression cannot be compiled");

/// Whether an expression can be used; a broken one is refused too, since it would never match.
pub(super) fn check(source: &str) -> Result<(), Refused> {
    compile(source)?.map(|_| ()).ok_or(BROKEN)
}

/// Whether the expression matches at the start of the text. A broken expression matches nothing.
pub(super) fn matches_at_start(source: &str, text: &str) -> Result<bool, Refused> {
    Ok(compile(source)?.is_some_and(|expression| expression.is_match(text)))
}

/// `None` for an expression that is broken in Python too, as far as can be told.
fn compile(source: &str) -> Result<Option<regex::Regex>, Refused> {
    if source.len() > SOURCE_BYTES {
        return Err(LONG);
    }
    let translated = translate(source)?;
    // The flags of an expression stand at its very start; a group around it would hide them from nothing.
    match RegexBuilder::new(&format!(r"\A(?:{translated})")).size_limit(PROGRAM_BYTES).nest_limit(64).build()
    {
        Ok(expression) => Ok(Some(expression)),
        Err(regex::Error::CompiledTooBig(_)) => Err(LONG),
        Err(_) => Ok(None),
    }
}

fn translate(source: &str) -> Result<String, Refused> {
    let lines = has_line_flag(source);
    let mut out = String::with_capacity(source.len().saturating_add(16));
    let mut characters = source.chars().peekable();
    let mut class = false;
    // A `]` that comes first in a class stands for itself.
    let mut first = false;
    while let Some(now) = characters.next() {
        let next = characters.peek().copied();
        let at_first = std::mem::take(&mut first);
        match now {
            '\\' => {
                let Some(escaped) = characters.next() else {
                    out.push('\\');
                    break;
                };
                match escaped {
                    'Z' if !class => out.push_str(r"\z"),
                    'z' if !class => return Err(BROKEN),
                    '1'..='9' if !class => return Err(BEYOND),
                    _ => out.extend(['\\', escaped]),
                }
            }
            '[' if class => out.push_str(r"\["),
            '[' => {
                class = true;
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    characters.next();
                }
                first = true;
            }
            ']' if class && at_first => out.push_str(r"\]"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' | '-' if class && next == Some(now) => out.extend(['\\', now]),
            '$' if !class && !lines => out.push_str(r"(?:\n?\z)"),
            '(' if !class && next == Some('?') => {
                let rest: String = characters.clone().take(3).collect();
                if ["?=", "?!", "?<=", "?<!", "?P=", "?("].iter().any(|own| rest.starts_with(own)) {
                    return Err(BEYOND);
                }
                out.push('(');
            }
            _ => out.push(now),
        }
    }
    Ok(out)
}

/// A flag group that has `m`: then `$` means the end of a line, in both worlds.
fn has_line_flag(source: &str) -> bool {
    source.split("(?").skip(1).any(|rest| {
        rest.chars().take_while(|own| own.is_ascii_alphabetic() || *own == '-').any(|own| own == 'm')
            && !rest.starts_with('P')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_anchored_and_the_end_is_not() {
        assert_eq!(matches_at_start(r"[A-Z]{2}-\d+", "AB-12 rest"), Ok(true));
        assert_eq!(matches_at_start(r"[A-Z]{2}-\d+", "x AB-12"), Ok(false));
        assert_eq!(matches_at_start("a|b", "cb"), Ok(false));
        assert_eq!(matches_at_start("", ""), Ok(true));
    }

    #[test]
    fn the_end_may_have_a_line_break_after_it() {
        assert_eq!(matches_at_start("ab$", "ab\n"), Ok(true));
        assert_eq!(matches_at_start("ab$", "ab\n\n"), Ok(false));
        assert_eq!(matches_at_start(r"ab\Z", "ab\n"), Ok(false));
        assert_eq!(matches_at_start("(?m)ab$", "ab\ncd"), Ok(true));
        assert_eq!(matches_at_start("(?i)AB$", "ab"), Ok(true));
    }

    #[test]
    fn classes_are_read_as_python_reads_them() {
        assert_eq!(matches_at_start("[[a]+]", "[a]"), Ok(true));
        assert_eq!(matches_at_start("[]a]+$", "]a"), Ok(true));
        assert_eq!(matches_at_start("[^]]", "]"), Ok(false));
        assert_eq!(matches_at_start("[a&&b]+$", "a&b"), Ok(true));
        assert_eq!(matches_at_start("[$]", "$"), Ok(true));
    }

    #[test]
    fn what_needs_more_than_linear_time_is_refused() {
        for source in ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b)"] {
            assert_eq!(check(source), Err(BEYOND), "{source}");
        }
        assert_eq!(check(r"(?P<x>\w+)"), Ok(()));
    }

    #[test]
    fn broken_ones_match_nothing_and_are_refused_at_the_check() {
        for source in ["(", "[", "*a", r"a\", "(?P<x"] {
            assert_eq!(matches_at_start(source, "("), Ok(false), "{source}");
            assert_eq!(check(source), Err(BROKEN), "{source}");
        }
        assert_eq!(check(&"a".repeat(5000)), Err(LONG));
        assert_eq!(check(r"(\w{200}){200}"), Err(LONG));
        assert!(check(&"(".repeat(4000)).is_err());
    }
}
