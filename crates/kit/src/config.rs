//! Configuration: one TOML, a section a part. Unknown keys are refused, and every mistake is said at
//! once, because an operator mends a file, not a line.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} mistake(s):\n{}", .0.len(), .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// A section of the configuration.
pub trait Section: DeserializeOwned + Serialize + Default {
    /// The section's name in the file.
    const NAME: &'static str;

    /// Adds a line for everything that is wrong with the values together.
    fn check(&self, _mistakes: &mut Vec<String>) {}
}

/// A file that is being read; sections are taken out of it one by one.
pub struct File {
    name: String,
    table: Table,
    mistakes: Vec<String>,
}

impl File {
    /// Reads a file; an absent one is empty when `optional`.
    ///
    /// # Errors
    /// When it cannot be read or is no TOML.
    pub fn read(path: &Path, optional: bool) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => Self::parse(&name, ""),
            Err(error) => Err(Mistakes(vec![format!("{name}: {error}")])),
        }
    }

    /// Reads a text that came from `name`.
    ///
    /// # Errors
    /// When it is no TOML.
    pub fn parse(name: &str, text: &str) -> Result<Self, Mistakes> {
        let table = text.parse().map_err(|error: toml::de::Error| {
            Mistakes(vec![format!("{name}: {}", error.to_string().trim_end())])
        })?;
        Ok(Self { name: name.to_owned(), table, mistakes: Vec::new() })
    }

    /// Takes a section out; what is wrong with it is kept for `done`, and the defaults stand in.
    pub fn section<S: Section>(&mut self) -> S {
        let given = match self.table.remove(S::NAME) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.mistakes.push(format!("{}: [{}] must be a section", self.name, S::NAME));
                Table::new()
            }
        };
        let defaults = Table::try_from(S::default()).unwrap_or_default();
        let mut good = defaults.clone();
        for (key, value) in given {
            // Each key is tried alone on top of the defaults, so that one mistake hides no other.
            let mut alone = defaults.clone();
            alone.insert(key.clone(), value.clone());
            match Value::Table(alone).try_into::<S>() {
                Ok(_) => {
                    good.insert(key, value);
                }
                Err(error) => {
                    let problem = error.message().lines().next().unwrap_or_default().to_owned();
                    self.mistakes.push(format!("{}: [{}] {key}: {problem}", self.name, S::NAME));
                }
            }
        }
        let section: S = Value::Table(good).try_into().unwrap_or_default();
        let mut found = Vec::new();
        section.check(&mut found);
        let lines = found.into_iter().map(|line| format!("{}: [{}] {line}", self.name, S::NAME));
        self.mistakes.extend(lines);
        section
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every mistake found, with sections that no part knows.
    pub fn done(mut self) -> Result<(), Mistakes> {
        for section in self.table.keys() {
            self.mistakes.push(format!("{}: [{section}] is not a section that souk knows", self.name));
        }
        if self.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(self.mistakes)) }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Billing {
        ttl_seconds: u32,
        name: String,
    }

    impl Section for Billing {
        const NAME: &'static str = "billing";
        fn check(&self, mistakes: &mut Vec<String>) {
            if self.ttl_seconds > 10 {
                mistakes.push("ttl_seconds: at most 10".to_owned());
            }
        }
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let text = "[billing]\nttl_seconds = \"x\"\nnmae = 1\nother = 2\n[biling]\na = 1\n";
        let mut file = File::parse("souk.toml", text).unwrap();
        file.section::<Billing>();
        let mistakes = file.done().unwrap_err().0;
        assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
        for word in ["ttl_seconds", "nmae", "other", "[biling]"] {
            assert!(mistakes.iter().any(|line| line.contains(word)), "{word}: {mistakes:#?}");
        }
    }

    #[test]
    fn good_values_are_taken_and_checked() {
        let mut file = File::parse("souk.toml", "[billing]\nttl_seconds = 11\nname = \"a\"\n").unwrap();
        let section: Billing = file.section();
        assert_eq!(section, Billing { ttl_seconds: 11, name: "a".into() });
        assert!(file.done().unwrap_err().to_string().contains("at most 10"));
        assert!(File::read(Path::new("no/such/file"), true).unwrap().done().is_ok());
        assert!(File::read(Path::new("no/such/file"), false).is_err());
    }
}
