//! What was measured, and how it is printed.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::Outcome;

/// What was measured so far.
pub(crate) struct Report {
    rows: Vec<Row>,
    facts: Vec<(String, String)>,
    /// Commits of the bare disk a second, when it is known.
    yardstick: Option<u64>,
}

struct Row {
    what: String,
    callers: Option<u32>,
    unit: &'static str,
    figure: u64,
    /// Hundredths of the yardstick.
    ratio: Option<u64>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        Self { rows: Vec::new(), facts: vec![("profile".into(), profile.into())], yardstick: None }
    }

    /// What the ratios of later rates are taken of.
    pub(crate) fn yardstick(&mut self, rate: u64) {
        self.yardstick = Some(rate);
    }

    /// So many a second by so many callers.
    pub(crate) fn rate(&mut self, what: &str, callers: u32, unit: &'static str, figure: u64) {
        let ratio =
            self.yardstick.filter(|yardstick| *yardstick > 0).map(|yardstick| figure * 100 / yardstick);
        self.rows.push(Row { what: what.to_owned(), callers: Some(callers), unit, figure, ratio });
    }

    /// One figure.
    pub(crate) fn figure(&mut self, what: &str, unit: &'static str, figure: u64) {
        self.rows.push(Row { what: what.to_owned(), callers: None, unit, figure, ratio: None });
    }

    /// Something that was read, not measured.
    pub(crate) fn fact(&mut self, name: &str, value: &str) {
        self.facts.push((name.to_owned(), value.to_owned()));
    }

    /// Prints the report on standard output.
    pub(crate) fn print(&self, as_json: bool) -> Outcome<()> {
        let mut out = std::io::stdout().lock();
        if as_json {
            return Ok(writeln!(out, "{}", self.json())?);
        }
        for (name, value) in &self.facts {
            writeln!(out, "{name}: {value}")?;
        }
        writeln!(out, "\n| what | callers | figure | of the disk's commits |\n|---|--:|--:|--:|")?;
        for Row { what, callers, unit, figure, ratio } in &self.rows {
            let callers = callers.map_or_else(String::new, |callers| callers.to_string());
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{}.{:02}", ratio / 100, ratio % 100));
            writeln!(out, "| {what} | {callers} | {figure} {unit} | {ratio} |")?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({"what": row.what, "callers": row.callers, "unit": row.unit, "figure": row.figure,
                   "hundredthsOfDiskCommits": row.ratio})
        };
        let facts: serde_json::Map<_, _> =
            self.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({"facts": facts, "figures": self.rows.iter().map(row).collect::<Vec<_>>()})
    }
}
