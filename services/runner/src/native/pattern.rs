//! Python's regular expressions, as far as this engine can match them in linear time.
//!
//! The differences of spelling are translated (`$` before a last line break, `\Z`, `{,2}`, a bracket
//! inside of a class); what cannot be matched in linear time (looking around, referring back,
//! repetitions that give nothing back) and rare spellings (inner flags, octal numbers) are refused.

use regex::RegexBuilder;

/// Why an expression cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

/// Longest expression, in bytes.
const SOURCE_BYTES: usize = 4096;
/// Longest text that is matched, in bytes: the work is at worst text times expression.
const TEXT_BYTES: usize = 256 * 1024;
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
    if text.len() > TEXT_BYTES {
        return Err(Refused("the text is too long for a regular expression"));
    }
    Ok(compile(source)?.is_some_and(|expression| expression.is_match(text)))
}

/// `None` for an expression that is broken in Python too, as far as can be told.
fn compile(source: &str) -> Result<Option<regex::Regex>, Refused> {
    if source.len() > SOURCE_BYTES {
        return Err(LONG);
    }
    let translated = match Translation::of(source) {
        Ok(translated) => translated,
        Err(Stop::Broken) => return Ok(None),
        Err(Stop::Beyond) => return Err(BEYOND),
    };
    match RegexBuilder::new(&format!(r"\A(?:{translated})")).size_limit(PROGRAM_BYTES).nest_limit(64).build()
    {
        Ok(expression) => Ok(Some(expression)),
        Err(regex::Error::CompiledTooBig(_)) => Err(LONG),
        Err(_) => Ok(None),
    }
}

/// Why a translation ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Python does not compile it.
    Broken,
    /// Python does, this engine cannot.
    Beyond,
}

/// What stands before the next character, as far as a repetition cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Nothing that can be repeated: a start, or a place such as `^`.
    Nothing,
    Atom,
    Repeated,
    /// Repeated, and said to be greedy or not: nothing may follow.
    Settled,
}

/// The way from Python's spelling to this engine's.
struct Translation<'a> {
    rest: &'a str,
    out: String,
    before: Before,
    /// Groups that are open.
    depth: usize,
    /// `$` means the end of a line.
    lines: bool,
}

impl<'a> Translation<'a> {
    fn of(source: &'a str) -> Result<String, Stop> {
        let out = String::with_capacity(source.len().saturating_add(16));
        let mut own = Self { rest: source, out, before: Before::Nothing, depth: 0, lines: false };
        own.flags()?;
        while let Some(now) = own.next() {
            own.one(now)?;
        }
        Ok(own.out)
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let now = characters.next()?;
        self.rest = characters.as_str();
        Some(now)
    }

    fn put(&mut self, text: &str, before: Before) {
        self.out.push_str(text);
        self.before = before;
    }

    /// Flags for the whole expression, which stand at its start or nowhere.
    fn flags(&mut self) -> Result<(), Stop> {
        let Some((flags, rest)) = self.rest.strip_prefix("(?").and_then(|rest| rest.split_once(')')) else {
            return Ok(());
        };
        if flags.is_empty() || !flags.chars().all(|flag| "aiLmsux".contains(flag)) {
            return Ok(());
        }
        if !flags.chars().all(|flag| "imsu".contains(flag)) {
            return Err(Stop::Beyond);
        }
        self.lines = flags.contains('m');
        self.rest = rest;
        self.put(&format!("(?{flags})"), Before::Nothing);
        Ok(())
    }

    fn one(&mut self, now: char) -> Result<(), Stop> {
        match now {
            '\\' => self.escape(false)?,
            '[' => self.class()?,
            '(' => self.group()?,
            '|' => self.put("|", Before::Nothing),
            '^' => self.put("^", Before::Nothing),
            '$' => self.put(if self.lines { "$" } else { r"(?:\n?\z)" }, Before::Nothing),
            '*' | '+' | '?' => self.repeat(now)?,
            '{' => self.count()?,
            '.' => self.put(".", Before::Atom),
            ')' => {
                // One that closes nothing would close the group that holds the whole expression.
                self.depth = self.depth.checked_sub(1).ok_or(Stop::Broken)?;
                self.put(")", Before::Atom);
            }
            _ => self.literal(now),
        }
        Ok(())
    }

    fn literal(&mut self, now: char) {
        let text = regex::escape(now.encode_utf8(&mut [0; 4]));
        self.put(&text, Before::Atom);
    }

    fn escape(&mut self, class: bool) -> Result<(), Stop> {
        match self.next().ok_or(Stop::Broken)? {
            'Z' if !class => self.put(r"\z", Before::Nothing),
            place @ ('A' | 'b') if !class => self.put(&format!(r"\{place}"), Before::Nothing),
            'b' if class => self.put(r"\x08", Before::Atom),
            known if "dDsSwWafnrtvxuU".contains(known) => self.put(&format!(r"\{known}"), Before::Atom),
            // References back, octal numbers, names of characters; and `\B`, which in Python does not hold
            // in an empty text.
            'N' | 'B' | '0'..='9' => return Err(Stop::Beyond),
            unknown if unknown.is_ascii_alphabetic() => return Err(Stop::Broken),
            literal => self.literal(literal),
        }
        Ok(())
    }

