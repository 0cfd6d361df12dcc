//! Migration text: SQL that both engines read, with the types that differ written as tokens.
//!
//! `{id}` and `{text}` are texts compared byte by byte, `{json}` a JSON text, `{time}` and `{micros}` whole
//! microseconds, `{flag}` a truth value, `{bytes}` octets. What the SQL profile forbids is refused here.

use sea_orm::DbBackend;

use super::Refusal;

/// Words that behave differently on the engines or hide state in them.
const FORBIDDEN: &[&str] = &[
    "AUTOINCREMENT",
    "BIGSERIAL",
    "CHAR",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "DECIMAL",
    "DOUBLE",
    "ENUM",
    "FLOAT",
    "INT",
    "INTEGER",
    "JSONB",
    "NUMERIC",
    "REAL",
    "SEQUENCE",
    "SERIAL",
    "SMALLINT",
    "TEXT",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "TRIGGER",
    "UUID",
    "VARCHAR",
];

/// Writes a step for one engine.
pub(super) fn render(migration: &str, step: &str, backend: DbBackend) -> Result<String, Refusal> {
    let refuse = |what: String| Refusal::Text { name: migration.to_owned(), what };
    for word in bare_words(step) {
        if FORBIDDEN.iter().any(|forbidden| word.eq_ignore_ascii_case(forbidden)) {
            return Err(refuse(format!("{word} is outside of the SQL profile")));
        }
    }
    let mut out = String::with_capacity(step.len());
    let mut rest = step;
    while let Some((before, after)) = rest.split_once('{') {
        let (token, after) = after.split_once('}').ok_or_else(|| refuse("a { is never closed".to_owned()))?;
        out.push_str(before);
        out.push_str(column(token, backend).ok_or_else(|| refuse(format!("there is no type {{{token}}}")))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn column(token: &str, backend: DbBackend) -> Option<&'static str> {
    let postgres = backend == DbBackend::Postgres;
    Some(match token {
        // SQLite compares bytes by itself; a locale's collation would give another order of pages.
        "id" | "text" if postgres => "TEXT COLLATE \"C\"",
        "id" | "text" | "json" => "TEXT",
        "time" | "micros" | "int" => "BIGINT",
        "flag" => "BOOLEAN",
        "bytes" if postgres => "BYTEA",
        "bytes" => "BLOB",
        _ => return None,
    })
}

/// The words of a statement outside of quotes and tokens.
fn bare_words(step: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut closing) = (None, None);
    for (at, letter) in step.char_indices() {
        let part = closing.is_none() && (letter.is_alphanumeric() || letter == '_');
        match (part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.extend(step.get(from..at));
                start = None;
            }
            _ => {}
        }
        closing = match (closing, letter) {
            (Some(end), letter) if end == letter => None,
            (Some(end), _) => Some(end),
            (None, '\'' | '"') => Some(letter),
            (None, '{') => Some('}'),
            (None, _) => None,
        };
    }
    words.extend(start.and_then(|from| step.get(from..)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(step: &str) -> (Result<String, Refusal>, Result<String, Refusal>) {
        (render("m", step, DbBackend::Sqlite), render("m", step, DbBackend::Postgres))
    }

    #[test]
    fn tokens_become_the_engines_types() {
        let (sqlite, postgres) = both("CREATE TABLE a (id {id}, n {micros}, b {bytes})");
        assert_eq!(sqlite.unwrap(), "CREATE TABLE a (id TEXT, n BIGINT, b BLOB)");
        assert_eq!(postgres.unwrap(), "CREATE TABLE a (id TEXT COLLATE \"C\", n BIGINT, b BYTEA)");
    }

    #[test]
    fn what_the_engines_do_differently_is_refused() {
        for step in [
            "CREATE TABLE a (id TEXT)",
            "create table a (n integer)",
            "CREATE TRIGGER x",
            "ALTER TABLE a ADD t {time} DEFAULT CURRENT_TIMESTAMP",
            "CREATE TABLE a (id {uuid})",
            "CREATE TABLE a (id {id",
            "CREATE TABLE a (n SERIAL",
        ] {
            let (sqlite, postgres) = both(step);
            assert!(sqlite.is_err() && postgres.is_err(), "{step}");
        }
    }

    #[test]
    fn quoted_words_are_values() {
        assert!(both("CREATE TABLE a (kind {text} CHECK (kind IN ('TEXT', 'ENUM')))").1.is_ok());
        assert!(both("CREATE TABLE text_block (id {id})").0.is_ok());
    }
}