    /// A class: `[`, `&&`, `--` and `~~` mean nothing in Python's, and a first `]` is itself.
    fn class(&mut self) -> Result<(), Stop> {
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let now = self.next().ok_or(Stop::Broken)?;
            match now {
                '\\' => self.escape(true)?,
                ']' if !first => break,
                '-' if !self.rest.starts_with('-') => self.out.push('-'),
                _ => self.literal(now),
            }
            first = false;
        }
        self.put("]", Before::Atom);
        Ok(())
    }

    fn group(&mut self) -> Result<(), Stop> {
        let Some(inner) = self.rest.strip_prefix('?') else {
            self.depth = self.depth.saturating_add(1);
            self.put("(", Before::Nothing);
            return Ok(());
        };
        if let Some(comment) = inner.strip_prefix('#') {
            self.rest = comment.split_once(')').ok_or(Stop::Broken)?.1;
            return Ok(());
        }
        if ["=", "!", "<=", "<!", "P=", "(", ">"].iter().any(|own| inner.starts_with(own)) {
            return Err(Stop::Beyond);
        }
        let opening = ["P<", ":"].into_iter().find(|own| inner.starts_with(own));
        let Some(opening) = opening else {
            let flags = inner.split([':', ')']).next().unwrap_or_default();
            let known = !flags.is_empty() && flags.chars().all(|flag| "aiLmsux-".contains(flag));
            return Err(if known { Stop::Beyond } else { Stop::Broken });
        };
        self.rest = inner.strip_prefix(opening).unwrap_or(inner);
        self.depth = self.depth.saturating_add(1);
        self.put(&format!("(?{opening}"), Before::Nothing);
        if opening == "P<" {
            let (name, rest) = self.rest.split_once('>').ok_or(Stop::Broken)?;
            self.rest = rest;
            self.put(&format!("{name}>"), Before::Nothing);
        }
        Ok(())
    }

    fn repeat(&mut self, now: char) -> Result<(), Stop> {
        self.before = match (self.before, now) {
            (Before::Atom, _) => Before::Repeated,
            (Before::Repeated, '?') => Before::Settled,
            // A repetition that gives nothing back.
            (Before::Repeated, '+') => return Err(Stop::Beyond),
            _ => return Err(Stop::Broken),
        };
        self.out.push(now);
        Ok(())
    }

    /// `{2}`, `{1,}`, `{,3}`; any other brace is itself.
    fn count(&mut self) -> Result<(), Stop> {
        let bounds =
            self.rest.split_once('}').filter(|(inner, _)| !inner.is_empty()).and_then(|(inner, rest)| {
                let (least, most) =
                    inner.split_once(',').map_or((inner, None), |(least, most)| (least, Some(most)));
                let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
                (digits(least) && most.is_none_or(digits)).then_some((least, most, rest))
            });
        let Some((least, most, rest)) = bounds else {
            self.literal('{');
            return Ok(());
        };
        if self.before != Before::Atom {
            return Err(Stop::Broken);
        }
        self.rest = rest;
        let least = if least.is_empty() { "0" } else { least };
        let most = most.map(|most| format!(",{most}")).unwrap_or_default();
        self.put(&format!("{{{least}{most}}}"), Before::Repeated);
        Ok(())
    }
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
    fn braces_and_comments_are_read_as_python_reads_them() {
        assert_eq!(matches_at_start("a{,2}$", "aa"), Ok(true));
        assert_eq!(matches_at_start("a{,2}$", "aaa"), Ok(false));
        assert_eq!(matches_at_start("a{x}$", "a{x}"), Ok(true));
        assert_eq!(matches_at_start("(?#nothing)a{}", "a{}"), Ok(true));
        assert_eq!(matches_at_start(r"\<a\>", "<a>"), Ok(true));
    }

    #[test]
    fn what_needs_more_than_linear_time_is_refused() {
        for source in ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b)"] {
            assert_eq!(check(source), Err(BEYOND), "{source}");
        }
        for source in ["a*+", "a{2}+", "(?>a)", r"\0", r"\N{DASH}", r"\B", "(?x)a b", "(?i:a)", "a(?i)"] {
            assert_eq!(check(source), Err(BEYOND), "{source}");
        }
        assert_eq!(check(r"(?P<x>\w+)"), Ok(()));
    }

    #[test]
    fn broken_ones_match_nothing_and_are_refused_at_the_check() {
        for source in [
            "(", "[", "*a", r"a\", "(?P<x", "a**", "^*", r"\b+", r"\pL", "(?<x>a)", "a{2,1}", ")(", "a)b(",
            "(|*)",
        ] {
            assert_eq!(matches_at_start(source, "("), Ok(false), "{source}");
            assert_eq!(check(source), Err(BROKEN), "{source}");
        }
        assert!(matches_at_start("a", &"a".repeat(TEXT_BYTES + 1)).is_err());
        assert_eq!(check(&"a".repeat(5000)), Err(LONG));
        assert_eq!(check(r"(\w{200}){200}"), Err(LONG));
        assert!(check(&"(".repeat(4000)).is_err());
    }
}
